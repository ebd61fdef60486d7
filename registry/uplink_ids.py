"""``Sluice-Uplinks``: the uplinks whose records a post holds, so that each is stored once, however often it comes."""

import re
from collections.abc import Iterable

from registry.refusal import invalid

HEADER = "Sluice-Uplinks"

MOST_IDS = 100

_UPLINK_ID = re.compile(r"[0-9a-f]{24}/[0-9]{1,9}")


def parse_uplink_ids(header: str) -> tuple[str, ...]:
    """Read ``group/index,group/index``, each id once. Raises :class:`registry.refusal.RefusedError` (400)."""
    return check_uplink_ids([part.strip() for part in header.split(",") if part.strip()])


def check_uplink_ids(named: Iterable[str]) -> tuple[str, ...]:
    """Check the ids, and give each once. Raises :class:`registry.refusal.RefusedError` (400)."""
    ids = tuple(dict.fromkeys(named))
    if len(ids) > MOST_IDS:
        raise invalid(f"{HEADER} names {len(ids):,} uplinks; at most {MOST_IDS} may share a post")
    for uplink_id in ids:
        if not _UPLINK_ID.fullmatch(uplink_id):
            raise invalid(f"{HEADER}: {uplink_id[:40]!r} is no uplink id; write group/index, separated by commas")
    return ids
