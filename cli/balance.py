"""Whether the books balance: what came in against what became of it, with as much certainty as there is. Pure."""

from dataclasses import dataclass
from enum import StrEnum

from common.queue.protocol import Books


class Verdict(StrEnum):
    """What an audit comes to."""

    BALANCED = "balanced"
    OUT_OF_BALANCE = "out_of_balance"
    CANNOT_TELL = "cannot_tell"


@dataclass(frozen=True, slots=True)
class Span:
    """A number that is known to lie between these two, both included."""

    least: int
    most: int

    def __str__(self) -> str:
        return f"{self.least:,}" if self.least == self.most else f"{self.least:,} to {self.most:,}"


NOTHING = Span(0, 0)


@dataclass(frozen=True, slots=True)
class Account:
    """What came into the queue in some time, and what became of it, in uplinks.

    ``held_before`` were in the queue when that time began. ``repeated``: so many may have been counted twice, because
    they were delivered again or because nobody knows whether the queue took them.
    """

    accepted: int
    replayed: int
    delivered: int
    set_aside: int
    dead: int
    in_queue: Span
    held_before: Span = NOTHING
    repeated: int = 0

    @property
    def came_in(self) -> Span:
        """All that something must have become of."""
        came = self.accepted + self.replayed
        return Span(self.held_before.least + came, self.held_before.most + came)

    @property
    def found(self) -> Span:
        """All that something became of, or is still to become."""
        ended = self.delivered + self.set_aside + self.dead
        return Span(self.in_queue.least + ended, self.in_queue.most + ended)


@dataclass(frozen=True, slots=True)
class Finding:
    """The verdict, in a word and in a sentence; an account, where there is one."""

    verdict: Verdict
    why: str
    account: Account | None = None


def open_account(books: Books) -> Account:
    """Make an account of books that were kept exactly."""
    return Account(
        accepted=books.accepted,
        replayed=books.replayed,
        delivered=books.delivered,
        set_aside=books.set_aside,
        dead=books.died,
        in_queue=Span(books.in_queue, books.in_queue),
    )


def judge(account: Account) -> Finding:
    """Say whether what was found is what came in, and at most what may have been repeated beyond that."""
    came, found = account.came_in, account.found
    if found.most < came.least:
        return _out_of_balance(account, "missing", Span(came.least - found.most, came.most - found.least))
    allowed = Span(came.least + account.repeated, came.most + account.repeated)
    if found.least > allowed.most:
        return _out_of_balance(account, "too many", Span(found.least - allowed.most, found.most - allowed.least))
    if found.least >= came.most and found.most <= allowed.least:
        return Finding(Verdict.BALANCED, _praise(account), account)
    return Finding(
        Verdict.CANNOT_TELL,
        f"{came} uplinks came in and {found} were found: how many the messages in the queue hold is not known; audit"
        " when it is empty",
        account,
    )


def _out_of_balance(account: Account, what: str, uplinks: Span) -> Finding:
    why = f"{uplinks} uplinks are {what}: {account.came_in} came in and {account.found} were found"
    return Finding(Verdict.OUT_OF_BALANCE, why, account)


def _praise(account: Account) -> str:
    why = f"{account.came_in} uplinks came in, and each was found"
    if account.repeated:
        why += f"; at most {account.repeated:,} of them were delivered twice"
    return why
