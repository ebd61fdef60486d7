import pytest

from registry.refusal import RefusedError
from registry.uplink_ids import parse_uplink_ids

GROUP = "6a1f0c52d3b19e4477aa01c9"


@pytest.mark.parametrize(
    ("header", "ids"),
    [
        ("", ()),
        (f"{GROUP}/0", (f"{GROUP}/0",)),
        (f"{GROUP}/0, {GROUP}/11,", (f"{GROUP}/0", f"{GROUP}/11")),
        (f"{GROUP}/0,{GROUP}/0", (f"{GROUP}/0",)),
        (",".join(f"{GROUP}/{index}" for index in range(100)), tuple(f"{GROUP}/{index}" for index in range(100))),
    ],
)
def test_ids_are_read_each_once(header: str, ids: tuple[str, ...]) -> None:
    assert parse_uplink_ids(header) == ids


@pytest.mark.parametrize("header", ["7", GROUP, f"{GROUP}/", f"{GROUP}/x", f"{GROUP}/0;{GROUP}/1", "G" * 24 + "/0"])
def test_what_is_no_id_is_refused(header: str) -> None:
    with pytest.raises(RefusedError, match="is no uplink id; write group/index"):
        parse_uplink_ids(header)


def test_more_ids_than_may_share_a_post_are_refused() -> None:
    with pytest.raises(RefusedError, match="names 101 uplinks; at most 100"):
        parse_uplink_ids(",".join(f"{GROUP}/{index}" for index in range(101)))
