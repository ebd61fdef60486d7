"""A gateway that sends marked uplinks and keeps account of every answer, as a process of its own.

It imports nothing of the project. ``GATEWAY_AUTHORIZATION`` holds the key::

    GATEWAY_AUTHORIZATION=at-… python tests/support/gateway.py --url http://127.0.0.1:8080/uplink --uplinks 1000

A request that is answered 429 or 503, or not at all, is sent again with the same ``Idempotency-Key`` for ``--patience``
seconds. While it sends it prints lines ``{"event": "gateway.sending", "accepted": 120}``, and at the end one with the
event ``gateway.sent``: the ``answers`` of all tries by status, the ``slowest`` answer in seconds, and how many uplinks
were sent again (``repeated``). The file ``--answers`` then holds ``accepted``, each mark that was answered 202 with the
uplink id that the answer promised, and ``unsure``, the marks whose last answer was 503 or none: they may be stored.
"""

import argparse
import asyncio
import json
import os
import sys
import time
import uuid
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import orjson

NO_ANSWER = 0
"""In place of a status."""

ACCEPTED = 202
REPEATED_STATUSES = frozenset({NO_ANSWER, 429, 503})
ANSWER_SECONDS = 30.0
LONGEST_PAUSE_SECONDS = 1.0
"""Between two tries, whatever ``Retry-After`` says: it is the recovery that is measured."""
REPORT_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class Load:
    """What is sent: ``uplinks`` in requests of ``batch``, from the ``serials`` in turn.

    ``shared`` uplinks carry no raw payload, and those of a request come from one device: they may share a post.
    ``rate`` bounds the requests a second; 0: as fast as they are answered.
    """

    uplinks: int
    batch: int
    serials: Sequence[str]
    senders: int
    patience: float
    shared: bool = False
    rate: float = 0.0

    def requests(self) -> Iterator[list[dict[str, Any]]]:
        """Give the uplinks of each request, each with a mark of its own."""
        run = uuid.uuid4().hex[:8]
        for request, first in enumerate(range(0, self.uplinks, self.batch)):
            numbers = range(first, min(first + self.batch, self.uplinks))
            yield [self._uplink(run, request if self.shared else number, number) for number in numbers]

    def _uplink(self, run: str, device: int, number: int) -> dict[str, Any]:
        fields = {"reading": number} if self.shared else {"payload": f"{number:08x}", "port": 1}
        return {"serial": self.serials[device % len(self.serials)], "mark": f"{run}-{number}", **fields}


@dataclass(slots=True)
class Account:
    """How everything was answered so far."""

    accepted: dict[str, str] = field(default_factory=dict)
    unsure: list[str] = field(default_factory=list)
    answers: Counter[int] = field(default_factory=Counter)
    slowest: float = 0.0
    repeated: int = 0


class Gateway:
    """Sends a load, and keeps account."""

    def __init__(self, session: aiohttp.ClientSession, url: str, load: Load) -> None:
        self._session = session
        self._url = url
        self._load = load
        self._next_at = time.monotonic()
        self.account = Account()

    async def send_all(self) -> None:
        """Send every request, ``senders`` at a time."""
        requests = self._load.requests()

        async def send_next() -> None:
            for uplinks in requests:
                await self._keep_rate()
                await self._send(uplinks)

        async with asyncio.TaskGroup() as tasks:
            for _ in range(self._load.senders):
                tasks.create_task(send_next())

    async def _keep_rate(self) -> None:
        if self._load.rate:
            self._next_at = max(self._next_at + 1 / self._load.rate, time.monotonic() - 1)
            await asyncio.sleep(self._next_at - time.monotonic())

    async def _send(self, uplinks: list[dict[str, Any]]) -> None:
        headers = {"Content-Type": "application/json", "Idempotency-Key": uuid.uuid4().hex}
        body, give_up_at = orjson.dumps(uplinks), time.monotonic() + self._load.patience
        account, tries = self.account, 0
        while True:
            status, answer, pause = await self._post(body, headers)
            account.repeated += len(uplinks) if tries else 0
            tries += 1
            if status not in REPEATED_STATUSES or time.monotonic() + pause >= give_up_at:
                break
            await asyncio.sleep(pause)
        marks = [uplink["mark"] for uplink in uplinks]
        if status == ACCEPTED:
            account.accepted.update({mark: f"{answer['group']}/{index}" for index, mark in enumerate(marks)})
        elif status in {NO_ANSWER, 503}:
            account.unsure.extend(marks)

    async def _post(self, body: bytes, headers: dict[str, str]) -> tuple[int, Any, float]:
        """Post once; give the status, the answer, and the seconds until another try."""
        began = time.monotonic()
        try:
            async with self._session.post(self._url, data=body, headers=headers) as response:
                status, answer = response.status, orjson.loads(await response.read())
                pause = min(float(response.headers.get("Retry-After", "0")), LONGEST_PAUSE_SECONDS)
        except (aiohttp.ClientError, TimeoutError, OSError):
            status, answer, pause = NO_ANSWER, None, LONGEST_PAUSE_SECONDS / 2
        self.account.answers[status] += 1
        self.account.slowest = max(self.account.slowest, time.monotonic() - began)
        return status, answer, pause


def tell(event: str, **fields: object) -> None:
    sys.stdout.write(f"{json.dumps({'event': event, **fields})}\n")
    sys.stdout.flush()


async def report(account: Account) -> None:
    told = -1
    while True:
        if len(account.accepted) != told:
            told = len(account.accepted)
            tell("gateway.sending", accepted=told)
        await asyncio.sleep(REPORT_SECONDS)


async def run(url: str, authorization: str, load: Load) -> Account:
    """Send the load, and tell how it went meanwhile and at the end."""
    connector, timeout = aiohttp.TCPConnector(limit=0), aiohttp.ClientTimeout(total=ANSWER_SECONDS)
    headers = {"Authorization": authorization}
    async with aiohttp.ClientSession(connector=connector, timeout=timeout, headers=headers) as session:
        gateway = Gateway(session, url, load)
        reporting = asyncio.create_task(report(gateway.account))
        await gateway.send_all()
        reporting.cancel()
    account = gateway.account
    by_status = {str(status): count for status, count in sorted(account.answers.items())}
    tell("gateway.sending", accepted=len(account.accepted))
    tell("gateway.sent", answers=by_status, slowest=account.slowest, repeated=account.repeated)
    return account


def main() -> None:
    """Send everything, then leave."""
    parser = argparse.ArgumentParser(description="A gateway that keeps account.")
    parser.add_argument("--url", required=True)
    parser.add_argument("--answers", type=Path, required=True)
    parser.add_argument("--uplinks", type=int, required=True)
    parser.add_argument("--batch", type=int, default=10, help="uplinks in a request")
    parser.add_argument("--serials", default="", help="with commas; none given: 200 made up")
    parser.add_argument("--senders", type=int, default=64, help="requests under way at a time")
    parser.add_argument("--patience", type=float, default=120, help="seconds for which a request is sent again")
    parser.add_argument("--shared", action="store_true", help="uplinks without a payload, each request of one device")
    parser.add_argument("--rate", type=float, default=0, help="requests a second; 0: as fast as they are answered")
    flags = parser.parse_args()
    load = Load(
        uplinks=flags.uplinks,
        batch=flags.batch,
        serials=flags.serials.split(",") if flags.serials else [f"{number:016X}" for number in range(200)],
        senders=flags.senders,
        patience=flags.patience,
        shared=flags.shared,
        rate=flags.rate,
    )
    account = asyncio.run(run(flags.url, os.environ["GATEWAY_AUTHORIZATION"], load))
    flags.answers.write_bytes(orjson.dumps({"accepted": account.accepted, "unsure": account.unsure}))


if __name__ == "__main__":
    main()
