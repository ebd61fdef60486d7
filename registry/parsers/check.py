"""Parsers are compiled before they are kept, so that their author learns at once of what cannot be run."""

from typing import Protocol

from registry.parsers.model import ParserFailed, ParserKind
from registry.parsers.pool import ParserPool
from registry.parsers.run_queue import ParsersUnavailableError
from registry.parsers.stored import read_parser
from registry.refusal import invalid, unavailable


class HasParser(Protocol):
    """What may bring a parser, in UTF-8 and then in base64."""

    @property
    def payload_decoder(self) -> str | None:
        """The parser; None: there is none, or none is said."""


class ParserCheck:
    """Checks what is about to be saved. What was saved before there was such a check stays as it is."""

    def __init__(self, pool: ParserPool) -> None:
        self._pool = pool

    async def check(self, kind: ParserKind, saved: HasParser, profile: str) -> None:
        """Raise :class:`registry.refusal.RefusedError`: 400 for what is no JavaScript, 503 while nothing can tell."""
        if not saved.payload_decoder:
            return
        try:
            outcome = await self._pool.compile(read_parser(kind, saved.payload_decoder), profile)
        except ParsersUnavailableError as error:
            raise unavailable(str(error)) from None
        if isinstance(outcome, ParserFailed):
            raise invalid(f"payload_decoder: {outcome}")
