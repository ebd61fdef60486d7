"""Structured logs: one event a line, named ``object.past_participle``, with the fields of docs/operations.md."""

import logging
import sys
import time
from collections.abc import Callable

import structlog
from structlog.tracebacks import ExceptionDictTransformer

QUIET_LIBRARIES = {
    "httpx": logging.WARNING,  # logs whole URLs at INFO, and the resolve URL holds a key
    "httpcore": logging.WARNING,
    "uvicorn": logging.WARNING,
    "asyncio": logging.WARNING,
    "aio_pika": logging.CRITICAL,  # an error and a traceback at every attempt to connect; queue.lost says it once
    "aiormq": logging.CRITICAL,
    "aiosqlite": logging.WARNING,  # logs statements with their values at DEBUG
    "alembic": logging.WARNING,
    "opentelemetry.trace": logging.ERROR,  # quotes a sender's tracestate at every attempt
}

# Both would print local variables by default, and a local variable may hold a token.
_TRACEBACK_AS_DATA = structlog.processors.ExceptionRenderer(ExceptionDictTransformer(show_locals=False))
_TRACEBACK_AS_TEXT = structlog.dev.RichTracebackFormatter(show_locals=False)


def configure_logs(*, level: str, json: bool) -> None:
    """Send structlog's events and every library's log records to standard error, in one format."""
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    renderer: list[structlog.typing.Processor] = (
        [_TRACEBACK_AS_DATA, structlog.processors.JSONRenderer()]
        if json
        else [structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=_TRACEBACK_AS_TEXT)]
    )
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *renderer],
        )
    )
    logging.root.handlers = [handler]
    logging.root.setLevel(level)
    for library, quiet in QUIET_LIBRARIES.items():
        logging.getLogger(library).setLevel(quiet)


class LogBudget:
    """How many lines of one kind may be written a second, so that a flood of refusals is no flood of log."""

    def __init__(self, lines_per_second: int = 5, clock: Callable[[], float] = time.monotonic) -> None:
        self._limit = lines_per_second
        self._clock = clock
        self._second = 0
        self._written: dict[str, int] = {}
        self._suppressed: dict[str, int] = {}

    def admit(self, kind: str) -> int | None:
        """Give how many lines of this kind were held back since the last that was written; None: hold this one too."""
        second = int(self._clock())
        if second != self._second:
            self._second, self._written = second, {}
        written = self._written.get(kind, 0)
        if written >= self._limit:
            self._suppressed[kind] = self._suppressed.get(kind, 0) + 1
            return None
        self._written[kind] = written + 1
        return self._suppressed.pop(kind, 0)
