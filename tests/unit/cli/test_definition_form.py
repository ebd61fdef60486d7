"""What the registry would refuse is left out of a definition, and told."""

from typing import Any

import pytest

from cli.definition_files import DefinitionError
from cli.definition_form import fit_form
from registry.entries import NewConnector, NewNetwork

NETWORK: dict[str, Any] = {"name": "Mill", "serial_number": {"mask": "FF", "case": "upper"}}


def test_what_fits_is_taken_whole() -> None:
    form, remarks = fit_form(NewNetwork, NETWORK)
    assert (form.given["serial_number"]["mask"], remarks) == ("FF", [])


@pytest.mark.parametrize(
    ("fields", "left", "remark"),
    [
        ({"documentation_url": "mill"}, {}, "documentation_url: must begin with http:// or https://"),
        ({"description": "a" * 10_001}, {}, "description: String should have at most 10000 characters"),
        ({"colour": "red"}, {}, "unknown field colour; left out"),
        ({"device_parameters": [{"type": "dial", "name": "a"}]}, {"device_parameters": []}, "device_parameters.0.type"),
        (
            {"serial_number": {"mask": "FF", "case": "upper", "image": "./x.png"}},
            {},
            "serial_number.image: must begin with",
        ),
    ],
)
def test_a_fault_costs_the_part_that_it_is_in(fields: dict[str, Any], left: dict[str, Any], remark: str) -> None:
    form, remarks = fit_form(NewNetwork, NETWORK | fields)
    assert form.given == fit_form(NewNetwork, NETWORK)[0].given | left
    assert len(remarks) == 1
    assert remarks[0].startswith(remark)


def test_of_several_parameters_those_that_fit_are_taken() -> None:
    good = {"type": "text", "name": "good", "shape": "round"}
    bad = {"type": "number", "name": "bad", "default": "much", "shape": "round"}
    form, remarks = fit_form(NewNetwork, NETWORK | {"device_parameters": [bad, good, bad]})
    (kept,) = form.given["device_parameters"]
    assert kept["name"] == "good"
    assert "unknown field device_parameters.1.shape; left out" in remarks
    assert sum("the default must be a number" in remark for remark in remarks) == 2


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"name": "a" * 101}, "name: String should have at most 100 characters"),
        ({"serial_number": "FF"}, "serial_number: Input should be a valid"),
        ({"serial_number": {"mask": 7}}, "serial_number.mask: Input should be a valid string"),
        ({"serial_number": {"case": "Upper"}}, "serial_number.case: Input should be 'upper', 'lower' or 'none'"),
    ],
)
def test_a_network_without_its_rule_for_serials_is_not_made(fields: dict[str, Any], problem: str) -> None:
    with pytest.raises(DefinitionError, match=problem):
        fit_form(NewNetwork, NETWORK | fields)


def test_a_connector_without_networks_is_not_made() -> None:
    with pytest.raises(DefinitionError, match="networks: "):
        fit_form(NewConnector, {"name": "Flour", "networks": []})
