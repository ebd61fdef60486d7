"""What follows from what is known of the books."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli.balance import NOTHING, Account, Span, Verdict, judge, open_account
from common.queue.protocol import Books

counts = st.integers(0, 20)
spans = st.tuples(counts, counts).map(lambda pair: Span(min(pair), max(pair)))


def account(*, accepted: int = 10, delivered: int = 10, in_queue: Span = NOTHING, **others: Any) -> Account:
    blank = Account(accepted, 0, delivered, 0, 0, in_queue)
    return replace(blank, **others)


@pytest.mark.parametrize(
    ("books", "verdict"),
    [
        (account(), Verdict.BALANCED),
        (account(delivered=5, set_aside=1, dead=2, in_queue=Span(2, 2)), Verdict.BALANCED),
        (account(delivered=9), Verdict.OUT_OF_BALANCE),
        (account(delivered=11), Verdict.OUT_OF_BALANCE),
        (account(delivered=11, repeated=1), Verdict.BALANCED),
        (account(delivered=12, repeated=1), Verdict.OUT_OF_BALANCE),
        (account(delivered=9, repeated=1), Verdict.OUT_OF_BALANCE),
        (account(replayed=2, delivered=10, dead=2), Verdict.BALANCED),
        (account(delivered=9, in_queue=Span(0, 500)), Verdict.CANNOT_TELL),
        (account(delivered=9, in_queue=Span(2, 500)), Verdict.OUT_OF_BALANCE),
        (account(delivered=0, in_queue=Span(0, 9)), Verdict.OUT_OF_BALANCE),
        (account(delivered=10, in_queue=Span(0, 500)), Verdict.CANNOT_TELL),
    ],
)
def test_the_verdict_is_as_certain_as_the_figures(books: Account, verdict: Verdict) -> None:
    assert judge(books).verdict is verdict


def test_what_the_queue_held_before_has_come_in_too() -> None:
    held = Account(0, 0, delivered=7, set_aside=0, dead=0, in_queue=NOTHING, held_before=Span(7, 7))
    assert judge(held).verdict is Verdict.BALANCED


@given(held=spans, queued=spans, accepted=counts, delivered=counts, repeated=counts)
def test_a_verdict_holds_wherever_the_truth_lies_within_the_spans(
    held: Span, queued: Span, accepted: int, delivered: int, repeated: int
) -> None:
    verdict = judge(Account(accepted, 0, delivered, 0, 0, queued, held, repeated)).verdict
    truths = {
        h + accepted <= delivered + q <= h + accepted + repeated
        for h in range(held.least, held.most + 1)
        for q in range(queued.least, queued.most + 1)
    }
    if verdict is Verdict.BALANCED:
        assert truths == {True}
    elif verdict is Verdict.OUT_OF_BALANCE:
        assert truths == {False}
    elif repeated == 0:
        assert len(truths) == 2


def test_what_is_missing_and_what_is_too_much_is_said_in_numbers() -> None:
    assert "3 uplinks are missing" in judge(account(delivered=7)).why
    assert "2 uplinks are too many" in judge(account(delivered=15, repeated=3)).why


def test_exact_books_leave_no_doubt() -> None:
    assert judge(open_account(Books(10, 2, 5, 1, 3, in_queue=3))).verdict is Verdict.BALANCED
    assert judge(open_account(Books(10, 2, 5, 1, 3, in_queue=2))).verdict is Verdict.OUT_OF_BALANCE
