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

This chapter says which mechanism and which strategy to use when, and shows the numbers. The chapter
is generated (`python -m refmodel.report.pros_and_cons specs`), and a test keeps it up to date. For
your own [workloads and recordings](recording.md), `refmodel explain policy` prints the tables of
strategies, `refmodel explain mechanisms` prints the tables of mechanisms, saved memory and
estimators, and `refmodel explain exits` prints the tables of translation. Only this chapter has the
sections on what to use when, paging twice, several VMs that share memory, and published results.

## What to use when

Each workload, mechanism and estimator is measured on recorded activity of real programs, period by
period. The start times, the pauses and the amount of memory were chosen by us. Synthetic workloads
are marked in their table: some of the experiments under [published results](#published-results).
"""
CHOSEN = """
Strategies within one per cent of the best strategy are named with it. If all memory fits, only
strategies that lose nothing are named. *pressure* is the rule of oVirt's MOM, and *stalls* uses
pressure stall information (PSI). The result also depends on the amount of memory: with a fifth less
memory on *opposed*, esx alone is best; with a quarter more, stalls; with a quarter more on
*idle_tax*, self-ballooning-tmem. Compare the strategies on a machine of your own.

Host swapping and compressed memory are compared with both taking the oldest page. Mechanisms are
ranked by the mean over the recorded programs; those within a tenth of a per cent are named
together. With a balloon, the guest spends the time to page; compressed memory spends time to
compress and expand pages. The device therefore decides between them. A write is assumed to cost a
tenth of a read.

A real guest also has free memory, and gives up its free memory first. Recordings of programs have
no free memory, so a balloon is better than these figures show.
"""
SIMULATED = """
The bound knows the future: no strategy has a higher throughput. The bound uses all memory, respects
no minimum, no maximum and no shares, and moves memory at once. Strategies keep 6.5 per cent free,
and lend it while balloons are slow. The bound reads as few pages as possible, and writes as few
pages as possible, each taken separately; perhaps no strategy reaches both. The bound says nothing
about a single VM. On *consolidated* and *shares* a build has more pages than its VM's maximum,
which explains a part of the loss against the bound.

Throughput is the part of their time in which all VMs work; in the rest they wait for pages. The
column *of what is due* compares each VM's memory with the memory that its shares give it, as far as
the VM can use it. `refmodel/management/simulation.py` describes the simulation: each page counts
once per period, and a VM's activity does not change because the VM waits. A VM lacks memory while
it touches more pages in a period than it has. The column *periods to react* has a dash if no VM
lacks memory. VMs pay for the information that a strategy uses: samples of pages, and accesses
beyond a hot set.

Under *self-ballooning-tmem*, memory that no VM has forms pools for evicted pages: clean pages in an
ephemeral pool, and changed pages in a persistent pool, which counts as their VM's memory. A page
stays in the persistent pool until its guest gets the page back. No other VM has these frames in the
meantime: this helps if memory is to spare (*roomy*), and costs if every VM lacks memory (*alike*,
*consolidated*).

The programs were recorded in periods of 0.1 to 0.25 seconds, and each strategy decides in every
period. A strategy that reacts within one period is therefore fast here. A strategy that uses a VM's
past use is still one period late: a growing VM gives up pages and reads them again, although memory
is free (*steady*). This does not happen if a VM's part of memory does not depend on its activity.
"""
MECHANISMS = """
Each recorded program runs with 30 per cent less memory than the pages that it touches. *Unplugging
blocks* regains less for all programs except *idle*: it regains only blocks of 2 MiB in which no
page is used, because pages are not moved here.

The choice of pages matters as much as the mechanism. A guest gives up the pages that it used
longest ago. A monitor takes any page, as ESX does, or *oldest first*, as Linux does with accessed
bits. The monitor has no copy of a page that goes for the first time, so it also writes pages of the
guest's files.

*Deflate on OOM*: the guest has no swap device. Modified pages cannot leave memory, so the guest
takes pages out of the balloon when it is out of memory, and evicts pages of files first. Pages that
it took back are not regained, so the guest waits less where it takes back many (*build*,
*database*). Where the guest takes back no pages, it loses pages of files that it needs, and may
wait longer (*idle*).

Transcendent memory uses half of the regained memory for its pools, while no other VM needs it.
Frames of the ephemeral pool are available at once and count as regained; frames of the persistent
pool do not count. *Both pools* therefore regains less. A put and a get each cost an exit and a
copy, and a refused put costs an exit. A persistent page is flushed after a get.

*Least possible* reads the fewest pages that can be read, and writes the fewest pages that can be
written. It bounds mechanisms that regain the same amount and keep whole pages, in frames or on the
device. Compressed memory keeps more pages in the same number of frames, and can read fewer.
"""
TWICE = """
The guest pages as if it had 85 per cent of its pages, and the monitor pages because there are 70
per cent. If both evict the oldest page, the guest chooses a page that the monitor has already paged
out. The page is read only to be written again: paging twice costs more than the monitor alone on
each program except *idle*, where both cost the same.

A monitor that takes any page meets the guest's choice less often, and ESX takes any page for this
reason (OSDI 2002, section 3.3). With such a monitor, paging twice often costs less than the monitor
alone: the guest chooses half of the regained pages, and it chooses better.

Compared with the guest alone, paging twice costs more on all programs except *build*, which uses 82
per cent of its pages again and again. The guest evicts the other pages first. Of the pages in use,
the oldest page is the next one that is needed, and any other page is a better choice.
"""
BOTH_BY_AGE = f"paging twice{OLDEST}"
SAVED = """
The tables show a snapshot of each program's pages, as recorded. The fleet is eight programs of
three kinds side by side. *Unlike VMs* run one program each, from those whose contents can be
compared; patches are sought within a VM. In the last rows each program of the fleet is a VM with
its own copy of all pages of files.
"""
ESTIMATORS = """
The true need is the working set: the pages touched in the last ten periods. Each VM has 70 per cent
of the pages that it touches. Errors are given as parts of the largest working set.
"""
CHOSEN_ESTIMATORS = """
Of the estimators within one per cent of the least error, the table names the one that costs least.
*Ghost list* costs nothing extra, because the monitor sees reads from the device anyway. It suits
VMs that lack memory, and overestimates the need of the others. *Modification log* sees no reads, so
it is good where used pages are also written. *Sampling* sees only pages that a VM has, and never
that the VM lacks some: it suits VMs that use little memory.
"""
TRANSLATION = """
Shadow paging walks in one dimension and exits when a guest edits its tables. EPT and NPT walk in
two dimensions and do not exit. The cheaper one depends on the program: on its TLB misses, and on
how often it edits tables. Adams and Agesen (ASPLOS 2006) found that page-table updates and context
switches cost software and hardware monitors very differently.

The streams are data accesses of real programs. Edits are the minor faults of the whole program, and
switches are its context switches. Caches are fully associative. A reference costs 20 cycles, and an
exit 2,000 (`refmodel/management/translation/costs.py`).

Shadow tables cover the guest-virtual addresses of each address space, which are scattered. EPT
covers the guest-physical addresses of a VM, and is needed once. Flushes are assumed to come at
equal distances: without tags a TLB loses its contents at each switch of address spaces, and without
a VPID at each exit too.
"""
PUBLISHED = """
Each row shows a paper's experiment and, if there is one, a similar experiment on recorded programs.
A synthetic load is used where the paper's own set-up has to be met: VMs that use all of their
memory at every moment, or nearly none. Each row says what it was measured on.
"""
COSTS = f"""
The comparison uses the column of values, and every value is a parameter. The table also shows what
one machine measured with `pytest -m slow -s tests/benchmarks/test_costs.py`:
{HERE}.
The values are for hardware with VT-x or SVM, so they were not changed to the measured ones. This
machine differs in three points:

- *exit*: a guest's `CPUID`, 10,000 times. An exit costs about eleven times as much here, because
  software replaces VT-x, and the machine's own host may also exit. A page that the VM lacks costs
  8.29 us for the exit and the supply together.
- *swap_in*, *swap_out*: reads and writes of 4 KiB at random places of a file, without the page
  cache. The measurement waits for each write, and the model does not.
- *scan*: clearing a referenced bit, and half of a touch afterwards. Linux needs no exit for that,
  and the model's sampling does.
"""
LIMITS = """
## What this does not show

- The time that sharing and patching take: *hash*, *patch* and *unpatch* are measured, but are
  counted in no table.
- Seconds of benchmarks: there are no caches, no disk queues and no readahead.
- Accesses within a period: a loop over more pages than a VM has costs more than is counted here.
- Other amounts of memory, and other programs: each workload is one mix on one machine.
- Guests' kernels: recordings have the pages of programs, without the kernel and its page cache.
- Other machines' costs: every parameter can be set, and the table of costs gives the source of
  each.
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
            f"The VMs run these programs ({found.origins[name]}).\n",
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
