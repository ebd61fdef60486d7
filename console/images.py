"""Images that are uploaded with a form."""

from collections.abc import Mapping

from common.registry_requests import Document
from console.visit import Visit


def list_places(folder: str, images: Mapping[str, str]) -> dict[str, str]:
    """Give what the registry calls the image of each file of a form, and the file: so is said which one it refuses."""
    return {f"{folder}/{field}": name for name, field in images.items()}


async def upload_images(visit: Visit, folder: str, images: Mapping[str, str]) -> Document:
    """Store the images that were chosen in a folder of the profile's; give their addresses by their fields.

    ``images`` gives the field of the registry for each file of the form. Raises
    :class:`console.refusal.RefusedError`.
    """
    addresses: Document = {}
    for name, field in images.items():
        content = await visit.form.file(name)
        if content:
            await visit.api.upload(f"{folder}/{field}", content)
            addresses[field] = f"/file/{visit.profile.id}/{folder}/{field}"
    return addresses
