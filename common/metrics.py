"""Every metric of Sluice, declared in one place. A role counts on these and on nothing else."""

import math

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from common.reason import Reason

REGISTRY = CollectorRegistry()
"""Sluice's own registry, so that what a library registers by default does not show up unasked."""

_LATENCY_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)

UPLINKS_ACCEPTED = Counter("sluice_uplinks_accepted", "Uplinks answered 202: the queue has them.", registry=REGISTRY)
REQUESTS_REFUSED = Counter(
    "sluice_requests_refused", "Requests to /uplink that were not accepted.", ["reason"], registry=REGISTRY
)
FRAMES_PUBLISHED = Counter(
    "sluice_frames_published", "Frames that the queue confirmed to the ingest.", registry=REGISTRY
)
CONFIRM_SECONDS = Histogram(
    "sluice_confirm_seconds",
    "Time from publishing a frame to its confirm.",
    buckets=_LATENCY_BUCKETS,
    registry=REGISTRY,
)
REQUESTS_WAITING = Gauge("sluice_requests_waiting", "Requests that wait for a confirm.", registry=REGISTRY)
GATE_CLOSED = Gauge(
    "sluice_gate_closed", "1 while the ingest refuses because the queue does not confirm.", registry=REGISTRY
)

UPLINKS_DELIVERED = Counter("sluice_uplinks_delivered", "Uplinks that the downstream took.", registry=REGISTRY)
UPLINKS_SET_ASIDE = Counter(
    "sluice_uplinks_set_aside", "Items that are no uplink (joins, downlink events).", registry=REGISTRY
)
UPLINKS_DEAD = Counter("sluice_uplinks_dead", "Uplinks that became dead letters.", ["reason"], registry=REGISTRY)
UPLINKS_RETRIED = Counter("sluice_uplinks_retried", "Uplinks sent up the retry ladder.", ["reason"], registry=REGISTRY)
UPLINKS_PUT_BACK = Counter(
    "sluice_uplinks_put_back",
    "Uplinks put back into the queue because the downstream was away as a whole.",
    ["reason"],
    registry=REGISTRY,
)
UPLINKS_REDELIVERED = Counter(
    "sluice_uplinks_redelivered",
    "Uplinks that came again because a worker died or handed them back.",
    registry=REGISTRY,
)
UPLINKS_IN_HAND = Gauge("sluice_uplinks_in_hand", "Uplinks that this worker is processing.", registry=REGISTRY)
OLDEST_UPLINK_AGE = Gauge(
    "sluice_oldest_uplink_age_seconds",
    "How long, at the least, the oldest uplink waits in the work queue, or is in hand at a worker and not settled;"
    " what waits out a retry step does not count. The greatest of all processes is the deployment's.",
    ["where"],
    registry=REGISTRY,
)
QUEUE_MESSAGES = Gauge(
    "sluice_queue_messages",
    "Messages in the queue, by what they wait for; dead: entries about dead letters, marks included. Every process"
    " sees the same.",
    ["waiting"],
    registry=REGISTRY,
)
BOOKS_SURPLUS = Gauge(
    "sluice_books_surplus_uplinks",
    "Uplinks that the books of a queue in a file have too many (below 0: too few); not there on RabbitMQ.",
    ["queue"],
    registry=REGISTRY,
)
UPLINKS_UNSETTLED = Gauge(
    "sluice_uplinks_unsettled",
    "Uplinks in messages that RabbitMQ has handed to this process and that are not settled.",
    registry=REGISTRY,
)
UPLINKS_UNCONFIRMED = Counter(
    "sluice_uplinks_unconfirmed",
    "Uplinks whose publish was given up without an answer: the queue may hold them all the same.",
    registry=REGISTRY,
)
DOWNSTREAM_SECONDS = Histogram(
    "sluice_downstream_seconds",
    "Time of one request downstream.",
    ["route"],
    buckets=_LATENCY_BUCKETS,
    registry=REGISTRY,
)
DELIVERY_SECONDS = Histogram(
    "sluice_delivery_seconds",
    "Time from an uplink's arrival to its delivery.",
    buckets=(*_LATENCY_BUCKETS, 60.0, 600.0, 3600.0, 86_400.0),
    registry=REGISTRY,
)
BREAKER_OPEN = Gauge(
    "sluice_breaker_open", "1 while consuming pauses because the downstream is away as a whole.", registry=REGISTRY
)
PROFILE_PAUSES = Counter(
    "sluice_profile_pauses", "How often the downstream set a profile to zero by a 429.", registry=REGISTRY
)
KEYS_HELD_BACK = Gauge(
    "sluice_keys_held_back", "Keys that are held back because their uplinks mostly die.", registry=REGISTRY
)
KEYS_REFUSED = Gauge(
    "sluice_keys_refused",
    "Keys that are held back because the downstream refuses their credentials.",
    registry=REGISTRY,
)
DIRECTORY_DEGRADED = Gauge(
    "sluice_directory_degraded",
    "1 while the directory's source is away or broken and the last good copy serves.",
    registry=REGISTRY,
)
RECORDS_STORED = Counter("sluice_records_stored", "Records that the registry has stored.", registry=REGISTRY)
UPLINKS_REPEATED = Counter(
    "sluice_uplinks_repeated", "Uplinks that came to the registry again and were not stored again.", registry=REGISTRY
)
STORE_SECONDS = Histogram(
    "sluice_store_seconds",
    "Time of one transaction of the registry, which stores the posts that waited together.",
    buckets=_LATENCY_BUCKETS,
    registry=REGISTRY,
)
STORE_WAITING = Gauge(
    "sluice_store_waiting", "Rows of posts that wait for the registry's next transaction.", registry=REGISTRY
)
SERIALS_RESOLVED = Counter(
    "sluice_serials_resolved", "Serials for which the registry gave a device token.", registry=REGISTRY
)
EVENTS_PUBLISHED = Counter(
    "sluice_events_published", "Live events that went on their way to a viewer.", registry=REGISTRY
)
EVENTS_DROPPED = Counter(
    "sluice_events_dropped", "Live events that no viewer sees, because they came too fast for one.", registry=REGISTRY
)
EVENT_VIEWERS = Gauge("sluice_event_viewers", "Viewers of live events that this process knows.", registry=REGISTRY)
TLS_CERTIFICATE_EXPIRES = Gauge(
    "sluice_tls_certificate_expires_timestamp_seconds",
    "Unix time at which the certificate that this process shows expires; +Inf without one.",
    registry=REGISTRY,
)
TLS_CERTIFICATE_EXPIRES.set(math.inf)

PROCESS_STARTED = Gauge(
    "sluice_process_start_time_seconds",
    "Unix time at which the process began to count: another one, and it was restarted.",
    registry=REGISTRY,
)
PROCESS_STARTED.set_to_current_time()

for _reason in Reason:  # a counter that starts at its first event hides that event from rate()
    REQUESTS_REFUSED.labels(_reason)
    UPLINKS_DEAD.labels(_reason)
    UPLINKS_RETRIED.labels(_reason)
    UPLINKS_PUT_BACK.labels(_reason)
