"""Tokens at rest: sealed, so that a copy of the database opens nothing, and indexed, so that they can be found."""

import hmac
import secrets

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from pydantic import SecretStr

NONCE_BYTES = 12
"""What AES-GCM takes; random ones do not meet before some billions of tokens."""


class SealBrokenError(Exception):
    """What is stored was not sealed under this secret, or not for this owner."""


class Sealer:
    """Seals tokens with AES-256-GCM and indexes them with HMAC-SHA-256, under two keys derived from one secret."""

    def __init__(self, secret: SecretStr) -> None:
        self._cipher = AESGCM(_derive(secret, b"sluice registry: sealing of tokens"))
        self._index_key = _derive(secret, b"sluice registry: index of tokens")

    def seal(self, token: SecretStr, owner: str) -> bytes:
        """Encrypt the token for its owner, the id of its row: under any other id it does not open."""
        nonce = secrets.token_bytes(NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, token.get_secret_value().encode(), owner.encode())

    def unseal(self, sealed: bytes, owner: str) -> SecretStr:
        """Give the token back. Raises :class:`SealBrokenError`."""
        try:
            token = self._cipher.decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], owner.encode())
        except InvalidTag:
            raise SealBrokenError(f"the token of {owner} was sealed under another secret key, or changed") from None
        return SecretStr(token.decode())

    def columns(self, token: SecretStr, owner: str) -> dict[str, bytes]:
        """Give the columns that keep a token in the row with this id: to find it, and to give it back."""
        return {"token_index": self.index(token.get_secret_value()), "sealed_token": self.seal(token, owner)}

    def index(self, token: str) -> bytes:
        """Give the 32 bytes by which a token is found: the same for the same token, and no way back to it."""
        return hmac.digest(self._index_key, token.encode(), "sha256")


def _derive(secret: SecretStr, purpose: bytes) -> bytes:
    return HKDF(SHA256(), length=32, salt=None, info=purpose).derive(secret.get_secret_value().encode())
