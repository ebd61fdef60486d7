import asyncio
from collections.abc import Iterable
from typing import Any

import httpx
import orjson
import pytest

from tests.support.uplinks import build_mapped, build_resolved, build_uplinks
from tests.support.waiting import eventually
from tests.unit.workers.test_downstream import Server, build_downstream
from workers import bulk as module
from workers.answers import Answer, RejectedError, Statement, ThrottledError, TransientError
from workers.bulk import Bulk, Said
from workers.downstream import Downstream, Receipt
from workers.grouping import Post, group_into_posts

UPLINKS = build_uplinks(10)


def build_post(index: int = 0) -> Post:
    (post,), _ = group_into_posts([build_resolved(build_mapped(UPLINKS[index]), token=f"device-{index}")])
    return post


def build_posts(indexes: Iterable[int]) -> list[Post]:
    return [build_post(index) for index in indexes]


def results_of(said: Iterable[Said]) -> list[Any]:
    return [each.document["result"] for each in said if isinstance(each, Statement)]


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
    answers = await asyncio.gather(bulk.post(build_posts(range(4))), bulk.post(build_posts(range(4, 10))))
    assert [results_of(part) for part in answers] == [
        [f"device-{n}" for n in range(4)],
        [f"device-{n}" for n in range(4, 10)],
    ]
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
        posting.append(asyncio.create_task(bulk.post([build_post(n)])))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
    registry.may_answer.set()
    await asyncio.gather(*posting)
    assert [len(posts) for posts in registry.requests] == [1, 1, 8]


@pytest.mark.parametrize("apart", [1, 3, 10], ids="{} posts of one sender".format)
async def test_a_request_is_bounded(monkeypatch: pytest.MonkeyPatch, apart: int) -> None:
    monkeypatch.setattr(module, "POSTS_PER_REQUEST", 4)
    registry = Registry()
    bulk = Bulk(registry)
    parts = [build_posts(range(first, min(first + apart, 10))) for first in range(0, 10, apart)]
    answers = await asyncio.gather(*(bulk.post(part) for part in parts))
    assert [result for part in answers for result in results_of(part)] == [f"device-{n}" for n in range(10)]
    assert [len(posts) for posts in registry.requests] == {1: [4, 4, 2], 3: [3, 3, 4], 10: [4, 4, 2]}[apart]


async def test_a_request_is_bounded_by_its_bytes_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BYTES_PER_REQUEST", 2 * len(build_post().body))
    registry = Registry()
    bulk = Bulk(registry)
    await asyncio.gather(bulk.post(build_posts(range(5))), bulk.post(build_posts(range(5, 6))))
    assert [len(posts) for posts in registry.requests] == [2, 2, 2]


async def test_who_waits_no_longer_takes_nothing_from_the_others() -> None:
    registry = Registry()
    registry.may_answer.clear()
    bulk = Bulk(registry)
    gone, waiting = (asyncio.create_task(bulk.post([build_post(n)])) for n in range(2))
    await eventually(lambda: registry.requests)
    gone.cancel()
    registry.may_answer.set()
    assert results_of(await waiting) == ["device-1"]


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
    said = await Bulk(registry).post(build_posts(range(2)))
    assert [type(each) for each in said] == [TransientError] * 2


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


def build_serving(server: BulkServer) -> Downstream:
    """Give a downstream that has said already that it takes many posts at once."""
    downstream = build_downstream(server)
    downstream._bulk_path = "/data/bulk"
    return downstream


async def test_posts_travel_together_once_the_downstream_has_said_that_it_takes_that() -> None:
    server = BulkServer()
    downstream = build_downstream(server)
    assert await downstream.post_together(build_posts(range(2))) == [None, None]
    await downstream.post(build_post(0))
    assert await downstream.post_together(build_posts(range(2))) == [Receipt("1 Data Added")] * 2
    assert (len(server.requests), len(server.bulk)) == (1, 2)


async def test_each_post_of_many_is_classified_by_its_own_answer() -> None:
    server = BulkServer()
    server.entry = {"code": 400, "status": False, "message": "the value of device-1 is refused"}
    (refused,) = await build_serving(server).post_together([build_post(1)])
    assert isinstance(refused, RejectedError)
    assert str(refused) == "400: the value of *** is refused"


async def test_a_post_of_many_whose_answer_says_nothing_about_it_is_left_for_itself() -> None:
    server = BulkServer()
    server.entry = {"code": 503, "status": False, "message": "not now"}
    downstream = build_serving(server)
    assert await downstream.post_together(build_posts(range(2))) == [None, None]
    await downstream.breaker.stop()


@pytest.mark.parametrize("status", [404, 405, 500])
async def test_when_many_at_once_fail_each_is_left_for_itself(status: int) -> None:
    server = BulkServer(status=status)
    downstream = build_serving(server)
    assert await downstream.post_together(build_posts(range(2))) == [None, None]
    assert await downstream.post_together(build_posts(range(2))) == [None, None]
    assert len(server.bulk) == (2 if status in {404, 405} else 4), "who has not the route is not asked again"
    await downstream.breaker.stop()


async def test_many_at_once_that_are_throttled_set_their_profile_to_zero() -> None:
    server = BulkServer(status=429)
    downstream = build_serving(server)
    said = await downstream.post_together(build_posts(range(2)))
    assert [type(each) for each in said] == [ThrottledError] * 2
    assert await downstream.post_together([build_post(2)]) == [None], "it has to wait for its turn now"
    assert len(server.bulk) == 2


async def test_while_the_breaker_is_open_nothing_is_posted_together() -> None:
    server = BulkServer()
    downstream = build_serving(server)
    downstream.breaker._open("gone")
    assert await downstream.post_together([build_post()]) == [None]
    assert server.bulk == []


async def test_a_request_that_fails_as_a_whole_is_not_so_many_devices_failing() -> None:
    downstream = build_serving(BulkServer(status=413))
    await downstream.post_together(build_posts(range(10)))
    assert not downstream.breaker._failing
    await downstream.breaker.stop()
