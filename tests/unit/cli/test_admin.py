"""`tidegate admin` as scripts use it: exit codes, JSON, one clear line on a refusal."""

import io
import json
from pathlib import Path
from typing import Any

import pytest
from tests.unit.jobs.events import event
from typer.testing import CliRunner, Result

from tidegate.cli.admin import app, read_api_key
from tidegate.cli.errors import CommandError
from tidegate.gateway.spool import SpoolWriter

pytestmark = pytest.mark.slow

API_KEY = "sk-ant-api03-abcdefghijklmnop"
USAGE_FIELDS = {
    "requests", "input_tokens", "output_tokens", "cache_read_tokens", "cache_write_5m_tokens",
    "cache_write_1h_tokens", "cost_nusd", "by_outcome", "by_key", "by_session",
}  # fmt: skip


class Installation:
    """Runs commands on a data directory of its own, whatever the environment says."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.data_dir = path / "installation"
        self._environment = {
            name: None
            for name in ("TIDEGATE_MASTER_KEY", "TIDEGATE_DATABASE_URL", "TIDEGATE_PUBLIC_URL")
        }

    def run(self, *words: str, stdin: str = "", code: int = 0) -> Result:
        places = ["--data-dir", str(self.data_dir), "--master-key-file", str(self.path / "key")]
        result = CliRunner().invoke(
            app, [*words, *places], input=stdin, env=self._environment, catch_exceptions=True
        )
        assert result.exit_code == code, (result.output, result.exception)
        return result

    def ask(self, *words: str, stdin: str = "") -> dict[str, Any]:
        answer: dict[str, Any] = json.loads(self.run(*words, "--json", stdin=stdin).stdout)
        return answer

    def refuse(self, *words: str, stdin: str = "") -> str:
        """The line that the program prints before it exits with 1; see `tidegate.cli.main.run`."""
        result = self.run(*words, stdin=stdin, code=1)
        assert isinstance(result.exception, CommandError)
        line = str(result.exception)
        assert line
        assert "\n" not in line
        return line


@pytest.fixture
def place(tmp_path: Path) -> Installation:
    made = Installation(tmp_path)
    made.ask("bootstrap", "--org", "Acme", "--email", "owner@example.com")
    return made


def enroll(place: Installation, agent: str = "codex") -> dict[str, Any]:
    return place.ask("enroll", "--email", "dev@example.com", "--agent", agent)


def test_bootstrap(tmp_path: Path) -> None:
    answer = Installation(tmp_path).ask("bootstrap", "--org", "Acme", "--email", "a@b.c")
    assert answer["organization_id"].startswith("org_")
    assert answer["sign_in_url"].startswith("http://127.0.0.1:4180/sign-in/")
    assert (tmp_path / "key").stat().st_mode & 0o777 == 0o600


def test_links_are_built_from_the_public_url(place: Installation) -> None:
    url = ("--public-url", "https://tidegate.example.com")
    link = place.ask("sign-in-link", "--email", "OWNER@example.com", *url)
    assert link["sign_in_url"].startswith("https://tidegate.example.com/sign-in/")
    assert place.ask("sign-in-link")["email"] == "owner@example.com"


def test_there_must_be_an_installation(tmp_path: Path) -> None:
    place = Installation(tmp_path)
    assert "There is no installation" in place.refuse("usage")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["bootstrap", "--org", "acme", "--email", "a@b.c"], "already"),
        (["bootstrap", "--email", "a@b.c"], "--org"),
        (["enroll", "--email", "nobody", "--agent", "codex"], "no email address"),
        (["enroll", "--email", "a@b.c", "--agent", "vim"], "claude_code, codex, opencode"),
        (["usage", "--org", "Nowhere"], "no organization “Nowhere”"),
        (["sign-in-link", "--email", "x@y.z"], "no member"),
        (["key", "rotate", "key_none"], "no key key_none"),
        (["key", "rotate"], "--email and --agent"),
        (["credential", "remove", "crd_none"], "no such credential"),
        (["organization", "update", "--time-zone", "Mars"], "no time zone"),
        (["member", "add", "--email", "a@b.c", "--role", "king"], "no role"),
        (["member", "add", "--email", "nobody"], "no email address"),
        (["member", "role", "--email", "x@y.z", "--role", "admin"], "no member"),
        (["member", "remove", "--email", "owner@example.com"], "last owner"),
    ],
)
def test_refusals_are_one_line(place: Installation, words: list[str], said: str) -> None:
    assert said in place.refuse(*words)


@pytest.mark.parametrize("words", [["enroll"], ["nonsense"], ["usage", "--nonsense"]])
def test_wrong_usage_is_exit_code_two(place: Installation, words: list[str]) -> None:
    place.run(*words, code=2)


def test_several_organizations_need_a_choice(place: Installation) -> None:
    other = place.ask("bootstrap", "--org", "Other", "--email", "a@b.c")["organization_id"]
    assert "--org" in place.refuse("usage")
    enrolled = place.ask("enroll", "--email", "d@e.f", "--agent", "codex", "--org", "other")
    assert [k["key_id"] for k in place.ask("key", "list", "--org", other)["keys"]] == [
        enrolled["key_id"]
    ]
    assert place.ask("key", "list", "--org", "Acme")["keys"] == []


def test_enroll(place: Installation) -> None:
    answer = enroll(place)
    assert answer["key"].startswith("tg_")
    assert answer["login_code"].count("-") == 4
    assert "rotate" in place.refuse("enroll", "--email", "dev@example.com", "--agent", "codex")
    found = {m["email"]: (m["role"], m["agents"]) for m in place.ask("member", "list")["members"]}
    assert found == {"dev@example.com": ("member", ["codex"]), "owner@example.com": ("owner", [])}


def test_members_are_added_promoted_and_removed(place: Installation) -> None:
    named = ("--email", "Dev@example.com")
    assert place.ask("member", "add", *named)["role"] == "member"
    enroll(place)
    assert place.ask("member", "role", *named, "--role", "owner")["role"] == "owner"
    place.ask("member", "remove", "--email", "owner@example.com")
    [left] = place.ask("member", "list")["members"]
    assert (left["email"], left["role"], left["agents"]) == ("dev@example.com", "owner", ["codex"])
    place.ask("bootstrap", "--org", "Other", "--email", "owner@example.com")
    acme = ("--org", "Acme")
    place.ask("member", "add", "--email", "new@example.com", "--role", "owner", *acme)
    place.run("member", "remove", *named, *acme)
    assert place.ask("key", "list", *acme)["keys"] == []


def test_usage_counts_what_is_still_in_the_spool(place: Installation) -> None:
    organization_id = place.ask("organization", "update")["organization_id"]
    made = enroll(place, "claude_code")
    writer = SpoolWriter(place.data_dir / "spool", "w0")  # as a running worker's
    for number in range(3):
        writer.append(
            event(
                number,
                organization_id=organization_id,
                member_id=made["member_id"],
                key_id=made["key_id"],
                session_id="ses_1",
                client_session="abc",
            )
        )
    usage = place.ask("usage")
    assert set(usage) >= USAGE_FIELDS
    assert (usage["requests"], usage["cost_nusd"]) == (3, 360)
    assert usage["by_outcome"] == {"ok": 3}
    assert usage["by_key"][0]["key_id"] == made["key_id"]
    assert usage["by_session"][0]["client_session"] == "abc"
    assert place.ask("usage") == usage
    assert "dev@example.com claude_code" in place.run("usage").stdout
    assert place.ask("key", "list")["keys"][0]["last_used_us"] is not None
    assert usage["unmetered"] == 0
    assert "unmetered" not in place.run("usage").stdout
    writer.count_unmetered()
    writer.count_unmetered()
    assert place.ask("usage")["unmetered"] == 2
    assert "2 requests of this machine went on unmetered." in place.run("usage").stdout
    writer.close()


@pytest.mark.parametrize("stdin", [f"{API_KEY}\n", API_KEY, f"{API_KEY}\r\n"])
def test_credential_set(place: Installation, stdin: str) -> None:
    url = "https://api.anthropic.com"
    words = ("credential", "set", "--provider", "anthropic", "--base-url", url)
    made = place.ask(*words, "--api-key-stdin", stdin=stdin)
    [listed] = place.ask("credential", "list")["credentials"]
    assert (listed["credential_id"], listed["base_url"], listed["hint"]) == (
        made["credential_id"],
        url,
        "mnop",
    )
    assert API_KEY not in place.run("credential", "list").stdout
    place.run("credential", "remove", made["credential_id"])
    assert place.ask("credential", "list")["credentials"] == []


@pytest.mark.parametrize(
    ("more", "table"),
    [((), "groq"), (("--price-table", "negotiated"), "negotiated")],
)
def test_a_known_service_has_its_own_price_list(
    place: Installation, more: tuple[str, ...], table: str
) -> None:
    url = "https://api.groq.com/openai/v1"
    words = ("credential", "set", "--provider", "openai", "--base-url", url, *more)
    assert place.ask(*words, "--api-key-stdin", stdin=API_KEY)["price_table"] == table
    [listed] = place.ask("credential", "list")["credentials"]
    assert (listed["base_url"], listed["price_table"]) == (url, table)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_on_a_terminal_the_api_key_is_asked_for_and_not_shown() -> None:
    asked: list[str] = []

    def ask(prompt: str) -> str:
        asked.append(prompt)
        return API_KEY

    assert read_api_key(Terminal("shown"), ask) == API_KEY
    assert read_api_key(io.StringIO("piped\n"), ask) == "piped\n"
    assert asked == ["API key (not shown): "]


def test_a_damaged_database_is_told(place: Installation) -> None:
    for part in ("", "-wal", "-shm"):
        (place.data_dir / f"directory.db{part}").unlink(missing_ok=True)
    (place.data_dir / "directory.db").write_bytes(b"no database at all" * 400)
    assert "not a database" in place.refuse("usage")


def test_what_the_system_refuses_is_told(place: Installation) -> None:
    (place.data_dir / "master-key.check").unlink()
    (place.data_dir / "master-key.check").mkdir()
    assert place.refuse("usage").endswith("master-key.check: Is a directory.")


@pytest.mark.parametrize("stdin", ["", "\n", "two words", "x" * 9000])
def test_api_keys_that_are_refused(place: Installation, stdin: str) -> None:
    words = ("credential", "set", "--provider", "openai")
    assert "API key" in place.refuse(*words, "--api-key-stdin", stdin=stdin)
    assert "--api-key-stdin" in place.refuse(*words, stdin=API_KEY)


def test_keys_are_rotated_revealed_changed_and_deleted(place: Installation) -> None:
    made = enroll(place)
    named = ("--email", "dev@example.com", "--agent", "codex")
    assert place.ask("key", "reveal", *named)["key"] == made["key"]
    rotated = place.ask("key", "rotate", made["key_id"], "--overlap", "60")
    assert rotated["key_id"] == made["key_id"]
    assert rotated["key"] != made["key"]
    assert place.ask("key", "reveal", made["key_id"])["key"] == rotated["key"]
    words = ("credential", "set", "--provider", "openai", "--api-key-stdin")
    credential_id = place.ask(*words, stdin=API_KEY)["credential_id"]
    changed = place.ask(
        "key", "update", *named, "--disable", "--credential", "own", "--allow-model", "gpt-*",
        "--allow-model", "o3", "--provider-credential", credential_id,
    )  # fmt: skip
    assert changed == {
        "key_id": made["key_id"],
        "disabled": True,
        "credential_mode": "own",
        "allowed_models": ["gpt-*", "o3"],
        "credential_ids": {"openai": credential_id},
    }
    back = place.ask("key", "update", *named, "--enable", "--provider-credential", "default")
    assert (back["disabled"], back["credential_ids"]) == (False, {})
    assert "crd_none" in place.refuse("key", "update", *named, "--provider-credential", "crd_none")
    place.run("key", "unenroll", made["key_id"])
    assert place.ask("key", "list")["keys"] == []


def test_organization_update(place: Installation) -> None:
    changed = place.ask(
        "organization", "update", "--time-zone", "Asia/Kathmandu", "--forbid-own",
        "--allow-model", "claude-*", "--name", "Acme Ltd",
    )  # fmt: skip
    assert changed["name"] == "Acme Ltd"
    assert changed["time_zone"] == "Asia/Kathmandu"
    assert changed["allow_own_credential"] is False
    assert changed["allowed_models"] == ["claude-*"]
    assert place.ask("organization", "update", "--allow-own")["allow_own_credential"] is True
    assert changed["self_enrolment"] is False
    assert place.ask("organization", "update", "--self-enrolment")["self_enrolment"] is True
    assert changed["session_tools"] is True
    assert place.ask("organization", "update", "--no-session-tools")["session_tools"] is False


def test_before_there_is_an_organization_the_link_is_for_set_up(tmp_path: Path) -> None:
    place = Installation(tmp_path)
    place.refuse("bootstrap", "--org", "", "--email", "a@b.c")  # leaves an empty installation
    assert place.ask("sign-in-link")["setup_url"].startswith("http://127.0.0.1:4180/setup/")
    assert "bootstrap" in place.refuse("usage")


def test_another_master_key_is_refused(place: Installation) -> None:
    (place.path / "key").write_text("00" * 32)
    assert "master key" in place.refuse("usage").lower()
