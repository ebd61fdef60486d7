"""What goes wrong between a gateway and TagoIO, case by case: what the sender sees, and that the remedy is named."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest

from cli.check import check
from cli.deployment import Deployment
from cli.explain import RequestFlags, explain
from cli.explain_rules import Rules
from cli.tail_view import format_event
from common.directory.file import FileDirectory
from common.events.telling import UplinkEvents
from ingest.acceptance import Acceptance
from ingest.routes import Limits, UplinkEndpoint
from tests.support.events import FakeEvents
from tests.support.queues import FakeQueue

DIRECTORY = """
[downstream]
url = "https://api.example"

[networks.plain]
token = "n-plain"

[authorizations.factory]
token = "at-factory"
network = "plain"
additional_parameters = "serial=devaddr;payload=payload_raw;port=fport"

[authorizations.nested]
token = "at-nested"
network = "plain"
additional_parameters = "serial=deviceInfo.serial"

[authorizations.base64]
token = "at-base64"
network = "plain"
additional_parameters = "serial=devaddr;payload=payload_raw;encoding=base64"

[authorizations.retired]
token = "at-retired"
network = "plain"
enabled = false
"""

UPLINK = {"devaddr": "12BAB34B54", "payload_raw": "0011AA", "fport": 10}

pytestmark = pytest.mark.usefixtures("wide")


@dataclass(frozen=True)
class Case:
    """One thing that goes wrong: the request, the answer to it, and what has to be told beside the answer."""

    name: str
    status: int
    reason: str | None = None
    authorization: str | None = "at-factory"
    query: str = ""
    body: Any = field(default_factory=lambda: UPLINK)
    content_type: str = "application/json"
    told: tuple[str, ...] = ()

    @property
    def content(self) -> bytes:
        return self.body if isinstance(self.body, bytes) else orjson.dumps(self.body)


CASES = [
    Case(
        "no authorization",
        401,
        "authorization_missing",
        authorization=None,
        told=("send the key as header 'Authorization: KEY', or as query ?authorization=KEY",),
    ),
    Case(
        "an authorization of another region or with a slip",
        403,
        "authorization_unknown",
        authorization="at-factry",
        told=("check the key, and that it is meant for this deployment",),
    ),
    Case(
        "an authorization in the query with a slip",
        403,
        "authorization_unknown",
        None,
        "authorization=x",
        told=("check the key",),
    ),
    Case("a disabled authorization", 403, "authorization_disabled", "at-retired", told=("is disabled or has expired",)),
    Case(
        "another content type",
        415,
        "content_type_unsupported",
        content_type="text/plain",
        told=("Content-Type must be application/json, not 'text/plain'",),
    ),
    Case(
        "a slip in the map",
        400,
        "serial_missing",
        body={"devadr": "12BAB34B54", "payload_raw": "0011AA"},
        told=("no serial at 'devaddr'", "did you mean 'devadr'?"),
    ),
    Case(
        "wrong nesting",
        400,
        "serial_missing",
        "at-nested",
        body={"data": {"deviceInfo": {"serial": "AA-BB"}}},
        told=("and no 'deviceInfo'", "did you mean 'data.deviceInfo.serial'?"),
    ),
    Case(
        "one item of an array without a serial",
        400,
        "serial_missing",
        body=[UPLINK, {"payload_raw": "00"}, UPLINK],
        told=("1 of 3 items cannot be accepted (index 1)",),
    ),
    Case("an empty array", 400, "body_missing", body=[], told=("Missing body information: send one JSON object",)),
    Case("no body", 400, "body_missing", body=b"", told=("Missing body information",)),
    Case("a nested array", 400, "item_not_object", body=[[UPLINK]], told=("no JSON object: it is an array",)),
    Case("a primitive", 400, "item_not_object", body=[UPLINK, 5], told=("index 1", "it is a number")),
    Case("no JSON", 400, "body_malformed", body=b'{"devaddr": ', told=("at line 1, column",)),
    Case(
        "base64 for a decoder of hexadecimal",
        202,
        body=UPLINK | {"payload_raw": "ABGq/w=="},
        told=("needs encoding=base64",),
    ),
    Case(
        "hexadecimal for a map that says base64",
        202,
        authorization="at-base64",
        body=UPLINK | {"payload_raw": "0011AA!"},
        told=("value_refused", "take encoding=base64 out"),
    ),
    Case("nothing wrong", 202, told=("POST https://api.example/data",)),
]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "sluice.toml"
    path.write_text(DIRECTORY)
    return path


@pytest.fixture
def edit(file: Path) -> Callable[[str, str], None]:
    """Exchange a text in the directory."""

    def edit(old: str, new: str) -> None:
        file.write_text(DIRECTORY.replace(old, new))

    return edit


@pytest.fixture
async def events() -> FakeEvents:
    return FakeEvents()


@pytest.fixture
async def client(file: Path, events: FakeEvents) -> AsyncIterator[httpx.AsyncClient]:
    acceptance = Acceptance(FakeQueue(), confirm_timeout=0.2, waiting_limit=5, queue_limit=10)
    watching = asyncio.create_task(acceptance.watch())
    await acceptance.gate.first_confirm.wait()
    directory = FileDirectory(file, {})
    telling = UplinkEvents(events, directory)
    endpoint = UplinkEndpoint(directory, acceptance, Limits(body=2_000, items=5, seconds=0.2), telling)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(endpoint), base_url="http://ingest") as client:
        yield client
    watching.cancel()


async def send(client: httpx.AsyncClient, case: Case) -> httpx.Response:
    headers = {"Content-Type": case.content_type}
    if case.authorization is not None:
        headers["Authorization"] = case.authorization
    return await client.post(f"/uplink?{case.query}", content=case.content, headers=headers)


def by_name(case: Case) -> str:
    return case.name


@pytest.mark.parametrize("case", CASES, ids=by_name)
async def test_the_sender_sees_what_to_mend(client: httpx.AsyncClient, case: Case) -> None:
    response = await send(client, case)
    assert (response.status_code, response.json().get("reason")) == (case.status, case.reason)
    if case.reason is not None:
        for part in case.told:
            assert part in response.json()["message"]


@pytest.mark.parametrize("case", [case for case in CASES if case.reason], ids=by_name)
async def test_tail_says_it_to_whoever_watches(client: httpx.AsyncClient, events: FakeEvents, case: Case) -> None:
    await send(client, case)
    (event,) = events.told
    assert (event.stage, event.reason) == ("refused", case.reason)
    is_known = case.status not in {401, 403}
    assert (event.key is not None, event.network is not None) == (is_known, is_known)
    line = format_event(event, serial_width=8)
    for part in case.told:
        assert part in line
    assert (case.authorization or "at-") not in line


@pytest.mark.parametrize("case", CASES, ids=by_name)
async def test_explain_says_the_same_without_a_running_system(
    file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], case: Case
) -> None:
    body = tmp_path / "body.json"
    body.write_bytes(case.content)
    authorization = case.authorization if case.authorization is not None or case.query else ""
    flags = RequestFlags(authorization=authorization, query=case.query, content_type=case.content_type)
    code = await explain(body, request=flags, where=Deployment(directory=str(file)))
    shown = capsys.readouterr().out
    assert code == (0 if case.reason is None and "value_refused" not in case.told else 1)
    assert f"{case.status} {case.reason}" in shown if case.reason else "202: 1 uplink accepted" in shown
    for part in case.told:
        assert part in shown


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (("https://api.example", "https://generic.middleware.us-e1.tago.io"), "is where gateways send to, not the API"),
        (("serial=devaddr;", "serail=devaddr;"), "did you mean 'serial'?"),
        (("serial=devaddr;", "serial=[0].devaddr;"), "members by number stand without brackets"),
        (("serial=devaddr;", "array=one;serial=devaddr;"), "with array=one an uplink is an array"),
        (("encoding=base64", "encoding=b64"), "'encoding' cannot be 'b64'; it can be hex or base64"),
        (("enabled = false", "enabled = 0"), "must be true or false"),
        (('"at-factory"', '""'), "is empty; give the token"),
        (('"at-factory"', '"at factory"'), "holds a space"),
        (('"at-nested"', '"at-factory"'), "is the token of [authorizations.factory] too"),
    ],
)
async def test_check_finds_what_is_wrong_with_the_configuration_before_anybody_sends(
    file: Path,
    edit: Callable[[str, str], None],
    capsys: pytest.CaptureFixture[str],
    change: tuple[str, str],
    told: str,
) -> None:
    edit(*change)
    assert await check(where=Deployment(directory=str(file))) == 1
    assert told in capsys.readouterr().out


async def test_a_mended_map_is_tried_before_it_is_saved(
    file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    body = tmp_path / "body.json"
    body.write_bytes(b'{"data": {"deviceInfo": {"serial": "AA-BB"}}}')
    rules = Rules(key="nested", field_map="serial=data.deviceInfo.serial")
    assert await explain(body, rules=rules, where=Deployment(directory=str(file))) == 0
    assert "'AA-BB', from the body at 'data.deviceInfo.serial'" in capsys.readouterr().out
