"""The pytest plugin for other people's tests, used as they use it: its example, against the image of this tree."""

import os
import secrets
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.docker import find_docker

pytestmark = [pytest.mark.docker, pytest.mark.timeout(900)]  # the image may have to be built from nothing

ROOT = Path(__file__).parents[2]
TESTING = ROOT / "testing"


@pytest.fixture(scope="module")
def image() -> Iterator[str]:
    docker, name = find_docker(), f"sluice:testing-{secrets.token_hex(4)}"
    subprocess.run([docker, "build", "--quiet", "--tag", name, "."], cwd=ROOT, check=True)
    yield name
    subprocess.run([docker, "image", "rm", "--force", name], check=True, stdout=subprocess.DEVNULL)


def run_pytest(image: str, tests: Path) -> str:
    """Run tests as a vendor does, with nothing configured but the image, and give what they wrote."""
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-p", "sluice_testing.plugin"),
            *("--sluice-image", image, "-c", os.devnull, str(tests)),
        ],
        # Nothing is pulled here, and what testcontainers would clean up after a killed test with is an image.
        env={**os.environ, "PYTHONPATH": str(TESTING), "TESTCONTAINERS_RYUK_DISABLED": "true"},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout + done.stderr


def test_the_example_of_a_gateways_test_passes(image: str) -> None:
    written = run_pytest(image, TESTING / "examples")
    assert "3 passed" in written, written


def test_a_wait_that_is_not_fulfilled_says_what_came_instead(image: str, tmp_path: Path) -> None:
    test = tmp_path / "test_wrong.py"
    test.write_text(  # what a vendor writes who forgot to create the device
        "import httpx\n"
        "def test_it(sluice):\n"
        "    httpx.post(sluice.url, json={'serial': 'AA'}, headers={'Authorization': sluice.authorization})\n"
        "    sluice.wait_for_dead_letters(1)\n"
        "    sluice.wait_for_arrivals(1, seconds=0)\n",
        encoding="utf-8",
    )
    written = run_pytest(image, test)
    assert "NotArrivedError: 0 arrivals and 1 dead letters, 1 expected" in written, written
    assert "dead letter, serial_unknown: " in written
