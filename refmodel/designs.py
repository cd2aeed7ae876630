"""The designs that ship: an MMU, and the memory management under it."""

import itertools
from typing import ClassVar

import attrs

from refmodel.language import Design, Geometry, geometry
from refmodel.language.laws import Law
from refmodel.laws import (
    accounting,
    buddy,
    contract,
    devices,
    direct,
    efficiency,
    ept_cpus,
    ept_large,
    ept_sizes,
    equivalence,
    grants,
    host_pages,
    isolation,
    ksm,
    linear,
    memory,
    migration,
    nested,
    npt,
    reservation,
    shadow_large,
    shadow_pages,
    shadow_roles,
    shadow_unsync,
    superpages,
    waiting,
    write_protection,
)
from refmodel.machine.cells import Cell, Mode
from refmodel.mmu.contract import ContractMmu
from refmodel.mmu.direct import DirectMmu, Word
from refmodel.mmu.direct_grants import DirectGrants
from refmodel.mmu.ept import EptMmu
from refmodel.mmu.ept_cpus import EptCpusMmu
from refmodel.mmu.ept_large import EptLargeMmu
from refmodel.mmu.ept_sizes import EptSizesMmu
from refmodel.mmu.interpreter import InterpreterMmu
from refmodel.mmu.large_pages import LargePageInterpreterMmu
from refmodel.mmu.nested import NestedInterpreterMmu, NestedMmu
from refmodel.mmu.npt import NptMmu
from refmodel.mmu.shadow_large import ShadowLargeMmu
from refmodel.mmu.shadow_on_ept import ShadowOnEptMmu
from refmodel.mmu.shadow_pages import ShadowPagesMmu
from refmodel.mmu.shadow_roles import Control, Rights, RoleCell, ShadowRolesMmu
from refmodel.mmu.shadow_traced import ShadowTracedMmu
from refmodel.mmu.shadow_unsync import ShadowUnsyncMmu
from refmodel.mmu.two_levels import TwoLevelInterpreterMmu
from refmodel.mmu.vtlb import VirtualTlbMmu
from refmodel.mmu.write_protection import WriteProtectionMmu
from refmodel.monitor.access_tracking import AccessTracking
from refmodel.monitor.ballooning import Ballooning, DeflateOnOom
from refmodel.monitor.buddy import Buddy
from refmodel.monitor.devices import Devices
from refmodel.monitor.dirty_logging import DirtyLogging
from refmodel.monitor.free_page_reporting import FreePageReporting
from refmodel.monitor.grants import Grants
from refmodel.monitor.guest_copies import GuestCopies
from refmodel.monitor.host_pages import HostPages
from refmodel.monitor.ksm import Ksm
from refmodel.monitor.migration import Migration
from refmodel.monitor.populate_on_demand import PopulateOnDemand
from refmodel.monitor.reservation import Reservation
from refmodel.monitor.sharing import Sharing
from refmodel.monitor.superpages import Superpages
from refmodel.monitor.swapping import Swapping

GENERAL = isolation.LAWS + isolation.BALLOONING + accounting.LAWS + equivalence.LAWS
"""What holds under any MMU."""
MERGED = GENERAL + accounting.SHARING
"""What holds under any MMU where pages are merged two at a time."""
ANY_MMU = isolation.LAWS + equivalence.LAWS + accounting.COUNTED + accounting.NO_TABLES + contract.LAWS
"""Of any mechanism, over any MMU at all."""
SMALL: Geometry = geometry(
    Vm=2, Vcpu=1, Gfn=2, Mfn=3, Index=1, naturals=1,
    only={Cell: (Cell(), Cell(True, True, True, gfn=0)), Mode: (Mode(),)},
)
READ_ONLY_FOR_USERS = Cell(True, False, True, gfn=0, user=True)
MODES: Geometry = geometry(
    Vm=1, Vcpu=1, Gfn=2, Mfn=2, Index=1, naturals=1,
    only={Cell: (Cell(), Cell(True, True, True, gfn=0), READ_ONLY_FOR_USERS),
          Mode: (*(Mode(*flags) for flags in itertools.product((False, True), repeat=3)),
                 Mode(wp=False, smap=True), Mode(wp=False, smap=True, ac=True))},
)
"""Less memory, for more modes: all of CPL, WP and SMEP, and SMAP where it makes a difference to a monitor."""


LARGER: Geometry = geometry(Vm=2, Vcpu=1, Gfn=2, Mfn=4, Index=1, Slot=2, Chain=1, naturals=2, only=MODES.only)
"""For random runs of many mechanisms together."""


class Memory(Swapping, DirtyLogging, Sharing, Ballooning, PopulateOnDemand, AccessTracking, GuestCopies, ContractMmu):
    """Seven things that are done with memory underneath, together, under any MMU."""

    laws: ClassVar[tuple[Law, ...]] = MERGED + accounting.NO_TABLES + memory.LAWS + contract.LAWS + contract.MAPPED
    geometry = geometry(Vm=1, Vcpu=1, Gfn=2, Mfn=2, Slot=1, Index=1, naturals=1,
                        only={Cell: (Cell(), Cell(True, True, True, gfn=0))})


class SamepageMerging(Ksm, ContractMmu):
    """Linux's way of finding and merging pages that hold the same, under any MMU."""

    laws: ClassVar[tuple[Law, ...]] = ANY_MMU + ksm.LAWS
    geometry = Memory.geometry.resized(Gfn=3, Mfn=3, Chain=1, naturals=2)


class AssignedDevices(Devices, Sharing, DirtyLogging, ContractMmu):
    """Devices that guests drive themselves, over copy-on-write sharing and a dirty log, under any MMU."""

    laws: ClassVar[tuple[Law, ...]] = ANY_MMU + accounting.SHARING + memory.DIRTY_LOGGING + devices.LAWS
    geometry = Memory.geometry.resized(Mfn=3)


class LiveMigration(Migration):
    """A VM that moves to another machine: pre-copy, stop-and-copy, post-copy."""

    laws: ClassVar[tuple[Law, ...]] = migration.LAWS
    geometry = geometry(Vm=1, Gfn=2, Index=1, only={Cell: (Cell(), Cell(True, True, True, gfn=0))})


class BuddyFrames(Buddy):
    """Machine memory as an allocator keeps it: large frames and small ones, scrubbing, memory that comes and goes."""

    laws: ClassVar[tuple[Law, ...]] = buddy.LAWS
    geometry = geometry(Vm=2, Block=2, Index=2, naturals=2)


class SharedSuperpages(Superpages):
    """Sharing under large mappings, which are split first."""

    laws: ClassVar[tuple[Law, ...]] = superpages.LAWS
    geometry = geometry(Vm=1, Region=1, Block=2, Index=2, naturals=2, only={Cell: (Cell(), Cell(True, True, True, gfn=0))})


class GrantedMemory(Grants):
    """Memory that guests share on purpose."""

    laws: ClassVar[tuple[Law, ...]] = grants.LAWS
    geometry = geometry(Vm=2, Gfn=2, Mfn=2, Ref=1, Index=1, naturals=2, only={Cell: (Cell(), Cell(True, True, True, gfn=0))})


class Interpreter(Sharing, Ballooning, InterpreterMmu):
    """Every access carried out by the monitor, over copy-on-write sharing and ballooning."""

    laws: ClassVar[tuple[Law, ...]] = MERGED + accounting.NO_TABLES + waiting.EMULATED
    geometry = SMALL
    further_geometries = (MODES,)


class VirtualTlb(Sharing, Ballooning, VirtualTlbMmu):
    """Shadow tables that are filled and flushed as a TLB is, over copy-on-write sharing and ballooning."""

    laws: ClassVar[tuple[Law, ...]] = (MERGED + accounting.NO_TABLES + isolation.VIRTUAL_TLB + equivalence.VIRTUAL_TLB
                                       + efficiency.SHADOW + waiting.SHADOW + waiting.EMULATED)
    geometry = SMALL
    further_geometries = (MODES,)


class ShadowTraced(Sharing, Ballooning, ShadowTracedMmu):
    """Shadow tables that mirror the guest's write-protected ones, over copy-on-write sharing and ballooning."""

    laws: ClassVar[tuple[Law, ...]] = (MERGED + accounting.NO_TABLES + isolation.SHADOW_TRACED + equivalence.SHADOW_TRACED
                                       + efficiency.SHADOW + waiting.SHADOW + waiting.EMULATED)
    geometry = SMALL.resized(Vm=1, Vcpu=2)  # one's tables are traced while another has them cached
    further_geometries = (MODES,)


class ShadowUnsync(Sharing, Ballooning, ShadowUnsyncMmu):
    """Shadow tables whose leaves may fall behind the guest's, over copy-on-write sharing and ballooning."""

    laws: ClassVar[tuple[Law, ...]] = MERGED + accounting.NO_TABLES + shadow_unsync.LAWS + waiting.SHADOW_UNSYNC + waiting.EMULATED
    geometry = geometry(Vm=1, Vcpu=1, Gfn=2, Mfn=2, Index=1, only={
        Cell: (Cell(), Cell(True, True, True, gfn=0), Cell(True, False, True, gfn=0)), Mode: (Mode(),)})
    further_geometries = (MODES,)


class ShadowPages(Sharing, Ballooning, ShadowPagesMmu):
    """Shadow paging in full: roles, large pages, flags, a finite pool; over copy-on-write sharing and ballooning."""

    laws: ClassVar[tuple[Law, ...]] = MERGED + accounting.NO_TABLES + shadow_pages.LAWS + waiting.SHADOW_PAGES + waiting.EMULATED
    geometry = geometry(Vm=1, Vcpu=1, Gfn=2, Mfn=2, Index=1, ShadowPage=2, only={
        Cell: (READ_ONLY_FOR_USERS, Cell(True, True, True, gfn=0, large=True)), Mode: (Mode(),)})
    further_geometries = (attrs.evolve(geometry, only=MODES.only).resized(Gfn=1),)


class Ept(Sharing, Ballooning, EptMmu):
    """Extended page tables over copy-on-write sharing and ballooning."""

    laws: ClassVar[tuple[Law, ...]] = MERGED + isolation.EPT + accounting.EPT + equivalence.EPT + efficiency.EPT + waiting.EPT
    geometry = SMALL
    further_geometries = (MODES,)


class Direct(DirectMmu):
    """Direct paging: guests' own tables, checked by type."""

    laws: ClassVar[tuple[Law, ...]] = direct.LAWS
    geometry = geometry(Vm=1, Vcpu=1, Mfn=3, Index=1, only={
        Word: (Word(), Word(True, True, mfn=0), Word(True, False, mfn=0), Word(True, True, large=True, mfn=0))})


class DirectWithGrants(DirectGrants):
    """Direct paging whose frames change hands: by grant, by transfer, and as descriptors."""

    laws: ClassVar[tuple[Law, ...]] = direct.LAWS + direct.GRANTS
    geometry = geometry(Vm=2, Vcpu=1, Gfn=1, Mfn=2, Index=1, only={Word: (Word(), Word(True, True, mfn=0), Word(gate=True))})


class TwoLevelInterpreter(Sharing, Ballooning, TwoLevelInterpreterMmu):
    """The interpreter for guests whose tables have two levels."""

    laws: ClassVar[tuple[Law, ...]] = MERGED + accounting.NO_TABLES + linear.INTERPRETED
    geometry = ShadowUnsync.geometry
    further_geometries = (MODES,)


class LargePageInterpreter(Sharing, Ballooning, LargePageInterpreterMmu):
    """The interpreter for guests with large pages, and flags in their tables."""

    laws: ClassVar[tuple[Law, ...]] = MERGED + accounting.NO_TABLES + linear.INTERPRETED + linear.FLAGS
    geometry = ShadowPages.geometry
    further_geometries = ShadowPages.further_geometries


class ShadowRoles(ShadowRolesMmu):
    """What a shadow's role is made of, under tables of three levels."""

    laws: ClassVar[tuple[Law, ...]] = shadow_roles.LAWS
    geometry = geometry(Vm=1, Vcpu=1, Gfn=2, Mfn=2, Index=1, only={
        RoleCell: (RoleCell(), RoleCell(True, Rights(True, True, True), gfn=0), RoleCell(True, Rights(False, True, True), gfn=0),
                   RoleCell(True, Rights(True, False, True), gfn=0), RoleCell(True, Rights(True, True, True), gfn=0, large=True)),
        Control: (Control(0, False, True, False), Control(0, True, False, True), Control(0, False, True, True),
                  Control(0, False, False, True, True))})


class ShadowLarge(ShadowLargeMmu):
    """A guest's large pages shadowed by small ones, and the reverse map."""

    laws: ClassVar[tuple[Law, ...]] = shadow_large.LAWS
    geometry = geometry(Vm=1, Region=2, Index=2)


class WriteProtection(WriteProtectionMmu):
    """Entries that are read-only for several reasons: shadowing, logging, swapping."""

    laws: ClassVar[tuple[Law, ...]] = write_protection.LAWS
    geometry = geometry(Gfn=2, Cpu=2)


class MonitorPages(HostPages):
    """Pages of the host's that guests come to see."""

    laws: ClassVar[tuple[Law, ...]] = host_pages.LAWS
    geometry = geometry(Vm=2, Gfn=2, Mfn=2)


class Reservations(Reservation):
    """What a VM was promised, under any policy at all."""

    laws: ClassVar[tuple[Law, ...]] = reservation.LAWS
    geometry = geometry(Vm=2, Mfn=4, naturals=3)


class EptCpus(EptCpusMmu):
    """Extended page tables on many processors, with few tags."""

    laws: ClassVar[tuple[Law, ...]] = ept_cpus.LAWS
    geometry = geometry(Vm=1, Cpu=2, Tag=1, Gfn=1, Mfn=4, Index=1, only={Cell: (Cell(), Cell(True, True, True, gfn=0))})


class Npt(NptMmu):
    """Nested page tables, as AMD has them: translations under ASIDs, and no way to have single ones forgotten."""

    laws: ClassVar[tuple[Law, ...]] = npt.LAWS
    geometry = geometry(Vm=2, Cpu=1, Tag=2, Gfn=1, Mfn=2, Index=1, only={Cell: (Cell(), Cell(True, True, True, gfn=0))})


class EptLarge(EptLargeMmu):
    """Extended page tables with large mappings, under a balloon, promises and a dirty log."""

    laws: ClassVar[tuple[Law, ...]] = ept_large.LAWS
    geometry = geometry(Vm=1, Cpu=1, Region=1, Block=2, Index=2, Table=1)
    further_geometries = (geometry.resized(Index=1, Table=3),)  # several tables that are dying


class EptSizes(EptSizesMmu):
    """Extended page tables with pages of three sizes."""

    laws: ClassVar[tuple[Law, ...]] = ept_sizes.LAWS
    geometry = geometry(Vm=1, Cpu=1, Huge=1, HugeFrame=1, Part=2, Index=2)
    further_geometries = (geometry.resized(HugeFrame=2, Index=1),)


class Nested(Sharing, Ballooning, NestedMmu):
    """EPT on EPT, over copy-on-write sharing and ballooning."""

    laws: ClassVar[tuple[Law, ...]] = MERGED + accounting.NO_TABLES + nested.LAWS + waiting.NESTED
    geometry = SMALL.resized(Vm=1, Gfn=2, Mfn=2)


class ShadowOnEpt(Sharing, Ballooning, ShadowOnEptMmu):
    """Shadow paging on EPT: a guest that runs a guest by shadow tables of its own, over copy-on-write sharing and ballooning."""

    laws: ClassVar[tuple[Law, ...]] = Ept.laws
    geometry = SMALL.resized(Vm=1, Vcpu=2)
    further_geometries = (MODES.resized(Vcpu=2, Gfn=1),)


class NestedInterpreter(Sharing, Ballooning, NestedInterpreterMmu):
    """The interpreter for a guest that has a guest."""

    laws: ClassVar[tuple[Law, ...]] = MERGED + accounting.NO_TABLES + nested.INTERPRETED
    geometry = Nested.geometry


class Everything(Swapping, DirtyLogging, Ksm, Sharing, DeflateOnOom, FreePageReporting, AccessTracking, GuestCopies, Devices):
    """All that is done with memory underneath."""

    explored = False
    geometry = LARGER


EVERYTHING = memory.LAWS + ksm.LAWS + devices.LAWS


def over_everything(laws: tuple[Law, ...]) -> tuple[Law, ...]:
    """The laws of an MMU where an access may wait for more than a frame: for a page on its way in, or for a device; and where one
    page alone may lie in a frame that is to be shared."""
    return tuple(law for law in laws if law not in waiting.LAWS + accounting.SHARING) + EVERYTHING


class MemoryAndEverything(Everything, ContractMmu):
    """All that is done with memory underneath, under any MMU."""

    laws: ClassVar[tuple[Law, ...]] = GENERAL + accounting.NO_TABLES + contract.LAWS + EVERYTHING


class InterpreterAndEverything(Everything, InterpreterMmu):
    """The interpreter, over all that is done with memory."""

    laws: ClassVar[tuple[Law, ...]] = over_everything(Interpreter.laws)


class VirtualTlbAndEverything(Everything, VirtualTlbMmu):
    """The virtual TLB, over all that is done with memory."""

    laws: ClassVar[tuple[Law, ...]] = over_everything(VirtualTlb.laws)


class ShadowTracedAndEverything(Everything, ShadowTracedMmu):
    """Traced shadow tables, over all that is done with memory."""

    laws: ClassVar[tuple[Law, ...]] = over_everything(ShadowTraced.laws)


class ShadowUnsyncAndEverything(Everything, ShadowUnsyncMmu):
    """Unsync shadow tables, over all that is done with memory."""

    laws: ClassVar[tuple[Law, ...]] = over_everything(ShadowUnsync.laws)


class ShadowPagesAndEverything(Everything, ShadowPagesMmu):
    """Shadow paging in full, over all that is done with memory."""

    laws: ClassVar[tuple[Law, ...]] = over_everything(ShadowPages.laws)


class EptAndEverything(Everything, EptMmu):
    """Extended page tables, over all that is done with memory."""

    laws: ClassVar[tuple[Law, ...]] = over_everything(Ept.laws)


class NestedAndEverything(Everything, NestedMmu):
    """EPT on EPT, over all that is done with memory."""

    laws: ClassVar[tuple[Law, ...]] = over_everything(Nested.laws)


SHIPPED: dict[str, type[Design]] = {"memory": Memory, "interpreter": Interpreter, "vtlb": VirtualTlb,
                                   "shadow_traced": ShadowTraced,
                                   "shadow_unsync": ShadowUnsync, "shadow_pages": ShadowPages, "shadow_roles": ShadowRoles,
                                   "shadow_large": ShadowLarge, "write_protection": WriteProtection, "host_pages":
                                   MonitorPages, "reservation": Reservations,
                                   "ksm": SamepageMerging, "devices": AssignedDevices, "migration": LiveMigration,
                                   "buddy": BuddyFrames, "superpages": SharedSuperpages, "grants": GrantedMemory,
                                   "ept": Ept, "ept_cpus": EptCpus, "ept_large": EptLarge, "ept_sizes": EptSizes, "npt": Npt,
                                   "nested": Nested, "shadow_on_ept": ShadowOnEpt,
                                   "direct": Direct, "direct_grants": DirectWithGrants}

COMBINED: dict[str, type[Design]] = {"memory+": MemoryAndEverything, "interpreter+": InterpreterAndEverything,
                                     "vtlb+": VirtualTlbAndEverything,
                                     "shadow_traced+": ShadowTracedAndEverything, "shadow_unsync+": ShadowUnsyncAndEverything,
                                     "shadow_pages+": ShadowPagesAndEverything,
                                     "ept+": EptAndEverything, "nested+": NestedAndEverything}
"""The MMUs over everything together: too many states to explore to the end, but proved, and run at random."""

REFERENCES: dict[str, tuple[type[Design], ...]] = {
    "interpreter": (Interpreter, TwoLevelInterpreter, LargePageInterpreter, NestedInterpreter)}
"""What designs can be run beside: the interpreter, for guests with tables of one level, of two, of two with large pages, and with
guests of their own."""
