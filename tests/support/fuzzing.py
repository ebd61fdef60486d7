"""Requests that no sensible sender makes, from a seed; imports nothing of Sluice.

:class:`Fuzzer` makes them, :class:`Sender` sends them over plain sockets and judges the answers. A run of its own::

    python -m tests.support.fuzzing --requests 100000 --seed 1
"""

import argparse
import asyncio
import gzip
import json
import string
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

import httpx

from tests.support.processes import REPOSITORY, SLUICE, Process

SAMPLES = REPOSITORY / "tests" / "data" / "uplinks"

DELIBERATE = frozenset({"queue_unavailable", "queue_full", "directory_unavailable"})
"""The reasons of a 503 that is meant."""

CONNECTIONS = 24

ANSWER_SECONDS = 20.0
"""For the answer to a request that is whole. Above the ingest's own time-outs: what takes longer hangs."""

PATIENCE_SECONDS = 0.2
"""For the answer to a request that may never be whole for the server."""

MEGABYTES_GAINED = 24
"""What a process may grow by while it is fuzzed; a leak of a hundred bytes a request is more over 100,000 requests."""

WARMED_UP = 0.3
"""From which part of a run on memory is compared: caches and pools have filled by then."""

PRESETS = ("chirpstack-v4", "tts-v3", "actility", "sigfox", "netmore", "kpn-senml", "loriot", "everynet")
PATHS = ("serial", "a", "a.b", "a.b.c.d", "0.v.devEui", "x.0", "deviceInfo.devEui", "end_device_ids.dev_eui", "ü", "-1")

ODD_TEXT = ("", " ", "\x00", "\u202e", "💥" * 20, "%", "=;=;", "'\"<>", "a" * 5_000, "1e999", "-0", "null")
ODD_NUMBERS = (0, -1, 2**63, 2**64, 2**70, -(2**70), 1e308, -1e-320, 0.1)
NO_JSON = ("\ud800", 10**400, float("nan"), float("-inf"))
"""What Python writes and a strict parser refuses: the whole body then."""
ODD_BYTES = (b"\x00", b"\xff", b"\r", b"\n", b"\r\n\r\n", b"{", b"[" * 300, b'"', b"\\ud800", b"1e999", b"\xed\xa0\x80")


@dataclass(frozen=True, slots=True)
class Attempt:
    """What is sent over one connection. ``is_whole``: it must be answered, whatever the answer is."""

    raw: bytes
    is_whole: bool


class Fuzzer:
    """Makes attempts out of a seed; the same seed makes the same ones."""

    def __init__(self, seed: int) -> None:
        self._random = Random(seed)
        self._samples = [path.read_bytes() for path in sorted(SAMPLES.glob("*.json"))]
        self.keys = [f"at-fuzz-{number}" for number in range(20)]

    def write_directory(self) -> str:
        """Give a directory in which every key has another field map, some of them nonsense that is a field map."""
        tables = [
            f'[authorizations.k{number}]\ntoken = "{key}"\nnetwork = "n"\n'
            f"additional_parameters = {json.dumps(self._field_map())}\n"
            for number, key in enumerate(self.keys)
        ]
        head = '[downstream]\nurl = "http://127.0.0.1:1"\n\n[networks.n]\ntoken = "n-fuzz"\n\n'
        return head + "\n".join(tables)

    def break_directory(self) -> str:
        """Give a directory that is broken somewhere."""
        text = self._mutate(self.write_directory().encode(), times=8)
        return text.decode("utf-8", "replace")

    def attempts(self, count: int) -> Iterator[Attempt]:
        """Give so many attempts: bodies, headers and queries that are odd, and HTTP that is broken."""
        kinds = (self._odd_request, self._odd_request, self._odd_request, self._odd_length, self._broken_http)
        for _ in range(count):
            yield self._random.choice(kinds)()

    def _odd_request(self) -> Attempt:
        body = self._body()
        headers = self._headers(body)
        if body and self._random.random() < 0.2:
            headers, body = self._compress(headers, body)
        if self._random.random() < 0.1:
            return Attempt(self._head(headers, b"Transfer-Encoding: chunked") + self._chunk(body), is_whole=True)
        return Attempt(self._head(headers, b"Content-Length: %d" % len(body)) + body, is_whole=True)

    def _odd_length(self) -> Attempt:
        """A length or a coding that does not fit what comes."""
        body = self._body()
        length = self._random.choice([b"-1", b"0", b"x", b"1e3", b"9" * 30, b"%d" % (len(body) + 10), b"1, 2", b""])
        lines = self._random.choice(
            [
                (b"Content-Length: " + length,),
                (b"Content-Length: " + length, b"Content-Length: %d" % len(body)),
                (b"Content-Length: " + length, b"Transfer-Encoding: chunked"),
                (b"Transfer-Encoding: " + self._random.choice([b"gzip", b"chunked, chunked", b"x", b""]),),
                (),
            ]
        )
        return Attempt(self._head(self._headers(body), *lines) + body, is_whole=False)

    def _broken_http(self) -> Attempt:
        odd = self._odd_request().raw
        if self._random.random() < 0.2:
            odd += self._odd_request().raw
        if self._random.random() < 0.1:
            odd = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + odd
        if self._random.random() < 0.1:
            upgrade = self._random.choice([b"h2c", b"websocket", b"x" * 100])
            odd = odd.replace(b"\r\n", b"\r\nConnection: Upgrade\r\nUpgrade: " + upgrade + b"\r\n", 1)
        return Attempt(self._mutate(odd, times=self._random.randint(1, 6)), is_whole=False)

    def _head(self, headers: Iterable[bytes], *more: bytes) -> bytes:
        method = self._choose(b"POST", (b"GET", b"PUT", b"HEAD", b"OPTIONS", b"DELETE", b"PATCH"), odds=0.05)
        path = self._choose(
            b"/uplink", (b"/", b"/status", b"/uplink/", b"//uplink", b"/%75plink", b"/x" * 90), odds=0.05
        )
        line = b"%s %s%s HTTP/1.1" % (method, path, self._query())
        return b"\r\n".join([line, b"Host: fuzz", *headers, *more, b"Connection: close"]) + b"\r\n\r\n"

    def _headers(self, body: bytes) -> list[bytes]:
        key = self._random.choice(self.keys).encode()
        authorization = self._choose(
            key, (b"Bearer " + key, b"bearer", b"", b"at-nobody", b"\xff\xfe", key * 90), odds=0.1
        )
        kind = self._choose(
            b"application/json",
            (b"application/json;charset=utf-16", b"text/plain", b"", b"\xff/\xfe", b"application/json" * 50),
            odds=0.1,
        )
        more = (b"Idempotency-Key", b"traceparent", b"tracestate", b"Expect", b"X-Forwarded-For", b"Accept")
        headers = [
            b"Authorization: " + authorization,
            b"Content-Type: " + kind,
            *(name + b": " + self._header_value(body) for name in more if self._random.random() < 0.1),
        ]
        self._random.shuffle(headers)
        return headers

    def _header_value(self, body: bytes) -> bytes:
        odd: bytes = self._random.choice(
            [
                b"",
                b"a",
                b"100-continue",
                b"\xff" * 9,
                b"x" * self._choose(4_000, (70_000,), odds=0.1),
                b"00-" + b"a" * 32 + b"-" + b"b" * 16 + b"-01",
                body[:99],
            ]
        )
        return odd.translate(None, b"\r\n\x00")

    def _query(self) -> bytes:
        if self._random.random() < 0.7:
            return b""
        names = ["serial", "device", "authorization", "a.b", "0.v.devEui", "payload", "", "%00", "%ff", "x" * 300]
        pairs = [
            self._random.choice(names)
            + self._random.choice(["=", "", "==", "=%"])
            + self._word(string.hexdigits + "%+&;")
            for _ in range(self._choose(3, (0, 30, 150), odds=0.1))
        ]
        return b"?" + "&".join(pairs).encode()

    def _body(self) -> bytes:
        kind = self._random.random()
        if kind < 0.05:
            return b""
        if kind < 0.35:
            body = self._random.choice(self._samples)
        else:
            items = [self._item() for _ in range(self._choose(1, (0, 2, 5, 40, 1_001), odds=0.3))]
            document = items[0] if len(items) == 1 and self._random.random() < 0.7 else items
            body = json.dumps(document, ensure_ascii=self._random.random() < 0.5).encode("utf-8", "surrogatepass")
        if self._random.random() < 0.15:
            body = self._mutate(body, times=self._random.randint(1, 4))
        if self._random.random() < 0.01:
            body = self._nest(body)
        return body

    def _item(self) -> Any:
        if self._random.random() < 0.05:
            return self._value(0)
        names = ["serial", "payload", "port", "time", "a", "data", "latitude", "lng", "device", self._word()]
        item = {name: self._value(2) for name in self._random.sample(names, self._random.randint(0, 6))}
        if self._random.random() < 0.7:
            item["serial"] = self._word(string.hexdigits)
        return item

    def _value(self, depth: int) -> Any:
        kinds: list[Callable[[], Any]] = [
            lambda: self._random.choice(ODD_TEXT),
            lambda: self._choose(self._random.choice(ODD_NUMBERS), NO_JSON, odds=0.02),
            lambda: self._random.choice([None, True, False, [], {}]),
            lambda: self._random.uniform(-1e6, 1e6),
            lambda: self._word(string.printable),
        ]
        if depth:
            size = range(self._random.randint(0, 4))
            kinds.append(lambda: [self._value(depth - 1) for _ in size])
            kinds.append(lambda: {self._word(): self._value(depth - 1) for _ in size})
        return self._random.choice(kinds)()

    def _nest(self, body: bytes) -> bytes:
        depth = self._random.choice([100, 250, 1_030, 50_000])
        return self._random.choice([b"[" * depth + body + b"]" * depth, b'{"a":' * depth + body + b"}" * depth])

    def _compress(self, headers: list[bytes], body: bytes) -> tuple[list[bytes], bytes]:
        if self._random.random() < 0.05:
            body = b"[" + b" " * 3_000_000 + b"]"
        packed = gzip.compress(body, mtime=0)
        if self._random.random() < 0.3:
            packed = self._mutate(packed, times=1)
        coding = self._choose(b"gzip", (b"x-gzip", b"GZIP ", b"br", b"gzip, gzip", b"identity", b""), odds=0.2)
        return [*headers, b"Content-Encoding: " + coding], packed

    def _chunk(self, body: bytes) -> bytes:
        size = self._random.randint(1, 500)
        parts = [body[start : start + size] for start in range(0, len(body), size)]
        return b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"

    def _mutate(self, data: bytes, *, times: int) -> bytes:
        mutated = bytearray(data)
        for _ in range(times):
            place = self._random.randrange(len(mutated) + 1)
            match self._random.randrange(5):
                case 0:
                    mutated[place:place] = self._random.choice(ODD_BYTES)
                case 1:
                    del mutated[place : place + self._random.choice([1, 4, 50])]
                case 2:
                    mutated[place : place + 1] = bytes([self._random.randrange(256)])
                case 3:
                    mutated[place:place] = mutated[place : place + 40]
                case _:
                    mutated = mutated[: max(place, 1)]
        return bytes(mutated)

    def _field_map(self) -> str:
        if self._random.random() < 0.5:
            return ""  # common names are tried, and most requests are accepted
        if self._random.random() < 0.3:
            return f"preset={self._random.choice(PRESETS)}"
        parts = [f"{name}={self._random.choice(PATHS)}" for name in ("serial", "payload", "port", "time")]
        parts += ["encoding=base64", "array=one"]
        return ";".join(self._random.sample(parts, self._random.randint(0, len(parts))))

    def _word(self, letters: str = string.ascii_letters + string.digits) -> str:
        return "".join(self._random.choices(letters, k=self._random.randint(1, 20)))

    def _choose(self, usual: Any, odd: Sequence[Any], *, odds: float) -> Any:
        return self._random.choice(odd) if self._random.random() < odds else usual


@dataclass
class Sender:
    """Sends attempts to one port, each over a connection of its own, and collects what is wrong with the answers."""

    port: int
    answers: Counter[str] = field(default_factory=Counter)
    """How often each status came with each reason."""
    unanswered: int = 0
    """Of those that a server need not answer."""
    faults: list[str] = field(default_factory=list)

    async def send_all(self, attempts: Iterable[Attempt]) -> None:
        remaining = iter(attempts)

        async def send() -> None:
            for attempt in remaining:
                await self._send(attempt)

        await asyncio.gather(*(send() for _ in range(CONNECTIONS)))

    async def _send(self, attempt: Attempt) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            answer = await self._exchange(attempt, reader, writer)
        finally:
            writer.transport.abort()
        if answer:
            self._judge(attempt, answer)
        elif attempt.is_whole:
            self.faults.append(f"no answer to {attempt.raw[:500]!r}")
        else:
            self.unanswered += 1

    async def _exchange(
        self, attempt: Attempt, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> bytes | None:
        answer = b""
        try:
            async with asyncio.timeout(ANSWER_SECONDS if attempt.is_whole else PATIENCE_SECONDS):
                writer.write(attempt.raw)
                while data := await reader.read(65_536):
                    answer += data
        except (TimeoutError, ConnectionError):
            pass
        return answer

    def _judge(self, attempt: Attempt, answer: bytes) -> None:
        head, _, body = answer.partition(b"\r\n\r\n")
        status = int(head[9:12]) if head.startswith(b"HTTP/1.1 ") and head[9:12].isdigit() else 0
        if status == 100:
            return self._judge(attempt, body) if body else None
        self.answers[f"{status} {find_reason(body)}".strip()] += 1
        fault = find_fault(status, head, body)
        if fault:
            self.faults.append(f"{fault}: {answer[:500]!r} to {attempt.raw[:1_000]!r}")
        return None


def find_reason(body: bytes) -> str:
    """Give the reason of a refusal, or nothing."""
    _, found, rest = body.partition(b'"reason":"')
    return rest.partition(b'"')[0].decode() if found else ""


def find_fault(status: int, head: bytes, body: bytes) -> str | None:
    """Say what is wrong with an answer, or None."""
    if not 200 <= status < 600:
        return "no HTTP status"
    has_body = body and not body.startswith(b"HTTP/1.1 ")  # HEAD has none, and the next answer may follow at once
    if b"application/json" not in head or not has_body:  # or metrics, or what our own patience cut off
        return None if status < 500 else "a server error without a reason"
    try:
        document, _ = json.JSONDecoder().raw_decode(body.decode())
    except ValueError:
        return "no JSON"
    return None if status < 400 else _find_fault_of_refusal(status, head, document)


def _find_fault_of_refusal(status: int, head: bytes, document: Any) -> str | None:
    if not {"status", "message", "reason"} <= document.keys() or document["status"] is not False:
        return "a refusal without its form"
    if status >= 500 and (status != 503 or document["reason"] not in DELIBERATE):
        return "a server error that is not meant"
    if status in {429, 503} and b"retry-after: " not in head.lower():
        return "no time to wait"
    return None


def find_bad_lines(raw: Sequence[str]) -> list[str]:
    """Give the log lines that lack what every line has, or that show a traceback."""
    bad = []
    for text in raw:
        try:
            line = json.loads(text)
            complete = isinstance(line, dict) and {"event", "level", "timestamp"} <= line.keys()
        except ValueError:
            complete = False
        if not complete or "exception" in line:
            bad.append(text)
    return bad


def read_memory(process: Process) -> float:
    """Give the resident memory of a process in megabytes."""
    text = Path(f"/proc/{process.pid}/status").read_text()
    (line,) = [line for line in text.splitlines() if line.startswith("VmRSS:")]
    return int(line.split()[1]) / 1_000


@dataclass(frozen=True, slots=True)
class Report:
    """What a run came to; ``faults`` says everything that is wrong."""

    answers: Counter[str]
    unanswered: int
    memory: Sequence[float]
    faults: Sequence[str]


async def fuzz(folder: Path, *, requests: int, seed: int, rounds: int = 10) -> Report:
    """Start an ingest on a queue of its own, fuzz it, and stop it again; field maps change from round to round."""
    fuzzer = Fuzzer(seed)
    directory = folder / "sluice.toml"
    directory.write_text(fuzzer.write_directory())
    environment = {
        "SLUICE_QUEUE": f"sqlite:{folder / 'queue.db'}",
        "SLUICE_DIRECTORY": str(directory),
        "SLUICE_INGEST_PORT": "0",
        "SLUICE_LOG_FORMAT": "json",
    }
    ingest = Process(str(SLUICE), "ingest", environment=environment)
    try:
        ingest.wait_for_line("gate.opened")
        sender = Sender(int(ingest.url.rpartition(":")[2]))
        memory = []
        for number in range(rounds):
            await sender.send_all(fuzzer.attempts(requests // rounds))
            memory.append(read_memory(ingest))
            text = fuzzer.break_directory() if number % 3 == 2 else fuzzer.write_directory()
            directory.write_text(text, errors="replace")
        faults = [*sender.faults, *await find_faults_of(ingest, memory)]
        return Report(sender.answers, sender.unanswered, memory, faults)
    finally:
        ingest.close()


async def find_faults_of(ingest: Process, memory: Sequence[float]) -> list[str]:
    """Look at the process itself: it must still work, stop in order, and have kept its memory and its log."""
    faults = []
    async with httpx.AsyncClient() as client:
        ready = await client.get(f"{ingest.url}/readyz")
    if ready.status_code != 200 or any("queue" in part for part in ready.json()["degraded"]):
        faults.append(f"not ready afterwards: {ready.text}")
    gained = memory[-1] - memory[int(len(memory) * WARMED_UP)]
    if gained > MEGABYTES_GAINED:
        faults.append(f"the process grew by {gained:.0f} MB: {memory}")
    if ingest.terminate() != 0:
        faults.append("it did not stop in order")
    return faults + [f"log: {line}" for line in find_bad_lines(ingest.raw)]


def main() -> None:
    """Fuzz, print what came of it, and end with 1 when anything is wrong."""
    parser = argparse.ArgumentParser(description="Requests that no sensible sender makes, to a real ingest.")
    parser.add_argument("--requests", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    flags = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        report = asyncio.run(fuzz(Path(folder), requests=flags.requests, seed=flags.seed))
    answers = "\n".join(f"{count:8} {answer}" for answer, count in sorted(report.answers.items()))
    memory = ", ".join(f"{megabytes:.0f}" for megabytes in report.memory)
    sys.stdout.write(f"{answers}\n{report.unanswered:8} without an answer\nmemory after each round (MB): {memory}\n")
    sys.stdout.writelines(f"{fault}\n" for fault in report.faults[:50])
    sys.exit(bool(report.faults))


if __name__ == "__main__":
    main()
