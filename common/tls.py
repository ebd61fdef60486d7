"""TLS from the files that the settings name: the certificate that a process shows, the authorities that it trusts."""

import ssl
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import structlog
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from common import metrics

CERTIFICATE_SETTING = "SLUICE_TLS_CERT"
KEY_SETTING = "SLUICE_TLS_KEY"
AUTHORITIES_SETTING = "SLUICE_TLS_CA"

log = structlog.get_logger()


class TlsError(Exception):
    """A file that TLS needs cannot be used; the message names the setting and the file."""


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """Where they are, all in PEM.

    ``certificate``, with its intermediates behind it, and ``key`` say who this process is: to those who call its HTTP
    server, and to a broker or a downstream that asks for a certificate. ``authorities`` are trusted in addition to the
    system's.
    """

    certificate: Path | None = None
    key: Path | None = None
    authorities: Path | None = None


NO_FILES = TlsFiles()
"""The system's authorities, and nothing to show."""


class ServerTls:
    """The TLS of this process's HTTP servers; ``context`` is None where they speak plain HTTP.

    Raises :class:`TlsError`.
    """

    def __init__(self, files: TlsFiles) -> None:
        self._pair = _find_pair(files)
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER) if self._pair else None
        if self.context is not None:
            self.context.set_alpn_protocols(["http/1.1"])
        self._load()

    def reload(self) -> None:
        """Read the files again, for connections made from now on; keeps what was read last when they are broken."""
        try:
            self._load()
        except TlsError as error:
            log.warning("certificate.refused", why=str(error))

    def _load(self) -> None:
        if self.context is None or self._pair is None:
            return
        expires_at = _load_certificate(self.context, *self._pair)
        metrics.TLS_CERTIFICATE_EXPIRES.set(expires_at.timestamp())
        log.info("certificate.read", path=str(self._pair[0]), expires_at=expires_at.isoformat())


def create_client_context(files: TlsFiles) -> ssl.SSLContext:
    """Give the TLS of connections that this process makes; the other side is verified, by name as well.

    Reads files, the system's authorities among them. Raises :class:`TlsError`.
    """
    context = ssl.create_default_context()
    if files.authorities is not None:
        _load_authorities(context, files.authorities)
    pair = _find_pair(files)
    if pair is not None:
        _load_certificate(context, *pair)
    return context


def explain_distrust(error: BaseException | None) -> str | None:
    """Say in one line which certificate was not trusted and what to do, where the error comes from that; else None."""
    while error is not None and not isinstance(error, ssl.SSLCertVerificationError):
        error = error.__cause__
    if error is None:
        return None
    problem = error.verify_message
    return f"the other side's certificate is not trusted: {problem} ({AUTHORITIES_SETTING} names authorities to trust)"


def _find_pair(files: TlsFiles) -> tuple[Path, Path] | None:
    match files.certificate, files.key:
        case None, None:
            return None
        case Path() as certificate, Path() as key:
            return certificate, key
        case None, _:
            raise TlsError(f"{KEY_SETTING} is set and {CERTIFICATE_SETTING} is not: set both, or neither")
        case _:
            raise TlsError(f"{CERTIFICATE_SETTING} is set and {KEY_SETTING} is not: set both, or neither")


def _load_authorities(context: ssl.SSLContext, path: Path) -> None:
    _read_certificates(AUTHORITIES_SETTING, path)
    try:
        context.load_verify_locations(path)
    except OSError as error:
        raise TlsError(f"{AUTHORITIES_SETTING} {path} cannot be used: {error}") from error


def _load_certificate(context: ssl.SSLContext, certificate: Path, key: Path) -> datetime:
    """Have the context show the certificate from its next connection on, and give the moment when it expires.

    Leaves the context as it was when it raises.
    """
    chain = _read_certificates(CERTIFICATE_SETTING, certificate)
    if chain[0].public_key() != _read_key(key).public_key():
        raise TlsError(f"{KEY_SETTING} {key} is not the key of the first certificate in {certificate}")
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key)
        context.load_cert_chain(certificate, key)
    except OSError as error:
        raise TlsError(f"{CERTIFICATE_SETTING} {certificate} cannot be used: {error}") from error
    return min(each.not_valid_after_utc for each in chain)


def _read(setting: str, path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise TlsError(f"{setting} {path} cannot be read: {error.strerror}") from error


def _read_certificates(setting: str, path: Path) -> list[x509.Certificate]:
    try:
        return x509.load_pem_x509_certificates(_read(setting, path))
    except ValueError as error:
        raise TlsError(f"{setting} {path} holds no certificate in PEM") from error


def _read_key(path: Path) -> PrivateKeyTypes:
    try:
        return load_pem_private_key(_read(KEY_SETTING, path), password=None)
    except TypeError as error:
        raise TlsError(f"{KEY_SETTING} {path} is encrypted: give a key without a passphrase") from error
    except ValueError as error:
        raise TlsError(f"{KEY_SETTING} {path} holds no private key in PEM") from error
