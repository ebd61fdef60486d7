"""What the tester of a key is given. Explaining needs the code of the roles, so whoever makes the console brings it."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeAlias


@dataclass(frozen=True, slots=True)
class Sample:
    """A request as a gateway would send it, and the rules to read it by: the map, and how the network writes serials.

    ``case`` is ``upper``, ``lower`` or None.
    """

    body: str
    query: str
    field_map: str
    mask: str | None
    case: str | None


ExplainBody: TypeAlias = Callable[[Sample], Awaitable[dict[str, Any]]]
"""Gives what ``sluice explain --json`` prints, or ``{"not_explained": why}``."""
