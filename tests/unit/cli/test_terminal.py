"""What is shown on a terminal."""

from cli.terminal import clean_text


def test_terminal_codes_and_line_ends_do_not_reach_the_terminal() -> None:
    assert clean_text("serial '\x1b[31m\n'").plain == "serial '�[31m�'"
