"""By whose rules ``sluice explain`` reads an uplink: a key of the directory, a map that is being tried, or both."""

from dataclasses import dataclass, replace
from difflib import get_close_matches
from typing import Annotated, Literal

from cyclopts import Group, Parameter
from pydantic import SecretStr

from common.directory.model import AuthorizationKey, Directory, Downstream, Network
from common.fields.field_map import FieldMapError, parse_field_map
from common.serial import SerialRule

RULES = Group("Rules", sort_key=1)

TRIED = "(tried)"
"""Id and token of the key and the network that stand for a map without a key."""

NOWHERE = "https://downstream"
"""Stands for the downstream where no directory names one."""


class NotExplainedError(Exception):
    """Nothing can be explained; the message says why, and what to do."""


class UnknownKeyError(NotExplainedError):
    """The directory has no such key."""


@Parameter(name="*", group=RULES)
@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """Whose rules apply. Without any, serial, payload and port are looked for under their common names."""

    key: Annotated[str | None, Parameter(show_default=False)] = None
    """Id of an authorization key of the directory: its map, its network's serial format, its credentials."""

    field_map: Annotated[str | None, Parameter(name="--map", show_default=False)] = None
    """Additional parameters to try, such as "serial=devaddr;payload=payload_raw", in place of the key's."""

    serial_format: Annotated[str | None, Parameter(show_default=False)] = None
    """Form of the serials to try, such as FF-FF-FF-FF, in place of the network's."""

    force_case: Annotated[Literal["upper", "lower"] | None, Parameter(show_default=False)] = None
    """Case of the serials to try, in place of the network's."""

    def apply(self, directory: Directory, key_id: str) -> Directory:
        """Give the directory with what is to be tried in it. Raises :class:`NotExplainedError`."""
        key = require_key(directory, key_id)
        tried_key = self._try_map(key)
        networks = tuple(self._try_serial(each) if each.id == key.network else each for each in directory.networks)
        keys = tuple(tried_key if each.id == key_id else each for each in directory.keys)
        return replace(directory, networks=networks, keys=keys)

    def build_directory(self, downstream_url: str | None) -> Directory:
        """Give a directory of nothing but what is to be tried. Raises :class:`NotExplainedError`."""
        network = Network(id=TRIED, token=SecretStr(TRIED), serial=SerialRule(), share_posts=True)
        key = AuthorizationKey(
            id=TRIED,
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


def require_key(directory: Directory, key_id: str) -> AuthorizationKey:
    """Give the key with this id. Raises :class:`UnknownKeyError`, which names the closest one."""
    key = directory.key(key_id)
    if key is not None:
        return key
    known = [key.id for key in directory.keys]
    close = get_close_matches(key_id, known, n=1)
    named = f"did you mean {close[0]}?" if close else f"it has {', '.join(known) or 'none'}"
    raise UnknownKeyError(f"the directory has no key {key_id!r}; {named} (a key's id is the name of its table)")
