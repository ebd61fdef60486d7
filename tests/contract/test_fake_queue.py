"""The queue of the unit tests, held to what those take it for: the part of the contract that is listed here."""

# ruff: noqa: F401 - what is imported is what is tested

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from common.queue.protocol import Queue
from tests.contract.test_consuming import (
    test_a_closed_queue_takes_nothing,
    test_a_delivery_can_be_settled_after_its_context_was_left,
    test_a_message_that_was_handed_back_comes_again_with_a_higher_count,
    test_a_message_that_was_not_settled_comes_again_with_a_higher_count,
    test_an_acknowledged_message_is_gone,
    test_closing_puts_everything_back_and_may_be_done_twice,
    test_consuming_again_on_the_same_queue_works,
    test_no_more_than_the_prefetch_is_handed_out_before_something_is_settled,
    test_the_first_delivery_of_a_message_counts_one,
    test_the_iterator_ends_when_its_context_is_left,
)
from tests.contract.test_dead_letters import (
    test_a_clock_that_is_behind_makes_no_letter_older_than_it_is,
    test_a_frame_that_nobody_could_read_is_replayed_as_it_came_and_under_its_id,
    test_a_letter_is_listed_as_soon_as_it_is_buried,
    test_a_letter_that_holds_a_whole_frame_keeps_its_bytes,
    test_a_letter_that_is_cut_is_not_replayed_and_nor_are_those_beside_it,
    test_a_mark_takes_letters_off_the_list,
    test_a_mark_takes_no_later_letter_about_the_same_uplink,
    test_a_replay_puts_the_letter_into_the_work_queue_for_its_first_attempt,
    test_buried_letters_are_listed_whole_and_in_order,
    test_burying_replaying_and_marking_nothing_does_nothing,
    test_listing_changes_nothing,
    test_there_are_none_at_first,
)
from tests.contract.test_publishing import (
    test_a_frame_comes_out_byte_for_byte_with_its_envelopes_and_items_in_order,
    test_a_message_in_hand_does_not_wait,
    test_a_message_that_can_never_be_taken_is_refused_and_disturbs_no_other,
    test_a_probe_is_a_message_like_any_other,
    test_a_published_message_is_there_for_another_connection_at_once,
    test_a_published_message_outlives_the_connection_that_published_it,
    test_a_queue_that_answers_is_not_unavailable,
    test_any_bytes_come_out_as_they_went_in,
    test_depths_count_what_waits_by_what_it_waits_for,
    test_each_publish_has_an_id_of_its_own,
    test_what_is_readable_without_decoding_comes_along,
)
from tests.contract.test_retrying import (
    test_a_delay_that_is_no_step_is_refused,
    test_a_message_for_later_is_durable_and_counted_as_such,
)
from tests.contract.test_settling import (
    test_a_delivery_that_is_lost_leaves_nothing_and_comes_again_as_a_whole,
    test_a_settlement_that_can_never_be_stored_changes_nothing,
    test_what_is_put_back_comes_again_as_if_it_had_not_been_delivered,
    test_what_remains_is_there_for_everybody_when_the_settlement_returns,
)
from tests.support.queues import FakeQueue


class FakeEngine:
    """One queue, whoever opens it."""

    def __init__(self) -> None:
        self._queue = FakeQueue()

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Queue]:
        self._queue.unavailable = None
        yield self._queue
        await self._queue.close()


@pytest.fixture
async def engine() -> FakeEngine:
    """In place of the engines."""
    return FakeEngine()
