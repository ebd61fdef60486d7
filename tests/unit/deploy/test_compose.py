"""docker-compose.yml: what is said in two places says the same."""

from pathlib import Path

import yaml

COMPOSE = yaml.safe_load((Path(__file__).parents[3] / "docker-compose.yml").read_text())


def test_the_console_sends_people_to_the_port_at_which_the_ingest_is_published() -> None:
    (published,) = COMPOSE["services"]["ingest"]["ports"]
    _, _, port = published.removesuffix(":8080").partition("}:")
    assert port.startswith("${SLUICE_INGEST_PORT")
    url = COMPOSE["services"]["console"]["environment"]["SLUICE_INGEST_URL"]
    assert url == f"${{SLUICE_INGEST_URL:-http://127.0.0.1:{port}}}"
