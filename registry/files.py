"""Files: the icons, banners and serial images that profiles upload, for everybody who sees their networks.

The same bytes are kept once, under whatever paths they were uploaded: connectors share their images, and each import
uploads all of them again.
"""

import hashlib
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypeVar

from sqlalchemy import delete, func, insert, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from registry.database import Database
from registry.refusal import conflict, not_found
from registry.schema import FILE_CONTENTS, FILES

MOST_FILES = 2_000
"""Of one profile: the images of some hundred networks and connectors, as an import brings them."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Image:
    """An image under the path that its profile gave it."""

    path: str
    media_type: str
    content: bytes


class Files:
    """The files of every profile."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def store(self, profile_id: str, images: Sequence[Image]) -> None:
        """Store images, all or none, in place of those of the same path. Raises RefusedError (409) for too many."""
        owned = FILES.c.profile_id == profile_id

        async def store(connection: AsyncConnection) -> None:
            for image in images:
                await _put(connection, profile_id, image)
            if (await connection.execute(select(func.count()).where(owned))).scalar_one() > MOST_FILES:
                raise conflict(f"A profile may have at most {MOST_FILES} files; delete some first")

        await self._write(store)

    async def read(self, profile_id: str, path: str) -> Image:
        """Give an image. Raises RefusedError (404)."""
        query = select(FILES.c.path, FILES.c.media_type, FILE_CONTENTS.c.content).join(FILE_CONTENTS)
        async with self._database.reading() as connection:
            found = await connection.execute(query.where(FILES.c.profile_id == profile_id, FILES.c.path == path))
            row = found.one_or_none()
        if row is None:
            raise not_found("File")
        return Image(row.path, row.media_type, row.content)

    async def list_for(self, profile_id: str, folder: str) -> list[tuple[str, int, datetime]]:
        """Give path, size in bytes and moment of storing of the profile's files whose path begins so."""
        query = select(FILES.c.path, func.length(FILE_CONTENTS.c.content), FILES.c.stored_at).join(FILE_CONTENTS)
        owned = query.where(FILES.c.profile_id == profile_id, FILES.c.path.startswith(folder, autoescape=True))
        async with self._database.reading() as connection:
            rows = (await connection.execute(owned.order_by(FILES.c.path))).all()
        return [(path, size, stored_at) for path, size, stored_at in rows]

    async def remove(self, profile_id: str, paths: Sequence[str]) -> int:
        """Remove files; give how many there were."""
        found = FILES.c.profile_id == profile_id, FILES.c.path.in_(paths)

        async def remove(connection: AsyncConnection) -> int:
            return (await connection.execute(delete(FILES).where(*found))).rowcount

        return await self._write(remove)

    async def _write(self, work: Callable[[AsyncConnection], Awaitable[T]]) -> T:
        """Do this in a transaction, and drop what no file holds any more.

        Another registry may store what this one drops, or drop what this one refers to: whichever of them the database
        refuses sees what the other has done when it tries again.
        """
        try:
            return await self._write_once(work)
        except IntegrityError:
            return await self._write_once(work)

    async def _write_once(self, work: Callable[[AsyncConnection], Awaitable[T]]) -> T:
        held = select(FILES.c.digest).where(FILES.c.digest == FILE_CONTENTS.c.digest)
        async with self._database.writing() as connection:
            done = await work(connection)
            await connection.execute(delete(FILE_CONTENTS).where(~held.exists()))
            return done


async def _put(connection: AsyncConnection, profile_id: str, image: Image) -> None:
    """Put an image at its path; one that is there already stays as it is."""
    digest = hashlib.sha256(image.content).digest()
    place = FILES.c.profile_id == profile_id, FILES.c.path == image.path
    if (await connection.execute(select(FILES.c.path).where(*place, FILES.c.digest == digest))).first():
        return
    if not (await connection.execute(select(FILE_CONTENTS.c.digest).where(FILE_CONTENTS.c.digest == digest))).first():
        await connection.execute(insert(FILE_CONTENTS).values(digest=digest, content=image.content))
    await connection.execute(delete(FILES).where(*place))
    values = {"media_type": image.media_type, "digest": digest, "stored_at": datetime.now(UTC)}
    await connection.execute(insert(FILES).values(profile_id=profile_id, path=image.path, **values))
