"""The registry's networks and keys as a directory, for an ingest and a worker in the same process."""

from collections.abc import Mapping, Sequence

import structlog
from pydantic import SecretStr

from common.directory.model import AuthorizationKey, Directory, Downstream, Network
from common.fields.field_map import FieldMapError, parse_field_map
from registry.entries import KeyEntry, NetworkEntry

log = structlog.get_logger()


def build_directory(
    networks: Sequence[NetworkEntry], tokens: Mapping[str, SecretStr], keys: Sequence[KeyEntry], *, downstream_url: str
) -> Directory:
    """Give the directory: every network that has a token, and every key, whose id is the same here and there.

    The registry has no limit on posts, and its parsers bear several decoded uplinks in one.
    """
    return Directory(
        downstream=Downstream(url=downstream_url.rstrip("/"), posts_per_minute=0),
        networks=tuple(
            Network(id=network.id, token=tokens[network.id], serial=network.serial_rule, share_posts=True)
            for network in networks
            if network.id in tokens
        ),
        keys=tuple(key for entry in keys if (key := _build_key(entry)) is not None),
    )


def _build_key(entry: KeyEntry) -> AuthorizationKey | None:
    try:
        field_map = parse_field_map(entry.additional_parameters)
    except FieldMapError:
        # It was checked when it was saved, by another version of Sluice; the other keys can do nothing about it.
        log.exception("key.left_out", key=entry.id)
        return None
    return AuthorizationKey(
        id=entry.id,
        token=entry.token,
        network=entry.network_id,
        field_map=field_map,
        profile=entry.profile_id,
        requests_per_minute=0,
        enabled=entry.enabled,
        expires_at=None,
    )
