"""XSA-227, CVE-2017-12137 (Xen; xen.git ce442926c253): a grant could be mapped at an address that is not the address of a
page-table entry.

The eight written bytes then cover parts of two entries, and set bits of the guest's choice in both.
"""

from refmodel.designs import DirectWithGrants
from refmodel.language import choose, require
from refmodel.machine.names import Index, Mfn, Vm
from refmodel.mmu.direct import MachineWord, Standing, Type
from refmodel.mmu.direct_grants import GrantEntryMapped

ENTRY, CLAUSE = "B01", "ISO-3"


class Bug(DirectWithGrants):
    """The monitor does not check that the address at which a grant is to be mapped is the address of an entry."""

    def grant_map_pte(self, vm: Vm, mfn: Mfn, table: Mfn, index: Index, aligned: bool, writable: bool) -> GrantEntryMapped:
        if aligned:
            return super().grant_map_pte(vm, mfn, table, index, aligned, writable)
        home = self.frames[table]
        require(home.owned and home.vm == vm and home.type == Type.L1 and home.standing == Standing.VALID)
        require(self.granted(vm, mfn))
        other: Mfn = choose(Mfn, lambda other: True)
        self.words[table, index] = MachineWord(True, writable, mfn=other)
        self.bare_words[table, index] = MachineWord(True, writable, mfn=other)
        return GrantEntryMapped(True, mfn, table, index, aligned, writable)
