"""Which globals a source names."""

import pytest

from registry.parsers.source import find_globals


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("payload = payload.map((x) => x);", {"payload"}),
        ("const b = Buffer.from(payload[0].value); console.log(b);", {"Buffer", "payload", "console"}),
        ("[...payload, ...device.params]", {"payload", "device"}),
        ("x.payload; y?.device; z . Buffer", set()),
        ("({ payload: 1, device: 2 })", set()),
        ("// payload\n/* device */ 'Buffer' \"console\" `dayjs`", set()),
        ("`${dayjs().format()} and ${'Buffer'}`", {"dayjs"}),
        ("a / device / 2; b[0] / serial / c", {"device", "serial"}),
        ("return /payload/.test(text) || x.match(/[/]device/g)", set()),
        ("const fs = require('fs'); a ? process : atob", {"require", "process", "atob"}),
        ("mypayload; $payload; payload_raw", set()),
        ("", set()),
    ],
)
def test_globals_are_found(source: str, expected: set[str]) -> None:
    assert find_globals(source) == expected
