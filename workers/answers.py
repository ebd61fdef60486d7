"""What an answer from downstream means. The closest code classifies (here), another reacts (resolver, posting)."""

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any, NamedTuple

import orjson

from common.reason import Reason

SUCCESS = 2

SPEAKING_CLASSES = frozenset({SUCCESS, 4})
"""Only a 2xx and a 4xx say something about the uplink; a redirect and a 5xx do not."""

TRANSIENT_STATUSES = frozenset({408, 425, 429})
"""Nor do these of the 4xx."""

THROTTLED = 429

UNAUTHORIZED_STATUSES = frozenset({401, 403})

LONGEST_RETRY_AFTER = timedelta(hours=1)
"""The ladder's last step; whatever asks for more is tried hourly."""

MESSAGE_CHARACTERS = 500
"""Of what the downstream says, in logs and dead letters."""

MOST_DIGITS = 9
"""Of a number of seconds; what has more is no time to wait."""

_RETRY_AFTER_IN_TEXT = re.compile(rf"Retry-After:\s*(\d{{1,{MOST_DIGITS}}})(?!\d)", re.IGNORECASE)


class Answer(NamedTuple):
    """An HTTP answer. The names of headers are found in any case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Statement(NamedTuple):
    """What an answer says: ``document`` is its JSON, None where it is none.

    Of a post that travelled with others, the part of the answer that is about it.
    """

    status: int
    headers: Mapping[str, str]
    document: Any


class DownstreamError(Exception):
    """The downstream did not do what it was asked. The message may end in logs and dead letters, once it is masked."""

    def mask(self, secrets: Iterable[str]) -> None:
        """Take secrets out of the message: a server may quote what it was asked, and the resolve URL holds a key.

        It is cut off only then: half a secret would not be recognised.
        """
        message = str(self)
        for secret in secrets:
            message = message.replace(secret, "***")
        self.args = (message[:MESSAGE_CHARACTERS],)


class TransientError(DownstreamError):
    """Trying again may help. ``retry_after`` is what the downstream asked for, if it did."""

    def __init__(self, message: str, retry_after: timedelta | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class ThrottledError(TransientError):
    """Too many requests: trying at once makes it worse."""


class AwayError(TransientError):
    """The downstream is away as a whole: this says nothing about what was asked.

    ``tried``: whether a request was made; else it was not, because the breaker was open.
    """

    def __init__(self, message: str, *, tried: bool = False) -> None:
        super().__init__(message)
        self.tried = tried


class RejectedError(DownstreamError):
    """Trying again cannot help: the downstream understood, and said no."""

    def __init__(self, message: str, reason: Reason = Reason.DOWNSTREAM_REFUSED, *, status: int = 400) -> None:
        super().__init__(message)
        self.reason = reason
        self.status = status


class UnauthorizedError(RejectedError):
    """The token that was sent is not, or no longer, good."""


def refuse_answer(status: int, why: str) -> TransientError:
    """Give the error for an answer that is not read: it cannot be the API's."""
    return TransientError(f"{status} {why}: not from the API")


def parse_answer(answer: Answer) -> Statement:
    """Give what an answer says."""
    try:
        document = orjson.loads(answer.body)
    except orjson.JSONDecodeError:
        document = None
    return Statement(answer.status, answer.headers, document)


def read_statement(statement: Statement) -> Any:
    """Give the ``result`` of an answer, or raise what it means.

    Raises :class:`TransientError` for 408, 425, 429, 5xx, a redirect, and whatever is no JSON object with a boolean
    ``status`` (a proxy's page, a captive portal); :class:`UnauthorizedError` for 401 and 403; :class:`RejectedError`
    for any other 4xx and for ``"status": false`` in a 2xx.
    """
    status, headers, document = statement
    envelope = document if isinstance(document, dict) and isinstance(document.get("status"), bool) else None
    message = _read_message(status, envelope)
    if status == THROTTLED:
        raise ThrottledError(message, _read_retry_after(headers, message))
    if status in TRANSIENT_STATUSES or status // 100 not in SPEAKING_CLASSES:
        raise TransientError(message, _read_retry_after(headers, message))
    if envelope is None:
        raise TransientError(f"{status} without TagoIO's envelope: the answer is not from the API")
    if status in UNAUTHORIZED_STATUSES:
        raise UnauthorizedError(message, status=status)
    if status // 100 != SUCCESS or not envelope["status"]:
        raise RejectedError(message, _read_reason(envelope), status=status)
    return envelope.get("result")


def _read_reason(envelope: dict[str, Any]) -> Reason:
    """Sluice's registry says when a payload parser failed; TagoIO gives no reasons."""
    is_parsers = envelope.get("reason") == Reason.PARSER_FAILED
    return Reason.PARSER_FAILED if is_parsers else Reason.DOWNSTREAM_REFUSED


def _read_message(status: int, envelope: dict[str, Any] | None) -> str:
    text = (envelope or {}).get("message")
    return f"{status}: {text}" if isinstance(text, str) and text else str(status)


def _read_retry_after(headers: Mapping[str, str], message: str) -> timedelta | None:
    """Read ``Retry-After`` in seconds or as a date, or TagoIO's text ``(Retry-After: 8)``; clamped to the ladder."""
    header = headers.get("retry-after", "").strip()
    in_text = _RETRY_AFTER_IN_TEXT.search(message)
    if header.isdecimal() and len(header) <= MOST_DIGITS:
        wait = timedelta(seconds=int(header))
    elif header and (moment := _read_date(header)):
        wait = moment - datetime.now(UTC)
    elif in_text:
        wait = timedelta(seconds=int(in_text[1]))
    else:
        return None
    return min(max(wait, timedelta(0)), LONGEST_RETRY_AFTER)


def _read_date(text: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    return moment.replace(tzinfo=moment.tzinfo or UTC)
