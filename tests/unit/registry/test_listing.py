import pytest

from registry.listing import parse_listing
from registry.parameters import parse_parameters
from registry.refusal import RefusedError


def test_the_official_clients_defaults_are_understood() -> None:
    listing = parse_listing(
        parse_parameters(
            b"page=2&fields[0]=id&fields[1]=name&amount=20&orderBy=created_at%2Cdesc&resolveBucketName=false"
        )
    )
    assert (listing.page, listing.amount, listing.order, listing.descending) == (2, 20, "created_at", True)
    assert listing.pick({"id": "1", "name": "n", "serial_number": None}) == {"id": "1", "name": "n"}


def test_without_parameters_a_list_is_its_first_twenty_by_name() -> None:
    listing = parse_listing({})
    assert (listing.page, listing.amount, listing.order, listing.descending) == (1, 20, "name", False)
    assert listing.pick({"id": "1", "name": "n"}) == {"id": "1", "name": "n"}


@pytest.mark.parametrize(
    ("query", "message"),
    [
        (b"filter[name][0][key]=x", r"filter\[name\]\[0\]\[key\] is not supported"),
        (b"filter[tags]=x", r"filter\[tags\] is not supported"),
        (b"orderBy=serial,asc", "orderBy must be one of name, created_at"),
        (b"orderBy=name,up", "orderBy must be one of name, created_at"),
        (b"page=0", "page must be a whole number"),
        (b"amount=10001", "amount must be a whole number from 1 to 10,000"),
    ],
)
def test_what_a_list_cannot_do_is_refused(query: bytes, message: str) -> None:
    with pytest.raises(RefusedError, match=message):
        parse_listing(parse_parameters(query))
