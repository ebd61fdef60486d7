"""Which dead letters are meant, and what stands in the uplinks that they are about."""

from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

from common.dead_letter import DeadLetter, LetterId
from common.directory.model import AuthorizationKey, Directory
from common.envelope import Uplink
from common.fields.field_map import FieldMap
from common.fields.finding import Missing, find_serial
from common.queue.protocol import Queue
from common.reason import Reason
from common.serial import SerialMalformedError, SerialRule


class LetterQuery(Protocol):
    """What a letter has to fit: everything that is given; of what is given more than once, one."""

    @property
    def reason(self) -> Collection[Reason]:
        """Why they died."""

    @property
    def key(self) -> Collection[str]:
        """Ids of the keys that they came with."""

    @property
    def network(self) -> Collection[str]:
        """Networks of their keys, by the directory as it is today."""

    @property
    def serial(self) -> Collection[str]:
        """Serials of their devices, as sent or as their networks write them."""

    @property
    def older_than(self) -> timedelta | None:
        """They died longer ago than this."""

    @property
    def younger_than(self) -> timedelta | None:
        """They died within this time."""


@dataclass(slots=True)
class LetterSelection:
    """The letters of a list that are meant, counted as they are met.

    ``uplink_ids`` are those that were named, none: all. ``directory`` is today's; without one a serial is looked for
    under its common names, and no letter has a network.
    """

    uplink_ids: Collection[str]
    letter_filter: LetterQuery
    directory: Directory | None
    now: datetime
    by_reason: Counter[Reason] = field(default_factory=Counter)
    named: set[str] = field(default_factory=set)
    """Of the uplinks that were named, those that are on the list, whether they fit the filter or not."""

    async def choose(self, letters: AsyncIterator[DeadLetter]) -> AsyncGenerator[DeadLetter]:
        """Give the letters that are meant, in their order."""
        async for letter in letters:
            if self._is_named(letter) and self._fits(letter):
                self.by_reason[letter.reason] += 1
                yield letter

    @property
    def missing(self) -> list[str]:
        """The uplinks that were named and are not on the list; known when all letters have been gone through."""
        return [uplink_id for uplink_id in self.uplink_ids if uplink_id not in self.named]

    def _is_named(self, letter: DeadLetter) -> bool:
        if not self.uplink_ids:
            return True
        if letter.uplink_id not in self.uplink_ids:
            return False
        self.named.add(letter.uplink_id)
        return True

    def _fits(self, letter: DeadLetter) -> bool:
        wanted, age = self.letter_filter, self.now - letter.died_at
        return (
            (not wanted.reason or letter.reason in wanted.reason)
            and (wanted.older_than is None or age > wanted.older_than)
            and (wanted.younger_than is None or age <= wanted.younger_than)
            and (not (wanted.key or wanted.network or wanted.serial) or self._fits_uplink(letter))
        )

    def _fits_uplink(self, letter: DeadLetter) -> bool:
        """Compare what only an uplink has; a letter about a whole frame has none that could be read."""
        if letter.envelope is None:
            return False
        wanted, key = self.letter_filter, find_key(letter, self.directory)
        return (
            (not wanted.key or letter.envelope.key_id in wanted.key)
            and (not wanted.network or (key is not None and key.network in wanted.network))
            and (not wanted.serial or self._fits_serial(letter.envelope.uplinks(), key))
        )

    def _fits_serial(self, uplinks: Sequence[Uplink], key: AuthorizationKey | None) -> bool:
        network = self.directory.network(key.network) if self.directory is not None and key is not None else None
        rule = SerialRule() if network is None else network.serial
        found = [serial for uplink in uplinks if (serial := read_serial(uplink, key)) is not None]
        return any(
            _write_forms(serial, rule) & _write_forms(wanted, rule)
            for serial in found
            for wanted in self.letter_filter.serial
        )


async def pick_letters(queue: Queue, letter_ids: Collection[LetterId]) -> AsyncGenerator[DeadLetter]:
    """Give the letters that were chosen as they are read again: all of them may be more than there is memory."""
    async for letter in queue.dead_letters():
        if letter.id in letter_ids:
            yield letter


def find_key(letter: DeadLetter, directory: Directory | None) -> AuthorizationKey | None:
    """Give the key that the letter's uplink came with, as it is today."""
    if directory is None or letter.envelope is None:
        return None
    return directory.key(letter.envelope.key_id)


def read_serial(uplink: Uplink, key: AuthorizationKey | None) -> str | None:
    """Give the serial at the place that the key's map names, else under a common name; None where there is none."""
    maps = [FieldMap()] if key is None else [key.field_map, FieldMap()]
    for field_map in maps:
        found = find_serial(field_map, uplink.item, uplink.envelope.query)
        if not isinstance(found, Missing):
            return found.value
    return None


def _write_forms(serial: str, rule: SerialRule) -> set[str]:
    """Give a serial as it is and, where it fits, as its network writes it."""
    try:
        return {serial, rule.normalise(serial)}
    except SerialMalformedError:
        return {serial}
