"""The operator's way to the registry: what is asked, and what is made of the answers."""

import httpx
import orjson
import pytest
from pydantic import SecretStr

from cli.registry_access import PAGE_AMOUNT, RegistryAccess, RegistryClient, RegistryError

ACCESS = RegistryAccess(registry_url="http://registry:8081/", profile_token=SecretStr("p-secret"))


def answering(*answers: httpx.Response | Exception) -> tuple[RegistryClient, list[httpx.Request]]:
    """Give a client of a registry that gives these answers in turn, and its requests."""
    requests: list[httpx.Request] = []
    waiting = iter(answers)

    def answer(request: httpx.Request) -> httpx.Response:
        requests.append(request)
        response = next(waiting)
        if isinstance(response, Exception):
            raise response
        return response

    return RegistryClient(ACCESS, transport=httpx.MockTransport(answer)), requests


def result(value: object) -> httpx.Response:
    return httpx.Response(200, json={"status": True, "result": value})


def test_a_request_has_the_profiles_token_and_gives_the_result() -> None:
    client, requests = answering(result({"id": "n1"}))
    assert client.get("/integration/network/n1") == {"id": "n1"}
    assert str(requests[0].url) == "http://registry:8081/integration/network/n1"
    assert requests[0].headers["Authorization"] == "p-secret"


def test_what_is_not_given_is_not_sent() -> None:
    client, requests = answering(result({"device": "d1"}))
    client.create("/device", {"name": "A", "network": None})
    assert orjson.loads(requests[0].content) == {"name": "A"}
    assert requests[0].headers["Content-Type"] == "application/json"


def test_a_list_is_read_page_after_page() -> None:
    full = [{"id": str(number)} for number in range(PAGE_AMOUNT)]
    client, requests = answering(result(full), result([{"id": "last"}]))
    assert [entry["id"] for entry in client.list_all("/device")] == [*(entry["id"] for entry in full), "last"]
    assert [request.url.params["page"] for request in requests] == ["1", "2"]


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        (httpx.ConnectError("refused"), "does not answer at http://registry:8081"),
        (httpx.Response(404, json={"status": False, "message": "Device Not Found"}), "Device Not Found"),
        (httpx.Response(401, json={"status": False, "message": "Denied"}), "sluice registry renew-token"),
        (httpx.Response(200, text="<html>"), "is no registry: status 200"),
        (httpx.Response(502, json=["?"]), "is no registry: status 502"),
        (httpx.Response(302, headers={"Location": "/"}), "is no registry: status 302"),
    ],
)
def test_what_went_wrong_is_said(answer: httpx.Response | Exception, problem: str) -> None:
    client, _ = answering(answer)
    with pytest.raises(RegistryError, match=problem):
        client.get("/device/d1")


def test_without_a_token_it_says_which_to_set() -> None:
    with pytest.raises(RegistryError, match="set SLUICE_PROFILE_TOKEN"):
        RegistryClient(RegistryAccess())
