"""What is remembered of the keys that objects have."""

from hypothesis import given
from hypothesis import strategies as st

from common.fields.wanted_field import PAYLOAD, SERIAL, SHAPE_BYTES, SHAPES, WantedField

NAMES = [name for common in SERIAL.common_names for name in (common, common.upper(), common.title())]


@given(st.lists(st.sampled_from(NAMES) | st.text(max_size=5), unique=True))
def test_candidates_are_the_keys_with_a_common_name_in_the_order_of_those(keys: list[str]) -> None:
    ranked = [key for name in SERIAL.common_names for key in keys if key.lower() == name.lower()]
    expected = tuple(dict.fromkeys(ranked))  # two of the common names differ by case alone
    assert SERIAL.candidates[tuple(keys)] == expected
    assert SERIAL.candidates[tuple(keys)] == expected  # remembered


def build_field() -> WantedField:
    return WantedField("payload", PAYLOAD.usable, PAYLOAD.common_names, PAYLOAD.ranks)


def test_what_is_remembered_is_bounded_in_number() -> None:
    wanted = build_field()
    for number in range(SHAPES * 2):
        assert wanted.candidates[f"k{number}", "Data"] == ("Data",)
        assert len(wanted.candidates) <= SHAPES


def test_an_object_with_long_keys_or_many_is_not_remembered() -> None:
    wanted = build_field()
    for keys in (("data", "x" * SHAPE_BYTES), ("data", *(f"{number}" for number in range(SHAPE_BYTES // 40)))):
        assert wanted.candidates[keys] == ("data",)
        assert len(wanted.candidates) == 0
