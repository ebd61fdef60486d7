"""``/healthz``, ``/readyz`` and ``/metrics``, the same at every role."""

from collections.abc import Callable
from dataclasses import dataclass, field

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from common.metrics import REGISTRY


@dataclass(slots=True)
class Health:
    """How a role is. ``degraded`` gives what is away at the moment; a degraded role still serves."""

    role: str
    degraded: Callable[[], list[str]]
    started: bool = field(default=False)
    draining: bool = field(default=False)


def create_health_routes(health: Health) -> list[Route]:
    """Give the three routes.

    ``/healthz``: the process is alive. ``/readyz``: 200, with what is degraded named, so that a load balancer does not
    take every instance away while a broker restarts; 503 only before the role has started and while it drains.
    """

    async def healthz(_: Request) -> Response:
        return JSONResponse({"status": True, "role": health.role})

    async def readyz(_: Request) -> Response:
        ready = health.started and not health.draining
        document = {
            "status": ready,
            "role": health.role,
            "draining": health.draining,
            "degraded": health.degraded(),
        }
        return JSONResponse(document, status_code=200 if ready else 503)

    async def metrics(_: Request) -> Response:
        return Response(generate_latest(REGISTRY), headers={"Content-Type": CONTENT_TYPE_LATEST})

    return [Route("/healthz", healthz), Route("/readyz", readyz), Route("/metrics", metrics)]
