"""Where the RabbitMQ for tests is.

``SLUICE_TEST_AMQP_URL`` when it is set; else a container of our own, when a Docker engine answers; else one on this
machine. The tests that restart a broker or starve it use a container of our own in every case.
"""

import asyncio
import os
import socket
import ssl
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from typing import NoReturn, cast

import aio_pika
import pytest
from testcontainers.core.config import testcontainers_config
from testcontainers.core.container import DockerContainer

from tests.support.certificates import Authority, Pair
from tests.support.waiting import eventually

IMAGE = "rabbitmq:4-management"
LOCAL_URL = "amqp://guest:guest@127.0.0.1:5672/"
URL_VARIABLE = "SLUICE_TEST_AMQP_URL"
AMQP_PORT = 5672
AMQPS_PORT = 5671
BOOT_SECONDS = 90.0
PROBE_SECONDS = 5.0


class BrokerMissingError(Exception):
    """There is no broker to test against, for this reason."""


class BrokerContainer:
    """A RabbitMQ that the tests may do anything to."""

    def __init__(self, container: DockerContainer, url: str) -> None:
        self._container = container
        self.url = url

    def control(self, *arguments: str) -> str:
        """Run ``rabbitmqctl`` and give its output; raises RuntimeError with the output when it fails."""
        code, output = self._container.exec(["rabbitmqctl", *arguments])
        if code != 0:
            raise RuntimeError(output.decode())
        return str(output.decode())

    def restart(self) -> None:
        """Stop the broker and start it again with the same data; its URL stays."""
        self._container.get_wrapped_container().restart()

    def kill(self) -> None:
        """End the broker as a power cut would: kill -9."""
        self._container.get_wrapped_container().kill()

    def start(self) -> None:
        """Start the broker that was killed, with the same data; it takes logins some seconds later."""
        self._container.get_wrapped_container().start()


@contextmanager
def broker_container() -> Iterator[BrokerContainer]:
    """Start a container of our own, and remove it. Raises :class:`BrokerMissingError` where that cannot be done."""
    with _container(AMQP_PORT, {}) as (container, address):
        url = f"amqp://guest:guest@{address}/"
        asyncio.run(eventually(lambda: takes_login(url), within=BOOT_SECONDS, poll=0.3))
        yield BrokerContainer(container, url)


@contextmanager
def tls_broker_container(authority: Authority, client: Pair) -> Iterator[str]:
    """Start a container that speaks AMQP over TLS alone, and only to who shows a certificate of the authority.

    Gives its URL, on this machine's loopback, which its certificate is for. Raises :class:`BrokerMissingError` where
    that cannot be done.
    """
    folder = authority.path.parent
    pair = authority.issue("broker")
    configuration = folder / "tls.conf"
    configuration.write_text(
        "listeners.tcp = none\n"
        f"listeners.ssl.default = {AMQPS_PORT}\n"
        f"ssl_options.cacertfile = /tls/{authority.path.name}\n"
        f"ssl_options.certfile = /tls/{pair.certificate.name}\n"
        f"ssl_options.keyfile = /tls/{pair.key.name}\n"
        "ssl_options.verify = verify_peer\n"
        "ssl_options.fail_if_no_peer_cert = true\n"
    )
    folder.chmod(0o755)  # the broker is another user than whoever made the files
    for path in folder.iterdir():
        path.chmod(0o644)
    volumes = {str(folder): "/tls", str(configuration): "/etc/rabbitmq/conf.d/90-tls.conf"}
    context = ssl.create_default_context(cafile=authority.path)
    context.load_cert_chain(client.certificate, client.key)
    with _container(AMQPS_PORT, volumes) as (_, address):
        url = f"amqps://guest:guest@127.0.0.1:{address.rpartition(':')[2]}/"
        asyncio.run(eventually(lambda: takes_login(url, context), within=BOOT_SECONDS, poll=0.3))
        yield url


@contextmanager
def _container(port: int, volumes: Mapping[str, str]) -> Iterator[tuple[DockerContainer, str]]:
    """Run a broker whose ``port`` is open to this machine; give the container, and ``host:port`` from outside."""
    # The reaper would be a second image to fetch, and what is started here is removed here.
    testcontainers_config.ryuk_disabled = True
    # A fixed port: one that Docker chooses is another after a restart.
    with closing(socket.create_server(("127.0.0.1", 0))) as free:
        outside = cast("int", free.getsockname()[1])
    with ExitStack() as stack:
        try:
            described = DockerContainer(IMAGE).with_bind_ports(port, outside)
            for source, target in volumes.items():
                described.with_volume_mapping(source, target)
            container = stack.enter_context(described)
        except Exception as error:
            raise BrokerMissingError(f"Docker starts no container of {IMAGE} ({type(error).__name__})") from error
        yield container, f"{container.get_container_host_ip()}:{outside}"


def find_broker(start_container: Callable[[], BrokerContainer]) -> str:
    """Give the URL of a broker that answers; raises :class:`BrokerMissingError`."""
    if url := os.environ.get(URL_VARIABLE):
        if not asyncio.run(takes_login(url)):
            pytest.fail(f"the broker of {URL_VARIABLE} does not answer")
        return url
    try:
        return start_container().url
    except BrokerMissingError as error:
        if asyncio.run(takes_login(LOCAL_URL)):
            return LOCAL_URL
        raise BrokerMissingError(f"{URL_VARIABLE} is not set, {error}, nothing answers at {LOCAL_URL}") from error


def leave_out(why: str) -> NoReturn:
    """Skip the test that asks, and let the summary say so; fail it where everything has to be tested."""
    if os.environ.get("CI") == "true":
        pytest.fail(why)
    pytest.skip(why)


async def takes_login(url: str, context: ssl.SSLContext | None = None) -> bool:
    """Whether a broker takes a login at ``url``: the port of a container is open long before its broker is up."""
    connection = aio_pika.Connection(aio_pika.connection.make_url(url), ssl_context=context)
    try:
        await connection.connect(timeout=PROBE_SECONDS)
    except (*aio_pika.exceptions.CONNECTION_EXCEPTIONS, TimeoutError):
        return False
    else:
        return True
    finally:
        await connection.close()
