"""Designs as points of one space: an MMU, over mechanisms that manage the memory under it.

``point("ept over ksm, swapping")`` is a design like one that somebody wrote, with the laws of all that it is made of. Mechanisms
lie over each other in the order of ``MECHANISMS``, and each asks the next by ``super()``.
"""

from __future__ import annotations

import functools
import itertools
import re
from collections.abc import Sequence
from typing import Any

import attrs

from refmodel.geometries import EMPTY, LARGER, SMALL, two_large_sizes, two_sizes
from refmodel.language import BadDesign, Design, Geometry
from refmodel.language.nearly import did_you_mean, nearly_or
from refmodel.mmu.abstract import AbstractAtOnceMmu, AbstractEmulatingMmu, AbstractMmu, AbstractPagingMmu
from refmodel.mmu.contract import ContractMmu
from refmodel.mmu.contract_caches import ContractMmuAcknowledged
from refmodel.mmu.ept import EptMmu
from refmodel.mmu.ept_acknowledged import EptAcknowledgedMmu
from refmodel.mmu.ept_cpus import EptCpusMmu
from refmodel.mmu.ept_flags import EptFlagsMmu, EptThreeSizesFlagsMmu
from refmodel.mmu.ept_flags_acknowledged import EptFlagsAcknowledgedMmu, EptThreeSizesFlagsAcknowledgedMmu
from refmodel.mmu.ept_pml import EptPmlAcknowledgedMmu, EptPmlMmu
from refmodel.mmu.ept_sizes import EptSizesMmu, EptThreeSizesMmu
from refmodel.mmu.ept_sizes_acknowledged import EptSizesAcknowledgedMmu, EptThreeSizesAcknowledgedMmu
from refmodel.mmu.hgatp import HgatpMmu
from refmodel.mmu.hgatp_flags import HgatpFlagsMmu
from refmodel.mmu.interpreter import InterpreterMmu
from refmodel.mmu.nested import NestedMmu
from refmodel.mmu.noted_flags import NotedFlags
from refmodel.mmu.npt import NptMmu
from refmodel.mmu.shadow_on_ept import ShadowOnEptMmu
from refmodel.mmu.shadow_pages import ShadowPagesMmu
from refmodel.mmu.shadow_traced import ShadowTracedMmu
from refmodel.mmu.shadow_unsync import ShadowUnsyncMmu
from refmodel.mmu.vtlb import VirtualTlbMmu
from refmodel.monitor.access_tracking import AccessTracking
from refmodel.monitor.ballooning import Ballooning, DeflateOnOom
from refmodel.monitor.buddy import Buddy
from refmodel.monitor.compressed_memory import CompressedMemory
from refmodel.monitor.devices import Devices
from refmodel.monitor.dirty_flags import DirtyFlags
from refmodel.monitor.dirty_logging import DirtyLogging
from refmodel.monitor.dirty_ring import DirtyRing
from refmodel.monitor.free_page_hinting import FreePageHinting
from refmodel.monitor.free_page_reporting import FreePageReporting
from refmodel.monitor.grants import Grants
from refmodel.monitor.guest_copies import GuestCopies
from refmodel.monitor.ksm import Ksm
from refmodel.monitor.memory_slots import MemorySlots
from refmodel.monitor.migration import Migration
from refmodel.monitor.p2m import P2m
from refmodel.monitor.page_modification_logging import PageModificationLogging
from refmodel.monitor.populate_on_demand import PopulateOnDemand
from refmodel.monitor.registered_pages import RegisteredPages
from refmodel.monitor.reservation import Reservation
from refmodel.monitor.sharing import Sharing
from refmodel.monitor.swapping import Swapping
from refmodel.monitor.virtio_mem import VirtioMem

MMUS: dict[str, type[P2m]] = {
    "any": ContractMmu,
    "any acknowledged": ContractMmuAcknowledged,
    "abstract": AbstractMmu,
    "abstract paging": AbstractPagingMmu,
    "abstract at once": AbstractAtOnceMmu,
    "abstract emulating": AbstractEmulatingMmu,
    "interpreter": InterpreterMmu,
    "vtlb": VirtualTlbMmu,
    "shadow_traced": ShadowTracedMmu,
    "shadow_unsync": ShadowUnsyncMmu,
    "shadow_pages": ShadowPagesMmu,
    "ept": EptMmu,
    "ept acknowledged": EptAcknowledgedMmu,
    "ept 4K/2M": EptSizesMmu,
    "ept 4K/2M acknowledged": EptSizesAcknowledgedMmu,
    "ept 4K/2M/1G": EptThreeSizesMmu,
    "ept 4K/2M/1G acknowledged": EptThreeSizesAcknowledgedMmu,
    "ept 4K/2M A/D": EptFlagsMmu,
    "ept 4K/2M A/D acknowledged": EptFlagsAcknowledgedMmu,
    "ept 4K/2M/1G A/D": EptThreeSizesFlagsMmu,
    "ept 4K/2M/1G A/D acknowledged": EptThreeSizesFlagsAcknowledgedMmu,
    "ept 4K/2M PML": EptPmlMmu,
    "ept 4K/2M PML acknowledged": EptPmlAcknowledgedMmu,
    "npt": NptMmu,
    "ept tagged": EptCpusMmu,
    "riscv": HgatpMmu,
    "riscv A/D": HgatpFlagsMmu,
    "nested": NestedMmu,
    "shadow_on_ept": ShadowOnEptMmu,
}
"""MMUs by name: the sizes of their entries where there are several, whether these have accessed and dirty flags, whether
stores that set one are logged besides (page-modification logging), and the way in which the MMU flushes where that is not at once.
``any`` stands for all of them. Real ones refine one of those called ``abstract``."""
PROCESSORS = {
    "any acknowledged": "Cpu",
    "abstract": "Cpu",
    "abstract paging": "Cpu",
    "ept acknowledged": "Vcpu",
    "ept 4K/2M acknowledged": "Vcpu",
    "ept 4K/2M/1G acknowledged": "Vcpu",
    "ept 4K/2M A/D acknowledged": "Vcpu",
    "ept 4K/2M/1G A/D acknowledged": "Vcpu",
    "ept 4K/2M PML acknowledged": "Vcpu",
    "npt": "Cpu",
    "ept tagged": "Cpu",
    "riscv": "Cpu",
    "riscv A/D": "Cpu",
}
"""Of those whose processors acknowledge flushes: the sort of names of what acknowledges."""
REFINING = {
    "any acknowledged": "abstract",
    "npt": "abstract",
    "riscv A/D": "abstract",
    "ept tagged": "abstract",
    "ept 4K/2M acknowledged": "abstract",
    "ept acknowledged": "abstract paging",
    "any": "abstract at once",
    "ept": "abstract at once",
    "ept 4K/2M": "abstract at once",
    "shadow_on_ept": "abstract at once",
    "interpreter": "abstract emulating",
    "vtlb": "abstract emulating",
    "shadow_traced": "abstract emulating",
    "shadow_unsync": "abstract emulating",
    "shadow_pages": "abstract emulating",
    "nested": "abstract emulating",
}
"""The MMUs of which each step over ``REFINED_OVER`` is proved to be one of an abstract MMU, and which that is."""
REFINED_OVER = ("sharing", "ballooning")
MECHANISMS: dict[str, type[P2m]] = {
    "migration": Migration,
    "compressed-memory": CompressedMemory,
    "swapping": Swapping,
    "free-page-hinting": FreePageHinting,
    "dirty-ring": DirtyRing,
    "dirty-logging": DirtyLogging,
    "dirty-flags": DirtyFlags,
    "page-modification-logging": PageModificationLogging,
    "ksm": Ksm,
    "sharing": Sharing,
    "deflate-on-oom": DeflateOnOom,
    "ballooning": Ballooning,
    "virtio-mem": VirtioMem,
    "memory-slots": MemorySlots,
    "free-page-reporting": FreePageReporting,
    "populate-on-demand": PopulateOnDemand,
    "access-tracking": AccessTracking,
    "registered-pages": RegisteredPages,
    "guest-copies": GuestCopies,
    "devices": Devices,
    "grants": Grants,
    "buddy-frames": Buddy,
    "reservation": Reservation,
}
"""Mechanisms by name, in the order in which they lie over each other."""
EVERYTHING = "everything"
"""In the place of mechanisms: all that an MMU can lie under but those that are apart; of the ways to log, the last that it can."""
WAYS_TO_LOG: dict[str, type[P2m]] = {
    "dirty-ring": P2m,
    "dirty-logging": P2m,
    "dirty-flags": NotedFlags,
    "page-modification-logging": EptPmlMmu,
}
"""Ways to keep one dirty log, and the MMUs that can: by write protection, in a ring or in a bitmap; by looking at dirty flags; and
by what processors log."""
NEED_A_LOG, LOGGED = ("free-page-hinting",), ("dirty-logging",)
"""Mechanisms that lie over a dirty log, and the one that they get where none is named."""
APART = ("compressed-memory", "virtio-mem")
"""Not among everything: a second way to swap, and a second way to give memory back. Each is explored and proved by itself, and with
every other in pairs; a slow test proves them with all the others over EPT."""
NEEDS = {"dirty-flags": "dirty flags", "page-modification-logging": "page-modification logs"}
"""What an MMU has to have for some mechanisms."""
MERGING = ("sharing", "ksm")
"""Mechanisms that need two pages: they merge them."""

EXPLORED = 2
"""More mechanisms than these have too many states together to be explored to the last."""
SPELLING = re.compile(r"(?P<mmu>[\w/ -]+?) over (?P<mechanisms>[\w -]+(?:,[\w -]+)*)")


def point(name: str) -> type[Design] | None:
    """The design that is called so, ``MMU over MECHANISM, MECHANISM``; None if that is no such name.

    ``BadDesign`` if there is no such MMU or mechanism.
    """
    spelt = SPELLING.fullmatch(name.strip())
    if spelt is None:
        return None
    mechanisms = [re.sub(r"[ _]+", "-", each.strip()) for each in spelt["mechanisms"].split(",")]
    return over(spelt["mmu"], tuple(mechanisms))


def abstract_of(mmu: str) -> str:
    """The abstract MMU that another one refines: the one that flushes as it does."""
    return REFINING.get(mmu, "abstract" if mmu in PROCESSORS else "abstract at once")


def over(mmu: str, mechanisms: Sequence[str]) -> type[Design]:
    """An MMU over mechanisms, by their names in whatever order; ``BadDesign`` if there is none of a name."""
    if mmu not in MMUS:
        raise _no_mmu(mmu)
    possible = mechanisms_over(mmu)
    if tuple(mechanisms) == (EVERYTHING,):
        left_out = (*APART, *[each for each in WAYS_TO_LOG if each in possible][:-1])
        return _over(mmu, tuple(each for each in possible if each not in left_out), EVERYTHING)
    for each in mechanisms:
        if each not in possible:
            why = f"{each} needs {NEEDS[each]}, which {mmu} has not" if each in NEEDS else f"there is no mechanism {each!r}"
            meant = "" if each in NEEDS or each == EVERYTHING else did_you_mean(each, [*MECHANISMS, EVERYTHING])
            hint = meant or f"expected {EVERYTHING}, or some of {', '.join(possible)}"
            raise BadDesign(f"{mmu} over {', '.join(mechanisms)}: {why}; {hint}")
    logging = [each for each in WAYS_TO_LOG if each in mechanisms]
    if len(logging) > 1:
        raise BadDesign(f"{mmu} over {', '.join(mechanisms)}: {' and '.join(logging)} keep the same log; expected one of them")
    completing = LOGGED if not logging and {*NEED_A_LOG} & {*mechanisms} else ()
    chosen = tuple(each for each in possible if each in mechanisms or each in completing)
    return _over(mmu, chosen, ", ".join(chosen))


def _no_mmu(name: str) -> BadDesign:
    """The complaint about an MMU that there is not."""
    return BadDesign(f"{name}: no such MMU; {nearly_or(name, MMUS, 'expected one of ' + ', '.join(MMUS))}")


def mechanisms_over(mmu: str) -> tuple[str, ...]:
    """The mechanisms that can lie over an MMU: all of them, but a way to log only where the MMU has what it needs."""
    return tuple(each for each in MECHANISMS if issubclass(MMUS[mmu], WAYS_TO_LOG.get(each, P2m)))


def _named(called: str) -> str:
    """The mechanisms of a design, in words."""
    return "all memory mechanisms" if called == EVERYTHING else f"the memory mechanism{'s' if ', ' in called else ''} {called}"


@functools.cache
def _over(mmu: str, mechanisms: tuple[str, ...], called: str) -> type[Design]:
    """The class: it is made once, so that it is one design wherever it is named."""
    body: dict[str, Any] = {
        "__doc__": f"The MMU {mmu} with {_named(called)}.",
        "__module__": __name__,
        "geometry": _geometry(mmu, mechanisms),
        "further_geometries": _further(mmu, mechanisms),
        "explored": _are_few(mechanisms) and not (mmu == "riscv A/D" and {*mechanisms} & {*MERGING}),
    }
    name = "".join(word.capitalize() for word in re.split(r"[^A-Za-z0-9]+", f"{mmu} over {called}"))
    return type(name, (*_bases(mechanisms), MMUS[mmu]), body)


def _bases(mechanisms: Sequence[str]) -> list[type[P2m]]:
    """The classes of mechanisms, without those that another is a kind of and brings along."""
    classes = [MECHANISMS[each] for each in mechanisms]
    return [cls for cls in classes if not any(issubclass(other, cls) for other in classes if other is not cls)]


def _are_few(mechanisms: Sequence[str]) -> bool:
    """Whether there are few enough to be explored together. One that lies over a dirty log counts as one with it."""
    return len([each for each in mechanisms if each not in NEED_A_LOG]) <= EXPLORED


def _geometry(mmu: str, mechanisms: Sequence[str]) -> Geometry:
    """Two pages each of two VMs, and two frames; where pages are merged, a limit that lets two share. Where processors acknowledge
    flushes, one VM with two pages, and one processor. Where pages are granted, two VMs. Grants and
    what is remembered of memory slots make many states: if there are few mechanisms, each VM has one page."""
    found = SMALL.resized(Slot=1) if _are_few(mechanisms) else LARGER
    if "ksm" in mechanisms:
        found = found.resized(Chain=1, naturals=2)
    if "virtio-mem" in mechanisms:
        found = found.resized(Region=1, naturals=max(1, found.naturals))
    if "memory-slots" in mechanisms:
        found = found.resized(Region=1, Generation=2)
    if "buddy-frames" in mechanisms:
        found = found.resized(Block=1)
    if "reservation" in mechanisms:
        found = found.resized(naturals=max(2, found.naturals))  # a maximum of a page and its table
    if "grants" in mechanisms:
        found = found.resized(Ref=1)
    if {*mechanisms} & {"memory-slots", "grants"} and _are_few(mechanisms) and "2M" not in mmu:
        found = found.resized(Gfn=1)
    if "2M" in mmu:
        tables = 2 if "1G" in mmu else 1
        sized = two_large_sizes if "1G" in mmu else two_sizes
        found = sized(found.resized(Vm=1, Mfn=found.size("Mfn") + tables))
    if "1G" in mmu or "A/D" in mmu or "PML" in mmu or mmu in ("ept 4K/2M acknowledged", "riscv"):
        found = attrs.evolve(found, only=EMPTY)
    if mmu.startswith("riscv"):
        found = found.resized(Tag=1)  # which VMs take turns with
    if mmu == "riscv A/D" and not {*mechanisms} & {*MERGING}:
        found = found.resized(Gfn=1)
    if mmu in PROCESSORS:
        found = found.resized(Vm=1, **{PROCESSORS[mmu]: 1})
    return found.resized(Vm=2) if "grants" in mechanisms else found  # an owner and a grantee


def _further(mmu: str, mechanisms: Sequence[str]) -> tuple[Geometry, ...]:
    """Where processors acknowledge flushes: two VMs with a page each, and two processors of which one may be behind. What RISC-V's
    harts remember makes many states, so that VMs take turns with one VMID on one hart, or one VM runs on two."""
    if mmu not in PROCESSORS or "2M" in mmu:
        return ()
    if mmu.startswith("riscv"):
        one_page = _geometry(mmu, mechanisms).resized(Gfn=1)
        return (one_page.resized(Cpu=2),) if mmu == "riscv A/D" else (one_page.resized(Vm=2), one_page.resized(Cpu=2))
    return (_geometry(mmu, mechanisms).resized(Vm=2, Gfn=1, **{PROCESSORS[mmu]: 2}),)


def pairs_of(mmu: str) -> list[tuple[str, str]]:
    """Every two mechanisms that can lie over an MMU together."""
    return [pair for pair in itertools.combinations(mechanisms_over(mmu), 2) if not set(pair) <= set(WAYS_TO_LOG)]


PAIRS: dict[str, type[Design]] = {f"any over {one}, {other}": over("any", (one, other)) for one, other in pairs_of("any")}
"""Every two mechanisms together, over any MMU, small enough to be explored to the last state. What goes wrong between
mechanisms goes wrong between two, nearly always."""


def pairs_over(mmu: str) -> list[str]:
    """The names of every two mechanisms together over an MMU, each in its smallest geometry: one VM with one page, or
    with two where pages are merged or make up a large one; two VMs with a page where one is granted. ``BadDesign`` if there is no
    such MMU."""
    if mmu not in MMUS:
        raise _no_mmu(mmu)
    return [f"{mmu} over {one}, {other}@{_smallest(mmu, (one, other))}" for one, other in pairs_of(mmu)]


def _smallest(mmu: str, pair: Sequence[str]) -> str:
    """The sizes of a pair's smallest geometry, where they are not those that a design has anyhow."""
    vms = 2 if "grants" in pair else 1
    sizes = {"Vm": vms, "Gfn": 2 if (vms == 1 and {*pair} & {*MERGING}) or "2M" in mmu else 1}
    if mmu.startswith("ept"):
        sizes["Mfn"] = sizes["Gfn"] + (2 if "1G" in mmu else 1)  # for tables
    if mmu in ("npt", "ept tagged", "riscv", "riscv A/D"):
        sizes["Tag"] = 1
    return ",".join(f"{sort}={size}" for sort, size in sizes.items())
