"""What pydantic found wrong, as people are told it."""

from pydantic_core import ErrorDetails


def describe_error(error: ErrorDetails) -> str:
    """Say what is wrong: in the words of the validator that found it, without those that pydantic puts before them."""
    return error["msg"].removeprefix("Value error, ")
