"""What the server offers for installation: its own wheel, and short scripts that install it.

The wheel is packed from the files of the running package, so server and command line always match.
It holds no time stamp of its own: the same files give the same bytes.
"""

import base64
import csv
import hashlib
import io
import shlex
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.metadata import Distribution, distribution
from pathlib import Path
from typing import Final

PACKAGE: Final = "tidegate"
_ROOT: Final = Path(__file__).resolve().parent.parent
_SCRIPTS: Final = Path(__file__).resolve().parent / "scripts"
_EPOCH: Final = (1980, 1, 1, 0, 0, 0)  # the earliest time a zip can hold
_WHEEL: Final = (
    "Wheel-Version: 1.0\nGenerator: tidegate\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
)


@dataclass(frozen=True, slots=True)
class Wheel:
    filename: str
    content: bytes

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.content).hexdigest()


@cache
def own_wheel() -> Wheel:
    """The wheel of the running package, packed once per process."""
    return pack(distribution(PACKAGE), _ROOT)


def pack(dist: Distribution, root: Path) -> Wheel:
    """Pack `root` (the package's folder, installed or editable) with the metadata of `dist`."""
    stem = f"{PACKAGE}-{dist.version}"
    members = sorted(_package_files(root)) + sorted(_dist_info(dist, f"{stem}.dist-info"))
    members.append((f"{stem}.dist-info/RECORD", _record(members, f"{stem}.dist-info/RECORD")))
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members:
            entry = zipfile.ZipInfo(name, _EPOCH)
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, content, zipfile.ZIP_DEFLATED)
    return Wheel(f"{stem}-py3-none-any.whl", buffer.getvalue())


def shell_script(public_url: str, wheel: Wheel) -> str:
    """The POSIX installer; every value is quoted for the shell."""
    return _filled("install.sh", shlex.quote(public_url), shlex.quote(wheel_url(public_url, wheel)))


def powershell_script(public_url: str, wheel: Wheel) -> str:
    """The Windows installer; every value is quoted for PowerShell."""
    quoted = [
        "'" + value.replace("'", "''") + "'" for value in (public_url, wheel_url(public_url, wheel))
    ]
    return _filled("install.ps1", *quoted)


def wheel_url(public_url: str, wheel: Wheel) -> str:
    """Where the wheel is served; the checksum makes installers notice another build or damage."""
    return f"{public_url}/install/{wheel.filename}#sha256={wheel.sha256}"


def _filled(name: str, public_url: str, url: str) -> str:
    text = (_SCRIPTS / name).read_text(encoding="utf-8")
    return text.replace("@PUBLIC_URL@", public_url, 1).replace("@WHEEL_URL@", url, 1)


def _package_files(root: Path) -> Iterator[tuple[str, bytes]]:
    for path in root.rglob("*"):
        relative = path.relative_to(root)
        hidden = any(part.startswith(".") or part == "__pycache__" for part in relative.parts)
        if path.is_file() and not hidden and path.suffix != ".pyc":
            yield f"{PACKAGE}/{relative.as_posix()}", path.read_bytes()


def _dist_info(dist: Distribution, folder: str) -> Iterator[tuple[str, bytes]]:
    yield f"{folder}/WHEEL", _WHEEL.encode()
    for name in ("METADATA", "entry_points.txt"):
        yield f"{folder}/{name}", (dist.read_text(name) or "").encode()
    for name in dist.metadata.get_all("License-File") or []:
        yield f"{folder}/licenses/{name}", (dist.read_text(f"licenses/{name}") or "").encode()


def _record(members: list[tuple[str, bytes]], own_name: str) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    for name, content in members:
        digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
        writer.writerow([name, f"sha256={digest}", len(content)])
    writer.writerow([own_name, "", ""])
    return text.getvalue().encode()
