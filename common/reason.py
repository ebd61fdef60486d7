"""Why an uplink or a request did not go through: one word for one thing.

The same word is the ``reason`` of an HTTP answer, the log field, the metric label and the header of a dead letter,
so that an operator greps one word across four systems. Subject first, then state, so that a sorted list sorts by party.
"""

from enum import StrEnum


class Reason(StrEnum):
    """The closed list of reasons."""

    # At the edge: the request is refused (ingest/refusal.py has the status of each).
    BODY_MISSING = "body_missing"
    BODY_MALFORMED = "body_malformed"
    BODY_TOO_LARGE = "body_too_large"
    CONTENT_TYPE_UNSUPPORTED = "content_type_unsupported"
    ITEM_NOT_OBJECT = "item_not_object"
    AUTHORIZATION_MISSING = "authorization_missing"
    AUTHORIZATION_UNKNOWN = "authorization_unknown"
    AUTHORIZATION_DISABLED = "authorization_disabled"
    RATE_EXCEEDED = "rate_exceeded"
    QUEUE_UNAVAILABLE = "queue_unavailable"
    QUEUE_FULL = "queue_full"
    REQUEST_TIMEOUT = "request_timeout"
    PATH_UNKNOWN = "path_unknown"
    METHOD_NOT_ALLOWED = "method_not_allowed"

    # At the edge and in the worker.
    SERIAL_MISSING = "serial_missing"
    INTERNAL_ERROR = "internal_error"
    DIRECTORY_UNAVAILABLE = "directory_unavailable"

    # In the worker, permanent: the uplink becomes a dead letter.
    SERIAL_MALFORMED = "serial_malformed"
    SERIAL_UNKNOWN = "serial_unknown"
    VALUE_REFUSED = "value_refused"
    DOWNSTREAM_REFUSED = "downstream_refused"
    PARSER_FAILED = "parser_failed"

    # In the worker, tried again where that may help, and the dead letter's reason where it did not.
    ENVELOPE_UNSUPPORTED = "envelope_unsupported"
    KEY_UNKNOWN = "key_unknown"

    # In the worker, transient: the uplink is tried again later.
    RESOLVER_UNAVAILABLE = "resolver_unavailable"
    AUTHORIZATION_REFUSED = "authorization_refused"
    DOWNSTREAM_THROTTLED = "downstream_throttled"
    DOWNSTREAM_UNAVAILABLE = "downstream_unavailable"
    KEY_HELD_BACK = "key_held_back"

    # In the worker, when the attempts are used up for one of those: the dead letter's detail says for which.
    ATTEMPTS_EXHAUSTED = "attempts_exhausted"

    # In the worker, no failure: the uplink is set aside.
    NOT_AN_UPLINK = "not_an_uplink"
