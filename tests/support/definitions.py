"""Definitions of networks and connectors for tests, in the form in which decoders are published."""

import json
from pathlib import Path
from typing import Any

PNG = b"\x89PNG\r\n\x1a\n" + b"pixels"

NETWORK_MANIFEST = {
    "$schema": "../../../../schema/network_details.json",
    "description": "../description.md",
    "documentation_url": "https://example.com/mill",
    "serial_number_config": {"required": True, "label": "Mill number", "case": "upper", "mask": "FF-FF"},
    "device_parameters": [],
}

CONNECTOR_MANIFEST = {
    "description": "../description.md",
    "install_text": "Hang it up.",
    "install_text[pt-br]": "Pendure-o.",
    "install_end_text": "",
    "device_annotation": "",
    "device_parameters": [{"name": "unit", "label": "Unit", "default": "C"}],
    "networks": ["../../../../network/mill/v1.0.0/payload.js"],
}

PARSER = 'payload.push({ variable: "grain", value: 1 });\n'


def write_network(root: Path, folder: str = "mill", **changes: Any) -> Path:
    """Write a network with all that belongs to it, and give its folder."""
    return _write(root / "network" / folder, "network", changes, NETWORK_MANIFEST, ("logo", "banner", "icon"))


def write_connector(root: Path, folder: str = "acme/flour", **changes: Any) -> Path:
    """Write a connector of the network ``mill`` with all that belongs to it, and give its folder."""
    return _write(root / "connector" / folder, "connector", changes, CONNECTOR_MANIFEST, ("logo",))


def _write(folder: Path, kind: str, changes: dict[str, Any], manifest: dict[str, Any], images: tuple[str, ...]) -> Path:
    """Write the files; changes to ``manifest`` are those of its fields, any others those of the definition."""
    (folder / "v1.0.0").mkdir(parents=True)
    (folder / "assets").mkdir()
    for image in images:
        (folder / "assets" / f"{image}.png").write_bytes(PNG)
    (folder / "description.md").write_text("What it is.\n")
    (folder / "v1.0.0" / "payload.js").write_text(PARSER)
    (folder / "v1.0.0" / "payload-config.jsonc").write_text(json.dumps(manifest | changes.pop("manifest", {})))
    definition = {
        "$schema": f"../../../schema/{kind}.json",
        "name": folder.name.title(),
        "name[pt-br]": "Outro nome",
        "images": {image: f"./assets/{image}.png" for image in images},
        "versions": {"v1.0.0": {"src": "./v1.0.0/payload.js", "manifest": "./v1.0.0/payload-config.jsonc"}},
    }
    (folder / f"{kind}.jsonc").write_text(json.dumps(definition | changes))
    return folder
