"""Images: what may be uploaded, told by its first bytes and not by its name."""

import binascii
from base64 import b64decode

from registry.refusal import invalid

IMAGE_BYTES = 1_048_576
"""Largest image. A banner in a sensible format has a tenth of it."""

_PNG = b"\x89PNG\r\n\x1a\n"
_JPEG = b"\xff\xd8\xff"
_RIFF, _WEBP, _WEBP_AT = b"RIFF", b"WEBP", 8


def decode_image(name: str, text: str) -> tuple[str, bytes]:
    """Give the media type and the bytes of an image in base64.

    Raises :class:`registry.refusal.RefusedError` (400) for what is none, and for one that is too large. An SVG is a
    document with scripts, and is not taken.
    """
    try:
        content = b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise invalid(f"{name}: the file must be in base64") from None
    if len(content) > IMAGE_BYTES:
        raise invalid(f"{name}: the file has {len(content):,} bytes; at most {IMAGE_BYTES:,} are taken")
    media_type = _tell_type(content)
    if media_type is None:
        raise invalid(f"{name}: the file must be a PNG, JPEG or WebP image")
    return media_type, content


def _tell_type(content: bytes) -> str | None:
    if content.startswith(_PNG):
        return "image/png"
    if content.startswith(_JPEG):
        return "image/jpeg"
    if content.startswith(_RIFF) and content.startswith(_WEBP, _WEBP_AT):
        return "image/webp"
    return None
