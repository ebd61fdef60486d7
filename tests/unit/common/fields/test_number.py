"""Numbers as senders write them."""

import pytest

from common.fields.number import read_number


@pytest.mark.parametrize(
    ("value", "number"),
    [
        (0, 0),
        (-7, -7),
        (2**64 - 1, 2**64 - 1),
        (1.5, 1.5),
        ("10", 10),
        (" 10 ", 10),
        ("+3", 3),
        ("-3.25", -3.25),
        ("3.", 3.0),
        (".5", 0.5),
        ("1e3", 1000.0),
        ("18446744073709551615", 18446744073709551615),
    ],
)
def test_a_number_or_the_text_of_one_is_read(value: object, number: float) -> None:
    read = read_number(value)
    assert read == number
    assert type(read) is type(number)


@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        False,
        [],
        {},
        "",
        " ",
        "ten",
        "1_000",
        "0x10",
        "1,5",
        "nan",
        "inf",
        "-infinity",
        "1e999",
        "9" * 5_000,
        "\N{ARABIC-INDIC DIGIT ONE}",
        float("nan"),
        float("inf"),
    ],
)
def test_anything_else_is_no_number(value: object) -> None:
    assert read_number(value) is None


def test_a_string_of_thousands_of_digits_is_no_number() -> None:
    assert read_number("0" * 5_000) is None
