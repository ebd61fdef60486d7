"""The operator's way to the registry: its HTTP API, with the token of a profile."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Annotated, Any, Self

import httpx
from pydantic import AfterValidator, Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from cli.terminal import CommandError
from common.directory.tables import check_url
from common.registry_requests import Document, RegistryRequests, read_envelope
from common.tls import TlsError, TlsFiles, create_client_context

PAGE_AMOUNT = 1_000

ANSWER_SECONDS = 30.0

REMEDY_WHEN_LOST = "if that is lost, `sluice registry renew-token` makes another, where the registry runs"


class RegistryError(CommandError):
    """The registry did not do it."""


class RegistryRefusalError(RegistryError):
    """The registry is there, and says no to this one request; the message is its own."""


class RegistryAccess(BaseSettings):
    """Which registry, and who asks."""

    model_config = SettingsConfigDict(env_prefix="SLUICE_", frozen=True)

    registry_url: Annotated[str, AfterValidator(check_url)] = Field(
        "http://127.0.0.1:8081", description="Where the registry is."
    )
    profile_token: SecretStr | None = Field(
        None, description="Token of the profile; safer in the environment, where other users do not see it."
    )
    tls_ca: Path | None = Field(None, description="Authorities to trust in addition to the system's, PEM.")


class RegistryClient(RegistryRequests[Any]):
    """Asks the registry. To be used inside ``with``; every method raises :class:`RegistryError`.

    Making one raises :class:`RegistryError` as well.
    """

    def __init__(self, access: RegistryAccess, *, transport: httpx.BaseTransport | None = None) -> None:
        if access.profile_token is None:
            raise RegistryError(
                "the registry asks who you are: set SLUICE_PROFILE_TOKEN to the token that it told at its first start; "
                f"{REMEDY_WHEN_LOST}"
            )
        try:
            tls = create_client_context(TlsFiles(authorities=access.tls_ca))
        except TlsError as error:
            raise RegistryError(str(error)) from error
        self.url = access.registry_url
        self._client = httpx.Client(
            transport=transport,
            verify=tls,
            headers={"Authorization": access.profile_token.get_secret_value()},
            timeout=ANSWER_SECONDS,
            trust_env=False,
        )

    def __enter__(self) -> Self:
        """Open the client."""
        self._client.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close its connections."""
        self._client.__exit__(kind, error, traceback)

    def list_all(self, path: str) -> Iterator[Document]:
        """Give every member of a list, page after page, in the order of their creation."""
        page = 0
        while True:
            page += 1
            members = self.get(path, {"page": str(page), "amount": str(PAGE_AMOUNT), "orderBy": "created_at,asc"})
            yield from members
            if len(members) < PAGE_AMOUNT:
                return

    def ask(self, method: str, path: str, document: Any = None, *, parameters: Mapping[str, str] | None = None) -> Any:
        """See the base class."""
        try:
            response = self._client.request(method, self.url + path, params=parameters, json=document)
        except httpx.HTTPError as error:
            raise RegistryError(
                f"the registry does not answer at {self.url}: {error}; is it running there? "
                "SLUICE_REGISTRY_URL says where it is"
            ) from None
        envelope = read_envelope(response)
        if envelope is None:
            raise RegistryError(f"what answers at {self.url} is no registry: status {response.status_code}")
        if envelope["status"]:
            return envelope.get("result")
        if response.status_code == httpx.codes.UNAUTHORIZED:
            raise RegistryError(
                "the registry does not know this profile token: SLUICE_PROFILE_TOKEN must be the one that it told; "
                f"{REMEDY_WHEN_LOST}"
            )
        raise RegistryRefusalError(str(envelope.get("message")))


def open_registry(access: RegistryAccess | None) -> RegistryClient:
    """Give the client for what the flags and the environment say. Raises :class:`RegistryError`."""
    return RegistryClient(access or RegistryAccess())
