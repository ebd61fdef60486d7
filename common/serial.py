"""The serial: the hardware's own identifier, and the rule by which a network writes it."""

import string
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, NamedTuple, NewType

Serial = NewType("Serial", str)
"""A serial as its network stores it: only :meth:`SerialRule.normalise` makes one."""

_VISUAL = "-"

PATH_SEGMENTS = frozenset({".", ".."})
"""A client or a server on the way takes these out of a path, and the request would go elsewhere."""

QUOTED_CHARACTERS = 64
"""How much of a malformed serial a message repeats: every real one, but not a whole document sent by mistake."""


class SerialMalformedError(ValueError):
    """The serial does not have the form that its network requires."""

    def __init__(self, serial: str, problem: str, form: str) -> None:
        quoted = serial if len(serial) <= QUOTED_CHARACTERS else f"{serial[:QUOTED_CHARACTERS]}…"
        super().__init__(f"serial {quoted!r} {problem}; the form is {form}")


def check_format(text: str) -> str:
    """Give the format of a network's serials. Raises ValueError where there can be no such serial."""
    bare = text.replace(_VISUAL, "")
    if text and not bare:
        raise ValueError("has only hyphens, which are not stored, so no serial fits; write as in FF-FF-FF-FF")
    if bare in PATH_SEGMENTS:
        raise ValueError("is a step in a path, which no serial may be; write as in FF-FF-FF-FF")
    return text


class _Slot(NamedTuple):
    """What may stand at one place of a serial."""

    allowed: frozenset[str]
    name: str
    example: str


_KEYWORDS = {
    "F": _Slot(frozenset(string.hexdigits), "a hexadecimal digit", "0"),
    "A": _Slot(frozenset(string.ascii_letters), "a letter", "A"),
    "0": _Slot(frozenset(string.digits), "a digit", "0"),
    "P": _Slot(frozenset(string.ascii_letters + string.digits), "a letter or digit", "0"),
}


@dataclass(frozen=True)
class SerialRule:
    """The form of a network's serials.

    In ``format``, ``F`` is a hexadecimal digit, ``A`` a letter, ``0`` a digit, ``P`` a letter or digit, in either case;
    ``-`` is for the eye and not stored; anything else stands for itself, in either case too. Without a format, or with
    an empty one, any serial fits and keeps its hyphens.
    """

    format: str | None = None
    force_case: Literal["upper", "lower"] | None = None

    def normalise(self, serial: str) -> Serial:
        """Strip what the format calls visual and force the case. Raises :class:`SerialMalformedError` on a misfit."""
        if serial in PATH_SEGMENTS:
            raise SerialMalformedError(
                serial, "is a step in a path and cannot be asked for", self.format or "any other"
            )
        if self.format:
            bare = serial.replace(_VISUAL, "") if _VISUAL in self.format else serial
            problem = self._find_misfit(bare)
            if problem is not None:
                raise SerialMalformedError(serial, problem, self.format)
            serial = bare
        return self._force(serial)

    def build_example(self) -> Serial:
        """Give a serial of this form that is hardly the one of a device; never raises, whatever the form."""
        return self._force("".join(slot.example for slot in self._slots) if self.format else "EXAMPLE")

    @cached_property
    def literals(self) -> str:
        """The characters of the format that stand for themselves."""
        return "".join(slot.example for slot in self._slots if slot not in _KEYWORDS.values())

    @cached_property
    def _slots(self) -> list[_Slot]:
        return [_compile(character) for character in self.format or "" if character != _VISUAL]

    def _force(self, serial: str) -> Serial:
        match self.force_case:
            case "upper":
                serial = serial.upper()
            case "lower":
                serial = serial.lower()
            case None:
                pass
        return Serial(serial)

    def _find_misfit(self, bare: str) -> str | None:
        slots = self._slots
        counting = " (hyphens not counted)" if _VISUAL in (self.format or "") else ""
        if len(bare) != len(slots):
            return f"has {len(bare)} characters{counting}, not {len(slots)}"
        for position, (character, slot) in enumerate(zip(bare, slots, strict=True), start=1):
            if character not in slot.allowed:
                return f"has {character!r} as character {position}{counting}, which must be {slot.name}"
        return None


def _compile(character: str) -> _Slot:
    literal = _Slot(frozenset({character, character.upper(), character.lower()}), repr(character), character)
    return _KEYWORDS.get(character.upper(), literal)
