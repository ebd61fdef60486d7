"""Base64 as network servers write it."""

import base64


def base64_to_hex(text: str) -> str:
    """Decode base64 and give lower-case hexadecimal digits; raises ValueError for anything that is no base64.

    Both alphabets are taken, the standard and the url-safe one, with or without padding: encoders differ in both, and
    no text means two things. Spaces and line breaks are refused.
    """
    bare = text.rstrip("=").replace("-", "+").replace("_", "/")
    return base64.b64decode(bare + "=" * (-len(bare) % 4), validate=True).hex()
