"""What the registry and its parser processes say to each other: JSON documents, each after its length.

A frame of length 0 comes first, when a process is ready. Each run is one frame, and so is its answer.
"""

import struct
from typing import Any, BinaryIO, Final

import orjson

LENGTH: Final = struct.Struct("!I")

READY: Final = LENGTH.pack(0)


def encode_frame(document: Any) -> bytes:
    """Give a document as a frame."""
    body = orjson.dumps(document)
    return LENGTH.pack(len(body)) + body


def read_frame(stream: BinaryIO) -> Any:
    """Read a document; None at the end of the stream."""
    head = stream.read(LENGTH.size)
    if len(head) < LENGTH.size:
        return None
    body = stream.read(*LENGTH.unpack(head))
    return orjson.loads(body)
