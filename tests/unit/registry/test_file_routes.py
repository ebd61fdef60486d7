"""Images: uploaded by their profile, shown to everybody, and nothing but images."""

from base64 import b64encode
from typing import Any

import pytest
from sqlalchemy import func, select

from registry import files
from registry.first_start import FirstStart
from registry.image import IMAGE_BYTES
from registry.schema import FILE_CONTENTS
from registry.service import Registry
from tests.unit.registry.api import Api

PNG = b"\x89PNG\r\n\x1a\n" + b"pixels"
JPEG = b"\xff\xd8\xff\xe0" + b"pixels"
WEBP = b"RIFF\x00\x00\x00\x00WEBPVP8 "


def build_upload(filename: str = "icons/mill.png", content: bytes = PNG, **fields: Any) -> dict[str, Any]:
    return {"filename": filename, "file": b64encode(content).decode(), **fields}


@pytest.mark.parametrize(("content", "media_type"), [(PNG, "image/png"), (JPEG, "image/jpeg"), (WEBP, "image/webp")])
async def test_an_image_is_shown_as_it_was_uploaded_whatever_its_name(
    api: Api, first: FirstStart, content: bytes, media_type: str
) -> None:
    assert await api.post("/files", [build_upload("/icons/mill.png", content, public=True)]) == "1 Files Uploaded"
    response = await api.client.get(f"/file/{first.profile_id}/icons/mill.png")
    assert (response.status_code, response.content) == (200, content)
    assert response.headers["Content-Type"] == media_type
    assert response.headers["X-Content-Type-Options"] == "nosniff"


async def test_an_uploaded_image_is_a_networks_icon(api: Api, first: FirstStart) -> None:
    await api.post("/files", [build_upload()])
    icon_url = f"/file/{first.profile_id}/icons/mill.png"
    await api.put(f"/integration/network/{first.network_id}", icon_url=icon_url)
    assert (await api.get(f"/integration/network/{first.network_id}"))["icon_url"] == icon_url


async def test_files_are_listed_replaced_and_deleted(api: Api, first: FirstStart) -> None:
    await api.post("/files", [build_upload(), build_upload("banner.png")])
    await api.post("/files", [build_upload(content=JPEG)])
    listed = await api.get("/files?path=/icons")
    (icon,) = listed["files"]
    assert (icon["filename"], icon["size"]) == ("icons/mill.png", len(JPEG))
    assert icon["url"] == f"/file/{first.profile_id}/icons/mill.png"
    await api.delete("/files", ["/icons/mill.png"])
    assert [file["filename"] for file in (await api.get("/files"))["files"]] == ["banner.png"]
    assert await api.refuse("GET", icon["url"]) == (404, "File Not Found")


@pytest.mark.parametrize(
    ("upload", "message"),
    [
        (
            build_upload(content=b"<svg xmlns='http://www.w3.org/2000/svg'/>"),
            "the file must be a PNG, JPEG or WebP image",
        ),
        (build_upload(content=b""), "the file must be a PNG, JPEG or WebP image"),
        (build_upload(content=PNG + b"0" * IMAGE_BYTES), "the file has 1,048,590 bytes; at most 1,048,576 are taken"),
        ({"filename": "a.png", "file": "%"}, "the file must be in base64"),
        (build_upload("../a.png"), "0.filename: must be a path"),
        (build_upload("a/./b.png"), "0.filename: must be a path"),
        (build_upload("a//b.png"), "0.filename: must be a path"),
        (build_upload("a\0.png"), "0.filename: must be a path"),
        (build_upload("a" * 201), "0.filename: must be a path"),
        (build_upload(public=False), "0.public: Input should be True"),
    ],
)
async def test_what_is_no_image_or_has_no_path_is_refused(api: Api, upload: dict[str, Any], message: str) -> None:
    status, said = await api.refuse("POST", "/files", [build_upload("good.png"), upload])
    assert status == 400
    assert message.replace("0.", "1.") in said
    assert (await api.get("/files"))["files"] == []


async def test_a_profile_has_no_more_files_than_it_may(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "MOST_FILES", 1)
    await api.post("/files", [build_upload("a.png")])
    assert (await api.refuse("POST", "/files", [build_upload("b.png")]))[0] == 409
    await api.post("/files", [build_upload("a.png", JPEG)])


async def test_another_profile_neither_lists_nor_deletes_them(api: Api, other: Api) -> None:
    await api.post("/files", [build_upload()])
    assert (await other.get("/files"))["files"] == []
    await other.delete("/files", ["icons/mill.png"])
    assert len((await api.get("/files"))["files"]) == 1


async def count_contents(registry: Registry) -> int:
    async with registry._database.reading() as connection:
        return (await connection.execute(select(func.count()).select_from(FILE_CONTENTS))).scalar_one()


async def test_the_same_bytes_are_kept_once_for_as_long_as_a_file_has_them(
    registry: Registry, api: Api, other: Api
) -> None:
    await api.post("/files", [build_upload("a.png"), build_upload("b.png"), build_upload("c.png", JPEG)])
    await other.post("/files", [build_upload("a.png")])
    assert await count_contents(registry) == 2
    await api.delete("/files", ["a.png", "c.png"])
    assert await count_contents(registry) == 1
    await api.post("/files", [build_upload("b.png", WEBP)])
    assert await count_contents(registry) == 2, "the other profile still has the first image"
    for uploader in (api, other):
        (file,) = (await uploader.get("/files"))["files"]
        assert (await api.client.get(file["url"])).content == (WEBP if uploader is api else PNG)
        await uploader.delete("/files", [file["filename"]])
    assert await count_contents(registry) == 0


async def test_what_is_uploaded_again_as_it_is_stays_untouched(api: Api) -> None:
    await api.post("/files", [build_upload()])
    before = await api.get("/files")
    await api.post("/files", [build_upload()])
    assert await api.get("/files") == before


@pytest.mark.parametrize("path", ["nobody/a.png", "{profile}/", "{profile}/../secret.key", "{profile}/%00"])
async def test_a_file_that_is_not_there_is_404(api: Api, first: FirstStart, path: str) -> None:
    response = await api.client.get("/file/" + path.format(profile=first.profile_id))
    assert response.status_code == 404
