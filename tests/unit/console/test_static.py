"""The console's own files: versioned, kept for ever, nothing from elsewhere."""

import re
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from tidegate.console import static
from tidegate.console.static import Assets

ROOT = Path(static.__file__).parent / "assets"


def test_assets_are_kept_for_ever_under_their_version(client: TestClient) -> None:
    response = client.get(Assets().url("app.css"))
    assert response.status_code == 200
    assert response.headers["content-type"] == "text/css; charset=utf-8"
    assert response.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert response.headers["content-encoding"] == "gzip"
    assert response.content == (ROOT / "app.css").read_bytes()
    plain = client.get(Assets().url("app.css"), headers={"accept-encoding": "identity"})
    assert "content-encoding" not in plain.headers
    assert plain.content == response.content


def test_another_version_is_another_path(client: TestClient, tmp_path: Path) -> None:
    (tmp_path / "app.css").write_text("a{}")
    before = Assets(tmp_path).version
    (tmp_path / "app.css").write_text("b{}")
    assert Assets(tmp_path).version != before
    assert client.get("/assets/000000000000/app.css").status_code == 404


@pytest.mark.parametrize(
    "name", ["nothing.css", "../app.py", "vendor/README.md", "..%2fapp.py", ""]
)
def test_nothing_else_is_served(client: TestClient, name: str) -> None:
    assert client.get(f"/assets/{Assets().version}/{name}").status_code == 404


def test_a_misspelt_asset_fails_at_once() -> None:
    with pytest.raises(LookupError):
        Assets().url("ap.css")


@pytest.mark.parametrize("name", ["app.css", "tokens.css"])
def test_style_sheets_name_only_files_that_exist(name: str) -> None:
    for target in re.findall(r"url\(\"?([^\")]+)", (ROOT / name).read_text()):
        assert (ROOT / target).is_file(), target


def test_templates_use_only_icons_of_the_sprite() -> None:
    icons = set(re.findall(r'<symbol id="([^"]+)"', (ROOT / "vendor/icons.svg").read_text()))
    templates = (Path(static.__file__).parent / "templates").glob("*.html")
    used = {
        name for t in templates for name in re.findall(r"icon\('([a-z0-9-]+)'\)", t.read_text())
    }
    assert used
    assert used <= icons


def test_every_vendored_package_has_its_licence() -> None:
    licences = {path.stem for path in (ROOT / "vendor/licenses").iterdir()}
    assert licences == {"basecoat-css", "geist", "geist-mono", "htmx", "lucide"}
