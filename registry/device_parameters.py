"""Device parameters: what a network or a connector asks of each of its devices, and which answers it takes.

A device's answers are its configuration params, which its payload parsers see.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Literal, Self, TypeAlias

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from common.fields.number import read_number
from registry.form import MOST_OPTIONS, MOST_PARAMETERS, Form, Name, Param, Text
from registry.refusal import invalid

_SWITCH_POSITIONS = ("true", "false")


class Option(Form):
    """One answer of a dropdown."""

    label: Name
    value: Text
    is_default: bool = False


def _write_number(value: object) -> object:
    """Write a number as the string that a param holds: the official clients let a default be either."""
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value


class DeviceParameter(Form):
    """A parameter that devices are to have. ``default`` is a boolean of a switch, and a string of any other."""

    name: Name
    label: Name | None = None
    type: Literal["text", "number", "dropdown", "switch"]
    group: Literal["default", "main", "advanced", "hide"] = "main"
    default: Annotated[bool | Text | None, BeforeValidator(_write_number)] = None
    options: Annotated[list[Option], Field(max_length=MOST_OPTIONS)] | None = None

    @model_validator(mode="after")
    def _check(self) -> Self:
        if (self.type == "dropdown") != bool(self.options):
            raise ValueError("a dropdown needs options, and nothing else has them")
        if self.type == "dropdown":
            self._check_options()
        if self.default is not None:
            self._check_default()
        return self

    @property
    def first_value(self) -> str | None:
        """What a device has that was not given another value; None: nothing."""
        if isinstance(self.default, bool):
            return "true" if self.default else "false"
        chosen = next((option.value for option in self.options or () if option.is_default), None)
        return chosen if self.default is None else self.default

    def find_fault(self, value: str) -> str | None:
        """Say why this cannot be a device's value, or None."""
        match self.type:
            case "number" if read_number(value) is None:
                return "must be a number"
            case "switch" if value not in _SWITCH_POSITIONS:
                return "must be true or false"
            case "dropdown" if value not in (values := [option.value for option in self.options or ()]):
                return f"must be one of {', '.join(values)}"
            case _:
                return None

    def _check_options(self) -> None:
        options = self.options or []
        if len({option.value for option in options}) != len(options):
            raise ValueError("two options have the same value")
        if sum(option.is_default for option in options) > 1:
            raise ValueError("only one option can be the default")

    def _check_default(self) -> None:
        if (self.type == "switch") != isinstance(self.default, bool):
            raise ValueError("the default of a switch is a boolean, and that of any other type a string")
        fault = self.find_fault(self.first_value or "")
        if fault is not None:
            raise ValueError(f"the default {fault}")


def _check_names(parameters: list[DeviceParameter]) -> list[DeviceParameter]:
    names = [parameter.name for parameter in parameters]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise ValueError(f"{twice!r} is there twice")
    return parameters


DeviceParameters: TypeAlias = Annotated[
    list[DeviceParameter], Field(max_length=MOST_PARAMETERS), AfterValidator(_check_names)
]
"""The parameters of a network or a connector."""


def check_params(parameters: Iterable[DeviceParameter], params: Iterable[Mapping[str, str]]) -> None:
    """Check what a device has. Raises :class:`registry.refusal.RefusedError` (400) that names every bad value.

    Where network and connector have a parameter of one name, the connector's counts, which comes last. A param that
    neither of them has is the device's own affair.
    """
    by_name = {parameter.name: parameter for parameter in parameters}
    asked = [(param["key"], param["value"]) for param in params if param["key"] in by_name]
    faults = [(key, fault) for key, value in asked if (fault := by_name[key].find_fault(value)) is not None]
    if faults:
        raise invalid("; ".join(f"configuration_params.{key}: {fault}" for key, fault in faults))


def complete_params(parameters: Iterable[DeviceParameter], given: Sequence[Param]) -> list[Param]:
    """Give the params of a new device: those that it was given, and the defaults of the others."""
    keys = {param.key for param in given}
    defaults = {parameter.name: parameter.first_value for parameter in parameters if parameter.name not in keys}
    return [*given, *(Param(key=key, value=value) for key, value in defaults.items() if value is not None)]
