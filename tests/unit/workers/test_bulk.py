import asyncio
from typing import Any

import httpx
import orjson
import pytest

from tests.support.uplinks import build_mapped, build_resolved, build_uplinks
from tests.unit.workers.test_downstream import NO, Server, build_downstream
from workers import bulk as module
from workers.answers import Answer, RejectedError, ThrottledError, TransientError
from workers.bulk import Bulk
from workers.grouping import Post, group_into_posts

UPLINKS = build_uplinks(10)


def build_post(index: int = 0) -> Post:
    (post,), _ = group_into_posts([build_resolved(build_mapped(UPLINKS[index]), token=f"device-{index}")])
    return post


class Registry:
    """Answers each post by the rule of a test, as Sluice's registry does."""

    def __init__(self) -> None:
        self.requests: list[list[dict[str, Any]]] = []
        self.may_answer = asyncio.Event()
        self.may_answer.set()
        self.answer: Answer | None = None

    async def __call__(self, body: bytes) -> Answer:
        posts = orjson.loads(body)["posts"]
        self.requests.append(posts)
        await self.may_answer.wait()
        entries = [{"code": 200, "status": True, "result": post["device_token"]} for post in posts]
        return self.answer or Answer(200, {}, orjson.dumps({"status": True, "result": entries}))


async def test_posts_of_one_moment_leave_together_and_each_gets_its_own_answer() -> None:
    registry = Registry()
    bulk = Bulk(registry)
    answers = await asyncio.gather(*(bulk.post(build_post(n)) for n in range(10)))
    assert [answer.document["result"] for answer in answers] == [f"device-{n}" for n in range(10)]
    assert [len(posts) for posts in registry.requests] == [10]
    assert registry.requests[0][3] == {
        "device_token": "device-3",
        "uplinks": [UPLINKS[3].id],
        "records": [{"variable": "temperature", "value": 21.5}],
    }


async def test_while_requests_are_under_way_what_comes_waits_for_the_next() -> None:
    registry = Registry()
    registry.may_answer.clear()
    bulk = Bulk(registry)
    posting = []
    for n in range(10):
        posting.append(asyncio.create_task(bulk.post(build_post(n))))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
    registry.may_answer.set()
    await asyncio.gather(*posting)
    assert [len(posts) for posts in registry.requests] == [1, 1, 8]


async def test_a_request_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "POSTS_PER_REQUEST", 4)
    registry = Registry()
    bulk = Bulk(registry)
    await asyncio.gather(*(bulk.post(build_post(n)) for n in range(10)))
    assert [len(posts) for posts in registry.requests] == [4, 4, 2]


@pytest.mark.parametrize(
    "answer",
    [
        Answer(503, {}, b""),
        Answer(200, {}, b"<html>"),
        Answer(200, {}, b'{"status": true, "result": []}'),
        Answer(200, {}, b'{"status": true, "result": [{"status": true}]}'),
        Answer(200, {}, b'{"status": true, "result": 1}'),
    ],
)
async def test_an_answer_that_is_not_about_the_posts_says_nothing_about_them(answer: Answer) -> None:
    registry = Registry()
    registry.answer = answer
    with pytest.raises(TransientError):
        await Bulk(registry).post(build_post())


class BulkServer(Server):
    """A server that takes many posts at once, or a test's answer in place of that."""

    def __init__(self, *, status: int = 200) -> None:
        super().__init__(httpx.Response(200, json={"status": True, "result": "1 Data Added"}))
        self.status = status
        self.bulk: list[dict[str, Any]] = []
        self.entry: dict[str, Any] = {"code": 200, "status": True, "result": "1 Data Added"}

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if request.url.path == "/data/bulk":
            posts = orjson.loads(request.content)["posts"]
            self.bulk.extend(posts)
            return httpx.Response(self.status, json={"status": True, "result": [self.entry] * len(posts)})
        response = super().__call__(request)
        return httpx.Response(response.status_code, content=response.content, headers={"Sluice-Bulk": "/data/bulk"})


async def test_posts_travel_together_once_the_downstream_has_said_that_it_takes_that() -> None:
    server = BulkServer()
    downstream = build_downstream(server)
    await downstream.post(build_post(0))
    await downstream.post(build_post(1))
    assert (len(server.requests), len(server.bulk)) == (1, 1)


async def test_each_post_of_many_is_classified_by_its_own_answer() -> None:
    server = BulkServer()
    downstream = build_downstream(server)
    await downstream.post(build_post(0))
    server.entry = {"code": 400, "status": False, "message": "the value of device-1 is refused"}
    with pytest.raises(RejectedError, match=r"400: the value of \*\*\* is refused"):
        await downstream.post(build_post(1))


@pytest.mark.parametrize("status", [404, 405, 500])
async def test_when_many_at_once_fail_each_is_posted_by_itself(status: int) -> None:
    server = BulkServer(status=status)
    downstream = build_downstream(server)
    await downstream.post(build_post(0))
    await downstream.post(build_post(1))
    assert (len(server.bulk), len(server.requests)) == (1, 2)
    server.answers = [httpx.Response(400, json=NO)]
    with pytest.raises(RejectedError):
        await downstream.post(build_post(2))
    await downstream.breaker.stop()


async def test_many_at_once_that_are_throttled_wait_and_are_not_posted_one_by_one() -> None:
    server = BulkServer(status=429)
    downstream = build_downstream(server)
    await downstream.post(build_post(0))
    with pytest.raises(ThrottledError):
        await downstream.post(build_post(1))
    assert len(server.requests) == 1


async def test_a_request_that_fails_as_a_whole_is_not_so_many_devices_failing() -> None:
    server = BulkServer(status=413)
    downstream = build_downstream(server)
    await downstream.post(build_post(0))
    await asyncio.gather(*(downstream.post(build_post(n)) for n in range(10)))
    assert not downstream.breaker._failing
    await downstream.breaker.stop()
