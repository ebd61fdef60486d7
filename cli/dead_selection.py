"""The letters that a command of ``sluice dead`` is about: where they are, and which of them."""

from collections.abc import Iterable
from contextlib import AbstractAsyncContextManager
from dataclasses import asdict, replace

from cli.dead_filter import LetterFilter
from cli.deployment import Deployment
from cli.directory import read_directory
from cli.queue import open_settings_queue
from cli.terminal import say
from common.directory.model import Directory
from common.directory.naming import NotIdentifiedError, UnknownNameError, identify_key, identify_network
from common.directory.problems import DirectoryError
from common.letter_selection import LetterQuery, LetterSelection
from common.queue.protocol import Queue
from common.tls import TlsError


class NotDoneError(Exception):
    """Something that was asked for was not done; the message says what, and why."""


class DeadLetterRequest:
    """What every command is told: which letters, and where they are."""

    def __init__(self, uplink_ids: Iterable[str], which: LetterFilter | None, where: Deployment | None) -> None:
        self.query = LetterQuery(uplink_ids=frozenset(uplink_ids), **asdict(which or LetterFilter()))
        self._settings = (where or Deployment()).read_settings()

    def open_queue(self) -> AbstractAsyncContextManager[Queue]:
        """Open the queue that the letters are in."""
        return open_settings_queue(self._settings, "dead", existing_only=True)

    async def select(self, *, skip_cut: bool = False) -> LetterSelection:
        """Give the selection, with the ids of the keys and networks that are named.

        Raises :class:`NotDoneError` when it needs a directory that cannot be read, or does not know what is named.
        """
        query, directory = self.query, None
        if query.key or query.network or query.serial:
            directory = await self._find_directory()
        if directory is not None:
            query = _identify(query, directory)
        return LetterSelection(query=query, directory=directory, skip_cut=skip_cut)

    async def read_directory(self) -> Directory:
        """Read the directory as it is today. Raises :class:`DirectoryError` and :class:`TlsError`."""
        return await read_directory(self._settings)

    async def _find_directory(self) -> Directory | None:
        """Read the directory; where that cannot be done, only networks cannot do without."""
        try:
            return await self.read_directory()
        except (DirectoryError, TlsError) as error:
            if self.query.network:
                raise NotDoneError(f"--network needs the directory, which cannot be read: {error}") from error
            if self.query.key:
                say("--key is taken for an id, for want of a directory that has names")
            if self.query.serial:
                say("serials are looked for under their common names, for want of a map")
            say(error)
            return None


def _identify(query: LetterQuery, directory: Directory) -> LetterQuery:
    """Give the query with ids in place of names."""
    try:
        networks = tuple(identify_network(directory, called).id for called in query.network)
        return replace(query, key=tuple(_find_key_id(directory, called) for called in query.key), network=networks)
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
