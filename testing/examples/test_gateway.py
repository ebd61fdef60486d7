"""A gateway's integration test: what it forwards arrives at the device, and what it gets wrong is told."""

import httpx
from sluice_testing import Sluice


class Gateway:
    """Stands for what is to be tested: forwards what it hears to a URL, with an authorization key."""

    def __init__(self, url: str, authorization: str) -> None:
        self._url, self._authorization = url, authorization

    def forward(self, dev_eui: str, payload: bytes, port: int) -> httpx.Response:
        uplink = {"devEUI": dev_eui, "data": payload.hex(), "fPort": port}
        return httpx.post(self._url, json=uplink, headers={"Authorization": self._authorization})


def test_an_uplink_arrives_at_its_device(sluice: Sluice) -> None:
    key = sluice.create_key("serial=devEUI;payload=data;port=fPort")
    serial = sluice.create_device("0004a30b001c0530")

    answer = Gateway(sluice.url, key).forward("0004a30b001c0530", b"\x01\x67", port=2)

    assert answer.status_code == 202
    (arrival,) = sluice.wait_for_arrivals(1)
    assert arrival.serial == serial == "0004A30B001C0530"
    assert arrival.values["payload"] == "0167"
    assert arrival.values["port"] == 2


def test_an_uplink_of_a_device_that_nobody_created_becomes_a_dead_letter(sluice: Sluice) -> None:
    Gateway(sluice.url, sluice.create_key("serial=devEUI;payload=data")).forward("AA", b"\x00", port=1)

    (letter,) = sluice.wait_for_dead_letters(1)
    assert letter.reason == "serial_unknown"


def test_a_field_under_another_name_is_told_to_the_gateway(sluice: Sluice) -> None:
    answer = Gateway(sluice.url, sluice.create_key("serial=devAddr")).forward("AA", b"\x00", port=1)

    assert answer.status_code == 400
    assert "devAddr" in answer.json()["message"]
