"""The spine: one request from raw fields to posted records."""

from common.directory.model import AuthorizationKey, Directory, Network
from common.directory.source import DirectorySource
from common.envelope import Envelope
from common.reason import Reason
from workers.events import NOBODY_HEARS, WorkerEvents
from workers.grouping import group_into_posts
from workers.key_watch import KeyWatch
from workers.mapping import map_all
from workers.outcome import Outcome, RetryLater
from workers.posting import Posting
from workers.resolver import Resolver


class Pipeline:
    """Map, resolve, group, post. Gives one outcome for each uplink, and settles nothing."""

    def __init__(
        self,
        directory: DirectorySource,
        resolver: Resolver,
        posting: Posting,
        key_watch: KeyWatch,
        events: WorkerEvents = NOBODY_HEARS,
    ) -> None:
        self._directory = directory
        self._key_watch = key_watch
        self._resolver = resolver
        self._posting = posting
        self._events = events

    async def process(self, envelope: Envelope) -> list[Outcome]:
        """Carry one request from raw fields to posted records, unless its key is held back."""
        if not self._key_watch.admits(envelope):
            return self._key_watch.hold_back(envelope)
        outcomes = await self._carry(envelope)
        self._key_watch.note(envelope.key_id, outcomes)
        return outcomes

    async def _carry(self, envelope: Envelope) -> list[Outcome]:
        rules = await self._find_rules(envelope.key_id)
        if rules is None:
            return self._put_off(envelope)
        events = self._events.begin(envelope)
        mapped, unmappable = map_all(envelope.uplinks(), *rules)
        events.mapped(mapped)
        resolved, unresolved = await self._resolver.resolve_all(mapped)
        events.resolved(resolved)
        posts, oversized = group_into_posts(resolved)
        posted = await self._posting.post_all(posts, events)
        return [*unmappable, *unresolved, *oversized, *posted]

    def _put_off(self, envelope: Envelope) -> list[Outcome]:
        """Try again later: the key may be in a directory that cannot be read now, or be put back."""
        reason = Reason.KEY_UNKNOWN
        detail = f"the directory has no authorization {envelope.key_id!r}: was it renamed or removed?"
        if self._directory.degraded is not None:
            reason = Reason.DIRECTORY_UNAVAILABLE
            detail = f"the directory has no authorization {envelope.key_id!r} yet: {self._directory.degraded}"
        return [RetryLater(uplink, reason, detail) for uplink in envelope.uplinks()]

    async def _find_rules(self, key_id: str) -> tuple[AuthorizationKey, Network] | None:
        """Give the key and its network as they are today; a key that is not known is looked for once more."""
        rules = _rules_of(self._directory.current, key_id)
        if rules is None:
            await self._directory.refresh()
            rules = _rules_of(self._directory.current, key_id)
        return rules


def _rules_of(directory: Directory, key_id: str) -> tuple[AuthorizationKey, Network] | None:
    key = directory.key(key_id)
    network = key and directory.network(key.network)
    return (key, network) if key and network else None
