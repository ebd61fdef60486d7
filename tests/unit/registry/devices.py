"""Devices that tests create."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Device:
    """A device, with the header that its requests carry."""

    id: str
    token: str

    @property
    def headers(self) -> dict[str, str]:
        return {"Device-Token": self.token}


CreateDevice: TypeAlias = Callable[..., Awaitable[Device]]
"""Creates a device; see the fixture ``create_device``."""
