"""Mutants of registered pages: what the monitor keeps outlives what it was kept of."""

from refmodel.designs import EptFlags, ShadowTraced
from refmodel.language import guest
from refmodel.machine.names import Gfn, Index, Vm
from refmodel.mmu.contract import ContractMmu
from refmodel.mmu.ept_flags import EptFlagsMmu
from refmodel.mmu.shadow_traced import ShadowTracedMmu
from refmodel.monitor.dirty_flags import DirtyFlags
from refmodel.monitor.p2m import Supply
from refmodel.monitor.registered_pages import RegisteredPage, RegisteredPages
from refmodel.monitor.sharing import Sharing
from refmodel.points import over


class KeptWhileShared(RegisteredPages, Sharing, ContractMmu):
    """A registered page is write-protected and merged, and the monitor goes on storing to its frame."""

    geometry = over("any", ("registered-pages", "sharing")).geometry

    def protect(self, vm: Vm, gfn: Gfn) -> None:
        ContractMmu.protect(self, vm, gfn)


class KeptOfThePageBefore(RegisteredPages, ContractMmu):
    """The guest registers another page, and the monitor keeps the frame of the one before."""

    geometry = over("any", ("registered-pages",)).geometry

    @guest
    def register_page(self, vm: Vm, gfn: Gfn) -> None:
        self.registered[vm] = RegisteredPage(gfn)


class KeptWhileWatched(DirtyFlags, RegisteredPages, EptFlagsMmu):
    """A registered page is watched by its dirty flag, which no store of the monitor's sets."""

    geometry = EptFlags.further_geometries[0]

    def clean(self, vm: Vm, gfn: Gfn) -> None:
        EptFlagsMmu.clean(self, vm, gfn)


class RegisteredTableBehind(RegisteredPages, ShadowTracedMmu):
    """The monitor stores to a registered page that is a table too, and its shadow stays as it was."""

    geometry = ShadowTraced.geometry.resized(Vcpu=1, Gfn=1, Mfn=2)

    def behind(self, vm: Vm, gfn: Gfn, offset: Index) -> None:
        """Nothing."""


class RegisteredShortageIsAHole(RegisteredPages, Sharing, ContractMmu):
    """When a registered page cannot be stored to now, the guest is told that there is no memory."""

    geometry = over("any", ("registered-pages", "sharing")).geometry

    def ready_to_copy(self, vm: Vm, gfn: Gfn) -> Supply:
        return Supply.READY if self.lets_through(vm, gfn, write=True) else Supply.HOLE
