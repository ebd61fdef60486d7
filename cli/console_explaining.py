"""What the console's testers say: ``sluice explain``, for a body and a map that somebody has typed."""

from datetime import UTC, datetime
from typing import Any, Literal

from cli.explain_rules import TRIED, NotExplainedError, Rules
from cli.explain_view import explanation_to_document
from cli.explanation import SampleRequest, explain_request, group_unasked
from cli.snapshot import DirectorySnapshot
from common.settings import Settings
from console.testing_keys import Sample

CASES: dict[str | None, Literal["upper", "lower"]] = {"upper": "upper", "lower": "lower"}


async def explain_sample(settings: Settings, sample: Sample) -> dict[str, Any]:
    """Give the explanation as a document, or ``{"not_explained": why}`` for a map that is none."""
    rules = Rules(field_map=sample.field_map, serial_format=sample.mask, force_case=CASES.get(sample.case))
    try:
        directory = rules.build_directory(None)
    except NotExplainedError as error:
        return {"not_explained": str(error).removeprefix("--map: ")}
    request = SampleRequest(
        body=sample.body.encode(),
        authorization=TRIED,
        query_string=sample.query,
        content_type="application/json",
        arrived_at=datetime.now(UTC),
        body_limit=settings.body_limit,
        items_limit=settings.items_limit,
    )
    explanation = await explain_request(request, DirectorySnapshot(directory))
    _, oversized = group_unasked(explanation.mapped)
    document = explanation_to_document(explanation, directory.downstream.url)
    return document | {
        "posts": [],
        "oversized": [{"index": each.uplink.index, "detail": each.detail} for each in oversized],
    }
