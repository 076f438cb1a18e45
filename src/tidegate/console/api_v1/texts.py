"""Texts as callers send them: bounded here, so that the description says what is taken."""

from typing import Annotated

import msgspec

Name = Annotated[str, msgspec.Meta(min_length=1, max_length=100)]
PersonName = Annotated[
    str, msgspec.Meta(max_length=100, description="Empty: the email address is shown.")
]
Email = Annotated[str, msgspec.Meta(min_length=3, max_length=254, examples=["elena@example.com"])]
ModelPattern = Annotated[str, msgspec.Meta(min_length=1, max_length=100, examples=["claude-*"])]
ModelPatterns = Annotated[
    list[ModelPattern],
    msgspec.Meta(max_length=100, description="Patterns of allowed models; none: every model."),
]
Text = Annotated[str, msgspec.Meta(max_length=500)]
Id = Annotated[str, msgspec.Meta(pattern="^[A-Za-z0-9_]{1,100}$")]
