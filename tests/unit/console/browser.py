"""A browser without a screen: keeps cookies, follows redirects, and finds in a page what a form needs."""

import html
import re
from typing import Any

import httpx
from pydantic import SecretStr

SIGN_IN = "/sign-in"


class Browser:
    """One person's browser at the console."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self.client = client

    async def sign_in(self, token: SecretStr) -> httpx.Response:
        return await self.submit(SIGN_IN, on=SIGN_IN, token=token.get_secret_value())

    async def open(self, path: str, status: int = 200) -> str:
        """Give the text of a page."""
        response = await self.client.get(path)
        assert response.status_code == status, response.text
        return response.text

    async def submit(self, path: str, *, on: str = "/networks", **fields: Any) -> httpx.Response:
        """Send a form; ``on`` is the page that it stands on, and None among the fields is a box that is not ticked."""
        data = {name: value for name, value in fields.items() if value is not None}
        return await self.client.post(path, data={"form_token": await self.form_token(on), **data})

    async def form_token(self, on: str = "/networks") -> str:
        found = re.search(r'name="form_token" value="([^"]+)"', await self.open(on))
        assert found is not None
        return found[1]


def read_secret(page: str) -> str:
    """Give the token that a page shows."""
    found = re.search(r'<code class="secret">([^<]+)</code>', page)
    assert found is not None, page
    return html.unescape(found[1])


def read_text(page: str) -> str:
    """Give what a person reads of a page, in one line."""
    main = page[page.index("<main") :]
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", main)).split())
