"""What is said about a ``sluice.toml`` that is wrong: where, what, and what to do; never a token."""

import re

import pytest
from pydantic import ValidationError

from common.directory.document import parse_directory
from common.directory.problems import DirectoryError
from common.directory.tables import DirectoryTables
from common.fields.field_map import FieldMapError, parse_field_map

GOOD = """\
[downstream]
url = "https://downstream"

[networks.plain]
token = "n-secret-plain"

[authorizations.factory]
token = "at-secret-factory"
network = "plain"
"""

ENVIRONMENT = {"KEY": "at-secret-factory", "EMPTY": "", "BREAK": "at-secret\n", "BYTES": "at-secret-\udcff"}


def refuse(content: str | bytes, downstream_url: str | None = None) -> DirectoryError:
    """Parse what must not be parsed, and give the error. Every token of these tests has ``secret`` in it."""
    if isinstance(content, str):
        content = content.encode()
    with pytest.raises(DirectoryError) as refusal:
        parse_directory(content, file="sluice.toml", environ=ENVIRONMENT, downstream_url=downstream_url)
    assert "secret" not in str(refusal.value)
    return refusal.value


def refusal_of(content: str | bytes, downstream_url: str | None = None) -> str:
    return str(refuse(content, downstream_url))


def test_a_bad_other_downstream_is_told_by_the_name_of_its_setting() -> None:
    message = refusal_of(GOOD, downstream_url="ftp://secret")
    assert message == "SLUICE_DOWNSTREAM: must begin with http:// or https://"


IN_DOWNSTREAM, IN_NETWORK, IN_KEY = "[downstream]", "[networks.plain]", "[authorizations.factory]"

NO_DATE = "must be a date and time without quotes, such as 2030-01-01T00:00:00Z"
NO_OFFSET = "must say its offset from UTC, such as the Z in 2030-01-01T00:00:00Z"


@pytest.mark.parametrize(
    ("table", "line", "message"),
    [
        (IN_DOWNSTREAM, "posts_per_minute = -1", "must not be negative; 0 is for no limit"),
        (IN_DOWNSTREAM, 'posts_per_minute = "5000"', "must be a whole number without quotes"),
        (IN_DOWNSTREAM, "posts_per_minute = true", "must be a whole number without quotes"),
        (IN_DOWNSTREAM, "post_per_minute = 1", "no such field; did you mean posts_per_minute?"),
        (IN_DOWNSTREAM, 'token = "secret"', "no such field; there are url, posts_per_minute"),
        (IN_NETWORK, "share_posts = 1", "must be true or false, without quotes"),
        (IN_NETWORK, 'SHARE_POST = "secret"', "no such field; did you mean share_posts?"),
        (IN_NETWORK, 'serial = "FF-FF"', "must be a table with fields of its own"),
        (IN_KEY, 'profile = ""', "is empty; give it a value, or leave it out"),
        (IN_KEY, "profile = 1", "must be text in quotes"),
        (IN_KEY, "requests_per_minute = 1.5", "must be a whole number without quotes"),
        (IN_KEY, 'enabled = "false"', "must be true or false, without quotes"),
        (IN_KEY, "additional_parameters = 1", "must be text in quotes"),
        (IN_KEY, 'additional_parameter = ""', "no such field; did you mean additional_parameters?"),
        (IN_KEY, "expires_at = 2030-01-01", NO_DATE),
        (IN_KEY, 'expires_at = "2030-01-01T00:00:00Z"', NO_DATE),
        (IN_KEY, "expires_at = 1893456000", NO_DATE),
        (IN_KEY, "expires_at = 2030-01-01T00:00:00", NO_OFFSET),
    ],
)
def test_a_bad_field_is_told_with_its_table_and_the_remedy(table: str, line: str, message: str) -> None:
    field = line.partition(" ")[0]
    assert refusal_of(GOOD.replace(table, f"{table}\n{line}")) == f"sluice.toml: {table} {field}: {message}"


URL, NETWORK_TOKEN = '"https://downstream"', '"n-secret-plain"'
KEY_TOKEN, KEY_NETWORK = '"at-secret-factory"', '"plain"'

PLACES = {
    URL: "[downstream] url",
    NETWORK_TOKEN: "[networks.plain] token",
    KEY_TOKEN: "[authorizations.factory] token",
    KEY_NETWORK: "[authorizations.factory] network",
}

IS_EMPTY = "is empty; give the token, or set the environment variable that it refers to"
NO_HEADER = "holds a space, a line break or a character outside ASCII, which no HTTP header carries; take it out"
NO_REFERENCE = 'refers to the environment wrongly; write "${NAME}", with letters, digits and _ in the name'
UNSET = "refers to UNSET, which the environment does not have; set it there and start anew"
TWO_UNSET = "refers to ALSO and UNSET, which the environment does not have; set it there and start anew"
NO_HTTP = "must begin with http:// or https://"
NO_URL = "is no URL; write it as in https://api.us-e1.tago.io"
MORE_THAN_URL = "must be scheme, host and path only; take out the user name, password, query or fragment"


@pytest.mark.parametrize(
    ("value", "written", "message"),
    [
        (KEY_TOKEN, '""', IS_EMPTY),
        (NETWORK_TOKEN, '"${EMPTY}"', IS_EMPTY),
        (KEY_TOKEN, '"${BREAK}"', NO_HEADER),
        (NETWORK_TOKEN, '"${BYTES}"', NO_HEADER),
        (KEY_TOKEN, '"at secret"', NO_HEADER),
        (NETWORK_TOKEN, "5", "must be text in quotes"),
        (KEY_TOKEN, '"${UNSET}"', UNSET),
        (KEY_TOKEN, '"${UNSET}${KEY}${ALSO}${UNSET}"', TWO_UNSET),
        (URL, '"${UNSET}"', UNSET),
        (KEY_NETWORK, '"${UNSET}"', UNSET),
        (NETWORK_TOKEN, '"${n-secret}"', NO_REFERENCE),
        (NETWORK_TOKEN, '"${}"', NO_REFERENCE),
        (NETWORK_TOKEN, '"${KEY"', NO_REFERENCE),
        (NETWORK_TOKEN, '"${K${KEY}}"', NO_REFERENCE),
        (NETWORK_TOKEN, '"${ KEY }"', NO_REFERENCE),
        (KEY_NETWORK, '"plane"', "no such network; did you mean plain?"),
        (KEY_NETWORK, '"at-secret"', "no such network; there are plain"),
        (URL, '"ftp://downstream"', NO_HTTP),
        (URL, '"downstream"', NO_HTTP),
        (URL, '"https://"', NO_URL),
        (URL, '"https://a b"', NO_URL),
        (URL, '"https://[::1"', NO_URL),
        (URL, '"https://a:secret"', NO_URL),
        (URL, '"https://a:0"', NO_URL),
        (URL, '"https://a\\n"', NO_URL),
        (URL, '"https://user:secret@host"', MORE_THAN_URL),
        (URL, '"https://host/?token=secret"', MORE_THAN_URL),
        (URL, '"https://host#secret"', MORE_THAN_URL),
    ],
)
def test_a_bad_value_is_told_with_its_place_and_the_remedy(value: str, written: str, message: str) -> None:
    assert refusal_of(GOOD.replace(value, written)) == f"sluice.toml: {PLACES[value]}: {message}"


@pytest.mark.parametrize("value", [URL, NETWORK_TOKEN, KEY_TOKEN, KEY_NETWORK])
def test_a_field_that_must_be_there_and_is_not_is_told(value: str) -> None:
    text = re.sub(rf"^\w+ = {value}$", "", GOOD, flags=re.MULTILINE)
    assert refusal_of(text) == f"sluice.toml: {PLACES[value]}: is missing; add it"


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (
            'format = "--"',
            "format: has only hyphens, which are not stored, so no serial fits; write as in FF-FF-FF-FF",
        ),
        ('format = "."', "format: is a step in a path, which no serial may be; write as in FF-FF-FF-FF"),
        ("format = 16", "format: must be text in quotes"),
        ('force_case = "none"', "force_case: must be 'upper' or 'lower', or be left out"),
        ('forcecase = "upper"', "forcecase: no such field; did you mean force_case?"),
    ],
)
def test_a_bad_serial_rule_is_told(line: str, message: str) -> None:
    text = f"{GOOD}[networks.plain.serial]\n{line}\n"
    assert refusal_of(text) == f"sluice.toml: [networks.plain] serial.{message}"


NO_KEYS = GOOD[: GOOD.index("[authorizations")]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (GOOD + "[network.other]\n", "[network]: no such table; did you mean networks?"),
        ("zzz = 1\n" + GOOD, "[zzz]: no such table; there are downstream, networks, authorizations"),
        (GOOD.replace("[networks.plain]", "[[networks]]"), "[networks]: must hold tables, each with a name"),
        (
            GOOD.replace("[networks.plain]", '[networks]\nother = "secret"\n[networks.plain]'),
            "[networks.other]: must be a table with fields of its own",
        ),
        (NO_KEYS, "[authorizations]: is missing; add it"),
        (NO_KEYS + "[authorizations]", "[authorizations]: is empty; add at least one table, with a name of its own"),
        ("downstream = 1\n" + GOOD[GOOD.index("[networks") :], "[downstream]: must be a table with fields of its own"),
    ],
)
def test_a_bad_table_is_told(text: str, message: str) -> None:
    assert refusal_of(text) == f"sluice.toml: {message}"


def test_bad_additional_parameters_are_told_in_the_field_map_s_own_words() -> None:
    text = "serial=devaddr;payload"
    with pytest.raises(FieldMapError) as fault:
        parse_field_map(text)
    message = refusal_of(GOOD + f'additional_parameters = "{text}"\n')
    assert message == f"sluice.toml: [authorizations.factory] additional_parameters: {fault.value}"


@pytest.mark.parametrize("token", ["at-secret-factory", "${KEY}"])
def test_two_keys_with_one_token_are_refused_even_where_it_comes_from_the_environment(token: str) -> None:
    second = f'[authorizations."the office"]\ntoken = "{token}"\nnetwork = "plain"\n'
    message = "is the token of [authorizations.factory] too; give each its own"
    assert refusal_of(GOOD + second) == f'sluice.toml: [authorizations."the office"] token: {message}'


IN_BRACKETS = "text stands in quotes, a table's name in brackets"
TOO_MUCH = "is no TOML that can be read: something is nested too deeply, or a number is too long"
NO_VALUE = "Invalid value (at line 2, column 7)"
NO_EQUALS = "Expected '=' after a key in a key/value pair (at line 2, column 4)"
TWICE = "Cannot declare ('downstream',) twice (at line 10, column 12)"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("[downstream]\nurl = https://downstream\n", f"is no TOML: {NO_VALUE}; {IN_BRACKETS}"),
        ("[downstream]\nurl: 'secret'\n", f"is no TOML: {NO_EQUALS}; {IN_BRACKETS}"),
        (GOOD + "[downstream]\n", f"is no TOML: {TWICE}; {IN_BRACKETS}"),
        (b"[downstream]\n# \xfcber\n", "is not UTF-8 (at line 2); save it in that encoding"),
        ("a = " + "[" * 50_000, TOO_MUCH),
        ("a = " + "9" * 5_000, TOO_MUCH),
    ],
    ids=["value", "colon", "twice", "latin-1", "depth", "number"],
)
def test_a_mistake_of_syntax_is_told_with_its_line(content: str | bytes, message: str) -> None:
    assert refusal_of(content) == f"sluice.toml: {message}"


def test_a_bad_table_is_told_even_where_another_downstream_takes_the_place_of_its_url() -> None:
    text = "downstream = 1\n" + GOOD[GOOD.index("[networks") :]
    message = refusal_of(text, downstream_url="http://registry:8081")
    assert message == "sluice.toml: [downstream]: must be a table with fields of its own"


def test_everything_that_is_wrong_is_told_in_one_go() -> None:
    text = """
[downstream]
url = "downstream"
[networks.plain]
token = "${UNSET}"
[authorizations.factory]
token = "at-secret-factory"
network = "plane"
[authorizations.office]
token = "at-secret-factory"
network = "plain"
requests_per_minute = "60"
"""
    assert refusal_of(text).splitlines() == [
        "sluice.toml: 5 problems",
        "  [authorizations.factory] network: no such network; did you mean plain?",
        "  [authorizations.office] requests_per_minute: must be a whole number without quotes",
        "  [authorizations.office] token: is the token of [authorizations.factory] too; give each its own",
        "  [downstream] url: must begin with http:// or https://",
        "  [networks.plain] token: refers to UNSET, which the environment does not have; set it there and start anew",
    ]


def test_an_empty_file_is_no_directory_even_with_another_downstream() -> None:
    message = refusal_of("", downstream_url="http://registry:8081")
    assert "[authorizations]: is missing" in message
    assert "[networks]: is missing" in message


@pytest.mark.parametrize(
    "text",
    [
        GOOD.replace("at-secret-factory", "at secret factory"),
        GOOD.replace("n-secret-plain", "${n-secret}"),
        GOOD.replace('"plain"', '"at-secret-factory"'),
        GOOD.replace('"at-secret-factory"', '["at-secret-factory"]'),
        GOOD.replace('"n-secret-plain"', "{ value = 'n-secret-plain' }"),
        GOOD.replace('"n-secret-plain"', "n-secret-plain"),
        GOOD.replace("https://downstream", "https://n-secret-plain@downstream"),
        GOOD + 'enabled = "at-secret-factory"\n',
        GOOD + 'expires_at = "at-secret-factory"\n',
        GOOD + 'requests_per_minute = "at-secret-factory"\n',
        GOOD + '[authorizations.office]\ntoken = "at-secret-factory"\nnetwork = "plain"\n',
        GOOD + '[networks.plain.serial]\nforce_case = "n-secret-plain"\n',
        GOOD + '[networks]\nplainer = "n-secret-plain"\n',
    ],
)
def test_no_message_holds_a_token_nor_does_an_exception_behind_it(text: str) -> None:
    """``refuse`` looks at the message; the exceptions that led to it hold the document, and a traceback shows them."""
    error = refuse(text)
    assert error.__cause__ is None
    assert error.__context__ is None


def test_pydantic_s_own_error_holds_no_token_either() -> None:
    with pytest.raises(ValidationError) as fault:
        DirectoryTables.model_validate({"networks": {"plain": {"token": "n-secret", "share_posts": "n-secret"}}})
    assert "secret" not in str(fault.value)
