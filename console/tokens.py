"""Tokens of networks and devices: each is shown once, when it is created, and listed without itself afterwards."""

from starlette.responses import Response
from starlette.routing import Route

from common.registry_requests import Document
from console.refusal import RefusedError, not_found
from console.things import Kind, confirm
from console.visit import Reception, Visit


class TokenRoutes:
    """What is done with the tokens of one kind of thing."""

    def __init__(self, reception: Reception, kind: Kind) -> None:
        self._reception = reception
        self._kind = kind
        self._path = f"{kind.pages}/{{thing}}/tokens"

    @property
    def routes(self) -> list[Route]:
        """What there is to be done."""
        admit = self._reception.admit
        removal = f"{self._path}/{{token}}/remove"
        return [
            Route(self._path, admit(self._create), methods=["POST"]),
            Route(removal, admit(self._ask), methods=["GET"]),
            Route(removal, admit(self._remove), methods=["POST"]),
        ]

    async def _create(self, visit: Visit) -> Response:
        thing, back = visit.path("thing"), f"{self._kind.page(visit.path('thing'))}#tokens"
        new = {self._kind.word: thing, "name": visit.form.text("token_name")}
        if self._kind.word == "device":
            new["permission"] = visit.form.text("permission") or "full"
        try:
            created = await visit.api.create(f"{self._kind.api}/token", new)
        except RefusedError as refused:
            return visit.redirect(back, f"No token was created: {refused.message}", is_fault=True)
        warning = f"{created['message']}. " if "message" in created else ""
        said = f"{warning}The token {created['name']}:"
        return visit.redirect(back, said, secret=created["token"])

    async def _ask(self, visit: Visit) -> Response:
        token = await self._find(visit)
        return confirm(
            visit,
            f"Remove the token {token['name']}?",
            consequence="Whoever uses it is refused from the next request on.",
            verb="Remove the token",
            back=f"{self._kind.page(visit.path('thing'))}#tokens",
        )

    async def _remove(self, visit: Visit) -> Response:
        token = await self._find(visit)
        await visit.api.remove(self._kind.tokens_of(token["token"]))
        return visit.redirect(
            f"{self._kind.page(visit.path('thing'))}#tokens", f"The token {token['name']} was removed"
        )

    async def _find(self, visit: Visit) -> Document:
        """Give the token with the id in the path: the API names it by itself, which no page may hold."""
        tokens = await list_tokens(visit, self._kind, visit.path("thing"))
        found = next((token for token in tokens if token["id"] == visit.path("token")), None)
        if found is None:
            raise not_found("Token")
        return found


async def list_tokens(visit: Visit, kind: Kind, thing_id: str) -> list[Document]:
    """Give the tokens of one thing, with themselves: not for a page."""
    tokens: list[Document] = await visit.api.get(kind.tokens_of(thing_id), {"amount": "1000"})
    return tokens


def describe_tokens(tokens: list[Document]) -> list[Document]:
    """Leave the tokens themselves out, for a page."""
    return [{name: token[name] for name in ("id", "name", "permission", "created_at")} for token in tokens]
