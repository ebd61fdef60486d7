"""The directory as the roles see it: an immutable snapshot of keys, networks and the downstream."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from pydantic import SecretStr

from common.fields.field_map import FieldMap
from common.serial import SerialRule


@dataclass(frozen=True, slots=True)
class AuthorizationKey:
    """One customer's right to send, and how their fields are read.

    ``requests_per_minute`` counts per key and ingest process; 0: no limit. ``profile`` is what the downstream's rate
    limit counts by. ``expires_at`` has an offset. ``name`` is what people call it: in a file that is its id.
    """

    id: str
    name: str
    token: SecretStr
    network: str
    field_map: FieldMap
    profile: str
    requests_per_minute: int
    enabled: bool
    expires_at: datetime | None

    def may_send(self, now: datetime) -> bool:
        """Whether the key is enabled and, at ``now`` (with an offset), not yet expired."""
        return self.enabled and (self.expires_at is None or now < self.expires_at)


@dataclass(frozen=True, slots=True)
class Network:
    """A network whose devices the downstream knows by serial.

    ``share_posts``: whether decoded uplinks of one request and device may travel in one post. ``name`` is what people
    call it: in a file that is its id.
    """

    id: str
    name: str
    token: SecretStr
    serial: SerialRule
    share_posts: bool


@dataclass(frozen=True, slots=True)
class Downstream:
    """Where posts go. ``url`` has no trailing slash; ``posts_per_minute`` counts per profile, 0: no limit."""

    url: str
    posts_per_minute: int


@dataclass(frozen=True, slots=True)
class Directory:
    """One consistent reading. Ids are unique among ``networks`` and among ``keys``; so are the tokens of ``keys``."""

    downstream: Downstream
    networks: tuple[Network, ...]
    keys: tuple[AuthorizationKey, ...]
    _networks_by_id: Mapping[str, Network] = field(init=False, repr=False, compare=False)
    _keys_by_id: Mapping[str, AuthorizationKey] = field(init=False, repr=False, compare=False)
    _keys_by_digest: Mapping[bytes, AuthorizationKey] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        by_digest = {_digest(key.token.get_secret_value()): key for key in self.keys}
        object.__setattr__(self, "_networks_by_id", {network.id: network for network in self.networks})
        object.__setattr__(self, "_keys_by_id", {key.id: key for key in self.keys})
        object.__setattr__(self, "_keys_by_digest", by_digest)

    def authenticate(self, token: str) -> AuthorizationKey | None:
        """Give the key that this token belongs to, enabled or not, whatever a stranger sent.

        Digests are compared, never tokens. How long that takes may tell how far two digests agree, which is of no use
        to somebody who guesses: a token that is nearly right has a digest that is entirely different.
        """
        return self._keys_by_digest.get(_digest(token))

    def key(self, key_id: str) -> AuthorizationKey | None:
        """Give the key with this id, enabled or not."""
        return self._keys_by_id.get(key_id)

    def network(self, network_id: str) -> Network | None:
        """Give the network with this id."""
        return self._networks_by_id.get(network_id)


def _digest(token: str) -> bytes:
    # surrogatepass: a lone surrogate from a strange client is an unknown token, not an exception
    return hashlib.sha256(token.encode(errors="surrogatepass")).digest()
