"""The spine: one request from raw fields to posted records."""

from common.directory.model import AuthorizationKey, Directory, Network
from common.directory.source import DirectorySource
from common.envelope import Envelope
from common.reason import Reason
from workers.grouping import group_into_posts
from workers.mapping import map_all
from workers.outcome import Outcome, RetryLater
from workers.posting import Posting
from workers.resolver import Resolver


class Pipeline:
    """Map, resolve, group, post. Gives one outcome for each uplink, and settles nothing."""

    def __init__(self, directory: DirectorySource, resolver: Resolver, posting: Posting) -> None:
        self._directory = directory
        self._resolver = resolver
        self._posting = posting

    async def process(self, envelope: Envelope) -> list[Outcome]:
        """Carry one request from raw fields to posted records."""
        rules = await self._find_rules(envelope.key_id)
        if rules is None:
            detail = f"the directory has no authorization {envelope.key_id!r}: was it renamed or removed?"
            return [RetryLater(uplink, Reason.KEY_UNKNOWN, detail) for uplink in envelope.uplinks()]
        mapped, unmappable = map_all(envelope.uplinks(), *rules)
        resolved, unresolved = await self._resolver.resolve_all(mapped)
        posts, oversized = group_into_posts(resolved)
        posted = await self._posting.post_all(posts)
        return [*unmappable, *unresolved, *oversized, *posted]

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
