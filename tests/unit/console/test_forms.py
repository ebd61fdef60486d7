"""What the registry says, at the fields of a form."""

import pytest

from console.forms import find_faults

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
