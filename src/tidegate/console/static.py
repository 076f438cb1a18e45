"""The console's own files, held in memory under one versioned path.

The version is a hash over all files: a new release is a new path, so browsers may keep what they
have for ever, and a style sheet finds its fonts by relative URL.
"""

import gzip
import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

_ROOT: Final = Path(__file__).resolve().parent / "assets"
_TYPES: Final = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".woff2": "font/woff2",
}
_COMPRESSED: Final = frozenset({".css", ".js", ".svg"})
_FOR_EVER: Final = "public, max-age=31536000, immutable"


@dataclass(frozen=True, slots=True)
class _Asset:
    media_type: str
    content: bytes
    gzipped: bytes | None


class Assets:
    def __init__(self, root: Path = _ROOT) -> None:
        paths = sorted(path for path in root.rglob("*") if path.suffix in _TYPES)
        self._assets = {path.relative_to(root).as_posix(): _read(path) for path in paths}
        digest = hashlib.sha256()
        for name, asset in self._assets.items():
            digest.update(f"{name} {len(asset.content)} ".encode() + asset.content)
        self.version = digest.hexdigest()[:12]

    def url(self, name: str) -> str:
        """The path a page names an asset by; a misspelt name fails at once."""
        if name not in self._assets:
            raise LookupError(f"there is no asset {name}")
        return f"/assets/{self.version}/{name}"

    async def serve(self, request: Request) -> Response:
        asset = self._assets.get(request.path_params["name"])
        if asset is None or request.path_params["version"] != self.version:
            raise HTTPException(404)
        headers = {"cache-control": _FOR_EVER, "vary": "accept-encoding"}
        content = asset.content
        if asset.gzipped is not None and "gzip" in request.headers.get("accept-encoding", ""):
            content, headers["content-encoding"] = asset.gzipped, "gzip"
        return Response(content, media_type=asset.media_type, headers=headers)


def _read(path: Path) -> _Asset:
    content = path.read_bytes()
    packed = gzip.compress(content, 9, mtime=0) if path.suffix in _COMPRESSED else None
    return _Asset(_TYPES[path.suffix], content, packed)
