"""What a worker tells, stage by stage."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import SecretStr

from common.directory.source import DirectorySource
from common.events.sampling import is_chosen
from common.events.telling import UplinkEvents
from common.ladder import Ladder
from common.queue.protocol import Message
from common.reason import Reason
from tests.support.directories import StaticDirectory, build_directory, build_key
from tests.support.events import FakeEvents
from tests.support.queues import FakeDelivery
from tests.support.uplinks import build_envelope, build_resolved, build_uplinks
from workers.answers import DownstreamError, RejectedError, TransientError
from workers.downstream import Receipt
from workers.events import ANSWER_CHARACTERS, RequestEvents, WorkerEvents
from workers.grouping import Post, group_into_posts
from workers.key_watch import KeyWatch
from workers.outcome import DeadLettered, Delivered, Outcome, PutBack, RetryLater, SetAside
from workers.pipeline import Pipeline
from workers.posting import Posting
from workers.resolver import DeviceToken, Resolver
from workers.settlement import Settlement

TOKEN = "device-token-that-nobody-may-see"
LADDER = Ladder((timedelta(seconds=5), timedelta(seconds=30)))


class FakeDownstream:
    """Takes every post after those failures, and answers with what it was asked, as a careless server might."""

    def __init__(self) -> None:
        self.failures: list[DownstreamError] = []
        self.together: Receipt | RejectedError | None = None
        """What becomes of a post that travels with others; by default it is to be posted by itself."""

    async def post_together(self, posts: Sequence[Post]) -> Sequence[Receipt | RejectedError | None]:
        return [self.together] * len(posts)

    async def post(self, *_: Any, on_failure: Callable[[DownstreamError], None], **__: Any) -> Receipt:
        for failure in self.failures:
            on_failure(failure)
        return Receipt(f"2 Data Added for {TOKEN}")


async def resolve(*_: Any) -> DeviceToken:
    return DeviceToken(SecretStr(TOKEN))


@pytest.fixture
async def events() -> FakeEvents:
    return FakeEvents(details=True)


@pytest.fixture
def directory() -> StaticDirectory:
    return StaticDirectory(build_directory(build_key("factory")))


@pytest.fixture
def downstream() -> FakeDownstream:
    return FakeDownstream()


@pytest.fixture
async def pipeline(events: FakeEvents, directory: DirectorySource, downstream: FakeDownstream) -> Pipeline:
    telling = WorkerEvents(UplinkEvents(events, directory))
    resolver = Resolver(resolve, cache_size=10, found_ttl=60, unknown_ttl=60)
    return Pipeline(directory, resolver, Posting(downstream, resolver), KeyWatch(), telling)  # type: ignore[arg-type]


async def test_an_uplink_that_is_delivered_tells_each_stage_once(pipeline: Pipeline, events: FakeEvents) -> None:
    await pipeline.process(build_envelope({"serial": "A", "temperature": 21.5}, attempt=2))
    assert events.stages() == ["mapped", "resolved", "posted"]
    assert {event.uplink_id for event in events.told} == {"6a1f0c52d3b19e4477aa01c9/0"}
    assert {(event.key, event.network, event.serial) for event in events.told} == {("factory", "plain", "A")}
    mapped, _, posted = events.told
    assert mapped.facts == {"attempt": 2, "records": 2}
    assert mapped.details is not None
    assert [record["variable"] for record in mapped.details["records"]] == ["serial", "temperature"]
    assert mapped.details["item"] == {"serial": "A", "temperature": 21.5}
    assert (posted.facts["uplinks"], posted.facts["attempt"]) == (1, 2)
    assert posted.facts["seconds"] >= 0


async def test_no_event_holds_a_token(pipeline: Pipeline, events: FakeEvents) -> None:
    await pipeline.process(build_envelope({"serial": "A"}))
    assert TOKEN not in repr(events.told)
    assert events.told[-1].facts["answer"] == "2 Data Added for ***"


@pytest.mark.parametrize("padding", [ANSWER_CHARACTERS - len(TOKEN) // 2, ANSWER_CHARACTERS])
async def test_a_token_is_masked_wherever_the_answer_is_cut_off(events: FakeEvents, padding: int) -> None:
    (post,), _ = group_into_posts([build_resolved(token=TOKEN)])
    RequestEvents(UplinkEvents(events), [0]).posted(post, "x" * padding + TOKEN, 0.1)
    assert TOKEN[:4] not in events.told[0].facts["answer"]
    assert len(events.told[0].facts["answer"]) <= ANSWER_CHARACTERS


async def test_a_post_that_failed_tells_how_it_was_answered_before_the_one_that_was_taken(
    pipeline: Pipeline, downstream: FakeDownstream, events: FakeEvents
) -> None:
    downstream.failures = [TransientError("503: busy")]
    await pipeline.process(build_envelope({"serial": "A"}, attempt=2))
    assert events.stages() == ["mapped", "resolved", "post_failed", "posted"]
    failed = events.told[2]
    assert (failed.facts["answer"], failed.facts["attempt"], failed.facts["uplinks"]) == ("503: busy", 2, 1)
    assert failed.facts["seconds"] >= 0
    assert TOKEN not in repr(failed)


async def test_a_post_that_travels_with_others_is_told_as_if_it_were_alone(
    pipeline: Pipeline, downstream: FakeDownstream, events: FakeEvents
) -> None:
    downstream.together = Receipt(f"2 Data Added for {TOKEN}")
    await pipeline.process(build_envelope({"serial": "A"}))
    downstream.together = RejectedError("400: no")
    await pipeline.process(build_envelope({"serial": "A"}))
    assert events.stages() == ["mapped", "resolved", "posted", "mapped", "resolved", "post_failed"]
    assert [events.told[n].facts["answer"] for n in (2, 5)] == ["2 Data Added for ***", "400: no"]
    assert all(events.told[n].facts["seconds"] >= 0 for n in (2, 5))


async def test_whoever_begins_to_watch_while_a_request_is_under_way_sees_what_fails(events: FakeEvents) -> None:
    (post,), _ = group_into_posts([build_resolved(token=TOKEN)])
    events.send_viewer_away()
    telling = WorkerEvents(UplinkEvents(events)).begin(build_envelope())
    events.bring_viewer()
    telling.post_failed(post, TransientError("503: busy"), 15.0)
    assert events.stages() == ["post_failed"]


async def test_nothing_is_told_while_nobody_watches(
    pipeline: Pipeline, downstream: FakeDownstream, events: FakeEvents
) -> None:
    downstream.failures = [TransientError("503: busy")]
    events.send_viewer_away()
    await pipeline.process(build_envelope({"serial": "A"}))
    assert events.told == []


async def test_of_a_sample_each_uplink_is_told_with_all_of_its_stages(pipeline: Pipeline, events: FakeEvents) -> None:
    events.sample(one_in=8)
    envelope = build_envelope(*({"serial": f"S{number}"} for number in range(32)))
    await pipeline.process(envelope)
    chosen = {uplink.id for uplink in envelope.uplinks() if is_chosen(uplink.id, 8)}
    assert len(chosen) == 4
    for stage in ("mapped", "resolved", "posted"):
        assert {event.uplink_id for event in events.told if event.stage == stage} == chosen


async def settle(events: FakeEvents, outcomes: list[Outcome], *, lost: bool = False) -> None:
    telling = WorkerEvents(UplinkEvents(events, StaticDirectory(build_directory(build_key("factory")))))
    delivery = FakeDelivery(Message(b"a frame", len(outcomes)), is_lost=lost)
    await Settlement(LADDER, telling).settle(delivery, outcomes)


def one_of_each() -> list[Outcome]:
    done, aside, later, back, dead = build_uplinks(5)
    return [
        Delivered(done),
        SetAside(aside),
        RetryLater(later, Reason.DOWNSTREAM_UNAVAILABLE, "503", timedelta(seconds=20)),
        PutBack(back, Reason.DOWNSTREAM_UNAVAILABLE, "away"),
        DeadLettered(dead, Reason.SERIAL_UNKNOWN, "no device"),
    ]


async def test_what_is_settled_is_told_with_why(events: FakeEvents) -> None:
    await settle(events, one_of_each())
    told = {event.stage.value: event for event in events.told}
    assert sorted(events.stages()) == ["dead", "put_back", "retried", "set_aside"]
    assert {stage: event.reason for stage, event in told.items()} == {
        "set_aside": "not_an_uplink",
        "retried": "downstream_unavailable",
        "put_back": "downstream_unavailable",
        "dead": "serial_unknown",
    }
    assert told["retried"].facts == {"attempt": 1, "wait_seconds": 30.0, "detail": "503"}
    assert told["dead"].facts == {"attempt": 1, "detail": "no device"}
    assert told["dead"].serial == "S4"


async def test_whoever_begins_to_watch_late_still_sees_the_request_as_it_came(events: FakeEvents) -> None:
    outcomes = one_of_each()
    await settle(events, outcomes)
    came = {outcome.uplink.id: outcome.uplink for outcome in outcomes}
    assert events.told
    for event in events.told:
        uplink = came[str(event.uplink_id)]
        assert event.details == {
            "arrived_at": uplink.envelope.arrived_at, "query": uplink.envelope.query, "item": uplink.item
        }  # fmt: skip


async def test_an_uplink_whose_attempts_are_used_up_is_dead_and_not_retried(events: FakeEvents) -> None:
    (uplink,) = build_uplinks(1, attempt=1_000)
    await settle(events, [RetryLater(uplink, Reason.DOWNSTREAM_UNAVAILABLE, "503")])
    assert events.stages() == ["dead"]
    assert events.told[0].reason == "attempts_exhausted"


async def test_two_uplinks_of_one_id_in_a_frame_are_each_told_of(events: FakeEvents) -> None:
    (dead,), (later,) = build_uplinks(1), build_uplinks(1)
    outcomes: list[Outcome] = [
        DeadLettered(dead, Reason.SERIAL_UNKNOWN, "no device"),
        RetryLater(later, Reason.DOWNSTREAM_UNAVAILABLE, "503"),
    ]
    await settle(events, outcomes)
    assert dead.id == later.id
    assert events.stages() == ["dead", "retried"]


async def test_a_delivery_that_was_lost_tells_nothing_of_its_settlement(events: FakeEvents) -> None:
    await settle(events, one_of_each(), lost=True)
    assert events.told == []


async def test_a_message_that_nobody_can_read_tells_that_it_died(events: FakeEvents) -> None:
    settlement = Settlement(LADDER, WorkerEvents(UplinkEvents(events)))
    await settlement.bury_unreadable(FakeDelivery(Message(b"no frame", 37)), "the message is no frame")
    (event,) = events.told
    assert (event.stage, event.reason) == ("dead", "envelope_unsupported")
    assert event.uplink_id == "frame/0b3c6d0e5f8f4c1f9d6a7e8899aabbcc"
    assert (event.key, event.serial) == (None, None)


async def test_a_post_that_is_shared_tells_of_each_of_its_uplinks(events: FakeEvents) -> None:
    posts, _ = group_into_posts([build_resolved(token=TOKEN), build_resolved(token=TOKEN)])
    RequestEvents(UplinkEvents(events), [0]).posted(posts[0], "2 Data Added", 0.0123)
    assert [event.facts["uplinks"] for event in events.told] == [2, 2]
    assert datetime.now(UTC) >= events.told[0].time
