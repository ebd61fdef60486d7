"""Dead letters for people: a row of a table, counts by reason, and the whole story of one. No I/O."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import orjson
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from cli.terminal import clean_text, format_time
from common.dead_letter import FRAME_CHARACTERS, DeadLetter, Death, entry_to_document
from common.directory.model import Directory
from common.letter_selection import find_key, find_letter_serial
from common.reason import Reason
from common.remedy import find_remedy

TABLE_COLUMNS = 120
"""Of a terminal, from which on a row of the table has room: an uplink id has 26 characters, a registry's key 24."""

DETAIL_CHARACTERS = 80
"""How much of a letter's detail a row shows; ``show`` and ``--json`` have all of it."""


def letter_to_document(letter: DeadLetter) -> dict[str, Any]:
    """Give the JSON object of a letter, with its history."""
    return entry_to_document(letter) | {"history": [asdict(death) for death in letter.history]}


def story_to_document(letter: DeadLetter, directory: Directory | None) -> dict[str, Any]:
    """Give the JSON object of a letter with what is known beside it."""
    key = find_key(letter, directory)
    return letter_to_document(letter) | {
        "serial": find_letter_serial(letter, key),
        "network": None if key is None else key.network,
        "remedy": find_remedy(letter.reason),
    }


def show_letters(letters: Sequence[DeadLetter], by_reason: Mapping[Reason, int], *, columns: int) -> RenderableType:
    """Show these letters, of all those that ``by_reason`` counts, on a terminal of so many columns.

    What a device sent is kept from being taken for markup or for terminal codes.
    """
    total = sum(by_reason.values())
    shown = "" if len(letters) == total else f", the first {len(letters):,} are shown"
    title = Text(f"dead letters: {total:,}{shown}", style="italic")
    reasons = Text(", ".join(f"{reason} {count:,}" for reason, count in _sort_counts(by_reason)), style="dim italic")
    show = _tabulate_letters if columns >= TABLE_COLUMNS else _list_letters
    return Group(title, show(letters), reasons) if letters else title


def _list_letters(letters: Sequence[DeadLetter]) -> RenderableType:
    """Show a letter in two lines: what an operator copies and looks for, and below it the rest."""
    lines: list[RenderableType] = []
    for letter in letters:
        first = Text.assemble(clean_text(letter.uplink_id), f"  {letter.reason}  {format_time(letter.died_at)}")
        key = clean_text(f"key {letter.key_id}, " if letter.key_id else "")
        attempts = f"{letter.attempts:,} attempt{'' if letter.attempts == 1 else 's'}: "
        rest = Text.assemble(key, attempts, clean_text(letter.detail, limit=DETAIL_CHARACTERS))
        lines += [first, Padding(rest, (0, 0, 0, 4), expand=False)]
    return Group(*lines)


def _tabulate_letters(letters: Sequence[DeadLetter]) -> RenderableType:
    """Show a letter a row."""
    table = Table()
    table.add_column("uplink id", no_wrap=True)  # to be copied whole
    for name in ("reason", "key", "died at", "attempts", "detail"):
        table.add_column(name, overflow="fold")
    for letter in letters:
        table.add_row(
            clean_text(letter.uplink_id),
            letter.reason,
            clean_text(letter.key_id),
            format_time(letter.died_at),
            str(letter.attempts),
            clean_text(letter.detail, limit=DETAIL_CHARACTERS),
        )
    return table


def tabulate_counts(by_reason: Mapping[Reason, int], *, title: str) -> Table:
    """Show how many letters there are of each reason, the most frequent first."""
    table = Table(title=title, show_footer=True)
    table.add_column("reason", footer="all")
    table.add_column("letters", footer=f"{sum(by_reason.values()):,}", justify="right")
    for reason, count in _sort_counts(by_reason):
        table.add_row(reason, f"{count:,}")
    return table


def show_story(letter: DeadLetter, directory: Directory | None) -> RenderableType:
    """Show everything that is known about one letter, and what to do about it."""
    parts: list[RenderableType] = [_tabulate_facts(letter, directory)]
    if letter.history:
        parts.append(_tabulate_history(letter.history))
    parts.append(_show_content(letter))
    return Group(*parts)


def _tabulate_facts(letter: DeadLetter, directory: Directory | None) -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in _list_facts(letter, directory):
        table.add_row(name, clean_text(value))
    return table


def _list_facts(letter: DeadLetter, directory: Directory | None) -> Iterable[tuple[str, str]]:
    yield "uplink id", letter.uplink_id
    yield "reason", letter.reason
    yield "detail", letter.detail
    yield "what to do", find_remedy(letter.reason)
    yield "attempts", str(letter.attempts)
    if letter.envelope is not None:
        yield "arrived at", format_time(letter.envelope.arrived_at)
    yield "first tried at", format_time(letter.first_seen)
    yield "died at", format_time(letter.died_at)
    if letter.envelope is not None:
        yield "key", letter.key_id
        key = find_key(letter, directory)
        if key is not None:
            yield "network", key.network
        yield "serial", find_letter_serial(letter, key) or "none was found"
        if letter.envelope.query:
            yield "query", orjson.dumps(letter.envelope.query).decode()


def _tabulate_history(history: Iterable[Death]) -> Table:
    table = Table(title="what happened before", title_justify="left")
    for name in ("died at", "reason", "attempts", "detail", "then"):
        table.add_column(name, overflow="fold")
    for death in history:
        then = "died again by itself"
        if death.disposition is not None and death.marked_at is not None:
            then = f"{death.disposition} at {format_time(death.marked_at)}"
        table.add_row(
            format_time(death.died_at), death.reason, str(death.attempts), clean_text(death.detail), Text(then)
        )
    return table


def _show_content(letter: DeadLetter) -> RenderableType:
    if letter.envelope is not None:
        items = [item for _, item in letter.envelope.items]
        text = "\n".join(orjson.dumps(item, option=orjson.OPT_INDENT_2).decode() for item in items)
        return Group(Text("\nthe uplink as it came", style="bold"), clean_text(text, keep="\n"))
    frame = letter.frame or b""
    what = "the beginning of the message that it came in" if letter.is_cut else "the message as it came"
    return Group(
        Text(f"\n{what}, {len(frame):,} bytes", style="bold"),
        clean_text(frame.decode(errors="replace"), limit=FRAME_CHARACTERS, keep="\n"),
    )


def _sort_counts(by_reason: Mapping[Reason, int]) -> list[tuple[Reason, int]]:
    return sorted(by_reason.items(), key=lambda count: (-count[1], count[0]))
