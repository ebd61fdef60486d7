"""What a form sends, and what the registry says at its fields."""

import asyncio

import pytest
from starlette.requests import Request
from starlette.types import Message

from console import forms
from console.forms import find_faults, read_foreign_form
from console.refusal import RefusedError

NAMES = {"name": "name", "payload_decoder": "parser", "device_parameters": "parameters"}


@pytest.mark.parametrize(
    ("message", "faults"),
    [
        ("name: is missing", {"name": "is missing"}),
        ("device_parameters.0.name: is missing", {"parameters": "is missing"}),
        ("name: is long; payload_decoder: is broken", {"name": "is long", "parser": "is broken"}),
        ("name: is long; name: is odd", {"name": "is long; is odd"}),
        ("name: 7 bytes; at most 5", {"name": "7 bytes; at most 5"}),
        ("It is in use; remove these first", {"": "It is in use; remove these first"}),
        ("other: is odd; name: is long", {"": "other: is odd", "name": "is long"}),
    ],
)
def test_each_part_of_a_message_goes_to_its_field_and_the_rest_to_the_page(
    message: str, faults: dict[str, str]
) -> None:
    assert find_faults(message, NAMES) == faults


async def test_a_form_that_does_not_come_is_408(monkeypatch: pytest.MonkeyPatch) -> None:
    async def receive() -> Message:
        await asyncio.Event().wait()
        raise AssertionError

    monkeypatch.setattr(forms, "BODY_SECONDS", 0.01)
    headers = [(b"content-length", b"7"), (b"content-type", b"application/x-www-form-urlencoded")]
    request = Request({"type": "http", "method": "POST", "path": "/", "headers": headers}, receive)
    with pytest.raises(RefusedError, match="did not arrive within") as refused:
        await read_foreign_form(request)
    assert refused.value.status == 408
