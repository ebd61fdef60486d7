"""The description of the HTTP interface: valid, and complete with regard to what the code knows."""

from openapi_spec_validator import OpenAPIV31SpecValidator

from ingest.openapi import MEANING, build_openapi
from ingest.refusal import STATUS

DOCUMENT = build_openapi(body_limit=1_000, items_limit=7)
RESPONSES = DOCUMENT["paths"]["/uplink"]["post"]["responses"]


def test_the_document_is_valid_openapi() -> None:
    OpenAPIV31SpecValidator(DOCUMENT).validate()


def test_every_reason_for_a_refusal_is_explained_and_no_other() -> None:
    assert set(MEANING) == set(STATUS)


def test_every_status_of_a_refusal_is_described_with_its_reasons() -> None:
    described = {
        int(status): set(response["content"]["application/json"]["schema"]["allOf"][1]["properties"]["reason"]["enum"])
        for status, response in RESPONSES.items()
        if status != "202"
    }
    known: dict[int, set[str]] = {431: {"body_too_large"}}
    for reason, status in STATUS.items():
        if status != 404:
            known.setdefault(status, set()).add(str(reason))
    assert described == known


def test_answers_that_ask_for_patience_say_for_how_long() -> None:
    with_wait = {status for status, response in RESPONSES.items() if "Retry-After" in response.get("headers", {})}
    assert with_wait == {"429", "503"}


def test_the_limits_are_those_of_the_settings() -> None:
    assert DOCUMENT["components"]["schemas"]["Uplinks"]["maxItems"] == 7
    assert "1000 bytes" in DOCUMENT["paths"]["/uplink"]["post"]["requestBody"]["description"]
