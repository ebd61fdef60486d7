"""Networks, connectors, devices and keys, from the first click to the last; each against a real registry."""

import base64
import html
import re

import pytest

from console.things import PAGE_ROWS
from registry.first_start import FirstStart
from tests.unit.console.browser import Browser, read_secret, read_text
from tests.unit.registry.api import Api

PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="
)


async def add_network(browser: Browser, name: str = "Mill") -> str:
    """Create a network with nothing but a name, and give its path."""
    response = await browser.submit("/networks", name=name)
    assert response.status_code == 200
    assert f"The network {name} was created" in read_text(response.text)
    return response.url.path


async def test_a_network_needs_only_a_name_and_then_has_a_token(browser: Browser, api: Api) -> None:
    path = await add_network(browser)
    network = await api.get(f"/integration{path.replace('networks', 'network')}")
    assert (network["name"], network["serial_number"]) == ("Mill", None)
    assert "Mill" in await browser.open("/networks")
    assert "Default" in await browser.open(path)


async def test_without_a_name_the_page_says_so_at_the_field(browser: Browser) -> None:
    response = await browser.submit("/networks", name=" ")
    assert response.status_code == 400
    assert 'id="name-fault"' in response.text
    assert 'aria-invalid="true"' in response.text


async def test_every_parameter_of_a_network_is_saved_and_shown_again(browser: Browser, api: Api) -> None:
    path = await add_network(browser)
    fields = {
        "name": "Mill 2",
        "description": "Grinds\r\nslowly",
        "documentation_url": "https://mill.example/docs",
        "serial": "on",
        "serial_required": "on",
        "serial_label": "Device EUI",
        "serial_mask": "FF-FF",
        "serial_case": "upper",
        "serial_help": "On its back",
        "parameter_name": ["mode", "limit", "on", ""],
        "parameter_label": ["Mode", "", "", ""],
        "parameter_type": ["dropdown", "number", "switch", "text"],
        "parameter_group": ["main", "advanced", "main", "main"],
        "parameter_default": ["b", "5", "true", ""],
        "parameter_options": ["a=First\r\nb=Second", "", "", ""],
    }
    response = await browser.submit(path, on=path, **fields)
    assert response.status_code == 200, read_text(response.text)
    network = await api.get(f"/integration{path.replace('networks', 'network')}")
    assert network["description"] == "Grinds\nslowly"
    assert network["serial_number"] == {
        "mask": "FF-FF", "case": "upper", "label": "Device EUI", "help": "On its back", "required": True
    }  # fmt: skip
    mode, limit, switch = network["device_parameters"]
    assert mode["options"] == [
        {"label": "First", "value": "a", "is_default": False},
        {"label": "Second", "value": "b", "is_default": True},
    ]
    assert (limit["default"], switch["default"]) == ("5", True)

    page = await browser.open(path)
    assert all(text in page for text in ("Mill 2", "Device EUI", "a=First", "0000"))
    again = await browser.submit(path, on=path, **{**fields, "name": "Mill 3"})
    assert again.status_code == 200
    assert (await api.get(f"/integration{path.replace('networks', 'network')}"))["device_parameters"] == [
        mode, limit, switch
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("documentation_url", "javascript:alert(1)", "must begin with http"),
        ("icon_url", "ftp://mill", "must begin with http"),
        ("parameter_type", "dropdown", "a dropdown needs options"),
        ("serial_image", "mill.png", "must begin with http"),
        ("serial_mask", "---", "has only hyphens, which are not stored"),
        ("serial_mask", ".", "is a step in a path"),
    ],
)
async def test_what_the_registry_refuses_is_said_at_its_field_and_nothing_typed_is_lost(
    browser: Browser, field: str, value: str, said: str
) -> None:
    path = await add_network(browser)
    typed = {"name": "Kept", "description": "Typed", "serial": "on", "parameter_name": "p", "parameter_type": "text"}
    response = await browser.submit(path, on=path, **{**typed, field: value})
    assert response.status_code == 400
    place = {"parameter_type": "parameters"}.get(field, field)
    assert f'id="{place}-fault"' in response.text
    assert said in read_text(response.text)
    assert "Typed</textarea>" in response.text
    assert "Kept" not in await browser.open("/networks")


async def test_images_are_uploaded_with_the_form_and_shown(browser: Browser, first: FirstStart) -> None:
    path = await add_network(browser)
    token = await browser.form_token(path)
    response = await browser.client.post(
        path,
        data={"form_token": token, "name": "Mill", "serial": "on"},
        files={"icon": ("i.png", PNG), "banner": ("", b""), "serial_image_file": ("s.png", PNG)},
    )
    assert response.status_code == 200, read_text(response.text)
    network_id = path.rpartition("/")[2]
    for name in ("icon_url", "image"):
        url = f"/file/{first.profile_id}/networks/{network_id}/{name}"
        assert url in response.text
        assert (await browser.client.get(url)).content == PNG
    connector = f"/connectors/{first.connector_id}"
    logo = await browser.client.post(
        connector,
        data={"form_token": await browser.form_token(connector), "name": "Probe", "networks": first.network_id},
        files={"logo": ("l.png", PNG)},
    )
    assert f"/file/{first.profile_id}{connector}/logo_url" in logo.text
    for file in ("icon", "banner", "serial_image_file"):
        refused = await browser.client.post(
            path,
            data={"form_token": await browser.form_token(path), "name": "Mill", "serial": "on"},
            files={file: ("i.png", b"<svg onload=alert(1)>")},
        )
        assert (refused.status_code, f'id="{file}-fault"' in refused.text) == (400, True)
        assert "the file must be a PNG, JPEG or WebP image" in refused.text


async def test_a_token_is_shown_once_and_in_no_list(browser: Browser, api: Api, first: FirstStart) -> None:
    path = f"/networks/{first.network_id}"
    response = await browser.submit(f"{path}/tokens", on=path, token_name="Gateway")
    token = read_secret(response.text)
    tokens = await api.get(f"/integration/network/token/{first.network_id}")
    assert token in {each["token"] for each in tokens}
    page = await browser.open(path)
    assert "Gateway" in page
    assert all(each["token"] not in page for each in tokens)

    new = next(each for each in tokens if each["name"] == "Gateway")
    assert "Remove the token Gateway?" in await browser.open(f"{path}/tokens/{new['id']}/remove")
    await browser.submit(f"{path}/tokens/{new['id']}/remove", on=path)
    assert [each["name"] for each in await api.get(f"/integration/network/token/{first.network_id}")] == ["Default"]


async def test_a_serial_is_previewed_by_the_rule_that_the_registry_goes_by(browser: Browser) -> None:
    async def preview(**query: str) -> dict[str, str]:
        answer: dict[str, str] = (await browser.client.get("/serial", params=query)).json()
        return answer

    assert await preview(mask="FF-AA-00", case="upper", serial="a1-bc-22") == {
        "example": "00AA00", "stored": "A1BC22", "problem": ""
    }  # fmt: skip
    assert "which must be a hexadecimal digit" in (await preview(mask="FF", serial="0g"))["problem"]
    assert (await preview(serial="a b"))["stored"] == "a b"
    assert (await preview(mask="F" * 500, serial=""))["example"] == "0" * 100
    assert await preview(mask="-") == {"example": "", "stored": "", "problem": ""}
    assert "is a step in a path" in (await preview(mask=".", serial="."))["problem"]


async def test_parameters_are_previewed_as_a_device_s_page_asks_for_them_and_nothing_is_saved(
    browser: Browser, api: Api
) -> None:
    path = await add_network(browser)
    typed = {
        "parameter_name": ["mode", "note", "", "secret"],
        "parameter_label": ["Mode of work", "", "", ""],
        "parameter_type": ["dropdown", "text", "text", "text"],
        "parameter_group": ["main", "main", "main", "hide"],
        "parameter_default": ["b", "hello", "", "x"],
        "parameter_options": ["a=First\r\nb=<b>Second", "", "", ""],
    }
    preview = (await browser.submit("/parameters", on=path, **typed)).text
    assert "Mode of work" in preview
    assert '<option value="b" selected>&lt;b&gt;Second</option>' in preview
    assert 'value="hello"' in preview
    assert ("secret" in preview, "<html" in preview, 'name="' in preview) == (False, False, False)
    assert (await api.get(f"/integration{path.replace('networks', 'network')}"))["device_parameters"] is None
    await browser.submit(path, on=path, name="Mill", **typed)
    assert preview.strip() in await browser.open(path)


async def test_what_is_said_of_a_part_of_a_page_stands_in_it(browser: Browser) -> None:
    path = await add_network(browser)
    created = await browser.submit(f"{path}/tokens", on=path, token_name="Gateway")
    section = created.text[created.text.index('<section id="tokens"') :]
    assert "The network has no serial number: until it is given one" in section
    assert read_secret(section)
    refused = await browser.submit(f"{path}/shares", on=path, share_profile="6a1f0c52d3b19e4477aa01c9")
    section = refused.text[refused.text.index('<section id="sharing"') :]
    assert '<div class="refusal" role="alert">' in section
    assert "Not shared: Profile Not Found" in section
    assert "Not shared" not in await browser.open(path)


async def test_a_part_that_a_script_asks_for_takes_nothing_that_is_shown_once(
    browser: Browser, first: FirstStart
) -> None:
    page = f"/networks/{first.network_id}"
    form = {"form_token": await browser.form_token(page), "token_name": "Worker"}
    created = await browser.client.post(f"{page}/tokens", data=form, follow_redirects=False)
    assert created.status_code == 303
    await browser.open("/overview")
    await browser.client.post("/parameters", data=form)
    assert read_secret(await browser.open(page))


async def test_a_network_is_removed_after_a_question_unless_something_uses_it(
    browser: Browser, first: FirstStart
) -> None:
    path = await add_network(browser)
    assert "Remove the network Mill?" in await browser.open(f"{path}/remove")
    assert "Mill" in await browser.open(path)
    response = await browser.submit(f"{path}/remove", on=path)
    assert "The network was removed" in read_text(response.text)
    assert (await browser.client.get(path)).status_code == 404
    used = await browser.submit(f"/networks/{first.network_id}/remove")
    assert "in use by 1 connectors" in read_text(used.text)


async def test_another_profile_s_things_are_not_there(
    browser: Browser, other: Browser, api: Api, first: FirstStart
) -> None:
    connector = f"/connectors/{first.connector_id}"
    new = {"name": "Mine", "network": first.network_id, "connector": first.connector_id, "serie_number": "A1"}
    device = f"/devices/{(await api.create('/device', **new))['device_id']}"
    key = f"/keys/{(await api.create('/serviceauth', name='Mine', network=first.network_id))['id']}"
    network = f"/networks/{first.network_id}"
    for path in (network, connector, device, key):
        assert (await browser.client.get(path)).status_code == 200
        for tried in (path, f"{path}/remove"):
            assert (await other.client.get(tried)).status_code == 404, tried
        assert (await other.submit(path, name="Stolen")).status_code == 404
    for path in (f"{network}/remove", f"{network}/tokens", f"{network}/shares", f"{device}/tokens", f"{key}/test"):
        await other.submit(path, name="Stolen", token_name="x", share_profile=first.profile_id)
    assert [each["name"] for each in await api.get("/integration/network")] == ["Generic Endpoint"]
    assert len(await api.get(f"/integration/network/token/{first.network_id}")) == 1
    assert "There is no network yet" in await other.open("/networks")
    for page in ("/connectors", "/keys", "/devices/new"):
        assert '<a href="/networks">add a network</a> first' in await other.open(page)


async def test_a_shared_network_is_seen_and_not_changed(browser: Browser, other: Browser, api: Api) -> None:
    path = await add_network(browser, "Shared")
    profile = next(each for each in await api.get("/profile") if each["name"] == "Other")
    response = await browser.submit(f"{path}/shares", on=path, share_profile=profile["id"])
    assert "The network is shared" in read_text(response.text)
    page = await other.open(path)
    assert "It belongs to another profile" in page
    assert "Save the network" not in page
    assert (await other.submit(path, name="Stolen")).status_code == 403
    assert "Shared" in await other.open("/devices/new")
    await browser.submit(f"{path}/shares/{profile['id']}/remove", on=path)
    assert (await other.client.get(path)).status_code == 404


async def test_a_long_list_is_paged_and_searched(browser: Browser, api: Api) -> None:
    for index in range(PAGE_ROWS):
        await api.create("/integration/network", name=f"Net {index:03}")
    page = await browser.open("/networks")  # with the first network one more than fits
    assert "Generic Endpoint" in page
    assert "Net 048" in page
    assert "Net 049" not in page
    assert "/networks?page=2" in page
    second = await browser.open("/networks?page=2")
    assert "Net 049" in second
    assert 'rel="next"' not in second
    found = await browser.open("/networks?name=NET 04")
    assert ("Net 049" in found, "Net 030" in found) == (True, False)
    assert "No network has that name" in await browser.open("/networks?name=nothing")
    assert "Net 000" in await browser.open("/networks?page=none")


async def test_from_a_network_to_data_as_a_new_user_goes(browser: Browser, api: Api) -> None:
    network = (await add_network(browser, "Field")).rpartition("/")[2]
    fields = {
        "name": "Field",
        "serial": "on",
        "serial_label": "Device EUI",
        "serial_mask": "FF-FF",
        "serial_case": "upper",
    }
    await browser.submit(f"/networks/{network}", on=f"/networks/{network}", **fields)
    assert "No connector allows this network yet" in await browser.open(f"/devices/new?network={network}")
    connector = await browser.submit("/connectors", name="Probe", networks=network)
    assert "The connector Probe was created" in read_text(connector.text)

    form = await browser.open(f"/devices/new?network={network}")
    assert "Device EUI" in form
    assert 'data-mask="FF-FF" data-case="upper"' in form
    new = {"network": network, "connector": connector.url.path.rpartition("/")[2], "name": "Probe 1"}
    refused = await browser.submit("/devices/new", serie_number="zz", **new)
    assert (refused.status_code, 'id="serie_number-fault"' in refused.text) == (400, True)
    assert 'value="zz"' in refused.text
    created = await browser.submit("/devices/new", serie_number="0a-1b", **new)
    device, token = created.url.path, read_secret(created.text)
    assert "0A1B" in created.text
    assert "Nothing has come from this device yet" in created.text

    records = [{"variable": "level", "value": value, "unit": "cm"} for value in (3, 7)]
    await api.post(f"/device/{device.rpartition('/')[2]}/data", records)
    page = await browser.open(device)
    assert "<polyline" in page
    assert "3 to 7" in read_text(page)
    assert token not in page


async def test_a_device_is_changed_and_removed_with_its_data(browser: Browser, api: Api, first: FirstStart) -> None:
    new = {"name": "Probe", "network": first.network_id, "connector": first.connector_id, "serie_number": "A1"}
    device_id = (await api.create("/device", **new))["device_id"]
    path = f"/devices/{device_id}"
    changes = {"name": "Probe 2", "connector": first.connector_id, "serie_number": "a2"}
    await browser.submit(path, on=path, **changes)  # without the tick at active
    device = await api.get(f"/device/{device_id}")
    assert (device["name"], device["serie_number"], device["active"]) == ("Probe 2", "A2", False)
    token = await browser.submit(f"{path}/tokens", on=path, token_name="Reader", permission="read")
    assert read_secret(token.text)
    assert {"full", "read"} == {each["permission"] for each in await api.get(f"/device/token/{device_id}")}
    assert "Its data, its tokens" in await browser.open(f"{path}/remove")
    await browser.submit(f"{path}/remove", on=path)
    assert await api.get("/device") == []


async def test_a_connector_is_changed_and_refused_at_its_field(browser: Browser, api: Api, first: FirstStart) -> None:
    path = f"/connectors/{first.connector_id}"
    response = await browser.submit(path, on=path, name="Probe", networks=first.network_id, install_text="Screw it on")
    assert response.status_code == 200
    assert (await api.get(f"/integration/connector/{first.connector_id}"))["install_text"] == "Screw it on"
    refused = await browser.submit(path, on=path, name="Probe")
    assert (refused.status_code, 'id="networks-fault"' in refused.text) == (400, True)


async def test_a_connector_keeps_a_network_that_is_shared_no_longer_until_its_networks_are_changed(
    other: Browser, api: Api, first: FirstStart
) -> None:
    profile = next(each for each in await api.get("/profile") if each["name"] == "Other")
    share = f"/integration/network/{first.network_id}/share"
    await api.post(share, {"profile": profile["id"]})
    own = (await add_network(other)).rpartition("/")[2]
    path = (await other.submit("/connectors", name="Probe", networks=[own, first.network_id])).url.path
    await api.delete(f"{share}/{profile['id']}")
    assert "And 1 that this profile may use no longer" in read_text(await other.open(path))
    saved = await other.submit(path, on=path, name="Probe 2", networks=own)
    assert "The connector was saved" in read_text(saved.text)
    assert "And 1 that this profile may use no longer" in read_text(saved.text)
    another = (await add_network(other, "Another")).rpartition("/")[2]
    changed = await other.submit(path, on=path, name="Probe 2", networks=[own, another])
    assert "may use no longer" not in read_text(changed.text)


async def test_a_key_is_shown_once_and_its_map_checked(browser: Browser, api: Api, first: FirstStart) -> None:
    refused = await browser.submit("/keys", on="/keys", name="Gate", verification_code="serial", network="")
    assert (refused.status_code, 'id="verification_code-fault"' in refused.text) == (400, True)
    created = await browser.submit("/keys", on="/keys", name="Gate", verification_code="serial=devaddr", network="")
    token, path = read_secret(created.text), created.url.path
    (key,) = await api.get("/serviceauth")
    assert (key["token"], key["network"]) == (token, first.network_id)
    assert token not in await browser.open(path)
    assert token not in await browser.open("/keys")
    changes = {"name": "Gate", "verification_code": "", "network": first.network_id, "expire_time": "2030-01-01T00:00Z"}
    await browser.submit(path, on=path, **changes)
    (key,) = await api.get("/serviceauth")
    assert (key["enabled"], key["expire_time"][:10], key["token"]) == (False, "2030-01-01", token)
    await browser.submit(f"{path}/remove", on=path)
    assert await api.get("/serviceauth") == []


@pytest.mark.parametrize("field_map", ["", "serial=end.dev-eui"])
async def test_a_test_begins_with_an_uplink_that_the_key_takes(
    browser: Browser, api: Api, first: FirstStart, field_map: str
) -> None:
    await api.put(f"/integration/network/{first.network_id}", serial_number={"mask": "FF-FF-FF", "case": "upper"})
    created = await api.create("/serviceauth", name="Gate", network=first.network_id, verification_code=field_map)
    path = f"/keys/{created['id']}"
    found = re.search(r'<textarea id="body"[^>]*>\n([^<]+)</textarea>', await browser.open(path))
    assert found is not None
    body = html.unescape(found[1])
    tested = await browser.submit(f"{path}/test", on=path, verification_code=field_map, body=body, query="")
    assert "device of 000000" in read_text(tested.text)


@pytest.mark.parametrize(
    ("field_map", "body"),
    [
        ("", '{"serial": "0A1B", "payload": "0011AA", "port": 10}'),
        ("serial=end.dev-eui", '{"temperature": 21.5, "end": {"dev-eui": "0A1B"}}'),
        ("serial=ids.[n=id].v", None),
        ("serial=ids.0.bn", None),
    ],
)
async def test_a_new_key_comes_with_a_line_that_sends_an_uplink_with_it(
    browser: Browser, api: Api, first: FirstStart, field_map: str, body: str | None
) -> None:
    device = {"network": first.network_id, "connector": first.connector_id, "name": "Probe", "serie_number": "0A1B"}
    await api.create("/device", **device)
    created = await browser.submit("/keys", on="/keys", name="Gate", verification_code=field_map, network="")
    token = read_secret(created.text)
    shown = [html.unescape(line) for line in re.findall(r'<code class="secret">(curl [^<]+)</code>', created.text)]
    assert shown == ([] if body is None else [
        f"curl http://127.0.0.1:8080/uplink -H 'Authorization: {token}' -H 'Content-Type: application/json' -d '{body}'"
    ])  # fmt: skip
    warning = "It is not shown again: copy it now." if body is None else "They are not shown again: copy them now."
    assert (created.text.count("not shown again"), warning in created.text) == (1, True)
    assert "curl" not in await browser.open(created.url.path)


async def test_without_a_device_a_new_key_comes_without_a_line_to_send_with(browser: Browser) -> None:
    created = await browser.submit("/keys", on="/keys", name="Gate", verification_code="", network="")
    assert read_secret(created.text)
    assert "curl" not in created.text
    assert created.text.count("It is not shown again: copy it now.") == 1


async def test_a_key_is_tested_with_a_body_and_nothing_is_saved(browser: Browser, api: Api, first: FirstStart) -> None:
    created = await api.create("/serviceauth", name="Gate", network=first.network_id, verification_code="")
    path = f"/keys/{created['id']}"
    body = '{"devaddr": "0a1b", "payload_raw": "0011AA", "<b>": 5}'
    missing = await browser.submit(f"{path}/test", on=path, verification_code="", body=body, query="")
    assert "Answered 400 serial_missing" in read_text(missing.text)
    field_map = "serial=devaddr;payload=payload_raw;port=fport"
    found = await browser.submit(f"{path}/test", on=path, verification_code=field_map, body=body, query="fport=7")
    text = read_text(found.text)
    assert "Answered 202: 1 uplink accepted" in text
    assert "device of 0A1B" in text  # the network's upper case
    assert "7 from the query parameter fport" in text
    assert "payload 0011AA" in text
    assert "<b>" not in found.text
    wrong = await browser.submit(f"{path}/test", on=path, verification_code="serial", body=body, query="")
    assert 'class="refusal"' in wrong.text
    assert (await api.get("/serviceauth"))[0]["verification_code"] == ""
