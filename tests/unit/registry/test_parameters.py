import pytest

from registry.parameters import parse_parameters, read_whole_number
from registry.refusal import RefusedError


@pytest.mark.parametrize(
    "query",
    [
        b"variables=a&variables=b",
        b"variables[]=a&variables[]=b",
        b"variables[0]=a&variables[1]=b",
        b"variables%5B0%5D=a&variables%5B1%5D=b",
    ],
)
def test_a_list_comes_in_every_spelling_of_the_official_clients(query: bytes) -> None:
    assert parse_parameters(query) == {"variables": ["a", "b"]}


def test_other_brackets_belong_to_the_name() -> None:
    assert parse_parameters(b"filter[name]=x&page=2") == {"filter[name]": ["x"], "page": ["2"]}


def test_an_empty_value_is_a_value() -> None:
    assert parse_parameters(b"variables=") == {"variables": [""]}


@pytest.mark.parametrize(("text", "number"), [("1", 1), ("10", 10), (None, 5)])
def test_a_whole_number_within_its_bounds_is_read(text: str | None, number: int) -> None:
    parameters = {} if text is None else {"qty": [text]}
    assert read_whole_number(parameters, "qty", default=5, least=1, most=10) == number


@pytest.mark.parametrize("text", ["0", "11", "-1", "1.5", "", "many", "\N{FULLWIDTH DIGIT ONE}", "9" * 5_000])
def test_any_other_is_refused_with_its_bounds(text: str) -> None:
    with pytest.raises(RefusedError, match="qty must be a whole number from 1 to 10"):
        read_whole_number({"qty": [text]}, "qty", default=5, least=1, most=10)
