from pydantic import SecretStr

from registry.directory import build_directory
from registry.entries import KeyEntry, NetworkEntry

NETWORK = NetworkEntry("n1", "p1", "LoRaWAN", None)


def build_key(key_id: str, additional_parameters: str) -> KeyEntry:
    return KeyEntry(key_id, "p1", "n1", key_id, additional_parameters, enabled=True, token=SecretStr(f"at-{key_id}"))


def test_a_network_without_a_token_is_left_out() -> None:
    other = NetworkEntry("n2", "p1", "Other", None)
    directory = build_directory([NETWORK, other], {"n1": SecretStr("n-1")}, [], downstream_url="http://registry")
    assert [network.id for network in directory.networks] == ["n1"]


def test_a_key_whose_field_map_no_longer_holds_is_left_out_and_the_others_are_not() -> None:
    keys = [build_key("good", "serial=devaddr"), build_key("bad", "preset=forgotten")]
    directory = build_directory([NETWORK], {"n1": SecretStr("n-1")}, keys, downstream_url="http://registry")
    assert [key.id for key in directory.keys] == ["good"]
