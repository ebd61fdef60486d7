"""Files: uploaded by profiles in base64, as the official clients do, and shown to everybody."""

import re
from collections.abc import Sequence
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, Field, RootModel
from starlette.requests import Request
from starlette.responses import Response

from common.fields.reading_time import format_time
from registry.answer import answer
from registry.caller import REMOVED, Caller
from registry.files import Files, Image
from registry.form import Form
from registry.image import IMAGE_BYTES, decode_image
from registry.operations import Operation
from registry.parameters import parse_parameters
from registry.refusal import not_found
from registry.request import read_document, read_id
from registry.schema import PATH_CHARACTERS

FILES = "/files"
FILE = "/file/{profile}/{path:path}"

MOST_AT_ONCE = 5
UPLOAD_BYTES = MOST_AT_ONCE * IMAGE_BYTES * 3 // 2
"""Largest upload: base64 makes four characters of three bytes."""

_PATH = re.compile(r"(?!.*(?:^|/)\.{1,2}(?:/|$))[\w.\- ]+(?:/[\w.\- ]+)*", re.ASCII)

_HEADERS: Final = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "Cache-Control": "public, max-age=300",
}
"""What keeps a browser from taking somebody's upload for anything but an image."""


def _read_path(text: str) -> str:
    path = text.removeprefix("/")
    if len(path) > PATH_CHARACTERS or not _PATH.fullmatch(path):
        raise ValueError(
            f"must be a path of at most {PATH_CHARACTERS} letters, digits, spaces and ._-, with / between folders"
        )
    return path


class Upload(Form):
    """An image. ``public`` is here because TagoIO's clients send it: whoever sees a network sees its icon."""

    filename: Annotated[str, AfterValidator(_read_path)]
    file: str
    public: Literal[True] = True


class Uploads(RootModel[Annotated[list[Upload], Field(min_length=1, max_length=MOST_AT_ONCE)]]):
    """Images that are uploaded together."""


class Paths(RootModel[Annotated[list[Annotated[str, AfterValidator(_read_path)]], Field(max_length=1_000)]]):
    """Files that are deleted together."""


class FileRoutes:
    """What profiles do with files, and everybody may see."""

    def __init__(self, caller: Caller, files: Files) -> None:
        self._caller = caller
        self._files = files

    @property
    def operations(self) -> Sequence[Operation]:
        """What there is to be done."""
        spellings = ("/file/{profile}/{path}",)
        return [
            Operation("GET", FILES, self._list, "List the uploaded files", query=("path",)),
            Operation("POST", FILES, self._upload, "Upload images", body=Uploads),
            Operation("DELETE", FILES, self._remove, "Delete files", body=Paths),
            Operation("GET", FILE, self._show, "Show an image", caller=None, spellings=spellings, media_type="image/*"),
        ]

    async def _upload(self, request: Request) -> Response:
        profile = await self._caller.profile(request)
        uploads = (await read_document(request, Uploads, UPLOAD_BYTES)).root
        images = [Image(upload.filename, *decode_image(upload.filename, upload.file)) for upload in uploads]
        await self._files.store(profile.id, images)
        return answer(f"{len(images)} Files Uploaded")

    async def _list(self, request: Request) -> Response:
        profile = await self._caller.profile(request)
        folder = parse_parameters(request.scope["query_string"]).get("path", [""])[0].removeprefix("/")
        files = [
            {
                "filename": path,
                "url": f"/file/{profile.id}/{path}",
                "size": size,
                "last_modified": format_time(stored_at),
                "is_public": True,
            }
            for path, size, stored_at in await self._files.list_for(profile.id, folder)
        ]
        return answer({"files": files, "folders": []})

    async def _remove(self, request: Request) -> Response:
        profile = await self._caller.profile(request)
        await self._files.remove(profile.id, (await read_document(request, Paths)).root)
        return answer(REMOVED)

    async def _show(self, request: Request) -> Response:
        path: str = request.path_params["path"]
        if not _PATH.fullmatch(path):
            raise not_found("File")
        image = await self._files.read(read_id(request, "profile"), path)
        return Response(image.content, media_type=image.media_type, headers=_HEADERS)
