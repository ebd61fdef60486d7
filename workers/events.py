"""What a worker tells about its uplinks to whoever watches: one call for each stage, and one test where nobody does."""

from collections.abc import Collection, Iterable
from typing import Any

from common.dead_letter import DeadLetter
from common.envelope import Uplink
from common.events.event import Stage
from common.events.telling import UNHEARD, UplinkEvents
from common.ladder import Ladder
from workers.grouping import Post
from workers.mapping import MappedUplink
from workers.outcome import Outcome, PutBack, RetryLater, SetAside
from workers.remainder import choose_delay
from workers.resolver import ResolvedUplink

ANSWER_CHARACTERS = 200
"""Of what the downstream says to a post that it took."""


class WorkerEvents:
    """Tells what the stages and the settlement did. Nothing here waits or raises."""

    def __init__(self, uplinks: UplinkEvents = UNHEARD) -> None:
        self._uplinks = uplinks

    def mapped(self, mapped: Iterable[MappedUplink]) -> None:
        """Tell that fields became records; those are details."""
        if self._uplinks.watched:
            for each in mapped:
                self._uplinks.tell(
                    Stage.MAPPED,
                    each.uplink,
                    {"attempt": each.uplink.envelope.attempt, "records": len(each.records)},
                    details={"records": each.records},
                )

    def resolved(self, resolved: Iterable[ResolvedUplink]) -> None:
        """Tell that the device of a serial is known."""
        if self._uplinks.watched:
            for each in resolved:
                uplink = each.mapped.uplink
                self._uplinks.tell(Stage.RESOLVED, uplink, {"attempt": uplink.envelope.attempt})

    def posted(self, post: Post, answer: Any, seconds: float) -> None:
        """Tell that the downstream took a post; ``seconds`` from when it was ready, the wait for its turn included."""
        if self._uplinks.watched:
            facts = {
                "uplinks": len(post.uplinks),
                "bytes": len(post.body),
                "seconds": round(seconds, 6),
                "answer": _mask(str(answer)[:ANSWER_CHARACTERS], post),
            }
            for each in post.uplinks:
                uplink = each.mapped.uplink
                self._uplinks.tell(Stage.POSTED, uplink, {"attempt": uplink.envelope.attempt, **facts})

    def settled(self, outcomes: Iterable[Outcome], dead: Collection[str], ladder: Ladder) -> None:
        """Tell what was set aside, will be tried again or was put back; of those in ``dead`` their letters tell."""
        if self._uplinks.watched:
            for outcome in outcomes:
                if outcome.uplink.id not in dead:
                    self._tell_outcome(outcome, ladder)

    def died(self, letter: DeadLetter) -> None:
        """Tell that an uplink is a dead letter, or a whole message that nobody could read."""
        if self._uplinks.watched:
            facts = {"attempt": letter.attempts, "detail": letter.detail}
            uplinks: list[Uplink] = [] if letter.envelope is None else letter.envelope.uplinks()
            for uplink in uplinks:
                self._uplinks.tell(Stage.DEAD, uplink, facts, reason=letter.reason)
            if not uplinks:
                self._uplinks.tell_death(letter.uplink_id, facts, reason=letter.reason)

    def _tell_outcome(self, outcome: Outcome, ladder: Ladder) -> None:
        uplink = outcome.uplink
        attempt = uplink.envelope.attempt
        match outcome:
            case SetAside(reason=reason):
                self._uplinks.tell(Stage.SET_ASIDE, uplink, {"attempt": attempt}, reason=reason)
            case RetryLater(reason=reason, detail=detail):
                wait = choose_delay(outcome, ladder).total_seconds()
                facts = {"attempt": attempt, "wait_seconds": wait, "detail": detail}
                self._uplinks.tell(Stage.RETRIED, uplink, facts, reason=reason)
            case PutBack(reason=reason, detail=detail):
                self._uplinks.tell(Stage.PUT_BACK, uplink, {"attempt": attempt, "detail": detail}, reason=reason)
            case _:
                pass  # delivered: its post has told that


NOBODY_HEARS = WorkerEvents()


def _mask(answer: str, post: Post) -> str:
    """Keep the token that the post was made with out of an answer that quotes it."""
    return answer.replace(post.device_token.get_secret_value(), "***")
