"""What to do about a dead letter: one sentence for each reason, for the command line and the documents."""

from collections.abc import Mapping
from types import MappingProxyType

from common.reason import Reason

REMEDIES: Mapping[Reason, str] = MappingProxyType(
    {
        Reason.SERIAL_UNKNOWN: "Create the device downstream, then replay.",
        Reason.SERIAL_MALFORMED: "Mend the network's serial format or the key's map if they are wrong, then replay; a"
        " device that sends such a serial has to be mended itself.",
        Reason.SERIAL_MISSING: "The key's map was changed after the uplink was accepted: mend the map, then replay.",
        Reason.VALUE_REFUSED: "The detail names the field: mend the device or the key's map; replaying it unchanged"
        " fails again.",
        Reason.DOWNSTREAM_REFUSED: "The detail has the downstream's message: mend what it names there, then replay.",
        Reason.PARSER_FAILED: "The detail has the payload parser's error: mend the parser, then replay.",
        Reason.KEY_UNKNOWN: "Put the key's table back into the directory under the name that the letter has, then"
        " replay.",
        Reason.ENVELOPE_UNSUPPORTED: "Upgrade the workers, then replay; what is no frame at all was published by hand"
        " and can only be purged.",
        Reason.ATTEMPTS_EXHAUSTED: "The detail has the last reason: see that it is over, then replay.",
        Reason.INTERNAL_ERROR: "A bug: report it with the traceback from the worker's log, and replay after the"
        " upgrade that mends it.",
    }
)
"""The reasons that a letter can have; the sentences are those of docs/operations.md."""


def find_remedy(reason: Reason) -> str:
    """Give the sentence for a reason; a general one where a letter of another release has a reason of its own."""
    return REMEDIES.get(reason, "The detail says what happened: mend that, then replay.")
