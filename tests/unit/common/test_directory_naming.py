"""Which key or network is meant by what a person calls it."""

import pytest

from common.directory.naming import AmbiguousNameError, UnknownNameError, identify_key, identify_network
from tests.support.directories import build_directory, build_key, build_network

DIRECTORY = build_directory(
    build_key("k1", name="demo"),
    build_key("k2", name="twice"),
    build_key("k3", name="twice"),
    build_key("k4", name="k1"),
    networks=(build_network("n1", name="Generic Endpoint"),),
)


@pytest.mark.parametrize(("called", "key_id"), [("demo", "k1"), ("k2", "k2"), ("k1", "k1")])
def test_a_key_is_called_by_its_id_or_else_by_its_name(called: str, key_id: str) -> None:
    assert identify_key(DIRECTORY, called).id == key_id


@pytest.mark.parametrize("called", ["n1", "Generic Endpoint"])
def test_so_is_a_network(called: str) -> None:
    assert identify_network(DIRECTORY, called).id == "n1"


def test_a_name_that_several_have_is_an_error_with_their_ids() -> None:
    with pytest.raises(AmbiguousNameError, match="there are 2 keys 'twice'; name one by its id: k2, k3"):
        identify_key(DIRECTORY, "twice")


@pytest.mark.parametrize(("called", "suggested"), [("dmo", "did you mean demo?"), ("zzz", "it has demo, k1, twice")])
def test_a_name_that_nothing_has_is_an_error_that_says_what_there_is(called: str, suggested: str) -> None:
    with pytest.raises(UnknownNameError) as unknown:
        identify_key(DIRECTORY, called)
    assert str(unknown.value) == f"the directory has no key {called!r}; {suggested}"


def test_of_many_names_the_first_are_said_and_the_rest_counted() -> None:
    many = build_directory(*(build_key(f"key-{number:02}") for number in range(12)))
    with pytest.raises(UnknownNameError, match="key-08, key-09 and 2 more"):
        identify_key(many, "zzz")


def test_a_directory_without_anything_has_none() -> None:
    with pytest.raises(UnknownNameError, match="no key 'demo'; it has none"):
        identify_key(build_directory(), "demo")
