"""What waits longest in the file, and since when."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from common.envelope import encode_frame
from common.queue.protocol import Message
from common.queue.sqlite.limits import Limits
from common.queue.sqlite.store import Store
from common.queue.sqlite.waiting import HeadWatch, Waiting
from tests.support.sqlite_queue import insert
from tests.support.uplinks import ARRIVED, build_envelope

PROBE = Message(b'{"version":1,"envelopes":[]}', uplinks=0)
FRESH = encode_frame([build_envelope()])
TRIED = encode_frame([build_envelope(attempt=2)])


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = Store(tmp_path / "queue.db", Limits())
    yield store
    store.close()


def test_the_head_is_the_oldest_message_that_holds_uplinks_also_while_it_is_in_hand(store: Store) -> None:
    with store.transaction():
        store.add("probe", PROBE)
        store.add("first", Message(FRESH, uplinks=1))
        store.add("second", Message(b"second", uplinks=1))
        store.take(7, limit=2, now=0)
        head = store.waiting.read(0).head
    assert head is not None
    assert head[1] == FRESH


def test_what_has_become_due_is_not_what_waits_for_its_step(store: Store) -> None:
    with store.transaction():
        insert(store, Message(b"due", uplinks=1), 1_000)
        insert(store, Message(b"later", uplinks=1), 3_000)
        assert store.waiting.read(999) == Waiting(None, None)
        assert store.waiting.read(2_000) == Waiting(None, 1_000)


def test_a_new_uplink_waits_since_it_arrived() -> None:
    assert HeadWatch().note(Waiting((1, FRESH), None)) == ARRIVED


@pytest.mark.parametrize("body", [TRIED, b"no frame", b'{"version":99,"envelopes":[]}'])
def test_one_whose_arrival_says_nothing_waits_since_it_was_seen(body: bytes) -> None:
    watch, before = HeadWatch(), datetime.now(UTC)
    since = watch.note(Waiting((1, body), None))
    assert since is not None
    assert before <= since
    assert watch.note(Waiting((1, body), None)) == since


def test_another_head_is_looked_at_anew() -> None:
    watch = HeadWatch()
    watch.note(Waiting((1, TRIED), None))
    assert watch.note(Waiting((2, FRESH), None)) == ARRIVED
    assert watch.note(Waiting(None, None)) is None


def test_the_older_of_head_and_due_counts() -> None:
    due_at = ARRIVED - timedelta(seconds=5)
    assert HeadWatch().note(Waiting((1, FRESH), int(due_at.timestamp() * 1000))) == due_at.replace(microsecond=678_000)
