"""Which dead letters are meant, and what stands in the uplinks that they are about."""

from collections import Counter
from collections.abc import AsyncGenerator, Collection
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from common.dead_letter import DeadLetter, LetterId
from common.directory.model import AuthorizationKey, Directory
from common.fields.field_map import FieldMap
from common.fields.finding import Missing, find_serial
from common.queue.protocol import Queue
from common.reason import Reason
from common.serial import SerialMalformedError, SerialRule


@dataclass(frozen=True, slots=True, kw_only=True)
class LetterQuery:
    """What a letter has to fit: everything that is given; of what is given more than once, one."""

    uplink_ids: frozenset[str] = frozenset()
    reason: tuple[Reason, ...] = ()
    key: tuple[str, ...] = ()
    """Ids of the keys that they came with."""

    network: tuple[str, ...] = ()
    """Networks of their keys, by the directory as it is today."""

    serial: tuple[str, ...] = ()
    """Serials of their devices, as sent or as their networks write them."""

    older_than: timedelta | None = None
    """They died longer ago than this."""

    younger_than: timedelta | None = None
    """They died within this time."""

    until: datetime | None = None
    """They died by then."""


@dataclass(slots=True, kw_only=True)
class LetterSelection:
    """The letters of a list that are meant, counted as they are met.

    ``directory`` is today's; without one a serial is looked for under its common names, and no letter has a network.
    ``skip_cut``: what is cut is not meant, since it cannot be replayed, and is named instead.
    """

    query: LetterQuery
    directory: Directory | None
    skip_cut: bool = False
    now: datetime = field(default_factory=lambda: datetime.now(UTC))
    counts: Counter[tuple[Reason, str]] = field(default_factory=Counter)
    """How many there are of each reason and key."""
    cut: list[str] = field(default_factory=list)
    """Uplinks that were skipped: their letters hold only the beginning of the message that they came in."""
    named: set[str] = field(default_factory=set)
    """Of the uplinks that were named, those that are on the list, whether they fit the rest of the query or not."""

    async def choose(self, queue: Queue) -> AsyncGenerator[DeadLetter]:
        """Give the letters that are meant, in their order."""
        async for letter in queue.dead_letters():
            if not (self._is_named(letter) and self._fits(letter)):
                continue
            if self.skip_cut and letter.is_cut:
                self.cut.append(letter.uplink_id)
            else:
                self.counts[letter.reason, letter.key_id] += 1
                yield letter

    async def choose_ids(self, queue: Queue) -> set[LetterId]:
        """Give the ids of all that are meant: found once, so that what was counted is what is done."""
        async with aclosing(self.choose(queue)) as letters:
            return {letter.id async for letter in letters}

    async def choose_page(self, queue: Queue, size: int, number: int = 1) -> list[DeadLetter]:
        """Go through all that are meant, so that they are counted, and keep one page; the first is 1."""
        page: list[DeadLetter] = []
        before = (number - 1) * size
        async with aclosing(self.choose(queue)) as letters:
            async for letter in letters:
                if before:
                    before -= 1
                elif len(page) < size:
                    page.append(letter)
        return page

    @property
    def by_reason(self) -> Counter[Reason]:
        """How many there are of each reason."""
        by_reason: Counter[Reason] = Counter()
        for (reason, _), count in self.counts.items():
            by_reason[reason] += count
        return by_reason

    @property
    def missing(self) -> list[str]:
        """The uplinks that were named and are not on the list; known when all letters have been gone through."""
        return sorted(self.query.uplink_ids - self.named)

    def _is_named(self, letter: DeadLetter) -> bool:
        if not self.query.uplink_ids:
            return True
        if letter.uplink_id not in self.query.uplink_ids:
            return False
        self.named.add(letter.uplink_id)
        return True

    def _fits(self, letter: DeadLetter) -> bool:
        query, age = self.query, self.now - letter.died_at
        return (
            (not query.reason or letter.reason in query.reason)
            and (query.older_than is None or age > query.older_than)
            and (query.younger_than is None or age <= query.younger_than)
            and (query.until is None or letter.died_at <= query.until)
            and (not (query.key or query.network or query.serial) or self._fits_uplink(letter))
        )

    def _fits_uplink(self, letter: DeadLetter) -> bool:
        """Compare what only an uplink has; a letter about a whole frame has none that could be read."""
        if letter.envelope is None:
            return False
        query, key = self.query, find_key(letter, self.directory)
        return (
            (not query.key or letter.key_id in query.key)
            and (not query.network or (key is not None and key.network in query.network))
            and (not query.serial or self._fits_serial(find_letter_serial(letter, key), key))
        )

    def _fits_serial(self, serial: str | None, key: AuthorizationKey | None) -> bool:
        if serial is None:
            return False
        network = self.directory.network(key.network) if self.directory is not None and key is not None else None
        rule = SerialRule() if network is None else network.serial
        return any(_write_forms(serial, rule) & _write_forms(wanted, rule) for wanted in self.query.serial)


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


def find_letter_serial(letter: DeadLetter, key: AuthorizationKey | None) -> str | None:
    """Give the serial at the place that the key's map names, else under a common name; None where there is none."""
    maps = [FieldMap()] if key is None else [key.field_map, FieldMap()]
    for uplink in [] if letter.envelope is None else letter.envelope.uplinks():
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
