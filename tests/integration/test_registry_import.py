"""``sluice registry import`` into a registry on a real port."""

import asyncio
import json
from base64 import b64decode
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from cli.main import app
from cli.registry_access import RegistryError
from registry.service import Registry
from tests.support.definitions import PARSER, PNG, write_connector, write_network

Import = Callable[[Path], Awaitable[tuple[int, list[dict[str, Any]]]]]


@pytest.fixture
async def client(
    registry: Registry, registry_url: str, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[httpx.AsyncClient]:
    """The API with the token of the first profile, which the command line has too."""
    assert registry.first_start is not None
    token = registry.first_start.profile_token.get_secret_value()
    monkeypatch.setenv("SLUICE_REGISTRY_URL", registry_url)
    monkeypatch.setenv("SLUICE_PROFILE_TOKEN", token)
    async with httpx.AsyncClient(base_url=registry_url, headers={"token": token}) as client:
        yield client


@pytest.fixture
def run_import(client: httpx.AsyncClient, capsys: pytest.CaptureFixture[str]) -> Import:  # noqa: ARG001 - it listens
    """Import a folder; give the exit code and what was told of each definition."""

    async def run_import(folder: Path) -> tuple[int, list[dict[str, Any]]]:
        command = ["registry", "import", str(folder), "--json"]
        code = await asyncio.to_thread(app, command, result_action="return_value")
        return code, [json.loads(line) for line in capsys.readouterr().out.splitlines()]

    return run_import


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """One network and one connector of it."""
    root = tmp_path / "definitions"
    write_network(root)
    write_connector(root)
    return root


async def read_all(client: httpx.AsyncClient, kind: str) -> dict[str, dict[str, Any]]:
    """Give what there is of a kind by name, with everything that is known."""
    listed = (await client.get(f"/integration/{kind}", params={"amount": 1_000})).json()["result"]
    whole = [(await client.get(f"/integration/{kind}/{entry['id']}")).json()["result"] for entry in listed]
    assert len({entry["name"] for entry in whole}) == len(whole)
    return {entry["name"]: entry for entry in whole}


async def test_a_network_and_its_connector_are_there_with_parser_and_images(
    client: httpx.AsyncClient, run_import: Import, folder: Path
) -> None:
    code, told = await run_import(folder)
    assert (code, [(each["kind"], each["name"], each["outcome"], each["remarks"]) for each in told]) == (
        0,
        [("network", "Mill", "created", []), ("connector", "Flour", "created", [])],
    )
    network = (await read_all(client, "network"))["Mill"]
    assert network["id"] == told[0]["id"]
    assert network["serial_number"] == {"mask": "FF-FF", "case": "upper", "label": "Mill number", "required": True}
    assert b64decode(network["payload_decoder"]).decode() == PARSER
    images = [await client.get(network[f"{name}_url"]) for name in ("logo", "banner", "icon")]
    assert [(image.content, image.headers["Content-Type"]) for image in images] == [(PNG, "image/png")] * 3
    connector = (await read_all(client, "connector"))["Flour"]
    assert (connector["networks"], connector["install_text"]) == ([network["id"]], "Hang it up.")
    assert [parameter["name"] for parameter in connector["device_parameters"]] == ["unit"]


async def test_a_second_import_changes_nothing(client: httpx.AsyncClient, run_import: Import, folder: Path) -> None:
    await run_import(folder)
    before = [await read_all(client, kind) for kind in ("network", "connector")]
    code, told = await run_import(folder)
    assert (code, [each["outcome"] for each in told]) == (0, ["unchanged", "unchanged"])
    assert [await read_all(client, kind) for kind in ("network", "connector")] == before


async def test_what_has_changed_is_changed_in_place(
    client: httpx.AsyncClient, run_import: Import, tmp_path: Path, folder: Path
) -> None:
    _, first = await run_import(folder)
    changed = tmp_path / "changed"
    write_network(changed, manifest={"documentation_url": "", "serial_number_config": {"mask": "FF-FF-FF"}})
    (write_connector(changed) / "v1.0.0" / "payload.js").write_text("payload = [];")
    _, second = await run_import(changed)
    assert [(each["id"], each["outcome"]) for each in second] == [(each["id"], "updated") for each in first]
    network = (await read_all(client, "network"))["Mill"]
    assert (network["documentation_url"], network["serial_number"]["mask"]) == (None, "FF-FF-FF")
    connector = (await read_all(client, "connector"))["Flour"]
    assert b64decode(connector["payload_decoder"]) == b"payload = [];"


async def test_a_broken_definition_stops_no_other(client: httpx.AsyncClient, run_import: Import, folder: Path) -> None:
    (write_network(folder, "broken") / "network.jsonc").write_text("{")
    write_network(folder, "dry", manifest={"serial_number_config": {"case": "sideways"}})
    write_network(folder / "again", "mill")
    write_connector(folder, "acme/lost", manifest={"networks": ["../../../../network/dry/v1.0.0/payload.js"]})
    code, told = await run_import(folder)
    assert code == 1
    outcomes = {each["folder"]: (each["outcome"], each["remarks"][:1]) for each in told}
    assert outcomes["network/broken"][0] == "failed"
    assert outcomes["network/dry"] == (
        "failed",
        ["serial_number.case: Input should be 'upper', 'lower' or 'none'"],
    )
    assert outcomes["network/mill"] == ("failed", ["again/network/mill has the same name"])
    assert outcomes["connector/acme/lost"] == ("failed", ["none of its networks is there; import them too"])
    assert outcomes["connector/acme/flour"] == ("created", [])
    assert "Mill" in await read_all(client, "network")


async def test_what_cannot_be_taken_is_told_and_stays_as_it_was(
    client: httpx.AsyncClient, run_import: Import, tmp_path: Path, folder: Path
) -> None:
    await run_import(folder)
    other = tmp_path / "other"
    network = write_network(other)
    (network / "assets" / "logo.png").write_text("<svg/>")
    (network / "assets" / "icon.png").write_bytes(PNG + bytes(1_048_576 - len(PNG) + 1))
    (network / "v1.0.0" / "payload.js").rename(network / "v1.0.0" / "payload.ts")
    definition = (network / "network.jsonc").read_text()
    (network / "network.jsonc").write_text(definition.replace("payload.js", "payload.ts"))
    before = await read_all(client, "network")
    code, (told,) = await run_import(other)
    assert (code, told["outcome"]) == (0, "unchanged")
    assert told["remarks"] == [
        "payload.ts is TypeScript, and not taken; compile it to payload.js beside it",
        "logo.png: the file must be a PNG, JPEG or WebP image",
        "network/mill/assets/icon.png has 1,048,577 bytes; at most 1,048,576 are taken",
    ]
    assert await read_all(client, "network") == before


async def test_connectors_alone_find_their_networks_by_the_names_of_their_folders(
    client: httpx.AsyncClient, run_import: Import, tmp_path: Path, folder: Path
) -> None:
    await client.post("/integration/network", json={"name": "LoRaWAN TTI/TTN v3"})
    await run_import(folder)
    alone = tmp_path / "alone"
    names = ("mill", "lorawan-ttittn-v3", "windmill")
    write_connector(alone, manifest={"networks": [f"../../../../network/{name}/v1.0.0/payload.ts" for name in names]})
    _, (told,) = await run_import(alone)
    assert (told["outcome"], told["remarks"]) == ("updated", ["there is no network windmill"])
    networks = await read_all(client, "network")
    connector = (await read_all(client, "connector"))["Flour"]
    assert set(connector["networks"]) == {networks["Mill"]["id"], networks["LoRaWAN TTI/TTN v3"]["id"]}


async def test_a_network_that_somebody_has_added_to_a_connector_stays(
    client: httpx.AsyncClient, run_import: Import, folder: Path
) -> None:
    _, (network, connector) = await run_import(folder)
    added = (await client.post("/integration/network", json={"name": "Windmill"})).json()["result"]["network"]
    path = f"/integration/connector/{connector['id']}"
    await client.put(path, json={"networks": [added, network["id"]]})
    _, (_, again) = await run_import(folder)
    assert again["outcome"] == "unchanged"
    assert set((await client.get(path)).json()["result"]["networks"]) == {added, network["id"]}


async def test_another_profiles_network_of_the_same_name_is_left_alone(
    client: httpx.AsyncClient, run_import: Import, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, (first, _) = await run_import(folder)
    await client.put(f"/integration/network/{first['id']}", json={"public": True})
    other = (await client.post("/profile", json={"name": "Other"})).json()["result"]["token"]
    monkeypatch.setenv("SLUICE_PROFILE_TOKEN", other)
    code, (second, _) = await run_import(folder)
    assert (code, second["outcome"]) == (0, "created")
    assert second["id"] != first["id"]


async def test_two_networks_of_one_name_are_not_guessed_between(
    client: httpx.AsyncClient, run_import: Import, folder: Path
) -> None:
    for _ in range(2):
        await client.post("/integration/network", json={"name": "Mill"})
    code, (network, connector) = await run_import(folder)
    assert (code, network["outcome"], connector["outcome"]) == (1, "failed", "created")
    assert network["remarks"][0].startswith("the registry has 2 of this name: ")


@pytest.mark.usefixtures("client")
async def test_the_table_shows_what_was_not_taken(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    write_network(folder, "[red]windmill", colour="red")
    assert await asyncio.to_thread(app, ["registry", "import", str(folder)], result_action="return_value") == 0
    printed = capsys.readouterr().out
    assert "definitions: 3 created" in printed
    assert "[Red]Windmill" in printed, "what somebody named a thing is no markup"
    assert "unknown field colour" in printed


@pytest.mark.usefixtures("client")
async def test_a_folder_without_definitions_is_no_success(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(RegistryError, match=r"there is no network\.jsonc and no connector\.jsonc below"):
        await asyncio.to_thread(app, ["registry", "import", str(tmp_path / "empty")], result_action="return_value")
    assert capsys.readouterr().out == ""
