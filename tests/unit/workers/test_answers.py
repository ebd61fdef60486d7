"""What an answer from downstream means: the table of docs/wire-format.md, written out a second time on purpose."""

import json
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest

from workers.answers import (
    Answer,
    RejectedError,
    ThrottledError,
    TransientError,
    UnauthorizedError,
    parse_answer,
    read_statement,
)

YES = b'{"status": true, "result": "1 Data Added"}'
NO = b'{"status": false, "message": "because"}'


def read_answer(status: int, headers: dict[str, str], body: bytes) -> Any:
    return read_statement(parse_answer(Answer(status, headers, body)))


def expected_error(status: int) -> type[Exception]:
    if status == 429:
        return ThrottledError
    if status in {401, 403}:
        return UnauthorizedError
    return RejectedError if status // 100 == 4 and status not in {408, 425} else TransientError


@pytest.mark.parametrize("status", [s for s in range(100, 600) if s // 100 != 2])
def test_every_status_is_transient_or_permanent_as_published(status: int) -> None:
    with pytest.raises(expected_error(status)) as error:
        read_answer(status, {}, NO)
    assert type(error.value) is expected_error(status)
    assert str(error.value) == f"{status}: because"


@pytest.mark.parametrize("status", [200, 201, 202])
def test_a_success_gives_its_result(status: int) -> None:
    assert read_answer(status, {}, YES) == "1 Data Added"


@pytest.mark.parametrize("status", [200, 202, 400, 401, 404, 422])
@pytest.mark.parametrize("body", [b"", b"<html>Log in</html>", b"[]", b'"ok"', b"{}", b'{"status": "true"}', b"null"])
def test_an_answer_that_is_not_from_the_api_says_nothing_about_the_uplink(status: int, body: bytes) -> None:
    with pytest.raises(TransientError):
        read_answer(status, {}, body)


def test_status_false_in_a_success_is_permanent() -> None:
    with pytest.raises(RejectedError, match="because"):
        read_answer(200, {}, NO)


@pytest.mark.parametrize(
    ("headers", "body", "seconds"),
    [
        ({"retry-after": "8"}, NO, 8),
        ({}, b'{"status": false, "message": "Too many requests (Retry-After: 9)"}', 9),
        ({"retry-after": "999999999"}, NO, 3600),
        ({"retry-after": format_datetime(datetime(2020, 1, 1, tzinfo=UTC))}, NO, 0),
    ],
)
def test_retry_after_is_read_from_header_or_text_and_clamped(
    headers: dict[str, str], body: bytes, seconds: int
) -> None:
    with pytest.raises(ThrottledError) as error:
        read_answer(429, headers, body)
    assert error.value.retry_after == timedelta(seconds=seconds)


def test_retry_after_may_be_a_date() -> None:
    date = format_datetime(datetime.now(UTC) + timedelta(seconds=60))
    with pytest.raises(TransientError) as error:
        read_answer(503, {"retry-after": date}, NO)
    assert error.value.retry_after is not None
    assert timedelta(seconds=50) < error.value.retry_after <= timedelta(seconds=60)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"retry-after": "soon"},
        {"retry-after": "9" * 5_000},
        {"retry-after": "Mon, 01 Jan 99999999999999999999 00:00:00 GMT"},
        {"retry-after": "Mon, 01 Jan 2026 00:00:00 +99999999999999"},
    ],
)
def test_without_a_retry_after_that_can_be_read_there_is_none(headers: dict[str, str]) -> None:
    with pytest.raises(ThrottledError) as error:
        read_answer(429, headers, NO)
    assert error.value.retry_after is None


def test_a_long_message_is_cut() -> None:
    with pytest.raises(RejectedError) as error:
        read_answer(400, {}, b'{"status": false, "message": "%b"}' % (b"x" * 5_000))
    error.value.mask(())
    assert len(str(error.value)) == 500


@pytest.mark.parametrize("padding", [0, 480, 490, 495, 600])
def test_a_secret_is_masked_wherever_the_message_is_cut_off(padding: int) -> None:
    body = json.dumps({"status": False, "message": "." * padding + "at-secret-key"}).encode()
    with pytest.raises(RejectedError) as error:
        read_answer(400, {}, body)
    error.value.mask(["at-secret-key"])
    assert "at-s" not in str(error.value)
