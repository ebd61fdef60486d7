"""The SQL of the embedded queue, on a file of its own, with a clock of the test's own."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Concatenate, ParamSpec, TypeVar

import pytest

from common.dead_letter import DeadLetter
from common.queue.limits import DELIVERY_LIMIT
from common.queue.protocol import Books, Depths, Message, QueueUnavailableError, Remainder
from common.queue.sqlite.limits import Limits
from common.queue.sqlite.schema import SUSPECT
from common.queue.sqlite.store import TAKE_BYTES, Store, TakenMessage
from common.reason import Reason
from tests.support.sqlite_queue import STEPS, insert, settle

P = ParamSpec("P")
T = TypeVar("T")

NOON = 1_795_262_400_000
SECOND = 1_000
ME, OTHER = 7, 8


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = Store(tmp_path / "queue.db", Limits())
    yield store
    store.close()


def test_messages_come_in_the_order_in_which_they_arrived(store: Store) -> None:
    add(store, "a", "b", "c")
    assert take(store) == ["a", "b", "c"]


def test_a_message_that_has_become_due_comes_before_those_that_arrived_after_it(store: Store) -> None:
    add(store, "a")
    do(store, insert, message("b"), NOON - SECOND)
    do(store, insert, message("c"), NOON + SECOND)
    add(store, "d")
    assert take(store, limit=3) == ["a", "b", "d"]
    assert take(store, now=NOON + SECOND) == ["c"]


def test_a_few_are_taken_of_many_and_the_others_stay_in_order(store: Store) -> None:
    for number in range(10):
        add(store, f"{number}")
        do(store, insert, message(f"due {number}"), NOON - number)
    taken = [take(store, limit=7) for _ in range(3)]
    assert [len(texts) for texts in taken] == [7, 7, 6]
    assert [text for texts in taken for text in texts if "due" not in text] == [f"{number}" for number in range(10)]
    assert len({text for texts in taken for text in texts}) == 20


def test_what_is_in_hand_is_not_taken_again(store: Store) -> None:
    add(store, "a", "b")
    assert take(store, limit=1) == ["a"]
    assert take(store) == ["b"]
    assert take(store) == []


def test_no_more_bodies_are_read_at_a_time_than_memory_should_hold_but_at_least_one(store: Store) -> None:
    large = Message(b"x" * (TAKE_BYTES + 1), uplinks=1)
    for number in range(2):
        do(store, Store.add, f"{number}", large)
    assert len(take(store)) == 1
    assert len(take(store)) == 1


def test_what_another_holder_left_is_taken_with_a_higher_count(store: Store) -> None:
    add(store, "a")
    do(store, Store.take, OTHER, limit=1, now=NOON)
    do(store, Store.take_from_others, ME)
    (again,) = do(store, Store.take, ME, limit=1, now=NOON)
    assert again.count == 2


def test_what_this_holder_has_in_hand_stays_there_when_others_lose_theirs(store: Store) -> None:
    add(store, "a")
    take(store)
    do(store, Store.take_from_others, ME)
    assert take(store) == []


def test_a_message_that_nobody_opened_does_not_count_as_delivered(store: Store) -> None:
    add(store, "a")
    (first,) = do(store, Store.take, ME, limit=1, now=NOON)
    do(store, Store.hand_back, ME, [first.id], uncounted=True)
    (again,) = do(store, Store.take, ME, limit=1, now=NOON)
    assert (first.count, again.count) == (1, 1)


def test_a_late_settlement_does_not_touch_what_another_holder_has(store: Store) -> None:
    add(store, "a")
    (first,) = do(store, Store.take, OTHER, limit=1, now=NOON)
    do(store, Store.take_from_others, ME)
    take(store)
    do(store, Store.hand_back, OTHER, [first.id])
    assert take(store) == []


def test_a_settlement_of_another_files_message_changes_nothing(store: Store) -> None:
    """Where the file was replaced, ids begin anew."""
    add(store, "a")
    (taken,) = do(store, Store.take, ME, limit=1, now=NOON)
    do(store, settle, replace(taken, message_id="of the old file"), Remainder(suspects=[message("b")], delivered=1))
    assert store.count(NOON, is_held=False) == Depths(work=1, retry=0, suspects=0, poison=0, dead=0)
    assert store.books.read() == Books(accepted=1, replayed=0, delivered=0, set_aside=0, died=0, in_queue=1)


def test_ids_are_not_used_again(store: Store) -> None:
    """Else a settlement that is done twice could hit a message that arrived in between."""
    ids = []
    for _ in range(3):
        add(store, "a")
        (taken,) = do(store, Store.take, ME, limit=1, now=NOON)
        ids.append(taken.id)
        do(store, settle, taken)
    assert ids == sorted(set(ids))


def test_nothing_waits_longer_than_the_longest_delay_when_the_clock_was_set_back(store: Store) -> None:
    do(store, insert, message("a"), NOON)
    an_hour_earlier = NOON - 3600 * SECOND
    do(store, Store.bring_forward, an_hour_earlier + 5 * SECOND)
    assert store.next_due(an_hour_earlier) == an_hour_earlier + 5 * SECOND
    assert take(store, now=an_hour_earlier + 5 * SECOND) == ["a"]


def test_bringing_forward_leaves_alone_what_is_due_in_time(store: Store) -> None:
    add(store, "now")
    do(store, insert, message("soon"), NOON + SECOND)
    do(store, Store.bring_forward, NOON + 5 * SECOND)
    assert store.next_due(NOON) == NOON + SECOND
    assert take(store) == ["now"]


def test_counts_tell_what_waits_from_what_is_in_hand(store: Store) -> None:
    add(store, "a", "b", "c")
    do(store, insert, message("due"), NOON)
    do(store, insert, message("later"), NOON + SECOND)
    take(store, limit=1)
    assert store.count(NOON, is_held=True) == Depths(work=3, retry=1, suspects=0, poison=0, dead=0)


def test_what_is_in_hand_waits_again_when_nobody_consumes(store: Store) -> None:
    """A stopped system's books are to balance before anybody starts it again."""
    add(store, "a", "b")
    take(store, limit=1)
    assert store.count(NOON, is_held=False) == Depths(work=2, retry=0, suspects=0, poison=0, dead=0)


def test_one_suspect_is_in_hand_at_a_time_beside_the_others(store: Store) -> None:
    for text in ("first", "second"):
        do(store, insert, message(text), SUSPECT)
    add(store, "other")
    first, other = do(store, Store.take, ME, limit=10, now=NOON)
    assert (first.message_id, first.suspect, other.suspect) == ("first", True, False)
    assert take(store) == []
    do(store, settle, first)
    assert take(store) == ["second"]


def test_suspects_are_counted_apart_while_they_wait(store: Store) -> None:
    for text in ("first", "second"):
        do(store, insert, message(text), SUSPECT)
    take(store)
    assert count(store) == Depths(work=0, retry=0, suspects=1, poison=0, dead=0)
    assert store.count(NOON, is_held=False) == Depths(work=0, retry=0, suspects=2, poison=0, dead=0)


def test_counts_hold_when_the_clock_was_set_back_behind_what_is_in_hand(store: Store) -> None:
    do(store, insert, message("a"), NOON)
    take(store)
    assert store.count(NOON - SECOND, is_held=True) == Depths(0, 0, 0, 0, 0)


def test_a_message_that_came_back_too_often_counts_as_poison(store: Store) -> None:
    add(store, "a")
    for _ in range(DELIVERY_LIMIT):
        deliver_and_hand_back(store)
    assert (count(store).work, count(store).poison) == (1, 0)
    deliver_and_hand_back(store)
    assert (count(store).work, count(store).poison) == (0, 1)
    take(store)
    assert (count(store).work, count(store).poison) == (0, 0)


def test_a_transaction_that_fails_changes_nothing(store: Store) -> None:
    def fail(store: Store) -> None:
        store.add("b", message("b"))
        raise ZeroDivisionError

    add(store, "a")
    with pytest.raises(ZeroDivisionError):
        do(store, fail)
    assert take(store) == ["a"]


def test_a_settlement_puts_all_that_remains_in_the_messages_place_at_once(store: Store) -> None:
    (taken,) = take_one_of(store, uplinks=6)
    later = Message(b"later", 1, attempt=2)
    remainder = Remainder([letter()], [message("suspect")], [(later, STEPS[0])], [message("back")], 1, 1)
    do(store, settle, taken, remainder, now=NOON)
    assert count(store) == Depths(work=1, retry=1, suspects=1, poison=0, dead=1)
    assert store.books.read() == Books(accepted=6, replayed=0, delivered=1, set_aside=1, died=1, in_queue=3)
    assert take(store, now=NOON + STEPS[0] // timedelta(milliseconds=1)) == ["back", "suspect", "later"]


def test_a_settlement_that_is_done_twice_counts_once(store: Store) -> None:
    (taken,) = take_one_of(store, uplinks=3)
    for remainder in (Remainder(put_back=[message("back")], delivered=2), Remainder([letter()], delivered=2)):
        for _ in range(2):
            do(store, settle, taken, remainder)
    assert store.books.read() == Books(accepted=3, replayed=0, delivered=2, set_aside=0, died=0, in_queue=1)


def test_what_is_put_back_comes_in_the_order_of_arrival_and_was_not_delivered(store: Store) -> None:
    add(store, "a", "b", "c")
    do(store, insert, message("due"), NOON)
    first, second, third, fourth = do(store, Store.take, ME, limit=4, now=NOON)
    for taken in (fourth, second, first):
        do(store, settle, taken, Remainder(put_back=[message(f"{taken.message_id} again")]))
    again = do(store, Store.take, ME, limit=4, now=NOON - SECOND)
    assert [taken.message.body for taken in again] == [b"a again", b"b again", b"due again"]
    assert [taken.count for taken in again] == [1, 1, 1]
    assert third.count == 1


def test_what_is_put_back_keeps_the_deliveries_before_this_one(store: Store) -> None:
    add(store, "a")
    deliver_and_hand_back(store)
    (second,) = do(store, Store.take, ME, limit=1, now=NOON)
    do(store, settle, second, Remainder(put_back=[second.message]))
    (again,) = do(store, Store.take, ME, limit=1, now=NOON)
    assert (second.count, again.count) == (2, 2)


def test_a_suspect_that_is_put_back_stays_one(store: Store) -> None:
    do(store, insert, message("first"), SUSPECT)
    (taken,) = do(store, Store.take, ME, limit=1, now=NOON)
    do(store, settle, taken, Remainder(put_back=[message("first")]))
    assert count(store).suspects == 1


def test_of_several_that_are_put_back_the_others_go_behind_what_waits(store: Store) -> None:
    (taken,) = take_one_of(store, uplinks=2)
    add(store, "other")
    do(store, settle, taken, Remainder(put_back=[message("first"), message("second")]))
    assert take(store) == ["first", "other", "second"]


def test_a_letter_about_a_whole_frame_counts_as_many_as_its_header_said(store: Store) -> None:
    (taken,) = take_one_of(store, uplinks=37)
    do(store, settle, taken, Remainder([replace(letter(), uplinks=37)]))
    assert store.books.read() == Books(accepted=37, replayed=0, delivered=0, set_aside=0, died=37, in_queue=0)


def test_a_probe_is_not_in_the_books(store: Store) -> None:
    (probe,) = take_one_of(store, uplinks=0)
    do(store, settle, probe, Remainder())
    assert store.books.read() == Books(0, 0, 0, 0, 0, 0)


def test_a_transaction_that_fails_is_not_in_the_books(store: Store) -> None:
    def fail(store: Store) -> None:
        store.add("b", message("b"))
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        do(store, fail)
    assert store.books.read() == Books(0, 0, 0, 0, 0, 0)


def test_publishes_leave_the_reserve_to_what_settles(tmp_path: Path) -> None:
    store = Store(tmp_path / "queue.db", Limits(reserve_bytes=1 << 62))
    with store.transaction():
        with pytest.raises(QueueUnavailableError, match="disk is full"):
            store.add("a", message("a"))
        insert(store, message("b"), NOON)
    assert take(store) == ["b"]
    store.close()


def test_what_is_free_within_the_file_is_room_as_well(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else a queue that was drained on a full disk would never take anything again."""
    store = Store(tmp_path / "queue.db", Limits(reserve_bytes=1_000_000))
    for number in range(20):
        do(store, Store.add, f"{number}", Message(b"x" * 100_000, uplinks=1))
    monkeypatch.setattr(Store, "_measure_disk", lambda _: 0)
    with pytest.raises(QueueUnavailableError, match="disk is full"):
        add(store, "a")
    for taken in do(store, Store.take, ME, limit=20, now=NOON):
        do(store, settle, taken)
    add(store, "a")
    store.close()


def test_space_is_given_back_step_by_step_once_most_of_the_file_is_free(store: Store, tmp_path: Path) -> None:
    body = Message(b"x" * 1_000_000, uplinks=1)
    for number in range(40):
        do(store, Store.add, f"{number}", body)
    assert not store.give_back_space()
    drain(store)
    steps = 0
    while store.give_back_space():
        steps += 1
    assert 1 < steps < 10
    assert 8_000_000 < (tmp_path / "queue.db").stat().st_size < 10_000_000  # some is kept for the next burst


def message(text: str) -> Message:
    return Message(text.encode(), uplinks=1)


def do(store: Store, method: Callable[Concatenate[Store, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Do one thing in a transaction of its own."""
    with store.transaction():
        return method(store, *args, **kwargs)


def letter() -> DeadLetter:
    noon = datetime(2026, 11, 21, 12, tzinfo=UTC)
    return DeadLetter("frame/0", Reason.INTERNAL_ERROR, "", 1, noon, noon, frame=b"?")


def take_one_of(store: Store, *, uplinks: int) -> list[TakenMessage]:
    """Have one message with so many uplinks in hand."""
    do(store, Store.add, "frame", Message(b"frame", uplinks))
    return do(store, Store.take, ME, limit=1, now=NOON)


def add(store: Store, *texts: str) -> None:
    for text in texts:
        do(store, Store.add, text, message(text))


def take(store: Store, *, limit: int = 100, now: int = NOON) -> list[str]:
    return [taken.message.body[:100].decode() for taken in do(store, Store.take, ME, limit=limit, now=now)]


def count(store: Store) -> Depths:
    return store.count(NOON, is_held=True)


def deliver_and_hand_back(store: Store) -> None:
    (taken,) = do(store, Store.take, ME, limit=1, now=NOON)
    do(store, Store.hand_back, ME, [taken.id])


def drain(store: Store) -> None:
    while messages := do(store, Store.take, ME, limit=100, now=NOON):
        for taken in messages:
            do(store, settle, taken)
