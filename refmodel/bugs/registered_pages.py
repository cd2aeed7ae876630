"""Mutants of registered pages: what the monitor keeps outlives what it was kept of."""

from refmodel.bugs.mutant import Mutant
from refmodel.designs import EptFlags, ShadowTraced
from refmodel.language import choose, guest, operation
from refmodel.machine.names import Gfn, Index, Vm
from refmodel.mmu.contract import ContractMmu
from refmodel.mmu.ept_flags import EptFlagsMmu
from refmodel.mmu.shadow_traced import ShadowTracedMmu
from refmodel.monitor.dirty_flags import DirtyFlags
from refmodel.monitor.p2m import Supply
from refmodel.monitor.registered_pages import KeptFrame, PageRegistered, RegisteredPage, RegisteredPages
from refmodel.monitor.sharing import Sharing
from refmodel.points import over


class KeptWhileShared(RegisteredPages, Sharing, ContractMmu):
    """A registered page is write-protected and merged, and the monitor continues to store to its frame."""

    geometry = over("any", ("registered-pages", "sharing")).geometry

    def protect(self, vm: Vm, gfn: Gfn) -> None:
        ContractMmu.protect(self, vm, gfn)


class KeptOfThePageBefore(RegisteredPages, ContractMmu):
    """The guest registers another page, and the monitor keeps the frame of the old page."""

    geometry = over("any", ("registered-pages",)).geometry

    @guest
    def register_page(self, vm: Vm, gfn: Gfn) -> PageRegistered:
        self.registered[vm] = RegisteredPage(gfn)
        return PageRegistered(vm, gfn)


class AnotherIsRegistered(RegisteredPages, ContractMmu):
    """A guest registers one page, and the monitor stores to another page from then on."""

    geometry = over("any", ("registered-pages",)).geometry

    @guest
    def register_page(self, vm: Vm, gfn: Gfn) -> PageRegistered:
        next_page: Gfn = choose(Gfn, lambda page: page != gfn)
        super().register_page(vm, next_page)
        return PageRegistered(vm, gfn)


class RegisteredByTheMonitor(RegisteredPages, ContractMmu):
    """The monitor registers a page that the guest did not register."""

    geometry = over("any", ("registered-pages",)).geometry

    @operation
    def register_unasked(self, vm: Vm, gfn: Gfn) -> None:
        self.registered[vm] = RegisteredPage(gfn)
        self.kept_frames[vm] = KeptFrame()


class KeptWhileWatched(DirtyFlags, RegisteredPages, EptFlagsMmu):
    """A registered page is watched by its dirty flag, which the monitor's stores do not set."""

    geometry = EptFlags.further_geometries[0]

    def clean(self, vm: Vm, gfn: Gfn) -> None:
        EptFlagsMmu.clean(self, vm, gfn)


class RegisteredTableBehind(RegisteredPages, ShadowTracedMmu):
    """The monitor stores to a registered page that is also a guest table, and the shadow table does not change."""

    geometry = ShadowTraced.geometry.resized(Vcpu=1, Gfn=1, Mfn=2)

    def behind(self, vm: Vm, gfn: Gfn, offset: Index) -> None:
        """Nothing."""


class RegisteredShortageIsAHole(RegisteredPages, Sharing, ContractMmu):
    """When the monitor cannot store to a registered page now, the guest gets a missing-memory error."""

    geometry = over("any", ("registered-pages", "sharing")).geometry

    def ready_to_copy(self, vm: Vm, gfn: Gfn) -> Supply:
        return Supply.READY if self.lets_through(vm, gfn, write=True) else Supply.HOLE


MUTANTS = {
    "registered-kept-while-shared": Mutant(KeptWhileShared, "ISO-2"),
    "registered-kept-of-the-page-before": Mutant(KeptOfThePageBefore, "ISO-1"),
    "registered-another-page": Mutant(AnotherIsRegistered, "EQV-1"),
    "registered-by-the-monitor": Mutant(RegisteredByTheMonitor, "ISO-5"),
    "registered-kept-while-watched": Mutant(KeptWhileWatched, "EQV-4"),
    "registered-table-behind": Mutant(RegisteredTableBehind, "EQV-5"),
    "registered-shortage-is-a-hole": Mutant(RegisteredShortageIsAHole, "EQV-2"),
}
"""By name."""
