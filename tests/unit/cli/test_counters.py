"""The counters of processes: read from text, kept in a file, compared."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from prometheus_client import generate_latest

from cli.balance import Span
from cli.counters import Counters, Snapshot, UnknownError, compare, load_snapshot, parse_counters, save_snapshot
from common.metrics import REGISTRY, UPLINKS_ACCEPTED, UPLINKS_DEAD
from common.reason import Reason

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
INGEST = Counters("http://ingest/metrics", 1.5, accepted=100)
WORKER = Counters("http://worker/metrics", 2.5, delivered=90, dead=2, redelivered=3, unconfirmed=1, unsettled=5)
EARLIER = Snapshot(NOON, (INGEST, WORKER), messages=2)


def later(**grown: int) -> Snapshot:
    worker = replace(WORKER, **{name: getattr(WORKER, name) + by for name, by in grown.items()})
    return Snapshot(NOON, (replace(INGEST, accepted=110), worker), messages=0)


def test_the_text_that_a_process_serves_is_added_up_over_reasons() -> None:
    before = parse_counters("u", generate_latest(REGISTRY).decode())
    UPLINKS_ACCEPTED.inc(7)
    UPLINKS_DEAD.labels(Reason.SERIAL_UNKNOWN).inc(2)
    UPLINKS_DEAD.labels(Reason.VALUE_REFUSED).inc(3)
    after = parse_counters("u", generate_latest(REGISTRY).decode())
    assert (after.accepted - before.accepted, after.dead - before.dead) == (7, 5)
    assert after.started == before.started > 1_700_000_000


@pytest.mark.parametrize("text", ["", "up 1\n", "<html>not found</html>", "sluice_uplinks_accepted_total 7\n"])
def test_what_is_no_process_of_ours_is_refused_by_name(text: str) -> None:
    with pytest.raises(UnknownError, match="http://somewhere"):
        parse_counters("http://somewhere", text)


def test_without_a_snapshot_everything_counts_that_the_processes_have_counted() -> None:
    account = compare(None, EARLIER, replayed=4, most_uplinks=500)
    assert (account.accepted, account.replayed, account.delivered, account.dead) == (100, 4, 90, 2)
    assert (account.held_before, account.in_queue, account.repeated) == (Span(0, 0), Span(5, 1005), 4)


def test_since_a_snapshot_only_the_growth_counts_and_what_the_queue_held() -> None:
    account = compare(EARLIER, later(delivered=15, redelivered=1, unsettled=-5), replayed=0, most_uplinks=500)
    assert (account.accepted, account.delivered, account.dead, account.repeated) == (10, 15, 0, 1)
    assert (account.held_before, account.in_queue) == (Span(5, 1005), Span(0, 0))


def test_a_process_that_was_restarted_or_is_gone_takes_what_it_counted_with_it() -> None:
    restarted = replace(EARLIER, processes=(INGEST, replace(WORKER, started=3.5)))
    for now in (restarted, replace(EARLIER, processes=(INGEST,))):
        with pytest.raises(UnknownError, match="http://worker"):
            compare(EARLIER, now, replayed=0, most_uplinks=500)


def test_a_process_that_is_not_in_the_snapshot_may_have_been_another_before() -> None:
    more = replace(EARLIER, processes=(INGEST, WORKER, Counters("http://new/metrics", 9.5)))
    with pytest.raises(UnknownError, match="http://new"):
        compare(EARLIER, more, replayed=0, most_uplinks=500)


def test_a_snapshot_is_read_as_it_was_saved(tmp_path: Path) -> None:
    save_snapshot(tmp_path / "books.json", EARLIER)
    assert load_snapshot(tmp_path / "books.json") == EARLIER


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"version": 9}', '{"version": 1, "processes": [{"url": 1}]}'])
def test_a_file_that_is_no_snapshot_is_refused_by_name(tmp_path: Path, content: str) -> None:
    path = tmp_path / "books.json"
    path.write_text(content)
    with pytest.raises(UnknownError, match=r"books\.json"):
        load_snapshot(path)


def test_a_snapshot_that_is_not_there_or_cannot_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(UnknownError, match="nowhere"):
        load_snapshot(tmp_path / "nowhere")
    with pytest.raises(UnknownError, match="nowhere"):
        save_snapshot(tmp_path / "nowhere" / "books.json", EARLIER)
