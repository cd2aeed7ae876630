"""The chapter on pros and cons, made of the comparison: ``python -m refmodel.report.pros_and_cons specs``."""

from __future__ import annotations

import sys
from pathlib import Path

from refmodel.language import BadDesign, remaking
from refmodel.management.costs import HERE, Costs
from refmodel.management.mechanisms import OLDEST
from refmodel.management.results import Comparison, compared
from refmodel.report import choosing, management, plots, translation
from refmodel.report.management import Table, percent

HEAD = """# Pros and cons

This chapter says which mechanism and which strategy of memory management to use when, with the
measurements. The page is generated (`python -m refmodel.report.pros_and_cons specs`), and a test
keeps it up to date. For your own [workloads and recordings](recording.md), `refmodel explain
policy` prints the tables of strategies. `refmodel explain mechanisms` prints the tables of
mechanisms, saved memory and estimators, and `refmodel explain exits` prints the tables of
translation. Only this page has the sections on what to use when, paging twice, several VMs that
share memory, and published results.

## What to use when

Each workload, mechanism and estimator is measured on the recorded activity of real programs, period
by period. The authors of refmodel chose the start times, the pauses and the amount of memory. A
synthetic workload is marked as synthetic or made up in its table; the [published
results](#published-results) have some.
"""
CHOSEN = """
The table names the best strategy for each situation, and the strategies within one per cent of the
best. If all memory fits in a situation, the table names only strategies that lose nothing.
The strategy *pressure* is the rule of oVirt's MOM, and *stalls* uses pressure stall information
(PSI). The best strategy also depends on the amount of memory. With a fifth less memory on
*opposed*, only esx is best; with a quarter more memory on *opposed*, stalls is best. With a quarter
more memory on *idle_tax*, self-ballooning-tmem is best. Compare the strategies on your own machine.

The table compares host swapping and compressed memory when the monitor takes the oldest page.
Mechanisms are ranked by the mean over the recorded programs; mechanisms within a tenth of a per
cent are named together. With a balloon, the guest spends time on paging; with compressed memory,
the monitor spends time on compressing and expanding pages. The speed of the swap device therefore
decides between a balloon and compressed memory. A write to the device is assumed to cost a tenth of
a read.

A real guest also has free memory, and gives its free memory to the balloon first. Recordings of
programs contain no free memory, so a balloon is better than these measurements show.
"""
SIMULATED = """
The *bound* is computed with knowledge of the future: no strategy has a higher throughput. The bound
uses all memory, respects no minimum, no maximum and no shares, and moves memory at once. Real
strategies keep 6.5 per cent of memory free, and lend the free memory while balloons are slow. The
bound reads as few pages as possible, and writes as few pages as possible, each taken separately;
perhaps no strategy reaches both. The bound makes no statement about a single VM. On the workloads
*consolidated* and *shares*, a build has more pages than its VM's maximum, which explains a part of
the loss against the bound.

The *throughput* of a workload is the fraction of their time in which all VMs work; in the remaining
time the VMs wait for pages. The column *of what is due* compares each VM's memory with the memory
due by its shares, as far as the VM can use it. `refmodel/management/simulation.py` describes the
simulation of strategies. In the simulation each page counts once per period, and a VM's activity
does not change because the VM waits. A VM lacks memory while it touches more pages in a period than
it has. The column *periods to react* has a dash if no VM lacks memory. In the simulation VMs pay
for the information that a strategy uses: samples of pages, and accesses beyond a hot set.

Under the strategy *self-ballooning-tmem*, unused machine memory forms pools for pages that guests
evict. Clean pages go to an ephemeral pool, and changed pages go to a persistent pool, which counts
as their VM's memory. A page stays in the persistent tmem pool until its guest gets the page back. No
other VM can use the frames of a persistent pool in the meantime. The persistent pool therefore
helps if memory is to spare (*roomy*), and costs if every VM lacks memory (*alike*, *consolidated*).

The programs were recorded in periods of 0.1 to 0.25 seconds, and each strategy decides in every
period. A strategy that reacts within one period is therefore fast in this simulation. A strategy
that uses a VM's past use is one period late: a growing VM gives up pages and reads them again,
although memory is free (*steady*). A strategy is not late if a VM's part of memory does not depend
on the VM's activity.
"""
MECHANISMS = """
To compare mechanisms that take memory, each recorded program runs with 30 per cent less memory than
the pages that it touches. The mechanism *unplugging blocks* regains less than 30 per cent for all
programs except *idle*. Unplugging regains only blocks of 2 MiB in which no page is used, because
this comparison does not move pages.

The choice of the pages to take matters as much as the mechanism. A guest evicts the pages that it
used longest ago. A monitor takes random pages, as ESX does, or the *oldest first*, as Linux does
with accessed bits. The monitor has no copy of a page that it takes for the first time, so the
monitor also writes pages of the guest's files.

With *deflate on OOM*, the guest has no swap device. A guest without a swap device cannot evict
modified pages, so it evicts pages of files. With *deflate on OOM*, a guest that is out of memory
takes pages out of the balloon. Pages that the guest took back are not regained, so the guest waits
less if it takes back many pages (*build*, *database*). If the guest takes back no pages, it loses
pages of files that it needs, and may wait longer (*idle*).

Transcendent memory uses half of the regained memory for its pools, while no other VM needs this
memory. Frames of the ephemeral pool are available at once and count as regained; frames of the
persistent pool do not count. The mechanism *both pools* therefore regains less memory. A put and a
get each cost an exit and a copy, and a refused put costs an exit. In the simulation, a guest
flushes a persistent page after a get.

The row *least possible* reads the smallest possible number of pages, and writes the smallest
possible number of pages. It bounds all mechanisms that regain as much memory and keep whole pages,
in frames or on the device. Compressed memory keeps more pages in the same number of frames, and can
read fewer pages than *least possible*.
"""
TWICE = """
*Paging twice* (double paging) means that both the guest and the monitor page memory out. In this
measurement only 70 per cent of the guest's pages are in memory, and the guest pages in as if it had 85
per cent. If the guest and the monitor evict the oldest page, the guest often chooses a page that
the monitor has already paged out. The monitor then reads the page only because the guest writes it
to the guest's swap device. Paging twice therefore costs more than paging by the monitor alone on
each program except *idle*, where both cost the same.

A monitor that takes random pages, as ESX does, less often takes the pages that the guest chooses
(OSDI 2002, section 3.3). With a monitor that takes random pages, paging twice often costs less than
paging by the monitor alone. With paging twice, the guest chooses half of the regained pages, and
the guest's choice is better than a random choice.

Compared with paging by the guest alone, paging twice costs more on all programs except *build*,
which uses 82 per cent of its pages repeatedly. On *build*, the guest evicts the unused pages first.
Of the pages in repeated use, the oldest page is needed next, so a random page is a better choice.
"""
BOTH_BY_AGE = f"paging twice{OLDEST}"
SAVED = """
The memory that sharing, patching and compressing save is computed on a snapshot of each program's
pages, as recorded. The recording *fleet* consists of eight programs of three kinds that run side by
side. In the row *unlike VMs*, each VM runs one of the programs whose contents can be compared; the
search for patches stays within a VM. In the rows *1 VM* to *8 VMs*, each program of the fleet is a
VM with its own copy of all pages of files.
"""
ESTIMATORS = """
The true memory need of a VM is its working set: the pages touched in the last ten periods. For the
comparison of estimators, each VM has 70 per cent of the pages that it touches. Errors of estimators
are given as parts of the largest working set.
"""
CHOSEN_ESTIMATORS = """
Of the estimators within one per cent of the least error, the table names the estimator that costs
least. The estimator *ghost list* costs nothing extra, because the monitor sees reads from the swap
device in any case. A ghost list suits VMs that lack memory, and overestimates the need of other
VMs. The estimator *modification log* sees no reads of pages, so it is good if the used pages are
also written. The estimator *sampling* sees only pages that a VM has, and never sees that the VM
lacks pages: it suits VMs that use little memory.
"""
TRANSLATION = """
With shadow paging, the processor walks one dimension of page tables, and a guest's edits of its
tables exit. With EPT and NPT, the processor walks two dimensions, and edits do not exit. Whether
shadow paging or EPT is cheaper depends on the program's TLB misses, and on how often the program
edits page tables. Adams and Agesen (ASPLOS 2006) found that page-table updates and context switches
cost software and hardware monitors very differently.

The costs of translation are computed for address streams: recorded data accesses of real programs.
Minor faults of the whole program count as table edits, and its context switches count as switches
of address spaces. The modelled TLBs and caches are fully associative. A memory reference costs 20
cycles, and an exit costs 2,000 cycles (`refmodel/management/translation/costs.py`).

Shadow tables map the guest-virtual addresses of each address space, which are scattered. EPT maps
the guest-physical addresses of a VM, and one EPT serves all address spaces. Flushes are assumed to
be evenly distributed: without tags a TLB loses its contents at each switch of address spaces, and
without a VPID also at each exit.
"""
PUBLISHED = """
Each row shows a paper's experiment and, if available, a similar experiment on recorded programs. A
synthetic ("made up") load is used where the paper's experiment needs VMs that always use all of
their memory, or nearly none. Each row of published results says which workload was measured.
"""
COSTS = f"""
The simulation uses the costs in the column *value*, and every cost is a parameter. The table of
costs also shows the measurements on one machine by `pytest -m slow -s
tests/benchmarks/test_costs.py`:
{HERE}.
The costs in the column *value* are for hardware with VT-x or SVM, so they were not replaced by the
measured costs. The measurements on this machine differ from the costs in three points:

- *exit* was measured by 10,000 executions of `CPUID` in a guest. An exit costs about eleven times
  as much on this machine, because software replaces VT-x, and the machine's own host may also exit.
  An access to a page that the VM lacks costs 8.29 us for the exit and the supply together.
- *swap_in* and *swap_out* were measured by reads and writes of 4 KiB at random places of a file,
  without the page cache. The measurement waits for each write, and the simulation does not.
- *scan* was measured as clearing a referenced bit, and half of a later touch. Linux needs no exit
  to sample a page, and the simulated monitor does.
"""
LIMITS = """
## What this does not show

- The tables of pros and cons do not include the time for sharing and patching: *hash*, *patch* and
  *unpatch* are measured, but not used.
- The simulation predicts no benchmark times in seconds: it models no caches, no disk queues and no
  readahead.
- The simulation ignores the order of accesses within a period: a loop over more pages than a VM has
  costs more than the tables show.
- The measurements cover one amount of memory for each workload, and one mix of programs on one
  machine.
- Recordings contain the pages of programs, without the guest's kernel and its page cache.
- The costs are those of one machine: every cost can be set, and the table of costs gives the source
  of each cost.
"""


def twice(found: Comparison) -> Table:
    """What it costs that guest and monitor page."""
    ways = ("balloon", f"host swapping{OLDEST}", BOTH_BY_AGE, "host swapping", "paging twice")
    rows = tuple(
        (
            name,
            *(percent(each.waited(way, Costs())) for way in ways),
            *(f"{each.tallies[way].twice:,}" for way in (BOTH_BY_AGE, "paging twice")),
        )
        for name, each in found.measured.items()
    )
    return Table(
        "paging twice",
        (
            "program",
            "guest alone",
            "monitor alone, oldest first",
            "both, oldest first",
            "monitor alone, at random",
            "both, at random",
            "read to be written, oldest first",
            "read to be written, at random",
        ),
        rows,
    )


def chapter(found: Comparison) -> str:
    """The chapter's text."""
    parts = [
        HEAD,
        choosing.table(choosing.choices(found)).in_markdown(),
        CHOSEN,
        "## Strategies",
        SIMULATED,
        "![Throughput lost](pictures/strategies.svg)\n",
    ]
    for name, scores in found.strategies.items():
        parts += [
            f"### {name}: {found.about[name]}\n",
            f"The VMs of *{name}* run these programs ({found.origins[name]}).\n",
            management.strategies(name, scores).in_markdown(),
            "",
        ]
    parts += ["## Mechanisms that take memory", MECHANISMS, "![Time waited](pictures/mechanisms.svg)\n"]
    for name, regained in found.mechanisms.items():
        parts += [f"### {name}\n", management.regained(name, regained).in_markdown(), ""]
    parts += ["### Paging twice", TWICE, twice(found).in_markdown(), ""]
    vms = [(f"{number} VM{'s' if number > 1 else ''}", saved) for number, saved in enumerate(found.alike, 1)]
    unlike = (f"unlike VMs: {', '.join(found.comparable)}", found.unlike)
    parts += [
        "## Mechanisms that save memory",
        SAVED,
        management.savings([*found.saved.items(), unlike, *vms]).in_markdown(),
        "\n![Memory saved](pictures/sharing.svg)\n",
        "## Estimating need",
        ESTIMATORS,
        "### Which estimator to use\n",
        choosing.estimators_by_program(found.estimators).in_markdown(),
        CHOSEN_ESTIMATORS,
        choosing.estimators_each(found.estimators).in_markdown(),
        "",
    ]
    for name, errors in found.estimators.items():
        parts += [f"### {name}, estimated\n", management.estimators(name, errors).in_markdown(), ""]
    parts += ["## Translation", TRANSLATION, translation.exits_each().in_markdown(), ""]
    for name, each in found.translation.items():
        parts += [
            f"### {name}, translated\n",
            *(f"{table.title}:\n\n{table.in_markdown()}\n" for table in translation.of(name, each)),
        ]
    parts += [
        "## Published results",
        PUBLISHED,
        management.published(found.published).in_markdown(),
        "\n## Costs",
        COSTS,
        management.costs().in_markdown(),
        LIMITS,
    ]
    return "\n".join(parts)


def main(folder: Path) -> None:
    """Write the chapter, and its pictures."""
    plots.expected()
    found = compared()
    (folder / "pros_and_cons.md").write_text(chapter(found), encoding="utf-8")
    (folder / "pictures").mkdir(exist_ok=True)
    plots.strategies(found.strategies, folder / "pictures" / "strategies.svg")
    plots.mechanisms(found.mechanisms, folder / "pictures" / "mechanisms.svg")
    plots.sharing(found.alike, folder / "pictures" / "sharing.svg")


if __name__ == "__main__":
    given = remaking.folder(
        "refmodel.report.pros_and_cons", "the chapter on pros and cons, and its pictures", "specs", "properties.md"
    )
    try:
        main(given)
    except BadDesign as why:
        sys.exit(remaking.refused(why))
