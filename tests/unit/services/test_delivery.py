"""The wheel that the server offers of itself, and the quoting of its scripts."""

import base64
import csv
import hashlib
import io
import shutil
import subprocess
import sys
import zipfile
from importlib.metadata import distribution
from pathlib import Path

import pytest

from tidegate.services import delivery
from tidegate.services.delivery import Wheel, own_wheel, pack, powershell_script, shell_script

DIST = distribution("tidegate")
INFO = f"tidegate-{DIST.version}.dist-info"
HOSTILE = ["https://a.example/'; touch x; '", 'https://a.example/"$(touch x)`touch x`', "$a'b\"c"]


@pytest.fixture(scope="module")
def archive() -> zipfile.ZipFile:
    return zipfile.ZipFile(io.BytesIO(own_wheel().content))


def test_record_accounts_for_every_file(archive: zipfile.ZipFile) -> None:
    record = f"{INFO}/RECORD"
    rows = list(csv.reader(io.StringIO(archive.read(record).decode())))
    assert [row[0] for row in rows] == archive.namelist()
    assert rows[-1] == [record, "", ""]
    for name, digest, size in rows[:-1]:
        content = archive.read(name)
        expected = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).decode().rstrip("=")
        assert (digest, size) == (f"sha256={expected}", str(len(content)))


def test_it_holds_the_package_and_nothing_else(archive: zipfile.ZipFile) -> None:
    names = set(archive.namelist())
    assert {
        "tidegate/cli/main.py",
        "tidegate/console/templates/base.html",
        "tidegate/console/assets/vendor/licenses/geist.txt",
        "tidegate/services/scripts/install.sh",
        f"{INFO}/METADATA",
        f"{INFO}/WHEEL",
        f"{INFO}/entry_points.txt",
        f"{INFO}/licenses/LICENSE",
    } <= names
    assert not [name for name in names if "__pycache__" in name or name.endswith(".pyc")]
    assert {name.split("/")[0] for name in names} == {"tidegate", INFO}
    assert archive.read("tidegate/services/delivery.py") == Path(delivery.__file__).read_bytes()
    assert b"tidegate = tidegate.cli.main:main" in archive.read(f"{INFO}/entry_points.txt")


def test_same_files_same_bytes(tmp_path: Path) -> None:
    root = tmp_path / "tidegate"
    (root / "__pycache__").mkdir(parents=True)
    (root / "__init__.py").write_text("")
    first = pack(DIST, root)
    (root / "__pycache__" / "x.pyc").write_text("noise")
    (root / ".hidden").write_text("noise")
    assert pack(DIST, root) == first
    with zipfile.ZipFile(io.BytesIO(first.content)) as archive:
        assert {entry.date_time for entry in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
    (root / "__init__.py").write_text("changed = True\n")
    assert pack(DIST, root).sha256 != first.sha256


def test_an_installer_takes_it(tmp_path: Path) -> None:
    wheel = own_wheel()
    (tmp_path / wheel.filename).write_bytes(wheel.content)
    target = tmp_path / "target"
    uv = shutil.which("uv") or str(Path(__file__).parents[3] / ".tools/uv/bin/uv")
    options = ["--offline", "--no-deps", "--python", sys.executable, "--target", str(target)]
    subprocess.run(
        [uv, "pip", "install", "--quiet", *options, str(tmp_path / wheel.filename)],
        check=True,
        timeout=60,
        env={"UV_CACHE_DIR": str(tmp_path / "cache"), "HOME": str(tmp_path)},
    )
    shown = subprocess.run(
        [
            sys.executable,
            "-I",
            "-c",
            f"import sys; sys.path.insert(0, {str(target)!r});"
            "import tidegate.cli, importlib.metadata as m; print(tidegate.__file__);"
            "print(m.version('tidegate'))",
        ],
        check=True,
        timeout=60,
        capture_output=True,
        text=True,
    ).stdout.split()
    assert shown == [str(target / "tidegate/__init__.py"), DIST.version]


@pytest.mark.parametrize("url", HOSTILE)
def test_the_shell_script_quotes_its_values(url: str, tmp_path: Path) -> None:
    script = shell_script(url, Wheel("w.whl", b""))
    head = script[: script.index("fail()")] + 'printf "%s\\n%s\\n" "$public_url" "$wheel_url"\n'
    done = subprocess.run(
        ["/bin/sh"],
        input=head,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
        timeout=20,
    )
    shown, wheel = done.stdout.splitlines()
    assert shown == url
    assert wheel.startswith(f"{url}/install/w.whl#sha256=")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("url", HOSTILE)
def test_the_powershell_script_quotes_its_values(url: str) -> None:
    script = powershell_script(url, Wheel("w.whl", b""))
    line = next(line for line in script.splitlines() if line.startswith("$PublicUrl = "))
    literal = line.removeprefix("$PublicUrl = ")
    assert literal[0] == literal[-1] == "'"
    assert literal[1:-1].replace("''", "").count("'") == 0
    assert literal[1:-1].replace("''", "'") == url
