"""What a worker tells about its uplinks to whoever watches: asked once for a request, and told at each stage."""

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from common.dead_letter import DeadLetter
from common.envelope import Envelope, Uplink
from common.events.event import Stage
from common.events.telling import UNHEARD, Owner, UplinkEvents
from workers.answers import DownstreamError
from workers.grouping import Post
from workers.mapping import MappedUplink
from workers.outcome import PutBack, RetryLater, SetAside
from workers.remainder import Decision
from workers.resolver import ResolvedUplink

ANSWER_CHARACTERS = 200
"""Of what the downstream says to a post that it took."""


class RequestEvents:
    """Tells what the stages do with one request; ``chosen`` are the indexes of those uplinks that are told of."""

    def __init__(self, uplinks: UplinkEvents = UNHEARD, chosen: Collection[int] = ()) -> None:
        self._uplinks = uplinks
        self._chosen = chosen

    def mapped(self, mapped: Iterable[MappedUplink]) -> None:
        """Tell that fields became records; those are details, as is what came.

        That is told again because whoever has begun to watch only now did not hear that it was accepted.
        """
        for each in self._find_chosen(mapped):
            self._uplinks.tell(
                Stage.MAPPED,
                each.uplink,
                {"attempt": each.uplink.envelope.attempt, "records": len(each.records)},
                details={**_as_it_came(each.uplink), "records": each.records},
                owner=_find_owner(each),
            )

    def resolved(self, resolved: Iterable[ResolvedUplink]) -> None:
        """Tell that the device of a serial is known."""
        for each in self._find_chosen(each.mapped for each in resolved):
            facts = {"attempt": each.uplink.envelope.attempt}
            self._uplinks.tell(Stage.RESOLVED, each.uplink, facts, owner=_find_owner(each))

    def posted(self, post: Post, answer: Any, seconds: float) -> None:
        """Tell that the downstream took a post; ``seconds`` from when it was ready, the wait for its turn included."""
        if told := self._find_chosen(each.mapped for each in post.uplinks):
            self._tell_post(Stage.POSTED, told, post, _mask(str(answer), post)[:ANSWER_CHARACTERS], seconds)

    def post_failed(self, post: Post, error: DownstreamError, seconds: float) -> None:
        """Tell how a post was answered that the downstream did not take; ``seconds`` as for :meth:`posted`.

        Who wants to be told is asked once more: a request may be tried for minutes, and somebody begin to watch for
        that very reason.
        """
        if self._uplinks.watched:
            told = [each.mapped for each in post.uplinks if self._uplinks.wants(each.mapped.uplink)]
            self._tell_post(Stage.POST_FAILED, told, post, str(error), seconds)

    def _find_chosen(self, mapped: Iterable[MappedUplink]) -> list[MappedUplink]:
        return [each for each in mapped if each.uplink.index in self._chosen] if self._chosen else []

    def _tell_post(self, stage: Stage, told: Iterable[MappedUplink], post: Post, answer: str, seconds: float) -> None:
        facts = {
            "uplinks": len(post.uplinks),
            "bytes": len(post.body),
            "seconds": round(seconds, 6),
            "answer": answer,
        }
        for mapped in told:
            uplink = mapped.uplink
            self._uplinks.tell(stage, uplink, {"attempt": uplink.envelope.attempt, **facts}, owner=_find_owner(mapped))


UNTOLD = RequestEvents()
"""Of a request that nobody is ever told of."""


class WorkerEvents:
    """Tells what becomes of uplinks. Nothing here waits or raises."""

    def __init__(self, uplinks: UplinkEvents = UNHEARD) -> None:
        self._uplinks = uplinks

    def begin(self, envelope: Envelope) -> RequestEvents:
        """Find out, once for the stages ahead, which uplinks of a request somebody is told of."""
        return RequestEvents(self._uplinks, self._uplinks.choose(envelope.group, envelope.items))

    def settled(self, decision: Decision) -> None:
        """Tell what was set aside, will be tried again or was put back; of the others their posts and letters tell."""
        if self._uplinks.watched:
            for aside in decision.set_aside:
                self._tell_outcome(Stage.SET_ASIDE, aside, {})
            for later, delay in decision.retried:
                facts = {"wait_seconds": delay.total_seconds(), "detail": later.detail}
                self._tell_outcome(Stage.RETRIED, later, facts)
            for back in decision.put_back:
                self._tell_outcome(Stage.PUT_BACK, back, {"detail": back.detail})

    def died(self, letter: DeadLetter) -> None:
        """Tell that an uplink is a dead letter, or a whole message that nobody could read."""
        if self._uplinks.watched:
            facts = {"attempt": letter.attempts, "detail": letter.detail}
            uplinks: list[Uplink] = [] if letter.envelope is None else letter.envelope.uplinks()
            for uplink in filter(self._uplinks.wants, uplinks):
                self._uplinks.tell(Stage.DEAD, uplink, facts, reason=letter.reason, details=_as_it_came(uplink))
            if not uplinks:
                self._uplinks.tell_death(letter.uplink_id, facts, reason=letter.reason)

    def _tell_outcome(self, stage: Stage, outcome: SetAside | RetryLater | PutBack, facts: Mapping[str, Any]) -> None:
        uplink = outcome.uplink
        if self._uplinks.wants(uplink):
            facts = {"attempt": uplink.envelope.attempt, **facts}
            self._uplinks.tell(stage, uplink, facts, reason=outcome.reason, details=_as_it_came(uplink))


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
