"""What judging a trace came to, for a person at a terminal."""

from __future__ import annotations

from rich.console import Console
from rich.text import Text

from refmodel.language.plurals import many
from refmodel.oracle.trace.driving import Driven
from refmodel.oracle.trace.expected import NONE_KNOWN, Expected
from refmodel.oracle.trace.verdicts import Deviation, TraceVerdict, note_of_unheld


def told(console: Console, verdict: TraceVerdict, expected: Expected = NONE_KNOWN) -> None:
    """A verdict; a deviation that is known comes with the reason."""
    rate = verdict.events / verdict.seconds if verdict.seconds else 0
    console.print(f"{verdict.name}: {many(verdict.events, 'event')}, {rate:,.0f} a second", soft_wrap=True, markup=False)
    if counted := [f"{number:,} {what}" for what, number in verdict.counted.items() if number]:
        console.print(Text(f"  {', '.join(counted)}"), soft_wrap=True)
    for note in verdict.told:
        console.print(Text(f"  note: {note}", "yellow"), soft_wrap=True)
    if verdict.deviation is None and not verdict.judged:
        console.print(Text("  undecided: no event was judged", "yellow"))
        return
    if verdict.deviation is None:
        console.print(Text("  lawful: no reported event contradicts the laws", "green"))
        return
    for line in deviation_lines(verdict.deviation):
        console.print(line, soft_wrap=True)
    if (known := expected.entry(verdict.deviation)) is not None:
        unjudged = f"what follows line {verdict.deviation.line} was not judged"
        console.print(Text(f"  known deviation: {known.reason} ({unjudged})", "yellow"), soft_wrap=True)


def in_a_line(verdict: TraceVerdict, expected: Expected = NONE_KNOWN) -> str:
    """A verdict without what led to it."""
    if verdict.deviation is None:
        said = "lawful: no reported event contradicts the laws" if verdict.judged else "undecided: no event was judged"
        return f"{verdict.name}: {said}"
    found = verdict.deviation
    known = expected.entry(found)
    said = f"line {found.line} breaks {found.clause} ({found.law.replace('_', ' ')})"
    return f"{verdict.name}: {said}" + (f"; known: {known.reason}" if known is not None else "")


def driven_in_a_line(done: Driven) -> str:
    """What driving an implementation came to, without how."""
    if done.deviation is not None:
        return f"{done.name}: {many(len(done.failing), 'command')} lead to what breaks {done.deviation.clause}"
    lawful = done.runs - sum(known.runs for known in done.known)
    said = f"{lawful:,} of {many(done.runs, 'run')} lawful" if done.judged else "undecided: no event was judged"
    return f"{done.name}: {said}"


def deviation_lines(deviation: Deviation) -> list[Text]:
    """What is wrong with an event."""
    where = f" ({deviation.at})" if deviation.at and deviation.at not in deviation.event else ""
    lines = [Text(f"  {deviation.line - len(deviation.before) + i:>7}  {text}", "dim") for i, text in enumerate(deviation.before)]
    lines.append(Text(f"  {deviation.line:>7}  {deviation.event}{where}", "bold"))
    law = deviation.law.replace("_", " ")
    lines.append(Text.assemble((f"  breaks {deviation.clause} ({law}): ", "bold red"), deviation.sentence))
    if deviation.why:
        lines.append(Text(f"          {deviation.why}"))
    lines += [Text(f"  known before: {words}", "dim") for words in deviation.told]
    lines += [Text(f"  lawful instead: {words}") for words in deviation.expected]
    return lines


def driven(console: Console, done: Driven) -> None:
    """What driving an implementation came to."""
    rate = done.commands / done.seconds if done.seconds else 0
    console.print(
        f"{done.name}: {many(done.runs, 'run')}, {many(done.commands, 'command')} ({rate:,.0f} a second), "
        f"{many(done.events, 'event')}",
        soft_wrap=True,
        markup=False,
    )
    for known in done.known:
        console.print(Text(f"  known deviation, {known.runs:,} times: {known.reason}", "yellow"), soft_wrap=True)
    if done.unheld:
        console.print(Text(f"  note: {note_of_unheld(done.unheld, done.met['access'])}", "yellow"), soft_wrap=True)
    if done.deviation is None and not done.judged:
        console.print(Text("  undecided: no event was judged", "yellow"))
        return
    if done.deviation is None:
        lawful = done.runs - sum(known.runs for known in done.known)
        which = f"{lawful:,} of {done.runs:,} runs were lawful to their end" if done.known else "every run was lawful"
        console.print(Text(f"  {which}: no reported event contradicts the laws", "green" if lawful else "yellow"))
        return
    console.print("  these commands lead to an event that no correct run could produce:")
    for number, command in enumerate(done.failing, 1):
        arguments = ", ".join(f"{name}={value}" for name, value in command.items() if name != "do")
        console.print(f"    {number}. {command['do']}({arguments})", soft_wrap=True, markup=False)
    if not done.repeated:
        console.print(
            Text(
                "  the same commands did not lead to it in a process that had just begun: it depends on earlier runs, or on time",
                "yellow",
            )
        )
    console.print("  the last events of the trace:")
    for line in deviation_lines(done.deviation):
        console.print(line, soft_wrap=True)
