import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from pydantic import SecretStr

from common.directory.model import AuthorizationKey, Network
from common.reason import Reason
from common.serial import Serial
from tests.support.directories import build_key, build_network
from tests.support.uplinks import build_mapped, build_uplinks
from workers.answers import AwayError, RejectedError, ThrottledError, TransientError, UnauthorizedError
from workers.outcome import DeadLettered, PutBack, RetryLater
from workers.resolver import DeviceToken, ResolvedUplink, Resolver


class Downstream:
    """Answers resolve with a token per question, or with the errors a test gives; counts and may hold its answers."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, str]] = []
        self.errors: list[Exception] = []
        self.answering = asyncio.Event()
        self.answering.set()

    async def ask(self, serial: Serial, key: AuthorizationKey, network: Network) -> DeviceToken:
        self.asked.append((network.id, key.id, serial))
        await self.answering.wait()
        if self.errors:
            raise self.errors.pop(0)
        return DeviceToken(SecretStr(f"token-{network.id}-{key.id}-{serial}-{len(self.asked)}"))


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def downstream() -> Downstream:
    return Downstream()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def resolver(downstream: Downstream, clock: Clock) -> Resolver:
    return Resolver(downstream.ask, cache_size=3, found_ttl=3600, unknown_ttl=60, clock=clock)


async def test_a_serial_is_asked_for_once_and_then_remembered(resolver: Resolver, downstream: Downstream) -> None:
    first = await resolver.resolve(build_mapped(serial="A"))
    second = await resolver.resolve(build_mapped(serial="A"))
    assert isinstance(first, ResolvedUplink)
    assert isinstance(second, ResolvedUplink)
    assert first.device_token == second.device_token
    assert len(downstream.asked) == 1


async def test_many_uplinks_of_one_device_are_one_flight(resolver: Resolver, downstream: Downstream) -> None:
    resolved, unresolved = await resolver.resolve_all([build_mapped(serial=s) for s in ["A", "B"] * 50])
    assert (len(resolved), unresolved) == (100, [])
    assert sorted(downstream.asked) == [("plain", "factory", "A"), ("plain", "factory", "B")]


async def test_one_tenant_never_gets_the_device_of_another(resolver: Resolver, downstream: Downstream) -> None:
    questions = [
        build_mapped(serial="A", key=build_key("one")),
        build_mapped(serial="A", key=build_key("two")),
        build_mapped(serial="A", key=build_key("one", token="rotated")),
        build_mapped(serial="A", key=build_key("one"), network=build_network("other")),
    ]
    for mapped in questions:
        await resolver.resolve(mapped)
    assert len(downstream.asked) == 4


async def test_a_token_is_forgotten_after_its_time(resolver: Resolver, downstream: Downstream, clock: Clock) -> None:
    await resolver.resolve(build_mapped())
    clock.now = 3599
    await resolver.resolve(build_mapped())
    assert len(downstream.asked) == 1
    clock.now = 3601
    await resolver.resolve(build_mapped())
    assert len(downstream.asked) == 2


async def test_an_unknown_serial_is_dead_and_remembered_for_a_shorter_time(
    resolver: Resolver, downstream: Downstream, clock: Clock
) -> None:
    downstream.errors = [RejectedError("404: Device Not Found")]
    for _ in range(2):
        outcome = await resolver.resolve(build_mapped(serial="A"))
        assert isinstance(outcome, DeadLettered)
        assert outcome.reason is Reason.SERIAL_UNKNOWN
        assert "'A'" in outcome.detail
        assert "Device Not Found" in outcome.detail
    clock.now = 61
    assert isinstance(await resolver.resolve(build_mapped(serial="A")), ResolvedUplink)


async def test_a_refusal_that_is_not_about_the_device_is_not_taken_for_an_unknown_serial(
    resolver: Resolver, downstream: Downstream
) -> None:
    downstream.errors = [RejectedError("402: Payment Required", status=402)]
    outcome = await resolver.resolve(build_mapped(serial="A"))
    assert isinstance(outcome, DeadLettered)
    assert (outcome.reason, outcome.detail) == (
        Reason.DOWNSTREAM_REFUSED,
        "resolve was refused: 402: Payment Required",
    )
    assert isinstance(await resolver.resolve(build_mapped(serial="A")), ResolvedUplink)


async def test_an_uplink_that_was_tried_before_does_not_trust_an_unknown_for_long(
    resolver: Resolver, downstream: Downstream, clock: Clock
) -> None:
    """Its letter was replayed, because the device has been created meanwhile."""
    downstream.errors = [RejectedError("404: Device Not Found")]
    await resolver.resolve(build_mapped(serial="A"))
    envelope = replace(build_uplinks(1)[0].envelope, first_seen=datetime.now(UTC))
    replayed = build_mapped(envelope.uplinks()[0], serial="A")
    clock.now = 4
    assert isinstance(await resolver.resolve(replayed), DeadLettered)
    clock.now = 6
    assert isinstance(await resolver.resolve(build_mapped(serial="A")), DeadLettered)
    assert isinstance((await resolver.resolve_all([replayed]))[0][0], ResolvedUplink)
    assert isinstance(await resolver.resolve(build_mapped(serial="A")), ResolvedUplink)


async def test_the_cache_is_bounded(resolver: Resolver, downstream: Downstream) -> None:
    for serial in "ABCDA":
        await resolver.resolve(build_mapped(serial=serial))
    assert len(downstream.asked) == 5


@pytest.mark.parametrize(
    ("error", "reason", "wait"),
    [
        (TransientError("503"), Reason.RESOLVER_UNAVAILABLE, None),
        (ThrottledError("429", timedelta(seconds=8)), Reason.DOWNSTREAM_THROTTLED, timedelta(seconds=8)),
    ],
)
async def test_what_is_not_the_uplinks_fault_is_retried_and_not_remembered(
    resolver: Resolver, downstream: Downstream, error: Exception, reason: Reason, wait: timedelta | None
) -> None:
    downstream.errors = [error]
    outcome = await resolver.resolve(build_mapped())
    assert isinstance(outcome, RetryLater)
    assert (outcome.reason, outcome.wait) == (reason, wait)
    assert isinstance(await resolver.resolve(build_mapped()), ResolvedUplink)


async def test_a_bug_in_one_resolve_is_kept_to_its_uplink(resolver: Resolver, downstream: Downstream) -> None:
    downstream.errors = [RuntimeError("bug")]
    resolved, unresolved = await resolver.resolve_all([build_mapped(serial="A"), build_mapped(serial="B")])
    assert len(resolved) == 1
    assert [type(outcome) for outcome in unresolved] == [RetryLater]
    assert unresolved[0].reason is Reason.INTERNAL_ERROR


async def test_a_cancelled_waiter_does_not_end_the_flight_for_the_others(
    resolver: Resolver, downstream: Downstream
) -> None:
    downstream.answering.clear()
    first, second = (asyncio.create_task(resolver.resolve(build_mapped())) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    await asyncio.wait({first})
    downstream.answering.set()
    assert isinstance(await second, ResolvedUplink)
    assert len(downstream.asked) == 1


async def test_a_refused_token_is_forgotten_but_not_one_resolved_since(
    resolver: Resolver, downstream: Downstream
) -> None:
    mapped = build_mapped(build_uplinks(1)[0])
    stale = await resolver.resolve(mapped)
    assert isinstance(stale, ResolvedUplink)
    resolver.forget(mapped, stale.device_token)
    fresh = await resolver.resolve(mapped)
    assert isinstance(fresh, ResolvedUplink)
    assert fresh.device_token != stale.device_token
    resolver.forget(mapped, stale.device_token)
    assert await resolver.resolve(mapped) == fresh
    assert len(downstream.asked) == 2


def test_a_device_token_does_not_print() -> None:
    assert "secret" not in repr(ResolvedUplink(build_mapped(), DeviceToken(SecretStr("secret"))))


async def test_refused_credentials_hold_their_uplinks_back_and_nobody_elses(
    resolver: Resolver, downstream: Downstream
) -> None:
    downstream.errors = [UnauthorizedError("401: Authorization Denied")]
    asked = await resolver.resolve(build_mapped())
    held = await resolver.resolve(build_mapped())
    assert [(o.reason, o.counts) for o in (asked, held) if isinstance(o, RetryLater)] == [
        (Reason.AUTHORIZATION_REFUSED, True),
        (Reason.AUTHORIZATION_REFUSED, True),  # else nothing would end it, and it came back every 30 s for ever
    ]
    mended = build_mapped(key=build_key(token="at-mended"))
    assert isinstance(await resolver.resolve(mended), ResolvedUplink)
    assert resolver.refusals.keys == []


async def test_a_device_that_is_known_already_is_served_though_its_key_is_refused(
    resolver: Resolver, downstream: Downstream
) -> None:
    known = build_mapped(serial="KNOWN")
    await resolver.resolve(known)
    downstream.errors = [UnauthorizedError("401: Authorization Denied")]
    await resolver.resolve(build_mapped(serial="NEW"))
    assert isinstance(await resolver.resolve(known), ResolvedUplink)


@pytest.mark.parametrize("tried", [True, False])
async def test_while_the_downstream_is_away_an_uplink_is_put_back(
    resolver: Resolver, downstream: Downstream, *, tried: bool
) -> None:
    downstream.errors = [AwayError("gone", tried=tried)]
    outcome = await resolver.resolve(build_mapped())
    assert isinstance(outcome, PutBack)
    assert (outcome.reason, outcome.counts) == (Reason.RESOLVER_UNAVAILABLE, tried)
