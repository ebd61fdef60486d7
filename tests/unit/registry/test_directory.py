"""The document that ingests and workers read as their directory."""

from datetime import UTC, datetime

from pydantic import SecretStr

from common.directory.model import Directory
from common.directory.served import parse_served_directory
from common.fields.field_map import parse_field_map
from common.serial import SerialRule
from registry.directory import write_directory
from registry.entries import KeyChanges, KeyEntry, NetworkEntry, NewKey, NewNetwork, SerialNumber
from registry.first_start import FirstStart
from registry.service import Registry
from tests.unit.registry.devices import CreateDevice

NETWORK = NetworkEntry("n1", "p1", "LoRaWAN", None)


def build_key(key_id: str, additional_parameters: str) -> KeyEntry:
    return KeyEntry(key_id, "p1", "n1", key_id, additional_parameters, enabled=True, token=SecretStr(f"at-{key_id}"))


async def read_directory(registry: Registry) -> Directory:
    document = await registry.directory.read()
    return parse_served_directory(document.content, downstream_url="http://registry").directory


def test_a_network_without_a_token_is_left_out() -> None:
    other = NetworkEntry("n2", "p1", "Other", None)
    content = write_directory([NETWORK, other], {"n1": SecretStr("n-1")}, [])
    directory = parse_served_directory(content, downstream_url="http://registry").directory
    assert [network.id for network in directory.networks] == ["n1"]


def test_a_key_whose_field_map_no_longer_holds_is_left_out_and_the_others_are_not() -> None:
    keys = [build_key("good", "serial=devaddr"), build_key("bad", "preset=forgotten")]
    served = parse_served_directory(
        write_directory([NETWORK], {"n1": SecretStr("n-1")}, keys), downstream_url="http://r"
    )
    assert [key.id for key in served.directory.keys] == ["good"]
    assert served.left_out == ("bad",)


async def test_networks_and_keys_make_a_directory(registry: Registry, first: FirstStart) -> None:
    rule = SerialNumber(mask="FF-FF", case="lower")
    lorawan = await registry.networks.create(first.profile_id, NewNetwork(name="LoRaWAN", serial_number=rule))
    new = NewKey(name="Factory", network=lorawan.id, verification_code="serial=0.devaddr;array=one")
    factory = await registry.keys.create(first.profile_id, new)
    disabled = await registry.keys.create(first.profile_id, NewKey(name="Off", network=lorawan.id, enabled=False))

    directory = await read_directory(registry)
    assert [network.id for network in directory.networks] == [first.network_id, lorawan.id]
    network = directory.network(lorawan.id)
    assert network is not None
    assert network.serial == SerialRule("FF-FF", "lower")
    assert network.token == (await registry.networks.tokens())[lorawan.id]
    key = directory.authenticate(factory.token.get_secret_value())
    assert key is not None
    assert (key.id, key.network, key.profile) == (factory.id, lorawan.id, first.profile_id)
    assert (network.name, key.name) == ("LoRaWAN", "Factory")
    assert key.field_map == parse_field_map("serial=0.devaddr;array=one")
    assert key.may_send(datetime.now(UTC))
    off = directory.key(disabled.id)
    assert off is not None
    assert not off.may_send(datetime.now(UTC))


async def test_the_token_of_a_network_in_the_directory_resolves_at_the_registry(
    registry: Registry, first: FirstStart, create_device: CreateDevice
) -> None:
    device = await create_device("A")
    network = (await read_directory(registry)).network(first.network_id)
    assert network is not None
    entry = await registry.networks.authenticate(network.token.get_secret_value())
    assert (await registry.devices.resolve(entry, "a", first.profile_id)).get_secret_value() == device.token


async def test_an_unchanged_directory_is_not_written_anew(registry: Registry, first: FirstStart) -> None:
    before = await registry.directory.read()
    assert await registry.directory.read() is before
    await registry.keys.create(first.profile_id, NewKey(name="Factory"))
    assert (await registry.directory.read()).etag != before.etag


async def test_another_name_is_in_the_directory(registry: Registry, first: FirstStart) -> None:
    key = await registry.keys.create(first.profile_id, NewKey(name="Factory"))
    await read_directory(registry)
    await registry.keys.change(first.profile_id, key.id, KeyChanges(name="Mill"))
    found = (await read_directory(registry)).key(key.id)
    assert found is not None
    assert found.name == "Mill"
