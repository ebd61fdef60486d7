"""Items of a network server that are no uplink, a join or the confirmation of a downlink, and how they are known.

An item is set aside only for what it says itself: one that is merely unlike an uplink is the sender's to mend.
"""

from dataclasses import dataclass, field
from typing import Any, Literal

from common.envelope import Item, Query
from common.fields.field_path import Path, first_value, spell_keys, walk


@dataclass(frozen=True, slots=True)
class Condition:
    """What an item has that is no uplink: the field at ``path``, which says ``value`` (``=``) or another text (``!=``).

    Without a sign it is enough that the field is there and is not null.
    """

    path: Path
    sign: Literal["=", "!="] | None = None
    value: str = ""

    def holds(self, item: Item, query: Query) -> bool:
        """Whether an item meets it, in the body, else in the query."""
        found = self._look_up(item, query)
        match self.sign:
            case None:
                return found is not None
            case "=":
                return bool(found == self.value)
            case "!=":
                return isinstance(found, str) and found != self.value

    def __str__(self) -> str:
        return f"{'.'.join(self.path)}{self.sign or ''}{self.value}"

    def _look_up(self, item: Item, query: Query) -> Any:
        here, _, depth = walk(item, self.path)
        if depth == len(self.path):
            return here
        return first_value(query.get(".".join(self.path), [])) or None


@dataclass(frozen=True, slots=True)
class SetAsideConditions:
    """The conditions of a field map; an item that meets one of them is no uplink."""

    conditions: tuple[Condition, ...]
    _names: frozenset[str] = field(init=False, repr=False, compare=False)
    """How a body or a query begins that can meet one: most uplinks are spared the conditions themselves."""

    def __post_init__(self) -> None:
        first_keys = {name for condition in self.conditions for name in spell_keys(condition.path[0])}
        dotted = {".".join(condition.path) for condition in self.conditions}
        object.__setattr__(self, "_names", frozenset(first_keys | dotted))

    def find(self, item: Item, query: Query) -> Condition | None:
        """Give the first condition that an item meets; None for an uplink."""
        if not isinstance(item, list) and self._names.isdisjoint(item or ()) and self._names.isdisjoint(query):
            return None
        return next((condition for condition in self.conditions if condition.holds(item, query)), None)

    def __str__(self) -> str:
        return ",".join(map(str, self.conditions))
