"""``sluice audit`` on a queue in a file, as it was left by whoever used it."""

import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import orjson
import pytest

from cli import audit as module
from cli.audit import audit
from cli.deployment import Deployment
from common.dead_letter import DeadLetter
from common.queue.protocol import Message, Remainder
from common.reason import Reason
from tests.support.remains import leave
from tests.support.sqlite_queue import opened

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    # It would replace the handlers that pytest listens with.
    monkeypatch.setattr(module, "configure_logs", lambda **_: None)


@pytest.fixture
async def path(tmp_path: Path) -> Path:
    """A queue that has taken, delivered and kept some uplinks."""
    path = tmp_path / "queue.db"
    async with opened(path) as queue:
        await leave(queue, Remainder(delivered=0, suspects=[Message(b"a", 2)]))
        await queue.publish(Message(b"b", 40))
    return path


@pytest.fixture
def letter_of_a_frame() -> DeadLetter:
    return DeadLetter("frame/0b3c", Reason.ENVELOPE_UNSUPPORTED, "", 1, NOON, NOON, frame=b"?", uplinks=37)


def at(path: Path) -> Deployment:
    return Deployment(queue=f"sqlite:{path}")


async def test_a_queue_that_has_lost_nothing_is_balanced(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert await audit(where=at(path)) == 0
    shown = capsys.readouterr().out
    assert "balanced: 42 uplinks came in, and each was found" in shown
    assert "in the queue" in shown


async def test_a_message_that_somebody_deleted_is_missing(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("DELETE FROM message WHERE uplinks = 40")
    assert await audit(where=at(path), as_json=True) == 1
    finding = orjson.loads(capsys.readouterr().out.splitlines()[-1])
    assert (finding["verdict"], finding["account"]["in_queue"]) == ("out_of_balance", {"least": 2, "most": 2})
    assert finding["why"].startswith("40 uplinks are missing")


async def test_a_replay_comes_into_the_books(tmp_path: Path, letter_of_a_frame: DeadLetter) -> None:
    path = tmp_path / "queue.db"
    async with opened(path) as queue:
        await leave(queue, Remainder([letter_of_a_frame]))
        await queue.replay_dead_letters([letter_of_a_frame])
        books = await queue.books()
        assert (books.died, books.replayed, books.in_queue, books.surplus) == (37, 37, 37, 0)
    assert await audit(where=at(path)) == 0


async def test_a_queue_that_is_not_there_is_not_made(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert await audit(where=at(tmp_path / "queue.db")) == 2
    assert "there is no queue in" in capsys.readouterr().out
    assert not (tmp_path / "queue.db").exists()


async def test_figures_of_processes_are_refused_where_the_file_has_better_ones(
    path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await audit(where=at(path), metrics=("http://127.0.0.1:8080/metrics",)) == 2
    assert "keeps its own books" in capsys.readouterr().out


async def test_a_broker_needs_the_figures_of_the_processes(capsys: pytest.CaptureFixture[str]) -> None:
    assert await audit(where=Deployment(queue="amqp://127.0.0.1:1/"), as_json=True) == 2
    finding = orjson.loads(capsys.readouterr().out.splitlines()[-1])
    assert (finding["verdict"], finding["account"]) == ("cannot_tell", None)
    assert "--metrics" in finding["why"]
