"""The designs that ship: an MMU, and the memory management under it."""

from typing import ClassVar

from refmodel.language import Design, geometry
from refmodel.language.laws import Law
from refmodel.laws import accounting, efficiency, equivalence, isolation
from refmodel.machine.cells import Cell
from refmodel.mmu.ept import EptMmu
from refmodel.monitor.ballooning import Ballooning
from refmodel.monitor.sharing import Sharing


class Ept(Sharing, Ballooning, EptMmu):
    """Extended page tables over copy-on-write sharing and ballooning."""

    laws: ClassVar[tuple[Law, ...]] = isolation.LAWS + accounting.LAWS + equivalence.LAWS + efficiency.LAWS
    geometry = geometry(
        Vm=2, Vcpu=1, Gfn=2, Mfn=3, Index=1, naturals=1,
        only={Cell: (Cell(), Cell(True, True, True, gfn=0))},
    )


SHIPPED: dict[str, type[Design]] = {"ept": Ept}
