"""``set-parser`` and ``set-map``: what is mended in the registry while uplinks die of it."""

from base64 import b64encode
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

from rich.console import Console

from cli.registry_access import RegistryError, open_registry
from cli.registry_entries import KEY, Kind, find_entry
from cli.registry_flags import Access, Called, NewMap, ParserFile


def create_set_parser(kind: Kind) -> Callable[..., None]:
    """Give the command that changes the payload parser of one kind of entry."""

    def set_parser(called: Called, file: ParserFile = None, *, access: Access = None) -> None:
        """Give one a payload parser, from the next uplink on; without a file it has none any more."""
        source = None if file is None else read_parser(file)
        with open_registry(access) as client:
            entry = find_entry(client, kind, called)
            client.change(f"{kind.path}/{entry['id']}", {"payload_decoder": source})
        _tell(kind, entry["name"], "no parser any more" if file is None else f"the parser of {file}")

    return set_parser


def set_map(called: Called, field_map: NewMap, *, access: Access = None) -> None:
    """Say anew where the uplinks of a key hold their fields; what waits or is replayed is read by it too."""
    with open_registry(access) as client:
        entry = find_entry(client, KEY, called)
        client.change(f"{KEY.path}/{quote(entry[KEY.removed_by], safe='')}", {"verification_code": field_map})
    _tell(KEY, entry["name"], field_map or "no map: common names are tried")


def read_parser(file: Path) -> str:
    """Give the source of a parser as the API takes it. Raises RegistryError."""
    try:
        return b64encode(file.read_bytes()).decode()
    except OSError as error:
        raise RegistryError(f"{file}: {error.strerror}") from None


def _tell(kind: Kind, name: str, what: str) -> None:
    Console(highlight=False).print(f"{kind.name} {name}: {what}", soft_wrap=True, markup=False)
