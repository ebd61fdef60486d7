"""What a parser is given beside the language: Buffer and dayjs as the originals have them, timeUtils, console."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.unit.registry.parsers.runs import Runs

FOLDER = Path(__file__).parents[3] / "data" / "parsers"

AT_A_TIME = 150
"""Expressions of one parser, which may have 64 kB."""

EVALUATE = """
const results = [];
const attempt = (f) => {
  try {
    results.push(JSON.stringify({ value: f() }, (_, v) => (typeof v === "bigint" ? `${v}n` : v)));
  } catch (error) {
    results.push(JSON.stringify({ name: error.name, code: error.code ?? null, message: error.message }));
  }
};
"""

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def evaluate_all(runs: Runs, expressions: list[str]) -> list[Any]:
    found: list[Any] = []
    for first in range(0, len(expressions), AT_A_TIME):
        attempts = "\n".join(f"attempt(() => ({each}));" for each in expressions[first : first + AT_A_TIME])
        source = f"{EVALUATE}{attempts}\npayload = results.map((value) => ({{ variable: 'result', value }}));"
        found += [json.loads(record["value"]) for record in (await runs.decode(source)).records]
    return found


@pytest.mark.parametrize("name", ["buffer", "dayjs"])
async def test_an_expression_has_the_value_that_the_original_gives_it(runs: Runs, name: str) -> None:
    """Values and errors are those of Node.js, and of Day.js on it (tests/support/evaluate_expressions.js)."""
    cases = json.loads((FOLDER / name / "expressions.json").read_text())
    found = await evaluate_all(runs, [case["expression"] for case in cases])
    differences = [
        (case["expression"], case["result"], got)
        for case, got in zip(cases, found, strict=True)
        if case["result"] != got
    ]
    assert differences == []
    assert len(cases) > 400


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        ("compareTimezones('2023-01-01T12:00:00.000Z', 'UTC', '2023-01-01T10:00:00.000-03:00', 'UTC')", -1),
        ("compareTimezones('2023-01-01T12:00:00', 'UTC', '2023-01-01T09:00:00', 'America/Sao_Paulo')", 0),
        ("convertTimezone('2023-01-01T12:00:00.000Z', 'UTC', 'America/New_York')", "2023-01-01T07:00:00.000-05:00"),
        ("convertTimezone('2023-07-01T12:00:00', 'Europe/Paris', 'UTC')", "2023-07-01T10:00:00.000Z"),
        ("formatInTimezone(0, 'Europe/Paris', '%Y-%m-%d %H:%M:%S %z')", "1970-01-01 01:00:00 +0100"),
        ("formatInTimezone('2024-02-29T23:59:00Z', 'Asia/Tokyo', '%a %e %B %j %F %T %:z %%')",
         "Fri  1 March 061 2024-03-01 08:59:00 +09:00 %"),
        ("formatInTimezone(new Date(1709251140000), 'UTC', '%A %d.%m.%y %I:%M %p %s')",
         "Thursday 29.02.24 11:59 PM 1709251140"),
        ("getTimezoneOffset('2023-07-01T00:00:00Z', 'America/New_York')", -240),
        ("getTimezoneOffset('2023-01-01T00:00:00Z', 'Asia/Kolkata')", 330),
        ("getTimezoneAbbreviation('2023-07-01T00:00:00Z', 'America/New_York')", "EDT"),
        ("getTimezoneInfo('Asia/Kolkata').offset", 330),
        ("isValidTimezone('America/Los_Angeles')", True),
        ("isValidTimezone('Mars/Phobos')", False),
        ("listTimezones().includes('Europe/Berlin')", True),
        ("nowInTimezone('Asia/Tokyo').endsWith('+09:00')", True),
    ],
)  # fmt: skip
async def test_time_utils_know_time_zones(runs: Runs, call: str, expected: Any) -> None:
    assert await runs.evaluate(f"timeUtils.{call}") == expected


async def test_time_utils_say_what_is_no_time_zone(runs: Runs) -> None:
    failed = await runs.fail("timeUtils.convertTimezone('2023-01-01T00:00:00Z', 'UTC', 'Mars/Phobos')")
    assert str(failed) == "device parser, line 1, column 11: Error: Invalid timezone: Mars/Phobos"


async def test_the_console_is_bounded(runs: Runs) -> None:
    decoded = await runs.decode("for (let i = 0; i < 1000; i++) console.log('x'.repeat(1e5)); payload = [];")
    assert len(decoded.console) == 100
    assert {len(line.text) for line in decoded.console} == {1000}


async def test_the_console_shows_values_as_people_read_them(runs: Runs) -> None:
    source = """
    const circle = { name: 'o' }; circle.self = circle;
    console.log(circle, [1, [2]], new Date(0), null, undefined, -0, 10n, /x/g);
    console.warn({ a: { b: { c: { d: { e: 1 } } } } }, new Map(), Symbol('s'), () => 1, Buffer.from('ab'));
    payload = [];
    """
    decoded = await runs.decode(source)
    assert [(line.level, line.text) for line in decoded.console] == [
        (
            "log",
            "{ name: 'o', self: [Circular] } [ 1, [ 2 ] ] 1970-01-01T00:00:00.000Z null undefined -0 10n /x/g",
        ),
        ("error", "{ a: { b: { c: { d: [Object] } } } } {} Symbol(s) [Function: (anonymous)] <Buffer 61 62>"),
    ]


async def test_local_time_is_utc(runs: Runs) -> None:
    assert await runs.evaluate("new Date(2026, 0, 1).toISOString()") == "2026-01-01T00:00:00.000Z"
