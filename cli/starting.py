"""A process with roles, as it is started on the command line: its logs, and what keeps it from starting."""

import asyncio
import gc
import sys
from collections.abc import Coroutine
from typing import Any

import uvloop

from cli.terminal import fail
from common.directory.problems import DirectoryError
from common.logs import configure_logs
from common.queue.protocol import QueueUnavailableError, QueueUrlError
from common.serving import PortUnavailableError
from common.settings import Settings
from common.tls import TlsError
from common.tracing import TracesUnusableError

START_ERRORS: tuple[type[Exception], ...] = (
    DirectoryError,
    QueueUrlError,
    QueueUnavailableError,  # a queue that somebody else consumes already, or a file that cannot be used
    PortUnavailableError,
    TracesUnusableError,
    TlsError,
)
"""What an operator can mend; each says how. Anything else is a bug, and shows its traceback."""


COLLECTED_AFTER = 100_000
"""New objects after which Python looks for cycles among them.

In a role objects come and go with each uplink, nearly none of them in a cycle, and at Python's 700 the looking takes a
third of a worker's processor time. A worker that has its hands full holds some 50,000, and to look through those again
and again would find nothing; a few megabytes pay for this.
"""


def start(
    settings: Settings, running: Coroutine[Any, Any, None], *, errors: tuple[type[Exception], ...] = START_ERRORS
) -> int:
    """Run roles until they are through. Gives the exit code; ``errors`` are said on standard error."""
    configure_logs(
        level=settings.log_level.upper(),
        json=settings.log_format == "json" or (settings.log_format == "auto" and not sys.stderr.isatty()),
    )
    _calm_collector()
    problems: list[str] = []
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(running)
    except* errors as group:
        problems = [str(error) for error in _leaves(group)]
    return fail("; ".join(problems)) if problems else 0


def _calm_collector() -> None:
    """Have cycles looked for seldom, and never among what is there from the start."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(COLLECTED_AFTER)


def _leaves(group: BaseExceptionGroup[Any]) -> list[BaseException]:
    """Give the errors themselves; those of tasks come in groups within groups."""
    found: list[BaseException] = []
    for error in group.exceptions:
        found.extend(_leaves(error) if isinstance(error, BaseExceptionGroup) else [error])
    return found
