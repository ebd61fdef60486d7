"""What the registry holds, and what it needs to be told of a new one: the documents that are sent to create them.

The fields of a ``New…`` are those of TagoIO's API that are kept; any other is refused, for nothing said is dropped.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import AfterValidator, Field, SecretStr, StringConstraints

from common.serial import SerialRule, check_format
from registry.device_parameters import DeviceParameters
from registry.form import MOST_NETWORKS, Expiry, Form, Link, Name, Params, Parser, Permission, Tags, Text
from registry.ids import Id

Networks: TypeAlias = Annotated[list[Id], Field(min_length=1, max_length=MOST_NETWORKS)]
"""The networks of a connector."""


class SerialNumber(Form):
    """How a network writes its serials, and how people are asked for one."""

    mask: Annotated[str, StringConstraints(max_length=100), AfterValidator(check_format)] | None = None
    case: Literal["upper", "lower", "none"] | None = None
    label: Name | None = None
    image: Link | None = None
    help: Text | None = None
    required: bool = True

    @property
    def rule(self) -> SerialRule:
        """The rule that serials are checked against and normalised by."""
        return SerialRule(self.mask or None, None if self.case == "none" else self.case)


class NewProfile(Form):
    """A profile to be created."""

    name: Name


class NewNetwork(Form):
    """A network to be created. Without ``serial_number`` its devices need no serial, and any is taken."""

    name: Name
    description: Text | None = None
    documentation_url: Link | None = None
    icon_url: Link | None = None
    banner_url: Link | None = None
    logo_url: Link | None = None
    serial_number: SerialNumber | None = None
    device_parameters: DeviceParameters | None = None
    payload_decoder: Parser | None = None
    middleware_endpoint: Link | None = None
    public: bool = False


class NewConnector(Form):
    """A connector to be created, and the networks that its devices may belong to."""

    name: Name
    networks: Networks
    description: Text | None = None
    logo_url: Link | None = None
    install_text: Text | None = None
    install_end_text: Text | None = None
    device_annotation: Text | None = None
    device_parameters: DeviceParameters | None = None
    payload_decoder: Parser | None = None
    public: bool = False


class NewDevice(Form):
    """A device to be created. ``type`` is here because TagoIO's clients send it; there is one kind of storage."""

    name: Name
    network: Id
    connector: Id
    serie_number: str | None = None
    type: Literal["mutable"] = "mutable"
    description: Text | None = None
    active: bool = True
    visible: bool = True
    tags: Tags = Field(default=[])
    configuration_params: Params = Field(default=[])
    payload_decoder: Parser | None = None


class ParamMark(Form):
    """Whether a device has read one of its params; an empty body says that it has."""

    sent: bool = True


class NewDeviceToken(Form):
    """A further token of a device. ``expire_time`` is here because TagoIO's clients send it."""

    device: Id
    name: Name
    permission: Permission = "full"
    expire_time: Literal["never"] = "never"


class NewNetworkToken(Form):
    """A further token of a network. The last two are here because TagoIO's clients send them."""

    network: Id
    name: Name
    permission: Literal["full"] = "full"
    expire_time: Literal["never"] = "never"


class NewKey(Form):
    """An authorization key to be created; ``verification_code`` is the text of its field map.

    ``network`` is ours, as is ``enabled``: what is sent under the key comes by this network. A profile with a single
    network need not name it. ``permission`` is here because TagoIO's clients send it.
    """

    name: Name
    verification_code: str = ""
    network: Id | None = None
    enabled: bool = True
    permission: Literal["full"] = "full"
    expire_time: Expiry = None


class NewShare(Form):
    """Another profile that may use a network or a connector."""

    profile: Id


class NetworkChanges(NewNetwork):
    """Changes of a network: what is not sent stays as it is."""

    name: Name = ""


class ConnectorChanges(NewConnector):
    """Changes of a connector: what is not sent stays as it is."""

    name: Name = ""
    networks: Networks = Field(default=[])


class DeviceChanges(NewDevice):
    """Changes of a device: what is not sent stays as it is."""

    name: Name = ""
    network: Id = ""
    connector: Id = ""


class KeyChanges(NewKey):
    """Changes of an authorization key: what is not sent stays as it is."""

    name: Name = ""


Details: TypeAlias = Mapping[str, Any]
"""How a thing is described, by the names of its columns. Empty where only what it takes to use it was read."""


@dataclass(frozen=True, slots=True)
class ProfileEntry:
    """Whose networks, devices and keys they are. An administrator creates profiles, and makes things public."""

    id: str
    name: str
    administrator: bool = False


@dataclass(frozen=True, slots=True)
class NetworkEntry:
    """A network of a profile: what it takes to use it."""

    id: str
    profile_id: str
    name: str
    serial_number: SerialNumber | None
    public: bool = False
    details: Details = field(default_factory=dict, compare=False)

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
    details: Details = field(default_factory=dict, compare=False)


@dataclass(frozen=True, slots=True)
class DeviceEntry:
    """A device of a profile. Its serial, where it has one, is as its network stores it."""

    id: str
    profile_id: str
    network_id: str
    connector_id: str
    name: str
    serial: str | None
    active: bool = True
    own_parser: bool = field(default=False, compare=False)
    details: Details = field(default_factory=dict, compare=False)


@dataclass(frozen=True, slots=True)
class TokenEntry:
    """A token of a network or a device."""

    id: str
    name: str
    permission: Permission
    token: SecretStr


@dataclass(frozen=True, slots=True)
class KeyEntry:
    """An authorization key of a profile. ``additional_parameters`` is the text of a field map, checked when saved.

    Without a network it says whose devices a resolver may find, and no ingest takes it.
    """

    id: str
    profile_id: str
    network_id: str | None
    name: str
    additional_parameters: str
    enabled: bool
    token: SecretStr
    expires_at: datetime | None = None
