"""What a test asks of the Sluice that it sends to: devices and keys, what arrived, what died and why."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

import httpx

from sluice_testing.container import SluiceContainer

ARRIVAL_SECONDS = 30.0
IN_FORCE_SECONDS = 10.0
POLL_SECONDS = 0.05
MOST_RECORDS = 10_000


class NotArrivedError(AssertionError):
    """What was waited for did not come. The message says what came instead."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """What one request brought for one device: the records, as the device has them, in the order of their posts."""

    serial: str
    group: str
    records: Sequence[dict[str, Any]]

    @property
    def values(self) -> dict[str, Any]:
        """The records' values by variable; of several with one variable the last."""
        return {record["variable"]: record["value"] for record in self.records}


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """An uplink that could not be delivered: its reason, one word, and what was wrong in detail."""

    uplink_id: str
    reason: str
    detail: str


@dataclass(slots=True)
class Sluice:
    """A Sluice for one test: its keys and devices are gone when the test ends.

    ``url`` takes uplinks, with ``authorization`` as the key. The test's own messages of a failed wait say what came
    instead, dead letters with their reasons included.
    """

    _container: SluiceContainer
    _network: str
    _connector: str
    url: str
    authorization: str = ""
    _keys: dict[str, str] = field(default_factory=dict)
    _devices: dict[str, tuple[str, str]] = field(default_factory=dict)

    def create_device(self, serial: str) -> str:
        """Create a device, and give its serial as the network writes it (upper case)."""
        new = {"name": serial, "serie_number": serial, "network": self._network, "connector": self._connector}
        created = self._container.ask("POST", "/device", json=new)
        written = str(self._container.ask("GET", f"/device/{created['device_id']}")["serie_number"])
        self._devices[written] = created["device_id"], created["token"]
        return written

    def create_key(self, additional_parameters: str = "") -> str:
        """Create a key to send with, and give its token once it is in force.

        ``additional_parameters`` is its field map, such as ``preset=chirpstack-v4`` or ``serial=devEUI;payload=data``.
        """
        new = {"name": "test", "network": self._network, "verification_code": additional_parameters}
        token = str(self._container.ask("POST", "/serviceauth", json=new)["token"])
        self._keys[token] = str(self._container.ask("GET", f"/serviceauth/{token}")["id"])
        self._wait_in_force(token)
        return token

    def list_arrivals(self) -> list[Arrival]:
        """Give what has arrived for the test's devices so far, the oldest first."""
        arrivals: dict[tuple[str, str], list[dict[str, Any]]] = {}
        for serial, (_, token) in self._devices.items():
            for record in self._list_records(token):
                arrivals.setdefault((serial, record["group"]), []).append(record)
        return [Arrival(serial, group, records) for (serial, group), records in arrivals.items()]

    def list_dead_letters(self) -> list[DeadLetter]:
        """Give the uplinks of the test's keys that could not be delivered, the oldest first."""
        if not self._keys:
            return []
        keys = [flag for key_id in self._keys.values() for flag in ("--key", key_id)]
        lines = self._container.list_lines("dead", "list", "--json", *keys)
        return [DeadLetter(line["uplink_id"], line["reason"], line["detail"]) for line in lines]

    def wait_for_arrivals(self, count: int, *, seconds: float = ARRIVAL_SECONDS) -> list[Arrival]:
        """Give what has arrived as soon as that are so many; raises :class:`NotArrivedError` after so many seconds."""
        for _ in _tries(seconds):
            if len(arrivals := self.list_arrivals()) >= count:
                return arrivals
        raise NotArrivedError(self._describe(arrivals, f"{count} expected"))

    def wait_for_dead_letters(self, count: int, *, seconds: float = ARRIVAL_SECONDS) -> list[DeadLetter]:
        """Give the dead letters as soon as there are so many; raises :class:`NotArrivedError`."""
        for _ in _tries(seconds):
            if len(letters := self.list_dead_letters()) >= count:
                return letters
        raise NotArrivedError(self._describe(self.list_arrivals(), f"{count} dead letters expected"))

    def remove_all(self) -> None:
        """Remove the keys and devices that were created, with what the devices have."""
        for token in self._keys:
            self._container.ask("DELETE", f"/serviceauth/{token}")
        for device_id, _ in self._devices.values():
            self._container.ask("DELETE", f"/device/{device_id}")
        self._keys.clear()
        self._devices.clear()

    def _list_records(self, device_token: str) -> list[dict[str, Any]]:
        answer = httpx.get(
            f"{self._container.registry_url}/data",
            params={"qty": MOST_RECORDS, "ordination": "ascending"},
            headers={"Device-Token": device_token},
            timeout=30,
            trust_env=False,
        )
        records: list[dict[str, Any]] = answer.raise_for_status().json()["result"]
        return records

    def _wait_in_force(self, token: str) -> None:
        """Wait until the ingest has heard of a key: then it refuses an empty request for being empty."""
        headers = {"Authorization": token}
        for _ in _tries(IN_FORCE_SECONDS):
            if httpx.post(self.url, headers=headers, trust_env=False).status_code == HTTPStatus.BAD_REQUEST:
                return
        raise NotArrivedError(f"the ingest did not hear of a new key within {IN_FORCE_SECONDS:.0f} s")

    def _describe(self, arrivals: Sequence[Arrival], expected: str) -> str:
        came = [f"  {arrival.serial}: {arrival.values}" for arrival in arrivals]
        died = [f"  dead letter, {letter.reason}: {letter.detail}" for letter in self.list_dead_letters()]
        return "\n".join([f"{len(arrivals)} arrivals and {len(died)} dead letters, {expected}", *came, *died])


def _tries(seconds: float) -> Iterator[None]:
    """Give a turn at once, and one after each pause for so many seconds."""
    deadline = time.monotonic() + seconds
    yield
    while time.monotonic() <= deadline:
        time.sleep(POLL_SECONDS)
        yield


def open_sluice(container: SluiceContainer) -> Sluice:
    """Give the Sluice in a container to one test, with a key that takes fields by their common names."""
    (network,) = container.ask("GET", "/integration/network", params={"filter[name]": "Generic Endpoint"})
    (connector,) = container.ask("GET", "/integration/connector", params={"filter[name]": "Generic Sensor"})
    sluice = Sluice(container, network["id"], connector["id"], f"{container.ingest_url}/uplink")
    sluice.authorization = sluice.create_key()
    return sluice
