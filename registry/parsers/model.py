"""A parser as it is run, and what comes of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypeAlias

SOURCE_BYTES = 65_536
"""Largest source, in UTF-8."""

PARSER_FAILED = "parser_failed"
"""The reason in the answer to a post whose parser failed."""

Record: TypeAlias = Mapping[str, Any]


class ParserKind(StrEnum):
    """Whose parser it is. They run in this order, and the result of one is the payload of the next."""

    NETWORK = "network"
    CONNECTOR = "connector"
    DEVICE = "device"


@dataclass(frozen=True, slots=True)
class Parser:
    """The source of a parser. ``version_id`` names it: the same id always has the same source."""

    kind: ParserKind
    version_id: str
    source: str


@dataclass(frozen=True, slots=True)
class ParserLimits:
    """How many processes run parsers, and what one parser may take in one run.

    ``seconds`` are of processor time, ``memory`` is bytes of V8's heap; as much again may lie outside of it.
    """

    processes: int = 2
    seconds: float = 1.0
    memory: int = 67_108_864


@dataclass(frozen=True, slots=True)
class ConsoleLine:
    """What a parser said; ``level`` is log, debug or error."""

    kind: ParserKind
    level: str
    text: str


@dataclass(frozen=True, slots=True)
class Decoded:
    """What the parsers made of a payload: records as ``POST /data`` takes them, not yet checked against its limits.

    ``serial`` is what a network's parser set.
    """

    records: Sequence[Record]
    serial: str | None = None
    console: Sequence[ConsoleLine] = ()


@dataclass(frozen=True, slots=True)
class ParserFailed:
    """Why there is no result, and where in the author's source, counted from 1 as far as it is known."""

    kind: ParserKind
    message: str
    line: int | None = None
    column: int | None = None
    console: Sequence[ConsoleLine] = ()

    def __str__(self) -> str:
        place = "" if self.line is None else f", line {self.line}"
        place += "" if self.column is None else f", column {self.column}"
        return f"{self.kind} parser{place}: {self.message}"


ParserOutcome: TypeAlias = Decoded | ParserFailed
