"""``refmodel prove``: the theorems, and a second opinion on them."""

from __future__ import annotations

import itertools
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from os import cpu_count
from pathlib import Path
from typing import Annotated, Any

import attrs
import typer
from rich.markup import escape

from refmodel.cli.common import FAILS, HOLDS, UNDECIDED, Ended, Jobs, On, app, out, print_document, severity
from refmodel.cli.progress import Counting
from refmodel.engines.certificates import SIGNATURES, find_ethos
from refmodel.engines.second_opinion import SECONDS, Answer, How, Opinion, again, tasks
from refmodel.engines.second_solvers import SOLVERS, cvc5_module
from refmodel.engines.spread import Where
from refmodel.engines.theorems import Told, chosen, home, prove_all, theorems_of
from refmodel.language.plurals import many
from refmodel.language.unsound import BadDesign
from refmodel.loading import load
from refmodel.report.proved_documents import OpinionDocument, opinion_document

STYLES = {"proved": "green", "agreed": "green", "written": "green", "refuted": "bold red", "DISAGREE": "bold red"}
STATUS = {"proved": HOLDS, "agreed": HOLDS, "written": HOLDS, "refuted": FAILS, "DISAGREE": FAILS}


@app.command()
def prove(
    names: Annotated[
        list[str] | None,
        typer.Argument(
            help="prove only theorems whose names contain this text; with --second, "
            "--smt or --certificates, NAMES may also be designs, named as for refmodel "
            "check"
        ),
    ] = None,
    fresh: Annotated[bool, typer.Option(help="prove again even theorems whose proof is remembered")] = False,
    slow: Annotated[bool, typer.Option(help="include the theorems that take longest")] = True,
    second: Annotated[
        str | None, typer.Option(help=f"also have this solver answer every proof question: {' or '.join(SOLVERS)}")
    ] = None,
    smt: Annotated[Path | None, typer.Option(help="write every proof question as SMT-LIB to this folder, with an index")] = None,
    certificates: Annotated[
        Path | None,
        typer.Option(
            help="write cvc5's certificate of every proof question to this folder, and "
            "check each with ethos if it is on the PATH; without a name: only for "
            "theorems about hardware"
        ),
    ] = None,
    signatures: Annotated[
        Path | None,
        typer.Option(
            help=f"the folder proofs/eo/cpc of cvc5's source, with the proof rules that ethos reads; by default ${SIGNATURES}"
        ),
    ] = None,
    timeout: Annotated[
        float, typer.Option(help="how many seconds the second solver may take for each question", min=0.001)
    ] = SECONDS,
    jobs: Jobs = None,
    on: On = None,
    as_json: Annotated[bool, typer.Option("--json", help="print one JSON document")] = False,
) -> None:
    """Prove every theorem in proofs/. A theorem whose text has not changed since its last proof is not proved again.

    With --second, --smt or --certificates, every theorem is proved again, one operation at a time.

    Exit status: 0 every theorem is proved and solvers agree, 1 a theorem is refuted or solvers disagree, 2 bad input, 3 undecided.
    """
    where = Where(jobs or cpu_count() or 1, on)
    if second is None and smt is None and certificates is None:
        raise typer.Exit(_theorems(names or [], fresh, slow, where, as_json))
    how = How(second, smt, certificates, timeout, find_ethos(signatures) if certificates is not None else None)
    _refuse(how, on)
    todo = tasks(home(), names or [], load, slow, certified=certificates is not None)
    raise typer.Exit(_second_opinion(again(home(), todo, how, where, load), how, as_json))


def _theorems(names: Sequence[str], fresh: bool, slow: bool, where: Where, as_json: bool) -> int:
    worst, documents = HOLDS, list[Told]()
    folder = home()
    todo = [theorems_of(folder)[i].name for i in chosen(folder, names, slow)]
    if not todo:
        _nothing(as_json)
        return UNDECIDED
    try:
        with Counting("theorems", todo, quiet=as_json) as counting:
            for told in prove_all(folder, fresh, where, names, slow, lambda name: counting.ended(todo.index(name))):
                documents.append(told)
                if not as_json:
                    _show(told)
                worst = max(worst, STATUS.get(told.verdict, UNDECIDED), key=severity)
    except (Ended, KeyboardInterrupt):
        raise Ended(
            f"ended before it was done: {len(documents)} of {len(todo)} theorems have a verdict, and what was proved is remembered"
        ) from None
    if as_json:
        print_document(documents)
    else:
        _conclude(documents)
    return worst


def _conclude(found: Sequence[Told]) -> None:
    """How many theorems have which verdict."""
    verdicts = Counter(told.verdict for told in found)
    remembered = sum(told.remembered for told in found)
    of = f", {remembered} of them remembered" if remembered else ""
    out.verdict(f"{', '.join(f'{number} {verdict}' for verdict, number in verdicts.items())}{of}; {many(len(found), 'theorem')}")


def _nothing(as_json: bool) -> None:
    if as_json:
        print_document([])
    else:
        out.verdict("undecided: there is no theorem", style="yellow")


def _show(told: Told) -> None:
    how = "remembered" if told.remembered else told.verdict
    style = STYLES.get(told.verdict, "yellow")
    out.print(f"[{style}]{how:>10}[/]  {told.seconds:6.1f} s  {escape(told.says)}  [dim]{escape(told.name)}[/]", soft_wrap=True)
    if told.why:
        out.print(escape(told.why), soft_wrap=True)


def _refuse(how: How, on: str | None) -> None:
    if how.second not in (None, *SOLVERS):
        raise BadDesign(f"--second {how.second}: no such solver; expected {' or '.join(SOLVERS)}")
    if how.second == "cvc5" or how.certificates is not None:
        cvc5_module()
    if on is not None and (how.smt is not None or how.certificates is not None):
        raise BadDesign("--smt and --certificates write on this machine: they do not go with --on")


# ---------------------------------------------------------------- a second opinion


def _second_opinion(opinions: Iterable[Opinion], how: How, as_json: bool) -> int:
    worst, answers, documents = HOLDS, list[Answer](), list[OpinionDocument]()
    for told in _by_theorem(opinions):
        found = [a for opinion in told for a in opinion.answers]
        verdict = _verdict(told, how)
        worst = max(worst, STATUS.get(verdict, UNDECIDED), key=severity)
        documents.append(opinion_document(told, verdict, list(_complaints(told))))
        if not as_json:
            _show_opinion(documents[-1], how)
        for folder in {how.smt, how.certificates} - {None}:
            _index(folder, found, told[0].task.theorem, how, new=not answers)
        answers += found
    if as_json:
        print_document(documents)
        return worst
    seconds = sum(a.seconds for a in answers)
    out.verdict(
        f"{_figures(answers, how)}, {seconds:.1f} s of {how.second or 'cvc5'}, {sum(a.size for a in answers) / 1e6:.1f} MB of text"
    )
    return worst


def _show_opinion(said: OpinionDocument, how: How) -> None:
    seconds = sum(a.seconds for a in said.answers)
    out.print(
        f"[{STYLES.get(said.verdict, 'yellow')}]{said.verdict:>10}[/]  {_figures(said.answers, how)}, {seconds:6.1f} s  "
        f"{escape(said.says)}  [dim]{escape(said.name)}[/]",
        soft_wrap=True,
    )
    for line in said.complaints:
        out.print(f"[bold red]{escape(line)}[/]", soft_wrap=True)


def _by_theorem(opinions: Iterable[Opinion]) -> Iterator[list[Opinion]]:
    for _, told in itertools.groupby(opinions, lambda opinion: opinion.task.theorem):
        yield list(told)


def _verdict(told: Sequence[Opinion], how: How) -> str:
    answers = [a for opinion in told for a in opinion.answers]
    if any(a.disagrees for a in answers):
        return "DISAGREE"
    for verdict in ("refuted", "unknown"):
        if any(opinion.verdict == verdict for opinion in told):
            return verdict
    if not all(a.agrees for a in answers):
        return "undecided"
    return "written" if how.second is None and how.certificates is None else "agreed"


def _figures(answers: Sequence[Answer], how: How) -> str:
    said = [f"{len(answers):5} questions"]
    if how.second is not None:
        said.append(f"{sum(a.reply == 'unsat' for a in answers)} agreed")
    found = [a.certificate for a in answers if a.certificate is not None]
    if found:
        said.append(
            f"{many(sum(c.counts for c in found), 'certificate')} of {sum(c.size for c in found) / 1e6:.1f} MB in "
            f"{sum(c.seconds for c in found):.1f} s, {sum(c.trust for c in found)} trust steps, "
            f"{sum(c.checked == 'correct' for c in found)} checked in {sum(c.check_seconds for c in found):.1f} s"
        )
    return ", ".join(said)


def _complaints(told: Sequence[Opinion]) -> Iterator[str]:
    for opinion in told:
        if opinion.why:
            yield f"{opinion.task.theorem}, {opinion.task.part}: {opinion.why}"
        for a in opinion.answers:
            if a.disagrees:
                yield f"{a.file}: z3 says unsat, the second solver says sat: {a.says}"
            elif not a.agrees:
                c = a.certificate
                at_fault = (
                    a.reply
                    if a.reply not in (None, "unsat")
                    else c and (c.answer if c.answer != "unsat" else f"{c.trust} trust steps; ethos: {c.checked}")
                )
                yield f"{a.file}: {at_fault}: {a.says}"


def _index(folder: Path | None, answers: Sequence[Answer], theorem: str, how: How, new: bool) -> None:
    """One line of JSON for each text."""
    assert folder is not None
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "index.jsonl").open("w" if new else "a") as file:
        for a in answers:
            line: dict[str, Any] = {"file": f"{a.file}.smt2", "theorem": theorem, "says": a.says, "bytes": a.size, "z3": "unsat"}
            if how.second is not None:
                line |= {how.second: a.reply, "seconds": round(a.seconds, 3)}
            if a.certificate is not None:
                line |= {"certificate": attrs.asdict(a.certificate)}
            file.write(json.dumps(line) + "\n")
