"""Ports for tests; imports nothing of Sluice."""

import socket


def find_free_port() -> int:
    """Give a port that nobody listens on at the moment."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
    return port
