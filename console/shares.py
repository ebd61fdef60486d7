"""Sharing: which other profiles may use a network or a connector."""

from starlette.responses import Response
from starlette.routing import Route

from console.refusal import RefusedError
from console.things import Kind, confirm
from console.visit import Reception, Visit


class ShareRoutes:
    """What owners do with the shares of one kind of thing."""

    def __init__(self, reception: Reception, kind: Kind) -> None:
        self._reception = reception
        self._kind = kind
        self._path = f"{kind.pages}/{{thing}}/shares"

    @property
    def routes(self) -> list[Route]:
        """What there is to be done."""
        admit = self._reception.admit
        removal = f"{self._path}/{{profile}}/remove"
        return [
            Route(self._path, admit(self._share), methods=["POST"]),
            Route(removal, admit(self._ask), methods=["GET"]),
            Route(removal, admit(self._withdraw), methods=["POST"]),
        ]

    async def _share(self, visit: Visit) -> Response:
        thing, back = visit.path("thing"), f"{self._kind.page(visit.path('thing'))}#sharing"
        try:
            await visit.api.create(f"{self._kind.at(thing)}/share", {"profile": visit.form.text("share_profile")})
        except RefusedError as refused:
            return visit.redirect(back, f"Not shared: {refused.message}", is_fault=True)
        return visit.redirect(back, f"The {self._kind.word} is shared")

    async def _ask(self, visit: Visit) -> Response:
        return confirm(
            visit,
            "End this share?",
            consequence=f"The profile {visit.path('profile')} can use the {self._kind.word} no longer, at once.",
            verb="End the share",
            back=f"{self._kind.page(visit.path('thing'))}#sharing",
        )

    async def _withdraw(self, visit: Visit) -> Response:
        thing = visit.path("thing")
        await visit.api.remove(self._kind.share_with(thing, visit.path("profile")))
        return visit.redirect(f"{self._kind.page(thing)}#sharing", "The share has ended")
