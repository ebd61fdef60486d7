"""What the registry holds, and what it needs to be told of a new one: the documents that are sent to create them.

The fields of a ``New…`` are those of TagoIO's API that are kept; any other is refused, for nothing said is dropped.
"""

from dataclasses import dataclass
from typing import Annotated, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, SecretStr, StringConstraints

from common.serial import SerialRule
from registry.ids import Id
from registry.schema import NAME_CHARACTERS

Name: TypeAlias = Annotated[str, StringConstraints(min_length=1, max_length=NAME_CHARACTERS, strip_whitespace=True)]
"""What people call a thing; need not be unique."""


class _Document(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class SerialNumber(_Document):
    """How a network writes its serials, and how people are asked for one."""

    mask: Annotated[str, StringConstraints(max_length=100)] | None = None
    case: Literal["upper", "lower", "none"] | None = None
    label: Name | None = None
    help: Annotated[str, StringConstraints(max_length=1_000)] | None = None
    required: bool = True

    @property
    def rule(self) -> SerialRule:
        """The rule that serials are checked against and normalised by."""
        return SerialRule(self.mask or None, None if self.case == "none" else self.case)


class NewNetwork(_Document):
    """A network to be created. Without ``serial_number`` its devices need no serial, and any is taken."""

    name: Name
    serial_number: SerialNumber | None = None


class NewConnector(_Document):
    """A connector to be created, and the networks that its devices may belong to."""

    name: Name
    networks: Annotated[list[Id], Field(min_length=1)]


class NewDevice(_Document):
    """A device to be created. ``type`` is here because TagoIO's clients send it; there is one kind of storage."""

    name: Name
    network: Id
    connector: Id
    serie_number: str | None = None
    type: Literal["mutable"] = "mutable"


class NewKey(_Document):
    """An authorization key to be created; ``verification_code`` is the text of its field map.

    ``network`` is ours, as is ``enabled``: a profile with a single network need not name it. The last two are here
    because TagoIO's clients send them; a key does not expire and is not limited.
    """

    name: Name
    verification_code: str = ""
    network: Id | None = None
    enabled: bool = True
    permission: Literal["full"] = "full"
    expire_time: Literal["never"] = "never"


@dataclass(frozen=True, slots=True)
class ProfileEntry:
    """Whose networks, devices and keys they are."""

    id: str
    name: str


@dataclass(frozen=True, slots=True)
class NetworkEntry:
    """A network of a profile."""

    id: str
    profile_id: str
    name: str
    serial_number: SerialNumber | None

    @property
    def serial_rule(self) -> SerialRule:
        """What serials of this network are checked against; without a configured serial number any will do."""
        return SerialRule() if self.serial_number is None else self.serial_number.rule


@dataclass(frozen=True, slots=True)
class ConnectorEntry:
    """A connector of a profile, with the ids of the networks that it allows."""

    id: str
    profile_id: str
    name: str
    networks: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class DeviceEntry:
    """A device of a profile. Its serial, where it has one, is as its network stores it."""

    id: str
    profile_id: str
    network_id: str
    connector_id: str
    name: str
    serial: str | None


@dataclass(frozen=True, slots=True)
class KeyEntry:
    """An authorization key of a profile. ``additional_parameters`` is the text of a field map, checked when saved."""

    id: str
    profile_id: str
    network_id: str
    name: str
    additional_parameters: str
    enabled: bool
    token: SecretStr
