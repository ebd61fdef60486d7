"""What ``sluice.toml`` may say, and what the roles make of it."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import pytest

from common.directory.document import parse_directory
from common.directory.model import Directory, Downstream
from common.fields.field_map import FieldMap, parse_field_map
from common.serial import SerialRule

WIRE_FORMAT = Path(__file__).parents[3] / "docs" / "wire-format.md"

GOOD = """\
[downstream]
url = "https://downstream"

[networks.plain]
token = "n-secret-plain"

[authorizations.factory]
token = "at-secret-factory"
network = "plain"
"""

ENVIRONMENT = {"KEY": "at-secret-environ", "NESTED": "${KEY}"}


def parse(text: str, environ: Mapping[str, str] = ENVIRONMENT, downstream_url: str | None = None) -> Directory:
    return parse_directory(text.encode(), file="sluice.toml", environ=environ, downstream_url=downstream_url)


def test_the_example_of_the_documentation_loads() -> None:
    (example,) = re.findall(r"```toml directory\n(.*?)```", WIRE_FORMAT.read_text(), flags=re.DOTALL)
    environ = {
        "LORAWAN_NETWORK_TOKEN": "n-lorawan",
        "PLAIN_NETWORK_TOKEN": "n-plain",
        "FACTORY_AUTHORIZATION": "at-factory",
    }
    directory = parse(example, environ)
    assert directory.downstream == Downstream(url="https://api.us-e1.tago.io", posts_per_minute=5000)
    lorawan, key = directory.network("lorawan"), directory.authenticate("at-factory")
    assert lorawan is not None
    assert lorawan.token.get_secret_value() == "n-lorawan"
    assert lorawan.serial == SerialRule(format="FF-FF-FF-FF-FF", force_case="upper")
    assert lorawan.share_posts is True
    assert key is not None
    assert (key.id, key.network, key.profile) == ("factory", "lorawan", "default")
    assert key.field_map == parse_field_map("serial=devaddr;payload=payload_raw;port=fport")
    assert (key.requests_per_minute, key.enabled) == (0, True)
    assert key.expires_at == datetime(2030, 1, 1, tzinfo=UTC)


def test_what_the_file_leaves_out_has_a_default() -> None:
    directory = parse(GOOD)
    (network,), (key,) = directory.networks, directory.keys
    assert directory.downstream.posts_per_minute == 0
    assert (network.serial, network.share_posts) == (SerialRule(), True)
    assert (key.field_map, key.profile, key.requests_per_minute) == (FieldMap(), "default", 0)
    assert (key.enabled, key.expires_at) == (True, None)


def test_every_field_of_a_network_and_a_key_is_taken_over() -> None:
    network_fields = (
        'serial = { format = "AA00", force_case = "lower" }\nshare_posts = false\n\n[authorizations.factory]'
    )
    key_fields = 'profile = "gold"\nrequests_per_minute = 60\nenabled = false\nexpires_at = 2030-01-01T02:00:00+02:00\n'
    directory = parse(GOOD.replace("[authorizations.factory]", network_fields) + key_fields)
    (network,), (key,) = directory.networks, directory.keys
    assert (network.serial, network.share_posts) == (SerialRule("AA00", "lower"), False)
    assert (key.profile, key.requests_per_minute, key.enabled) == ("gold", 60, False)
    assert key.expires_at == datetime(2030, 1, 1, tzinfo=UTC)


def test_an_empty_form_of_the_serial_is_none() -> None:
    (network,) = parse(GOOD + '[networks.plain.serial]\nformat = ""\n').networks
    assert network.serial.normalise("AA-01") == "AA-01"


@pytest.mark.parametrize(
    ("written", "token"),
    [
        ("${KEY}", "at-secret-environ"),
        ("at-${KEY}-${KEY}", "at-at-secret-environ-at-secret-environ"),
        ("$KEY", "$KEY"),
        ("at-$$", "at-$$"),
        ("${NESTED}", "${KEY}"),
    ],
    ids=["whole", "inside", "no braces", "dollars", "not twice"],
)
def test_a_value_may_refer_to_the_environment(written: str, token: str) -> None:
    directory = parse(GOOD.replace("at-secret-factory", written))
    assert directory.authenticate(token) is not None


def test_a_reference_works_in_every_text() -> None:
    nested = GOOD.replace("[authorizations", 'serial = { format = "${FORM}" }\n[authorizations')
    text = nested.replace("https://downstream", "https://${HOST}:8443")
    directory = parse(text, {"HOST": "example.com", "FORM": "FF-FF"})
    assert directory.downstream.url == "https://example.com:8443"
    assert directory.networks[0].serial.format == "FF-FF"


def test_keys_and_comments_hold_no_references() -> None:
    directory = parse(GOOD.replace("[authorizations.factory]", '# ${UNSET}\n[authorizations."${UNSET}"]'))
    assert directory.key("${UNSET}") is not None


@pytest.mark.parametrize(
    ("written", "url"),
    [
        ("https://downstream/", "https://downstream"),
        ("http://127.0.0.1:8081/api/", "http://127.0.0.1:8081/api"),
        ("HTTPS://[::1]:8443", "HTTPS://[::1]:8443"),
    ],
)
def test_the_url_of_the_downstream_has_no_trailing_slash(written: str, url: str) -> None:
    assert parse(GOOD.replace("https://downstream", written)).downstream.url == url


def test_a_byte_order_mark_is_no_mistake() -> None:
    assert parse("\ufeff" + GOOD) == parse(GOOD)


@pytest.mark.parametrize(
    "text",
    [
        GOOD,
        GOOD.replace("https://downstream", "${UNSET}"),
        GOOD.replace("https://downstream", "nonsense"),
        GOOD.replace('url = "https://downstream"', ""),
        GOOD.replace('[downstream]\nurl = "https://downstream"', ""),
    ],
    ids=["good", "unset", "bad", "no url", "no table"],
)
def test_another_downstream_takes_the_place_of_the_file_s_whatever_that_is(text: str) -> None:
    assert parse(text, downstream_url="http://registry:8081/").downstream.url == "http://registry:8081"


def test_another_downstream_keeps_the_limit_of_the_file() -> None:
    text = GOOD.replace("[networks", "posts_per_minute = 250\n[networks", 1)
    assert parse(text, downstream_url="http://registry:8081").downstream.posts_per_minute == 250


def test_two_networks_may_share_one_token() -> None:
    second = '[networks.second]\ntoken = "n-secret-plain"\n'
    assert len(parse(GOOD + second).networks) == 2


def test_a_key_of_a_parsed_directory_shows_no_token() -> None:
    assert "secret" not in repr(parse(GOOD))
