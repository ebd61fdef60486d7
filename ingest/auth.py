"""Who sends: from the header or the query to an authorization key of the directory."""

from datetime import UTC, datetime

from common.directory.model import AuthorizationKey
from common.directory.source import DirectorySource
from common.envelope import Query
from common.reason import Reason
from ingest.refusal import RefusedError


def authenticate(header: str | None, query: Query, directory: DirectorySource) -> AuthorizationKey:
    """Give the key that the request names.

    ``Authorization: KEY``, ``Authorization: Bearer KEY`` or ``?authorization=KEY``; where both are there, the header
    counts. Raises :class:`RefusedError`: 401 where there is none, 403 where it is not known, disabled or expired, 503
    before the directory was read for the first time.
    """
    token = _from_header(header) or _from_query(query)
    if not token:
        raise RefusedError(
            Reason.AUTHORIZATION_MISSING,
            "Authorization is missing: send the key as header 'Authorization: KEY', or as query ?authorization=KEY",
        )
    key = directory.current.authenticate(token)
    if key is None and not directory.is_read:
        raise RefusedError(
            Reason.DIRECTORY_UNAVAILABLE,
            "Who may send is not known yet, since the process has just started; send again",
            headers={"Retry-After": "1"},
        )
    if key is None:
        raise RefusedError(
            Reason.AUTHORIZATION_UNKNOWN,
            "Authorization Denied: no such authorization key; check the key, and that it is meant for this deployment",
        )
    if not key.may_send(datetime.now(UTC)):
        raise RefusedError(
            Reason.AUTHORIZATION_DISABLED,
            "Authorization Denied: this authorization key is disabled or has expired",
        )
    return key


def _from_header(header: str | None) -> str:
    token = (header or "").strip()
    scheme, _, rest = token.partition(" ")
    return rest.strip() if scheme.lower() == "bearer" else token


def _from_query(query: Query) -> str:
    value = query.get("authorization", "")
    return (value if isinstance(value, str) else value[0]).strip()
