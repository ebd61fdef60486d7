"""Definitions of networks and connectors, one to a folder, in the form in which decoders for TagoIO are published.

``network.jsonc`` or ``connector.jsonc`` gives the name, the images and, for each version, a payload parser and a
manifest, which gives the rest. Paths are relative to the file that they stand in.
"""

import re
from base64 import b64encode
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cli.definition_files import DefinitionError, DefinitionFiles
from cli.registry_entries import CONNECTOR, NETWORK, Kind
from common.registry_requests import Document
from registry.form import PARSER_BYTES
from registry.schema import TEXT_CHARACTERS

IMAGES: Mapping[str, Mapping[str, str]] = {
    NETWORK.name: {"logo": "logo_url", "banner": "banner_url", "icon": "icon_url"},
    CONNECTOR.name: {"logo": "logo_url"},
}
"""What a definition calls its images, and the API."""

_OWN = frozenset({"$schema", "name", "images", "versions"})

_MANIFEST: Mapping[str, frozenset[str]] = {
    NETWORK.name: frozenset(
        {"description", "documentation_url", "serial_number_config", "device_parameters", "middleware_endpoint"}
    ),
    CONNECTOR.name: frozenset(
        {"description", "install_text", "install_end_text", "device_annotation", "device_parameters", "networks"}
    ),
}

_TRANSLATION = re.compile(r"\w+\[[A-Za-z]{2}(-[A-Za-z]{2})?\]")
"""A field in another language, such as ``name[pt-br]``; the registry has one."""

_VERSION = re.compile(r"v(\d+)\.(\d+)\.(\d+)")


@dataclass(frozen=True, slots=True)
class Definition:
    """A network or connector to be. ``fields`` are the API's; those that the definition does not give are None.

    ``images`` are files by the API's fields, and ``networks`` the payload parsers by which a connector names its
    networks. ``remarks`` say what was not taken.
    """

    kind: Kind
    folder: Path
    name: str
    fields: Document
    images: Mapping[str, Path]
    networks: tuple[Path, ...] = ()
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class BrokenDefinition:
    """A definition of which nothing can be taken."""

    kind: Kind
    folder: Path
    problem: str


def read_definitions(files: DefinitionFiles) -> Iterator[Definition | BrokenDefinition]:
    """Give every definition below the folder; the networks first, which connectors refer to."""
    for kind in (NETWORK, CONNECTOR):
        for path in files.find(f"{kind.name}.jsonc"):
            try:
                yield _Reader(files, kind, path).read()
            except DefinitionError as error:
                yield BrokenDefinition(kind, path.parent, str(error))


@dataclass(frozen=True, slots=True)
class _Reader:
    """Reads one definition, and notes what it passes by."""

    files: DefinitionFiles
    kind: Kind
    path: Path
    remarks: list[str] = field(default_factory=list)

    def read(self) -> Definition:
        """Give the definition. Raises DefinitionError where nothing can be taken of it."""
        document = self.files.read_object(self.path)
        name = document.get("name")
        if not isinstance(name, str) or not name.strip():
            raise DefinitionError("it has no name")
        self._note_unknown(document, _OWN)
        version = self._choose_version(document.get("versions"))
        manifest_path = self._locate(self.path.parent, version.get("manifest"), "the manifest")
        manifest = self.files.read_object(manifest_path)
        self._note_unknown(manifest, _MANIFEST[self.kind.name] | {"$schema"})
        fields = {
            "name": name.strip(),
            **self._read_manifest(manifest, manifest_path.parent),
            **self._read_parser(version.get("src")),
        }
        images = self._find_images(document.get("images"))
        networks = self._find_networks(manifest, manifest_path.parent)
        return Definition(self.kind, self.path.parent, name.strip(), fields, images, networks, tuple(self.remarks))

    def _choose_version(self, versions: Any) -> Document:
        """Give the newest version."""
        numbers = {text: _read_version(text) for text in versions} if isinstance(versions, dict) else {}
        known = [text for text in numbers if numbers[text] is not None and isinstance(versions[text], dict)]
        if not known:
            raise DefinitionError('it has no version such as "v1.0.0" with a manifest')
        newest = max(known, key=lambda text: numbers[text] or ())
        others = ", ".join(text for text in numbers if text != newest)
        if others:
            self.remarks.append(f"{others} left out: {newest} is taken")
        version: Document = versions[newest]
        return version

    def _read_manifest(self, manifest: Document, folder: Path) -> Document:
        fields: Document = {
            name: manifest.get(name) or None
            for name in _MANIFEST[self.kind.name] - {"description", "serial_number_config", "networks"}
        }
        fields["description"] = self._read_description(manifest.get("description"), folder)
        fields["device_parameters"] = _write_parameters(manifest.get("device_parameters"))
        if self.kind is NETWORK:
            fields["serial_number"] = _write_serial_number(manifest.get("serial_number_config"))
            self._leave_out_middleware(fields)
        return fields

    def _read_description(self, reference: Any, folder: Path) -> str | None:
        if not reference:
            return None
        try:
            text = self.files.read_text(self._locate(folder, reference, "the description"), TEXT_CHARACTERS * 4)
        except DefinitionError as error:
            self.remarks.append(str(error))
            return None
        return text.strip() or None

    def _read_parser(self, reference: Any) -> Document:
        """Give the parser; no field at all where there is one that cannot be taken, so that nothing is emptied."""
        if not reference:
            return {"payload_decoder": None}
        try:
            path = self._choose_source(self._locate(self.path.parent, reference, "the payload parser"))
            source = self.files.read_text(path, PARSER_BYTES) if path is not None else None
        except DefinitionError as error:
            self.remarks.append(str(error))
            return {}
        if source is None:
            return {}
        return {"payload_decoder": b64encode(source.encode()).decode() if source.strip() else None}

    def _choose_source(self, path: Path) -> Path | None:
        """Give the JavaScript of a parser: for TypeScript what was compiled of it, where that lies beside it."""
        if path.suffix == ".js":
            return path
        compiled = path.with_suffix(".js")
        if path.suffix == ".ts" and compiled.is_file():
            self.remarks.append(f"{path.name} is TypeScript: {compiled.name} beside it is taken")
            return compiled
        remedy = f"compile it to {compiled.name} beside it" if path.suffix == ".ts" else "a parser is JavaScript"
        language = "TypeScript" if path.suffix == ".ts" else "no .js file"
        self.remarks.append(f"{path.name} is {language}, and not taken; {remedy}")
        return None

    def _find_images(self, images: Any) -> dict[str, Path]:
        fields = IMAGES[self.kind.name]
        if not isinstance(images, dict):
            return {}
        self._note_unknown(images, frozenset(fields), "images.")
        return {
            fields[name]: self.path.parent / reference
            for name, reference in images.items()
            if name in fields and isinstance(reference, str) and reference
        }

    def _find_networks(self, manifest: Document, folder: Path) -> tuple[Path, ...]:
        if self.kind is NETWORK:
            return ()
        references = manifest.get("networks")
        if not isinstance(references, list) or not all(isinstance(each, str) and each for each in references):
            raise DefinitionError("networks must be a list of paths")
        return tuple(folder / reference for reference in references)

    def _leave_out_middleware(self, fields: Document) -> None:
        """A domain becomes a link; servers by region are TagoIO's own, and there is no telling which."""
        endpoint = fields["middleware_endpoint"]
        if isinstance(endpoint, str) and "://" not in endpoint:
            fields["middleware_endpoint"] = f"https://{endpoint}"
        elif isinstance(endpoint, dict):
            del fields["middleware_endpoint"]
            self.remarks.append("middleware_endpoint is given by region, and left out")

    def _note_unknown(self, document: Document, known: frozenset[str], prefix: str = "") -> None:
        unknown = [name for name in document if name not in known and not _TRANSLATION.fullmatch(name)]
        self.remarks.extend(f"unknown field {prefix}{name}" for name in unknown)

    @staticmethod
    def _locate(folder: Path, reference: Any, what: str) -> Path:
        if not isinstance(reference, str) or not reference:
            raise DefinitionError(f"{what} must be a path")
        return folder / reference


def _read_version(text: str) -> tuple[int, ...] | None:
    match = _VERSION.fullmatch(text)
    return None if match is None else tuple(int(number) for number in match.groups())


def _write_serial_number(config: Any) -> Any:
    """Give the API's serial number; there, one that is not said to be required would be."""
    if not isinstance(config, dict) or not config:
        return config or None
    serial_number = {name: value for name, value in config.items() if value not in ("", None)}
    return {"case": "none", "required": False, **serial_number}


def _write_parameters(parameters: Any) -> Any:
    """Give the API's device parameters: here the type may be left out, and an empty default is none."""
    if not isinstance(parameters, list):
        return parameters or None
    return [_write_parameter(each) if isinstance(each, dict) else each for each in parameters] or None


def _write_parameter(parameter: Document) -> Document:
    written = {"type": "text", **parameter}
    if written["type"] != "text" and written.get("default") == "":
        del written["default"]
    return written
