"""Without these a report in a log could be padded, or a name in it be read as markup."""

from conformance.reporters.console_text import console_text


def test_text_is_taken_as_it_is_and_padding_is_dropped():
    shown = console_text(
        lambda console: console.print("[bold]step[/bold] :smile:   "), width=60, colour=False
    )
    assert shown == "[bold]step[/bold] :smile:\n"


def test_colour_is_there_only_when_it_is_asked_for():
    plain, coloured = (
        console_text(lambda console: console.print("x", style="red"), width=60, colour=colour)
        for colour in (False, True)
    )
    assert plain == "x\n"
    assert "\x1b[31m" in coloured
