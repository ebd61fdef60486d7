"""The directory as a registry serves it."""

from typing import Any

import orjson
import pytest

from common.directory.problems import DirectoryError
from common.directory.served import parse_served_directory
from common.fields.field_map import parse_field_map
from common.serial import SerialRule

NETWORK = {"token": "n-secret", "serial": {"format": "FF-FF", "force_case": "upper"}, "share_posts": True}
KEY = {
    "token": "at-secret",
    "network": "n1",
    "additional_parameters": "serial=devaddr",
    "profile": "p1",
    "requests_per_minute": 60,
    "enabled": False,
    "expires_at": "2030-01-01T00:00:00+00:00",
}
DOCUMENT: dict[str, Any] = {"version": 1, "networks": {"n1": NETWORK}, "authorizations": {"k1": KEY}}


def write(**changes: Any) -> bytes:
    return orjson.dumps(DOCUMENT | changes)


def test_networks_and_keys_are_called_by_their_ids() -> None:
    served = parse_served_directory(write(), downstream_url="http://registry:8081")
    (network,), (key,) = served.directory.networks, served.directory.keys
    assert (network.id, network.token.get_secret_value()) == ("n1", "n-secret")
    assert network.serial == SerialRule("FF-FF", "upper")
    assert (key.id, key.network, key.profile, key.requests_per_minute, key.enabled) == ("k1", "n1", "p1", 60, False)
    assert key.field_map == parse_field_map("serial=devaddr")
    assert key.expires_at is not None
    assert key.expires_at.isoformat() == "2030-01-01T00:00:00+00:00"
    assert served.left_out == ()


def test_networks_and_keys_have_names_and_those_of_an_earlier_registry_their_ids() -> None:
    content = write(networks={"n1": NETWORK | {"name": "LoRaWAN"}}, authorizations={"k1": KEY | {"name": "Factory"}})
    named = parse_served_directory(content, downstream_url="http://r").directory
    assert (named.networks[0].name, named.keys[0].name) == ("LoRaWAN", "Factory")
    earlier = parse_served_directory(write(), downstream_url="http://r").directory
    assert (earlier.networks[0].name, earlier.keys[0].name) == ("n1", "k1")


def test_posts_go_to_the_registry_without_a_limit() -> None:
    downstream = parse_served_directory(write(), downstream_url="http://registry:8081").directory.downstream
    assert (downstream.url, downstream.posts_per_minute) == ("http://registry:8081", 0)


def test_a_registry_without_keys_has_a_directory() -> None:
    assert parse_served_directory(write(authorizations={}), downstream_url="http://r").directory.keys == ()


@pytest.mark.parametrize("change", [{"additional_parameters": "preset=future"}, {"token": "a b"}, {"colour": "red"}])
def test_a_key_that_cannot_be_read_is_left_out_and_the_others_are_not(change: dict[str, str]) -> None:
    content = write(authorizations={"k1": KEY, "k2": KEY | {"token": "at-2"} | change})
    served = parse_served_directory(content, downstream_url="http://registry")
    assert [key.id for key in served.directory.keys] == ["k1"]
    assert served.left_out == ("k2",)


def test_a_network_that_cannot_be_read_is_left_out_and_the_others_are_not() -> None:
    content = write(networks={"n1": NETWORK, "n2": NETWORK | {"serial": {"format": "--"}}})
    served = parse_served_directory(content, downstream_url="http://registry")
    assert [network.id for network in served.directory.networks] == ["n1"]
    assert served.left_out == ("n2",)


@pytest.mark.parametrize(
    ("content", "place"),
    [
        (b"<html>at-secret</html>", "the document"),
        (b"[]", "the document"),
        (write(version=2), "version"),
        (write(networks=["n-secret"]), "networks"),
        (write(authorizations={"k1": "at-secret"}), "authorizations.k1"),
    ],
)
def test_what_is_no_directory_is_refused_with_its_place_and_without_its_values(content: bytes, place: str) -> None:
    with pytest.raises(DirectoryError) as refusal:
        parse_served_directory(content, downstream_url="http://registry")
    assert str(refusal.value).startswith(f"{place}: ")
    assert "secret" not in str(refusal.value)
    assert refusal.value.__context__ is None
