"""Requests that come whole, without a server."""

import asyncio

import httpx

from common.direct_http import DirectApp, WholeAnswer, WholeRequest


class _Sender:
    """What a request is answered to: in a server, the connection."""

    def __init__(self) -> None:
        self.answered: asyncio.Future[WholeAnswer] = asyncio.get_running_loop().create_future()

    def write_answer(self, answer: WholeAnswer, *, keep_alive: bool) -> None:
        assert keep_alive
        self.answered.set_result(answer)


class WholeTransport(httpx.AsyncBaseTransport):
    """Hands over what the server would find to be whole; the rest goes through ASGI."""

    def __init__(self, app: DirectApp) -> None:
        self._app = app
        self._asgi = httpx.ASGITransport(app)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        path, _, query = request.url.raw_path.partition(b"?")
        if request.method != "POST" or path != self._app.direct_path:
            return await self._asgi.handle_async_request(request)
        lines = [(name.lower(), value) for name, value in request.headers.raw]
        head = {"type": "http", "method": "POST", "path": path.decode(), "query_string": query, "headers": lines}
        sender = _Sender()
        self._app.take(WholeRequest(sender, head, await request.aread()))
        answer = await sender.answered
        headers = {"content-type": "application/json", **answer.headers}  # the former as the server writes it
        return httpx.Response(answer.status, headers=headers, content=answer.body)
