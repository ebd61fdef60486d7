"""The downstream fails in every way that it can, under load, and is well again; a ladder of seconds, not of minutes."""

import pytest

from tests.faults.cell import UPLINKS, Cell, Explanation
from tests.support.system import AUTHORIZATION, System

pytestmark = [pytest.mark.rabbitmq, pytest.mark.docker, pytest.mark.timeout(1_800)]

OUTAGE_SECONDS = 10.0
SLOW_UPLINKS = UPLINKS // 10
DEVICES = 200
"""The gateway's, in turn."""
TEN_MINUTES_AS_SECONDS = {"SLUICE_RETRY_STEPS": "0.08,0.5,2,10,60", "SLUICE_BLIP_SECONDS": "0.17"}
"""The defaults, with a second for a minute."""


def start_load(system: System, cell: Cell, uplinks: int = UPLINKS, **options: object) -> None:
    ingest = system.start_ingest()
    for _ in range(2):
        system.start_worker()
    cell.send(ingest.url, AUTHORIZATION, uplinks, **options)


async def break_down(system: System, cell: Cell, seconds: float = OUTAGE_SECONDS, **control: object) -> None:
    """Have the downstream fail for a while, a quarter of the way through."""
    await cell.arrived(UPLINKS // 4)
    system.control_stub(**control)
    await cell.pass_seconds(seconds)
    async with cell.recovering():
        system.control_stub(mode="good", retry_after=None)


@pytest.mark.parametrize("mode", ["error", "reset", "html"])
async def test_the_downstream_answers(system: System, cell: Cell, mode: str) -> None:
    """With 500, with a broken connection, or with a page of somebody else's."""
    start_load(system, cell)
    await break_down(system, cell, mode=mode)
    await cell.balance()


@pytest.mark.ci
async def test_the_downstream_throttles_and_says_until_when(system: System, cell: Cell) -> None:
    """With 429 and Retry-After."""
    start_load(system, cell)
    await break_down(system, cell, mode="throttled", retry_after=1)
    await cell.balance()


async def test_the_downstream_throttles_and_does_not_say_until_when(system: System, cell: Cell) -> None:
    """With 429 alone."""
    start_load(system, cell)
    await break_down(system, cell, mode="throttled")
    await cell.balance()


async def test_the_downstream_hangs(system: System, cell: Cell) -> None:
    """It takes connections and answers nothing; a worker waits a second for an answer here."""
    system.environment["SLUICE_DOWNSTREAM_TIMEOUT"] = "1"
    start_load(system, cell)
    await break_down(system, cell, mode="hang")
    await cell.balance()


async def test_the_downstream_stores_and_its_answers_are_lost(system: System, cell: Cell) -> None:
    """What was stored is posted again, with the same ids: nobody can know better."""
    start_load(system, cell)
    await break_down(system, cell, seconds=2, mode="lost_answer")
    await cell.balance(twice=Explanation("stored downstream, and the answer lost", UPLINKS))


async def test_the_downstream_is_slow(system: System, cell: Cell) -> None:
    """A second for each answer, from the beginning to the end."""
    system.control_stub(latency_ms=1_000)
    start_load(system, cell, SLOW_UPLINKS)
    await cell.balance()


async def test_the_downstream_refuses_one_device(system: System, cell: Cell) -> None:
    """Its uplinks die, and nobody else's."""
    system.control_stub(refused_serials=["*05"])
    start_load(system, cell)
    await cell.balance(dead={"downstream_refused": len(range(5, UPLINKS, DEVICES))})


async def test_one_uplink_poisons_the_post_that_it_shares(system: System, cell: Cell) -> None:
    """The downstream refuses a body of ten uplinks for the sake of one: nine arrive."""
    system.control_stub(poisoned_marks=["*-77"])
    start_load(system, cell, shared=True)
    await cell.balance(dead={"downstream_refused": 1})


async def test_the_downstream_is_away_for_ten_minutes(system: System, cell: Cell) -> None:
    """Minutes are scaled to seconds, in the outage as in the ladder, whose steps are the default ones."""
    cell.note = "a second for a minute, in the outage and in the ladder"
    system.environment |= TEN_MINUTES_AS_SECONDS
    start_load(system, cell)
    await break_down(system, cell, seconds=10, mode="away")
    await cell.balance()
