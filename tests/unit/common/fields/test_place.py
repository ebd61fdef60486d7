"""The name that a value gets from where it stands."""

import string

import pytest

from common.fields.place import Place


@pytest.mark.parametrize(
    ("path", "variable"),
    [
        (["rssi"], "rssi"),
        (["fCnt"], "fcnt"),
        (["object", "deep", "level"], "object_deep_level"),
        (["arr", "0"], "arr_0"),
        (["Spread Factor"], "spread_factor"),
        (["a*b?c!d<e>f.g-h=i$j"], "a_b_c_d_e_f_g_h_i_j"),
        (["tab\there", "nbsp\N{NO-BREAK SPACE}"], "tab_here_nbsp_"),
        (["TEMPÉRATURE"], "température"),
        ([""], "_"),
        (["", ""], "_"),
        (["a", "", "b"], "a__b"),
        (["x" * 100], "x" * 100),
    ],
)
def test_a_variable_is_named_by_its_whole_path_in_what_tagoio_takes(path: list[str], variable: str) -> None:
    assert _name(path) == variable


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (["x" * 101], ["x" * 102]),
        (["x" * 150 + "a"], ["x" * 150 + "b"]),
        (["x" * 150, "a"], ["x" * 150, "b"]),
        (["x" * 150 + "a", "c"], ["x" * 150 + "b", "c"]),
        (["x" * 150, "a.b"], ["x" * 150, "a", "b"]),
        (["x" * 60, "y" * 60, "0"], ["x" * 60, "y" * 60, "1"]),
        (["key"] * 1_000, ["key"] * 999),
    ],
)
def test_long_names_are_cut_to_a_hundred_characters_and_stay_apart(one: list[str], other: list[str]) -> None:
    assert len(_name(one)) == len(_name(other)) == 100
    assert _name(one)[:91] == _name(other)[:91]
    assert _name(one) != _name(other)


def test_a_name_that_only_grows_too_long_in_lower_case_is_cut_as_well() -> None:
    dotted_i = "\N{LATIN CAPITAL LETTER I WITH DOT ABOVE}"
    assert len(_name([dotted_i * 60])) == 100


def test_a_long_name_is_the_same_in_every_process_and_release() -> None:
    assert _name(["x" * 150]) == "x" * 91 + "_9c1a21c3"


def test_a_path_shows_the_keys_as_they_came() -> None:
    assert Place().within("Object").within("deep level").path("0") == "Object.deep level.0"


def test_of_a_very_long_path_both_ends_are_shown() -> None:
    place = Place()
    for letter in string.ascii_lowercase:
        place = place.within(letter * 100)
    path = place.path("end")
    assert len(path) == 1_001
    assert path.startswith("a" * 100 + ".b")
    assert path.endswith("z.end")


def _name(path: list[str]) -> str:
    place = Place()
    for key in path[:-1]:
        place = place.within(key)
    return place.variable(path[-1])
