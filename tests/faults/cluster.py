"""Three RabbitMQ nodes that form one cluster, in containers of their own."""

import asyncio
import json
import uuid
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial

from testcontainers.core.container import DockerContainer
from testcontainers.core.network import Network

from tests.support.broker import AMQP_PORT, BOOT_SECONDS, IMAGE, BrokerMissingError, takes_login
from tests.support.waiting import eventually

NODES = ("one", "two", "three")


class Cluster:
    """The nodes by name, those that were killed included."""

    def __init__(self, containers: Sequence[DockerContainer]) -> None:
        self._containers = dict(zip(NODES, containers, strict=True))
        self._alive = list(NODES)
        self.urls = [_url_of(container) for container in containers]

    @property
    def version(self) -> str:
        """RabbitMQ's."""
        return self._control("version").strip()

    def form(self) -> None:
        """Have the second and the third node join the first."""
        for node in NODES[1:]:
            for command in (["stop_app"], ["reset"], ["join_cluster", f"rabbit@{NODES[0]}"], ["start_app"]):
                self._control(*command, node=node)

    def find_leader(self, queue: str) -> str:
        """Give the node that leads a quorum queue."""
        listing = self._control("list_queues", "name", "leader", "--formatter", "json", "--quiet")
        (leader,) = [str(entry["leader"]) for entry in json.loads(listing) if entry["name"] == queue]
        return leader.removeprefix("rabbit@")

    def kill(self, node: str) -> None:
        """End a node as a power cut would."""
        self._containers[node].get_wrapped_container().kill()
        self._alive.remove(node)

    def _control(self, *arguments: str, node: str | None = None) -> str:
        code, output = self._containers[node or self._alive[0]].exec(["rabbitmqctl", *arguments])
        if code != 0:
            raise RuntimeError(output.decode())
        return str(output.decode())


@contextmanager
def cluster_of_three() -> Iterator[Cluster]:
    """Start three nodes, join them, and remove them. Raises :class:`BrokerMissingError` where that cannot be done."""
    cookie = uuid.uuid4().hex
    with ExitStack() as stack:
        try:
            network = stack.enter_context(Network())
            containers = [stack.enter_context(_describe(node, cookie, network)) for node in NODES]
        except Exception as error:
            raise BrokerMissingError(f"Docker starts no cluster of {IMAGE} ({type(error).__name__})") from error
        cluster = Cluster(containers)
        for url in cluster.urls:
            asyncio.run(eventually(partial(takes_login, url), within=BOOT_SECONDS, poll=0.3))
        cluster.form()
        yield cluster


def _describe(node: str, cookie: str, network: Network) -> DockerContainer:
    container = DockerContainer(IMAGE).with_network(network).with_network_aliases(node).with_kwargs(hostname=node)
    return container.with_env("RABBITMQ_ERLANG_COOKIE", cookie).with_exposed_ports(AMQP_PORT)


def _url_of(container: DockerContainer) -> str:
    host, port = container.get_container_host_ip(), container.get_exposed_port(AMQP_PORT)
    return f"amqp://guest:guest@{host}:{port}/"
