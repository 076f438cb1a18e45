"""Text columns that take whatever a request holds: an odd id is not found, nothing fails."""

from typing import Any

import sqlalchemy as sa


class StoredText(sa.types.TypeDecorator[str]):
    """Text without what PostgreSQL refuses (NUL) and no database can encode (half a surrogate)."""

    impl: Any = sa.Text
    cache_ok = True

    def process_bind_param(self, value: str | None, _dialect: Any) -> str | None:
        if value is None or (value.isascii() and "\0" not in value):
            return value
        encoded = value.replace("\0", "\N{REPLACEMENT CHARACTER}").encode("utf-8", "replace")
        return encoded.decode()


class StoredId(StoredText):
    """The same for an id or a hash."""

    impl = sa.String
    cache_ok = True

    def __init__(self, length: int = 64) -> None:
        super().__init__(length)
