"""Takes definitions into the registry: what is there under the same name is changed, anything else is created."""

import os
import re
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal, TypeAlias

import orjson

from cli.definition import BrokenDefinition, Definition
from cli.definition_files import DefinitionError, DefinitionFiles
from cli.definition_form import fit_form
from cli.registry_access import RegistryClient, RegistryRefusalError
from cli.registry_entries import CONNECTOR, NETWORK, Kind
from common.registry_requests import Document
from registry.entries import NewConnector, NewNetwork
from registry.image import IMAGE_BYTES
from registry.request import BODY_BYTES

Outcome: TypeAlias = Literal["created", "updated", "unchanged", "failed"]

_FORMS: Mapping[str, type[NewNetwork | NewConnector]] = {NETWORK.name: NewNetwork, CONNECTOR.name: NewConnector}

_NOT_IN_PATHS = re.compile(r"[^A-Za-z0-9.]+")


@dataclass(frozen=True, slots=True)
class Imported:
    """What came of one definition. ``remarks`` say what was not taken of it, or why nothing was."""

    kind: str
    name: str
    folder: str
    outcome: Outcome
    id: str | None
    remarks: tuple[str, ...]


class Importer:
    """Takes definitions, the networks before the connectors.

    Making one, and :meth:`take`, raise :class:`cli.registry_access.RegistryError` where the registry is not there. What
    it refuses is an outcome.
    """

    def __init__(self, client: RegistryClient, files: DefinitionFiles) -> None:
        self._client = client
        self._files = files
        self._profile_id = client.get("/profile/current")["id"]
        self._ids: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
        self._networks: dict[Path, str] = {}
        self._networks_called: dict[str, str] = {}
        self._folders: dict[tuple[str, str], str] = {}
        for kind in (NETWORK, CONNECTOR):
            self._read_entries(kind)

    def take(self, definition: Definition | BrokenDefinition) -> Imported:
        """Create or change what is defined."""
        folder = self._files.describe(definition.folder)
        if isinstance(definition, BrokenDefinition):
            return Imported(definition.kind.name, "", folder, "failed", None, (definition.problem,))
        remarks = list(definition.remarks)
        try:
            self._claim(definition, folder)
            outcome, entry_id = self._put(definition, self._fit(definition, remarks))
        except (DefinitionError, RegistryRefusalError) as error:
            remarks.insert(0, str(error))
            return Imported(definition.kind.name, definition.name, folder, "failed", None, tuple(remarks))
        if definition.kind is NETWORK:
            self._networks[definition.folder] = entry_id
            self._networks_called[_squeeze(definition.name)] = entry_id
        return Imported(definition.kind.name, definition.name, folder, outcome, entry_id, tuple(remarks))

    def _read_entries(self, kind: Kind) -> None:
        """Note what is there; only what is the profile's own can be changed, but any network can be referred to."""
        for entry in self._client.list_all(kind.path):
            own = entry["profile"] == self._profile_id
            if own:
                self._ids[kind.name, entry["name"]].append(entry["id"])
            if kind is NETWORK and (own or _squeeze(entry["name"]) not in self._networks_called):
                self._networks_called[_squeeze(entry["name"])] = entry["id"]

    def _claim(self, definition: Definition, folder: str) -> None:
        """Raise DefinitionError for a name that another definition has as well: one would undo the other."""
        first = self._folders.setdefault((definition.kind.name, definition.name), folder)
        if first != folder:
            raise DefinitionError(f"{first} has the same name")

    def _fit(self, definition: Definition, remarks: list[str]) -> Document:
        """Give what is sent; raises DefinitionError where nothing of use would be."""
        fields = definition.fields
        if definition.kind is CONNECTOR:
            fields = {**fields, "networks": self._find_networks(definition, remarks)}
        form, left_out = fit_form(_FORMS[definition.kind.name], fields)
        remarks += left_out
        document = {**form.given, **self._upload_images(definition, remarks)}
        size = len(orjson.dumps(document))
        if size > BODY_BYTES:
            raise DefinitionError(f"all of it has {size:,} bytes; at most {BODY_BYTES:,} are taken")
        return document

    def _find_networks(self, definition: Definition, remarks: list[str]) -> list[str]:
        """Give the ids of a connector's networks. Raises DefinitionError where none of them is there."""
        found: dict[str, None] = {}
        for path in definition.networks:
            network_id = self._find_network(Path(os.path.normpath(path)))
            if network_id is None:
                remarks.append(f"there is no network {_name_folder(path)}")
            else:
                found[network_id] = None
        if not found:
            raise DefinitionError("none of its networks is there; import them too")
        return list(found)

    def _find_network(self, path: Path) -> str | None:
        """Give the network whose definition is above this file, else one that is called as its folder is."""
        for folder in path.parents:
            if folder in self._networks:
                return self._networks[folder]
        return self._networks_called.get(_squeeze(_name_folder(path)))

    def _upload_images(self, definition: Definition, remarks: list[str]) -> Document:
        links: Document = {}
        for name, file in definition.images.items():
            path = f"{_name_images(definition)}/{name.removesuffix('_url')}{_NOT_IN_PATHS.sub('', file.suffix.lower())}"
            try:
                self._client.upload(path, self._files.read_bytes(file, IMAGE_BYTES))
            except (DefinitionError, RegistryRefusalError) as error:
                remarks.append(str(error).removeprefix(f"{_name_images(definition)}/"))
            else:
                links[name] = f"/file/{self._profile_id}/{path}"
        return links

    def _put(self, definition: Definition, document: Document) -> tuple[Outcome, str]:
        kind = definition.kind
        match self._ids[kind.name, definition.name]:
            case []:
                return "created", self._client.create(kind.path, document)[kind.name]
            case [entry_id]:
                changes = _find_changes(self._client.get(f"{kind.path}/{entry_id}"), document)
                if changes:
                    self._client.change(f"{kind.path}/{entry_id}", changes)
                return "updated" if changes else "unchanged", entry_id
            case several:
                raise DefinitionError(f"the registry has {len(several)} of this name: {', '.join(several)}; rename one")


def _find_changes(current: Document, document: Document) -> Document:
    """Give what is to become different. Networks that somebody has added to a connector stay."""
    if "networks" in document:
        document = {**document, "networks": list(dict.fromkeys([*current["networks"], *document["networks"]]))}
    return {name: value for name, value in document.items() if current.get(name) != value}


def _name_folder(path: Path) -> str:
    """Give the folder of a network that a path to its payload parser names: ``…/network/FOLDER/v1.0.0/payload.js``."""
    _, network, below = path.as_posix().rpartition("/network/")
    return below.partition("/")[0] if network else path.name


def _name_images(definition: Definition) -> str:
    """Give the folder of a definition's images: the same each time, and no other definition's."""
    readable = _NOT_IN_PATHS.sub("-", definition.name)[:60].strip("-.")
    digest = sha256(definition.name.encode()).hexdigest()[:8]
    return f"definitions/{definition.kind.name}/{readable}-{digest}"


def _squeeze(name: Any) -> str:
    """Give a name without what the names of folders leave out."""
    return "".join(character for character in str(name).lower() if character.isalnum())
