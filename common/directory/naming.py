"""Which key or network is meant by what a person calls it: its id, or a name that it alone has."""

from collections.abc import Sequence
from difflib import get_close_matches
from typing import TypeVar

from common.directory.model import AuthorizationKey, Directory, Network

Entry = TypeVar("Entry", AuthorizationKey, Network)

SHOWN_NAMES = 10
"""Of those that there are: a registry may have 100,000 keys."""


class NotIdentifiedError(Exception):
    """No key or network, or no single one, is called so. The message says what there is instead, and holds no token."""


class UnknownNameError(NotIdentifiedError):
    """The directory has nothing of this id or name."""


class AmbiguousNameError(NotIdentifiedError):
    """Several have this name; the message has their ids."""


def identify_key(directory: Directory, called: str) -> AuthorizationKey:
    """Give the key with this id, else the one with this name. Raises :class:`NotIdentifiedError`."""
    return directory.key(called) or _find_by_name("key", directory.keys, called)


def identify_network(directory: Directory, called: str) -> Network:
    """Give the network with this id, else the one with this name. Raises :class:`NotIdentifiedError`."""
    return directory.network(called) or _find_by_name("network", directory.networks, called)


def _find_by_name(kind: str, entries: Sequence[Entry], called: str) -> Entry:
    match [entry for entry in entries if entry.name == called]:
        case [entry]:
            return entry
        case []:
            names = sorted({entry.name for entry in entries})
            raise UnknownNameError(f"the directory has no {kind} {called!r}; {_suggest(called, names)}")
        case several:
            ids = ", ".join(entry.id for entry in several)
            raise AmbiguousNameError(f"there are {len(several)} {kind}s {called!r}; name one by its id: {ids}")


def _suggest(called: str, names: Sequence[str]) -> str:
    if close := get_close_matches(called, names, n=1):
        return f"did you mean {close[0]}?"
    more = len(names) - SHOWN_NAMES
    shown = ", ".join(names[:SHOWN_NAMES]) or "none"
    return f"it has {shown} and {more:,} more" if more > 0 else f"it has {shown}"
