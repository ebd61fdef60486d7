import re
from datetime import UTC, datetime

from registry.ids import create_id, create_ids, creation_time


def test_an_id_is_24_hexadecimal_digits() -> None:
    assert re.fullmatch(r"[0-9a-f]{24}", create_id())


def test_ids_of_one_moment_sort_in_their_order() -> None:
    ids = create_ids(5_000)
    assert ids == sorted(set(ids))


def test_ids_of_two_processes_differ_in_the_same_nanosecond() -> None:
    assert len({created[16:] for created in (create_id() for _ in range(100))}) > 90


def test_an_id_tells_the_second_of_its_creation() -> None:
    before = datetime.now(UTC).replace(microsecond=0)
    assert before <= creation_time(create_id()) <= datetime.now(UTC)


def test_tagoios_own_ids_tell_it_too() -> None:
    assert creation_time("5bbd120d4051a50034cd1a05") == datetime(2018, 10, 9, 20, 39, 41, tzinfo=UTC)
