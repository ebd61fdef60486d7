"""The rule by which a network writes its serials."""

from typing import Literal

import pytest

from common.serial import SerialMalformedError, SerialRule, check_format

EUI = "FF-FF-FF-FF-FF-FF-FF-FF"
URN = "urn:uuid:PPPPPPPP-PPPP-PPPP-PPPP-PPPPPPPPPPPP"


@pytest.mark.parametrize(
    ("rule", "serial", "stored"),
    [
        (SerialRule(), "AA-BB-01", "AA-BB-01"),
        (SerialRule(format=""), "AA-BB-01", "AA-BB-01"),
        (SerialRule(force_case="lower"), "AA-BB-01", "aa-bb-01"),
        (SerialRule(force_case="upper"), "aa-bb-01", "AA-BB-01"),
        (SerialRule(EUI), "70b3D5e75e0a1b01", "70b3D5e75e0a1b01"),
        (SerialRule(EUI), "70-B3-D5-E7-5E-0A-1B-01", "70B3D5E75E0A1B01"),
        (SerialRule(EUI), "70B3D5E7-5E0A1B01", "70B3D5E75E0A1B01"),
        (SerialRule(EUI, "upper"), "70-b3-d5-e7-5e-0a-1b-01", "70B3D5E75E0A1B01"),
        (SerialRule(EUI.lower(), "lower"), "70-B3-D5-E7-5E-0A-1B-01", "70b3d5e75e0a1b01"),
        (SerialRule("AA000"), "Qz123", "Qz123"),
        (SerialRule("aapp0"), "qZ1a9", "qZ1a9"),
        (
            SerialRule(URN, "lower"),
            "URN:UUID:737B588B-547E-45D3-96D0-F79723291BF1",
            "urn:uuid:737b588b547e45d396d0f79723291bf1",
        ),
        (SerialRule("00/ü"), "12/Ü", "12/Ü"),
    ],
)
def test_a_serial_that_fits_is_stored_without_what_is_visual_and_in_the_forced_case(
    rule: SerialRule, serial: str, stored: str
) -> None:
    assert rule.normalise(serial) == stored


@pytest.mark.parametrize(
    ("form", "serial", "problem"),
    [
        ("FFFF", "12G4", "'G' as character 3, which must be a hexadecimal digit"),
        ("AA", "A1", "'1' as character 2, which must be a letter"),
        ("AA", "Aé", "'é' as character 2, which must be a letter"),
        ("00", "1A", "'A' as character 2, which must be a digit"),
        ("00", "1\N{ARABIC-INDIC DIGIT TWO}", "which must be a digit"),
        ("PP", "1_", "'_' as character 2, which must be a letter or digit"),
        ("X-00", "Y12", "'Y' as character 1 (hyphens not counted), which must be 'X'"),
        ("FFFF", "123", "has 3 characters, not 4"),
        ("FFFF", "12345", "has 5 characters, not 4"),
        ("FF-FF", "1-2-3", "has 3 characters (hyphens not counted), not 4"),
        ("FFFF", "12-34", "has 5 characters, not 4"),
        ("FF", "", "has 0 characters, not 2"),
    ],
)
def test_a_misfit_is_refused_with_the_form_and_what_was_wrong(form: str, serial: str, problem: str) -> None:
    with pytest.raises(SerialMalformedError) as refusal:
        SerialRule(form).normalise(serial)
    assert problem in str(refusal.value)
    assert str(refusal.value).endswith(f"the form is {form}")
    assert repr(serial) in str(refusal.value)


def test_a_document_sent_as_a_serial_is_not_repeated_whole() -> None:
    with pytest.raises(SerialMalformedError) as refusal:
        SerialRule("FF").normalise("A" * 10_000)
    assert len(str(refusal.value)) < 200


@pytest.mark.parametrize("force_case", ["upper", "lower", None])
@pytest.mark.parametrize("form", [EUI, "FFFFFFFFFFFFFFFF", None])
def test_a_normalised_serial_stays_as_it_is(form: str | None, force_case: Literal["upper", "lower"] | None) -> None:
    rule = SerialRule(form, force_case)
    once = rule.normalise("70b3D5E75e0A1b01")
    assert rule.normalise(once) == once


def test_rules_compare_by_what_they_say_whether_used_or_not() -> None:
    used = SerialRule(EUI, "upper")
    used.normalise("70B3D5E75E0A1B01")
    assert used == SerialRule(EUI, "upper")
    assert hash(used) == hash(SerialRule(EUI, "upper"))


@pytest.mark.parametrize("serial", [".", ".."])
def test_a_step_in_a_path_is_no_serial(serial: str) -> None:
    with pytest.raises(SerialMalformedError, match="step in a path"):
        SerialRule().normalise(serial)


@pytest.mark.parametrize("form", ["-", "---", ".", "..", ".-.", "-."])
def test_a_format_that_no_serial_has_is_refused_and_asking_for_an_example_is_no_failure(form: str) -> None:
    """A person may be typing it: the first character of a format may be a hyphen."""
    with pytest.raises(ValueError, match="write as in FF-FF-FF-FF"):
        check_format(form)
    assert SerialRule(form).build_example() == form.replace("-", "")


@pytest.mark.parametrize("form", ["", EUI, URN, ".-F", "..."])
def test_an_example_has_the_form(form: str) -> None:
    rule = SerialRule(check_format(form), "upper")
    assert rule.normalise(rule.build_example()) == rule.build_example()
