"""Certificates of a test's own, as files; imports nothing of Sluice."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import trustme

LOOPBACK = ("localhost", "127.0.0.1")


@dataclass(frozen=True, slots=True)
class Pair:
    """A certificate with its intermediates, and its key."""

    certificate: Path
    key: Path


class Authority:
    """An authority that nobody trusts unless told to; ``path`` is its certificate."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._authority = trustme.CA()
        self.path = folder / "ca.pem"
        self._authority.cert_pem.write_to_path(self.path)

    def issue(self, name: str, *identities: str, expires_at: datetime | None = None) -> Pair:
        """Write ``name.pem`` and ``name.key``, by default for this machine's loopback."""
        issued = self._authority.issue_cert(*(identities or LOOPBACK), common_name=name, not_after=expires_at)
        pair = Pair(self._folder / f"{name}.pem", self._folder / f"{name}.key")
        pair.certificate.write_bytes(b"".join(blob.bytes() for blob in issued.cert_chain_pems))
        issued.private_key_pem.write_to_path(pair.key)
        return pair
