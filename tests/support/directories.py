"""Directories for unit tests, made in memory."""

from datetime import datetime

from pydantic import SecretStr

from common.directory.model import AuthorizationKey, Directory, Downstream, Network
from common.fields.field_map import FieldMap, parse_field_map
from common.serial import SerialRule


class StaticDirectory:
    """A source that never changes, unless a test sets ``current``; ``next`` is what a refresh finds."""

    def __init__(self, current: Directory) -> None:
        self.current = current
        self.next = current
        self.degraded: str | None = None
        self.is_read = True
        self.refreshes = 0

    async def wait_until_read(self) -> None:
        return

    async def refresh(self) -> None:
        self.refreshes += 1
        self.current = self.next

    async def watch(self) -> None:
        raise NotImplementedError


def build_key(
    key_id: str = "factory",
    *,
    name: str | None = None,
    token: str | None = None,
    network: str = "plain",
    field_map: str = "",
    requests_per_minute: int = 0,
    enabled: bool = True,
    expires_at: datetime | None = None,
) -> AuthorizationKey:
    return AuthorizationKey(
        id=key_id,
        name=name or key_id,
        token=SecretStr(token or f"at-{key_id}"),
        network=network,
        field_map=parse_field_map(field_map) if field_map else FieldMap(),
        profile="default",
        requests_per_minute=requests_per_minute,
        enabled=enabled,
        expires_at=expires_at,
    )


def build_network(
    network_id: str = "plain", *, name: str | None = None, serial: SerialRule | None = None, share_posts: bool = True
) -> Network:
    return Network(
        id=network_id,
        name=name or network_id,
        token=SecretStr(f"n-{network_id}"),
        serial=serial or SerialRule(),
        share_posts=share_posts,
    )


def build_directory(*keys: AuthorizationKey, networks: tuple[Network, ...] = ()) -> Directory:
    return Directory(
        downstream=Downstream(url="http://downstream", posts_per_minute=0),
        networks=networks or (build_network(),),
        keys=keys,
    )
