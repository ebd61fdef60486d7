"""Which dead letters a command is about."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated

from cyclopts import Group, Parameter, Token

from common.reason import Reason
from common.remedy import REMEDIES

WHICH = Group("Which letters", sort_key=1)

UNITS = {
    "s": timedelta(seconds=1),
    "m": timedelta(minutes=1),
    "h": timedelta(hours=1),
    "d": timedelta(days=1),
}


def parse_age(text: str) -> timedelta:
    """Read an age such as ``10m``, ``2h`` or ``3d``. Raises ValueError."""
    matched = re.fullmatch(r"([0-9]{1,6})([smhd])", text)
    if matched is None:
        raise ValueError(f'"{text}" is no age: write a whole number and s, m, h or d, as in 10m, 2h or 3d')
    return int(matched[1]) * UNITS[matched[2]]


def _convert_age(_: object, tokens: Sequence[Token]) -> timedelta:
    return parse_age(tokens[0].value)


Age = Annotated[timedelta | None, Parameter(converter=_convert_age, show_default=False)]

Several = Parameter(negative=(), show_default=False)


@Parameter(name="*", group=WHICH)
@dataclass(frozen=True, slots=True, kw_only=True)
class LetterFilter:
    """The flags of a :class:`common.letter_selection.LetterQuery`; a key and a network may also be called by name."""

    reason: Annotated[
        tuple[Reason, ...],
        Parameter(
            negative=(),
            name_transform=str.lower,
            show_choices=False,
            show_default=False,
            help=f"Why they died: {', '.join(REMEDIES)}. May be repeated, as may the next three.",
        ),
    ] = ()
    key: Annotated[tuple[str, ...], Several] = ()
    """Name or id of the authorization key that they came with."""

    network: Annotated[tuple[str, ...], Several] = ()
    """Name or id of the network of their key, by the directory as it is today."""

    serial: Annotated[tuple[str, ...], Several] = ()
    """Serial of their device, as the key's map finds it today, as sent or as its network writes it."""

    older_than: Age = None
    """They died longer ago than this, as in 10m, 2h or 3d."""

    younger_than: Age = None
    """They died within this time."""
