"""Published results, and what the same experiment gives here: shapes and ratios, not seconds."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import resources

import attrs

from refmodel.management import saving
from refmodel.management.comparison import compare
from refmodel.management.costs import Costs
from refmodel.management.recording import FLEET, Recording
from refmodel.management.scenario import Workload, read
from refmodel.management.simulation import POLICIES, Period, simulate
from refmodel.management.translation.comparing import Translation, exits
from refmodel.monitor.policy.sampling import Estimate

DISK = 10_000.0
"""Microseconds to read a page from a disk."""
LONG = 20
"""Periods for which a VM stays busy."""


@attrs.frozen
class Result:
    """A published result beside ours."""

    what: str
    where: str
    published: str
    on: str
    """What ours was measured on, and whether that was recorded or made up."""
    ours: str
    why: str
    """Why ours differs, or what makes it the same."""


def ready(name: str) -> Workload:
    """A workload that comes along; those in ``published/`` are made up, as a paper's experiment was set up."""
    with resources.as_file(resources.files("refmodel.management").joinpath("workloads", f"{name}.toml")) as file:
        return read(file)


def on(*names: str) -> str:
    """What workloads are made of."""
    return "; ".join(f"{name} ({ready(name).origin})" for name in names)


def _mean(periods: list[Period], name: str, first: int, last: int) -> float:
    part = [p.allocated[name] for p in periods if first <= p.number < last]
    return sum(part) / len(part)


def shares() -> Result:
    """Two VMs that want all, shares 2 to 1: as in the paper, and as recorded, where a VM seldom uses all that it has."""
    made_up, untaxed, taxed = (
        _ratio(simulate(ready(name), POLICIES[policy]))
        for name, policy in (("published/osdi2002_shares", "esx"), ("shares", "shares"), ("shares", "esx"))
    )
    return Result(
        "memory by shares",
        "Waldspurger, OSDI 2002, section 5.1",
        "VMs with shares of 2 to 1 get memory of 2 to 1",
        on("published/osdi2002_shares", "shares"),
        f"memory of the made-up VMs: {made_up:.2f} to 1; of recorded VMs: {untaxed:.2f} to 1 without the tax, {taxed:.2f} to 1 "
        "with the tax",
        "the same if only shares decide, or if VMs use all their memory. A build uses a smaller part of its memory in a "
        "period, and pays the tax for the rest",
    )


def _ratio(periods: list[Period]) -> float:
    return _mean(periods, "gold", 20, 40) / _mean(periods, "silver", 20, 40)


def idle_tax() -> Result:
    """An idle VM and a busy one with equal shares, before and after idle memory is taxed."""
    given, recorded = ready("published/osdi2002_idle_tax"), ready("idle_tax")
    periods = simulate(given, POLICIES["esx"])
    before, after = (100 * _mean(periods, "idle", *when) / given.pages for when in ((20, 30), (60, 90)))
    without, taxed = (
        100 * _mean(simulate(recorded, POLICIES[name]), "idle", 60, 110) / recorded.pages for name in ("shares", "esx")
    )
    return Result(
        "idle memory tax of 75 %",
        "Waldspurger, OSDI 2002, section 5.2",
        "with the tax, most idle memory is reclaimed; without the tax, VMs with equal shares keep equal memory",
        on("published/osdi2002_idle_tax", "idle_tax"),
        f"part of memory that the idle VM has, made up: {before:.0f} % without the tax, {after:.0f} % with the tax; recorded: "
        f"{without:.0f} % without the tax, {taxed:.0f} % with the tax",
        "the same direction. The made-up busy VM uses all its memory in each period. The build uses a part of its memory, "
        "so the rest counts as idle, and the build gets less",
    )


def sampling() -> Result:
    """An estimate's way up and down."""
    up = down = 0
    estimate = Estimate(0.1, 0.1, 0.1)
    while estimate.active < 0.7:
        estimate, up = estimate.after(80), up + 1
    for _ in range(LONG):
        estimate = estimate.after(80)
    while estimate.active > 0.2:
        estimate, down = estimate.after(10), down + 1
    return Result(
        "sampling: busy at once, idle after a while",
        "Waldspurger, OSDI 2002, section 5.3, figure 6",
        "the estimate rises quickly and falls slowly",
        "made up: a load that changes suddenly, as in the paper",
        f"the estimate takes {up} period(s) to rise from 10 to 70 %, and {down} periods to fall from 80 to 20 %",
        "the same direction. The weights of the averages are not published; refmodel uses 0.1 and 0.5",
    )


def sharing(fleet: Recording) -> Result:
    """What more and more like VMs share, and what one alone gets back."""
    found = saving.alike(fleet, 10)
    last, first = found[-1], found[0]
    back = first.part(first.shared)
    shared, gets = (
        f"{100 * first.held / first.pages:.0f} % with one VM, {100 * last.held / last.pages:.0f} % with {len(found)} VMs",
        f"saves {100 * back:.0f} %, {100 * first.zero / (first.pages * back):.0f} % of this from pages of zeroes",
    )
    return Result(
        "page sharing among like VMs",
        "Waldspurger, OSDI 2002, figure 4",
        "the shared part of memory grows with each VM, to 67 % with ten VMs; one VM alone saves 5 MB of its 40 MB, 55 % of "
        "this from pages of zeroes",
        f"recorded: {FLEET}",
        f"shared part of memory: {shared}; one VM alone {gets}; {len(found)} VMs save {100 * last.part(last.shared):.0f} %",
        "a similar part is shared, with fewer VMs. One VM alone saves less, because each recorded VM is one program, without "
        "a kernel, and with hardly any pages of zeroes",
    )


def patching(fleet: Recording) -> Result:
    """Patches over sharing."""
    found = saving.alike(fleet, 10)[-1]
    return Result(
        "patches over sharing",
        "Gupta et al., OSDI 2008; CACM 53(10), 2010, page 90",
        "of 393,120 pages, sharing saves 50 %; sharing and patches save 77 %",
        f"recorded: {FLEET}",
        f"of {found.pages:,} pages, sharing saves {100 * found.part(found.shared):.0f} %; sharing and patches save "
        f"{100 * found.part(found.patched):.0f} %; with compression of the rest, {100 * found.part(found.all):.0f} %",
        "the same order. Patches save less here, because addresses are randomized, so that pages differ in many words. In "
        "the paper, many shared pages were zeroes of guests that did not use their memory",
    )


def balancing() -> Result:
    """Miss-ratio balancing against a static partition, on a fast device and on a disk."""
    fast, slow = (_gain_of_balancing(costs) for costs in (Costs(), Costs(swap_in=DISK, swap_out=DISK / 10)))
    given = ready("opposed")
    return Result(
        "balancing by miss-ratio curves",
        "Zhao and Wang, VEE 2009 (the strategy); Zhao et al., USENIX ATC 2011; Wang et al., ACM TACO 13(1), 2016",
        "1.85 times as fast (2011); up to 7.4 times with two to four VMs, 4.54 times with 16 that are overcommitted (2016)",
        on("opposed"),
        f"{fast[0]:.2f} times the throughput, {slow[0]:.2f} times with a disk of 10 ms; {fast[1]:.1f} times fewer pages read",
        f"the same direction. The workload has {len(given.vms)} VMs, so the published figure for two to four VMs applies. This "
        "figure is the largest of several mixes of programs. The speed of the disk also determines the gain",
    )


def _gain_of_balancing(costs: Costs) -> tuple[float, float]:
    """How many times the throughput, and how many times fewer pages read."""
    by_name = {score.strategy: score for score in compare(ready("opposed"), ("static", "miss-ratio"), costs)}
    static, balanced = by_name["static"], by_name["miss-ratio"]
    return balanced.throughput / static.throughput, static.again / max(1, balanced.again)


def leaving() -> Result:
    """What a monitor with exits pays for a guest's page tables."""
    edit, switch, _ = exits()["shadow_traced"]
    of_ept, switch_of_ept, _ = exits()["ept"]
    return Result(
        "exits for page tables",
        "Adams and Agesen, ASPLOS 2006, abstract",
        "without nested paging in hardware, a VT-x monitor is often slower than binary translation; "
        "page-table updates and context switches differ most",
        "steps of the designs, no workload",
        f"a table edit takes {edit:.0f} exits under shadow paging and {of_ept:.0f} under EPT; a context switch takes "
        f"{switch:.0f} and {switch_of_ept:.0f}",
        "the same: nested paging in hardware avoids these exits. Binary translation, which avoids most exits by "
        "software, is not modelled",
    )


def second_translation(translated: Mapping[str, Translation]) -> Result:
    """EPT in place of shadow paging."""
    costs, (edit, _, _) = Costs(), exits()["shadow_pages"]
    touches = 100 * edit * costs.exit / costs.first_touch
    gains = ", ".join(f"{_gain(each):.1f} % ({name})" for name, each in translated.items())
    edits = max(each.edits for found in translated.values() for each in found.crossovers)
    large = max(each.edits for found in translated.values() for each in found.crossovers if each.large)
    return Result(
        "EPT in place of shadow paging",
        "VMware, Performance Evaluation of Intel EPT Hardware Assist, 2009",
        "EPT is up to 600 % faster in microbenchmarks of the MMU, and up to 48 % in programs; EPT is slower in a few programs "
        "with many TLB misses, less so with large pages",
        f"calculated from the costs; recorded: addresses of {', '.join(translated)}",
        f"EPT is {touches:.0f} % faster for a guest that only touches new pages; {gains} in programs. Shadow paging "
        f"costs less below {edits:.1f} table edits in a million instructions with a small TLB, and with large pages "
        f"below {large:.1f}",
        "the same direction. This calculation counts only exits, and not the monitor's work at an exit, and the recorded "
        "programs edit few page tables",
    )


def _gain(of: Translation) -> float:
    """How much faster a program is under EPT, in per cent, at a cycle an instruction."""
    cycles = {each.mmu: 1000 + each.all for each in of.overheads if not each.large}
    return 100 * (cycles["shadow_pages"] / cycles["ept"] - 1)


def results(fleet: Recording, translated: Mapping[str, Translation]) -> list[Result]:
    """Every one."""
    return [
        shares(),
        idle_tax(),
        sampling(),
        sharing(fleet),
        patching(fleet),
        balancing(),
        leaving(),
        second_translation(translated),
    ]
