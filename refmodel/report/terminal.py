"""Verdicts and traces for a person at a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.markdown import Markdown
from rich.syntax import Syntax
from rich.table import Table
from rich.text import Text
from rich.tree import Tree

from refmodel.engines.bench import Kill
from refmodel.engines.counterexamples import Counterexample
from refmodel.engines.differences import Change
from refmodel.engines.machine import Broken, Told
from refmodel.engines.verdicts import BAD, GOOD, Disagreement, EngineReport, Verdict
from refmodel.engines.words import call, change_text, names_of, outcome_text, place, shown
from refmodel.language.design import Outline
from refmodel.language.plurals import many
from refmodel.oracle.judging import Verdict as Judged
from refmodel.oracle.known import known_of
from refmodel.report.brief import brief
from refmodel.report.texts import Explanation


def style_of(verdict: Verdict) -> str:
    """How a verdict is printed."""
    return "green" if verdict in GOOD else "bold red" if verdict in BAD else "yellow"


def verdict_table(design: Outline, reports: Sequence[EngineReport]) -> Table:
    """Law by engine."""
    table = Table(
        title=f"{design.name}: {many(len(design.operations), 'operation')}, {many(len(design.laws), 'law')}", title_justify="left"
    )
    table.add_column("clause", no_wrap=True)
    table.add_column("law", overflow="fold")
    for report in reports:
        table.add_column(report.engine)
    for law in [law for law in design.claims if any(law in report.verdicts for report in reports)]:
        cells = [
            Text(report.words(law), style_of(report.verdicts[law])) if law in report.verdicts else Text("not asked", "dim")
            for report in reports
        ]
        table.add_row(Text(law.clause), law.name.replace("_", " "), *cells)
    return table


def coverage(reports: Sequence[EngineReport]) -> Iterator[Text]:
    """What each engine covered, and how long it took."""
    for report in reports:
        if report.why:
            yield Text.assemble((f"{report.engine:>10}  ", "bold"), (f"undecided: {report.why}", "yellow"))
        else:
            yield Text.assemble((f"{report.engine:>10}  ", "bold"), f"{report.covered}; {report.seconds:.1f} s")
        alone = "; --law NAME checks one law alone" if report.failure is not None or report.witness is not None else ""
        left = (f"{report.left_open}{alone}",) if report.left_open else ()
        for note in (*report.notes, *report.unproved, *left):
            yield Text(f"{'':>10}  {note}", "yellow")


def leaning_table(leans_on: Mapping[str, Sequence[str]]) -> Table:
    """Law by the laws that its proof leans on."""
    table = Table("law", "its proof leans on", title="what each proof leans on, over all operations", title_justify="left")
    for law, uses in leans_on.items():
        table.add_row(law.replace("_", " "), ", ".join(each.replace("_", " ") for each in uses) or Text("no other law", "dim"))
    return table


# ---------------------------------------------------------------- values


def _change(design: Outline, change: Change) -> Text:
    where, was, now = change_text(design, change)
    return Text.assemble((where, "cyan"), f"  {was}  ", ("->", "bold"), f"  {now}")


def step_title(design: Outline, number: int, told: Told) -> Text:
    """A step with its arguments by name."""
    name, bracket, given = call(design, told.step, told.begun).partition("(")
    title = Text.assemble((f"{number}. ", "bold"), (name, "bold"), f"{bracket}{given}")
    if told.asked:
        title.append(f"   {', '.join(told.asked)}", "dim")
    return title


def trace(design: Outline, steps: Sequence[Told]) -> Tree:
    """A run, step by step, each with what it changed and what it showed."""
    root = _state(design, "power on", steps[0].found if steps else ())
    for number, told in enumerate(steps, 1):
        branch = root.add(step_title(design, number, told))
        for change in told.changes:
            branch.add(_change(design, change))
        if outcome := outcome_text(told.outcome):
            branch.add(Text(f"shows {outcome}", "dim"))
        if not told.changes:
            branch.add(Text("changes nothing", "dim"))
    return root


def broken_clause(broken: Broken) -> Text:
    """The clause that is broken, in words, and the names for which it is."""
    names = names_of(broken)
    law = f" ({broken.law.name.replace('_', ' ')})" if broken.law else ""
    text = Text.assemble(("breaks ", "bold red"), (f"{broken.clause}{law}: ", "bold red"), broken.sentence)
    if names:
        text.append(f"\n       for {names}")
    if broken.error:
        text.append(f"\n       {broken.error}")
    return text


def witness_story(design: Outline, case: Counterexample) -> Group:
    """A step that leads from a lawful state to an unlawful one."""
    begun = [
        _state(
            design, "others run; it goes on in a lawful state" if number else f"{case.operation} begins in a lawful state", entries
        )
        for number, entries in enumerate(case.earlier)
    ]
    head = (
        "others run, and it goes on in a lawful state; if no run gets there, say so by a law, or by require after the yield"
        if begun
        else "a state in which every law holds; if no run reaches it, add a law that excludes it"
    )
    tree = _state(design, head, case.entries)
    if not case.entries:
        tree.add(Text("every entry that is read is at its default", "dim"))
    if case.others:
        tree.add(Text(case.of_others(), "dim"))
    witness = case.witness
    title = step_title(design, 1, Told(witness.step, witness.outcome, case.changes, witness.broken, case.asked))
    step = Tree(title.append("   goes on", "dim") if begun else title)
    for change in case.changes:
        step.add(_change(design, change))
    if outcome := outcome_text(witness.outcome):
        step.add(Text(f"shows {outcome}", "dim"))
    return Group(*begun, tree, step, broken_clause(witness.broken))


def _state(design: Outline, title: str, entries: Iterable[tuple[str, Any, Any]]) -> Tree:
    """Entries of a state."""
    tree = Tree(Text(title, "bold"))
    for table, key, value in entries:
        kind = design.table(table)
        tree.add(Text.assemble((f"{table}[{place(kind, key)}]", "cyan"), f"  {shown(kind.value, value)}"))
    return tree


def suggestion(report: EngineReport) -> Group:
    """The laws that are suggested, as text to be pasted, and how they were checked."""
    head, *rest = report.suggestion
    parts: list[RenderableType] = [Text("\nsuggestion", "bold")]
    if report.suggested:
        parts.append(Text(f"\n{report.suggested}"))
    return Group(*parts, Text(head, "green" if report.suggested else "yellow"), *(Text(line, "dim") for line in rest))


def disagreement(case: Disagreement) -> Text:
    """That two answers cannot both be right, so that nobody overlooks it."""
    return Text.assemble((f"{case.kind.upper()}: ", "bold white on red"), (case.case, "bold red"))


def kill_table(bugs: Mapping[str, tuple[str, str]], rows: Mapping[str, Sequence[Kill]]) -> Table:
    """Bugs by engines."""
    table = Table("bug", "clause", "what is wrong", *(k.engine for k in next(iter(rows.values()))))
    for name, kills in rows.items():
        cells = []
        for kill in kills:
            steps = "not inductive" if kill.engine == "prove" else many(kill.steps or 0, "step")
            found = f"{kill.clause}, {steps}, {kill.seconds:.1f} s"
            cells.append(Text(found) if kill.clause else Text(f"not found, {kill.seconds:.1f} s", "yellow"))
        table.add_row(name, *bugs[name], *cells)
    return table


def explained(console: Console, told: Explanation) -> None:
    """An explanation: the chapters' words, the texts, what checks it."""
    console.print(Text(told.title, "bold"), soft_wrap=True)
    for name, words in told.chapters:
        console.print(Text(f"\n{name}", "cyan"))
        console.print(Markdown(words))
    for where, text in told.texts:
        console.print(Text(f"\n{where}", "cyan"))
        console.print(Syntax(text, "python", background_color="default"))
    for what, names in told.checked_by:
        if names:
            console.print(Text(f"\n{what}", "cyan"))
            for name in names:
                console.print(f"  {name}", markup=False, soft_wrap=True)


def explained_briefly(console: Console, told: Explanation, again: str) -> None:
    """An explanation in about one screen."""
    for number, line in enumerate(brief(told, console.width, again)):
        console.print(Text(line, "bold" if number == 0 else ""), soft_wrap=True)


def judged(console: Console, verdict: Judged) -> None:
    """What a session of judging found."""
    rate = verdict.checks / verdict.seconds if verdict.seconds else 0
    outcomes = ", ".join(f"{n:,} {o}" for o, n in sorted(verdict.outcomes.items()))
    console.print(
        f"[bold]{verdict.implementation}[/], {verdict.subject}: {many(verdict.checks, 'check')}, {rate:,.0f} a second ({outcomes})",
        highlight=False,
        soft_wrap=True,
    )
    left_out = verdict.of - verdict.checks - verdict.unexplained
    if verdict.of and left_out:
        needs = ", ".join(verdict.lacking)
        console.print(
            f"  note: {left_out:,} of {verdict.of:,} vectors have no result; they need features that none with a result needs:"
        )
        console.print(f"  {needs}", soft_wrap=True)
    if verdict.unexplained:
        console.print(
            f"  undecided: {verdict.unexplained:,} of {verdict.of:,} vectors have no result, and no feature explains it",
            style="yellow",
            soft_wrap=True,
        )
    if not verdict.deviations:
        console.print("  no deviation", style="green")
    for d in verdict.deviations:
        finding, known = d.finding, known_of(verdict, d)
        kind = f"known deviation {known.name}" if known else "deviation"
        console.print(
            f"  {kind}: {finding.title} ({verdict.seen.get(finding.title, 0):,} times; {finding.source})",
            style="dim" if known else "yellow",
            highlight=False,
            soft_wrap=True,
        )
        for line in d.test.lines():
            console.print(f"    {line}", highlight=False, soft_wrap=True)
        console.print(f"    expected {finding.expected}", highlight=False, soft_wrap=True)
        console.print(f"    got      {finding.got}", highlight=False, soft_wrap=True)
        if known:
            console.print(f"    why      {known.evidence}", highlight=False, soft_wrap=True, style="dim")
