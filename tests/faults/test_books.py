"""The books themselves: each promise that is broken is found."""

from dataclasses import replace

import pytest

from tests.faults.cell import NOTHING_TWICE, Books, Explanation, find_problems

BALANCED = Books(
    accepted={"a": "g/0", "b": "g/1", "c": "g/2"},
    unsure={"d"},
    delivered={"a": ["g/0"], "b": ["g/1"], "d": ["h/0"]},
    dead={"c": "serial_unknown"},
)
DEAD = {"serial_unknown": 1}


def test_balanced_books_show_no_problem() -> None:
    assert find_problems(BALANCED, DEAD, NOTHING_TWICE) == []


@pytest.mark.parametrize(
    ("books", "problem"),
    [
        (replace(BALANCED, delivered={"a": ["g/0"]}), "1 lost"),
        (replace(BALANCED, dead={}), "1 lost"),
        (replace(BALANCED, dead={"c": "internal_error"}), "dead:"),
        (replace(BALANCED, delivered={"a": ["g/0", "g/0"], "b": ["g/1"]}), "1 came twice"),
        (replace(BALANCED, delivered={"a": ["g/0"], "b": ["h/1"]}), "another id"),
        (replace(BALANCED, delivered={"a": ["g/0"], "b": [""]}), "another id"),
        (replace(BALANCED, unsure=()), "nobody accepted"),
        (replace(BALANCED, delivered={"a": ["g/0"], "b": ["g/1"], "c": ["g/2"]}), "delivered and dead"),
    ],
)
def test_a_broken_promise_is_found(books: Books, problem: str) -> None:
    assert any(problem in found for found in find_problems(books, DEAD, NOTHING_TWICE))


def test_what_is_explained_may_come_twice() -> None:
    twice = replace(BALANCED, delivered={"a": ["g/0", "g/0"], "b": ["g/1"]})
    assert find_problems(twice, DEAD, Explanation("a worker was killed", 1)) == []
