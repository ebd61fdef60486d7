"""Removing: asked first, and then done, for every kind of thing."""

from starlette.responses import Response
from starlette.routing import Route

from console.refusal import RefusedError
from console.things import Kind, confirm
from console.visit import Reception, Visit


class RemovalRoutes:
    """What is asked before one of a kind goes, with what that means and what the button says, and its going."""

    def __init__(self, reception: Reception, kind: Kind, *, consequence: str, verb: str) -> None:
        self._reception = reception
        self._kind = kind
        self._consequence = consequence
        self._verb = verb

    @property
    def routes(self) -> list[Route]:
        """What there is to be done."""
        path, admit = f"{self._kind.pages}/{{thing}}/remove", self._reception.admit
        return [
            Route(path, admit(self._ask), methods=["GET"]),
            Route(path, admit(self._remove), methods=["POST"]),
        ]

    async def _ask(self, visit: Visit) -> Response:
        thing = await visit.api.get(self._kind.at(visit.path("thing")))
        return confirm(
            visit,
            f"Remove the {self._kind.word} {thing['name']}?",
            consequence=self._consequence,
            verb=self._verb,
            back=self._kind.page(thing["id"]),
        )

    async def _remove(self, visit: Visit) -> Response:
        """Remove it; where something still uses it, its page says what."""
        thing_id = visit.path("thing")
        try:
            await visit.api.remove(self._kind.at(thing_id))
        except RefusedError as refused:
            return visit.redirect(self._kind.page(thing_id), f"Not removed: {refused.message}", is_fault=True)
        return visit.redirect(self._kind.pages, f"The {self._kind.word} was removed")
