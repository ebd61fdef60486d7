"""Parsers that tests run."""

import hashlib
import os
from pathlib import Path
from typing import Any

from registry.parsers.model import Decoded, Parser, ParserFailed, ParserKind, ParserOutcome
from registry.parsers.pool import ParserPool

GROUP = "65e1b2c3d4e5f60718293a4b"
TIME = "2026-03-01T10:20:30.000Z"
PAYLOAD = [{"variable": "payload", "value": "0a8c5f", "group": GROUP, "time": TIME}]
DEVICE: dict[str, Any] = {"id": "65e1b2c3d4e5f60718293a00", "tags": [], "params": []}


def parser_of(source: str, kind: ParserKind = ParserKind.DEVICE, version_id: str | None = None) -> Parser:
    return Parser(kind, version_id or hashlib.sha256(source.encode()).hexdigest(), source)


def list_children() -> list[int]:
    """Give the processes that this one has started and not yet waited for."""
    tasks = Path(f"/proc/{os.getpid()}/task")
    return [int(pid) for task in tasks.iterdir() for pid in (task / "children").read_text().split()]


class Runs:
    """Runs parsers on a pool."""

    def __init__(self, pool: ParserPool) -> None:
        self.pool = pool

    async def run(
        self,
        *sources: str | Parser,
        payload: Any = PAYLOAD,
        device: dict[str, Any] | None = None,
        profile: str = "",
    ) -> ParserOutcome:
        parsers = [source if isinstance(source, Parser) else parser_of(source) for source in sources]
        return await self.pool.run(parsers, payload, raw_payload=payload, device=device or DEVICE, profile=profile)

    async def decode(
        self, *sources: str | Parser, payload: Any = PAYLOAD, device: dict[str, Any] | None = None
    ) -> Decoded:
        outcome = await self.run(*sources, payload=payload, device=device)
        assert isinstance(outcome, Decoded), str(outcome)
        return outcome

    async def fail(self, *sources: str | Parser, payload: Any = PAYLOAD) -> ParserFailed:
        outcome = await self.run(*sources, payload=payload)
        assert isinstance(outcome, ParserFailed), outcome
        return outcome

    async def evaluate(self, expression: str) -> Any:
        """Give the value of an expression, as a record's value."""
        decoded = await self.decode(f"payload = [{{ variable: 'v', value: ({expression}) }}];")
        return decoded.records[0].get("value")

    async def assert_well(self) -> None:
        """See that the pool runs other parsers as if nothing had happened."""
        assert await self.evaluate("Buffer.from('0102', 'hex').readUInt16BE(0)") == 258
