"""Parsers as the database keeps them."""

import base64
import hashlib
from functools import lru_cache

from registry.parsers.model import Parser, ParserKind

REMEMBERED_SOURCES = 512


@lru_cache(REMEMBERED_SOURCES)
def read_parser(kind: ParserKind, text: str) -> Parser:
    """Give the parser that is kept as this text: its source, in UTF-8 and then in base64."""
    source = base64.b64decode(text)
    return Parser(kind, hashlib.sha256(source).hexdigest(), source.decode())
