"""The pool: the order of parsers, its processes, what waits, and how it ends."""

import asyncio
import errno
import os
import signal
from collections.abc import AsyncIterator, Mapping
from types import SimpleNamespace
from typing import Any

import orjson
import pytest

from registry.parsers import pool as module
from registry.parsers import run_queue
from registry.parsers.child import ParserChild, ProcessGoneError
from registry.parsers.model import SOURCE_BYTES, Decoded, ParserFailed, ParserKind, ParserLimits, ParserOutcome
from registry.parsers.pool import ParserPool
from registry.parsers.run_queue import ParsersBusyError, ParsersUnavailableError
from tests.support.waiting import eventually
from tests.unit.registry.parsers.runs import GROUP, PAYLOAD, TIME, Runs, list_children, parser_of

NETWORK, CONNECTOR, DEVICE = ParserKind


@pytest.fixture
async def two() -> AsyncIterator[Runs]:
    """A pool with two processes of its own."""
    async with ParserPool(ParserLimits(processes=2)) as pool:
        yield Runs(pool)


def kill_children() -> None:
    for pid in list_children():
        os.kill(pid, signal.SIGKILL)


async def test_the_result_of_one_is_the_payload_of_the_next(two: Runs) -> None:
    add = "payload.push({ variable: 'NAME', value: payload.length + raw_payload.length });"
    parsers = [parser_of(add.replace("NAME", kind), kind) for kind in ParserKind]
    decoded = await two.decode(*parsers)
    shown = [(record["variable"], record["value"]) for record in decoded.records]
    assert shown == [("payload", "0a8c5f"), ("network", 2), ("connector", 3), ("device", 4)]


async def test_each_parser_has_the_payload_and_nothing_else_of_the_one_before(two: Runs) -> None:
    parsers = [
        parser_of("secret = 1; serial = 'A'; payload = [];", NETWORK),
        parser_of("payload = [{ variable: 'seen', value: typeof secret + typeof serial }];", CONNECTOR),
    ]
    assert (await two.decode(*parsers)).records[0]["value"] == "undefinedundefined"


async def test_only_a_networks_parser_sets_the_serial(two: Runs) -> None:
    parsers = [parser_of(f"serial = '{kind}'; payload = [];", kind) for kind in ParserKind]
    assert (await two.decode(*parsers)).serial == "network"
    assert (await two.decode(*parsers[1:])).serial is None


@pytest.mark.parametrize("payload", ["A;1", {"a": [1]}, 5, None, True, []])
async def test_whatever_was_posted_is_the_payload_as_it_came(two: Runs, payload: Any) -> None:
    source = "payload = [{ variable: 'v', value: JSON.stringify([payload, raw_payload]) }];"
    records = (await two.decode(source, payload=payload)).records
    assert orjson.loads(records[0]["value"]) == [payload, payload]


async def test_a_failure_names_its_parser_and_has_the_console_of_all_that_ran(two: Runs) -> None:
    parsers = [
        parser_of("console.log('one');", NETWORK),
        parser_of("console.error('two');\nnull.x;", CONNECTOR),
        parser_of("console.log('three');", DEVICE),
    ]
    failed = await two.fail(*parsers)
    assert str(failed) == "connector parser, line 2, column 6: TypeError: Cannot read properties of null (reading 'x')"
    assert [(line.kind, line.level, line.text) for line in failed.console] == [
        (NETWORK, "log", "one"),
        (CONNECTOR, "error", "two"),
    ]


async def test_a_result_that_is_no_record_is_the_last_parsers_failure(two: Runs) -> None:
    failed = await two.fail(parser_of("", NETWORK), parser_of("payload = [5];", CONNECTOR))
    assert str(failed) == "connector parser: Record 0 must be an object"


async def test_records_without_group_or_time_have_those_of_what_was_posted(two: Runs) -> None:
    assert (await two.decode("payload = [{ variable: 'v' }];")).records == [
        {"variable": "v", "group": GROUP, "time": TIME}
    ]


async def test_a_source_that_is_too_large_is_not_run(two: Runs) -> None:
    failed = await two.fail("payload = [];" + " " * SOURCE_BYTES)
    assert failed.message == "its source has 65,549 bytes; at most 65,536 are run"
    assert list_children() == []
    assert isinstance(await two.run("payload = [];".ljust(SOURCE_BYTES)), Decoded)


async def test_a_parser_is_compiled_without_being_run(two: Runs) -> None:
    assert isinstance(await two.pool.compile(parser_of("while (true);")), Decoded)
    assert isinstance(await two.pool.compile(parser_of("while (true")), ParserFailed)


async def test_a_new_version_is_another_parser(two: Runs) -> None:
    for value in ("first", "second", "first"):
        assert (await two.decode(f"payload = [{{ variable: '{value}' }}];")).records[0]["variable"] == value


async def test_an_endless_loop_keeps_no_other_run_waiting(two: Runs) -> None:
    """With two processes, one is free."""
    looping = asyncio.create_task(two.run("while (true);"))
    await eventually(lambda: len(list_children()) == 1)
    for _ in range(20):
        await two.assert_well()
    assert not looping.done()
    assert "processor time" in str(await looping)


async def test_no_process_is_started_before_it_is_needed() -> None:
    async with ParserPool(ParserLimits(processes=2)) as pool:
        assert list_children() == []
        await Runs(pool).assert_well()
        assert len(list_children()) == 1
    assert list_children() == []


async def test_a_process_that_was_killed_is_replaced_and_nobody_hears_of_it(two: Runs) -> None:
    await two.assert_well()
    kill_children()
    await two.assert_well()


async def test_a_run_whose_process_is_killed_is_tried_again(two: Runs) -> None:
    await two.assert_well()
    running = asyncio.create_task(two.run("const end = Date.now() + 300; while (Date.now() < end); payload = [];"))
    await asyncio.sleep(0)
    kill_children()
    assert isinstance(await running, Decoded)


async def test_a_process_that_is_killed_as_it_starts_is_started_again(two: Runs) -> None:
    running = asyncio.create_task(two.run("payload = [];"))
    await eventually(list_children)
    kill_children()
    assert isinstance(await running, Decoded)


async def test_a_run_whose_processes_all_die_has_failed(two: Runs, monkeypatch: pytest.MonkeyPatch) -> None:
    async def die(*_: object) -> dict[str, Any]:
        raise ProcessGoneError

    monkeypatch.setattr(ParserChild, "run", die)
    assert "its process was replaced" in (await two.fail("payload = [];")).message


async def test_a_pool_whose_processes_do_not_start_says_so(two: Runs, monkeypatch: pytest.MonkeyPatch) -> None:
    async def stay_away(*_: object) -> ParserChild:
        raise ProcessGoneError

    monkeypatch.setattr(ParserChild, "start", stay_away)
    for _ in range(3):
        with pytest.raises(ParsersUnavailableError, match="No parser process can be started"):
            await two.run("payload = [];")


async def test_a_pool_that_may_start_no_process_says_so_and_goes_on_once_it_may(
    two: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuse(*_: object, **__: object) -> None:
        raise BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable")

    with monkeypatch.context() as full:
        full.setattr(asyncio, "create_subprocess_exec", refuse)
        for _ in range(3):
            with pytest.raises(ParsersUnavailableError, match="No parser process can be started"):
                await two.run("payload = [];")
    await two.assert_well()


async def test_an_answer_that_cannot_be_read_is_no_end_of_the_pool(two: Runs, monkeypatch: pytest.MonkeyPatch) -> None:
    async def answer(*_: object) -> dict[str, Any]:
        raise orjson.JSONDecodeError("no JSON", "", 0)

    await two.assert_well()
    with monkeypatch.context() as broken:
        broken.setattr(ParserChild, "run", answer)
        for _ in range(3):
            with pytest.raises(orjson.JSONDecodeError):
                await two.run("payload = [];")
    await two.assert_well()


class Stub:
    """Stands in for a process: what it has begun, and when it may answer. A run takes the seconds of its payload."""

    def __init__(self) -> None:
        self.begun: list[tuple[str, Any]] = []
        self.may_answer = asyncio.Event()
        self.seconds = 0.0
        self.ends: set[str] = set()
        """Profiles whose runs end the process."""

    async def run(self, _: object, run: Mapping[str, Any]) -> dict[str, Any]:
        seconds = orjson.loads(orjson.dumps(run["payload"]))
        self.begun.append((run["device"]["id"], seconds))
        await self.may_answer.wait()
        self.seconds += seconds
        return {"payload": [], "serial": None, "ends": run["device"]["id"] in self.ends}

    async def kill(self) -> None:
        pass

    def post(self, pool: ParserPool, profile: str, seconds: float) -> asyncio.Task[ParserOutcome]:
        device = {"id": profile}
        return asyncio.create_task(
            pool.run([parser_of("")], seconds, raw_payload=seconds, device=device, profile=profile)
        )


@pytest.fixture
def stub(monkeypatch: pytest.MonkeyPatch) -> Stub:
    stub = Stub()

    async def start(*_: object) -> Stub:
        return stub

    monkeypatch.setattr(ParserChild, "start", start)
    monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: stub.seconds))
    return stub


@pytest.mark.parametrize("processes", [1, 2])
async def test_a_profile_with_slow_parsers_keeps_nobody_else_waiting(stub: Stub, processes: int) -> None:
    """Its runs that are in hand end; then the others' come first, until they have taken as long as one of its own."""
    async with ParserPool(ParserLimits(processes=processes)) as pool:
        slow = [stub.post(pool, "slow", 1.0) for _ in range(20)]
        await eventually(lambda: len(stub.begun) == processes)
        quick = [stub.post(pool, name, 0.001) for _ in range(10) for name in ("quick", "other")]
        await asyncio.sleep(0)
        stub.may_answer.set()
        await asyncio.gather(*slow, *quick)
    order = [profile for profile, _ in stub.begun]
    assert order[:processes] == ["slow"] * processes
    assert set(order[processes : processes + 20]) == {"quick", "other"}
    assert order[processes + 20 :] == ["slow"] * (20 - processes)


async def test_who_ends_its_process_pays_for_the_next_one(stub: Stub, monkeypatch: pytest.MonkeyPatch) -> None:
    async def start(*_: object) -> Stub:
        stub.seconds += 1.0
        return stub

    monkeypatch.setattr(ParserChild, "start", start)
    stub.ends = {"killer"}
    async with ParserPool(ParserLimits(processes=1)) as pool:
        first = stub.post(pool, "first", 0.001)
        await eventually(lambda: stub.begun)
        posted = [stub.post(pool, name, 0.001) for _ in range(3) for name in ("killer", "other")]
        await asyncio.sleep(0)
        stub.may_answer.set()
        await asyncio.gather(first, *posted)
    assert [profile for profile, _ in stub.begun] == ["first", "killer", *["other"] * 3, "killer", "killer"]


async def test_a_next_process_that_meets_a_bug_ends_no_worker(stub: Stub, monkeypatch: pytest.MonkeyPatch) -> None:
    starts = iter([None, RuntimeError("a bug"), None])

    async def start(*_: object) -> Stub:
        if error := next(starts):
            raise error
        return stub

    monkeypatch.setattr(ParserChild, "start", start)
    stub.ends = {"killer"}
    stub.may_answer.set()
    async with ParserPool(ParserLimits(processes=1)) as pool:
        assert isinstance(await stub.post(pool, "killer", 0.001), Decoded)
        assert isinstance(await asyncio.wait_for(stub.post(pool, "other", 0.001), 5), Decoded)


async def test_a_run_that_has_waited_too_long_is_refused_and_never_begun(
    stub: Stub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_queue, "LONGEST_WAIT_SECONDS", 0.0)
    async with ParserPool(ParserLimits(processes=1)) as pool:
        running = stub.post(pool, "A", 1)
        await eventually(lambda: stub.begun)
        with pytest.raises(ParsersBusyError, match="Too many posts wait"):
            await stub.post(pool, "A", 2)
        stub.may_answer.set()
        assert isinstance(await running, Decoded)
    assert stub.begun == [("A", 1)]


async def test_a_run_that_nobody_waits_for_any_more_is_never_begun(stub: Stub) -> None:
    async with ParserPool(ParserLimits(processes=1)) as pool:
        running, gone, waiting = [stub.post(pool, "A", seconds) for seconds in (1, 2, 3)]
        await eventually(lambda: stub.begun)
        gone.cancel()
        stub.may_answer.set()
        await asyncio.gather(running, waiting)
    assert stub.begun == [("A", 1), ("A", 3)]


async def test_too_many_waiting_runs_are_refused_and_those_of_another_profile_are_not(
    stub: Stub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_queue, "MOST_WAITING", 4)
    async with ParserPool(ParserLimits(processes=1)) as pool:
        running = stub.post(pool, "A", 1)
        await eventually(lambda: stub.begun)
        waiting = [stub.post(pool, profile, 1) for profile in "AAABB"]
        await asyncio.sleep(0)
        stub.may_answer.set()
        outcomes = await asyncio.gather(running, *waiting, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [
        *(Decoded, Decoded, Decoded, ParsersBusyError),
        *(Decoded, ParsersBusyError),
    ]


async def test_whoever_gives_up_leaves_the_process_to_the_next(two: Runs) -> None:
    await two.assert_well()
    given_up = asyncio.create_task(two.run("const end = Date.now() + 300; while (Date.now() < end); payload = [];"))
    await asyncio.sleep(0)
    given_up.cancel()
    with pytest.raises(asyncio.CancelledError):
        await given_up
    await two.assert_well()


async def test_closing_ends_what_runs_and_what_waits() -> None:
    async with ParserPool(ParserLimits(processes=1)) as pool:
        runs = Runs(pool)
        await runs.assert_well()
        running = [asyncio.create_task(runs.run("while (true);")) for _ in range(3)]
        await asyncio.sleep(0)
    outcomes = await asyncio.gather(*running, return_exceptions=True)
    assert {type(outcome) for outcome in outcomes} == {ParsersUnavailableError}
    assert list_children() == []
    with pytest.raises(ParsersUnavailableError):
        await runs.run("payload = [];")


async def test_a_parser_that_is_not_warm_any_more_is_sent_again(two: Runs) -> None:
    """What the process has forgotten, and the registry believes that it has."""
    await two.assert_well()
    parser = parser_of("payload = [{ variable: 'v', value: 1 }];")
    child = await ParserChild.start(ParserLimits())
    run = {"parsers": [["device", parser.version_id]], "payload": PAYLOAD, "raw_payload": None, "device": {}}
    child._sent.add(parser.version_id)
    answer = await child.run({parser.version_id: parser.source}, {**run, "compile_only": False})
    assert answer["payload"] == [{"variable": "v", "value": 1}]
    await child.kill()


async def test_an_error_of_our_own_is_logged_and_no_parsers_fault(two: Runs, monkeypatch: pytest.MonkeyPatch) -> None:
    async def break_down(*_: object) -> dict[str, Any]:
        return {"broken": "Traceback …"}

    await two.assert_well()
    monkeypatch.setattr(ParserChild, "run", break_down)
    with pytest.raises(RuntimeError, match="an error of its own"):
        await two.run("payload = [];")
