"""The consumer's lock: one holder, who is named to the others, and whose end frees it."""

import os
import socket
from pathlib import Path

import pytest

from common.queue.protocol import QueueUnavailableError
from common.queue.sqlite.lock import ConsumerLock


@pytest.fixture
def queue(tmp_path: Path) -> Path:
    return tmp_path / "not there yet" / "queue.db"


def test_a_second_holder_is_refused_with_who_the_first_is(queue: Path) -> None:
    first, second = ConsumerLock(queue), ConsumerLock(queue)
    first.acquire()
    with pytest.raises(QueueUnavailableError) as refusal:
        second.acquire()
    for part in (str(queue), f"process {os.getpid()} on {socket.gethostname()} since 20"):
        assert part in str(refusal.value)
    first.release()
    second.acquire()
    second.release()


def test_acquiring_and_releasing_twice_does_nothing_more(queue: Path) -> None:
    lock, other = ConsumerLock(queue), ConsumerLock(queue)
    lock.acquire()
    lock.acquire()
    lock.release()
    other.acquire()
    lock.release()
    assert lock.is_held(), "it is the other's"
    other.release()


def test_whether_anybody_holds_it_is_seen_by_all_and_changes_nothing(queue: Path) -> None:
    lock, other = ConsumerLock(queue), ConsumerLock(queue)
    assert not other.is_held()
    lock.acquire()
    assert lock.is_held()
    assert other.is_held()
    lock.release()
    assert not other.is_held()
    lock.acquire()
    lock.release()


def test_a_holder_that_has_not_said_who_it_is_refuses_others_all_the_same(queue: Path) -> None:
    first, second = ConsumerLock(queue), ConsumerLock(queue)
    first.acquire()
    first._path.write_bytes(b"")
    with pytest.raises(QueueUnavailableError, match="another process"):
        second.acquire()
    first.release()


def test_a_lock_whose_file_was_deleted_is_taken_anew(queue: Path) -> None:
    lock, other = ConsumerLock(queue), ConsumerLock(queue)
    lock.acquire()
    lock._path.unlink()
    lock.acquire()
    with pytest.raises(QueueUnavailableError):
        other.acquire()
    lock.release()


def test_a_lock_whose_file_is_anothers_by_now_is_lost(queue: Path) -> None:
    lock, other = ConsumerLock(queue), ConsumerLock(queue)
    lock.acquire()
    lock._path.unlink()
    other.acquire()
    with pytest.raises(QueueUnavailableError):
        lock.acquire()
    other.release()


def test_a_place_where_no_lock_can_be_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    lock = ConsumerLock(tmp_path / "file" / "queue.db")
    with pytest.raises(QueueUnavailableError, match=str(tmp_path)):
        lock.acquire()


def test_the_file_is_for_its_owner_alone(queue: Path) -> None:
    lock = ConsumerLock(queue)
    lock.acquire()
    assert lock._path.stat().st_mode & 0o777 == 0o600
    lock.release()
