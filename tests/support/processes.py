"""Real processes for system tests and benchmarks; imports nothing of Sluice."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

REPOSITORY = Path(__file__).parents[2]
SLUICE = Path(sys.executable).with_name("sluice")
STUB = REPOSITORY / "tests" / "support" / "downstream.py"


class Process:
    """One process of ours. Its log lines (JSON on standard error) are collected; the port is taken from them."""

    def __init__(self, *command: str, environment: Mapping[str, str] | None = None) -> None:
        clean = {name: value for name, value in os.environ.items() if not name.startswith("SLUICE_")}
        self.lines: list[dict[str, Any]] = []
        self.raw: list[str] = []
        self._command = command
        self._changed = threading.Condition()
        self._ended = 0
        self._process = subprocess.Popen(
            command,
            env={**clean, **(environment or {})},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=REPOSITORY,
        )
        assert self._process.stdout is not None
        assert self._process.stderr is not None
        self._streams = (self._process.stdout, self._process.stderr)
        self._readers = [threading.Thread(target=self._read, args=(stream,), daemon=True) for stream in self._streams]
        for reader in self._readers:
            reader.start()

    def wait_for_line(self, event: str, *, within: float = 30.0, **fields: object) -> dict[str, Any]:
        """Return the first line with this event and these fields; fail with the whole log when it does not come."""

        def found() -> dict[str, Any] | None:
            lines = (line for line in self.lines if line.get("event") == event)
            return next((line for line in lines if fields.items() <= line.items()), None)

        with self._changed:
            self._changed.wait_for(lambda: found() is not None or self._ended == 2, timeout=within)
        line = found()
        assert line is not None, f"no {event!r} from {self._command} within {within:g} s:\n" + "".join(self.raw)
        return line

    def wait_for_text(self, *, within: float = 30.0) -> str:
        """Return the first line that it wrote, whatever it is."""
        with self._changed:
            self._changed.wait_for(lambda: self.raw or self._ended == 2, timeout=within)
        assert self.raw, f"{self._command} wrote nothing within {within:g} s"
        return self.raw[0].strip()

    @property
    def pid(self) -> int:
        """The process's number."""
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        """How it ended; None while it runs."""
        return self._process.poll()

    @property
    def url(self) -> str:
        """Where it listens."""
        return str(self.wait_for_line("http.listening")["url"])

    @property
    def log(self) -> str:
        """Everything that it has written so far."""
        return "".join(self.raw)

    def kill(self) -> None:
        """End it as a crash would: kill -9."""
        self._process.kill()
        self._process.wait()

    def terminate(self, *, within: float = 30.0) -> int:
        """Ask it to stop, and give its exit code."""
        self._process.send_signal(signal.SIGTERM)
        return self.wait(within=within)

    def send_signal(self, number: int) -> None:
        self._process.send_signal(number)

    def wait(self, *, within: float = 30.0) -> int:
        """Wait until it ends, and until everything that it wrote was read; give its exit code."""
        code = self._process.wait(within)
        for reader in self._readers:
            reader.join(within)
        return code

    def close(self) -> None:
        """Leave nothing behind."""
        if self._process.poll() is None:
            self.kill()
        for reader, stream in zip(self._readers, self._streams, strict=True):
            reader.join()
            stream.close()

    def _read(self, stream: IO[str]) -> None:
        for text in stream:
            try:
                line = json.loads(text)
            except ValueError:
                line = {}
            with self._changed:
                self.raw.append(text)
                self.lines.append(line if isinstance(line, dict) else {})
                self._changed.notify_all()
        with self._changed:
            self._ended += 1
            self._changed.notify_all()
