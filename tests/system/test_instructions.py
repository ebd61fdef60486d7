"""What mapping takes, in instructions: a regression shows whatever else the machine does; imports nothing of Sluice."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
NOT_COMPARED = 77


@pytest.mark.timeout(600)
@pytest.mark.skipif(shutil.which("valgrind") is None, reason="no valgrind (Debian: apt-get install valgrind)")
def test_mapping_takes_no_more_instructions_than_are_kept() -> None:
    """On another interpreter than the one they were counted on there is nothing to compare."""
    counted = subprocess.run(
        [sys.executable, "-m", "bench.instructions"], cwd=REPOSITORY, capture_output=True, text=True, check=False
    )
    if counted.returncode == NOT_COMPARED:
        pytest.skip(counted.stdout.strip())
    assert counted.returncode == 0, counted.stdout + counted.stderr
