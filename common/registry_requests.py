"""What a profile asks of the registry's HTTP API, and the envelope that its answers come in. No I/O."""

from abc import ABC, abstractmethod
from base64 import b64encode
from collections.abc import Mapping
from typing import Any, Generic, TypeAlias, TypeVar

import httpx
import orjson

Document: TypeAlias = dict[str, Any]

Result = TypeVar("Result")


class RegistryRequests(ABC, Generic[Result]):
    """What can be asked. ``Result`` is the result of an answer, or what has to be awaited for it."""

    @abstractmethod
    def ask(
        self, method: str, path: str, document: Any = None, *, parameters: Mapping[str, str] | None = None
    ) -> Result:
        """Send a request, with a document as JSON, and give the result of its answer."""

    def get(self, path: str, parameters: Mapping[str, str] | None = None) -> Result:
        """Give the result of a GET."""
        return self.ask("GET", path, parameters=parameters)

    def create(self, path: str, document: Mapping[str, Any]) -> Result:
        """Give the result of a POST; what is None is not sent."""
        return self.ask("POST", path, {name: value for name, value in document.items() if value is not None})

    def change(self, path: str, document: Mapping[str, Any]) -> Result:
        """PUT a document; what is None is sent, and empties its field."""
        return self.ask("PUT", path, document)

    def upload(self, path: str, content: bytes) -> Result:
        """Store an image under a path of the profile's, in place of the one that is there."""
        return self.ask("POST", "/files", [{"filename": path, "file": b64encode(content).decode()}])

    def remove(self, path: str) -> Result:
        """Delete what is at a path."""
        return self.ask("DELETE", path)


def read_envelope(response: httpx.Response) -> Document | None:
    """Give ``status``, which is a boolean, and the ``result`` or ``message``; None where no registry answered."""
    try:
        envelope = orjson.loads(response.content)
    except ValueError:
        return None
    return envelope if isinstance(envelope, dict) and isinstance(envelope.get("status"), bool) else None
