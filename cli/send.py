"""``sluice send``: post uplinks as a gateway would, from files or made up, and say how they were answered."""

import asyncio
import gzip
import math
import re
import sys
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from http import HTTPStatus
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

import aiohttp
import httpx
import orjson
from cyclopts import ArgumentCollection, Group, Parameter
from cyclopts.types import NonNegativeFloat, PositiveInt
from httpx_aiohttp import HttpxAiohttpClient
from rich.console import Console
from rich.progress import Progress
from rich.table import Table
from rich.text import Text

from cli.flags import AsJson, Switch
from cli.terminal import fail, print_line

TRANSIENT = frozenset({None, HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE})
"""What is tried again: the sender was too fast, the queue was away, or nobody answered (None)."""

ANSWER_SECONDS = 30.0
"""How long an answer is waited for: far longer than the ingest takes, so that it is always the ingest's answer."""

PAUSE_SECONDS = 1.0
"""The wait before the next try where no ``Retry-After`` says another."""

MESSAGE_CHARACTERS = 200
"""How much is shown of an answer that is not the ingest's: a proxy's page, mostly."""

LINE_SUFFIXES = frozenset({".ndjson", ".jsonl"})
STDIN = Path("-")


def _check_source(arguments: ArgumentCollection) -> None:
    if len(arguments.filter_by(value_set=True)) != 1:
        raise ValueError("Give either files or --generate.")


def _check_url(_: Any, url: str) -> None:
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError("The URL must begin with http:// or https:// and a host.")


SOURCE = Group("Uplinks", validator=_check_source)


@dataclass(frozen=True, slots=True)
class Answer:
    """How one request was answered in the end; ``status`` None: not at all, and ``message`` says why.

    ``uplinks`` are those that were accepted, ``seconds`` the time of the last try, ``retry_after`` the seconds that
    another one would have to wait; ``tries`` counts from 1.
    """

    status: int | None
    reason: str | None = None
    message: str = ""
    uplinks: int = 0
    seconds: float = 0.0
    retry_after: float = 0.0
    tries: int = 1


@dataclass(frozen=True, slots=True)
class AnswerCount:
    """How many requests got the same answer, with the message of the first."""

    status: int | None
    reason: str | None
    message: str
    requests: int


@dataclass(frozen=True, slots=True)
class Summary:
    """What became of all requests. Times are in seconds; percentiles are None where nobody answered."""

    answers: list[AnswerCount]
    uplinks_accepted: int
    seconds: float
    uplinks_per_second: float
    answer_seconds_p50: float | None
    answer_seconds_p99: float | None
    tried_again: int

    @property
    def is_complete(self) -> bool:
        """Whether every request got the ingest's promise: 202 and nothing else."""
        return all(count.status == HTTPStatus.ACCEPTED for count in self.answers)


async def send(
    *files: Annotated[Path, Parameter(group=SOURCE, allow_leading_hyphen=True)],
    generate: Annotated[PositiveInt | None, Parameter(group=SOURCE)] = None,
    url: Annotated[str, Parameter(validator=_check_url)] = "http://127.0.0.1:8080/uplink",
    authorization: Annotated[str, Parameter(env_var="SLUICE_AUTHORIZATION")],
    batch: PositiveInt = 10,
    devices: PositiveInt = 1_000,
    senders: PositiveInt = 64,
    patience: NonNegativeFloat = 60.0,
    compress: Annotated[Switch, Parameter(name="--gzip")] = False,
    as_json: AsJson = False,
) -> int:
    """Post uplinks and show how they were answered.

    The exit code is 0 only if all of them were accepted.

    Parameters
    ----------
    files
        Files of JSON, each posted as it is; of .ndjson and .jsonl each line. "-" is standard input.
    generate
        How many uplinks to make up, with the fields serial, payload, port and mark; each mark is used once.
    url
        Where to post.
    authorization
        The authorization key; safer in the environment, where other users do not see it.
    batch
        Generated uplinks in one request.
    devices
        Devices that the generated uplinks come from, in turn.
    senders
        Requests under way at a time.
    patience
        Seconds for which a request is tried again after 429, 503 or no answer.
    compress
        Compress the bodies.
    as_json
        Print the summary as JSON.

    """
    try:
        bodies = read_bodies(files)
    except OSError as error:
        return fail(error)
    requests: Iterable[bytes] = bodies
    total = len(bodies)
    if generate:
        requests = generate_bodies(generate, batch=batch, devices=devices, run=uuid.uuid4().hex[:8])
        total = math.ceil(generate / batch)
    headers = {"Authorization": authorization, "Content-Type": "application/json"}
    if compress:
        requests = map(gzip.compress, requests)
        headers["Content-Encoding"] = "gzip"
    limits = httpx.Limits(max_connections=senders)
    started = time.perf_counter()
    with Progress(console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty()) as progress:
        bar = progress.add_task("Requests", total=total)
        async with HttpxAiohttpClient(headers=headers, limits=limits, timeout=ANSWER_SECONDS) as client:
            sender = Sender(client, url, patience=patience, on_answer=lambda: progress.advance(bar))
            answers = await sender.send_all(requests, at_once=senders)
    summary = summarize(answers, seconds=time.perf_counter() - started)
    _print_summary(summary, as_json=as_json)
    return 0 if summary.is_complete else 1


def read_bodies(files: Iterable[Path]) -> list[bytes]:
    """Give the bodies of the requests that the files hold, unchanged. Raises OSError."""
    bodies: list[bytes] = []
    for file in files:
        content = sys.stdin.buffer.read() if file == STDIN else file.read_bytes()
        if file.suffix in LINE_SUFFIXES:
            bodies.extend(line for line in content.splitlines() if line.strip())
        else:
            bodies.append(content)
    return bodies


def generate_bodies(count: int, *, batch: int, devices: int, run: str) -> Iterator[bytes]:
    """Make up ``count`` uplinks, ``batch`` in a request, from ``devices`` devices in turn.

    The serials are 16 hexadecimal digits, which fit the format of a LoRaWAN network. ``run`` keeps the marks of
    several runs apart.
    """
    for first in range(0, count, batch):
        numbers = range(first, min(first + batch, count))
        yield orjson.dumps(
            [{"serial": f"{n % devices:016X}", "payload": f"{n:08x}", "port": 1, "mark": f"{run}-{n}"} for n in numbers]
        )


class Sender:
    """Posts requests, several at a time; calls ``on_answer`` for each that has its last answer."""

    def __init__(
        self, client: httpx.AsyncClient, url: str, *, patience: float, on_answer: Callable[[], None] = lambda: None
    ) -> None:
        self._client = client
        self._url = url
        self._patience = patience
        self._on_answer = on_answer

    async def send_all(self, bodies: Iterable[bytes], *, at_once: int) -> list[Answer]:
        """Post every body, ``at_once`` at a time, and give the last answer to each."""
        waiting = iter(bodies)
        answers: list[Answer] = []

        async def send_next() -> None:
            # Shared by all: whoever is free takes the next.
            for body in waiting:
                answers.append(await self._send(body))
                self._on_answer()

        async with asyncio.TaskGroup() as tasks:
            for _ in range(at_once):
                tasks.create_task(send_next())
        return answers

    async def _send(self, body: bytes) -> Answer:
        # What was answered 503, or not at all, may be in the queue all the same: the key tells that it is the same.
        idempotency_key = uuid.uuid4().hex
        give_up_at = time.monotonic() + self._patience
        tries = 0
        while True:
            tries += 1
            answer = replace(await self._post(body, idempotency_key), tries=tries)
            if answer.status not in TRANSIENT or time.monotonic() + answer.retry_after >= give_up_at:
                return answer
            await asyncio.sleep(answer.retry_after)

    async def _post(self, body: bytes, idempotency_key: str) -> Answer:
        started = time.perf_counter()
        try:
            response = await self._client.post(self._url, content=body, headers={"Idempotency-Key": idempotency_key})
        except (httpx.TransportError, aiohttp.ClientError) as error:
            return Answer(None, message=f"{type(error).__name__}: {error}", retry_after=PAUSE_SECONDS)
        return read_answer(response, seconds=time.perf_counter() - started)


def read_answer(response: httpx.Response, *, seconds: float) -> Answer:
    """Read an answer of the ingest, or of whatever stands in front of it."""
    try:
        document = orjson.loads(response.content)
    except ValueError:
        document = None
    if not isinstance(document, dict):
        document = {"message": response.text[:MESSAGE_CHARACTERS]}
    reason, wait = document.get("reason"), response.headers.get("Retry-After", "")
    accepted = re.match(r"\d+", str(document.get("result"))) if response.status_code == HTTPStatus.ACCEPTED else None
    return Answer(
        status=response.status_code,
        reason=reason if isinstance(reason, str) else None,
        message=str(document.get("message", "")),
        uplinks=int(accepted[0]) if accepted else 0,
        seconds=seconds,
        retry_after=float(wait) if wait.isdecimal() else PAUSE_SECONDS,
    )


def summarize(answers: Sequence[Answer], *, seconds: float) -> Summary:
    """Count the answers, the most frequent first; ``seconds`` is how long all of it took."""
    counts = Counter((answer.status, answer.reason) for answer in answers)
    messages = {(answer.status, answer.reason): answer.message for answer in reversed(answers)}
    times = sorted(answer.seconds for answer in answers if answer.status is not None)
    uplinks = sum(answer.uplinks for answer in answers)
    return Summary(
        answers=[AnswerCount(*kind, messages[kind], requests) for kind, requests in counts.most_common()],
        uplinks_accepted=uplinks,
        seconds=seconds,
        uplinks_per_second=uplinks / seconds if seconds else 0.0,
        answer_seconds_p50=find_percentile(times, 50),
        answer_seconds_p99=find_percentile(times, 99),
        tried_again=sum(answer.tries - 1 for answer in answers),
    )


def find_percentile(ascending: Sequence[float], percent: int) -> float | None:
    """Give the smallest value that ``percent`` of them do not exceed; None where there is none."""
    return ascending[math.ceil(len(ascending) * percent / 100) - 1] if ascending else None


def _print_summary(summary: Summary, *, as_json: bool) -> None:
    if as_json:
        print_line(asdict(summary))
    else:
        Console().print(tabulate_answers(summary), tabulate_figures(summary), sep="\n")


def tabulate_answers(summary: Summary) -> Table:
    """Show how many requests were answered in which way, each way with its first message."""
    table = Table("status", "reason", "requests", "message")
    for count in summary.answers:
        status = "no answer" if count.status is None else str(count.status)
        # A message may quote what was sent: as Text, it is not taken for markup.
        table.add_row(status, count.reason, str(count.requests), Text(count.message))
    return table


def tabulate_figures(summary: Summary) -> Table:
    """Show how much was accepted, and how fast."""
    table = Table.grid(padding=(0, 2))
    table.add_row("uplinks accepted", f"{summary.uplinks_accepted:,} in {summary.seconds:.1f} s")
    table.add_row("uplinks/s", f"{summary.uplinks_per_second:,.0f}")
    for name, seconds in (("p50", summary.answer_seconds_p50), ("p99", summary.answer_seconds_p99)):
        table.add_row(f"answer time, {name}", "none" if seconds is None else f"{seconds * 1_000:.1f} ms")
    table.add_row("tried again", f"{summary.tried_again:,}")
    return table
