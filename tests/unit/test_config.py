"""Settings: where they come from, what wins, what is refused and how."""

import dataclasses
import sys
from pathlib import Path

import pytest
from tools import settings_docs

from tidegate import config
from tidegate.config import SETTINGS, ConfigError, Settings, admin_command, load
from tidegate.settings_text import Address

HOME = {"HOME": "/home/ada"}


def refusal(flags: dict[str, str], environ: dict[str, str] | None = None) -> str:
    with pytest.raises(ConfigError) as caught:
        load(flags, HOME | (environ or {}))
    return str(caught.value)


def test_defaults() -> None:
    settings = load({}, HOME)
    assert settings.listen == (Address("127.0.0.1", 4180),)
    assert settings.data_dir == Path("/home/ada/.local/share/tidegate")
    assert settings.master_key_file == Path("/home/ada/.config/tidegate/master.key")
    assert 1 <= settings.workers <= 4
    assert settings.drain_timeout_s == 300
    assert settings.head_limit_bytes == 64 * 1024
    assert settings.body_limit_bytes == 32 * 1024 * 1024
    assert settings.tls_cert is None
    assert settings.database_url == ""
    assert settings.allow_upstreams == ()


def test_xdg_directories() -> None:
    settings = load({}, HOME | {"XDG_DATA_HOME": "/d", "XDG_CONFIG_HOME": "/c"})
    assert settings.data_dir == Path("/d/tidegate")
    assert settings.master_key_file == Path("/c/tidegate/master.key")


def test_flag_wins_over_variable_over_file_over_default(tmp_path: Path) -> None:
    file = tmp_path / "tidegate.toml"
    file.write_text('workers = 7\ndrain-timeout = "2m"\nbody-limit = 1024\n')
    environ = HOME | {"TIDEGATE_CONFIG": str(file), "TIDEGATE_WORKERS": "5"}
    assert load({"workers": "3"}, environ).workers == 3
    assert load({}, environ).workers == 5
    from_file = load({"config": str(file)}, HOME)
    assert from_file.workers == 7
    assert from_file.drain_timeout_s == 120
    assert from_file.body_limit_bytes == 1024


def test_an_empty_variable_counts_as_not_given() -> None:
    assert load({}, HOME | {"TIDEGATE_PUBLIC_URL": "", "TIDEGATE_LISTEN": ""}) == load({}, HOME)


def test_lists_by_repetition_comma_and_array(tmp_path: Path) -> None:
    file = tmp_path / "tidegate.toml"
    file.write_text('allow-upstreams = ["A.example:1", "[::1]:2"]\n')
    assert load({"config": str(file)}, HOME).allow_upstreams == ("a.example:1", "[::1]:2")
    environ = HOME | {"TIDEGATE_ALLOW_UPSTREAMS": "10.0.0.1:*, b.example:443,"}
    assert load({}, environ).allow_upstreams == ("10.0.0.1:*", "b.example:443")
    flags = {"listen": ["127.0.0.1:0", "[::]:80,localhost:9"]}
    addresses = load(flags, HOME).listen
    assert addresses == (Address("127.0.0.1", 0), Address("::", 80), Address("localhost", 9))


def test_proxies_have_their_standard_names_small_letters_first() -> None:
    environ = HOME | {"HTTPS_PROXY": "http://big:1", "https_proxy": "small:2", "NO_PROXY": "x,y"}
    settings = load({}, environ)
    assert settings.https_proxy == "http://small:2"
    assert settings.no_proxy == "x,y"


@pytest.mark.parametrize(
    ("flags", "environ", "names", "says"),
    [
        ({"workers": "many"}, {}, "--workers 'many'", "whole number from 1 to 64"),
        ({"workers": "0"}, {}, "--workers '0'", "whole number from 1 to 64"),
        ({"workers": "²"}, {}, "--workers '²'", "whole number from 1 to 64"),
        ({}, {"TIDEGATE_WORKERS": "-1"}, "TIDEGATE_WORKERS '-1'", "whole number"),
        ({"listen": "4180"}, {}, "--listen '4180'", "HOST:PORT"),
        ({"listen": "example.com:80"}, {}, "--listen", "IP address or localhost"),
        ({"listen": "::1:80"}, {}, "--listen", "[::1]:4180"),
        ({"listen": "127.0.0.1:65536"}, {}, "--listen", "from 0 to 65535"),
        ({"public_url": "tidegate.example"}, {}, "--public-url", "https://"),
        ({"public_url": "https://x/path"}, {}, "--public-url", "without a path"),
        ({"public_url": "https://u:p@x"}, {}, "--public-url", "without a path"),
        ({"public_url": "https://x:99999"}, {}, "--public-url", "without a path"),
        ({"trusted_proxies": "10.0.0.0/40"}, {}, "--trusted-proxies", "network"),
        ({"allow_upstreams": "host"}, {}, "--allow-upstream 'host'", "HOST:PORT"),
        ({"allow_upstreams": "host:0"}, {}, "--allow-upstream", "1 to 65535"),
        ({"drain_timeout_s": "soon"}, {}, "--drain-timeout", "30s or 5m"),
        ({"drain_timeout_s": "-5"}, {}, "--drain-timeout", "30s or 5m"),
        ({"idle_timeout_s": "0"}, {}, "--idle-timeout", "not zero"),
        ({"body_limit_bytes": "0"}, {}, "--body-limit", "32MB"),
        ({"body_limit_bytes": "32MBMB"}, {}, "--body-limit", "32MB"),
        ({"log_level": "loud"}, {}, "--log-level", "debug, info, warning, error"),
        ({"tls_cert": "/c.pem"}, {}, "--tls-cert", "--tls-key"),
        ({}, {"HTTPS_PROXY": "socks5://user:pw@h:1"}, "HTTPS_PROXY", "http://proxy"),
        ({"database_url": "mysql://u:pw@h/d"}, {}, "--database-url", "postgresql+psycopg"),
        ({"database_url": "postgresql://u:pw@x@h/d"}, {}, "--database-url", "percent-encoded"),
        ({"database_url": "postgresql://u:1/pw@h/d"}, {}, "--database-url", "percent-encoded"),
        ({"database_url": "postgresql://u:1?pw@h/d"}, {}, "--database-url", "percent-encoded"),
        ({"database_url": "postgresql://u:#pw@h/d"}, {}, "--database-url", "percent-encoded"),
    ],
)
def test_refusals_name_source_and_remedy(
    flags: dict[str, str], environ: dict[str, str], names: str, says: str
) -> None:
    message = refusal(flags, environ)
    assert names in message
    assert says in message
    assert "pw" not in message


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("worker = 2", "unknown key 'worker'"),
        ("master-key = 'x'", "unknown key 'master-key'"),
        ("workers = true", "workers in the file 'True'"),
        ("workers = [1, 2]", "one value is expected"),
        ("workers =", "is not TOML"),
        ("[tls]\ncert = 'x'", "unknown key 'tls'"),
    ],
)
def test_refusals_of_a_file(tmp_path: Path, content: str, says: str) -> None:
    file = tmp_path / "tidegate.toml"
    file.write_text(content)
    assert says in refusal({"config": str(file)})


def test_a_file_that_is_missing_is_refused() -> None:
    assert (
        refusal({"config": "/nowhere.toml"}) == "--config /nowhere.toml: No such file or directory."
    )


@pytest.mark.parametrize(
    ("listen", "public_url", "is_refused"),
    [
        ("127.0.0.1:1", "", False),
        ("127.9.9.9:1,[::1]:1,localhost:1", "", False),
        ("0.0.0.0:1", "", True),
        ("127.0.0.1:1,10.0.0.1:1", "", True),
        ("[::]:1", "https://tidegate.example", False),
    ],
)
def test_public_url_is_required_beyond_loopback(
    listen: str, public_url: str, is_refused: bool
) -> None:
    settings = load({"listen": listen, "public_url": public_url}, HOME)
    if is_refused:
        with pytest.raises(ConfigError, match="--public-url https://"):
            config.require_public_url(settings)
    else:
        config.require_public_url(settings)


@pytest.mark.parametrize(
    ("text", "origin"),
    [
        ("https://Gate.Example:8443/", "https://gate.example:8443"),
        ("https://gate.example:", "https://gate.example"),
        ("http://[::1]:80", "http://[::1]:80"),
    ],
)
def test_public_url_is_an_origin(text: str, origin: str) -> None:
    assert load({"public_url": text}, HOME).public_url == origin


@pytest.mark.parametrize(
    "text", ["https://x/team", "https://u@x", "https://$(id)", "https://x;y", "https://ü.example"]
)
def test_public_url_is_nothing_else(text: str) -> None:
    assert "without a path, with a non-Latin host name in its xn-- form" in refusal(
        {"public_url": text}
    )


@pytest.mark.parametrize(
    ("text", "seconds"), [("300", 300), ("250ms", 0.25), ("1.5h", 5400), ("5m", 300), ("0", 0)]
)
def test_durations(text: str, seconds: float) -> None:
    assert load({"drain_timeout_s": text}, HOME).drain_timeout_s == seconds


@pytest.mark.parametrize(
    ("text", "size_bytes"), [("1", 1), ("64KB", 65536), ("64k", 65536), ("2GB", 2 << 30)]
)
def test_sizes(text: str, size_bytes: int) -> None:
    assert load({"body_limit_bytes": text}, HOME).body_limit_bytes == size_bytes


def test_secrets_stay_out_of_the_representation() -> None:
    settings = load(
        {"database_url": "postgresql://u:hidden@h/d"},
        HOME | {"TIDEGATE_MASTER_KEY": "hidden", "HTTPS_PROXY": "http://u:hidden@h:1"},
    )
    assert "hidden" not in repr(settings)
    assert settings.database_url == "postgresql+psycopg://u:hidden@h/d"


def test_the_admin_command_leads_to_this_installation(tmp_path: Path) -> None:
    own = Path(sys.executable).with_name("tidegate")
    usual = {"HOME": "/home/ada", "PATH": str(own.parent)}
    assert admin_command(load({}, usual), usual) == ["tidegate", "admin"]
    assert admin_command(load({}, usual), usual | {"PATH": ""}) == [str(own), "admin"]
    (tmp_path / "tidegate").write_text("#!/bin/sh\n")
    (tmp_path / "tidegate").chmod(0o755)
    another = usual | {"PATH": f"{tmp_path}:{own.parent}"}  # another program of that name
    assert admin_command(load({}, another), another) == [str(own), "admin"]
    flags = {"data_dir": "/srv/data", "master_key_file": "/srv/key"}
    moved = ["--data-dir", "/srv/data", "--master-key-file", "/srv/key"]
    assert admin_command(load(flags, usual), usual)[2:] == moved
    with_key = usual | {"TIDEGATE_MASTER_KEY": "00" * 32}
    assert admin_command(load(flags, with_key), usual)[2:] == moved[:2]


def test_children_see_no_setting() -> None:
    environ = {"PATH": "/bin", "LC_ALL": "C", "TIDEGATE_MASTER_KEY": "k", "HTTPS_PROXY": "p"}
    assert config.child_environment(environ) == {"PATH": "/bin", "LC_ALL": "C"}


def test_the_table_and_the_settings_are_the_same() -> None:
    fields = [field.name for field in dataclasses.fields(Settings)]
    assert sorted(setting.name for setting in SETTINGS) == sorted(fields)
    for unique in ("option", "environment_variable", "toml_key"):
        given = [value for s in SETTINGS if (value := getattr(s, unique)) is not None]
        assert len(given) == len(set(given))


def test_the_settings_page_is_up_to_date() -> None:
    assert settings_docs.TARGET.read_text() == settings_docs.render(), "run tools/settings_docs.py"
