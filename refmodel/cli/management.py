"""What ``refmodel explain policy``, ``explain mechanisms`` and ``explain exits`` print."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path

from refmodel.cli.common import out, print_document, write_page
from refmodel.cli.progress import Counting
from refmodel.engines.exits import measure
from refmodel.language import BadDesign
from refmodel.management import mechanisms as of_mechanisms
from refmodel.management import recording, saving
from refmodel.management.activity import Replayed
from refmodel.management.comparison import Score, compare
from refmodel.management.estimating.estimators import Error
from refmodel.management.published import ready
from refmodel.management.results import estimated, recordings, runs, workloads
from refmodel.management.scenario import Workload, read
from refmodel.management.simulation import POLICIES, Period, simulate
from refmodel.management.translation import streams
from refmodel.management.translation.comparing import compared
from refmodel.report import choosing, efficiency, management, pages, translation
from refmodel.report import policies as periods_shown
from refmodel.report.explained_documents import ExitsDocument, MechanismsDocument, PoliciesDocument, PolicyRunDocument


def policies(file: Path | None, names: Sequence[str], html: Path | None, as_json: bool) -> None:
    """Strategies on workloads: how each does, and, of those that are named, who had how much memory."""
    unknown = [name for name in names if name not in POLICIES]
    if unknown:
        raise BadDesign(f"{unknown[0]}: no such policy; expected one of {', '.join(POLICIES)}")
    given = {file.stem: read(file)} if file is not None else {name: ready(name) for name in workloads()}
    scores = _scores(given, tuple(names or POLICIES), quiet=as_json)
    runs = [
        (f"{name}, {policy}", workload, simulate(workload, POLICIES[policy]))
        for name, workload in given.items()
        for policy in (names or (POLICIES if html is not None else ()))
    ]
    if html is not None:
        write_page(_page(scores, given, runs), html)
    if as_json:
        print_document(_document(scores, given, runs))
        return
    for name, workload, periods in runs if names else ():
        out.print(periods_shown.table(workload, name, periods))
        out.print(periods_shown.bars(workload, periods))
    for name, found in scores.items():
        out.print(management.strategies(name, found, given[name].origin).on_terminal())


def _scores(given: dict[str, Workload], names: Sequence[str], quiet: bool) -> dict[str, list[Score]]:
    """How strategies do, with a bar of what is left."""
    left = [f"{name}, {policy}" for name in given for policy in names]
    ended = itertools.count()
    with Counting("strategies", left, quiet=quiet) as counting:
        return {name: compare(workload, names, ended=lambda: counting.ended(next(ended))) for name, workload in given.items()}


def _page(
    scores: dict[str, list[Score]], given: dict[str, Workload], runs: Sequence[tuple[str, Workload, list[Period]]]
) -> pages.Page:
    tables = [management.strategies(name, found, given[name].origin).on_page() for name, found in scores.items()]
    return pages.Page(
        "refmodel explain policy",
        plots=tuple(periods_shown.plot(workload, name, periods) for name, workload, periods in runs),
        tables=(*tables, *(periods_shown.page_table(workload, name, periods) for name, workload, periods in runs)),
    )


def _document(
    scores: dict[str, list[Score]], given: dict[str, Workload], runs: Sequence[tuple[str, Workload, list[Period]]]
) -> PoliciesDocument:
    return PoliciesDocument(
        {name: each.origin for name, each in given.items()},
        {name: tuple(found) for name, found in scores.items()},
        tuple(PolicyRunDocument(name, tuple(periods)) for name, _, periods in runs),
    )


def exits(file: Path | None, html: Path | None, as_json: bool) -> None:
    """What MMUs cost: exits by pattern, and translation on recorded addresses."""
    given = {file.name.removesuffix(streams.ENDING): streams.read(file)} if file is not None else streams.shipped()
    measured, found = measure(), compared(given)
    tables = [translation.exits_each(), *(table for name, each in found.items() for table in translation.of(name, each))]
    if html is not None:
        write_page(pages.Page("refmodel explain exits", tables=tuple(table.on_page() for table in tables)), html)
    if as_json:
        print_document(ExitsDocument(tuple(measured), found))
        return
    out.print(efficiency.exits_table(measured))
    out.print(efficiency.bounds_table(measured))
    out.print(efficiency.exits_plot(measured))
    for table in tables:
        out.print(table.on_terminal())


def mechanisms(file: Path | None, html: Path | None, as_json: bool) -> None:
    """Mechanisms on recordings: what each regains and costs, what is saved, how well need is estimated, and the costs."""
    given = {file.name.removesuffix(recording.ENDING): recording.read(file)} if file is not None else recordings()
    looked_at = runs(given)
    regained, errors = _measured(looked_at, quiet=as_json)
    saved = {name: saving.saved(each) for name, each in given.items()}
    tables = [
        *(management.regained(name, found) for name, found in regained.items()),
        management.savings([*saved.items()]),
        *(management.estimators(name, found) for name, found in errors.items()),
        *_advice(errors),
        management.costs(),
    ]
    if html is not None:
        write_page(pages.Page("refmodel explain mechanisms", tables=tuple(table.on_page() for table in tables)), html)
    if as_json:
        print_document(
            MechanismsDocument(
                {name: tuple(found) for name, found in regained.items()},
                saved,
                {name: tuple(found) for name, found in errors.items()},
            )
        )
        return
    for name in given.keys() - looked_at.keys():
        out.print(
            f"{name} has {given[name].samples} samples: mechanisms that take memory and estimators need "
            f"{recording.LEAST_SAMPLES} or more"
        )
    for table in tables:
        out.print(table.on_terminal())


def _advice(errors: dict[str, list[Error]]) -> list[management.Table]:
    """Which estimator to use."""
    return [choosing.estimators_by_program(errors), choosing.estimators_each(errors)] if errors else []


def _measured(
    given: dict[str, recording.Recording], quiet: bool
) -> tuple[dict[str, list[of_mechanisms.Regained]], dict[str, list[Error]]]:
    """What mechanisms and estimators do on recordings, with a bar of what is left."""
    regained, errors = dict[str, list[of_mechanisms.Regained]](), dict[str, list[Error]]()
    with Counting("recordings", list(given), quiet=quiet) as counting:
        for number, (name, each) in enumerate(given.items()):
            regained[name], errors[name] = of_mechanisms.compare(each, Replayed(each)), estimated(each)
            counting.ended(number)
    return regained, errors
