"""``sluice network``, ``connector``, ``device``, ``key`` and ``token``."""

import io
import json
from base64 import b64encode
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from cli import registry_changes
from cli import registry_commands as module
from cli.main import app
from cli.registry_access import RegistryAccess, RegistryClient, RegistryError

Run = Callable[..., str]

CREATED_AS = {"/device": "device_id", "/integration/network": "network", "/integration/connector": "connector"}


class Api:
    """A registry's lists in memory: what is posted is there afterwards, and what is deleted is not."""

    def __init__(self) -> None:
        self.lists: dict[str, list[dict[str, Any]]] = {
            "/integration/network": [{"id": "n1", "name": "Generic"}],
            "/integration/connector": [{"id": "c1", "name": "Sensor", "networks": ["n1"]}],
            "/device": [],
            "/serviceauth": [],
            "/integration/network/token/n1": [],
        }
        self.deleted: list[str] = []
        self.changed: dict[str, dict[str, Any]] = {}

    def answer(self, request: httpx.Request) -> httpx.Response:
        path = request.url.raw_path.decode().partition("?")[0]
        match request.method:
            case "POST":
                result: Any = self._create(path, json.loads(request.content))
            case "PUT":
                self.changed[path] = json.loads(request.content)
                result = "Successfully Updated"
            case "DELETE":
                self.deleted.append(path)
                result = "Successfully Removed"
            case _:
                result = self.lists[path] if path in self.lists else self._find(path)
        return httpx.Response(200, json={"status": True, "result": result})

    def _create(self, path: str, form: dict[str, Any]) -> dict[str, Any]:
        kind = "/integration/network/token/n1" if path.endswith("/token") else path
        number = len(self.lists[kind]) + 1
        entry = {"id": f"{path[1]}{number}", "token": f"token-{number}", "enabled": True, **form}
        self.lists[kind].append(entry)
        return {CREATED_AS[path]: entry["id"], "token": entry["token"]} if path in CREATED_AS else entry

    def _find(self, path: str) -> dict[str, Any]:
        kind, _, entry_id = path.rpartition("/")
        return next(entry for entry in self.lists[kind] if entry["id"] == entry_id)


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Api:
    api = Api()
    access = RegistryAccess(profile_token=SecretStr("p-secret"))
    transport = httpx.MockTransport(api.answer)
    for using in (module, registry_changes):
        monkeypatch.setattr(using, "open_registry", lambda _: RegistryClient(access, transport=transport))
    monkeypatch.setattr("sys.stdin", io.StringIO())
    return api


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run one command line, and give what it printed."""
    monkeypatch.setenv("COLUMNS", "200")

    def run(*arguments: str) -> str:
        app(arguments, result_action="return_value")
        return capsys.readouterr().out

    return run


def test_a_device_with_a_key_is_created_in_the_only_network_and_shown_with_its_curl_lines(api: Api, run: Run) -> None:
    printed = run("device", "create", "AA-BB-01", "--key", "demo", "--ingest-url", "http://ingest:8080")
    (device,), (key,) = api.lists["/device"], api.lists["/serviceauth"]
    assert (device["serie_number"], device["network"], device["connector"]) == ("AA-BB-01", "n1", "c1")
    assert (key["name"], key["network"]) == ("demo", "n1")
    assert "curl http://ingest:8080/uplink -H 'Authorization: token-1'" in printed
    assert '{"serial": "AA-BB-01"' in printed
    assert "curl http://127.0.0.1:8081/data -H 'Device-Token: token-1'" in printed


def test_a_key_that_is_there_is_used_again(api: Api, run: Run) -> None:
    for serial in ("A", "B"):
        run("device", "create", serial, "--key", "demo")
    assert len(api.lists["/serviceauth"]) == 1


def test_a_key_with_a_map_has_no_curl_line_that_would_not_fit_it(api: Api, run: Run) -> None:
    run("key", "create", "mapped", "--map", "serial=devaddr")
    printed = run("device", "create", "A", "--key", "mapped")
    assert "serial=devaddr" in printed
    assert "/uplink" not in printed
    assert len(api.lists["/serviceauth"]) == 1


def test_a_device_as_json_has_its_token_and_its_key(api: Api, run: Run) -> None:
    device = json.loads(run("device", "create", "A", "--key", "demo", "--json"))
    assert (device["device_id"], device["token"]) == ("d1", "token-1")
    assert device["key"] == api.lists["/serviceauth"][0]


def test_where_there_are_several_networks_one_has_to_be_named(api: Api, run: Run) -> None:
    api.lists["/integration/network"].append({"id": "n2", "name": "LoRaWAN"})
    with pytest.raises(RegistryError, match="name one with --network: 'Generic', 'LoRaWAN'"):
        run("key", "create", "demo")
    run("key", "create", "demo", "--network", "LoRaWAN")
    assert api.lists["/serviceauth"][0]["network"] == "n2"


def test_a_connector_that_does_not_allow_the_network_is_not_chosen(api: Api, run: Run) -> None:
    api.lists["/integration/network"].append({"id": "n2", "name": "LoRaWAN"})
    with pytest.raises(RegistryError, match="there is no connector that it could belong to"):
        run("device", "create", "A", "--network", "n2")


@pytest.mark.parametrize("called", ["d1", "Sensor 1", "A"])
def test_an_entry_is_called_by_its_id_name_or_serial(api: Api, run: Run, called: str) -> None:
    run("device", "create", "A", "--name", "Sensor 1")
    assert json.loads(run("device", "show", called, "--json")) == api.lists["/device"][0]


def test_an_entry_that_is_not_there_or_not_alone_is_not_guessed(api: Api, run: Run) -> None:
    api.lists["/device"] = [{"id": "d1", "name": "A"}, {"id": "d2", "name": "A"}]
    with pytest.raises(RegistryError, match="there are 2 devices 'A'; name one by its id: d1, d2"):
        run("device", "show", "A")
    with pytest.raises(RegistryError, match="there is no device 'B'"):
        run("device", "remove", "B", "--yes")


def test_a_list_is_a_table_or_a_line_of_json_each(api: Api, run: Run) -> None:
    api.lists["/device"] = [{"id": "d1", "name": "[red]A"}, {"id": "d2", "name": "B", "tags": []}]
    assert [json.loads(line) for line in run("device", "list", "--json").splitlines()] == api.lists["/device"]
    printed = run("device", "list")
    assert "devices: 2" in printed
    assert "[red]A" in printed, "what somebody named a thing is no markup"


def test_removing_needs_a_yes(api: Api, run: Run) -> None:
    with pytest.raises(RegistryError, match="say --yes"):
        run("connector", "remove", "Sensor")
    assert api.deleted == []
    run("connector", "remove", "Sensor", "--yes")
    assert api.deleted == ["/integration/connector/c1"]


@pytest.mark.parametrize(("line", "deleted"), [("y\n", 1), ("n\n", 0), ("", 0)])
def test_on_a_terminal_a_person_is_asked_and_the_end_of_the_input_is_a_no(
    api: Api, monkeypatch: pytest.MonkeyPatch, line: str, deleted: int
) -> None:
    monkeypatch.setattr("sys.stdin", SimpleNamespace(isatty=lambda: True, readline=lambda: line))
    with nullcontext() if deleted else pytest.raises(RegistryError, match=r"^nothing was removed$"):
        app(["connector", "remove", "Sensor"], result_action="return_value")
    assert len(api.deleted) == deleted


def test_a_key_is_removed_by_its_token_and_may_be_called_by_its_name(api: Api, run: Run) -> None:
    run("key", "create", "demo")
    run("key", "remove", "demo", "--yes")
    assert api.deleted == ["/serviceauth/token-1"]


def test_networks_and_connectors_are_created_as_they_are_described(api: Api, run: Run) -> None:
    run("network", "create", "LoRaWAN", "--serial-format", "FF-FF", "--force-case", "upper")
    assert api.lists["/integration/network"][-1]["serial_number"] == {"mask": "FF-FF", "case": "upper"}
    run("connector", "create", "Meter", "--network", "LoRaWAN", "--network", "Generic")
    assert api.lists["/integration/connector"][-1]["networks"] == ["i2", "n1"]


def test_the_tokens_of_a_network_are_created_listed_and_removed(api: Api, run: Run) -> None:
    created = json.loads(run("token", "create", "Generic", "--name", "worker", "--json"))
    assert (created["network"], created["name"]) == ("n1", "worker")
    assert created["token"] in run("token", "list", "Generic")
    run("token", "remove", "n-1/2", "--yes")
    assert api.deleted == ["/integration/network/token/n-1%2F2"]


def test_a_connector_is_given_a_parser_from_a_file_and_has_it_taken_again(api: Api, run: Run, tmp_path: Path) -> None:
    (tmp_path / "decoder.js").write_text("payload = [];")
    assert "connector Sensor: the parser of" in run("connector", "set-parser", "Sensor", str(tmp_path / "decoder.js"))
    assert api.changed == {"/integration/connector/c1": {"payload_decoder": b64encode(b"payload = [];").decode()}}
    assert "connector Sensor: no parser any more" in run("connector", "set-parser", "Sensor")
    assert api.changed == {"/integration/connector/c1": {"payload_decoder": None}}


def test_a_parser_that_cannot_be_read_changes_nothing(api: Api, run: Run, tmp_path: Path) -> None:
    with pytest.raises(RegistryError, match=r"nowhere\.js: No such file"):
        run("network", "set-parser", "Generic", str(tmp_path / "nowhere.js"))
    assert not api.changed


def test_a_key_is_given_another_map(api: Api, run: Run) -> None:
    run("key", "create", "factory")
    assert "key factory: serial=devaddr" in run("key", "set-map", "factory", "--map", "serial=devaddr")
    assert api.changed == {"/serviceauth/token-1": {"verification_code": "serial=devaddr"}}
