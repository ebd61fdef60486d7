"""``amqps``: a real RabbitMQ that speaks TLS alone and asks for a certificate."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from common.ladder import Ladder
from common.queue import open_queue
from common.queue.protocol import Message, Queue, QueueUnavailableError
from common.tls import TlsError, TlsFiles
from tests.support.broker import BrokerMissingError, leave_out, tls_broker_container
from tests.support.certificates import Authority, Pair
from tests.support.waiting import eventually

pytestmark = [pytest.mark.rabbitmq, pytest.mark.docker]


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def own(authority: Authority) -> Pair:
    return authority.issue("sluice", "sluice.example.org")


@pytest.fixture(scope="module")
def url(authority: Authority, own: Pair) -> Iterator[str]:
    try:
        with tls_broker_container(authority, own) as url:
            yield url
    except BrokerMissingError as error:
        leave_out(str(error))


@asynccontextmanager
async def opened(url: str, prefix: str, tls: TlsFiles) -> AsyncIterator[Queue]:
    async with open_queue(
        url, prefix=prefix, ladder=Ladder(), dead_letter_age=timedelta(days=1), name=prefix, tls=tls
    ) as queue:
        yield queue


async def test_uplinks_are_published_and_consumed_over_tls(
    url: str, prefix: str, authority: Authority, own: Pair
) -> None:
    async with opened(url, prefix, TlsFiles(own.certificate, own.key, authority.path)) as queue:
        await queue.publish(Message(b"a", uplinks=1))
        async with queue.consume(prefetch=1) as deliveries:
            delivery = await anext(deliveries)
            assert delivery.message.body == b"a"


async def test_a_broker_of_an_authority_that_nobody_named_is_not_trusted_and_the_error_says_so(
    url: str, prefix: str, own: Pair, tmp_path: Path
) -> None:
    other = Authority(tmp_path / "other").path
    for tls in (TlsFiles(own.certificate, own.key), TlsFiles(own.certificate, own.key, other)):
        async with opened(url, prefix, tls) as queue:
            with pytest.raises(QueueUnavailableError, match=r"certificate is not trusted.*SLUICE_TLS_CA"):
                await queue.publish(Message(b"a", uplinks=1))


async def test_a_broker_that_asks_for_a_certificate_gets_none_where_none_is_set(
    url: str, prefix: str, authority: Authority
) -> None:
    async with opened(url, prefix, TlsFiles(authorities=authority.path)) as queue:
        with pytest.raises(QueueUnavailableError) as refused:
            await queue.publish(Message(b"a", uplinks=1))
        assert "certificate" in str(refused.value).lower()


async def test_files_that_are_renewed_are_found_by_the_next_connection(
    url: str, prefix: str, authority: Authority, own: Pair, tmp_path: Path
) -> None:
    authorities = tmp_path / "ca.pem"
    authorities.write_bytes(Authority(tmp_path / "other").path.read_bytes())
    async with opened(url, prefix, TlsFiles(own.certificate, own.key, authorities)) as queue:
        with pytest.raises(QueueUnavailableError):
            await queue.publish(Message(b"a", uplinks=1))
        authorities.write_bytes(authority.path.read_bytes())

        async def publish() -> bool:
            try:
                await queue.publish(Message(b"a", uplinks=1))
            except QueueUnavailableError:
                return False
            return True

        await eventually(publish)


async def test_files_that_cannot_be_read_are_an_error_at_once(prefix: str, tmp_path: Path) -> None:
    with pytest.raises(TlsError, match="nowhere"):
        async with opened("amqps://127.0.0.1:1/", prefix, TlsFiles(authorities=tmp_path / "nowhere")):
            pass
