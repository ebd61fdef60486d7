import orjson
from hypothesis import given
from hypothesis import strategies as st

from common.reason import Reason
from tests.support.directories import build_network
from tests.support.uplinks import build_mapped, build_resolved, build_uplinks
from workers.grouping import BODY_BYTES, UPLINKS_PER_POST, Post, group_into_posts, split_post
from workers.resolver import ResolvedUplink

UPLINKS = build_uplinks(1_000)


def resolved(
    index: int = 0, *, device: str = "a", payload: bool = False, share: bool = True, size: int = 0
) -> ResolvedUplink:
    records = [{"variable": "payload" if payload else "note", "value": f"{index}" + "x" * size}]
    mapped = build_mapped(
        UPLINKS[index], records=records, carries_payload=payload, network=build_network(share_posts=share)
    )
    return build_resolved(mapped, token=device)


def indexes(posts: list[Post]) -> list[list[int]]:
    return [[uplink.mapped.uplink.index for uplink in post.uplinks] for post in posts]


def test_decoded_uplinks_of_one_device_share_a_post() -> None:
    posts, oversized = group_into_posts([resolved(0), resolved(1)])
    assert indexes(posts) == [[0, 1]]
    assert orjson.loads(posts[0].body) == [{"variable": "note", "value": "0"}, {"variable": "note", "value": "1"}]
    assert oversized == []


def test_uplinks_with_a_raw_payload_never_share() -> None:
    posts, _ = group_into_posts([resolved(0, payload=True), resolved(1, payload=True)])
    assert indexes(posts) == [[0], [1]]


def test_an_uplink_with_a_payload_divides_its_neighbours_and_keeps_their_order() -> None:
    posts, _ = group_into_posts([resolved(0), resolved(1), resolved(2, payload=True), resolved(3), resolved(4)])
    assert indexes(posts) == [[0, 1], [2], [3, 4]]


def test_devices_never_share() -> None:
    posts, _ = group_into_posts([resolved(0, device="a"), resolved(1, device="b"), resolved(2, device="a")])
    assert sorted(indexes(posts)) == [[0, 2], [1]]
    assert {post.device_token.get_secret_value() for post in posts} == {"a", "b"}


def test_a_network_may_forbid_sharing() -> None:
    posts, _ = group_into_posts([resolved(0, share=False), resolved(1, share=False)])
    assert indexes(posts) == [[0], [1]]


def test_a_post_is_bounded_in_uplinks() -> None:
    posts, _ = group_into_posts([resolved(n) for n in range(UPLINKS_PER_POST + 1)])
    assert [len(post.uplinks) for post in posts] == [UPLINKS_PER_POST, 1]


def test_a_post_is_bounded_in_bytes() -> None:
    posts, _ = group_into_posts([resolved(n, size=6_000) for n in range(40)])
    assert sum(len(post.uplinks) for post in posts) == 40
    assert len(posts) == 2
    assert all(len(post.body) <= BODY_BYTES for post in posts)


def test_the_bound_in_bytes_is_the_bodys_own() -> None:
    (alone,), _ = group_into_posts([resolved(0)])
    room = BODY_BYTES - len(alone.body)
    (largest,), _ = group_into_posts([resolved(0, size=room)])
    assert len(largest.body) == BODY_BYTES
    _, (dead,) = group_into_posts([resolved(0, size=room + 1)])
    assert f"a body of {BODY_BYTES + 1} bytes" in dead.detail
    (both,), _ = group_into_posts([resolved(0), resolved(1)])
    posts, _ = group_into_posts([resolved(0), resolved(1, size=BODY_BYTES + 1 - len(both.body))])
    assert indexes(posts) == [[0], [1]]


def test_an_uplink_that_fits_into_no_post_is_refused_alone() -> None:
    posts, oversized = group_into_posts([resolved(0), resolved(1, size=BODY_BYTES), resolved(2)])
    assert indexes(posts) == [[0, 2]]
    assert [(dead.uplink.index, dead.reason) for dead in oversized] == [(1, Reason.VALUE_REFUSED)]
    assert str(BODY_BYTES) in oversized[0].detail


def test_a_split_post_holds_the_same_uplinks_in_order() -> None:
    posts, _ = group_into_posts([resolved(n) for n in range(5)])
    halves = split_post(posts[0])
    assert indexes(list(halves)) == [[0, 1], [2, 3, 4]]
    assert orjson.loads(halves[0].body) + orjson.loads(halves[1].body) == orjson.loads(posts[0].body)


@given(
    st.lists(
        st.builds(
            lambda device, payload, share, size: (device, payload, share, size),
            st.sampled_from("abc"),
            st.booleans(),
            st.booleans(),
            st.sampled_from([0, 10, 6_000, 150_000, 250_000]),
        ),
        max_size=40,
    )
)
def test_any_request_keeps_every_uplink_once_in_the_order_of_its_device(
    shapes: list[tuple[str, bool, bool, int]],
) -> None:
    uplinks = [
        resolved(n, device=device, payload=payload, share=share, size=size)
        for n, (device, payload, share, size) in enumerate(shapes)
    ]
    posts, oversized = group_into_posts(uplinks)
    seen = [index for post in indexes(posts) for index in post] + [dead.uplink.index for dead in oversized]
    assert sorted(seen) == list(range(len(shapes)))
    for device in "abc":
        order = [i for p in posts if p.device_token.get_secret_value() == device for i in indexes([p])[0]]
        assert order == sorted(order)
    for post in posts:
        assert len(post.body) <= BODY_BYTES
        assert len(post.uplinks) == 1 or not any(uplink.mapped.carries_payload for uplink in post.uplinks)
