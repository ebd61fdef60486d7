"""Decoders of every common form come to what Node.js made of them (tests/support/run_parsers.js)."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from registry.parsers.model import Decoded, Parser, ParserFailed, ParserKind
from tests.unit.registry.parsers.runs import Runs

FOLDER = Path(__file__).parents[3] / "data" / "parsers"

INHERITED = {"group", "time"}
"""What a record gets of the payload where the parser gives it none; Node.js shows what the parser gave."""

pytestmark = pytest.mark.asyncio(loop_scope="module")


def find_runs() -> Iterator[Any]:
    for file in sorted(FOLDER.glob("*.json")):
        document = orjson.loads(file.read_bytes())
        source = file.with_suffix(".js").read_text()
        for index, run in enumerate(document["runs"]):
            yield pytest.param(Parser(ParserKind(document["kind"]), file.stem, source), run, id=f"{file.stem}-{index}")


def expect_records(run: dict[str, Any]) -> list[dict[str, Any]]:
    """Write the records of Node.js as TagoIO's rules have them."""
    expected = []
    for fields in run["result"]["payload"]:
        record = {name: value for name, value in fields.items() if value is not None}
        for name in {"group", "serie"} & record.keys():
            record[name] = str(record[name])
        expected.append(record)
    return expected


@pytest.mark.parametrize(("parser", "run"), list(find_runs()))
async def test_a_parser_comes_to_what_node_made_of_it(runs: Runs, parser: Parser, run: dict[str, Any]) -> None:
    outcome = await runs.run(parser, payload=run["payload"], device=run["device"])
    expected = run["result"]
    if "error" in expected:
        assert isinstance(outcome, ParserFailed), outcome
        assert (outcome.line, outcome.column) == (expected.get("line"), expected.get("column"))
        if "line" in expected:
            assert outcome.message.startswith(expected["error"])
    else:
        assert isinstance(outcome, Decoded), str(outcome)
        records = expect_records(run)
        for record, wanted in zip(outcome.records, records, strict=True):
            given = {name: value for name, value in record.items() if name in wanted or name not in INHERITED}
            assert given == wanted
        assert outcome.serial == (expected["serial"] if parser.kind is ParserKind.NETWORK else None)
    assert [[line.level, line.text] for line in outcome.console] == expected["console"]


async def test_the_corpus_is_large_enough_to_mean_something() -> None:
    assert len(list(FOLDER.glob("*.js"))) >= 30
