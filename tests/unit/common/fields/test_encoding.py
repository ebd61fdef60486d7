"""Base64 as network servers write it."""

import pytest

from common.fields.encoding import base64_to_hex


@pytest.mark.parametrize(
    ("text", "digits"),
    [
        ("", ""),
        ("CgsMDQ==", "0a0b0c0d"),
        ("CgsMDQ", "0a0b0c0d"),
        ("+/8A", "fbff00"),
        ("-_8A", "fbff00"),
        ("-_8", "fbff"),
    ],
)
def test_both_alphabets_are_decoded_with_and_without_padding(text: str, digits: str) -> None:
    assert base64_to_hex(text) == digits


@pytest.mark.parametrize("text", ["C", "CgsMD", "Cg==Cg==", "Cg sM", "CgsM\n", "Cgs!", "Cgsé", "0xZZ,"])
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - binascii words each fault in its own way
        base64_to_hex(text)
