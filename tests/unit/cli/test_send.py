"""``sluice send``: what it posts, what it tries again, and what it tells."""

import gzip
import io
from collections.abc import Callable, Iterable
from pathlib import Path
from types import SimpleNamespace

import aiohttp
import httpx
import orjson
import pytest
from cyclopts import App
from cyclopts.exceptions import CycloptsError
from rich.console import Console

from cli import send as module
from cli.send import (
    Answer,
    AnswerCount,
    Sender,
    find_percentile,
    generate_bodies,
    read_answer,
    read_bodies,
    send,
    summarize,
    tabulate_answers,
)

URL = "http://ingest/uplink"


class Ingest:
    """Answers with each of ``answers`` in turn, then with the last again and again; keeps the requests."""

    def __init__(self, *answers: httpx.Response | Exception) -> None:
        self.requests: list[httpx.Request] = []
        self._answers = list(answers)

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if isinstance(answer, Exception):
            raise answer
        return httpx.Response(answer.status_code, headers=answer.headers, content=answer.content)

    async def post(self, bodies: Iterable[bytes], *, patience: float = 60.0, at_once: int = 4) -> list[Answer]:
        async with httpx.AsyncClient(transport=httpx.MockTransport(self)) as client:
            return await Sender(client, URL, patience=patience).send_all(bodies, at_once=at_once)


def accepted(uplinks: int = 1) -> httpx.Response:
    return httpx.Response(202, json={"status": True, "result": f"{uplinks} uplinks accepted", "group": "6a1f"})


def refused(status: int, reason: str, message: str = "no", **headers: str) -> httpx.Response:
    document = {"status": False, "message": message, "reason": reason}
    return httpx.Response(status, json=document, headers={name.replace("_", "-"): v for name, v in headers.items()})


def answer_of(status: int | None, reason: str | None = None, message: str = "", **fields: float) -> Answer:
    return Answer(status, reason, message, int(fields.get("uplinks", 0)), fields.get("seconds", 0.0))


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    """Run the command line against an ingest, and give the exit code."""

    def run(ingest: Ingest, *arguments: str) -> int:
        def create_client(**options: object) -> httpx.AsyncClient:
            return httpx.AsyncClient(transport=httpx.MockTransport(ingest), headers=options["headers"])  # type: ignore[arg-type]

        monkeypatch.setattr(module, "HttpxAiohttpClient", create_client)
        app = App(name="sluice", result_action="return_value", exit_on_error=False, print_error=False)
        app.command(send)
        exit_code = app(["send", *arguments])
        assert isinstance(exit_code, int)
        return exit_code

    monkeypatch.setenv("SLUICE_AUTHORIZATION", "at-factory")
    return run


def test_generated_uplinks_are_as_many_as_asked_for_in_batches() -> None:
    sizes = [len(orjson.loads(body)) for body in generate_bodies(25, batch=10, devices=7, run="r")]
    assert sizes == [10, 10, 5]


def test_each_generated_uplink_has_a_mark_of_its_own_and_another_one_in_another_run() -> None:
    marks = [
        uplink["mark"]
        for run in ("first", "second")
        for body in generate_bodies(25, batch=10, devices=7, run=run)
        for uplink in orjson.loads(body)
    ]
    assert len(set(marks)) == 50


def test_generated_uplinks_come_from_the_devices_in_turn() -> None:
    [body] = generate_bodies(5, batch=10, devices=3, run="r")
    serials = [uplink["serial"] for uplink in orjson.loads(body)]
    assert serials == [f"{number:016X}" for number in (0, 1, 2, 0, 1)]


def test_a_json_file_is_one_request_as_it_is(tmp_path: Path) -> None:
    file = tmp_path / "broken.json"
    file.write_bytes(b'[{"serial": "1"},\n')
    assert read_bodies([file]) == [b'[{"serial": "1"},\n']


@pytest.mark.parametrize("suffix", ["ndjson", "jsonl"])
def test_each_line_of_a_file_of_lines_is_one_request(tmp_path: Path, suffix: str) -> None:
    file = tmp_path / f"uplinks.{suffix}"
    file.write_bytes(b'{"serial": "1"}\n\n[{"serial": "2"}]\r\n{"serial": "3"}')
    assert read_bodies([file]) == [b'{"serial": "1"}', b'[{"serial": "2"}]', b'{"serial": "3"}']


def test_a_dash_is_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=io.BytesIO(b'{"serial": "1"}')))
    assert read_bodies([Path("-")]) == [b'{"serial": "1"}']


async def test_every_body_is_posted_once() -> None:
    ingest = Ingest(accepted())
    bodies = [b"%d" % number for number in range(20)]
    answers = await ingest.post(bodies)
    assert sorted(request.content for request in ingest.requests) == sorted(bodies)
    assert [answer.status for answer in answers] == [202] * 20


@pytest.mark.parametrize(
    "failure",
    [
        refused(429, "rate_exceeded", Retry_After="0"),
        refused(503, "queue_unavailable", Retry_After="0"),
    ],
    ids=["429", "503"],
)
async def test_what_may_succeed_later_is_tried_again_until_it_is_accepted(failure: httpx.Response) -> None:
    [answer] = await Ingest(failure, failure, accepted()).post([b"{}"])
    assert (answer.status, answer.tries) == (202, 3)


@pytest.mark.parametrize(
    "error", [httpx.ConnectError("refused"), httpx.ReadTimeout("late"), aiohttp.ClientError("not mapped")]
)
async def test_a_request_that_nobody_answers_is_tried_again(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PAUSE_SECONDS", 0.0)
    [answer] = await Ingest(error, accepted()).post([b"{}"])
    assert (answer.status, answer.tries) == (202, 2)


async def test_all_tries_of_a_request_carry_the_same_idempotency_key_and_no_other_request_does() -> None:
    ingest = Ingest(refused(503, "queue_unavailable", Retry_After="0"), accepted())
    await ingest.post([b"1", b"2"], at_once=1)
    first, again, other = (request.headers["Idempotency-Key"] for request in ingest.requests)
    assert first == again
    assert first != other


@pytest.mark.parametrize("failure", [refused(503, "queue_full", Retry_After="5"), httpx.ConnectError("refused")])
async def test_nothing_is_tried_again_beyond_the_patience(failure: httpx.Response | Exception) -> None:
    ingest = Ingest(failure)
    [answer] = await ingest.post([b"{}"], patience=0.5)
    assert len(ingest.requests) == 1
    assert answer.status in {503, None}


@pytest.mark.parametrize("status", [400, 401, 403, 404, 413, 415, 500])
async def test_any_other_answer_is_the_last(status: int) -> None:
    ingest = Ingest(refused(status, "some_reason", "what to mend"))
    [answer] = await ingest.post([b"{}"])
    assert len(ingest.requests) == 1
    assert (answer.status, answer.reason, answer.message) == (status, "some_reason", "what to mend")


@pytest.mark.parametrize(("result", "uplinks"), [("1 uplink accepted", 1), ("1000 uplinks accepted", 1000), (None, 0)])
def test_the_number_of_accepted_uplinks_is_the_one_that_the_ingest_says(result: str | None, uplinks: int) -> None:
    answer = read_answer(httpx.Response(202, json={"status": True, "result": result}), seconds=0.1)
    assert answer.uplinks == uplinks


@pytest.mark.parametrize("content", [b"<html>Bad Gateway</html>", b"[]", b'"text"'])
def test_an_answer_that_is_not_the_ingests_is_shown_as_it_came(content: bytes) -> None:
    answer = read_answer(httpx.Response(502, content=content), seconds=0.1)
    assert (answer.status, answer.reason, answer.message) == (502, None, content.decode())


@pytest.mark.parametrize(("header", "seconds"), [("7", 7.0), ("soon", 1.0), (None, 1.0)])
def test_the_wait_is_what_retry_after_says_and_a_second_without(header: str | None, seconds: float) -> None:
    headers = {} if header is None else {"Retry-After": header}
    assert read_answer(httpx.Response(503, headers=headers), seconds=0.1).retry_after == seconds


def test_the_summary_counts_answers_by_status_and_reason_with_the_first_message_of_each() -> None:
    answers = [
        answer_of(400, "serial_missing", "uplink 3"),
        answer_of(202, uplinks=10),
        answer_of(400, "serial_missing", "uplink 7"),
        answer_of(400, "body_malformed", "line 1"),
        answer_of(202, uplinks=10),
        answer_of(202, uplinks=5),
    ]
    summary = summarize(answers, seconds=5.0)
    assert summary.answers == [
        AnswerCount(202, None, "", 3),
        AnswerCount(400, "serial_missing", "uplink 3", 2),
        AnswerCount(400, "body_malformed", "line 1", 1),
    ]
    assert (summary.uplinks_accepted, summary.uplinks_per_second) == (25, 5.0)


def test_the_summary_counts_the_tries_beyond_the_first() -> None:
    answers = [Answer(202, tries=1), Answer(202, tries=3), Answer(None, tries=2)]
    assert summarize(answers, seconds=1.0).tried_again == 3


def test_what_nobody_answered_has_no_answer_time() -> None:
    answers = [answer_of(202, seconds=0.2), answer_of(None, seconds=0.0)]
    assert summarize(answers, seconds=1.0).answer_seconds_p50 == 0.2
    assert summarize(answers[1:], seconds=1.0).answer_seconds_p99 is None


@pytest.mark.parametrize(("count", "percent", "value"), [(1, 99, 1), (2, 50, 1), (100, 50, 50), (100, 99, 99)])
def test_a_percentile_is_the_smallest_value_that_so_many_percent_do_not_exceed(
    count: int, percent: int, value: int
) -> None:
    assert find_percentile(range(1, count + 1), percent) == value


def test_a_message_with_brackets_is_shown_as_it_is() -> None:
    console = Console(file=io.StringIO(), width=100)
    console.print(tabulate_answers(summarize([answer_of(400, "item_not_object", "item [0] is [red]")], seconds=1.0)))
    assert isinstance(console.file, io.StringIO)
    assert "item [0] is [red]" in console.file.getvalue()


def test_the_exit_code_is_0_when_everything_was_accepted(
    run: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    ingest = Ingest(accepted(10))
    assert run(ingest, "--generate", "30", "--json") == 0
    summary = orjson.loads(capsys.readouterr().out)
    assert summary["uplinks_accepted"] == 30
    assert summary["answers"] == [{"status": 202, "reason": None, "message": "", "requests": 3}]


def test_the_exit_code_is_1_when_one_request_was_not_accepted(
    run: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    ingest = Ingest(accepted(), refused(400, "serial_missing", "uplink 0 has no serial"), accepted())
    assert run(ingest, "--generate", "30", "--senders", "1") == 1
    assert "uplink 0 has no serial" in capsys.readouterr().out


def test_an_answer_of_200_is_no_promise(run: Callable[..., int]) -> None:
    assert run(Ingest(httpx.Response(200, text="Welcome")), "--generate", "1") == 1


def test_requests_carry_the_authorization_from_the_environment(run: Callable[..., int]) -> None:
    ingest = Ingest(accepted())
    run(ingest, "--generate", "1")
    headers = ingest.requests[0].headers
    assert (headers["Authorization"], headers["Content-Type"]) == ("at-factory", "application/json")
    assert "Content-Encoding" not in headers


def test_compressed_bodies_say_so(run: Callable[..., int], tmp_path: Path) -> None:
    file = tmp_path / "uplink.json"
    file.write_bytes(b'{"serial": "1"}')
    ingest = Ingest(accepted())
    run(ingest, str(file), "--gzip")
    assert ingest.requests[0].headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(ingest.requests[0].content) == b'{"serial": "1"}'


def test_a_file_that_is_not_there_is_said_before_anything_is_posted(
    run: Callable[..., int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    present = tmp_path / "present.json"
    present.write_bytes(b"{}")
    ingest = Ingest(accepted())
    assert run(ingest, str(present), str(tmp_path / "absent.json")) == 1
    assert "absent.json" in capsys.readouterr().err
    assert ingest.requests == []


@pytest.mark.parametrize("arguments", [(), ("uplink.json", "--generate", "1")], ids=["neither", "both"])
def test_uplinks_come_from_files_or_are_generated_never_both(run: Callable[..., int], arguments: tuple[str]) -> None:
    with pytest.raises(CycloptsError, match="either files or --generate"):
        run(Ingest(accepted()), *arguments)


@pytest.mark.parametrize("url", ["ingest/uplink", "ftp://ingest/uplink", "http:///uplink"])
def test_a_url_that_cannot_be_posted_to_is_refused_at_once(run: Callable[..., int], url: str) -> None:
    with pytest.raises(CycloptsError, match="http://"):
        run(Ingest(accepted()), "--generate", "1", "--url", url)
