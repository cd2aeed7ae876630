"""The designs that ship: an MMU, and the memory management under it."""

import re

import attrs

from refmodel.bare_roles import Control, Rights, RoleCell
from refmodel.geometries import EMPTY, LARGE_PAGES, MODES, SMALL, two_large_sizes, two_sizes
from refmodel.language import Design, every_law, geometry
from refmodel.machine.cells import Cell, Mode
from refmodel.mmu.abstract import AbstractAtOnceMmu, AbstractEmulatingMmu, AbstractMmu, AbstractPagingMmu
from refmodel.mmu.contract import ContractMmu
from refmodel.mmu.contract_caches import ContractMmuAcknowledged
from refmodel.mmu.direct import DirectMmu, MachineWord
from refmodel.mmu.direct_grants import DirectGrants
from refmodel.mmu.ept import EptMmu
from refmodel.mmu.ept_acknowledged import EptAcknowledgedMmu
from refmodel.mmu.ept_cpus import EptCpusMmu
from refmodel.mmu.ept_flags import EptFlagsMmu
from refmodel.mmu.ept_pml import EptPmlMmu
from refmodel.mmu.ept_sizes import EptSizesMmu, EptThreeSizesMmu
from refmodel.mmu.ept_sizes_acknowledged import EptSizesAcknowledgedMmu
from refmodel.mmu.hgatp import HgatpMmu
from refmodel.mmu.interpreter import InterpreterMmu
from refmodel.mmu.large_pages import LargePageInterpreterMmu
from refmodel.mmu.nested import NestedInterpreterMmu, NestedMmu
from refmodel.mmu.npt import NptMmu
from refmodel.mmu.shadow_on_ept import ShadowOnEptMmu
from refmodel.mmu.shadow_pages import ShadowPagesMmu
from refmodel.mmu.shadow_roles import ShadowRolesMmu
from refmodel.mmu.shadow_traced import ShadowTracedMmu
from refmodel.mmu.shadow_unsync import ShadowUnsyncMmu
from refmodel.mmu.two_levels import TwoLevelInterpreterMmu
from refmodel.mmu.vtlb import VirtualTlbMmu
from refmodel.mmu.write_protection import WriteProtectionMmu
from refmodel.monitor.access_tracking import AccessTracking
from refmodel.monitor.ballooning import Ballooning
from refmodel.monitor.buddy import Buddy
from refmodel.monitor.compressed_memory import CompressedMemory
from refmodel.monitor.devices import Devices
from refmodel.monitor.dirty_flags import DirtyFlags
from refmodel.monitor.dirty_logging import DirtyLogging
from refmodel.monitor.free_page_hinting import FreePageHinting
from refmodel.monitor.grants import Grants
from refmodel.monitor.guest_copies import GuestCopies
from refmodel.monitor.host_pages import HostPages
from refmodel.monitor.ksm import Ksm
from refmodel.monitor.memory_slots import MemorySlots
from refmodel.monitor.migration import Migration
from refmodel.monitor.page_modification_logging import PageModificationLogging
from refmodel.monitor.patching import Patching
from refmodel.monitor.populate_on_demand import PopulateOnDemand
from refmodel.monitor.reservation import Reservation
from refmodel.monitor.sharing import Sharing
from refmodel.monitor.swapping import Swapping
from refmodel.monitor.tmem import Tmem
from refmodel.monitor.virtio_mem import VirtioMem
from refmodel.points import EVERYTHING, MMUS, REFINING, over

EVERY_LAW = every_law("refmodel.laws.isolation", "refmodel.laws")


class Memory(Swapping, DirtyLogging, Sharing, Ballooning, PopulateOnDemand, AccessTracking, GuestCopies, ContractMmu):
    """Seven mechanisms of memory management together, under any MMU."""

    geometry = geometry(
        Vm=1, Vcpu=1, Gfn=2, Mfn=2, Slot=1, Index=1, naturals=1, only={Cell: (Cell(), Cell(True, True, True, gfn=0))}
    )


class MemoryAcknowledged(Swapping, Sharing, Ballooning, ContractMmuAcknowledged):
    """Three mechanisms of memory management together, under any MMU whose processors acknowledge flushes later."""

    geometry = Memory.geometry.resized(Cpu=1)
    further_geometries = (geometry.resized(Gfn=1, Cpu=2),)


class AbstractMemory(Sharing, Ballooning, AbstractMmu):
    """Copy-on-write sharing and ballooning, under the abstract MMU, which real ones refine."""

    geometry = geometry(Vm=1, Vcpu=1, Cpu=1, Gfn=2, Mfn=2, Index=1, only=EMPTY)
    further_geometries = (geometry.resized(Mfn=3),)


class AbstractMemoryAtOnce(Sharing, Ballooning, AbstractAtOnceMmu):
    """Copy-on-write sharing and ballooning under an abstract MMU whose flushes take effect at once, for guests with paging."""

    no_bare_machine = "the abstract MMU may show a page fault wherever a guest's tables could ask for one: real MMUs say more"
    geometry = geometry(Vm=1, Vcpu=1, Cpu=1, Gfn=2, Mfn=2, Index=1, only={**EMPTY, Mode: (Mode(),)})
    further_geometries = (geometry.resized(Mfn=3),)


class AbstractMemoryWithPaging(Sharing, Ballooning, AbstractPagingMmu):
    """Copy-on-write sharing and ballooning under an abstract MMU whose flushes take time, for guests with paging."""

    no_bare_machine = AbstractMemoryAtOnce.no_bare_machine
    geometry = AbstractMemoryAtOnce.geometry


class AbstractMemoryEmulating(Sharing, Ballooning, AbstractEmulatingMmu):
    """Sharing and ballooning under an abstract MMU whose monitor may emulate accesses, as interpreters and shadow MMUs do."""

    no_bare_machine = AbstractMemoryAtOnce.no_bare_machine
    geometry = AbstractMemoryAtOnce.geometry
    further_geometries = AbstractMemoryAtOnce.further_geometries


class CompressedPages(CompressedMemory, Sharing, Ballooning, ContractMmu):
    """Pages that are compressed in memory before they go to the swap device, over sharing and ballooning, under any MMU."""

    geometry = geometry(Vm=1, Gfn=3, Mfn=2, Slot=3, Index=1, naturals=2, only=EMPTY)
    further_geometries = (attrs.evolve(geometry, only=Memory.geometry.only).resized(Gfn=2, Slot=2),)


class PatchedPages(Patching, ContractMmu):
    """Pages that are stored as patches against shared pages, over sharing and compressed memory, under any MMU."""

    geometry = geometry(Vm=1, Gfn=2, Mfn=3, Slot=1, Index=1, naturals=1, only=Memory.geometry.only)


class PluggedBlocks(VirtioMem, Sharing, ContractMmu):
    """Memory that a guest plugs and unplugs in blocks (virtio-mem), over sharing, under any MMU."""

    geometry = geometry(Vm=1, Gfn=3, Region=2, Mfn=2, Index=1, naturals=2, only=Memory.geometry.only)


class SlottedMemory(MemorySlots, Swapping, Ballooning, ContractMmu):
    """Memory slots that are added and deleted, over swapping and ballooning, under any MMU."""

    geometry = geometry(Vm=1, Vcpu=1, Gfn=2, Region=2, Generation=2, Mfn=1, Slot=1, Index=1, naturals=1, only=Memory.geometry.only)


class TranscendentMemory(Tmem, Sharing, ContractMmu):
    """Transcendent memory: pools of pages that guests copy to the monitor, over sharing, under any MMU."""

    no_bare_machine = ""
    geometry = geometry(Vm=1, Gfn=2, Mfn=3, Slot=1, Index=1, naturals=1, only=Memory.geometry.only)
    further_geometries = (attrs.evolve(geometry, only=EMPTY).resized(Vm=2, Gfn=1, Slot=2),)


class SamepageMerging(Ksm, ContractMmu):
    """Linux's KSM: a scanner that finds and merges pages with equal contents, under any MMU."""

    geometry = Memory.geometry.resized(Gfn=3, Mfn=3, Chain=1, naturals=2)


class AssignedDevices(Devices, Sharing, DirtyLogging, ContractMmu):
    """Devices that guests drive directly through an IOMMU, over copy-on-write sharing and a dirty log, under any MMU."""

    geometry = Memory.geometry.resized(Mfn=3)


class LiveMigration(Migration, FreePageHinting, DirtyLogging, ContractMmu):
    """Live migration: pages are sent ahead, skipped if the guest hints them as free, or fetched later, under any MMU."""

    geometry = Memory.geometry


class BuddyFrames(Buddy, Sharing, Ballooning, ContractMmu):
    """Machine memory in a buddy allocator whose blocks can be added and removed, over sharing and ballooning, under any MMU."""

    geometry = Memory.geometry.resized(Mfn=3, Block=2)


class GrantedMemory(Grants, Sharing, Ballooning, ContractMmu):
    """Memory that guests share with each other by grants, over copy-on-write sharing and ballooning, under any MMU."""

    geometry = Memory.geometry.resized(Vm=2, Gfn=1, Ref=1)


class Interpreter(Sharing, Ballooning, InterpreterMmu):
    """An MMU that emulates every access, over copy-on-write sharing and ballooning."""

    geometry = SMALL.resized(Mfn=3)
    further_geometries = (MODES,)


class VirtualTlb(Sharing, Ballooning, VirtualTlbMmu):
    """Shadow tables that are filled and flushed like a TLB, over copy-on-write sharing and ballooning."""

    geometry = SMALL.resized(Mfn=3)
    further_geometries = (MODES,)


class ShadowTraced(Sharing, Ballooning, ShadowTracedMmu):
    """Shadow tables that mirror the guest's write-protected tables, over copy-on-write sharing and ballooning."""

    geometry = SMALL.resized(Vm=1, Vcpu=2, Mfn=3)  # one's tables are traced while another has them cached
    further_geometries = (MODES,)


class ShadowUnsync(Sharing, Ballooning, ShadowUnsyncMmu):
    """Shadow tables whose leaf tables may lag behind the guest's tables, over copy-on-write sharing and ballooning."""

    geometry = geometry(
        Vm=1,
        Vcpu=1,
        Gfn=2,
        Mfn=2,
        Index=1,
        only={Cell: (Cell(), Cell(True, True, True, gfn=0), Cell(True, False, True, gfn=0)), Mode: (Mode(),)},
    )
    further_geometries = (MODES,)


class ShadowPages(Sharing, Ballooning, ShadowPagesMmu):
    """Shadow paging in full, with roles, large pages, accessed and dirty flags and a finite pool, over copy-on-write sharing and
    ballooning."""

    geometry = LARGE_PAGES.resized(ShadowPage=2)
    further_geometries = (attrs.evolve(geometry, only=MODES.only).resized(Gfn=1),)


class Ept(Sharing, Ballooning, EptMmu):
    """Extended page tables over copy-on-write sharing and ballooning."""

    geometry = SMALL.resized(Mfn=3)
    further_geometries = (MODES,)


class EptAcknowledged(Sharing, Ballooning, EptAcknowledgedMmu):
    """Extended page tables whose flushes each vCPU acknowledges later, over copy-on-write sharing and ballooning."""

    geometry = SMALL.resized(Vm=1)
    further_geometries = (geometry.resized(Vm=2, Gfn=1, Mfn=3), geometry.resized(Vcpu=2, Gfn=1, Mfn=3))


class EptTwoSizes(Sharing, Ballooning, EptSizesMmu):
    """Extended page tables with entries of 4 KiB and 2 MiB, over copy-on-write sharing and ballooning."""

    geometry = two_sizes(SMALL.resized(Vm=1, Mfn=3))


class EptTwoSizesAcknowledged(Sharing, Ballooning, EptSizesAcknowledgedMmu):
    """Extended page tables with entries of 4 KiB and 2 MiB, whose flushes each vCPU acknowledges later, over copy-on-write sharing
    and ballooning."""

    geometry = attrs.evolve(EptTwoSizes.geometry, only=EMPTY)


class EptSizes(Sharing, Ballooning, EptThreeSizesMmu):
    """Extended page tables with entries of 4 KiB, 2 MiB and 1 GiB, over copy-on-write sharing and ballooning."""

    geometry = two_large_sizes(attrs.evolve(SMALL.resized(Vm=1, Mfn=4), only=EMPTY))


class EptFlags(DirtyFlags, Sharing, EptFlagsMmu):
    """Extended page tables with accessed and dirty flags, over copy-on-write sharing and a dirty log that reads the flags."""

    geometry = attrs.evolve(EptTwoSizes.geometry, only=EMPTY)
    further_geometries = (two_sizes(SMALL.resized(Vm=1, Gfn=1), pages=1),)  # a page that holds something


class EptPml(PageModificationLogging, EptPmlMmu):
    """Extended page tables with page-modification logging, over a dirty log that reads the processors' logs."""

    geometry = EptFlags.geometry
    further_geometries = EptFlags.further_geometries


class Direct(DirectMmu):
    """Direct paging: processors use the guests' own page tables, and the monitor checks every entry by frame types."""

    laws = EVERY_LAW
    geometry = geometry(
        Vm=1,
        Vcpu=1,
        Mfn=3,
        Index=1,
        only={
            MachineWord: (
                MachineWord(),
                MachineWord(True, True, mfn=0),
                MachineWord(True, False, mfn=0),
                MachineWord(True, True, large=True, mfn=0),
            )
        },
    )


class DirectWithGrants(DirectGrants):
    """Direct paging with frames that are granted, transferred or used as descriptor tables."""

    laws = EVERY_LAW
    geometry = geometry(
        Vm=2,
        Vcpu=1,
        Gfn=1,
        Mfn=2,
        Index=1,
        only={MachineWord: (MachineWord(), MachineWord(True, True, mfn=0), MachineWord(gate=True))},
    )
    further_geometries = (
        attrs.evolve(geometry, only={MachineWord: (MachineWord(), MachineWord(True, True, large=True, mfn=0))}),
        attrs.evolve(geometry, only={MachineWord: (MachineWord(), MachineWord(True, False, mfn=0))}),
    )
    """One in which a single table is enough to map a frame, which may then change hands; and one in which a guest may load from its
    tables, and store to them by way of the monitor."""


class TwoLevelInterpreter(Sharing, Ballooning, TwoLevelInterpreterMmu):
    """The interpreter for guests whose tables have two levels."""

    geometry = ShadowUnsync.geometry
    further_geometries = (MODES,)


class LargePageInterpreter(Sharing, Ballooning, LargePageInterpreterMmu):
    """The interpreter for guests with large pages, and flags in their tables."""

    geometry = LARGE_PAGES
    further_geometries = (attrs.evolve(geometry, only=MODES.only).resized(Gfn=1),)


class ShadowRoles(ShadowRolesMmu):
    """How a shadow page's role determines its rights, for guest tables of three levels."""

    laws = EVERY_LAW
    geometry = geometry(
        Vm=1,
        Vcpu=1,
        Gfn=2,
        Mfn=2,
        Index=1,
        only={
            RoleCell: (
                RoleCell(),
                RoleCell(True, Rights(True, True, True), gfn=0),
                RoleCell(True, Rights(False, True, True), gfn=0),
                RoleCell(True, Rights(True, False, True), gfn=0),
                RoleCell(True, Rights(True, True, True), gfn=0, large=True),
                RoleCell(True, Rights(True, True, False), gfn=0),
            ),
            Control: (
                Control(0, False, True, False),
                Control(0, True, False, True),
                Control(0, False, True, True),
                Control(0, False, False, True, True),
            ),
        },
    )


class WriteProtection(WriteProtectionMmu):
    """SPTEs that are read-only for several reasons: shadowing, dirty logging and swapping."""

    laws = EVERY_LAW
    geometry = geometry(Gfn=2, Cpu=2)


class MonitorPages(HostPages):
    """Pages of the host that guests can map."""

    laws = EVERY_LAW
    geometry = geometry(Vm=2, Gfn=2, Mfn=2)


class Reservations(Swapping, PopulateOnDemand, Reservation, ContractMmu):
    """Guaranteed minimums and limits of each VM's memory under any policy, over swapping and memory on demand, under any MMU."""

    geometry = geometry(Vm=2, Gfn=1, Mfn=2, Slot=1, Index=1, naturals=2, only=EMPTY)


class EptCpus(Sharing, Ballooning, EptCpusMmu):
    """Extended page tables on several processors that share few tags, over copy-on-write sharing and ballooning."""

    geometry = geometry(Vm=1, Cpu=2, Tag=1, Gfn=1, Mfn=3, Index=1, only={Cell: (Cell(), Cell(True, True, True, gfn=0))})
    further_geometries = (attrs.evolve(geometry, only=EMPTY).resized(Gfn=2, Cpu=1),)  # two pages to be shared


class Npt(Sharing, Ballooning, NptMmu):
    """AMD's nested page tables: translations carry ASIDs, and single translations cannot be flushed."""

    geometry = geometry(Vm=2, Cpu=1, Tag=2, Gfn=1, Mfn=2, Index=1, only={Cell: (Cell(), Cell(True, True, True, gfn=0))})
    further_geometries = (attrs.evolve(geometry, only=EMPTY).resized(Vm=1, Gfn=2),)


class Riscv(Sharing, Ballooning, HgatpMmu):
    """RISC-V's G-stage: separate rights, few VMIDs and fences of single pages, over copy-on-write sharing and ballooning."""

    geometry = geometry(Vm=2, Cpu=1, Tag=1, Gfn=1, Mfn=2, Index=1, only={Cell: (Cell(), Cell(True, True, True, gfn=0))})
    further_geometries = (
        attrs.evolve(geometry, only=EMPTY).resized(Vm=1, Gfn=2),
        attrs.evolve(geometry, only=EMPTY).resized(Vm=1, Cpu=2),
    )


class Nested(Sharing, Ballooning, NestedMmu):
    """Nested virtualization with EPT on EPT, over copy-on-write sharing and ballooning."""

    geometry = SMALL.resized(Vm=1)


class ShadowOnEpt(Sharing, Ballooning, ShadowOnEptMmu):
    """Shadow paging on EPT: a guest hypervisor runs its guest by shadow tables, over copy-on-write sharing and ballooning."""

    geometry = SMALL.resized(Vm=1, Vcpu=2, Mfn=3)
    further_geometries = (MODES.resized(Vcpu=2, Gfn=1),)


class NestedInterpreter(Sharing, Ballooning, NestedInterpreterMmu):
    """The interpreter for a guest that has a guest."""

    geometry = Nested.geometry


SHIPPED: dict[str, type[Design]] = {
    "memory": Memory,
    "memory_acknowledged": MemoryAcknowledged,
    "abstract": AbstractMemory,
    "abstract_at_once": AbstractMemoryAtOnce,
    "abstract_paging": AbstractMemoryWithPaging,
    "abstract_emulating": AbstractMemoryEmulating,
    "interpreter": Interpreter,
    "vtlb": VirtualTlb,
    "shadow_traced": ShadowTraced,
    "shadow_unsync": ShadowUnsync,
    "shadow_pages": ShadowPages,
    "shadow_roles": ShadowRoles,
    "write_protection": WriteProtection,
    "host_pages": MonitorPages,
    "reservation": Reservations,
    "compressed_memory": CompressedPages,
    "patching": PatchedPages,
    "virtio_mem": PluggedBlocks,
    "memory_slots": SlottedMemory,
    "tmem": TranscendentMemory,
    "ksm": SamepageMerging,
    "devices": AssignedDevices,
    "migration": LiveMigration,
    "buddy": BuddyFrames,
    "grants": GrantedMemory,
    "ept": Ept,
    "ept_acknowledged": EptAcknowledged,
    "ept_two_sizes": EptTwoSizes,
    "ept_two_sizes_acknowledged": EptTwoSizesAcknowledged,
    "ept_sizes": EptSizes,
    "ept_flags": EptFlags,
    "ept_pml": EptPml,
    "ept_cpus": EptCpus,
    "npt": Npt,
    "riscv": Riscv,
    "nested": Nested,
    "shadow_on_ept": ShadowOnEpt,
    "direct": Direct,
    "direct_grants": DirectWithGrants,
}

COMBINED: dict[str, type[Design]] = {
    f"{re.sub('[ /]', '_', mmu).replace('any', 'memory')}+": over(mmu, (EVERYTHING,))
    for mmu in MMUS
    if mmu not in {*REFINING.values(), "shadow_on_ept", "ept 4K/2M A/D", "ept 4K/2M PML", "riscv"} and "1G" not in mmu
}
"""The MMUs over everything together: too many states to explore to the end, but proved, and run at random. Those with three sizes
of pages are left to a slow test: they take long, and have the text of those with two. So are those with dirty flags, logged or not,
that flush at once, which have the text of those whose vCPUs acknowledge, and RISC-V's without flags. The abstract MMUs leave so
much open that each exit takes hundreds of paths there."""

REFERENCES: dict[str, tuple[type[Design], ...]] = {
    "interpreter": (Interpreter, TwoLevelInterpreter, LargePageInterpreter, NestedInterpreter)
}
"""What designs can be run beside: the interpreter, for guests with tables of one level, of two, of two with large pages, and with
guests of their own."""


def combined_in_little() -> list[str]:
    """The names of the MMUs over everything together, each with one name of each sort and two machine frames: so small that every
    run of a few steps can be explored."""
    sizes = {name: [f"{sort}={2 if sort == 'Mfn' else 1}" for sort in cls.geometry.sizes] for name, cls in COMBINED.items()}
    return [f"{name}@{','.join([*each, 'naturals=1'])}" for name, each in sizes.items()]
