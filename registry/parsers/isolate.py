"""One parser, warm in a V8 isolate of its own. Only a parser process uses this: V8 may take its process with it."""

import secrets
import signal
from importlib import resources
from typing import Any

import orjson
from py_mini_racer import JSEvalException, JSOOMException, MiniRacer, init_mini_racer

from registry.parsers.diagnosis import Diagnosis, diagnose_run, diagnose_syntax

SCRIPTS = ("buffer", "console", "dayjs", "time_utils", "cage")

V8_FLAGS = (
    "--single-threaded",
    "--stack-size=600",  # kB, of the 8 MB that a thread has
    "--max-semi-space-size=4",  # MB: the heap is measured only when this much is new
)

UNSETTLED = 2
"""What the cage says of a run that may have put something off."""

LOADING_SECONDS = 5.0
"""Processor time to compile a parser: some milliseconds, and here only to end what never ends."""


class ParserBrokenError(Exception):
    """The parser failed, and is to blame."""

    def __init__(self, diagnosis: Diagnosis, console: list[Any] | None = None) -> None:
        super().__init__(diagnosis.message)
        self.diagnosis = diagnosis
        self.console = console or []


class LimitBrokenError(ParserBrokenError):
    """The parser took more than it may have; its isolate cannot be used again."""


class IsolateSpoiledError(Exception):
    """An earlier run left something behind that cannot be removed. This one has not begun: it needs another isolate."""


class MemoryBrokenError(LimitBrokenError):
    """It was memory; the process does not get all of it back."""


class _TimeUpError(Exception):
    pass


class Stopwatch:
    """Ends what takes too much processor time. It is the process's time: on a busy machine nobody fails for waiting.

    The timer's signal has to interrupt the main thread, which waits for V8's; V8's threads are made with it blocked.
    """

    def __init__(self) -> None:
        self._running = False
        signal.signal(signal.SIGPROF, self._interrupt)

    def start(self, seconds: float) -> None:
        """From now on, ``seconds`` of processor time until the main thread is interrupted."""
        self._running = True
        signal.setitimer(signal.ITIMER_PROF, seconds)

    def stop(self) -> None:
        """Interrupt nobody."""
        self._running = False
        signal.setitimer(signal.ITIMER_PROF, 0)

    def _interrupt(self, *_: object) -> None:
        if self._running:  # else it was on its way when the stopwatch was stopped
            self._running = False
            raise _TimeUpError


class Isolate:
    """A parser that was compiled once and runs as often as it is asked. Raises :class:`ParserBrokenError`."""

    def __init__(self, source: str, stopwatch: Stopwatch, *, seconds: float, memory: int) -> None:
        self._stopwatch = stopwatch
        self._seconds = seconds
        self._memory = memory
        # A name of the language's top level, which is no property of anything: whoever does not know it cannot find it.
        self._name = f"cage_{secrets.token_hex(16)}"
        self._v8 = _make_v8()
        self.source = source
        self.usable = True
        """Whether there may be another run; else the isolate has to be closed."""
        try:
            self._v8.set_hard_memory_limit(memory)
            self._v8.eval(f"const {self._name} = {_read_cage()};")
            self._progress: Any = self._v8.eval(f"{self._name}.progress")
            self._load(source)
            self._v8.low_memory_notification()  # what it took to get here is more than half of its memory
        except BaseException:
            self.close()
            raise

    def run(self, run_input: str) -> dict[str, Any]:
        """Run the parser on ``payload``, ``raw_payload`` and ``device``, as JSON, and give what it made of them.

        Raises :class:`IsolateSpoiledError` where an earlier run is in the way, and :class:`ParserBrokenError`.
        """
        try:
            text = self._call("run", run_input, self._seconds)
        except JSEvalException as error:
            raise ParserBrokenError(diagnose_run(str(error)), self._read_console()) from None
        finally:
            self._settle()
        if text is None:
            raise IsolateSpoiledError
        return _read_result(text)

    def close(self) -> None:
        """Give the isolate's memory back, whatever it is doing."""
        self._v8.close()

    def _load(self, source: str) -> None:
        try:
            self._call("load", source, LOADING_SECONDS)
        except JSEvalException as error:
            raise ParserBrokenError(diagnose_syntax(str(error), source)) from None

    def _settle(self) -> None:
        """Wait for what the run has put off, which comes before another call; it may go on without an end."""
        if self._progress[0] == UNSETTLED and self.usable:
            try:
                self._call("settle", None, self._seconds)
            except (JSEvalException, ParserBrokenError):
                self.usable = False

    def _read_console(self) -> list[Any]:
        try:
            lines = orjson.loads(str(self._call("console", None, self._seconds)))
        except (JSEvalException, ValueError):  # the parser has changed how JSON is written
            return []
        return lines if isinstance(lines, list) else []

    def _call(self, function: str, argument: str | None, seconds: float) -> Any:
        # Strict, so that no function of the stack is handed out to what looks at it.
        quoted = "" if argument is None else orjson.dumps(argument).decode()
        try:
            self._stopwatch.start(seconds)
            return self._v8.eval(f"'use strict'; {self._name}.{function}({quoted})")
        except _TimeUpError:
            self.usable = False
            raise LimitBrokenError(Diagnosis(f"it took more than {seconds:g} s of processor time")) from None
        except JSOOMException:
            self.usable = False
            raise MemoryBrokenError(Diagnosis(f"it took more than {self._memory:,} bytes of memory")) from None
        finally:
            self._stopwatch.stop()


def _read_result(text: Any) -> dict[str, Any]:
    """Read what the cage reports; a parser can have made anything of it."""
    try:
        document = orjson.loads(text) if isinstance(text, str) else None
    except orjson.JSONDecodeError as error:
        raise ParserBrokenError(Diagnosis(f"the result cannot be read as JSON: {error.msg}")) from None
    if not isinstance(document, dict) or not isinstance(document.get("console"), list):
        raise ParserBrokenError(Diagnosis("the result is not an array of records"))
    if "refused" in document:
        raise ParserBrokenError(Diagnosis(str(document["refused"])), document["console"])
    if not isinstance(document.get("payload"), list):
        raise ParserBrokenError(Diagnosis("the result is not an array of records"))
    return document


def start_v8() -> MiniRacer:
    """Set V8 up, once in a process, and give a first isolate that has to be kept.

    V8's own memory comes and goes with it. That is large, and more than a process may take for a parser.
    """
    init_mini_racer(flags=V8_FLAGS)
    return _make_v8()


def _make_v8() -> MiniRacer:
    """Make an isolate whose thread does not take the stopwatch's signal.

    Inside of the event loop that is its own, a call waits right here for its answer.
    """
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGPROF])
    try:
        return MiniRacer()
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGPROF])


def _read_cage() -> str:
    """Give the scripts that surround a parser, as an expression."""
    folder = resources.files("registry.parsers") / "sandbox"
    scripts = "\n".join((folder / f"{name}.js").read_text("utf-8") for name in SCRIPTS)
    return f"(() => {{\n'use strict';\n{scripts}\n}})()"
