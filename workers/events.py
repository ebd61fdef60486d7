"""What a worker tells about its uplinks to whoever watches: one call for each stage, and one test where nobody does."""

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from common.dead_letter import DeadLetter
from common.envelope import Uplink
from common.events.event import Stage
from common.events.telling import UNHEARD, Owner, UplinkEvents
from common.ladder import Ladder
from workers.answers import DownstreamError
from workers.grouping import Post
from workers.mapping import MappedUplink
from workers.outcome import DeadLettered, Delivered, Outcome, PutBack, RetryLater, SetAside
from workers.remainder import choose_delay
from workers.resolver import ResolvedUplink

ANSWER_CHARACTERS = 200
"""Of what the downstream says to a post that it took."""


class WorkerEvents:
    """Tells what the stages and the settlement did. Nothing here waits or raises."""

    def __init__(self, uplinks: UplinkEvents = UNHEARD) -> None:
        self._uplinks = uplinks

    def mapped(self, mapped: Iterable[MappedUplink]) -> None:
        """Tell that fields became records; those are details, as is what came.

        That is told again because whoever has begun to watch only now did not hear that it was accepted.
        """
        if self._uplinks.watched:
            for each in mapped:
                if self._uplinks.wants(each.uplink):
                    self._uplinks.tell(
                        Stage.MAPPED,
                        each.uplink,
                        {"attempt": each.uplink.envelope.attempt, "records": len(each.records)},
                        details={**_as_it_came(each.uplink), "records": each.records},
                        owner=_find_owner(each),
                    )

    def resolved(self, resolved: Iterable[ResolvedUplink]) -> None:
        """Tell that the device of a serial is known."""
        if self._uplinks.watched:
            for each in resolved:
                uplink = each.mapped.uplink
                if self._uplinks.wants(uplink):
                    facts = {"attempt": uplink.envelope.attempt}
                    self._uplinks.tell(Stage.RESOLVED, uplink, facts, owner=_find_owner(each.mapped))

    def posted(self, post: Post, answer: Any, seconds: float) -> None:
        """Tell that the downstream took a post; ``seconds`` from when it was ready, the wait for its turn included."""
        if wanted := self._find_wanted(post):
            self._tell_post(Stage.POSTED, wanted, post, _mask(str(answer), post)[:ANSWER_CHARACTERS], seconds)

    def post_failed(self, post: Post, error: DownstreamError, seconds: float) -> None:
        """Tell how a post was answered that the downstream did not take; ``seconds`` as for :meth:`posted`."""
        if wanted := self._find_wanted(post):
            self._tell_post(Stage.POST_FAILED, wanted, post, str(error), seconds)

    def settled(self, outcomes: Iterable[Outcome], dead: Collection[str], ladder: Ladder) -> None:
        """Tell what was set aside, will be tried again or was put back; of those in ``dead`` their letters tell."""
        if self._uplinks.watched:
            for outcome in outcomes:
                if isinstance(outcome, Delivered) or outcome.uplink.id in dead:
                    continue  # its post, or its letter, tells that
                if self._uplinks.wants(outcome.uplink):
                    self._tell_outcome(outcome, ladder)

    def died(self, letter: DeadLetter) -> None:
        """Tell that an uplink is a dead letter, or a whole message that nobody could read."""
        if self._uplinks.watched:
            facts = {"attempt": letter.attempts, "detail": letter.detail}
            uplinks: list[Uplink] = [] if letter.envelope is None else letter.envelope.uplinks()
            for uplink in filter(self._uplinks.wants, uplinks):
                self._uplinks.tell(Stage.DEAD, uplink, facts, reason=letter.reason, details=_as_it_came(uplink))
            if not uplinks:
                self._uplinks.tell_death(letter.uplink_id, facts, reason=letter.reason)

    def _find_wanted(self, post: Post) -> list[MappedUplink]:
        """Give the uplinks of a post that somebody may want to be told of."""
        if not self._uplinks.watched:
            return []
        return [each.mapped for each in post.uplinks if self._uplinks.wants(each.mapped.uplink)]

    def _tell_post(self, stage: Stage, wanted: Iterable[MappedUplink], post: Post, answer: str, seconds: float) -> None:
        facts = {
            "uplinks": len(post.uplinks),
            "bytes": len(post.body),
            "seconds": round(seconds, 6),
            "answer": answer,
        }
        for mapped in wanted:
            uplink = mapped.uplink
            self._uplinks.tell(stage, uplink, {"attempt": uplink.envelope.attempt, **facts}, owner=_find_owner(mapped))

    def _tell_outcome(self, outcome: Outcome, ladder: Ladder) -> None:
        uplink = outcome.uplink
        attempt, details = uplink.envelope.attempt, _as_it_came(uplink)
        match outcome:
            case SetAside(reason=reason):
                self._uplinks.tell(Stage.SET_ASIDE, uplink, {"attempt": attempt}, reason=reason, details=details)
            case RetryLater(reason=reason, detail=detail):
                wait = choose_delay(outcome, ladder).total_seconds()
                facts = {"attempt": attempt, "wait_seconds": wait, "detail": detail}
                self._uplinks.tell(Stage.RETRIED, uplink, facts, reason=reason, details=details)
            case PutBack(reason=reason, detail=detail):
                facts = {"attempt": attempt, "detail": detail}
                self._uplinks.tell(Stage.PUT_BACK, uplink, facts, reason=reason, details=details)
            case Delivered() | DeadLettered():
                pass  # as above


NOBODY_HEARS = WorkerEvents()


def _find_owner(mapped: MappedUplink) -> Owner:
    """Say whose a mapped uplink is: its serial was found then."""
    return Owner(mapped.key.id, mapped.key.network, mapped.serial)


def _as_it_came(uplink: Uplink) -> Mapping[str, Any]:
    """Give the details that tell which request an uplink came in."""
    envelope = uplink.envelope
    return {"arrived_at": envelope.arrived_at, "query": envelope.query, "item": uplink.item}


def _mask(answer: str, post: Post) -> str:
    """Keep the token that the post was made with out of an answer that quotes it."""
    return answer.replace(post.device_token.get_secret_value(), "***")
