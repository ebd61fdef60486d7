"""How live events are shown to people and to programs."""

import io
from dataclasses import replace

import pytest
from rich.console import Console

from cli.tail_view import JsonPrinter, TextPrinter, describe, format_event
from common.events.event import Event, Stage, decode_event
from common.reason import Reason
from tests.unit.common.events.test_event import EVENT


def of(stage: Stage, *, reason: Reason | None = None, **facts: object) -> Event:
    return replace(EVENT, stage=stage, reason=reason, facts=facts)


@pytest.mark.parametrize(
    ("event", "text"),
    [
        (of(Stage.ACCEPTED, uplinks=1), "factory in lorawan"),
        (replace(of(Stage.ACCEPTED), network=None), "factory"),
        (of(Stage.MAPPED, records=3, attempt=1), "3 records"),
        (of(Stage.MAPPED, records=1, attempt=4), "1 record, attempt 4"),
        (of(Stage.RESOLVED, attempt=1), ""),
        (of(Stage.POSTED, answer="3 Data Added", seconds=0.0124), "3 Data Added in 12 ms"),
        (of(Stage.POST_FAILED, answer="503: busy", seconds=0.25), "503: busy in 250 ms"),
        (of(Stage.SAID, parser="device", level="log", text="port 10"), "device parser, log: port 10"),
        (of(Stage.SET_ASIDE, reason=Reason.NOT_AN_UPLINK), "not_an_uplink"),
        (
            of(Stage.RETRIED, reason=Reason.DOWNSTREAM_UNAVAILABLE, detail="503", wait_seconds=5.0),
            "again in 5 s: downstream_unavailable: 503",
        ),
        (of(Stage.PUT_BACK, reason=Reason.RESOLVER_UNAVAILABLE, detail="away"), "resolver_unavailable: away"),
        (of(Stage.DEAD, reason=Reason.SERIAL_UNKNOWN, detail="no device"), "serial_unknown: no device"),
    ],
)
def test_what_happened_is_said_in_a_few_words(event: Event, text: str) -> None:
    assert describe(event) == text


@pytest.mark.parametrize("stage", Stage)
def test_every_stage_can_be_shown_whatever_its_event_holds(stage: Stage) -> None:
    empty = Event(EVENT.time, stage, None)
    assert format_event(empty, 8).startswith(f"12:00:00.123 {stage.value}")


def test_lines_are_aligned() -> None:
    lines = [format_event(of(stage), 16) for stage in (Stage.DEAD, Stage.SET_ASIDE, Stage.ACCEPTED)]
    assert {line.index("6a1f0c52d3b19e4477aa01c9/1") for line in lines} == {25}
    assert {line.index("12BAB34B55") for line in lines} == {53}


def show(*events: Event, width: int | None = None) -> list[str]:
    file = io.StringIO()
    console = Console(file=file, force_terminal=width is not None, width=width, color_system=None, highlight=False)
    printer = TextPrinter(console)
    for event in events:
        printer.show(event)
    return file.getvalue().splitlines()


def test_on_a_terminal_an_event_is_one_line_however_long_its_detail() -> None:
    (line,) = show(of(Stage.DEAD, reason=Reason.VALUE_REFUSED, detail="x" * 500), width=100)
    assert len(line) <= 100
    assert "value_refused: xxx" in line
    assert line.endswith("…")


def test_whoever_reads_a_pipe_gets_all_of_it() -> None:
    (line,) = show(of(Stage.DEAD, reason=Reason.VALUE_REFUSED, detail="x" * 500))
    assert line.endswith("x" * 500)


def test_the_column_of_serials_grows_with_the_serials() -> None:
    short, long, again = show(
        replace(EVENT, serial="AA"), replace(EVENT, serial="0A1B2C3D4E5F6071"), replace(EVENT, serial="AA")
    )
    assert short.index("serial_unknown") < long.index("serial_unknown") == again.index("serial_unknown")


def test_what_a_device_sent_is_no_code_for_the_terminal() -> None:
    (line,) = show(replace(EVENT, serial="\x1b[2J[red]", facts={"detail": "a\nb\x07"}))
    assert "\x1b" not in line
    assert "�[2J[red]" in line
    assert "a�b�" in line


def test_details_have_a_line_of_their_own() -> None:
    _, line = show(replace(EVENT, details={"item": {"serial": "AA"}}))
    assert line == '    {"item":{"serial":"AA"}}'


def test_json_is_the_event_itself(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    JsonPrinter().show(EVENT)
    (line,) = capfdbinary.readouterr().out.splitlines()
    assert decode_event(line) == EVENT
