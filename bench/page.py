"""Write docs/performance.md from what the sections left in build/bench.

What stands between the two marks of a section is replaced, and nothing else; a section that did not run here stays.
"""

from collections.abc import Callable, Mapping

from bench import plots
from bench.goals import render_goals
from bench.memory import ROLES, SETTLED_TENTH, TENTHS, describe_case
from bench.plan import render_plan
from bench.programs import REPOSITORY
from bench.rows import Measured, read_section
from bench.systems import RABBITMQ
from bench.tables import describe, render_table

PLANNED_FROM = {"ingest", "worker"}

PAGE = REPOSITORY / "docs" / "performance.md"


def write_page() -> None:
    """Render every section that was measured."""
    page = PAGE.read_text()
    sections = {name: measured for name in RENDERERS if (measured := read_section(name)) is not None}
    for name, measured in sections.items():
        page = replace_section(page, name, f"{RENDERERS[name](measured)}\n\n{describe(measured)}")
    page = replace_section(page, "goals", render_goals(sections, page))
    if sections.keys() >= PLANNED_FROM:
        page = replace_section(page, "plan", render_plan(sections))
    PAGE.write_text(page)


def replace_section(page: str, name: str, text: str) -> str:
    """Give the page with another text between the marks of a section."""
    begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
    before, found, rest = page.partition(begin)
    _, found_too, after = rest.partition(end)
    if not (found and found_too):
        raise ValueError(f"docs/performance.md has no marks {begin} and {end}")
    return f"{before}{begin}\n\n{text.strip()}\n\n{end}{after}"


def render_sink(measured: Measured) -> str:
    return render_table(measured, {"rate": "requests/s", "p99_ms": "p99 ms"}, case="load")


def render_ingest(measured: Measured) -> str:
    table = render_table(
        measured,
        {"rate": "requests/s", "p50_ms": "p50 ms", "p99_ms": "p99 ms", "processor_us": "processor µs per request"},
        case="body, connections",
        compared={"of the floor": "floor", "of Node.js": "Node.js"},
    )
    return f"{table}\n\n![throughput against latency]({plots.plot_latency(find_latency_curves(measured))})"


def find_latency_curves(measured: Measured) -> Mapping[str, plots.Curve]:
    """Give rate and p99 of each system at every number of connections, batches of 10."""
    curves: dict[str, list[tuple[float, float]]] = {}
    cells = [cell for cell in measured.cells() if cell[0].startswith("batch")]
    for case, system in sorted(cells, key=lambda cell: int(cell[0].split(",")[1].split()[0])):
        rate, p99 = (measured.median(system, case, figure) for figure in ("rate", "p99_ms"))
        if rate and p99:
            curves.setdefault(system, []).append((rate, p99))
    return curves


def render_worker(measured: Measured) -> str:
    return render_table(
        measured,
        {"rate": "uplinks/s", "processor_us": "processor µs per uplink"},
        case="downstream",
        compared={"of Node.js": "Node.js"},
    )


def render_end_to_end(measured: Measured) -> str:
    return render_table(
        measured,
        {"rate": "uplinks/s", "p50_ms": "202 to delivered, p50 ms", "p99_ms": "p99 ms"},
        case="downstream",
        compared={"of Node.js": "Node.js", "of Sluice": "Sluice"},
    )


def render_scale(measured: Measured) -> str:
    table = render_table(measured, {"rate": "uplinks/s"}, case="ingests and workers")
    one = measured.median(RABBITMQ.name, "1", "rate")
    shares = [
        f"{case}: {rate / one / int(case):.2f}"
        for case, system in measured.cells()
        if one and (rate := measured.median(system, case, "rate"))
    ]
    return f"{table}\n\nOf linear: {', '.join(shares)}."


def render_mapping(measured: Measured) -> str:
    rows = ["| uplink | µs, median | fastest | instructions |", "| --- | ---: | ---: | ---: |"]
    for shape, system in measured.cells():
        if system == "time":
            median, fastest = (measured.median("time", shape, figure) for figure in ("median_us", "min_us"))
            count = measured.median("instructions", shape, "count")
            rows.append(f"| {shape} | {median or 0:.1f} | {fastest or 0:.1f} | {count or 0:,.0f} |")
    return "\n".join(rows)


def render_console(measured: Measured) -> str:
    return render_table(
        measured,
        {
            "processor_us": "ingest and worker, processor ms per 1,000 uplinks",
            "ingest_us": "ingest",
            "worker_us": "worker",
            "console_us": "the console itself",
            "events": "events seen per uplink",
        },
        case="live inspector",
    )


def render_backlog(measured: Measured) -> str:
    curves: dict[str, list[tuple[float, float]]] = {}
    for row in measured.rows:
        if "drain" in row.figures:
            curves.setdefault(row.case, []).append((row.figures["left"] or 1, row.figures["drain"]))
    table = render_table(measured, {"rate": "uplinks/s"}, case="backlog")
    return f"{table}\n\n![drain against backlog]({plots.plot_backlog(curves)})"


def render_memory(measured: Measured) -> str:
    curves = {
        role: [(row.figures["seconds"] / 60, row.figures["megabytes"]) for row in measured.rows if row.system == role]
        for role in ROLES
    }
    settled, last = describe_case(SETTLED_TENTH), describe_case(TENTHS)
    rows = ["| role | MB in the second tenth of the uplinks | MB in the last | most | last by second |"]
    rows += ["| --- | ---: | ---: | ---: | ---: |"]
    for role, points in curves.items():
        early, late = (measured.median(role, case, "megabytes") for case in (settled, last))
        assert early is not None
        assert late is not None
        most = max(megabytes for _, megabytes in points)
        rows.append(f"| {role} | {early:.1f} | {late:.1f} | {most:.1f} | {late / early:.2f} |")
    return "\n".join(rows) + f"\n\n![memory over time]({plots.plot_memory(curves)})"


RENDERERS: Mapping[str, Callable[[Measured], str]] = {
    "sink": render_sink,
    "ingest": render_ingest,
    "worker": render_worker,
    "end_to_end": render_end_to_end,
    "scale": render_scale,
    "mapping": render_mapping,
    "console": render_console,
    "backlog": render_backlog,
    "memory": render_memory,
}
