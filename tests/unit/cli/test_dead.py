"""``sluice dead list``: what it shows of the dead letters."""

import io
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest
from rich.console import Console

from cli import dead as module
from cli.dead import DETAIL_CHARACTERS, list_dead, shorten_detail, tabulate_letters
from common.dead_letter import DeadLetter, entry_to_document
from common.envelope import Envelope
from common.queue.protocol import QueueUnavailableError
from common.reason import Reason
from common.settings import Settings
from tests.support.queues import FakeQueue

DIED_AT = datetime(2026, 11, 21, 1, 23, 45, 702345, tzinfo=UTC)


def letter_of(index: int = 0, *, detail: str = "Device Not Found", frame: bytes | None = None) -> DeadLetter:
    envelope = Envelope("6a1f0c52d3b19e4477aa01c9", "factory", DIED_AT, {}, [(index, {"devaddr": "12BAB34B55"})])
    return DeadLetter(
        uplink_id="frame/0b3c6d0e" if frame else f"6a1f0c52d3b19e4477aa01c9/{index}",
        reason=Reason.ENVELOPE_UNSUPPORTED if frame else Reason.SERIAL_UNKNOWN,
        detail=detail,
        attempts=3,
        first_seen=DIED_AT,
        died_at=DIED_AT,
        envelope=None if frame else envelope,
        frame=frame,
    )


def render(letters: list[DeadLetter], *, width: int = 200) -> str:
    console = Console(file=io.StringIO(), width=width)
    console.print(tabulate_letters(letters))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


class AbsentQueue(FakeQueue):
    """A queue whose broker is away."""

    async def dead_letters(self) -> AsyncIterator[DeadLetter]:
        raise QueueUnavailableError("RabbitMQ cannot be used")
        yield


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch) -> Callable[[FakeQueue], list[dict[str, Any]]]:
    """Have the command find this queue; gives what it was opened with."""

    def serve(queue: FakeQueue) -> list[dict[str, Any]]:
        opened: list[dict[str, Any]] = []

        @asynccontextmanager
        async def open_queue(url: str, **options: object) -> AsyncIterator[FakeQueue]:
            opened.append({"url": url, **options})
            yield queue

        monkeypatch.setattr(module, "open_queue", open_queue)
        return opened

    # It would replace the handlers that pytest listens with.
    monkeypatch.setattr(module, "configure_logs", lambda **_: None)
    return serve


async def test_each_line_of_json_is_one_letter_in_the_order_of_the_queue(
    serve: Callable[[FakeQueue], object], capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    queue = FakeQueue()
    queue.letters = [letter_of(1), letter_of(0), letter_of(frame=b'{"version":7}')]
    serve(queue)
    assert await list_dead(as_json=True) == 0
    lines = capfdbinary.readouterr().out.splitlines()
    expected = [
        orjson.loads(orjson.dumps(entry_to_document(letter), option=orjson.OPT_UTC_Z)) for letter in queue.letters
    ]
    assert [orjson.loads(line) for line in lines] == expected


async def test_the_queue_is_opened_as_the_settings_say(serve: Callable[[FakeQueue], list[dict[str, Any]]]) -> None:
    opened = serve(FakeQueue())
    settings = Settings(queue="amqp://broker/", queue_prefix="edge", dead_letter_days=7.0)
    await list_dead(settings=settings)
    assert opened == [
        {
            "url": "amqp://broker/",
            "prefix": "edge",
            "ladder": settings.ladder,
            "dead_letter_age": timedelta(days=7),
            "name": "sluice dead",
        }
    ]


async def test_a_list_leaves_the_letters_where_they_are(serve: Callable[[FakeQueue], object]) -> None:
    queue = FakeQueue()
    queue.letters = [letter_of(0), letter_of(1)]
    serve(queue)
    await list_dead()
    assert queue.letters == [letter_of(0), letter_of(1)]


async def test_a_queue_that_is_away_is_an_error_on_standard_error(
    serve: Callable[[FakeQueue], object], capsys: pytest.CaptureFixture[str]
) -> None:
    serve(AbsentQueue())
    assert await list_dead(as_json=True) == 1
    assert capsys.readouterr() == ("", "sluice: RabbitMQ cannot be used\n")


def test_a_row_shows_the_uplink_its_reason_key_time_attempts_and_detail() -> None:
    [row] = [line for line in render([letter_of(4)]).splitlines() if "6a1f" in line]
    cells = [cell.strip() for cell in row.strip("│").split("│")]
    assert cells == [
        "6a1f0c52d3b19e4477aa01c9/4",
        "serial_unknown",
        "factory",
        "2026-11-21 01:23:45Z",
        "3",
        "Device Not Found",
    ]


def test_a_letter_of_a_whole_frame_has_no_key() -> None:
    assert "frame/0b3c6d0e" in render([letter_of(frame=b"?")])


def test_the_title_counts_the_letters() -> None:
    assert "dead letters: 2" in render([letter_of(0), letter_of(1)])


def test_an_uplink_id_is_whole_on_a_narrow_terminal() -> None:
    assert "6a1f0c52d3b19e4477aa01c9/0" in render([letter_of(0)], width=80)


def test_what_a_device_sent_is_not_taken_for_markup() -> None:
    assert "serial '[red]'" in render([letter_of(detail="serial '[red]'")])


def test_a_detail_that_fits_is_shown_whole() -> None:
    assert shorten_detail("x" * DETAIL_CHARACTERS) == "x" * DETAIL_CHARACTERS


def test_a_longer_detail_is_cut_and_says_so() -> None:
    assert shorten_detail("x" * (DETAIL_CHARACTERS + 1)) == "x" * (DETAIL_CHARACTERS - 1) + "…"


def test_terminal_codes_and_line_ends_do_not_reach_the_terminal() -> None:
    assert shorten_detail("serial '\x1b[31m\n'") == "serial '�[31m�'"
