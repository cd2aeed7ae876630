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

This chapter says which mechanism and which strategy to use when, and shows the numbers. It is made
of the comparison (`python -m refmodel.report.pros_and_cons specs`), and a test keeps it so.
Of your own [workloads and recordings](recording.md) `refmodel explain policy` prints the tables of
strategies, `explain mechanisms` those of mechanisms, of memory saved and of estimators, and `explain
exits` those of translation. In this chapter alone are what to use when, paging twice, several VMs that
share, and published results.

## What to use when

Each workload, mechanism and estimator is measured on what real programs did, recorded period by
period. When a program starts and rests, and how much memory there is, was chosen. What is made up is
marked in its table: some of the experiments under [published results](#published-results).
"""
CHOSEN = """
Strategies within one per cent of the best are named with it; where all fits, only those that lose
nothing. *pressure* is the rule of oVirt's MOM, and *stalls* goes by pressure stall information (PSI).
How much memory there is decides, too: with a fifth less on *opposed* esx alone is best, with a quarter
more stalls; with a quarter more on *idle_tax* self-ballooning-tmem. So compare a machine of your own.

Host swapping and compressed memory are compared where both take the oldest page. Of mechanisms the mean
over the recorded programs decides, within a tenth of a per cent. A balloon's time is the guest's, which
pages; compressed memory takes the time to compress and expand. So the device decides between them. A
write is taken to cost a tenth of a read.

A guest has free memory, too, and gives that up first. Recordings of programs have none, so that a
balloon is better than these figures say.
"""
SIMULATED = """
The bound knows the future: no strategy has a higher throughput. It has all memory, respects no minimum,
no maximum and no shares, and moves memory in no time. Strategies keep 6.5 per cent free, and lend it
while balloons are slow. The pages that it reads are the fewest possible, and so are those that it writes,
each by itself; nobody may reach both. It says nothing of one VM. On *consolidated* and *shares* a build
has more pages than its VM's maximum: a part of what is lost against the bound is lost to that.

Throughput is the part of their time that all VMs work; the rest they wait for pages. *Of what is due*
compares each VM's memory with what its shares give it, as far as it has a use for it. The simulation is
described in `refmodel/management/simulation.py`: a page counts once a period, and what VMs do does not
change because they wait. A VM lacks memory while it touches more in a period than it has; *periods to
react* has a dash where none does. VMs pay for what a strategy looks at: samples of pages, accesses
beyond a hot set.

Under *self-ballooning-tmem* memory that no VM has is pools for evicted pages: clean ones in an ephemeral
pool, changed ones in a persistent pool, which counts as their VM's memory. What the persistent pool took
stays until its guest comes back for it. Nobody else has those frames meanwhile: that helps where memory
is to spare (*roomy*), and costs where everybody lacks it (*alike*, *consolidated*).

The programs were recorded in periods of 0.1 to 0.25 seconds, and each strategy decides in every
period. So a strategy that reacts within one period is quick here. A strategy that goes by what a VM
used is still a period late: a VM that grows lets pages go and reads them again, though memory is free
(*steady*). Nothing of the kind happens where a VM has its part whatever it does.
"""
MECHANISMS = """
Each recorded program runs with 30 per cent less memory than the pages that it touches. *Unplugging
blocks* regains less of all but *idle*: only blocks of 2 MiB in which no page is used, since no page is
moved here.

Who chooses matters as much as where pages go. A guest lets the pages go that it used longest ago. A
monitor takes any page, as ESX does, or *oldest first*, as Linux does as far as accessed bits tell. It has
no copy of a page that goes for the first time, so it writes also pages of the guest's files.

*Deflate on OOM*: the guest has no swap device. Pages that it stored to cannot go, so it takes pages out
of the balloon when it is out of memory, and lets pages of files go first. What it took back is not
regained, so it waits less where it takes back much (*build*, *database*). Where it takes none, pages of
files go that it needs, and it may wait longer (*idle*).

Transcendent memory has half of what was regained for its pools, while nobody else needs it. What the
ephemeral pool holds can be had at once and counts as regained; what the persistent pool holds does not.
So with *both pools* less is regained. A put and a get are an exit and a copy, a put that is refused an
exit, and a persistent page is flushed after it was got.

*Least possible* reads the fewest pages that can be read, and writes the fewest that can be written. It
bounds mechanisms that regain as much and keep pages whole, in frames or on the device. Compressed
memory keeps more pages in as many frames, and can read fewer.
"""
TWICE = """
The guest pages as if it had 85 per cent of its pages, the monitor because there are 70 per cent. Where
both let the oldest page go, the guest chooses a page that the monitor has already paged out. It is read
in only to be written out again: paging twice costs more than the monitor alone on each program but
*idle*, where it costs as much.

A monitor that takes any page meets the guest's choice less often; that is why ESX takes any (OSDI 2002,
section 3.3). There paging twice often costs less than the monitor alone: half of what is regained the
guest chooses, and it chooses better.

Against the guest alone it costs more on all programs but *build*. That one uses 82 per cent of its pages
again and again. The guest lets the others go; of those in use the oldest is the one that is needed soon,
and any other is a better choice.
"""
BOTH_BY_AGE = f"paging twice{OLDEST}"
SAVED = """
A snapshot of each program's pages, as recorded. The fleet is eight programs of three kinds side by
side. *Unlike VMs* have one program each, of those whose contents can be compared; patches are sought
within a VM. In the last rows each program of the fleet is a VM with its own copy of all pages of files.
"""
ESTIMATORS = """
The truth is the working set: pages touched in the last ten periods. Each VM has 70 per cent of the
pages that it touches. Errors are parts of the largest working set.
"""
CHOSEN_ESTIMATORS = """
Of those within one per cent of the least error the one is named that looks at least. *Ghost list* looks at
nothing of its own: reads from the device are seen anyway. So it is for VMs that lack memory, and says too
much of those that do not. *Modification log* sees no reads: it is near where what is used is written, too.
*Sampling* sees only pages that a VM has, and so never that it lacks some: it is for VMs that use little.
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
PUBLISHED = """
Beside a paper's experiment stands the same on recorded programs, where there is one. A made-up load is
used where the paper's own set-up has to be met: VMs that use all of their memory in each moment, or
nearly none. What a row was measured on is said in it.
"""
COSTS = f"""
The comparison takes the values; every one is a parameter. Beside them is what one machine measured, by
`pytest -m slow -s tests/benchmarks/test_costs.py`:
{HERE}.
The values are those of hardware with VT-x or SVM, so they were not changed. Where this machine differs:

- *exit*: a guest's `CPUID`, 10,000 times. It costs about eleven times as much here: software stands in
  for VT-x, and the machine's own host may take an exit for it, too. A page that the VM lacks costs 8.29
  us, exit and supply together.
- *swap_in*, *swap_out*: reads and writes of 4 KiB at random places of a file, past the page cache. A write
  was waited for, and in the model it is not.
- *scan*: clearing a referenced bit, and half of a touch afterwards. Linux takes no exit for that, and the
  model's sampling does.
"""
LIMITS = """
## What this does not show

- The time that sharing and patching take: *hash*, *patch* and *unpatch* are measured, and counted in no table.
- Seconds of benchmarks: no caches, no queues of a disk, no readahead.
- Accesses within a period. A loop over more pages than a VM has costs more than is counted here.
- Other amounts of memory, and other programs: each workload is one mix on one machine.
- Guests' kernels: recordings have the pages of programs, not of the kernel and its page cache.
- Other machines' costs. Every parameter can be set; the table of costs says where each is from.
"""
def twice(found: Comparison) -> Table:
    """What it costs that guest and monitor page."""
    ways = ("balloon", f"host swapping{OLDEST}", BOTH_BY_AGE, "host swapping", "paging twice")
    rows = tuple((name, *(percent(each.waited(way, Costs())) for way in ways),
                  *(f"{each.tallies[way].twice:,}" for way in (BOTH_BY_AGE, "paging twice")))
                 for name, each in found.measured.items())
    return Table("paging twice", ("program", "guest alone", "monitor alone, oldest first", "both, oldest first",
                                  "monitor alone, at random", "both, at random", "read to be written, oldest first",
                                  "read to be written, at random"), rows)


def chapter(found: Comparison) -> str:
    """The chapter's text."""
    parts = [HEAD, choosing.table(choosing.choices(found)).in_markdown(), CHOSEN, "## Strategies", SIMULATED,
             "![Throughput lost](pictures/strategies.svg)\n"]
    for name, scores in found.strategies.items():
        parts += [f"### {name}: {found.about[name]}\n", f"What the VMs do is {found.origins[name]}.\n",
                  management.strategies(name, scores).in_markdown(), ""]
    parts += ["## Mechanisms that take memory", MECHANISMS, "![Time waited](pictures/mechanisms.svg)\n"]
    for name, regained in found.mechanisms.items():
        parts += [f"### {name}\n", management.regained(name, regained).in_markdown(), ""]
    parts += ["### Paging twice", TWICE, twice(found).in_markdown(), ""]
    vms = [(f"{number} VM{'s' if number > 1 else ''}", saved) for number, saved in enumerate(found.alike, 1)]
    unlike = (f"unlike VMs: {', '.join(found.comparable)}", found.unlike)
    parts += ["## Mechanisms that save memory", SAVED, management.savings([*found.saved.items(), unlike, *vms]).in_markdown(),
              "\n![Memory saved](pictures/sharing.svg)\n", "## Estimating need", ESTIMATORS,
              "### Which estimator to use\n", choosing.estimators_by_program(found.estimators).in_markdown(), CHOSEN_ESTIMATORS,
              choosing.estimators_each(found.estimators).in_markdown(), ""]
    for name, errors in found.estimators.items():
        parts += [f"### {name}, estimated\n", management.estimators(name, errors).in_markdown(), ""]
    parts += ["## Translation", TRANSLATION, translation.exits_each().in_markdown(), ""]
    for name, each in found.translation.items():
        parts += [f"### {name}, translated\n",
                  *(f"{table.title}:\n\n{table.in_markdown()}\n" for table in translation.of(name, each))]
    parts += ["## Published results", PUBLISHED, management.published(found.published).in_markdown(), "\n## Costs", COSTS,
              management.costs().in_markdown(), LIMITS]
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
    given = remaking.folder("refmodel.report.pros_and_cons", "the chapter on pros and cons, and its pictures", "specs",
                            "properties.md")
    try:
        main(given)
    except BadDesign as why:
        sys.exit(remaking.refused(why))
