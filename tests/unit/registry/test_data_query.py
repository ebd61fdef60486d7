from datetime import UTC, datetime

import pytest

from registry.data_query import Choice, DataQuery, parse_data_query
from registry.parameters import parse_parameters
from registry.refusal import RefusedError

NOW = datetime(2026, 11, 21, tzinfo=UTC)


def parse(query: bytes) -> DataQuery:
    return parse_data_query(parse_parameters(query), NOW)


def test_without_parameters_the_fifteen_newest_are_asked_for() -> None:
    query = parse(b"")
    assert (query.choice, query.qty, query.skip, query.ascending) == (Choice.DEFAULT, 15, 0, False)
    assert (query.variables, query.groups, query.ids, query.start, query.end) == ([], [], [], None, None)


@pytest.mark.parametrize("name", ["variable", "variables", "variables[]", "variables[0]"])
def test_variables_have_every_name_that_clients_use(name: str) -> None:
    assert parse(f"{name}=temperature".encode()).variables == ["temperature"]


@pytest.mark.parametrize("name", ["group", "groups", "serie", "series"])
def test_groups_have_every_name_that_clients_use(name: str) -> None:
    assert parse(f"{name}=g".encode()).groups == ["g"]


@pytest.mark.parametrize("choice", list(Choice))
def test_every_choice_is_read(choice: Choice) -> None:
    assert parse(f"query={choice}".encode()).choice is choice


def test_a_period_and_an_order_are_read() -> None:
    query = parse(b"start_date=1%20day&end_date=2026-11-20T23:00:00Z&ordination=ascending&qty=99&skip=3&details=true")
    assert query.start == datetime(2026, 11, 20, tzinfo=UTC)
    assert query.end == datetime(2026, 11, 20, 23, tzinfo=UTC)
    assert (query.ascending, query.qty, query.skip, query.details) == (True, 99, 3, True)


def test_several_variables_share_the_most_that_is_answered() -> None:
    assert parse(b"qty=10000&variables=a&variables=b").qty == 5_000


@pytest.mark.parametrize(
    ("query", "message"),
    [
        (b"query=aggregate", "query must be one of default, last_item"),
        (b"query=conditional", "query must be one of default, last_item"),
        (b"origins=25", "origins is not supported; there are variables, groups, ids"),
        (b"variabels=temperature", "variabels is not supported"),
        (b"qty=0", "qty must be a whole number from 1 to 10,000"),
        (b"skip=x", "skip must be a whole number"),
        (b"ordination=up", "ordination must be one of descending, ascending"),
        (b"details=yes", "details must be one of false, true"),
        (b"start_date=yesterday", "start_date must be an ISO 8601 time, or how long ago"),
        (b"end_date=", "end_date must be an ISO 8601 time"),
        (b"&".join(b"variables=v%d" % number for number in range(101)), "at most 100 at a time"),
    ],
)
def test_what_is_not_supported_is_refused_and_not_ignored(query: bytes, message: str) -> None:
    with pytest.raises(RefusedError, match=message):
        parse(query)
