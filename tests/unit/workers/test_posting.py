from collections.abc import Callable, Sequence
from typing import Any

import pytest
from pydantic import SecretStr

from common.directory.model import AuthorizationKey, Network
from common.reason import Reason
from common.serial import Serial
from tests.support.uplinks import build_mapped, build_resolved, build_uplinks
from workers import posting as module
from workers.answers import AwayError, RejectedError, ThrottledError, TransientError, UnauthorizedError
from workers.downstream import Receipt
from workers.grouping import Post, group_into_posts
from workers.outcome import DeadLettered, Delivered, Outcome, PutBack, RetryLater
from workers.posting import Posting
from workers.resolver import DeviceToken, ResolvedUplink, Resolver

UPLINKS = build_uplinks(20)


class FakeDownstream:
    """Takes posts, unless a test's rule has an error for it; with ``bulk`` also many at once."""

    def __init__(self, *, bulk: bool = False) -> None:
        self.bulk = bulk
        self.rounds: list[int] = []
        """How many posts there were at once, where it took any so."""
        self.posts: list[tuple[str, list[int]]] = []
        self.rule: Callable[[str, list[int]], Exception | None] = lambda _token, _indexes: None
        self.resolved: list[str] = []
        self.resolve_error: Exception | None = None

    async def post(self, post: Post, *, waiting: int, until: float, **_: Any) -> Receipt:
        assert waiting >= len(post.uplinks)
        assert until > 0
        indexes = [uplink.mapped.uplink.index for uplink in post.uplinks]
        token = post.device_token.get_secret_value()
        self.posts.append((token, indexes))
        if error := self.rule(token, indexes):
            raise error
        return Receipt("1 Data Added")

    async def post_together(self, posts: Sequence[Post]) -> list[Receipt | RejectedError | ThrottledError | None]:
        if not self.bulk:
            return [None] * len(posts)
        self.rounds.append(len(posts))
        return [self._take(post) for post in posts]

    def _take(self, post: Post) -> Receipt | RejectedError | ThrottledError | None:
        indexes = [uplink.mapped.uplink.index for uplink in post.uplinks]
        token = post.device_token.get_secret_value()
        error = self.rule(token, indexes)
        if error is not None and not isinstance(error, (RejectedError, ThrottledError)):
            return None  # it came to nothing, and is to be posted by itself
        self.posts.append((token, indexes))
        return error or Receipt("1 Data Added")

    async def resolve(self, serial: Serial, _key: AuthorizationKey, _network: Network) -> DeviceToken:
        self.resolved.append(serial)
        if self.resolve_error:
            raise self.resolve_error
        return DeviceToken(SecretStr("fresh"))


@pytest.fixture(params=[False, True], ids=["one by one", "many at once"])
def downstream(request: pytest.FixtureRequest) -> FakeDownstream:
    return FakeDownstream(bulk=request.param)


@pytest.fixture
def posting(downstream: FakeDownstream) -> Posting:
    return posting_to(downstream)


def posting_to(downstream: FakeDownstream) -> Posting:
    resolver = Resolver(downstream.resolve, cache_size=10, found_ttl=60, unknown_ttl=60)
    return Posting(downstream, resolver)  # type: ignore[arg-type]


def uplink(index: int, *, device: str = "a", payload: bool = False) -> ResolvedUplink:
    return build_resolved(build_mapped(UPLINKS[index], carries_payload=payload), token=device)


async def post(posting: Posting, *uplinks: ResolvedUplink) -> dict[int, Outcome]:
    posts, _ = group_into_posts(uplinks)
    return {outcome.uplink.index: outcome for outcome in await posting.post_all(posts)}


async def test_every_uplink_of_a_post_that_was_taken_is_delivered(posting: Posting) -> None:
    outcomes = await post(posting, uplink(0), uplink(1), uplink(2, device="b"))
    assert {index: type(outcome) for index, outcome in outcomes.items()} == dict.fromkeys(range(3), Delivered)


async def test_one_device_is_posted_in_item_order(posting: Posting, downstream: FakeDownstream) -> None:
    await post(posting, *(uplink(n, payload=True) for n in range(10)))
    assert downstream.posts == [("a", [n]) for n in range(10)]


async def test_a_refused_post_is_taken_apart_until_only_the_bad_uplink_is_dead(
    posting: Posting, downstream: FakeDownstream
) -> None:
    downstream.rule = lambda _, indexes: RejectedError("400: record 3") if 5 in indexes else None
    outcomes = await post(posting, *(uplink(n) for n in range(10)))
    assert [index for index, outcome in outcomes.items() if isinstance(outcome, DeadLettered)] == [5]
    dead = outcomes[5]
    assert isinstance(dead, DeadLettered)
    assert (dead.reason, dead.detail) == (Reason.DOWNSTREAM_REFUSED, "400: record 3")
    taken = [index for _, indexes in downstream.posts if 5 not in indexes for index in indexes]
    assert taken == [n for n in range(10) if n != 5]


async def test_a_refused_uplink_does_not_stop_the_next_post_of_its_device(
    posting: Posting, downstream: FakeDownstream
) -> None:
    downstream.rule = lambda _, indexes: RejectedError("400") if indexes == [0] else None
    outcomes = await post(posting, uplink(0, payload=True), uplink(1, payload=True))
    assert [type(outcomes[n]) for n in range(2)] == [DeadLettered, Delivered]


@pytest.mark.parametrize(
    ("error", "reason"),
    [(TransientError("503"), Reason.DOWNSTREAM_UNAVAILABLE), (ThrottledError("429"), Reason.DOWNSTREAM_THROTTLED)],
)
async def test_a_transient_failure_holds_the_later_posts_of_the_device_back_untried(
    posting: Posting, downstream: FakeDownstream, error: Exception, reason: Reason
) -> None:
    downstream.rule = lambda token, indexes: error if token == "a" and indexes == [1] else None
    outcomes = await post(posting, *(uplink(n, payload=True) for n in range(4)), uplink(4, device="b"))
    assert isinstance(outcomes[0], Delivered)
    assert isinstance(outcomes[4], Delivered)
    tried, held, last = outcomes[1], outcomes[2], outcomes[3]
    assert isinstance(tried, RetryLater)
    assert isinstance(held, RetryLater)
    assert isinstance(last, RetryLater)
    throttled = reason is Reason.DOWNSTREAM_THROTTLED
    assert (tried.reason, tried.counts, held.counts, last.counts) == (reason, not throttled, False, False)
    assert ("a", [2]) not in downstream.posts


async def test_a_refused_token_is_resolved_afresh_once(posting: Posting, downstream: FakeDownstream) -> None:
    downstream.rule = lambda token, _: UnauthorizedError("401") if token == "stale" else None
    outcomes = await post(posting, uplink(0, device="stale"))
    assert isinstance(outcomes[0], Delivered)
    assert downstream.posts == [("stale", [0]), ("fresh", [0])]


async def test_a_fresh_token_that_is_refused_too_is_permanent(posting: Posting, downstream: FakeDownstream) -> None:
    downstream.rule = lambda _token, _indexes: UnauthorizedError("401: Authorization Denied")
    outcomes = await post(posting, uplink(0), uplink(1))
    assert {type(outcome) for outcome in outcomes.values()} == {DeadLettered}
    assert downstream.posts == [("a", [0, 1]), ("fresh", [0, 1])]


async def test_a_fresh_token_serves_the_later_posts_of_its_device_too(
    posting: Posting, downstream: FakeDownstream
) -> None:
    downstream.rule = lambda token, _: UnauthorizedError("401") if token == "stale" else None
    await post(posting, *(uplink(n, device="stale", payload=True) for n in range(3)))
    assert downstream.posts == [("stale", [0]), ("fresh", [0]), ("fresh", [1]), ("fresh", [2])]
    assert len(downstream.resolved) == 1


@pytest.mark.parametrize(
    ("error", "outcome", "reason"),
    [
        (TransientError("503"), RetryLater, Reason.RESOLVER_UNAVAILABLE),
        (UnauthorizedError("401"), RetryLater, Reason.AUTHORIZATION_REFUSED),
        (RejectedError("404: Device Not Found"), DeadLettered, Reason.SERIAL_UNKNOWN),
    ],
)
async def test_a_refused_token_that_cannot_be_resolved_afresh_has_the_resolvers_outcome_for_each_uplink(
    posting: Posting, downstream: FakeDownstream, error: Exception, outcome: type, reason: Reason
) -> None:
    downstream.rule = lambda _token, _indexes: UnauthorizedError("401")
    downstream.resolve_error = error
    outcomes = await post(posting, uplink(0), uplink(1))
    assert {index: (type(each), getattr(each, "reason", None)) for index, each in outcomes.items()} == {
        0: (outcome, reason),
        1: (outcome, reason),
    }


async def test_a_worker_that_stops_begins_no_further_post(posting: Posting, downstream: FakeDownstream) -> None:
    def stop_at_the_second(_token: str, indexes: list[int]) -> None:
        if indexes == [1]:
            posting.stop()

    downstream.rule = stop_at_the_second
    outcomes = await post(posting, *(uplink(n, payload=True) for n in range(4)))
    assert [type(outcomes[n]) for n in range(4)] == [Delivered, Delivered, RetryLater, RetryLater]
    assert not any(outcome.counts for outcome in outcomes.values() if isinstance(outcome, RetryLater))


async def test_a_request_that_takes_too_long_goes_back_to_the_queue(
    posting: Posting, downstream: FakeDownstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "HOLD_SECONDS", -1)
    outcomes = await post(posting, uplink(0))
    assert isinstance(outcomes[0], RetryLater)
    assert downstream.posts == []


async def test_a_bug_met_in_one_post_is_kept_to_it(posting: Posting, downstream: FakeDownstream) -> None:
    downstream.rule = lambda _, indexes: RuntimeError("bug") if indexes == [0] else None
    outcomes = await post(posting, uplink(0, payload=True), uplink(1, payload=True))
    broken = outcomes[0]
    assert isinstance(broken, RetryLater)
    assert broken.reason is Reason.INTERNAL_ERROR
    assert isinstance(outcomes[1], Delivered)


@pytest.mark.parametrize("tried", [True, False])
async def test_while_the_downstream_is_away_everything_goes_back_and_only_what_was_tried_counts(
    posting: Posting, downstream: FakeDownstream, *, tried: bool
) -> None:
    downstream.rule = lambda _, indexes: AwayError("gone", tried=tried) if 1 in indexes else None
    outcomes = await post(posting, *(uplink(n, payload=True) for n in range(4)))
    assert {n: o.counts for n, o in outcomes.items() if isinstance(o, PutBack)} == {1: tried, 2: False, 3: False}
    assert isinstance(outcomes[0], Delivered)


async def test_the_reason_of_a_refusal_is_the_dead_letters(posting: Posting, downstream: FakeDownstream) -> None:
    downstream.rule = lambda *_: RejectedError("400: line 3", Reason.PARSER_FAILED)
    outcome = (await post(posting, uplink(0)))[0]
    assert isinstance(outcome, DeadLettered)
    assert (outcome.reason, outcome.detail) == (Reason.PARSER_FAILED, "400: line 3")


async def test_while_the_token_cannot_be_renewed_no_later_uplink_of_the_device_dies_of_it(
    posting: Posting, downstream: FakeDownstream
) -> None:
    downstream.rule = lambda *_: UnauthorizedError("401: Authorization Denied")
    downstream.resolve_error = TransientError("503")
    outcomes = await post(posting, *(uplink(n, payload=True) for n in range(4)))
    assert {n: (o.reason, o.counts) for n, o in outcomes.items() if isinstance(o, RetryLater)} == {
        0: (Reason.RESOLVER_UNAVAILABLE, True),
        1: (Reason.RESOLVER_UNAVAILABLE, False),
        2: (Reason.RESOLVER_UNAVAILABLE, False),
        3: (Reason.RESOLVER_UNAVAILABLE, False),
    }
    assert downstream.posts == [("a", [0])]


async def test_what_waits_behind_a_throttled_post_is_throttled_too(
    posting: Posting, downstream: FakeDownstream
) -> None:
    downstream.rule = lambda *_: ThrottledError("429")
    outcomes = await post(posting, uplink(0, payload=True), uplink(1, payload=True))
    assert {o.reason for o in outcomes.values() if isinstance(o, RetryLater)} == {Reason.DOWNSTREAM_THROTTLED}


async def test_many_at_once_are_the_next_posts_of_all_devices_in_their_order() -> None:
    downstream = FakeDownstream(bulk=True)
    await post(posting_to(downstream), *(uplink(n, device="abc"[n % 3], payload=True) for n in range(8)))
    assert downstream.rounds == [3, 3, 2]
    for device, indexes in {"a": [0, 3, 6], "b": [1, 4, 7], "c": [2, 5]}.items():
        assert [each for token, (each,) in downstream.posts if token == device] == indexes


async def test_of_many_at_once_only_what_came_to_nothing_is_posted_again() -> None:
    downstream = FakeDownstream(bulk=True)
    errors: dict[str, list[Exception]] = {"b": [TransientError("503")], "c": [RejectedError("400")]}
    downstream.rule = lambda token, _: errors[token].pop() if errors.get(token) else None
    outcomes = await post(posting_to(downstream), *(uplink(n, device="abcd"[n]) for n in range(4)))
    assert [type(outcomes[n]) for n in range(4)] == [Delivered, Delivered, DeadLettered, Delivered]
    assert downstream.posts == [("a", [0]), ("c", [2]), ("d", [3]), ("b", [1])]
