"""How long the oldest uplink in hand has been waiting."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from common.envelope import Envelope
from common.metrics import REGISTRY
from tests.support.uplinks import build_envelope
from workers.in_hand import OldestInHand


def arrived(ago: timedelta, *, attempt: int = 1) -> Envelope:
    return replace(build_envelope(attempt=attempt), arrived_at=datetime.now(UTC) - ago)


def age() -> float:
    return REGISTRY.get_sample_value("sluice_oldest_uplink_age_seconds", {"where": "hand"}) or 0.0


def test_the_oldest_of_all_deliveries_counts_until_it_is_settled() -> None:
    oldest = OldestInHand()
    with oldest.holding([arrived(timedelta(minutes=1)), arrived(timedelta(seconds=1))]):
        with oldest.holding([arrived(timedelta(hours=1))]):
            assert age() >= 3_600
        assert 60 <= age() < 3_600
    assert age() == 0


def test_one_that_was_tried_before_counts_from_when_it_was_taken() -> None:
    with OldestInHand().holding([arrived(timedelta(days=1), attempt=2)]):
        assert age() < 86_400


def test_a_delivery_that_fails_is_in_hand_no_more() -> None:
    oldest = OldestInHand()
    with pytest.raises(RuntimeError), oldest.holding([arrived(timedelta(hours=1))]):
        raise RuntimeError("a bug")
    assert age() == 0
