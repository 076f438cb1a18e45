"""The price book of an installation: its cache file, the agents' models, services by URL."""

import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from tidegate.core.model import TokenCounts, Usage
from tidegate.core.pricing import PriceBook, price
from tidegate.services.price_book import (
    PriceFileError,
    agent_models,
    compile_price_book,
    list_for_url,
    load_or_compile,
)

pytestmark = pytest.mark.slow

TURN = Usage(TokenCounts(120, 2000, 0, 3000, 40))


def turn_nusd(book: PriceBook) -> int:
    """Return what an agent's turn on Sonnet 4.6 costs; by the list 0.936 cents."""
    priced = price(
        book, provider="anthropic", model="claude-sonnet-4-6", usage=TURN, at_us=1_795 * 10**12
    )
    return priced.cost.total


@pytest.fixture(scope="module")
def book() -> PriceBook:
    return compile_price_book()


def test_the_first_start_compiles_and_later_ones_read(tmp_path: Path) -> None:
    file = tmp_path / "cache" / "prices"
    first = load_or_compile(file, None)
    assert file.stat().st_mode & 0o777 == 0o600
    assert [each.name for each in file.parent.iterdir()] == ["prices"]
    written = file.stat().st_mtime_ns
    second = load_or_compile(file, None)
    assert file.stat().st_mtime_ns == written
    assert second.sheet == first.sheet
    assert turn_nusd(second) == 9_360_000


def test_a_process_that_reads_needs_no_genai_prices(tmp_path: Path) -> None:
    file = tmp_path / "prices"
    load_or_compile(file, None)
    program = (
        "import sys; from pathlib import Path\n"
        "from tidegate.services.price_book import load_or_compile\n"
        f"load_or_compile(Path({str(file)!r}), None)\n"
        "sys.exit(any(name.startswith(('genai_prices', 'pydantic')) for name in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


@pytest.mark.parametrize("damage", ["cut", "flipped", "empty", "other"])
def test_a_damaged_cache_is_made_again(tmp_path: Path, damage: str) -> None:
    file = tmp_path / "prices"
    sheet = load_or_compile(file, None).sheet
    content = file.read_bytes()
    file.write_bytes(
        {
            "cut": content[:-100],
            "flipped": content[:5000] + bytes([content[5000] ^ 1]) + content[5001:],
            "empty": b"",
            "other": b"x" * 64,
        }[damage]
    )
    assert load_or_compile(file, None).sheet == sheet
    assert file.read_bytes() == content


def test_a_changed_override_file_is_noticed(tmp_path: Path) -> None:
    file, override = tmp_path / "prices", tmp_path / "own.toml"
    plain = load_or_compile(file, None)
    override.write_text('[[models."claude-sonnet-4-6"]]\ninput = "6"\noutput = "30"\n')
    own = load_or_compile(file, override)
    override.write_text('[[models."claude-sonnet-4-6"]]\ninput = "9"\noutput = "45"\n')
    other = load_or_compile(file, override)
    assert [turn_nusd(each) for each in (plain, own, other)] == [9_360_000, 18_720_000, 28_080_000]
    assert len({plain.version, own.version, other.version}) == 3
    assert load_or_compile(file, None).version == plain.version


def test_a_missing_override_file_is_an_error_and_not_list_prices(tmp_path: Path) -> None:
    with pytest.raises(PriceFileError, match=r"own\.toml cannot be read"):
        load_or_compile(tmp_path / "prices", tmp_path / "own.toml")


def test_where_nothing_can_be_kept_the_book_is_there_all_the_same(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    assert turn_nusd(load_or_compile(blocked / "prices", None)) == 9_360_000


def test_the_price_version_is_short_and_stable(book: PriceBook) -> None:
    priced = price(
        book, provider="anthropic", model="claude-sonnet-4-6", usage=TURN, at_us=1_795 * 10**12
    )
    assert priced.price_version == f"{book.version}@2026-03-13"
    assert compile_price_book().version == book.version
    assert len(priced.price_version) < 60


@pytest.mark.parametrize(
    "name",
    [
        "claude-opus-4-8",
        "claude-haiku-4-5-20251001",
        "claude-sonnet-4-5-20250929",
        "claude-sonnet-4-20250514",
        "claude-3-5-haiku-20241022",
        "claude-3-opus-latest",
        "claude-opus-4-8[1m]",
        "anthropic/claude-opus-4.8",
        "gpt-5",
        "gpt-5-mini",
        "gpt-5-codex",
        "gpt-5.5",
        "gpt-6-sol",
        "gpt-6.1-terra-2026-10-26",
        "o3",
    ],
)
def test_names_that_agents_send_are_known(book: PriceBook, name: str) -> None:
    assert book.known("openai", name) is not None


@pytest.mark.parametrize(
    "name",
    [
        "claude-opus-4-8-turbo-x",  # the library would take it for Opus 4.8
        "claude-haiku-4-5x",
        "claude-haiku-4-5-2025100",
        "gpt-5.5-ultra",
        "o33",
        "glm-5-nobody-has-this",
    ],
)
def test_near_misses_are_not(book: PriceBook, name: str) -> None:
    assert book.known("openai", name) is None


def test_a_name_with_two_prices_is_not_guessed(book: PriceBook) -> None:
    lists = book.sheet.lists
    name = "meta-llama/llama-3.3-70b-instruct"
    having = [each for each, prices in lists.items() if name in prices.names]
    assert len(having) > 1
    assert book.known("openai", name) is None
    assert book.known("openai", name, having[0]) is not None


@pytest.mark.parametrize("provider", ["anthropic", "openai"])
def test_agent_models_are_complete(book: PriceBook, provider: str) -> None:
    listed = agent_models(book, provider)
    wanted = [each for each in book.sheet.agent_models if each.provider == provider]
    assert len(listed) == len(wanted) >= 10
    for each in listed:
        assert each.name
        assert each.context_tokens
        assert each.output_tokens
        assert each.context_tokens > each.output_tokens
        assert each.output_nusd_per_mtok > each.input_nusd_per_mtok > each.cache_read_nusd_per_mtok
        assert each.cache_write_1h_nusd_per_mtok >= each.cache_write_5m_nusd_per_mtok > 0


def test_agent_models_carry_prices(book: PriceBook) -> None:
    opus = next(each for each in agent_models(book, "anthropic") if each.id == "claude-opus-4-8")
    assert msgspec.structs.astuple(opus) == (
        "claude-opus-4-8",
        "Claude Opus 4.8",
        "anthropic",
        *(1_000_000, 128_000),
        *(5_000_000_000, 25_000_000_000, 500_000_000, 6_250_000_000, 10_000_000_000),
    )


def test_fallbacks_are_the_dearest_agent_models(book: PriceBook) -> None:
    assert book.sheet.fallbacks == {
        "claude": ("anthropic", "claude-fable-5"),
        "gpt": ("openai", "gpt-6-astra"),
    }


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://api.anthropic.com", ""),
        ("https://api.openai.com/v1", ""),
        ("https://api.groq.com/openai/v1", "groq"),
        ("https://openrouter.ai/api/v1", "openrouter"),
        ("https://api.deepseek.com/anthropic", "deepseek"),
        ("https://llm.example.com/v1", ""),
    ],
)
def test_list_for_url(book: PriceBook, url: str, expected: str) -> None:
    assert list_for_url(book, url) == expected
