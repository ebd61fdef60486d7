"""What is asked of a registry, and what is one of its answers."""

from base64 import b64encode
from collections.abc import Mapping
from typing import Any

import httpx
import pytest

from common.registry_requests import RegistryRequests, read_envelope


class Asked(RegistryRequests[tuple[Any, ...]]):
    """Gives what would be sent."""

    def ask(
        self, method: str, path: str, document: Any = None, *, parameters: Mapping[str, str] | None = None
    ) -> tuple[Any, ...]:
        return method, path, document, parameters


def test_each_verb_is_a_method_of_http() -> None:
    asked = Asked()
    assert asked.get("/device", {"page": "1"}) == ("GET", "/device", None, {"page": "1"})
    assert asked.remove("/device/d1") == ("DELETE", "/device/d1", None, None)


def test_what_is_none_is_not_created_and_empties_what_is_changed() -> None:
    document = {"name": "A", "description": None}
    assert Asked().create("/device", document) == ("POST", "/device", {"name": "A"}, None)
    assert Asked().change("/device/d1", document) == ("PUT", "/device/d1", document, None)


def test_an_image_is_sent_in_base64() -> None:
    files = [{"filename": "a/logo.png", "file": b64encode(b"\x89PNG").decode()}]
    assert Asked().upload("a/logo.png", b"\x89PNG") == ("POST", "/files", files, None)


@pytest.mark.parametrize("envelope", [{"status": True, "result": []}, {"status": False, "message": "Not Found"}])
def test_an_envelope_says_whether_it_is_done(envelope: dict[str, Any]) -> None:
    assert read_envelope(httpx.Response(404, json=envelope)) == envelope


@pytest.mark.parametrize("content", [b"", b"<html>", b"[]", b"{}", b'{"status":"ok"}', b'{"status":1}'])
def test_what_has_no_status_of_a_registry_is_no_answer_of_one(content: bytes) -> None:
    assert read_envelope(httpx.Response(200, content=content)) is None
