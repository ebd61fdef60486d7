"""By whose rules ``sluice explain`` reads an uplink: a key of the directory, a map that is being tried, or both."""

from dataclasses import dataclass, replace
from typing import Annotated, Literal

from cyclopts import Group, Parameter
from pydantic import SecretStr

from common.directory.model import AuthorizationKey, Directory, Downstream, Network
from common.directory.naming import identify_key
from common.fields.field_map import FieldMapError, parse_field_map
from common.serial import SerialRule

RULES = Group("Rules", sort_key=1)

TRIED = "(tried)"
"""Id and token of the key and the network that stand for a map without a key."""

NOWHERE = "https://downstream"
"""Stands for the downstream where no directory names one."""


class NotExplainedError(Exception):
    """Nothing can be explained; the message says why, and what to do."""


@Parameter(name="*", group=RULES)
@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """Whose rules apply. Without any, serial, payload and port are looked for under their common names."""

    key: Annotated[str | None, Parameter(show_default=False)] = None
    """Name or id of an authorization key of the directory: its map, its network's serial format, its credentials."""

    field_map: Annotated[str | None, Parameter(name="--map", show_default=False)] = None
    """Additional parameters to try, such as "serial=devaddr;payload=payload_raw", in place of the key's."""

    serial_format: Annotated[str | None, Parameter(show_default=False)] = None
    """Form of the serials to try, such as FF-FF-FF-FF, in place of the network's."""

    force_case: Annotated[Literal["upper", "lower"] | None, Parameter(show_default=False)] = None
    """Case of the serials to try, in place of the network's."""

    def apply(self, directory: Directory, called: str) -> Directory:
        """Give the directory with what is to be tried on the key of this id or name.

        Raises :class:`NotExplainedError` and :class:`common.directory.naming.NotIdentifiedError`.
        """
        key = identify_key(directory, called)
        tried_key = self._try_map(key)
        networks = tuple(self._try_serial(each) if each.id == key.network else each for each in directory.networks)
        keys = tuple(tried_key if each.id == key.id else each for each in directory.keys)
        return replace(directory, networks=networks, keys=keys)

    def build_directory(self, downstream_url: str | None) -> Directory:
        """Give a directory of nothing but what is to be tried. Raises :class:`NotExplainedError`."""
        network = Network(id=TRIED, name=TRIED, token=SecretStr(TRIED), serial=SerialRule(), share_posts=True)
        key = AuthorizationKey(
            id=TRIED,
            name=TRIED,
            token=SecretStr(TRIED),
            network=TRIED,
            field_map=parse_field_map(""),
            profile="default",
            requests_per_minute=0,
            enabled=True,
            expires_at=None,
        )
        downstream = Downstream(url=downstream_url or NOWHERE, posts_per_minute=0)
        return self.apply(Directory(downstream=downstream, networks=(network,), keys=(key,)), TRIED)

    def _try_map(self, key: AuthorizationKey) -> AuthorizationKey:
        if self.field_map is None:
            return key
        try:
            return replace(key, field_map=parse_field_map(self.field_map))
        except FieldMapError as error:
            raise NotExplainedError(f"--map: {error}") from error

    def _try_serial(self, network: Network) -> Network:
        rule = network.serial
        if self.serial_format is not None:
            rule = replace(rule, format=self.serial_format)
        if self.force_case is not None:
            rule = replace(rule, force_case=self.force_case)
        return replace(network, serial=rule)
