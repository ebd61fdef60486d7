"""Configuration params of devices: values by which one device differs from the next, which its parsers see."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from registry.database import Database
from registry.device_parameters import DeviceParameter, check_params, complete_params
from registry.form import MOST_PARAMETERS, Param
from registry.ids import create_id
from registry.refusal import invalid, not_found
from registry.schema import CONNECTORS, DEVICE_PARAMS, DEVICES, NETWORKS


class DeviceParams:
    """The params of every device. Whose device it is has been checked."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def list_for(self, device_id: str, *, sent: bool | None = None) -> list[dict[str, Any]]:
        """Give a device's params, all or those that the device has or has not marked as read."""
        async with self._database.reading() as connection:
            params = await list_params(connection, device_id)
        return [param for param in params if sent is None or param["sent"] is sent]

    async def put(self, device_id: str, params: Sequence[Param]) -> None:
        """Add params, or change those that have the same id or key. Raises RefusedError (400, 404)."""
        async with self._database.writing() as connection:
            await put_params(connection, device_id, params)

    async def mark(self, device_id: str, param_id: str, *, sent: bool) -> None:
        """Note that the device has read a param, or is to read it again. Raises RefusedError (404)."""
        found = DEVICE_PARAMS.c.id == param_id, DEVICE_PARAMS.c.device_id == device_id
        async with self._database.writing() as connection:
            if not (await connection.execute(update(DEVICE_PARAMS).where(*found).values(sent=sent))).rowcount:
                raise not_found("Parameter")

    async def remove(self, device_id: str, param_id: str) -> None:
        """Remove a param. Raises :class:`registry.refusal.RefusedError` (404)."""
        found = DEVICE_PARAMS.c.id == param_id, DEVICE_PARAMS.c.device_id == device_id
        async with self._database.writing() as connection:
            if not (await connection.execute(delete(DEVICE_PARAMS).where(*found))).rowcount:
                raise not_found("Parameter")


async def list_params(connection: AsyncConnection, device_id: str) -> list[dict[str, Any]]:
    """Give a device's params in the order in which they were added."""
    query = select(DEVICE_PARAMS).where(DEVICE_PARAMS.c.device_id == device_id).order_by(DEVICE_PARAMS.c.id)
    rows = await connection.execute(query)
    return [{"id": row.id, "key": row.key, "value": row.value, "sent": row.sent} for row in rows]


async def add_params(connection: AsyncConnection, device_id: str, given: Sequence[Param]) -> None:
    """Give a new device its params: what it was given, and the defaults. Raises RefusedError (400)."""
    parameters = await _find_parameters(connection, device_id)
    await put_params(connection, device_id, complete_params(parameters, given))


async def put_params(connection: AsyncConnection, device_id: str, changes: Sequence[Param]) -> None:
    """Add params, or change those that have the same id or key. Raises RefusedError (400, 404)."""
    await connection.execute(select(DEVICES.c.id).where(DEVICES.c.id == device_id).with_for_update())
    params = {param["id"]: param for param in await list_params(connection, device_id)}
    for change in changes:
        changed = _apply(change, params)
        params[changed["id"]] = changed
    _check_keys([param["key"] for param in params.values()])
    check_params(await _find_parameters(connection, device_id), params.values())
    await connection.execute(delete(DEVICE_PARAMS).where(DEVICE_PARAMS.c.device_id == device_id))
    if params:
        await connection.execute(
            insert(DEVICE_PARAMS), [{**param, "device_id": device_id} for param in params.values()]
        )


def _apply(change: Param, params: Mapping[str, dict[str, Any]]) -> dict[str, Any]:
    """Give the param that is meant, with what was sent of it."""
    given = change.given
    param_id = given.get("id") or next((param["id"] for param in params.values() if param["key"] == change.key), None)
    if param_id is not None:
        if param_id not in params:
            raise not_found("Parameter")
        return {**params[param_id], **given, "id": param_id}
    if missing := [name for name in ("key", "value") if given.get(name) is None]:
        raise invalid(f"configuration_params: a param needs a {' and a '.join(missing)}")
    return {"sent": False, **given, "id": create_id()}


def _check_keys(keys: Sequence[str]) -> None:
    if len(keys) > MOST_PARAMETERS:
        raise invalid(f"configuration_params: there are {len(keys)}; a device may have {MOST_PARAMETERS}")
    twice = next((key for key in keys if keys.count(key) > 1), None)
    if twice is not None:
        raise invalid(f"configuration_params: {twice!r} is there twice")


async def _find_parameters(connection: AsyncConnection, device_id: str) -> list[DeviceParameter]:
    """Give what the device's network and connector ask of it, the connector's last."""
    query = (
        select(NETWORKS.c.device_parameters, CONNECTORS.c.device_parameters)
        .select_from(DEVICES.join(NETWORKS).join(CONNECTORS))
        .where(DEVICES.c.id == device_id)
    )
    of_network, of_connector = (await connection.execute(query)).one()
    return [DeviceParameter.model_validate(parameter) for parameter in [*(of_network or []), *(of_connector or [])]]
