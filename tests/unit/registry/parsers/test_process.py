"""A parser process, with isolates that only say whose source they have."""

from typing import Any

import pytest

from registry.parsers import process as module
from registry.parsers.process import ParserProcess


class SaysItsSource:
    """Takes the place of an isolate."""

    usable = True

    def __init__(self, source: str, *_: object, **__: object) -> None:
        self.source = source

    def run(self, _: str) -> dict[str, Any]:
        self.usable = self.source != "spoils itself"
        return {"payload": [], "console": [["log", self.source]]}

    def close(self) -> None:
        pass


class Unlimited:
    """Takes the place of what limits the process."""

    def limit(self, _: int) -> int:
        return 0


@pytest.fixture
def process(monkeypatch: pytest.MonkeyPatch) -> ParserProcess:
    monkeypatch.setattr(module, "WARM_ISOLATES", 3)
    for name, stand_in in (("Isolate", SaysItsSource), ("Growth", Unlimited), ("Stopwatch", object)):
        monkeypatch.setattr(module, name, stand_in)
    monkeypatch.setattr(module, "start_v8", object)
    return ParserProcess(seconds=1, memory=1)


def run(process: ParserProcess, *ids: str, sources: dict[str, str], compile_only: bool = False) -> Any:
    """Give what the parsers said, each its source, or the answer that has none of that."""
    parsers = [["device", version_id] for version_id in ids]
    given = {"parsers": parsers, "sources": sources, "compile_only": compile_only}
    answer = process.answer({**given, "payload": [], "raw_payload": [], "device": {}})
    return answer if "missing" in answer else [text for _, _, text in answer["console"]]


def test_a_parser_that_is_warm_needs_no_source(process: ParserProcess) -> None:
    assert run(process, "1", sources={"1": "one"}) == ["one"]
    assert run(process, "1", sources={}) == ["one"]


@pytest.mark.parametrize("compile_only", [True, False])
def test_one_that_is_not_says_so(process: ParserProcess, compile_only: bool) -> None:
    assert run(process, "1", sources={}, compile_only=compile_only) == {"missing": "1"}


def test_one_that_makes_room_for_another_of_its_own_run_is_never_taken_for_an_empty_one(process: ParserProcess) -> None:
    sources = {"1": "one", "2": "two", "3": "three"}
    run(process, *sources, sources=sources)
    assert run(process, "4", "1", sources={"4": "four"}) == {"missing": "1"}
    assert run(process, "4", "1", sources={"4": "four", "1": "one"}) == ["four", "one"]
    assert run(process, "1", sources={}) == ["one"]


def test_nor_is_one_that_runs_twice_and_cannot_be_used_again(process: ParserProcess) -> None:
    source = {"1": "spoils itself"}
    run(process, "1", sources=source, compile_only=True)
    assert run(process, "1", "1", sources={}) == {"missing": "1"}
    assert run(process, "1", "1", sources=source) == ["spoils itself"] * 2
