"""``sluice dead``: the uplinks that ended as dead letters; why they did, and what becomes of them."""

import sys
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Sequence
from contextlib import aclosing, contextmanager
from typing import Annotated, Any, TypeAlias

from cyclopts import App, Parameter
from cyclopts.types import PositiveInt
from rich.console import Console
from rich.progress import Progress

from cli.dead_filter import LetterFilter
from cli.dead_selection import DeadLetterRequest, NotDoneError
from cli.dead_story import letter_to_document, show_letters, show_story, story_to_document, tabulate_counts
from cli.deployment import Deployment
from cli.flags import AsJson, Switch
from cli.terminal import ask, fail, print_line, say
from common.dead_letter import DeadLetter
from common.dead_replay import REPLAY_RATE, Replayer, purge
from common.directory.model import Directory
from common.directory.problems import DirectoryError
from common.letter_selection import LetterQuery, pick_letters
from common.logs import configure_logs
from common.queue.protocol import QueueUnavailableError, QueueUrlError
from common.tls import TlsError

TABLE_ROWS = 200
"""Letters that the table shows unless ``--limit`` says otherwise: a table is for reading."""

NAMED_AT_ONCE = 10
"""Uplinks that one message names."""

UNDOABLE = (NotDoneError, QueueUnavailableError, QueueUrlError, DirectoryError, TlsError)
"""What an operator can mend; each says how."""

app = App(
    name="dead",
    help="The uplinks that ended as dead letters: list them, look at one, put them back, or let them go.\n\n"
    "Letters stay on the list until they are replayed or purged, or grow too old. The exit code is 0 when everything"
    " was done that was asked for, 1 when something was not (standard error says what, and why), and 130 after Ctrl-C.",
)

UplinkIds: TypeAlias = Annotated[str, Parameter(help="The uplinks that are meant; none: all.")]
Which: TypeAlias = Annotated[LetterFilter | None, Parameter(help="What the letters have to fit.")]
Where: TypeAlias = Annotated[Deployment | None, Parameter(help="The deployment.")]
Yes: TypeAlias = Annotated[
    Switch, Parameter(help="Do not ask. Without a terminal to ask at, nothing is purged unless this is given.")
]


@app.command(name="list")
async def list_dead(
    *uplink_ids: UplinkIds,
    which: Which = None,
    as_json: Annotated[
        AsJson, Parameter(help="Print each letter as one line of JSON, with the whole uplink and its history.")
    ] = False,
    limit: Annotated[
        PositiveInt | None,
        Parameter(show_default=False, help="Show the first so many; the table shows 200, JSON all."),
    ] = None,
    where: Where = None,
) -> int:
    """List dead letters in the order in which they died. Nothing is taken and nothing changes."""
    return await _report(_list(DeadLetterRequest(uplink_ids, which, where), limit, as_json=as_json))


@app.command(name="show")
async def show_dead(
    *uplink_ids: Annotated[str, Parameter(help="The uplinks that are meant, as listed.")],
    which: Which = None,
    as_json: Annotated[AsJson, Parameter(help="Print each letter as one line of JSON.")] = False,
    where: Where = None,
) -> int:
    """Tell the whole story of a letter: why the uplink died, what to do, what happened before, and what it held."""
    return await _report(_show(DeadLetterRequest(uplink_ids, which, where), as_json=as_json))


@app.command(name="replay")
async def replay_dead(
    *uplink_ids: UplinkIds,
    which: Which = None,
    rate: Annotated[PositiveInt, Parameter(help="At most so many uplinks a second.")] = REPLAY_RATE,
    dry_run: Annotated[Switch, Parameter(help="Only say what would be replayed.")] = False,
    where: Where = None,
) -> int:
    """Put letters back into the work queue, with all their attempts before them, and take them off the list.

    They go through today's field maps and today's directory. One that dies again is one letter, with its history.
    Ctrl-C stops it between two letters; then the same command goes on with the rest.
    """
    return await _report(_replay(DeadLetterRequest(uplink_ids, which, where), rate, dry_run=dry_run))


@app.command(name="purge")
async def purge_dead(
    *uplink_ids: UplinkIds,
    which: Which = None,
    yes: Yes = False,
    dry_run: Annotated[Switch, Parameter(help="Only say what would be purged.")] = False,
    where: Where = None,
) -> int:
    """Take letters off the list for good. Their uplinks are given up."""
    return await _report(_purge(DeadLetterRequest(uplink_ids, which, where), yes=yes, dry_run=dry_run))


async def _list(request: DeadLetterRequest, limit: int | None, *, as_json: bool) -> None:
    selection = await request.select()
    async with request.open_queue() as queue:
        if as_json:
            async with aclosing(selection.choose(queue)) as letters:
                await _print_lines(letters, letter_to_document, limit)
        else:
            shown = await selection.choose_page(queue, limit or TABLE_ROWS)
            console = Console()
            console.print(show_letters(shown, selection.by_reason, columns=console.width))
    if limit is None or not as_json:
        _refuse_missing(selection.missing)


async def _show(request: DeadLetterRequest, *, as_json: bool) -> None:
    if request.query == LetterQuery():
        raise NotDoneError("which letter? Name an uplink id, as `sluice dead list` shows them, or give a filter")
    selection, directory = await request.select(), await _find_directory(request)
    async with request.open_queue() as queue, aclosing(selection.choose(queue)) as letters:
        if as_json:
            await _print_lines(letters, lambda letter: story_to_document(letter, directory))
        else:
            console = Console()
            async for letter in letters:
                console.print(show_story(letter, directory), "")
    _refuse_missing(selection.missing)


async def _replay(request: DeadLetterRequest, rate: int, *, dry_run: bool) -> None:
    selection = await request.select(skip_cut=True)
    async with request.open_queue() as queue:
        letter_ids = await selection.choose_ids(queue)
    Console().print(tabulate_counts(selection.by_reason, title="would be replayed" if dry_run else "to be replayed"))
    if not dry_run and letter_ids:
        with _progress("Uplinks", len(letter_ids)) as advance:
            async with request.open_queue() as queue, aclosing(pick_letters(queue, letter_ids)) as letters:
                replayer = Replayer(queue, rate=rate, on_progress=advance)
                try:
                    await replayer.replay(letters)
                finally:
                    say(f"{replayer.replayed:,} of {len(letter_ids):,} were replayed")
    if selection.cut:
        raise NotDoneError(f"cannot be replayed, because a part is all that was kept: {_name_some(selection.cut)}")
    _refuse_missing(selection.missing)


async def _purge(request: DeadLetterRequest, *, yes: bool, dry_run: bool) -> None:
    if not (yes or dry_run or sys.stdin.isatty()):
        raise NotDoneError("nothing is purged without a terminal to ask at; give --yes if you are sure")
    selection = await request.select()
    async with request.open_queue() as queue:
        letter_ids = await selection.choose_ids(queue)
    Console().print(tabulate_counts(selection.by_reason, title="would be purged" if dry_run else "to be purged"))
    if not dry_run and letter_ids:
        if not (yes or ask(f"Give up {len(letter_ids):,} uplinks for good?")):
            raise NotDoneError("nothing was purged")
        with _progress("Letters", len(letter_ids)) as advance:
            async with request.open_queue() as queue:
                await purge(queue, letter_ids, on_progress=advance)
        say(f"{len(letter_ids):,} were purged")
    _refuse_missing(selection.missing)


async def _report(doing: Coroutine[Any, Any, None]) -> int:
    """Give the exit code, and say on standard error what could not be done."""
    # What went on with the connections is no concern of an operator; that a letter could not be read is.
    configure_logs(level="ERROR", json=False)
    try:
        await doing
    except UNDOABLE as error:
        return fail(error)
    return 0


async def _find_directory(request: DeadLetterRequest) -> Directory | None:
    """Read the directory for what it adds to a story, which can do without."""
    try:
        return await request.read_directory()
    except (DirectoryError, TlsError):
        return None


async def _print_lines(
    letters: AsyncIterator[DeadLetter], to_document: Callable[[DeadLetter], dict[str, Any]], limit: int | None = None
) -> None:
    printed = 0
    async for letter in letters:
        print_line(to_document(letter))
        printed += 1
        if printed == limit:
            break
    sys.stdout.buffer.flush()


@contextmanager
def _progress(what: str, total: int) -> Iterator[Callable[[int], None]]:
    """Show a bar on a terminal; what is given is told how many more are done."""
    with Progress(console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty()) as progress:
        bar = progress.add_task(what, total=total)
        yield lambda count: progress.advance(bar, count)


def _refuse_missing(uplink_ids: Sequence[str]) -> None:
    if uplink_ids:
        raise NotDoneError(f"not on the list: {_name_some(uplink_ids)}")


def _name_some(uplink_ids: Sequence[str]) -> str:
    more = len(uplink_ids) - NAMED_AT_ONCE
    return ", ".join(uplink_ids[:NAMED_AT_ONCE]) + (f" and {more:,} more" if more > 0 else "")
