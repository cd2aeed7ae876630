"""The chapter on pros and cons, made of the comparison: ``python -m refmodel.report.pros_and_cons specs``."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from refmodel.management.comparison import Score
from refmodel.management.mechanisms import Regained
from refmodel.management.results import Comparison, compared
from refmodel.report import management, plots, translation
from refmodel.report.management import Table, percent

HEAD = """# Pros and cons

This chapter says which mechanism and which strategy to use when, and shows the numbers. It is made
of the comparison (`python -m refmodel.report.pros_and_cons specs`), and a test keeps it so.
`refmodel explain policy` and `refmodel explain mechanisms` print the same for your own
[workloads and recordings](recording.md).

## What to use when
"""
SIMULATED = """
The bound knows the future. No strategy can read fewer pages; where writes differ much, one may wait
less than the bound, and what is lost against it is negative then. Throughput is the part of their time
that all VMs work; the rest they wait for pages. *Of what is due* compares each VM's memory with
what its shares give it, as far as it has a use for it. The simulation is described in
`refmodel/management/simulation.py`: a page counts once a period, and what VMs do does not change
because they wait. VMs pay for what a strategy looks at: samples of pages, accesses beyond a hot set.

Under *self-ballooning-tmem* memory that no VM has is pools for evicted pages: clean ones in an ephemeral
pool, changed ones in a persistent pool, which counts as their VM's memory. What the persistent pool took
stays until its guest comes back for it. Nobody else has those frames meanwhile: that helps where memory
is to spare (*roomy*), and costs where everybody lacks it (*alike*, *consolidated*).

Five of the programs were recorded in periods of 0.1 to 0.25 seconds, and each strategy decides in
every period. So a strategy that reacts within one period is quick here.
"""
MECHANISMS = """
Each recorded program runs with 30 per cent less memory than the pages that it touches. *Unplugging
blocks* regains less: only blocks of 2 MiB in which no page is used, since no page is moved here.

Transcendent memory has half of what was regained for its pools, while nobody else needs it. What the
ephemeral pool holds can be had at once and counts as regained; what the persistent pool holds does not.
So with *both pools* less is regained. A put and a get are an exit and a copy, a put that is refused an
exit, and a persistent page is flushed after it was got.
"""
SAVED = """
A snapshot of each program's pages. The fleet is eight programs of three kinds side by side. In the
rows below it each of its programs is a VM with its own copy of all pages of files.
"""
ESTIMATORS = """
The truth is the working set: pages touched in the last ten periods. Each VM has 70 per cent of the
pages that it touches. Errors are parts of the largest working set.
"""
TRANSLATION = """
Shadow paging walks in one dimension and exits when a guest edits its tables. EPT and NPT walk in
two and do not exit. Which costs less depends on the program: on its TLB misses and on how often it
edits tables. Adams and Agesen (ASPLOS 2006) found page-table updates and context switches to cost
software and hardware monitors very differently.

The streams are data accesses of real programs. Edits are the minor faults of the whole program,
switches its context switches. Caches are fully associative. A reference costs 20 cycles, an exit
2,000 (`refmodel/management/translation/costs.py`).

Shadow tables lie over the guest-virtual addresses of each address space, which are scattered. EPT
lies over the guest-physical addresses of a VM, and is needed once. Flushes are taken to come at
equal distances: without tags what a TLB holds is lost at each switch of address spaces, and
without a VPID at each exit, too.
"""
LIMITS = """
## What this does not show

- The time that sharing and patching take: *hash*, *patch* and *unpatch* are measured, and counted in no table.
- Seconds of benchmarks: no caches, no queues of a disk, no readahead.
- Accesses within a period. A loop over more pages than a VM has costs more than is counted here.
- Guests' kernels: recordings have the pages of programs, not of the kernel and its page cache.
- Other machines' costs. Every parameter can be set; the table of costs says where each is from.
"""
UNPLUGGING = "unplugging blocks"


def _best(scores: Sequence[Score], key: str, least: bool) -> Score:
    some = [score for score in scores if score.strategy != "bound"]
    chosen: Score = (min if least else max)(some, key=lambda s: getattr(s, key))
    return chosen


def _waits(regained: Iterable[Regained], name: str) -> float:
    return next(each.waited for each in regained if each.mechanism == name)


def choices(found: Comparison) -> Table:
    """The one table: what to use when, and the number that says so."""
    opposed, steady, mixed, alike = (found.strategies[name] for name in ("opposed", "steady", "consolidated", "alike"))
    owners, tax, roomy = (found.strategies[name] for name in ("shares", "idle_tax", "roomy"))
    rows = [("needs rise and fall for many periods", *_first_of(opposed, "lost", "static")),
            ("some VMs hold memory that they do not use", *_first_of(tax, "lost", "shares")),
            ("unlike VMs that together touch too much", *_first_of(mixed, "lost", "static")),
            ("needs change within a few periods", *_first_of(alike, "lost", "pressure")),
            ("some memory is free most of the time", *_first_of(roomy, "lost", "self-ballooning")[:2], _hoarded(alike)),
            ("memory was paid for by shares", *_first_of(owners, "entitled", "miss-ratio", least=False)),
            ("nothing changes and all fits", _steady(steady), "what takes memory to find out costs without need",
             "stalls, pressure")]
    rows += [("a guest that helps, memory that is not urgent", "balloon", _against(found, "balloon", "host swapping"),
              "host swapping"),
             ("memory that is needed at once, or a guest that does not help", "compressed memory, then host swapping",
              _against(found, "compressed memory", "host swapping"), "a balloon"),
             ("memory that nobody needs for a while, guests that read files", "tmem, ephemeral pool",
              _against(found, "tmem, ephemeral pool", "balloon"), _kept_back(found)),
             ("VMs that run the same programs", "sharing, then compressing", _alike(found), "sharing of unlike VMs"),
             ("memory to be given to other machines, or large frames", "unplugging blocks",
              f"without moving pages {percent(_unplugged(found))} of memory can be unplugged", "unplugging for a short while")]
    return Table("what to use when", ("situation", "use", "because", "rather not"), tuple(rows))


def _first_of(scores: Sequence[Score], key: str, other: str, least: bool = True) -> tuple[str, str, str]:
    best = _best(scores, key, least)
    against = next(score for score in scores if score.strategy == other)
    worst = _best(scores, key, not least)
    said = {"lost": "loses {} of the bound's throughput; {} loses {}", "entitled": "VMs have {} of what is due; with {} {}"}[key]
    compared_with = against if against.strategy != best.strategy else worst
    return (best.strategy, said.format(percent(getattr(best, key)), compared_with.strategy, percent(getattr(compared_with, key))),
            worst.strategy)


def _steady(scores: Sequence[Score]) -> str:
    return ", ".join(score.strategy for score in scores if score.strategy != "bound" and score.again == 0)


def _mean(values: Iterable[float]) -> float:
    some = list(values)
    return sum(some) / len(some)


def _unplugged(found: Comparison) -> float:
    return _mean(each.part for regained in found.mechanisms.values() for each in regained if each.mechanism == UNPLUGGING)


def _against(found: Comparison, name: str, other: str) -> str:
    return (f"VMs wait {percent(_mean(_waits(f, name) for f in found.mechanisms.values()))} of their time; under {other} "
            f"{percent(_mean(_waits(f, other) for f in found.mechanisms.values()))}")


def _hoarded(alike: Sequence[Score]) -> str:
    """What persistent pools cost where everybody lacks memory."""
    lost = {score.strategy: percent(score.lost) for score in alike}
    return (f"self-ballooning-tmem where all lack memory: it loses {lost['self-ballooning-tmem']}, self-ballooning "
            f"{lost['self-ballooning']}")


def _kept_back(found: Comparison) -> str:
    parts = {name: _mean(next(each.part for each in regained if each.mechanism == name) for regained in found.mechanisms.values())
             for name in ("balloon", "tmem, both pools")}
    return f"a persistent pool: of {percent(parts['balloon'])} regained {percent(parts['tmem, both pools'])} are left"


def _alike(found: Comparison) -> str:
    last = found.alike[-1]
    return (f"{len(found.alike)} VMs save {percent(last.part(last.shared))} by sharing, {percent(last.part(last.all))} with "
            "patches and compression")


def chapter(found: Comparison) -> str:
    """The chapter's text."""
    parts = [HEAD, choices(found).in_markdown(), "\n## Strategies", SIMULATED, "![Throughput lost](pictures/strategies.svg)\n"]
    for name, scores in found.strategies.items():
        parts += [f"### {name}: {found.about[name]}\n", management.strategies(name, scores).in_markdown(), ""]
    parts += ["## Mechanisms that take memory", MECHANISMS, "![Time waited](pictures/mechanisms.svg)\n"]
    for name, regained in found.mechanisms.items():
        parts += [f"### {name}\n", management.regained(name, regained).in_markdown(), ""]
    vms = [(f"{number} VM{'s' if number > 1 else ''}", saved) for number, saved in enumerate(found.alike, 1)]
    parts += ["## Mechanisms that save memory", SAVED, management.savings([*found.saved.items(), *vms]).in_markdown(),
              "\n![Memory saved](pictures/sharing.svg)\n", "## Estimating need", ESTIMATORS]
    for name, errors in found.estimators.items():
        parts += [f"### {name}, estimated\n", management.estimators(name, errors).in_markdown(), ""]
    parts += ["## Translation", TRANSLATION, translation.exits_each().in_markdown(), ""]
    for name, each in found.translation.items():
        parts += [f"### {name}, translated\n",
                  *(f"{table.title}:\n\n{table.in_markdown()}\n" for table in translation.of(name, each))]
    parts += ["## Published results\n", management.published(found.published).in_markdown(), "\n## Costs\n",
              management.costs().in_markdown(), LIMITS]
    return "\n".join(parts)


def main(folder: Path) -> None:
    """Write the chapter, and its pictures."""
    found = compared()
    (folder / "pros_and_cons.md").write_text(chapter(found))
    plots.strategies(found.strategies, folder / "pictures" / "strategies.svg")
    plots.mechanisms(found.mechanisms, folder / "pictures" / "mechanisms.svg")
    plots.sharing(found.alike, folder / "pictures" / "sharing.svg")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
