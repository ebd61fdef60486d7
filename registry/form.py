"""The pieces of which documents are made that are sent to the registry: what each may hold, and how long it may be."""

import base64
import binascii
import re
from datetime import UTC, datetime
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints

from common.fields.reading_time import read_time
from registry.ids import Id
from registry.schema import NAME_CHARACTERS, TEXT_CHARACTERS, URL_CHARACTERS

PARSER_BYTES = 65_536
"""Largest payload parser, decoded."""

MOST_TAGS = 100
MOST_NETWORKS = 100
MOST_PARAMETERS = 100
MOST_OPTIONS = 200

_ANY_TIME = datetime.max.replace(tzinfo=UTC)

_LINK = re.compile(r"(https?://[^\s/]|/file/)\S*")


class Form(BaseModel):
    """A document that is sent. A field that it does not have is refused, for nothing said is dropped."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    @property
    def given(self) -> dict[str, Any]:
        """The fields that were sent, as plain values. What is null inside of them is left out."""
        return {name: _write_plain(getattr(self, name)) for name in self.model_fields_set}


def _write_plain(value: Any) -> Any:
    if isinstance(value, list):
        return [_write_plain(member) for member in value]
    return value.model_dump(exclude_none=True) if isinstance(value, Form) else value


def _refuse_nul(text: str) -> str:
    if "\0" in text:
        raise ValueError("a NUL character cannot be stored")
    return text


def _check_link(text: str) -> str:
    if not _LINK.fullmatch(text):
        raise ValueError("must begin with http:// or https://, or with /file/ for an uploaded file")
    return text


def _check_parser(text: str) -> str:
    try:
        source = base64.b64decode(text, validate=True)
        source.decode()
    except (binascii.Error, ValueError):
        raise ValueError("must be the parser's source, in UTF-8 and then in base64") from None
    if len(source) > PARSER_BYTES:
        raise ValueError(f"the parser has {len(source):,} bytes; at most {PARSER_BYTES:,} are taken")
    return text


def _read_expiry(value: Any) -> datetime | None:
    """Read ``never``, which is None, or a time."""
    if value is None or value == "never":
        return None
    moment = read_time(value, _ANY_TIME)
    if moment is None:
        raise ValueError("must be 'never', or an ISO 8601 time")
    return moment


Name: TypeAlias = Annotated[
    str,
    StringConstraints(min_length=1, max_length=NAME_CHARACTERS, strip_whitespace=True),
    AfterValidator(_refuse_nul),
]
"""What people call a thing; need not be unique."""

Text: TypeAlias = Annotated[str, StringConstraints(max_length=TEXT_CHARACTERS), AfterValidator(_refuse_nul)]
"""What people are told about a thing."""

Link: TypeAlias = Annotated[
    str, StringConstraints(max_length=URL_CHARACTERS), AfterValidator(_refuse_nul), AfterValidator(_check_link)
]
"""A page or an image: anywhere on the web, or uploaded."""

Parser: TypeAlias = Annotated[str, AfterValidator(_check_parser)]
"""A payload parser's source in base64, as TagoIO's clients send it."""

Expiry: TypeAlias = Annotated[datetime | None, BeforeValidator(_read_expiry)]
"""When a token ends; None: never."""

Permission: TypeAlias = Literal["full", "write", "read"]
"""What a device's token may be used for."""


class Tag(Form):
    """A tag of a device."""

    key: Name
    value: Text


Tags: TypeAlias = Annotated[list[Tag], Field(max_length=MOST_TAGS)]


class Param(Form):
    """A configuration param of a device, which its parsers see; or what is to change of the one with this id or key."""

    key: Name = ""
    value: Text = ""
    sent: bool = False
    id: Id | None = None


Params: TypeAlias = Annotated[list[Param], Field(max_length=MOST_PARAMETERS)]
