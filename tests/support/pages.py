"""The project's documents, as tests read them: the files that a page has one save, and the commands that it shows."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
PAGES = sorted(
    page.relative_to(REPOSITORY).as_posix()
    for page in (*REPOSITORY.glob("*.md"), *REPOSITORY.glob("docs/**/*.md"), *REPOSITORY.glob("testing/*.md"))
)

_FILE = re.compile(r"^```(?:json|toml|js) (\S+\.\S+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_CONSOLE = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_BLOCK = re.compile(r"^ *```\w*[^\n]*\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
_MENTION = re.compile(r"`(sluice [^`]+)`")
_LINK = re.compile(r"\]\((?!https?://)([^)#\s]+)")
_COMMAND = re.compile(r"^(?:\$ )?(?:docker compose exec \w+ |\.venv/bin/)?(sluice .*?)(?: {2,}#.*)?$")


@dataclass(frozen=True)
class Shown:
    """A command of a page, with what the page shows of its outcome."""

    command: str
    outcome: str


def read_page(name: str) -> str:
    """Give the text of a page by its path in the repository."""
    return (REPOSITORY / name).read_text(encoding="utf-8")


def list_files(page: str) -> dict[str, str]:
    """Give the files that a page has one save, by name."""
    return dict(_FILE.findall(read_page(page)))


def list_shown(page: str) -> list[Shown]:
    """Give the commands of a page's ``console`` blocks, in their order."""
    blocks = _CONSOLE.findall(read_page(page))
    parts = [part for block in blocks for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]]
    return [Shown(command, outcome) for command, _, outcome in (part.partition("\n") for part in parts)]


def list_links(page: str) -> list[str]:
    """Give every file that a page links to or shows, relative to the page."""
    return list(_LINK.findall(_BLOCK.sub("", read_page(page))))


def list_mentions(page: str) -> Iterator[str]:
    """Give every ``sluice …`` of a page: those within the text, and the lines of its blocks."""
    text = read_page(page)
    yield from _MENTION.findall(_BLOCK.sub("", text))
    for block in _BLOCK.findall(text):
        for line in block.splitlines():
            if match := _COMMAND.match(line.strip()):
                yield match[1]
