"""The encodings of a payload, and base64 as network servers write it."""

import base64
import string
from typing import Literal, TypeAlias

PayloadEncoding: TypeAlias = Literal["hex", "base64"]

PAYLOAD_ENCODINGS: tuple[PayloadEncoding, ...] = ("hex", "base64")


_HEX_DIGITS = frozenset(string.hexdigits)


def looks_like_base64(text: str) -> bool:
    """Whether a text is base64 and can be no hexadecimal digits."""
    try:
        return bool(base64_to_hex(text)) and not _HEX_DIGITS.issuperset(text)
    except ValueError:
        return False


def base64_to_hex(text: str) -> str:
    """Decode base64 and give lower-case hexadecimal digits; raises ValueError for anything that is no base64.

    Both alphabets are taken, the standard and the url-safe one, with or without padding: encoders differ in both, and
    no text means two things. Spaces and line breaks are refused.
    """
    bare = text.rstrip("=").replace("-", "+").replace("_", "/")
    return base64.b64decode(bare + "=" * (-len(bare) % 4), validate=True).hex()
