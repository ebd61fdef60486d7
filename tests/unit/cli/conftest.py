"""What the tests of the command line share."""

import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, TypeAlias

import httpx
import pytest
import structlog

from cli import queue as queue_module
from cli import resolving
from tests.support.queues import FakeQueue
from workers.http_client import TransportClient

Opened: TypeAlias = list[dict[str, Any]]
Respond: TypeAlias = Callable[[httpx.Request], httpx.Response]


@pytest.fixture
def wide(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give a terminal so wide that no line is broken."""
    monkeypatch.setenv("COLUMNS", "500")


@pytest.fixture
def no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have nothing of Sluice's in the environment."""
    for name in [name for name in os.environ if name.startswith("SLUICE_")]:
        monkeypatch.delenv(name)


@pytest.fixture(autouse=True)
def _logs_stay_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    """A command configures the logs of its process; here the process is the tests', whose loggers would keep that."""
    monkeypatch.setattr(structlog, "configure", lambda **_: None)


@pytest.fixture
def opened() -> Opened:
    """What the queue was opened with, each time."""
    return []


@pytest.fixture
def serve_queue(monkeypatch: pytest.MonkeyPatch, opened: Opened) -> Callable[[FakeQueue], None]:
    """Have a tool find this queue; it may make none."""

    def serve_queue(queue: FakeQueue) -> None:
        @asynccontextmanager
        async def open_queue(url: str, **options: object) -> AsyncIterator[FakeQueue]:
            assert options["existing_only"]
            opened.append({"url": url, **options})
            yield queue

        monkeypatch.setattr(queue_module, "open_queue", open_queue)

    return serve_queue


@pytest.fixture
def serve_downstream(monkeypatch: pytest.MonkeyPatch) -> Callable[[Respond], list[httpx.Request]]:
    """Have a tool find a downstream that answers so; what it is asked is in the list."""

    def serve_downstream(respond: Respond) -> list[httpx.Request]:
        asked: list[httpx.Request] = []

        def answer(request: httpx.Request) -> httpx.Response:
            asked.append(request)
            return respond(request)

        transport = httpx.MockTransport(answer)
        monkeypatch.setattr(resolving, "create_client", lambda _: TransportClient(transport, seconds=30))
        return asked

    return serve_downstream
