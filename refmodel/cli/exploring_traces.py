"""``refmodel explore`` of a trace, event by event."""

from __future__ import annotations

from collections import deque
from pathlib import Path

from refmodel.cli.common import needs_a_terminal, needs_textual, out, print_document, write_page
from refmodel.language.unsound import BadDesign
from refmodel.oracle.trace.expressions import evaluate
from refmodel.oracle.trace.following import Follower, concerned_in, lines
from refmodel.oracle.trace.judge import judge_trace
from refmodel.report import pages, trace_stories
from refmodel.report.explored_documents import event_document


def explore_trace(name: str, line: int | None, about: str | None, expressions: list[str], html: Path | None, as_json: bool) -> None:
    """Take a trace event by event: at a terminal, or one event and its history."""
    concerned = None if about is None else concerned_in(about)
    if about is not None and concerned is None:
        raise BadDesign(f"--about {about}: expected pages and frames, such as 'vm 0, gfn 5; mfn 7'")
    at = line or _where_it_deviates(name)
    if html is None and not expressions and not as_json:
        needs_a_terminal()
        try:
            from refmodel.cli.trace_explorer import TraceExplorer
        except ImportError as why:
            raise needs_textual(why) from None
        TraceExplorer(name, at or 1, about or "").run()
        return
    at = at or _last_line(name)
    follower = Follower(name)
    followed = follower.at(at)
    if followed is None:
        wrong = _where_it_deviates(name)
        after = f"line {wrong} deviates, and nothing after it is judged" if wrong is not None and wrong < at else "there is none"
        raise BadDesign(f"{name}: --line {at}: expected a line that holds an event; {after}")
    knowledge = follower.knowledge_at(at)
    assert knowledge is not None
    values = {expression: evaluate(knowledge, expression) for expression in expressions}
    if as_json:
        print_document(event_document(name, followed, values))
    for expression, value in () if as_json else values.items():
        out.print(f"after line {at}: {expression} is {value}", soft_wrap=True, markup=False)
    if html is not None:
        story = trace_stories.of_pages(name, concerned or followed.about, at, followed.deviation)
        write_page(pages.Page(f"refmodel explore {name}", (f"{name}: what is known up to line {at}",), stories=(story,)), html)
        if not as_json:
            out.print(f"{html}: the history of {story.history or 'no page'}, up to line {at}", soft_wrap=True, markup=False)


def _last_line(name: str) -> int:
    """The last line that holds an event."""
    last = deque((line for line, _ in lines(name)), maxlen=1)
    return last[0] if last else 1


def _where_it_deviates(name: str) -> int | None:
    """The line of the first event that no lawful run explains."""
    found = judge_trace(name).deviation
    return None if found is None else found.line
