"""What is shown on a terminal, and what is asked there."""

import io

import pytest

from cli.terminal import ask, clean_text


def test_terminal_codes_and_line_ends_do_not_reach_the_terminal() -> None:
    assert clean_text("serial '\x1b[31m\n'").plain == "serial '�[31m�'"


@pytest.mark.parametrize(
    ("text", "is_yes"), [("y\n", True), (" Yes\n", True), ("n\n", False), ("\n", False), ("", False)]
)
def test_only_a_yes_is_a_yes_and_what_is_asked_is_not_output(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], text: str, *, is_yes: bool
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(text))
    assert ask("Really?") is is_yes
    assert capsys.readouterr() == ("", "Really? [y/N] ")
