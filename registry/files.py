"""Files: the icons, banners and serial images that profiles upload, for everybody who sees their networks."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import delete, func, insert, select

from registry.database import Database
from registry.refusal import conflict, not_found
from registry.schema import FILES

MOST_FILES = 2_000
"""Of one profile: the images of some hundred networks and connectors, as an import brings them."""


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
        stored_at = datetime.now(UTC)
        async with self._database.writing() as connection:
            for image in images:
                values = {"media_type": image.media_type, "content": image.content, "stored_at": stored_at}
                await connection.execute(delete(FILES).where(owned, FILES.c.path == image.path))
                await connection.execute(insert(FILES).values(profile_id=profile_id, path=image.path, **values))
            if (await connection.execute(select(func.count()).where(owned))).scalar_one() > MOST_FILES:
                raise conflict(f"A profile may have at most {MOST_FILES} files; delete some first")

    async def read(self, profile_id: str, path: str) -> Image:
        """Give an image. Raises RefusedError (404)."""
        query = select(FILES).where(FILES.c.profile_id == profile_id, FILES.c.path == path)
        async with self._database.reading() as connection:
            row = (await connection.execute(query)).one_or_none()
        if row is None:
            raise not_found("File")
        return Image(row.path, row.media_type, row.content)

    async def list_for(self, profile_id: str, folder: str) -> list[tuple[str, int, datetime]]:
        """Give path, size in bytes and moment of storing of the profile's files whose path begins so."""
        query = select(FILES.c.path, func.length(FILES.c.content), FILES.c.stored_at)
        owned = query.where(FILES.c.profile_id == profile_id, FILES.c.path.startswith(folder, autoescape=True))
        async with self._database.reading() as connection:
            rows = (await connection.execute(owned.order_by(FILES.c.path))).all()
        return [(path, size, stored_at) for path, size, stored_at in rows]

    async def remove(self, profile_id: str, paths: Sequence[str]) -> int:
        """Remove files; give how many there were."""
        found = FILES.c.profile_id == profile_id, FILES.c.path.in_(paths)
        async with self._database.writing() as connection:
            return (await connection.execute(delete(FILES).where(*found))).rowcount
