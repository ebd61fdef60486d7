"""The overview: where the uplinks are, how fast they go, and how each part is."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from starlette.responses import Response
from starlette.routing import Route

from console.processes import COUNTED, Growth, Look, Processes, ProcessState
from console.visit import Reception, Visit

WIDTH: Final = 360
HEIGHT: Final = 60

SLOW_SECONDS: Final = 60.0
"""From this age of the oldest uplink on the workers are late."""


@dataclass(frozen=True, slots=True)
class State:
    """One part in words: ``level`` is good, warning or bad, and the page shows it as a colour and a word."""

    name: str
    level: str
    word: str
    detail: str = ""


FLAG_STATES: Final = {
    "gate": (
        State("Ingest", "good", "open"),
        State("Ingest", "bad", "closed", "the queue does not confirm: senders are told to wait"),
    ),
    "breaker": (
        State("Breaker", "good", "closed"),
        State("Breaker", "bad", "open", "consuming pauses: the downstream is away"),
    ),
    "directory": (
        State("Directory", "good", "current"),
        State("Directory", "bad", "degraded", "the last good copy serves"),
    ),
}
"""How a part is while no process has its flag up, and while one has."""


class OverviewRoutes:
    """The first page. What it counts is of every profile, so that others than the administrator see a welcome."""

    def __init__(self, reception: Reception, processes: Processes) -> None:
        self._reception = reception
        self._processes = processes

    @property
    def routes(self) -> list[Route]:
        """What there is to be done."""
        reception = self._reception
        return [
            Route("/", reception.admit(self._show), methods=["GET"]),
            Route("/overview", reception.admit_administrator(self._show_live), methods=["GET"]),
        ]

    async def _show(self, visit: Visit) -> Response:
        if not visit.profile.administrator:
            return visit.render("welcome.html")
        return visit.render("overview.html", **await self._describe())

    async def _show_live(self, visit: Visit) -> Response:
        """``GET /overview``: what changes of the page, for its script to put in its place."""
        return visit.render_part("overview_live.html", **await self._describe())

    async def _describe(self) -> dict[str, Any]:
        look, growths = await self._processes.look(), self._processes.growths
        return {
            "look": look,
            "states": list_states(look),
            "rates": sum_rates(growths),
            "seconds": round(sum(growth.seconds for growth in growths)),
            "age_points": draw_ages(growths),
            "oldest": max((growth.oldest_age for growth in growths), default=look.oldest_age),
        }


def list_states(look: Look) -> list[State]:
    """Say how each part is: the queue, the downstream with its resolver, the directory, and every process."""
    return [
        _judge_queue(look),
        *(_judge_flag(look, flag) for flag in FLAG_STATES),
        _judge_downstream(look),
        _judge_pace(look),
        *(_judge_process(process) for process in look.processes),
    ]


def sum_rates(growths: Sequence[Growth]) -> Mapping[str, float]:
    """Give uplinks a minute, over all that was looked at, by the words of what is counted."""
    minutes = sum(growth.seconds for growth in growths) / 60
    if not minutes:
        return dict.fromkeys(COUNTED, 0.0)
    return {word: sum(growth.counted[word] for growth in growths) / minutes for word in COUNTED}


def draw_ages(growths: Sequence[Growth]) -> str:
    """Give the ages of the oldest uplink as the points of an SVG polyline; empty where there is none to draw."""
    most = max((growth.oldest_age for growth in growths), default=0.0)
    if len(growths) < 2 or not most:  # noqa: PLR2004 - a line has two ends
        return ""
    step = WIDTH / (len(growths) - 1)
    return " ".join(
        f"{index * step:.1f},{HEIGHT - (HEIGHT - 2) * growth.oldest_age / most:.1f}"
        for index, growth in enumerate(growths)
    )


def _judge_queue(look: Look) -> State:
    if look.queue_fault is not None:
        return State("Queue", "bad", "away", look.queue_fault)
    return State("Queue", "good", "there")


def _judge_flag(look: Look, flag: str) -> State:
    fine, wrong = FLAG_STATES[flag]
    return wrong if any(flag in process.flags for process in look.processes) else fine


def _judge_downstream(look: Look) -> State:
    """Read what the workers say of it: they alone ask it and its resolver."""
    said = [
        reason
        for process in look.processes
        for reason in process.degraded
        if reason.startswith(("downstream: ", "profile ", "key "))
    ]
    if not any(process.role == "worker" for process in look.processes):
        return State("Downstream and resolver", "warning", "unknown", "no worker was seen: only workers ask them")
    if said:
        return State("Downstream and resolver", "bad", "in trouble", "; ".join(said))
    return State("Downstream and resolver", "good", "there")


def _judge_pace(look: Look) -> State:
    age = look.oldest_age
    if age >= SLOW_SECONDS:
        return State("Workers", "warning", "late", f"the oldest uplink waits for {age:,.0f} s")
    return State("Workers", "good", "in time")


def _judge_process(process: ProcessState) -> State:
    # A role of this very process is asked under its own name, which is no address.
    is_inside = process.url == f"http://{process.role}"
    name = process.role if is_inside else f"{process.role or 'Process'} at {process.url}"
    if process.fault is not None:
        return State(name, "bad", "away", process.fault)
    if process.draining:
        return State(name, "warning", "stopping")
    if not process.ready:
        return State(name, "bad", "not ready", "; ".join(process.degraded))
    if process.degraded:
        return State(name, "warning", "degraded", "; ".join(process.degraded))
    return State(name, "good", "ready")
