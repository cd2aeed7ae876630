"""XSA-155, CVE-2015-8550: a backend read a request from shared memory twice, and mapped a page that it had not checked.

The frontend could change the reference between the two reads.
"""

import attrs

from refmodel.designs import GrantedMemory
from refmodel.language import choose, guest
from refmodel.machine.names import Gfn, Ref, Vm
from refmodel.monitor.grants import GrantMapped

ENTRY, CLAUSE = "D01", "ISO-1"


class Bug(GrantedMemory):
    """The monitor reads a mapping entry twice, and the guest may change the entry in between."""

    geometry = GrantedMemory.geometry.resized(Ref=2)

    @guest
    def map_grant(self, vm: Vm, gfn: Gfn, owner: Vm, ref: Ref, write: bool) -> GrantMapped:
        again: Ref = choose(Ref, lambda each: self.grants[owner, each].offered)
        return attrs.evolve(super().map_grant(vm, gfn, owner, again, write), ref=ref)
