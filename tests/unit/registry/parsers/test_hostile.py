"""Parsers that mean harm, or look like it: none harms another run, parser or process. One test each."""

import asyncio
import resource
from pathlib import Path

import pytest

from tests.unit.registry.parsers.runs import Runs, list_children

pytestmark = pytest.mark.asyncio(loop_scope="module")

PAGE = resource.getpagesize()

TIME_UP = "it took more than 1 s of processor time"
REPLACED = "its process was replaced"


def measure(pid: int) -> int:
    """Give the bytes that a process has in memory."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE


async def test_an_endless_loop_is_ended(runs: Runs) -> None:
    assert (await runs.fail("while (true);")).message == TIME_UP
    await runs.assert_well()


async def test_a_profile_that_wastes_time_keeps_others_waiting_for_no_more_than_one_of_its_runs(runs: Runs) -> None:
    wasting = [asyncio.create_task(runs.run("while (true);", profile="wasteful")) for _ in range(5)]
    await asyncio.sleep(0)
    await asyncio.gather(*(runs.assert_well() for _ in range(20)))
    assert sum(task.done() for task in wasting) <= 2
    for task in wasting:
        task.cancel()
    await asyncio.wait(wasting)


async def test_a_regular_expression_that_never_ends_is_ended(runs: Runs) -> None:
    assert (await runs.fail("/^(a+)+$/.test('a'.repeat(60) + 'b');")).message == TIME_UP
    await runs.assert_well()


async def test_what_never_ends_after_the_run_harms_no_other(runs: Runs) -> None:
    source = "Promise.resolve().then(function again() { Promise.resolve().then(again); }); payload = [];"
    await asyncio.gather(runs.decode(source), runs.assert_well())
    await runs.decode(source)
    await runs.assert_well()


async def test_an_exception_that_cannot_be_written_is_ended(runs: Runs) -> None:
    assert (await runs.fail("throw { toString() { while (true); } };")).message == TIME_UP
    await runs.assert_well()


async def test_a_result_that_cannot_be_written_is_ended(runs: Runs) -> None:
    assert (await runs.fail("payload = [{ toJSON() { while (true); } }];")).message == TIME_UP
    await runs.assert_well()


async def test_a_stack_formatter_that_never_ends_is_ended(runs: Runs) -> None:
    assert (await runs.fail("Error.prepareStackTrace = () => { while (true); }; null.x;")).message == TIME_UP
    await runs.assert_well()


async def test_a_heap_bomb_is_ended(runs: Runs) -> None:
    failed = await runs.fail("const all = []; while (true) all.push(new Array(1000).fill(1.5));")
    assert failed.message == "it took more than 67,108,864 bytes of memory"
    await runs.assert_well()


async def test_a_bomb_outside_of_the_heap_is_ended(runs: Runs) -> None:
    failed = await runs.fail("const all = []; while (true) all.push(new Uint8Array(1e7).fill(1));")
    assert failed.message == "RangeError: Array buffer allocation failed"
    await runs.assert_well()


async def test_one_huge_allocation_takes_at_most_the_process(runs: Runs) -> None:
    failed = await runs.fail("payload = 'a'.repeat(5e8).split('');")
    assert REPLACED in failed.message
    await runs.assert_well()


async def test_a_huge_exception_takes_at_most_the_process(runs: Runs) -> None:
    assert REPLACED in (await runs.fail("throw 'x'.repeat(5e8);")).message
    await runs.assert_well()


async def test_a_huge_result_is_refused(runs: Runs) -> None:
    failed = await runs.fail("payload = [{ variable: 'v', value: 'x'.repeat(2e6) }];")
    assert failed.message == "the result is larger than 1000000 characters"
    await runs.assert_well()


async def test_a_sparse_result_is_refused(runs: Runs) -> None:
    assert (await runs.fail("payload = []; payload[4e9] = 1;")).message
    await runs.assert_well()


async def test_endless_recursion_is_an_error_like_any_other(runs: Runs) -> None:
    failed = await runs.fail("function f() { f(); }\nf();")
    assert str(failed) == "device parser, line 1, column 16: RangeError: Maximum call stack size exceeded"
    await runs.assert_well()


async def test_a_poisoned_prototype_reaches_no_other_parser(runs: Runs) -> None:
    source = "Array.prototype.map = Buffer.from = JSON.parse = () => 'poison'; Object.prototype.value = 'poison';"
    await runs.decode(f"{source} payload = [];")
    await runs.assert_well()


@pytest.mark.parametrize("result", ["5", "undefined", "'{}'", "({ payload: 1, console: 2 })", "({ refused: [] })"])
async def test_whoever_changes_how_json_is_written_gets_an_error_of_his_own(runs: Runs, result: str) -> None:
    assert (await runs.fail(f"Object.prototype.toJSON = () => ({result});")).message
    await runs.assert_well()


async def test_a_result_in_a_circle_is_refused(runs: Runs) -> None:
    assert "circular" in (await runs.fail("payload[0].self = payload;")).message
    await runs.assert_well()


async def test_text_that_is_not_unicode_is_refused(runs: Runs) -> None:
    failed = await runs.fail("payload = [{ variable: 'v', value: '\\ud800' }];")
    assert failed.message.startswith("the result cannot be read as JSON")


async def test_a_deeply_nested_result_is_refused(runs: Runs) -> None:
    source = (
        "let deep = {}; for (let i = 0; i < 900; i++) deep = { deep }; payload = [{ variable: 'v', metadata: deep }];"
    )
    assert (await runs.fail(source)).message == "the result is nested too deeply"
    await runs.assert_well()


async def test_a_deeply_nested_post_harms_nobody(runs: Runs) -> None:
    payload: list[object] = []
    for _ in range(600):
        payload = [payload]
    failed = await runs.fail("payload = [];", payload=payload)
    assert failed.message == "what was posted is nested too deeply, or has a number of more than 64 bits"
    await runs.assert_well()


async def test_garbage_that_many_parsers_leave_is_bounded(runs: Runs) -> None:
    """Fifty parsers with 28 MB each in heaps that nobody collects: the process is replaced on the way."""
    for number in range(50):
        await runs.decode(f"left{number} = new Array(3.5e6).fill(1.5 + {number}); payload = [];")
    assert sum(measure(pid) for pid in list_children()) < 1_200_000_000


async def test_a_body_that_closes_its_function_is_a_syntax_error(runs: Runs) -> None:
    failed = await runs.fail("payload = [];\n}; while (true); {")
    assert failed.line == 2
    assert failed.message.startswith("SyntaxError")
