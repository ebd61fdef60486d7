"""A short run of the fuzzer with a fixed seed; ``python -m tests.support.fuzzing`` does long ones."""

from pathlib import Path

import pytest

from tests.support.fuzzing import fuzz


@pytest.mark.timeout(400)
async def test_whatever_comes_is_answered_and_leaves_no_traceback_no_hang_and_no_memory_behind(tmp_path: Path) -> None:
    report = await fuzz(tmp_path, requests=2_000, seed=7)
    assert report.faults == []
    assert report.answers["202"] > 100, "hardly anything was accepted: the fuzzer has lost its aim"
    assert len(report.answers) > 10, report.answers
