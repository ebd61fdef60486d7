"""The tables of ``sluice.toml`` as they must be, and what is said of them when they are not (docs/wire-format.md)."""

import re
from collections.abc import Mapping
from difflib import get_close_matches
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    PlainValidator,
    SecretStr,
    ValidationError,
)
from pydantic_core import ErrorDetails

from common.directory.problems import KeyPath, Problems
from common.fields.field_map import FieldMap, parse_field_map
from common.serial import check_format

_VISIBLE_ASCII = re.compile(r"[!-~]+")


def _check_token(token: SecretStr) -> SecretStr:
    if not token.get_secret_value():
        raise ValueError("is empty; give the token, or set the environment variable that it refers to")
    if not _VISIBLE_ASCII.fullmatch(token.get_secret_value()):
        raise ValueError(
            "holds a space, a line break or a character outside ASCII, which no HTTP header carries; take it out"
        )
    return token


def check_url(url: str) -> str:
    """Give the URL without trailing slashes. Raises ValueError, which never repeats it, where nothing can be posted."""
    if not url.lower().startswith(("http://", "https://")):
        raise ValueError("must begin with http:// or https://")
    try:
        parts = urlsplit(url)
        usable = bool(parts.hostname) and parts.port != 0 and _VISIBLE_ASCII.fullmatch(url)
    except ValueError:
        usable = False
    if not usable:
        raise ValueError("is no URL; write it as in https://api.us-e1.tago.io")
    if "@" in parts.netloc or parts.query or parts.fragment:
        raise ValueError("must be scheme, host and path only; take out the user name, password, query or fragment")
    return url.rstrip("/")


def _parse_field_map(text: object) -> FieldMap:
    if not isinstance(text, str):
        raise ValueError("must be text in quotes")  # noqa: TRY004 -- pydantic reports a ValueError, not a TypeError
    return parse_field_map(text)


Token = Annotated[SecretStr, AfterValidator(_check_token)]
Url = Annotated[str, AfterValidator(check_url)]
SerialFormat = Annotated[str, AfterValidator(check_format)]
AdditionalParameters = Annotated[FieldMap, PlainValidator(_parse_field_map)]
PerMinute = Annotated[int, Field(ge=0)]


class Table(BaseModel):
    """Strict: TOML has types, and a number in quotes or an unknown field is a mistake to be told, not to be guessed."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, hide_input_in_errors=True)


class DownstreamTable(Table):
    """``[downstream]``."""

    url: Url
    posts_per_minute: PerMinute = 0


class SerialTable(Table):
    """``serial`` of a network."""

    format: SerialFormat | None = None
    force_case: Literal["upper", "lower"] | None = None


class NetworkTable(Table):
    """``[networks.NAME]``."""

    token: Token
    serial: SerialTable = SerialTable()
    share_posts: bool = True


class AuthorizationTable(Table):
    """``[authorizations.NAME]``."""

    token: Token
    network: str
    additional_parameters: AdditionalParameters = FieldMap()
    profile: Annotated[str, Field(min_length=1)] = "default"
    requests_per_minute: PerMinute = 0
    enabled: bool = True
    expires_at: AwareDatetime | None = None


class DirectoryTables(Table):
    """The whole document.

    Both groups must be there: without a key nobody can send, and a file that an editor has just emptied to write it
    anew must not pass for a directory without keys.
    """

    downstream: DownstreamTable
    networks: Annotated[dict[str, NetworkTable], Field(min_length=1)]
    authorizations: Annotated[dict[str, AuthorizationTable], Field(min_length=1)]


def read_tables(document: Mapping[str, Any], problems: Problems) -> DirectoryTables | None:
    """Give the tables of a document whose references are resolved; what is wrong is noted, and there are none then."""
    try:
        return DirectoryTables.model_validate(document)
    except ValidationError as error:
        for details in error.errors(include_url=False, include_input=False):
            path = tuple(str(key) for key in details["loc"])
            problems.add(path, _explain(path, details))
    return None


_MESSAGES = {
    "missing": "is missing; add it",
    "too_short": "is empty; add at least one table, with a name of its own",
    "string_too_short": "is empty; give it a value, or leave it out",
    "string_type": "must be text in quotes",
    "int_type": "must be a whole number without quotes",
    "greater_than_equal": "must not be negative; 0 is for no limit",
    "bool_type": "must be true or false, without quotes",
    "datetime_type": "must be a date and time without quotes, such as 2030-01-01T00:00:00Z",
    "timezone_aware": "must say its offset from UTC, such as the Z in 2030-01-01T00:00:00Z",
    "literal_error": "must be {expected}, or be left out",
    "model_type": "must be a table with fields of its own",
    "dict_type": "must hold tables, each with a name",
}
"""By pydantic's type of error. What is not here is said in pydantic's words, which repeat no value either."""


def _explain(path: KeyPath, details: ErrorDetails) -> str:
    context = details.get("ctx", {})
    match details["type"]:
        case "extra_forbidden":
            return _explain_unknown(path)
        case "value_error":
            return str(context["error"])
        case kind:
            return _MESSAGES[kind].format_map(context) if kind in _MESSAGES else details["msg"]


def _explain_unknown(path: KeyPath) -> str:
    known = list(_model_around(path).model_fields)
    close = get_close_matches(path[-1].lower(), known, n=1)
    kind = "table" if len(path) == 1 else "field"
    return f"no such {kind}; did you mean {close[0]}?" if close else f"no such {kind}; there are {', '.join(known)}"


def _model_around(path: KeyPath) -> type[Table]:
    """Give the model of the table that holds the last key of a path."""
    match path[:-1]:
        case ():
            return DirectoryTables
        case ("downstream",):
            return DownstreamTable
        case ("networks", _):
            return NetworkTable
        case ("networks", _, "serial"):
            return SerialTable
        case _:
            return AuthorizationTable
