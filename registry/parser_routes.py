"""Payload parsers that are tried on a sample before they are saved."""

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from typing import Any, Final

from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response

from registry.answer import answer
from registry.caller import Caller
from registry.form import PARSER_BYTES, Form, Params, Parser, Tags
from registry.ids import Id
from registry.operations import Operation
from registry.parsers.model import Decoded, ParserFailed, ParserKind, ParserOutcome
from registry.parsers.pool import ParserPool
from registry.parsers.run_queue import ParsersUnavailableError
from registry.parsers.stored import read_parser
from registry.parsers.trial import SAMPLE_ID, find_problem
from registry.refusal import unavailable
from registry.request import BODY_BYTES, read_document

PARSER_TEST = "/parser/test"

TRIAL_BYTES: Final = BODY_BYTES + 2 * PARSER_BYTES
"""Largest body: the largest post, and the largest parser in base64."""


class SampleDevice(Form):
    """What a parser sees of the device that it is tried for."""

    id: Id = SAMPLE_ID
    tags: Tags = Field(default=[])
    params: Params = Field(default=[])


class ParserTrial(Form):
    """A parser to be tried. ``payload`` is what is posted: records, other JSON, or a string for text."""

    kind: ParserKind = ParserKind.DEVICE
    payload_decoder: Parser
    payload: Any
    device: SampleDevice = SampleDevice()


class ParserRoutes:
    """What profiles try."""

    def __init__(self, caller: Caller, pool: ParserPool) -> None:
        self._caller = caller
        self._pool = pool
        self._turns: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        """One trial of each profile at a time, so that it never has every process, which its devices wait for."""

    @property
    def operations(self) -> Sequence[Operation]:
        """What there is to be done."""
        return [
            Operation("POST", PARSER_TEST, self._test, "Run a parser on a sample, and store nothing", body=ParserTrial)
        ]

    async def _test(self, request: Request) -> Response:
        profile = await self._caller.profile(request)
        trial = await read_document(request, ParserTrial, TRIAL_BYTES)
        return answer(_write_outcome(await self._run(trial, profile.id)))

    async def _run(self, trial: ParserTrial, profile: str) -> ParserOutcome:
        device = trial.device
        described = {
            "id": device.id,
            "tags": [tag.model_dump() for tag in device.tags],
            "params": [param.model_dump(include={"key", "value", "sent"}) for param in device.params],
        }
        parser = read_parser(trial.kind, trial.payload_decoder)
        async with self._turns[profile]:
            try:
                return await self._pool.run(
                    [parser], trial.payload, raw_payload=trial.payload, device=described, profile=profile
                )
            except ParsersUnavailableError as error:
                raise unavailable(str(error)) from None


def _write_outcome(outcome: ParserOutcome) -> dict[str, Any]:
    """Describe what came of it: that a parser fails is what its author wanted to know, and no error of the request."""
    failed = outcome if isinstance(outcome, ParserFailed) else None
    decoded = outcome if isinstance(outcome, Decoded) else Decoded([])
    return {
        "records": decoded.records,
        "serial": decoded.serial,
        "console": [{"level": line.level, "text": line.text} for line in outcome.console],
        "problem": find_problem(outcome),
        "line": failed and failed.line,
        "column": failed and failed.column,
    }
