"""Definitions of networks and connectors, as they are read from their folders."""

from base64 import b64decode, b64encode
from pathlib import Path
from typing import Any

import pytest

from cli.definition import BrokenDefinition, Definition, read_definitions
from cli.definition_files import DefinitionFiles
from tests.support.definitions import PARSER, write_connector, write_network


def read_one(root: Path) -> Definition:
    (definition,) = read_definitions(DefinitionFiles(root))
    assert isinstance(definition, Definition), definition
    return definition


def read_problem(root: Path) -> str:
    (broken,) = read_definitions(DefinitionFiles(root))
    assert isinstance(broken, BrokenDefinition), broken
    return broken.problem


def test_a_network_is_read_with_all_that_belongs_to_it(tmp_path: Path) -> None:
    folder = write_network(tmp_path)
    definition = read_one(tmp_path)
    assert definition.fields == {
        "name": "Mill",
        "description": "What it is.",
        "documentation_url": "https://example.com/mill",
        "serial_number": {"required": True, "label": "Mill number", "case": "upper", "mask": "FF-FF"},
        "device_parameters": None,
        "middleware_endpoint": None,
        "payload_decoder": b64encode(PARSER.encode()).decode(),
    }
    assert definition.images.keys() == {"logo_url", "banner_url", "icon_url"}
    assert definition.images["logo_url"] == folder / "assets" / "logo.png"
    assert definition.remarks == ()


def test_a_connector_names_its_networks_and_other_languages_are_passed_by(tmp_path: Path) -> None:
    write_connector(tmp_path)
    definition = read_one(tmp_path)
    assert [path.resolve() for path in definition.networks] == [tmp_path / "network/mill/v1.0.0/payload.js"]
    assert definition.fields["install_text"] == "Hang it up."
    assert definition.fields["install_end_text"] is None
    assert definition.fields["device_parameters"] == [{"type": "text", "name": "unit", "label": "Unit", "default": "C"}]
    assert definition.remarks == ()


def test_networks_are_read_before_the_connectors_that_refer_to_them(tmp_path: Path) -> None:
    write_connector(tmp_path)
    write_network(tmp_path)
    assert [definition.kind.name for definition in read_definitions(DefinitionFiles(tmp_path))] == [
        "network",
        "connector",
    ]


def test_json_may_have_comments_and_trailing_commas(tmp_path: Path) -> None:
    folder = write_network(tmp_path)
    definition = folder / "network.jsonc"
    definition.write_text(
        "// ours\n" + definition.read_text().replace('"Mill"', '"Mill // 1" /* a name */')[:-1] + ",}"
    )
    assert read_one(tmp_path).name == "Mill // 1"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (
            '{"name": "A"\n "images": {}}',
            'network/mill/network.jsonc is no JSON: <string>:2 Unexpected """ at column 2',
        ),
        ("[" * 100_000, "network/mill/network.jsonc is nested too deeply"),
        ("[]", "network/mill/network.jsonc must be a JSON object"),
        ('{"versions": {}}', "it has no name"),
        ('{"name": "A", "versions": {"latest": {}}}', 'it has no version such as "v1.0.0" with a manifest'),
        ('{"name": "A", "versions": {"v1.0.0": {}}}', "the manifest must be a path"),
        ('{"name": "A", "versions": {"v1.0.0": {"manifest": "no"}}}', "there is no file network/mill/no"),
        (
            '{"name": "A", "versions": {"v1.0.0": {"manifest": "../../../outside.jsonc"}}}',
            "outside.jsonc lies outside of the folder, and is not read",
        ),
    ],
)
def test_a_broken_definition_is_told_with_its_place_and_stops_no_other(tmp_path: Path, text: str, problem: str) -> None:
    root = tmp_path / "root"
    (tmp_path / "outside.jsonc").write_text("{}")
    (write_network(root) / "network.jsonc").write_text(text)
    write_network(root, "windmill")
    broken, good = read_definitions(DefinitionFiles(root))
    assert isinstance(broken, BrokenDefinition)
    assert broken.problem == problem
    assert isinstance(good, Definition)


def test_a_connector_without_networks_is_broken(tmp_path: Path) -> None:
    write_connector(tmp_path, manifest={"networks": "all"})
    assert read_problem(tmp_path) == "networks must be a list of paths"


def test_what_is_unknown_is_told_and_the_rest_taken(tmp_path: Path) -> None:
    write_network(
        tmp_path, colour="red", images={"logo": "./assets/logo.png", "photo": "x"}, manifest={"colour": "red"}
    )
    assert set(read_one(tmp_path).remarks) == {"unknown field colour", "unknown field images.photo"}


def test_typescript_is_told_and_empties_nothing(tmp_path: Path) -> None:
    folder = write_network(tmp_path, versions=name_source("./v1.0.0/decode.ts"))
    (folder / "v1.0.0" / "decode.ts").write_text("const a: number = 1;")
    definition = read_one(tmp_path)
    assert definition.remarks == ("decode.ts is TypeScript, and not taken; compile it to decode.js beside it",)
    assert "payload_decoder" not in definition.fields


def test_what_typescript_was_compiled_to_is_taken(tmp_path: Path) -> None:
    write_network(tmp_path, versions=name_source("./v1.0.0/payload.ts"))
    definition = read_one(tmp_path)
    assert definition.remarks == ("payload.ts is TypeScript: payload.js beside it is taken",)
    assert b64decode(definition.fields["payload_decoder"]).decode() == PARSER


@pytest.mark.parametrize(
    ("source", "remark"),
    [
        ("./v1.0.0/payload.py", "payload.py is no .js file, and not taken; a parser is JavaScript"),
        ("./v1.0.0/none.js", "there is no file network/mill/v1.0.0/none.js"),
        ("../../../outside.js", "outside.js lies outside of the folder, and is not read"),
        ("./v1.0.0/large.js", "network/mill/v1.0.0/large.js has 65,537 bytes; at most 65,536 are taken"),
        ("./v1.0.0/latin.js", "network/mill/v1.0.0/latin.js is not UTF-8"),
        (7, "the payload parser must be a path"),
    ],
)
def test_a_parser_that_cannot_be_taken_costs_only_the_parser(tmp_path: Path, source: Any, remark: str) -> None:
    root = tmp_path / "root"
    (tmp_path / "outside.js").write_text("secret")
    folder = write_network(root, versions=name_source(source))
    (folder / "v1.0.0" / "large.js").write_text("a" * 65_537)
    (folder / "v1.0.0" / "latin.js").write_bytes(b"'\xe9'")
    definition = read_one(root)
    assert definition.remarks == (remark,)
    assert "payload_decoder" not in definition.fields


def test_a_link_to_a_file_outside_of_the_folder_is_not_followed(tmp_path: Path) -> None:
    root = tmp_path / "root"
    (tmp_path / "secret").write_text("secret")
    folder = write_network(root)
    (folder / "description.md").unlink()
    (folder / "description.md").symlink_to(tmp_path / "secret")
    definition = read_one(root)
    assert definition.fields["description"] is None
    assert definition.remarks == ("description.md lies outside of the folder, and is not read",)


def test_an_empty_parser_is_none(tmp_path: Path) -> None:
    (write_network(tmp_path) / "v1.0.0" / "payload.js").write_text("\n")
    assert read_one(tmp_path).fields["payload_decoder"] is None


def test_of_several_versions_the_newest_is_taken(tmp_path: Path) -> None:
    version = name_source("./v1.0.0/payload.js")["v1.0.0"]
    versions = {"v1.2.0": version, "v1.10.0": version | {"src": "./v1.0.0/new.js"}, "v1.9.0": version}
    folder = write_network(tmp_path, versions=versions)
    (folder / "v1.0.0" / "new.js").write_text("new")
    definition = read_one(tmp_path)
    assert b64decode(definition.fields["payload_decoder"]) == b"new"
    assert definition.remarks == ("v1.2.0, v1.9.0 left out: v1.10.0 is taken",)


@pytest.mark.parametrize(
    ("config", "serial_number"),
    [
        ({}, None),
        (None, None),
        ({"label": "", "case": "", "mask": ""}, {"case": "none", "required": False}),
        ({"mask": "FF"}, {"case": "none", "required": False, "mask": "FF"}),
    ],
)
def test_a_serial_that_is_not_said_to_be_required_is_not(tmp_path: Path, config: Any, serial_number: Any) -> None:
    write_network(tmp_path, manifest={"serial_number_config": config})
    assert read_one(tmp_path).fields["serial_number"] == serial_number


@pytest.mark.parametrize(
    ("given", "taken", "remarks"),
    [
        ("mill.example.com", "https://mill.example.com", ()),
        ("https://mill.example.com", "https://mill.example.com", ()),
        ({"us-e1": "a.example.com"}, None, ("middleware_endpoint is given by region, and left out",)),
    ],
)
def test_a_middleware_is_a_link_and_not_one_by_region(
    tmp_path: Path, given: Any, taken: Any, remarks: tuple[str, ...]
) -> None:
    write_network(tmp_path, manifest={"middleware_endpoint": given})
    definition = read_one(tmp_path)
    assert definition.fields.get("middleware_endpoint") == taken
    assert definition.remarks == remarks


def name_source(source: Any) -> dict[str, Any]:
    return {"v1.0.0": {"src": source, "manifest": "./v1.0.0/payload-config.jsonc"}}
