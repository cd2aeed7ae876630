"""CVE-2026-46113 (KVM, commit 0cb2af2ea66a): a direct shadow page was reused for another region than the region that it was created
for.

The guest had changed the address in its large entry. New SPTEs were added to the rmap under one gfn and removed under another, so
that the rmap named SPTEs that no longer existed.
"""

import attrs

from refmodel.designs import ShadowPages
from refmodel.language import reset
from refmodel.machine.cells import Cell, Mode
from refmodel.machine.names import Gfn, Index, Vm

ENTRY, CLAUSE = "A14", "EQV-5"


class Bug(ShadowPages):
    """The monitor reuses the direct shadow page that a guest entry linked to, although the entry now names another region."""

    geometry = attrs.evolve(ShadowPages.geometry, only={Cell: (Cell(True, True, True, gfn=0, large=True),), Mode: (Mode(),)})

    def behind(self, vm: Vm, gfn: Gfn, offset: Index) -> None:
        reset(self.leaves, lambda entry, shadow, page: page == offset and self.made_of(shadow, vm, gfn))
        reset(self.rmap, lambda mapped, v, g, shadow, page: page == offset and self.made_of(shadow, vm, gfn))
        reset(
            self.parents,
            lambda linked, child, shadow, upper: upper == offset and self.made_of(shadow, vm, gfn) and not self.roles[child].direct,
        )
        reset(
            self.links,
            lambda child, shadow, upper: upper == offset and self.made_of(shadow, vm, gfn) and not self.roles[child].direct,
        )
