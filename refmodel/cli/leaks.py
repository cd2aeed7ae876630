"""``refmodel leaks``: whether a VM can come to know what others do."""

from __future__ import annotations

from typing import Annotated

import attrs
import typer

from refmodel.bugs.leaks import LEAKS
from refmodel.cli import completion
from refmodel.cli.common import FAILS, HOLDS, UNDECIDED, app, out, print_document, severity
from refmodel.engines.layout import fits_bytes
from refmodel.engines.outcomes import is_silent, partly_shown
from refmodel.engines.replaying import replay as run_again
from refmodel.engines.reports_of_runs import there_is
from refmodel.engines.unwinding import CACHED, CHOICE, OUTPUT, RESPECT, Leak, Unwinding, flows_of, known_tables, search, watching
from refmodel.engines.words import shown
from refmodel.language import Geometry
from refmodel.language import outline as outline_of
from refmodel.language.design import Outline
from refmodel.language.places import home_of, place_of
from refmodel.language.plurals import many
from refmodel.language.unsound import BadDesign
from refmodel.loading import SIZES, in_geometry, load, read, sizes_of
from refmodel.report import terminal
from refmodel.report.documents import FlowDocument, LeakDocument, LeaksDocument

SHIPPED_HERE = (
    "any over swapping, sharing",
    "any over ksm, populate-on-demand",
    "any over ballooning, free-page-reporting",
    "any over dirty-logging, access-tracking",
    "any over guest-copies, devices",
)
"""What is searched without a name, beside the specimens: pairs small enough that each state can be visited by itself."""


WHOLE_STEPS = "refmodel leaks compares states that look the same to a VM: expected operations without yield, and Total tables only"


@app.command()
def leaks(
    design: Annotated[
        str | None,
        typer.Argument(
            help="a design, named as for refmodel check, or a leaky specimen; without it: pairs of mechanisms and every specimen",
            autocompletion=completion.designs,
        ),
    ] = None,
    geometry: Annotated[str | None, typer.Option(help="how many VMs, frames and so on there are: Vm=2,Mfn=4")] = None,
    seconds: Annotated[float, typer.Option(help="stop the search after this many seconds", min=0.1)] = 60.0,
    flows: Annotated[
        bool,
        typer.Option(
            "--flows",
            help="show each information flow that the design declares as intended, by a shortest run in which the flow happens",
        ),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="print one JSON document")] = False,
) -> None:
    """Look for two runs that look the same to a VM until one step shows the VM different results.

    A design without such pairs of runs satisfies noninterference (clause ISO-6). The search visits every reachable
    state for the numbers of VMs, pages and frames in the design's geometry; the number of VMs is at least two. For a design that
    inherits its geometry from a shipped design, the search has two VMs of one page each.

    Exit status: 0 nothing leaks, 1 something leaks, 2 bad input, 3 the time was up, or no two answers of
    some operation were compared. Without a name, every specimen has to leak, and the status is 1 if one does not.
    Exit status with --flows: 0 every flow happens, 1 a flow happens in no state of the geometry, 3 the time was up.
    """
    if geometry is not None and design is None:
        raise BadDesign("--geometry needs the name of a design")
    if flows and design is None:
        raise BadDesign("--flows needs the name of a design")
    worst, documents = HOLDS, []
    for name in [design] if design is not None else [*SHIPPED_HERE, *LEAKS]:
        specimen = LEAKS.get(name)
        outline = outline_of(specimen.design) if specimen else load(name)
        if geometry is not None:
            outline = read(in_geometry(outline.cls, sizes_of(geometry)))
        _refuse(name, outline)
        watched = outline.cls.geometry if geometry is not None or SIZES.fullmatch(name) else _watched(outline)
        if flows:
            raise typer.Exit(_flows(name, outline, watched, seconds, as_json))
        found = search(outline, watched, seconds)
        right = (found.leak is not None) == (specimen is not None and design is None)
        is_shown = found.leak is not None or _is_sure(outline, found)
        status = FAILS if not right else HOLDS if is_shown else UNDECIDED
        worst = max(worst, status, key=severity)
        documents.append(_document(name, outline, watched, found))
        if not as_json:
            _show(name, outline, watched, found, whole=design is not None, channel=specimen.channel if specimen else "")
    if as_json:
        print_document(documents)
    raise typer.Exit(worst)


def _flows(name: str, outline: Outline, geometry: Geometry, seconds: float, as_json: bool) -> int:
    """Show each flow that is meant; the exit status."""
    worst, documents = HOLDS, []
    for op, flow in flows_of(outline).items():
        found = search(outline, geometry, seconds, unmeant=op)
        status = HOLDS if found.leak else FAILS if found.complete else UNDECIDED
        worst = max(worst, status, key=severity)
        fields = attrs.asdict(_document(name, outline, geometry, found), recurse=False)
        documents.append(FlowDocument(**fields, flow=flow, operation=op))
        if as_json:
            continue
        if found.leak:
            _tell(outline, geometry, found.leak)
        said = "happens, as intended" if found.leak else "happens in no state" if found.complete else "the time was up"
        out.verdict(
            f"{name}: {flow}, by {op}: {said}; {many(found.states, 'state')}; {there_is(outline, geometry)}; "
            f"{found.seconds:.1f} s\n"
        )
    if not documents:
        raise BadDesign(f"{name}: declares no intended flow; expected one, such as flows = {{'populate': 'memory is given'}}")
    if as_json:
        print_document(documents)
    return worst


def _watched(outline: Outline) -> Geometry:
    """The geometry to search in: the design's own, with another VM to watch. What a shipped design states is too large for that."""
    own = outline.cls.geometry
    shipped, sort = home_of(outline.cls, "geometry").__module__.partition(".")[0] == "refmodel", outline.actors.sort
    return watching(own) if shipped else own.resized(**{sort: max(2, own.size(sort))})


def _showing(outline: Outline) -> set[str]:
    """The guests' operations that show anything, but for those that are meant to show what depends on others."""
    shown_to = {op.name for op in outline.operations if op.by_guest and op.returns is not None and not is_silent(op.returns)}
    return shown_to - set(flows_of(outline))


def _is_sure(outline: Outline, found: Unwinding) -> bool:
    """Whether enough was compared to say that nothing leaks: in every state, and of whatever guests are shown, two answers."""
    return found.complete and found.compared > 0 and not _uncompared(outline, found)


def _uncompared(outline: Outline, found: Unwinding) -> list[str]:
    """The guests' operations that show something, of which no two answers were compared."""
    return sorted(_showing(outline) - found.outcomes)


def _refuse(name: str, outline: Outline) -> None:
    known, tables = known_tables(outline), {table.name: table for table in outline.tables}
    if not known:
        raise BadDesign(
            f"{name}: names no table whose entries a VM may know; "
            'expected in the class: known = ("TABLE", ...), the tables of which a VM may know its own entries '
            "(specs/noninterference.md)"
        )
    observer = outline.actors
    wrong = [each for each in known if tables[each].keys[0] != observer]
    if wrong:
        theirs = [table.name for table in outline.tables if table.keys[0] == observer]
        expected = (
            f"tables whose first key is a {observer.sort}: {', '.join(theirs)}"
            if theirs
            else (f"a table whose first key is a {observer.sort}, and there is none")
        )
        raise BadDesign(
            f"{name}: known names {', '.join(wrong)}; the guests' instructions are those of a {observer.sort} (vm); "
            f"expected {expected}"
        )
    split = [op for op in outline.operations if op.split]
    partial = [table.name for table in outline.tables if table.partial]
    if split:
        op = split[0].name
        place = place_of(home_of(outline.cls, op), op)
        raise BadDesign(f"{place}: the operation {op} has a yield, where other operations may run; {WHOLE_STEPS}")
    if partial:
        raise BadDesign(f"{place_of(home_of(outline.cls, partial[0]), partial[0])} is a dict; {WHOLE_STEPS}")
    if not fits_bytes(outline):
        raise BadDesign(
            f"{place_of(outline.cls)}: a table or an outcome has a word of more than 7 bits, an enum of more than 127 members, "
            "or a page in a partial table; leaks compares states of one byte for each number, so expected smaller ones"
        )


def _show(name: str, outline: Outline, geometry: Geometry, found: Unwinding, whole: bool, channel: str) -> None:
    flows = f"; intended flows: {', '.join(sorted(found.flows))}" if found.flows else ""
    end = "to the last state" if found.complete else "not to the end" if found.leak is None else "up to the leak"
    out.print(
        f"{name}: {many(found.states, 'state')} {end}, {found.views:,} different views of {_a_guest(outline)}, "
        f"{found.compared:,} pairs of "
        f"steps compared{flows}; {there_is(outline, geometry)}; {found.seconds:.1f} s",
        soft_wrap=True,
    )
    if found.compared:
        out.print(
            f"{name}: compared: the answers of {', '.join(sorted(found.outcomes)) or 'no operation'}, and the tables that "
            f"{_a_guest(outline)} knows ({', '.join(known_tables(outline))}) after "
            f"{', '.join(sorted(found.changes)) or 'no step'}; observers: "
            f"{', '.join(shown(outline.actors, vm) for vm in sorted(found.observers))}",
            soft_wrap=True,
        )
    partly = partly_shown(outline)
    if partly and whole:
        out.print(f"{name}: not every field of the outcome records is compared: {', '.join(partly)}", soft_wrap=True)
    uncompared = _uncompared(outline, found)
    if uncompared and found.leak is None:
        out.print(f"{name}: no two answers could be compared of {', '.join(uncompared)}", style="yellow", soft_wrap=True)
    if found.leak is None:
        sure = _is_sure(outline, found)
        fewer = "the time was up; expected more --seconds, or fewer names, as by --geometry Vm=2,Mfn=2"
        meant = ", ".join(flows_of(outline))
        but = f" except by the intended flows of {meant}," if meant else ""
        nothing = f"no {_a_guest(outline)[2:]} learns anything{but} in this geometry: {there_is(outline, geometry)}"
        lacking = (
            f"of {', '.join(uncompared)} nothing was compared; other numbers may let {'it' if len(uncompared) == 1 else 'them'} "
        )
        lacking += "apply, as by --geometry Vm=3" if uncompared else ""
        why = fewer if not found.complete else lacking if found.compared else "nothing was compared"
        words = nothing if sure else f"undecided: {why}"
        out.verdict(f"{name}: {words}\n", style="green" if sure else "yellow")
        return
    about = f" ({channel})" if channel else ""
    if not whole:
        out.verdict(
            f"{name}: leaks{about} in {many(len(found.leak.run.steps), 'step')}, as intended: refmodel leaks {name}\n",
            style="green",
        )
        return
    _tell(outline, geometry, found.leak)
    out.verdict(f"{name}: {found.leak.condition}{about}: {_gives_away(outline, geometry, found.leak)}\n", style="bold red")


def _a_guest(outline: Outline) -> str:
    """Who watches, in words."""
    sort = outline.actors.sort
    return f"a {'VM' if sort == 'Vm' else sort}"


def _tell(outline: Outline, geometry: Geometry, leak: Leak) -> None:
    """The run; where two are compared, first the one, then the other that looked the same."""
    if leak.other is None:
        out.print(terminal.trace(outline, list(run_again(outline, geometry, leak.run))))
        return
    for which, run in ("first", leak.run), ("second", leak.other):
        out.print(f"\nTwo runs look the same to {shown(outline.actors, leak.vm)} until the last step. The {which}:")
        out.print(terminal.trace(outline, list(run_again(outline, geometry, run))))


def _gives_away(outline: Outline, geometry: Geometry, leak: Leak) -> str:
    """Which step gives something away, and how."""
    step, known = leak.run.steps[-1].operation, ", ".join(known_tables(outline))
    vm = shown(outline.actors, leak.vm)
    if leak.condition == RESPECT:
        *_, last = run_again(outline, geometry, leak.run)
        own = {each.table for each in last.changes if (each.key[0] if isinstance(each.key, tuple) else each.key) == leak.vm}
        changed = ", ".join(name for name in known_tables(outline) if name in own)
        return f"{step} is not a step of {vm}, and changes {vm}'s entries of {changed}, which {vm} knows"
    if leak.condition == CHOICE:
        by = f"let {step} return what it chose, and list {step} in flows"
        return f"two runs differ only in what {step} chose; if no other VM can affect the choice, {by}"
    if leak.condition == CACHED:
        return f"in the first run {step} uses something cached, which is there only because of other VMs; in the second it cannot"
    what = f"the answer of {step}" if leak.condition == OUTPUT else f"{vm}'s entries of {known} after {step}"
    return f"two runs that looked the same to {vm} differ in {what}"


def _document(name: str, outline: Outline, geometry: Geometry, found: Unwinding) -> LeaksDocument:
    return LeaksDocument(
        name,
        found.complete,
        found.states,
        there_is(outline, geometry),
        found.compared,
        partly_shown(outline),
        tuple(sorted(found.outcomes)),
        tuple(sorted(found.changes)),
        tuple(sorted(found.observers)),
        tuple(sorted(found.flows)),
        tuple(_uncompared(outline, found)),
        "leaks" if found.leak is not None else "no leak" if _is_sure(outline, found) else "undecided",
        None if found.leak is None else _leak(outline, geometry, found.leak),
    )


def _leak(outline: Outline, geometry: Geometry, leak: Leak) -> LeakDocument:
    return LeakDocument(
        leak.condition,
        leak.vm,
        tuple(
            tuple(str(terminal.step_title(outline, i, told)) for i, told in enumerate(run_again(outline, geometry, run), 1))
            for run in (leak.run, leak.other)
            if run is not None
        ),
    )
