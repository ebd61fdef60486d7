"""What was to be reached, beside what was: each ratio of medians from the same run."""

from collections.abc import Mapping
from dataclasses import dataclass

from bench import backlog, console, memory
from bench.rows import Measured
from bench.systems import FASTSTREAM, FLOOR, NODE, RABBITMQ, RUN, SQLITE
from bench.worker import BULK_SINK, FAST_SINK, SLOW_SINK

BATCHES = "batch of 10, 128 connections"
SINGLES = "single uplink, 128 connections"
FEW = "batch of 10, 16 connections"
FEW_SINGLES = "single uplink, 16 connections"


@dataclass(frozen=True, slots=True)
class Goal:
    """A ratio of one figure of two systems, and its bounds; ``at_most``: less is better; ``most``: nor more than that.

    ``case`` and ``to_case`` name the cells; they are the same unless two cases are compared.
    """

    section: str
    what: str
    system: str
    to: str
    case: str
    bound: float
    goal: float | None = None
    figure: str = "rate"
    to_case: str | None = None
    at_most: bool = False
    most: float | None = None

    def render(self, measured: Measured) -> str:
        ratio = measured.ratio(self.case, self.figure, self.system, self.to, to_case=self.to_case)
        return f"{self.head} {'-' if ratio is None else f'{ratio:.2f}'} | {self._judge(ratio)} |"

    @property
    def head(self) -> str:
        """What its row begins with, whatever was measured."""
        wanted = f"{'at most' if self.at_most else 'at least'} {self.bound:g}"
        wanted += f", goal {self.goal:g}" if self.goal is not None else ""
        wanted += f", at most {self.most:g}" if self.most is not None else ""
        return f"| {self.what} | {wanted} |"

    def _judge(self, ratio: float | None) -> str:
        if ratio is None:
            return "not measured"
        if self.at_most:
            return "yes" if ratio <= self.bound else "**no**"
        if self.most is not None and ratio > self.most:
            return "**no**"
        if self.goal is not None and ratio >= self.goal:
            return "the goal too"
        return "yes" if ratio >= self.bound else "**no**"


GOALS = (
    Goal(
        "ingest", "ingest, batches of 10 at 128 connections, by Node.js", RABBITMQ.name, NODE.name, BATCHES, 1.0, 1.25
    ),
    Goal("ingest", "the same, by FastStream", RABBITMQ.name, FASTSTREAM.name, BATCHES, 7),
    Goal(
        "ingest", "ingest, single uplinks at 128 connections, by Node.js", RABBITMQ.name, NODE.name, SINGLES, 0.9, 1.2
    ),
    *(
        Goal("ingest", f"p99, {case}, by Node.js", RABBITMQ.name, NODE.name, case, 1.2, figure="p99_ms", at_most=True)
        for case in (FEW, FEW_SINGLES)
    ),
    Goal("ingest", "ingest beside the floor, batches of 10", RABBITMQ.name, FLOOR.name, BATCHES, 0.35, 0.5),
    Goal("ingest", "ingest beside the floor, single uplinks", RABBITMQ.name, FLOOR.name, SINGLES, 0.35, 0.5),
    Goal(
        "worker", "one worker, single posts, sink of 10 ms, by Node.js", RABBITMQ.name, NODE.name, SLOW_SINK, 1.0, 1.5
    ),
    Goal("worker", "the same, by FastStream", RABBITMQ.name, FASTSTREAM.name, SLOW_SINK, 20),
    Goal(
        "worker",
        "one worker, bulk, by Node.js on the sink of 10 ms",
        RABBITMQ.name,
        NODE.name,
        BULK_SINK,
        4,
        to_case=SLOW_SINK,
    ),
    Goal(
        "worker",
        "one worker, bulk, by Node.js on a sink that answers at once",
        RABBITMQ.name,
        NODE.name,
        BULK_SINK,
        4,
        to_case=FAST_SINK,
    ),
    Goal("ingest", "ingest on SQLite, by RabbitMQ, batches of 10", SQLITE.name, RABBITMQ.name, BATCHES, 0.6),
    Goal("ingest", "ingest on SQLite, by RabbitMQ, single uplinks", SQLITE.name, RABBITMQ.name, SINGLES, 0.6),
    Goal("end_to_end", "`sluice run` on SQLite, socket to sink, by RabbitMQ", RUN.name, RABBITMQ.name, "posts", 0.3),
    Goal("scale", "2 ingests and 2 workers, by one of each", RABBITMQ.name, RABBITMQ.name, "2", 1.7, to_case="1"),
    Goal("scale", "4 ingests and 4 workers, by one of each", RABBITMQ.name, RABBITMQ.name, "4", 3.4, to_case="1"),
    *(
        Goal(
            "console",
            f"processor time of ingest and worker with the live inspector open, by closed, at {rate:,} uplinks/s",
            RABBITMQ.name,
            RABBITMQ.name,
            console.describe_case(console.OPEN, rate),
            1.05,
            figure="processor_us",
            to_case=console.describe_case(console.CLOSED, rate),
            at_most=True,
        )
        for rate in console.RATES
    ),
    Goal(
        "backlog",
        "drain of 1,000,000 by that of 100,000",
        RABBITMQ.name,
        RABBITMQ.name,
        backlog.describe_case(backlog.LARGE),
        0.85,
        to_case=backlog.describe_case(backlog.SMALL),
        most=1.15,
    ),
    *(
        Goal(
            "memory",
            f"memory of the {role} over 2,000,000 uplinks, last tenth by second",
            role,
            role,
            memory.describe_case(memory.TENTHS),
            1.1,
            figure="megabytes",
            to_case=memory.describe_case(memory.SETTLED_TENTH),
            at_most=True,
        )
        for role in memory.ROLES
    ),
)


def render_goals(sections: Mapping[str, Measured], before: str) -> str:
    """Give a table of those whose section was measured; ``before`` is the table of those that did not run here."""
    lines = ["| what | wanted | measured | reached |", "| --- | --- | ---: | --- |"]
    for goal in GOALS:
        if goal.section in sections:
            lines.append(goal.render(sections[goal.section]))
        else:
            lines += [line for line in before.splitlines() if line.startswith(goal.head)]
    return "\n".join(lines)
