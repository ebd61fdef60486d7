"""Live events for people and for programs: one line each."""

import sys
from collections.abc import Mapping
from datetime import UTC
from typing import Any, Protocol, assert_never

import orjson
from rich.console import Console
from rich.text import Text

from cli.terminal import clean_text, print_line
from common.events.event import Event, Stage, event_to_document

UPLINK_ID_WIDTH = 27
"""``group/index``, up to the hundredth uplink of a request."""

STAGE_WIDTH = max(map(len, Stage))

LEAST_SERIAL_WIDTH = 8
MOST_SERIAL_WIDTH = 23
"""An EUI with its hyphens."""

STYLES = {
    Stage.REFUSED: "red",
    Stage.ACCEPTED: "bold",
    Stage.MAPPED: "dim",
    Stage.RESOLVED: "dim",
    Stage.POST_FAILED: "yellow",
    Stage.POSTED: "green",
    Stage.SAID: "magenta",
    Stage.SET_ASIDE: "cyan",
    Stage.RETRIED: "yellow",
    Stage.PUT_BACK: "yellow",
    Stage.DEAD: "red",
}


class EventPrinter(Protocol):
    """Shows events on standard output, each at once."""

    def show(self, event: Event) -> None:
        """Show one."""


class JsonPrinter:
    """One line of JSON for each event."""

    def show(self, event: Event) -> None:
        """See the protocol."""
        print_line(event_to_document(event))
        sys.stdout.buffer.flush()


class TextPrinter:
    """One aligned line for each event, and one more for its details, where they were asked for.

    On a terminal a line is cut to its width; whoever reads a file or a pipe gets all of it.
    """

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(highlight=False)
        self._serial_width = LEAST_SERIAL_WIDTH

    def show(self, event: Event) -> None:
        """See the protocol."""
        self._serial_width = min(max(self._serial_width, len(event.serial or "")), MOST_SERIAL_WIDTH)
        self._print(Text(format_event(event, self._serial_width), STYLES[event.stage]))
        if event.details:
            details = orjson.dumps(event.details, default=str).decode()
            self._print(Text(f"    {clean_text(details).plain}", "dim"), cut=False)
        self._console.file.flush()

    def _print(self, text: Text, *, cut: bool = True) -> None:
        if cut and self._console.is_terminal:
            self._console.print(text, no_wrap=True, overflow="ellipsis")
        else:
            self._console.print(text, soft_wrap=True)


def format_event(event: Event, serial_width: int) -> str:
    """Give the line of an event. What a device sent is kept from being taken for terminal codes."""
    time = event.time.astimezone(UTC).strftime("%H:%M:%S.%f")[:-3]
    serial = clean_text(event.serial or "-").plain
    line = (
        f"{time} {event.stage:<{STAGE_WIDTH}} {clean_text(event.uplink_id or '-').plain:<{UPLINK_ID_WIDTH}} "
        f"{serial:<{serial_width}} {clean_text(describe(event)).plain}"
    )
    return line.rstrip()


def describe(event: Event) -> str:
    """Say what happened, beyond the stage."""
    facts = event.facts
    match event.stage:
        case Stage.REFUSED:
            text = f"{event.key or 'unknown sender'}: {facts.get('status')} {event.reason}: {facts.get('message')}"
        case Stage.ACCEPTED:
            text = " ".join(filter(None, (event.key, event.network and f"in {event.network}")))
        case Stage.MAPPED:
            text = f"{_count(facts.get('records'), 'record')}{_tell_attempt(facts)}"
        case Stage.RESOLVED:
            text = ""
        case Stage.POSTED | Stage.POST_FAILED:
            text = f"{facts.get('answer')} in {float(facts.get('seconds', 0)) * 1_000:.0f} ms"
        case Stage.SAID:
            text = f"{facts.get('parser')} parser, {facts.get('level')}: {facts.get('text')}"
        case Stage.RETRIED:
            text = f"again in {float(facts.get('wait_seconds', 0)):g} s: {_tell_why(event)}"
        case Stage.SET_ASIDE | Stage.PUT_BACK | Stage.DEAD:
            text = _tell_why(event)
        case _:
            assert_never(event.stage)
    return text


def _tell_why(event: Event) -> str:
    return ": ".join(str(part) for part in (event.reason, event.facts.get("detail")) if part)


def _tell_attempt(facts: Mapping[str, Any]) -> str:
    attempt = facts.get("attempt", 1)
    return "" if attempt == 1 else f", attempt {attempt}"


def _count(number: Any, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
