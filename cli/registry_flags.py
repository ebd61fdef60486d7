"""What the commands take that look into the registry or change it."""

from pathlib import Path
from typing import Annotated, TypeAlias

from cyclopts import Parameter

from cli import flags
from cli.registry_access import RegistryAccess

Access: TypeAlias = Annotated[RegistryAccess | None, Parameter(name="*", help="Which registry, and who asks.")]
AsJson: TypeAlias = Annotated[flags.AsJson, Parameter(help="Print it as JSON.")]
LinesOfJson: TypeAlias = Annotated[flags.AsJson, Parameter(help="Print each as one line of JSON.")]
Yes: TypeAlias = Annotated[flags.Switch, Parameter(help="Do not ask.")]
ListAsJson: TypeAlias = Annotated[
    flags.AsJson, Parameter(help="Print each as one line of JSON, with everything that is known.")
]

Called: TypeAlias = Annotated[str, Parameter(help="Its id, name or serial.")]
Name: TypeAlias = Annotated[str, Parameter(help="What people call it.")]
Serial: TypeAlias = Annotated[str, Parameter(help="The hardware's own identifier, as its uplinks say it.")]
DeviceName: TypeAlias = Annotated[str | None, Parameter(help="What people call it; without it the serial.")]
TokenName: TypeAlias = Annotated[str, Parameter(help="What people call the token.")]
Token: TypeAlias = Annotated[str, Parameter(help="The token itself.")]

NamedNetwork: TypeAlias = Annotated[str, Parameter(help="Name or id of the network.")]
ItsNetwork: TypeAlias = Annotated[
    str | None, Parameter(help="Name or id of its network. Without it the only one there is.")
]
ItsNetworks: TypeAlias = Annotated[
    list[str] | None,
    Parameter(
        help="Name or id of a network that its devices may belong to; may be given again. Without it the only one there"
        " is."
    ),
]
ItsConnector: TypeAlias = Annotated[
    str | None, Parameter(help="Name or id of its connector. Without it the only one that allows the network.")
]
SendingKey: TypeAlias = Annotated[
    str | None,
    Parameter(help="Name of an authorization key to send with; created where there is none of this name."),
]

SerialFormat: TypeAlias = Annotated[
    str | None,
    Parameter(
        help="Form of its serials, such as FF-FF-FF-FF-FF-FF-FF-FF: F a hexadecimal digit, A a letter, 0 a digit, P a"
        " letter or digit; hyphens are not stored. Without it any serial will do."
    ),
]
ForceCase: TypeAlias = Annotated[str | None, Parameter(help="Case in which serials are stored: upper or lower.")]
Map: TypeAlias = Annotated[
    str,
    Parameter(
        name="--map",
        help='Where its uplinks hold their fields, such as "serial=devaddr;payload=payload_raw;port=fport". Without it'
        " common names are tried.",
    ),
]
NewMap: TypeAlias = Annotated[
    str,
    Parameter(
        name="--map", help='Where they are, such as "serial=devaddr;payload=payload_raw"; "": common names are tried.'
    ),
]
ParserFile: TypeAlias = Annotated[Path | None, Parameter(help="Its source, JavaScript; `sluice parser test` tries it.")]
IngestUrl: TypeAlias = Annotated[str, Parameter(help="Where the curl line sends to.")]
