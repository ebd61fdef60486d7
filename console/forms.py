"""What a form sends: bounded, with the token that only this session's own pages have, and read for the API."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from starlette.datastructures import FormData, UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request

from console.refusal import RefusedError, forbidden
from console.sessions import Session

FORM_TOKEN: Final = "form_token"  # noqa: S105 - the name of a field
"""The field that every form has."""

BODY_BYTES: Final = 4_194_304
"""Three images of the size that the registry takes, and the fields beside them."""

BODY_SECONDS: Final = 60.0
"""Enough for the images over a slow line; without it, whoever sends a form's head alone holds a connection for ever."""

FIELD_BYTES: Final = 1_048_576
MOST_FIELDS: Final = 1_000
MOST_FILES: Final = 5

FOREIGN = "This form was not made by your session, or the session has ended: open the page anew and send it again"


@dataclass(frozen=True, slots=True)
class Form:
    """The fields of a form. A field that is not there is empty, as is one that holds only spaces."""

    fields: FormData = field(default_factory=FormData)

    def text(self, name: str) -> str:
        """Give a field without the spaces around it; browsers send lines with CR LF, which nobody else writes."""
        value = self.fields.get(name)
        return value.replace("\r\n", "\n").strip() if isinstance(value, str) else ""

    def texts(self, name: str) -> list[str]:
        """Give every value of a field that may be there more than once."""
        values = (value for value in self.fields.getlist(name) if isinstance(value, str))
        return [value.replace("\r\n", "\n").strip() for value in values]

    def optional(self, name: str) -> str | None:
        """Give a field; None where it is empty."""
        return self.text(name) or None

    def checked(self, name: str) -> bool:
        """Whether a box is ticked."""
        return name in self.fields

    async def file(self, name: str) -> bytes:
        """Give the content of a file; empty where none was chosen."""
        value = self.fields.get(name)
        return await value.read() if isinstance(value, UploadFile) else b""


async def read_form(request: Request, session: Session) -> Form:
    """Read a form of this session. Raises :class:`console.refusal.RefusedError` (403, 411, 413, 400, 408)."""
    form = await read_foreign_form(request)
    if not session.accepts(form.text(FORM_TOKEN)):
        raise forbidden(FOREIGN)
    return form


async def read_foreign_form(request: Request) -> Form:
    """Read a form whoever made it. Raises :class:`console.refusal.RefusedError` (411, 413, 400, 408)."""
    length = request.headers.get("Content-Length", "")
    if not length.isdecimal():
        raise RefusedError(411, "The request does not say how long it is")
    if int(length) > BODY_BYTES:
        raise RefusedError(413, f"What was sent is larger than {BODY_BYTES:,} bytes")
    try:
        async with asyncio.timeout(BODY_SECONDS):
            fields = await request.form(max_files=MOST_FILES, max_fields=MOST_FIELDS, max_part_size=FIELD_BYTES)
    except TimeoutError:
        raise RefusedError(408, f"The form did not arrive within {BODY_SECONDS:g} s") from None
    except HTTPException as error:
        raise RefusedError(400, str(error.detail)) from None
    except ClientDisconnect:
        raise RefusedError(400, "The connection ended before the form did") from None
    return Form(fields)


def find_faults(message: str, names: Mapping[str, str]) -> dict[str, str]:
    """Divide what the registry says into what it says of each field; the rest stands under the empty name.

    It writes ``place: what is wrong``, several with semicolons; what has no place goes on with what stands before it.
    ``names`` gives the form's field for a place, or for all places inside of one.
    """
    faults: dict[str, str] = {}
    name = ""
    for part in message.split("; "):
        place, found, problem = part.partition(": ")
        said = part
        if found:
            name = names.get(place) or names.get(place.partition(".")[0], "")
            said = problem if name else part
        faults[name] = f"{faults[name]}; {said}" if name in faults else said
    return faults
