"""`tidegate demo` as a process: it serves, signs its visitor in, and leaves nothing behind."""

import re
import signal
from pathlib import Path

import httpx
import pytest
from tests.wire.demonstration import RunningDemo, start_demo
from tests.wire.serving import isolated_environment, run_tidegate

pytestmark = pytest.mark.wire


def sign_in(client: httpx.Client, demo: RunningDemo) -> None:
    """Follow the printed link, and press its button."""
    page = client.get(demo.link)
    token = re.search(r'name="csrf" value="([^"]+)"', page.text)
    assert token is not None
    fields, headers = {"csrf": token[1]}, {"origin": demo.base_url}
    client.post(demo.link, data=fields, headers=headers).raise_for_status()


def test_a_visitor_sees_the_team_and_nothing_is_left_afterwards(tmp_path: Path) -> None:
    with start_demo(tmp_path) as demo:
        with httpx.Client(base_url=demo.base_url, follow_redirects=True) as client:
            sign_in(client, demo)
            page = client.get("/?range=30d").raise_for_status().text
        assert "Brightwater" in page
        for name in ("Aiko Tanaka", "Ben Carter", "rana.haddad@brightwater.example"):
            assert name in page
        assert len(list(demo.data_dir.iterdir())) == 1
        assert demo.stop() == 0
        assert list(demo.data_dir.iterdir()) == []
        assert demo.runtime_dirs == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_it_cleans_up_when_it_is_told_to_end_while_it_starts(
    tmp_path: Path, number: signal.Signals
) -> None:
    with start_demo(tmp_path, wait=False) as demo:
        demo.wait_until_filling()
        demo.signal(number)
        assert demo.process.wait(30) != 0
        assert list(demo.data_dir.iterdir()) == []
        assert "Traceback" not in demo.logs()


def test_what_a_killed_demo_left_is_removed_by_the_next(tmp_path: Path) -> None:
    with start_demo(tmp_path) as killed:
        killed.kill()
        assert len(list(killed.data_dir.iterdir())) == 1
        with start_demo(tmp_path) as demo:
            assert len(list(demo.data_dir.iterdir())) == 1
            assert demo.stop() == 0
        assert list(demo.data_dir.iterdir()) == []


def test_a_directory_in_use_is_refused_and_left_alone(tmp_path: Path) -> None:
    place = tmp_path / "precious"
    place.mkdir()
    (place / "letter").write_text("Dear Maya")
    env = isolated_environment(tmp_path / "home")
    done = run_tidegate(["demo", "--port", "0", "--data-dir", str(place)], env=env)
    assert done.returncode == 1
    assert "is in use" in done.stderr
    assert (place / "letter").read_text() == "Dear Maya"


def test_nothing_of_an_installed_server_counts(tmp_path: Path) -> None:
    elsewhere = tmp_path / "installed"
    env = {"TIDEGATE_DATA_DIR": str(elsewhere), "TIDEGATE_LISTEN": "127.0.0.1:1"}
    place = tmp_path / "place"
    with start_demo(tmp_path, "--data-dir", str(place), env=env) as demo:
        assert (place / "data/usage.db").exists()
        assert demo.stop() == 0
    assert not elsewhere.exists()
    assert not place.exists()


def test_other_machines_need_to_know_its_url(tmp_path: Path) -> None:
    env = isolated_environment(tmp_path / "home")
    done = run_tidegate(["demo", "--port", "0", "--host", "0.0.0.0"], env=env)
    assert done.returncode == 1
    assert "--public-url is required" in done.stderr
