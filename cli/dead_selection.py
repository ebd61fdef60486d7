"""The letters that a command of ``sluice dead`` is about: where they are, and which of them."""

from collections import Counter
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager, aclosing
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from cli.dead_filter import LetterFilter
from cli.deployment import Deployment
from cli.directory import read_directory
from cli.queue import open_settings_queue
from cli.terminal import say
from common.dead_letter import LetterId
from common.directory.model import Directory
from common.directory.naming import NotIdentifiedError, UnknownNameError, identify_key, identify_network
from common.directory.problems import DirectoryError
from common.letter_selection import LetterSelection
from common.queue.protocol import Queue
from common.reason import Reason
from common.tls import TlsError


class NotDoneError(Exception):
    """Something that was asked for was not done; the message says what, and why."""


class DeadLetterRequest:
    """What every command is told: which letters, and where they are."""

    def __init__(self, uplink_ids: Sequence[str], which: LetterFilter | None, where: Deployment | None) -> None:
        self.letter_filter = which or LetterFilter()
        self.uplink_ids = tuple(dict.fromkeys(uplink_ids))
        self._settings = (where or Deployment()).read_settings()

    def open_queue(self) -> AbstractAsyncContextManager[Queue]:
        """Open the queue that the letters are in."""
        return open_settings_queue(self._settings, "dead", existing_only=True)

    async def select(self) -> LetterSelection:
        """Give the selection, with the ids of the keys and networks that are named.

        Raises :class:`NotDoneError` when it needs a directory that cannot be read, or does not know what is named.
        """
        wanted, directory = self.letter_filter, None
        if wanted.key or wanted.network or wanted.serial:
            directory = await self._find_directory()
        if directory is not None:
            wanted = self._identify(directory)
        return LetterSelection(frozenset(self.uplink_ids), wanted, directory, datetime.now(UTC))

    async def read_directory(self) -> Directory:
        """Read the directory as it is today. Raises :class:`DirectoryError` and :class:`TlsError`."""
        return await read_directory(self._settings)

    async def _find_directory(self) -> Directory | None:
        """Read the directory; where that cannot be done, only networks cannot do without."""
        try:
            return await self.read_directory()
        except (DirectoryError, TlsError) as error:
            if self.letter_filter.network:
                raise NotDoneError(f"--network needs the directory, which cannot be read: {error}") from error
            if self.letter_filter.key:
                say("--key is taken for an id, for want of a directory that has names")
            if self.letter_filter.serial:
                say("serials are looked for under their common names, for want of a map")
            say(error)
            return None

    def _identify(self, directory: Directory) -> LetterFilter:
        wanted = self.letter_filter
        try:
            networks = tuple(identify_network(directory, called).id for called in wanted.network)
            return replace(
                wanted, key=tuple(_find_key_id(directory, called) for called in wanted.key), network=networks
            )
        except NotIdentifiedError as error:
            raise NotDoneError(str(error)) from error


def _find_key_id(directory: Directory, called: str) -> str:
    """Give the id of a key. The letters of one that was removed are still there, and know it by its id alone."""
    try:
        return identify_key(directory, called).id
    except UnknownNameError as error:
        say(error)
        say("the letters of a key that was removed are found by its id")
        return called


@dataclass(slots=True)
class ChosenLetters:
    """The letters that are to be changed: found once, so that what was counted is what is done."""

    letter_ids: set[LetterId] = field(default_factory=set)
    by_reason: Counter[Reason] = field(default_factory=Counter)
    cut: list[str] = field(default_factory=list)
    """Uplinks whose letters hold only the beginning of the message that they came in."""
    missing: list[str] = field(default_factory=list)
    """Uplinks that were named and are not on the list."""


async def choose_letters(request: DeadLetterRequest, *, skip_cut: bool) -> ChosenLetters:
    """Go through the list once; ``skip_cut``: those that are cut are not wanted, and are named instead."""
    selection, chosen = await request.select(), ChosenLetters()
    async with request.open_queue() as queue, aclosing(selection.choose(queue.dead_letters())) as letters:
        async for letter in letters:
            if skip_cut and letter.is_cut:
                chosen.cut.append(letter.uplink_id)
            else:
                chosen.letter_ids.add(letter.id)
                chosen.by_reason[letter.reason] += 1
    chosen.missing = selection.missing
    return chosen
