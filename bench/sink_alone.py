"""The sink by itself: it may not be what is slow in any other section."""

from bench.options import Options
from bench.rows import Results
from bench.sink import Sink
from bench.wrk import require_wrk, run_wrk

CONNECTIONS = 64
RECORDS = (
    b'[{"variable":"serial","value":"0A1B2C3D4E5F6071","group":"6a1f0c52d3b19e4477aa01c9","time":"2026-11-21T01:23:45Z"},'
    b'{"variable":"payload","value":"0011AA22BB33","group":"6a1f0c52d3b19e4477aa01c9","time":"2026-11-21T01:23:45Z"},'
    b'{"variable":"mark","value":1,"group":"6a1f0c52d3b19e4477aa01c9","time":"2026-11-21T01:23:45Z"}]'
)


async def measure(options: Options) -> None:
    """Post to it as fast as wrk can."""
    require_wrk()
    results = Results("sink", options)
    sink = Sink()
    url = await sink.start()
    for _ in range(options.rounds):
        load = await run_wrk(f"{url}/data", RECORDS, connections=CONNECTIONS, seconds=min(2.0, options.seconds))
        results.add("sink", f"{CONNECTIONS} connections", rate=load.rate, p50_ms=load.p50_ms, p99_ms=load.p99_ms)
    sink.stop()
