"""``sluice dead list``: the uplinks that ended as dead letters, and why."""

import sys
from datetime import timedelta
from typing import Annotated

from cyclopts import Parameter
from rich.console import Console
from rich.table import Table
from rich.text import Text

from common.dead_letter import DeadLetter, encode_entry
from common.logs import configure_logs
from common.queue import open_queue
from common.queue.protocol import Queue, QueueUnavailableError
from common.settings import Settings

DETAIL_CHARACTERS = 80
"""How much of a letter's detail the table shows; ``--json`` has all of it."""


async def list_dead(
    *,
    settings: Annotated[Settings | None, Parameter(name="*")] = None,
    as_json: Annotated[bool, Parameter(name="--json", negative=())] = False,
) -> int:
    """List the dead letters in the order in which they died. Nothing is taken and nothing changes.

    Parameters
    ----------
    settings
        Every setting as a flag; what no flag gives comes from the environment.
    as_json
        Print each letter as one line of JSON, with the whole uplink.

    """
    settings = settings or Settings()
    # Standard output belongs to the list, and what is wrong with the queue is said once, at the end.
    configure_logs(level="CRITICAL", json=False)
    try:
        async with open_queue(
            settings.queue,
            prefix=settings.queue_prefix,
            ladder=settings.ladder,
            dead_letter_age=timedelta(days=settings.dead_letter_days),
            name="sluice dead",
        ) as queue:
            await (_print_lines(queue) if as_json else _print_table(queue))
    except (QueueUnavailableError, ValueError) as error:  # ValueError: a URL that no engine speaks
        sys.stderr.write(f"sluice: {error}\n")
        return 1
    return 0


async def _print_lines(queue: Queue) -> None:
    async for letter in queue.dead_letters():
        sys.stdout.buffer.write(encode_entry(letter) + b"\n")
    sys.stdout.buffer.flush()


async def _print_table(queue: Queue) -> None:
    Console().print(tabulate_letters([letter async for letter in queue.dead_letters()]))


def tabulate_letters(letters: list[DeadLetter]) -> Table:
    """Show one letter a row. What a device sent is kept from being taken for markup or for terminal codes."""
    table = Table(title=f"dead letters: {len(letters):,}")
    table.add_column("uplink id", no_wrap=True)  # to be copied whole, however narrow the terminal
    for name in ("reason", "key", "died at", "attempts", "detail"):
        table.add_column(name, overflow="fold")
    for letter in letters:
        table.add_row(
            letter.uplink_id,
            letter.reason,
            letter.envelope.key_id if letter.envelope else "",
            f"{letter.died_at:%Y-%m-%d %H:%M:%S}Z",
            str(letter.attempts),
            Text(shorten_detail(letter.detail)),
        )
    return table


def shorten_detail(detail: str) -> str:
    """Cut a detail to what a row shows, with everything that is not printable replaced."""
    printable = "".join(character if character.isprintable() else "�" for character in detail)
    return printable if len(printable) <= DETAIL_CHARACTERS else f"{printable[: DETAIL_CHARACTERS - 1]}…"
