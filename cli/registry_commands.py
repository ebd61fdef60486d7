"""``sluice network``, ``connector``, ``device``, ``key``, ``token``: what the registry holds, on the command line."""

import sys
from urllib.parse import quote

from cyclopts import App
from pydantic import SecretStr
from rich.console import Console

from cli.registry_access import RegistryClient, RegistryError, open_registry
from cli.registry_changes import create_set_parser, set_map
from cli.registry_entries import (
    CONNECTOR,
    DEVICE,
    KEY,
    NETWORK,
    Kind,
    choose_entry,
    find_entry,
    print_entry,
    print_list,
    tabulate_entry,
)
from cli.registry_flags import (
    Access,
    AsJson,
    Called,
    DeviceName,
    ForceCase,
    IngestUrl,
    ItsConnector,
    ItsNetwork,
    ItsNetworks,
    LinesOfJson,
    ListAsJson,
    Map,
    Name,
    NamedNetwork,
    SendingKey,
    Serial,
    SerialFormat,
    Token,
    TokenName,
    Yes,
)
from cli.terminal import ask
from common.curl import make_sample, write_read_curl, write_send_curl
from common.registry_requests import Document

TOKENS = "/integration/network/token"
TOKEN = Kind("token", TOKENS, {"name": "name", "token": "token", "created at": "created_at"})


def create_network(
    name: Name,
    *,
    serial_format: SerialFormat = None,
    force_case: ForceCase = None,
    as_json: AsJson = False,
    access: Access = None,
) -> None:
    """Create a network, with a token of its own."""
    serial_number = {"case": force_case or "none", **({} if serial_format is None else {"mask": serial_format})}
    with open_registry(access) as client:
        created = client.create(NETWORK.path, {"name": name, "serial_number": serial_number})
        print_entry(client.get(f"{NETWORK.path}/{created['network']}"), as_json=as_json)


def create_connector(
    name: Name,
    *,
    network: ItsNetworks = None,
    as_json: AsJson = False,
    access: Access = None,
) -> None:
    """Create a connector: a kind of device."""
    with open_registry(access) as client:
        if network:
            networks = [find_entry(client, NETWORK, called)["id"] for called in network]
        else:
            networks = [choose_network(client, None)["id"]]
        created = client.create(CONNECTOR.path, {"name": name, "networks": networks})
        print_entry(client.get(f"{CONNECTOR.path}/{created['connector']}"), as_json=as_json)


def create_key(
    name: Name,
    *,
    network: ItsNetwork = None,
    field_map: Map = "",
    as_json: AsJson = False,
    access: Access = None,
) -> None:
    """Create an authorization key: a customer's right to send, and how their fields are read."""
    with open_registry(access) as client:
        network_id = choose_network(client, network)["id"]
        print_entry(add_key(client, name, network_id, field_map), as_json=as_json)


def create_device(
    serial: Serial,
    *,
    name: DeviceName = None,
    network: ItsNetwork = None,
    connector: ItsConnector = None,
    key: SendingKey = None,
    ingest_url: IngestUrl = "http://127.0.0.1:8080",
    as_json: AsJson = False,
    access: Access = None,
) -> None:
    """Create a device; with --key, also show the curl line that sends an uplink of it."""
    with open_registry(access) as client:
        network_id = choose_network(client, network)["id"]
        form = {
            "name": name or serial,
            "serie_number": serial,
            "network": network_id,
            "connector": choose_connector(client, connector, network_id)["id"],
        }
        created = client.create(DEVICE.path, form)
        device: Document = {**form, **created}
        if key is not None:
            device["key"] = provide_key(client, key, network_id)
        if as_json:
            print_entry(device, as_json=True)
        else:
            _show_created(device, ingest_url, client.url)


def list_tokens(network: NamedNetwork, *, as_json: LinesOfJson = False, access: Access = None) -> None:
    """List the tokens by which a network resolves serials."""
    with open_registry(access) as client:
        network_id = find_entry(client, NETWORK, network)["id"]
        print_list(TOKEN, client.list_all(f"{TOKENS}/{network_id}"), as_json=as_json)


def create_token(
    network: NamedNetwork,
    *,
    name: TokenName = "sluice",
    as_json: AsJson = False,
    access: Access = None,
) -> None:
    """Create a further token of a network."""
    with open_registry(access) as client:
        network_id = find_entry(client, NETWORK, network)["id"]
        print_entry(client.create(TOKENS, {"network": network_id, "name": name}), as_json=as_json)


def remove_token(token: Token, *, yes: Yes = False, access: Access = None) -> None:
    """Remove a token of a network: whoever uses it is refused from then on."""
    with open_registry(access) as client:
        confirm("Remove this token?", yes=yes)
        client.remove(f"{TOKENS}/{quote(token, safe='')}")


def choose_network(client: RegistryClient, called: str | None) -> Document:
    """Give the network that is called so, or the only one. Raises RegistryError."""
    if called is None:
        return choose_entry(NETWORK, list(client.list_all(NETWORK.path)))
    return find_entry(client, NETWORK, called)


def choose_connector(client: RegistryClient, called: str | None, network_id: str) -> Document:
    """Give the connector that is called so, or the only one that allows the network. Raises RegistryError."""
    if called is None:
        allowed = [entry for entry in client.list_all(CONNECTOR.path) if network_id in entry["networks"]]
        return choose_entry(CONNECTOR, allowed)
    return find_entry(client, CONNECTOR, called)


def provide_key(client: RegistryClient, name: str, network_id: str) -> Document:
    """Give the network's key of this name; it is created where there is none."""
    for entry in client.list_all(KEY.path):
        if (entry["name"], entry["network"]) == (name, network_id):
            return entry
    return add_key(client, name, network_id, "")


def add_key(client: RegistryClient, name: str, network_id: str, field_map: str) -> Document:
    """Create a key, and give it whole."""
    key: Document = client.create(KEY.path, {"name": name, "network": network_id, "verification_code": field_map})
    return key


def confirm(question: str, *, yes: bool) -> None:
    """Ask a person. Raises RegistryError where the answer is no, or where there is nobody to ask."""
    if yes:
        return
    if not sys.stdin.isatty():
        raise RegistryError("nothing was removed: nobody can be asked here, so say --yes")
    if not ask(question):
        raise RegistryError("nothing was removed")


def _show_created(device: Document, ingest_url: str, registry_url: str) -> None:
    console = Console(highlight=False)
    shown = {"device": device["device_id"], "serial": device["serie_number"], "token": device["token"]}
    console.print(tabulate_entry(shown))
    key = device.get("key")
    if key is not None and key["verification_code"]:
        console.print(f"\nThe key is {key['token']}; its map says where the fields stand: {key['verification_code']}")
    elif key is not None:
        send = write_send_curl(ingest_url, SecretStr(key["token"]), make_sample(device["serie_number"]))
        console.print(f"\nSend an uplink:\n\n{send}", soft_wrap=True, markup=False)
    read = write_read_curl(registry_url, SecretStr(device["token"]))
    console.print(f"\nRead what arrived:\n\n{read}", soft_wrap=True, markup=False)


def _create_app(kind: Kind, about: str) -> App:
    """Give the commands that every kind has: list, show and remove."""
    app = App(name=kind.name, help=about)

    @app.command(name="list")
    def list_entries(
        *,
        as_json: ListAsJson = False,
        access: Access = None,
    ) -> None:
        """List what there is."""
        with open_registry(access) as client:
            print_list(kind, client.list_all(kind.path), as_json=as_json)

    @app.command
    def show(called: Called, *, as_json: AsJson = False, access: Access = None) -> None:
        """Show everything that is known of one."""
        with open_registry(access) as client:
            print_entry(find_entry(client, kind, called), as_json=as_json)

    @app.command
    def remove(called: Called, *, yes: Yes = False, access: Access = None) -> None:
        """Remove one for good."""
        with open_registry(access) as client:
            entry = find_entry(client, kind, called)
            confirm(f"Remove the {kind.name} {entry['name']!r} ({entry['id']})?", yes=yes)
            client.remove(f"{kind.path}/{quote(entry[kind.removed_by], safe='')}")

    return app


network_app = _create_app(NETWORK, "The registry's networks.")
network_app.command(create_network, name="create")
network_app.command(create_set_parser(NETWORK), name="set-parser")
connector_app = _create_app(CONNECTOR, "The registry's connectors.")
connector_app.command(create_connector, name="create")
connector_app.command(create_set_parser(CONNECTOR), name="set-parser")
device_app = _create_app(DEVICE, "The registry's devices.")
device_app.command(create_device, name="create")
device_app.command(create_set_parser(DEVICE), name="set-parser")
key_app = _create_app(KEY, "The registry's authorization keys: who may send.")
key_app.command(create_key, name="create")
key_app.command(set_map, name="set-map")

token_app = App(name="token", help="The tokens by which the registry's networks resolve serials.")
token_app.command(list_tokens, name="list")
token_app.command(create_token, name="create")
token_app.command(remove_token, name="remove")
