"""Pages: templates with what they are given, every value escaped."""

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from console.sessions import Session

FOLDER = Path(__file__).parent / "templates"


class Pages:
    """The templates. A name that a template asks for and was not given is an error, and not an empty place.

    Every template knows ``directory_file``, where the networks and the keys are if there is no registry.
    """

    def __init__(self, directory_file: str | None = None) -> None:
        self._environment = Environment(
            loader=FileSystemLoader(FOLDER),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._environment.globals["directory_file"] = directory_file
        self._environment.filters |= {
            "clean": clean_text,
            "json": show_json,
            "number": show_number,
            "time": show_time,
            "value": show_value,
            "zip": zip,
        }

    def render(
        self, request: Request, template: str, session: Session | None, status: int, context: Mapping[str, Any]
    ) -> Response:
        """Give a page; ``session`` is None for whoever is not signed in."""
        shown = self._environment.get_template(template).render(
            path=request.url.path,
            session=session,
            notices=[] if session is None else session.take_notices(),
            **context,
        )
        return HTMLResponse(shown, status)


def show_time(moment: datetime | str | None) -> str:
    """Write a time: in UTC for whoever has no script, else as the reader's clock says it, the exact one on hover."""
    if moment is None:
        return Markup('<span class="none">never</span>')
    if isinstance(moment, str):
        moment = datetime.fromisoformat(moment)
    utc = moment.astimezone(UTC)
    return Markup('<time datetime="{0}" title="{0}">{1}</time>').format(
        utc.isoformat(timespec="milliseconds").replace("+00:00", "Z"), f"{utc:%Y-%m-%d %H:%M:%S} UTC"
    )


def show_number(number: float) -> str:
    """Write a number with its thousands apart."""
    return f"{number:,}" if isinstance(number, int) else f"{number:,.1f}"


def show_json(value: Any) -> str:
    """Write a value as JSON for people; the template escapes it."""
    return orjson.dumps(value, option=orjson.OPT_INDENT_2, default=str).decode()


def show_value(value: Any) -> str:
    """Write a value in one line: a text as it is, as far as it can be printed, and anything else as JSON."""
    return clean_text(value) if isinstance(value, str) else orjson.dumps(value, default=str).decode()


def clean_text(text: str) -> str:
    """Replace what a device sent and nobody can print: it would turn what stands beside it around, or hide it."""
    return "".join(character if character.isprintable() or character in "\n\t" else "�" for character in text)
