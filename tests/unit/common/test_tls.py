"""TLS from files: who is trusted, what is shown, and what is wrong with a file."""

import asyncio
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization

from common import metrics
from common.tls import NO_FILES, ServerTls, TlsError, TlsFiles, create_client_context, explain_distrust
from tests.support.certificates import Authority, Pair


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path / "authority")


@pytest.fixture
def pair(authority: Authority) -> Pair:
    return authority.issue("server")


async def shake_hands(server: ssl.SSLContext | None, client: ssl.SSLContext, *, host: str = "127.0.0.1") -> str:
    """Connect over TLS; give the serial number of the certificate that the server showed."""

    async def close(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    listening = await asyncio.start_server(close, "127.0.0.1", 0, ssl=server)
    port = listening.sockets[0].getsockname()[1]
    async with listening:
        reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=client, server_hostname=host)
        shown = writer.get_extra_info("peercert")["serialNumber"]
        await reader.read()
        writer.close()
        return str(shown)


def serve(pair: Pair) -> ServerTls:
    return ServerTls(TlsFiles(pair.certificate, pair.key))


async def test_a_client_trusts_the_authorities_of_the_file(authority: Authority, pair: Pair) -> None:
    assert await shake_hands(serve(pair).context, create_client_context(TlsFiles(authorities=authority.path)))


async def test_a_client_does_not_trust_an_authority_that_nobody_named(pair: Pair) -> None:
    with pytest.raises(ssl.SSLCertVerificationError) as refused:
        await shake_hands(serve(pair).context, create_client_context(NO_FILES))
    assert "SLUICE_TLS_CA" in str(explain_distrust(refused.value))


async def test_a_client_does_not_take_a_certificate_for_another_name(authority: Authority, pair: Pair) -> None:
    trusting = create_client_context(TlsFiles(authorities=authority.path))
    with pytest.raises(ssl.SSLCertVerificationError, match="example"):
        await shake_hands(serve(pair).context, trusting, host="example.org")


def test_the_authorities_of_the_file_are_trusted_in_addition_to_the_systems(authority: Authority) -> None:
    system, both = create_client_context(NO_FILES), create_client_context(TlsFiles(authorities=authority.path))
    assert len(both.get_ca_certs()) == len(system.get_ca_certs()) + 1


async def test_a_client_shows_its_certificate_to_a_server_that_asks(authority: Authority, pair: Pair) -> None:
    asking = serve(pair).context
    assert asking is not None
    asking.verify_mode = ssl.CERT_REQUIRED
    asking.load_verify_locations(authority.path)
    own = authority.issue("client", "worker.example.org")
    assert await shake_hands(asking, create_client_context(TlsFiles(own.certificate, own.key, authority.path)))


def test_without_files_a_server_speaks_plain_http() -> None:
    server = ServerTls(NO_FILES)
    server.reload()
    assert server.context is None


async def test_new_connections_see_the_certificate_that_was_read_last(authority: Authority, pair: Pair) -> None:
    server, client = serve(pair), create_client_context(TlsFiles(authorities=authority.path))
    before = await shake_hands(server.context, client)
    authority.issue("server")
    assert await shake_hands(server.context, client) == before
    server.reload()
    assert await shake_hands(server.context, client) != before


async def test_a_broken_renewal_keeps_the_certificate_that_was_read_last(authority: Authority, pair: Pair) -> None:
    server, client = serve(pair), create_client_context(TlsFiles(authorities=authority.path))
    before = await shake_hands(server.context, client)
    authority.issue("other").key.rename(pair.key)
    server.reload()
    assert await shake_hands(server.context, client) == before


def test_the_metric_says_when_the_certificate_expires(authority: Authority) -> None:
    expires_at = datetime.now(UTC).replace(microsecond=0) + timedelta(days=3)
    serve(authority.issue("short", expires_at=expires_at))
    name = "sluice_tls_certificate_expires_timestamp_seconds"
    assert metrics.REGISTRY.get_sample_value(name) == expires_at.timestamp()


def test_half_a_pair_is_refused(pair: Pair) -> None:
    with pytest.raises(TlsError, match="SLUICE_TLS_CERT is set and SLUICE_TLS_KEY is not"):
        ServerTls(TlsFiles(certificate=pair.certificate))
    with pytest.raises(TlsError, match="SLUICE_TLS_KEY is set and SLUICE_TLS_CERT is not"):
        create_client_context(TlsFiles(key=pair.key))


def test_a_file_that_is_missing_is_named(pair: Pair, tmp_path: Path) -> None:
    nowhere = tmp_path / "nowhere.pem"
    with pytest.raises(TlsError, match=f"SLUICE_TLS_CERT {nowhere} cannot be read: No such file"):
        ServerTls(TlsFiles(nowhere, pair.key))
    with pytest.raises(TlsError, match=f"SLUICE_TLS_KEY {nowhere} cannot be read: No such file"):
        ServerTls(TlsFiles(pair.certificate, nowhere))
    with pytest.raises(TlsError, match=f"SLUICE_TLS_CA {nowhere} cannot be read: No such file"):
        create_client_context(TlsFiles(authorities=nowhere))


def test_a_file_that_holds_something_else_is_named(pair: Pair, tmp_path: Path) -> None:
    other = tmp_path / "other.pem"
    other.write_text("-----BEGIN CERTIFICATE-----\nnonsense\n-----END CERTIFICATE-----\n")
    with pytest.raises(TlsError, match=f"SLUICE_TLS_CERT {other} holds no certificate"):
        ServerTls(TlsFiles(other, pair.key))
    with pytest.raises(TlsError, match=f"SLUICE_TLS_KEY {other} holds no private key"):
        ServerTls(TlsFiles(pair.certificate, other))
    with pytest.raises(TlsError, match=f"SLUICE_TLS_CA {other} holds no certificate"):
        create_client_context(TlsFiles(authorities=other))


def test_a_key_of_another_certificate_is_refused(authority: Authority, pair: Pair) -> None:
    other = authority.issue("other")
    with pytest.raises(TlsError, match=f"{other.key} is not the key of the first certificate in {pair.certificate}"):
        ServerTls(TlsFiles(pair.certificate, other.key))


def test_a_key_with_a_passphrase_is_refused_and_nobody_is_asked_for_it(pair: Pair) -> None:
    key = serialization.load_pem_private_key(pair.key.read_bytes(), password=None)
    encrypted = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"passphrase"),
    )
    pair.key.write_bytes(encrypted)
    with pytest.raises(TlsError, match="without a passphrase"):
        serve(pair)


def test_what_has_nothing_to_do_with_certificates_is_not_explained() -> None:
    assert explain_distrust(ConnectionRefusedError()) is None
