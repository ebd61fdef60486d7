"""Nothing secret leaks, whatever goes wrong: not into a log, a metric, an answer, a message or a letter.

Imports nothing of Sluice.
"""

import asyncio
import json
import sqlite3
import subprocess
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit

import aio_pika
import httpx
import pytest

from tests.support.broker import BrokerContainer, BrokerMissingError, leave_out
from tests.support.leftovers import delete_queues
from tests.support.processes import Process
from tests.support.quoting import DEVICE_TOKEN, QuotingDownstream
from tests.support.system import System
from tests.support.waiting import eventually

KEY = "at-secret/f4c70ry+1"
NETWORK_TOKEN = "n-secret-network+token"
AMQP_PASSWORD = "amqp-secret-passw0rd"
SECRET_KEY = "registry-secret-key-0123456789abcdef"
PROFILE_TOKEN = "p-secret-profile-token-0123456789"
DIRECTORY_TOKEN = "directory-secret-token-0123456789"
STRANGER = "at-secret-of-a-stranger"
URL_PASSWORD = "url-secret-passw0rd"

SECRETS = (
    KEY,
    NETWORK_TOKEN,
    AMQP_PASSWORD,
    SECRET_KEY,
    PROFILE_TOKEN,
    DIRECTORY_TOKEN,
    DEVICE_TOKEN,
    STRANGER,
    URL_PASSWORD,
)

PART = 12
"""So many characters of a secret in a row are a leak too: a message may be cut off inside of it."""

ODD_REQUESTS: tuple[tuple[str, str, bytes], ...] = (
    ("POST", "/uplink", b'[{"serial": "A"}, {"devadr": 1}]'),
    ("POST", "/uplink", b'{"serial": "A", '),
    ("POST", "/uplink", b"[" * 2_000),
    ("POST", "/uplink", b"[1]"),
    ("POST", "/uplink", b""),
    ("GET", "/uplink", b""),
    ("POST", "/nowhere", b"{}"),
)


def find_leaks(text: str) -> list[str]:
    """Give an excerpt around each secret of which a recognisable part is in the text, however it was encoded there."""
    decoded = unquote(text.replace("\\/", "/"))
    found = []
    for secret in SECRETS:
        parts = [secret[start : start + PART] for start in range(len(secret) - PART + 1)]
        position = next((decoded.find(part) for part in parts if part in decoded), None)
        if position is not None:
            found.append(f"{secret}: {decoded[max(0, position - 300) : position + 100]}")
    return found


@dataclass(frozen=True)
class Engine:
    """A queue for one test, and how to see everything that is in it."""

    url: str
    read: Callable[[str], str]
    delete: Callable[[str], None]


@pytest.fixture(params=["sqlite", pytest.param("rabbitmq", marks=[pytest.mark.rabbitmq, pytest.mark.docker])])
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Engine:
    if request.param == "sqlite":
        path = tmp_path / "queue.db"
        return Engine(f"sqlite:{path}", lambda _: read_database(path), lambda _: None)
    try:
        broker: BrokerContainer = request.getfixturevalue("own_broker")
    except BrokerMissingError as error:
        leave_out(str(error))
    user = f"sluice-{uuid.uuid4().hex[:8]}"
    broker.control("add_user", user, AMQP_PASSWORD)
    broker.control("set_permissions", user, ".*", ".*", ".*")
    address = urlsplit(broker.url).netloc.rpartition("@")[2]
    return Engine(
        f"amqp://{user}:{AMQP_PASSWORD}@{address}/",
        lambda prefix: asyncio.run(read_broker(broker.url, prefix)),
        lambda prefix: delete_queues(broker.url, prefix, ("200ms", "1h")),
    )


@pytest.fixture
def downstream() -> Iterator[QuotingDownstream]:
    with QuotingDownstream() as downstream:
        yield downstream


@pytest.fixture
def system(engine: Engine, downstream: QuotingDownstream, tmp_path: Path) -> Iterator[System]:
    system = System(engine.url, tmp_path)
    system.environment |= {
        "SLUICE_DOWNSTREAM": downstream.url,
        "FACTORY_AUTHORIZATION": KEY,
        "NETWORK_TOKEN": NETWORK_TOKEN,
        "SLUICE_LOG_LEVEL": "DEBUG",
        "SLUICE_RETRY_STEPS": "0.2,3600",
        "SLUICE_SECRET_KEY": SECRET_KEY,
        "SLUICE_PROFILE_TOKEN": PROFILE_TOKEN,
        "SLUICE_DIRECTORY_TOKEN": DIRECTORY_TOKEN,
        "SLUICE_DATA": str(tmp_path / "data"),
        "SLUICE_REGISTRY_PORT": "0",
    }
    yield system
    system.close()
    engine.delete(system.prefix)


def read_database(path: Path) -> str:
    """Give everything that a SQLite file and its log hold, and what is in its tables."""
    files = [file.read_bytes().decode("latin-1") for file in path.parent.glob(f"{path.name}*")]
    with closing(sqlite3.connect(path)) as database:
        rows = "\n".join(repr(row) for row in database.iterdump())
    return "\n".join([*files, rows])


async def read_broker(url: str, prefix: str) -> str:
    """Give every message that is in the queues, with its headers; the dead letters are shown by the command line."""
    found = []
    async with await aio_pika.connect(url) as connection, connection.channel() as channel:
        for name in ("uplinks", "suspects", "retry.200ms", "retry.1h"):
            queue = await channel.get_queue(f"{prefix}.{name}")
            while message := await queue.get(fail=False, no_ack=True):
                found.append(f"{message.body.decode('latin-1')} {message.headers} {message.info()}")
    return "\n".join(found)


def provoke_refusals(ingest: Process) -> list[str]:
    """Send what an ingest refuses, with every kind of authorization; give the answers."""
    answers = []
    for authorization in (KEY, f"Bearer {KEY}", STRANGER, ""):
        by_header = {"Authorization": authorization, "Content-Type": "application/json"}
        by_query = f"?authorization={quote(authorization, safe='')}"
        with httpx.Client(base_url=ingest.url) as client:
            for method, path, body in ODD_REQUESTS:
                answers.append(client.request(method, path, content=body, headers=by_header))
                answers.append(
                    client.request(method, path + by_query, content=body, headers={"Content-Type": "text/plain"})
                )
    return [f"{answer.headers} {answer.text}" for answer in answers]


def post(ingest: Process, serials: list[str]) -> None:
    items = [{"serial": serial, "payload": "00"} for serial in serials]
    answer = httpx.post(f"{ingest.url}/uplink", json=items, headers={"Authorization": KEY})
    assert answer.status_code == 202, answer.text


def observe(*processes: Process) -> list[str]:
    """Give what the processes tell of themselves over HTTP."""
    paths = ("/metrics", "/readyz", "/healthz", "/openapi.json")
    return [httpx.get(f"{process.url}{path}", timeout=30).text for process in processes for path in paths]


@pytest.mark.timeout(400)
async def test_no_secret_is_anywhere_but_where_it_belongs(
    system: System, engine: Engine, downstream: QuotingDownstream
) -> None:
    ingest = system.start_ingest()
    texts = provoke_refusals(ingest)
    for statuses in ((200, 400, 404, 418), (301, 408, 500, 503), (401, 403), (429,)):
        downstream.statuses = statuses
        before = downstream.quoted
        worker = system.start_worker()
        post(ingest, [f"{kind}-{number}" for kind in ("BAD", "POST", "GOOD") for number in range(10)])
        await eventually(partial(has_quoted, downstream, before + 4), within=40)
        if 400 in statuses:
            await eventually(partial(count_dead, worker), within=40)
        texts += observe(ingest, worker)
        assert worker.terminate() == 0
    post(ingest, ["LEFT-BEHIND"])
    letters = system.run("dead", "list", "--json")
    assert letters.wait() == 0
    assert letters.lines
    in_queue = await asyncio.to_thread(engine.read, system.prefix)
    assert "LEFT-BEHIND" in in_queue
    texts += [in_queue, *(process.log for process in system.processes if process is not system.stub)]
    assert [leak for text in texts for leak in find_leaks(text)] == []


def has_quoted(downstream: QuotingDownstream, times: int) -> bool:
    return downstream.quoted >= times


def count_dead(worker: Process) -> int:
    lines = httpx.get(f"{worker.url}/metrics").text.splitlines()
    return int(sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith("sluice_uplinks_dead_total{")))


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    ("role", "settings"),
    [
        ("ingest", {"SLUICE_QUEUE": f"redis://sluice:{URL_PASSWORD}@127.0.0.1/"}),
        ("ingest", {"SLUICE_QUEUE": f"amqp://sluice:{URL_PASSWORD}@[bad/"}),
        ("ingest", {"SLUICE_QUEUE": f"amqp://sluice:{URL_PASSWORD}@127.0.0.1:99999/"}),
        ("worker", {"SLUICE_DOWNSTREAM": f"ftp://sluice:{URL_PASSWORD}@127.0.0.1/"}),
        ("worker", {"SLUICE_DOWNSTREAM": f"http://sluice:{URL_PASSWORD}@127.0.0.1/"}),
        ("worker", {"SLUICE_DIRECTORY": f"http://sluice:{URL_PASSWORD}@127.0.0.1:1/"}),
        ("registry", {"SLUICE_DATABASE": f"postgresql://sluice:{URL_PASSWORD}@127.0.0.1:1/sluice"}),
        ("registry", {"SLUICE_PROFILE_TOKEN": STRANGER + " \n"}),
        ("run", {"SLUICE_DIRECTORY_TOKEN": "at-secret-of"}),
    ],
)
def test_what_cannot_start_says_why_without_a_secret(system: System, role: str, settings: dict[str, str]) -> None:
    process = system.run(role, **settings)
    try:
        process.wait(within=8)
    except subprocess.TimeoutExpired:
        process.terminate()
    assert process.log
    assert find_leaks(process.log) == []


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
@pytest.mark.parametrize("line", [f"token = {KEY}", f'token = "{KEY}', f'tokens = "{KEY}"', f'token = ["{KEY}"]'])
async def test_a_broken_directory_is_refused_without_a_secret(system: System, line: str) -> None:
    ingest = system.start_ingest()
    system.directory.write_text(f"{system.directory.read_text()}\n[authorizations.new]\nnetwork = 'plain'\n{line}\n")
    await eventually(lambda: httpx.get(f"{ingest.url}/readyz").json()["degraded"])
    texts = [ingest.log, *observe(ingest)]
    assert [leak for text in texts for leak in find_leaks(text)] == []


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
def test_a_registry_keeps_what_it_was_given_to_itself(system: System, tmp_path: Path) -> None:
    registry = system.run("registry")
    with httpx.Client(base_url=registry.url, headers={"Authorization": PROFILE_TOKEN}) as client:
        answers = [client.get(path).text for path in ("/info", "/device", "/integration/network", "/nowhere")]
        answers += [client.get(f"/integration/network/resolve/A/{quote(KEY, safe='')}").text]
        answers += [client.post("/data", json=[{}], headers={"token": STRANGER}).text]
    texts = [*answers, *observe(registry)]
    registry.terminate()
    stored = read_database(tmp_path / "data" / "registry.db")
    assert [leak for text in [*texts, registry.log, stored] for leak in find_leaks(text)] == []


def test_a_leak_would_be_found() -> None:
    assert find_leaks(json.dumps({"message": f"x{KEY[3:16]}"}))
    assert find_leaks(f"/resolve/A/{quote(KEY, safe='')}")
    assert find_leaks("no secret") == []
