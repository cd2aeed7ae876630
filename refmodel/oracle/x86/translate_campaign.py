"""KVM_TRANSLATE: KVM's own walk of a guest's tables, asked for from outside."""

from __future__ import annotations

from collections.abc import Sequence

import attrs

from refmodel.language.asking import Fault
from refmodel.machine.words import Marked, flags_of
from refmodel.machine.x86.guest_walk import Access, walk
from refmodel.oracle.judging import Finding
from refmodel.oracle.x86.kvm import Kvm
from refmodel.oracle.x86.walk_tests import SIZE, Profile, WalkTest, make

SOURCE = "Linux Documentation/virt/kvm/api.rst, 4.16 KVM_TRANSLATE"


@attrs.frozen
class TranslateCampaign:
    """Tests of KVM_TRANSLATE: where a supervisor's load would go. It may set the accessed flags that such a load sets, and leaves
    it to others to see that the address is canonical."""

    implementation: str
    profile: Profile
    host: Kvm
    subject: str = "KVM_TRANSLATE, 4-level paging"
    size: int = SIZE
    slow: bool = False

    def make(self, data: bytes) -> WalkTest:
        """The registers stay as the agent left them."""
        test = make(data, self.profile)
        gva = test.gva & (1 << 48) - 1
        gva |= -(gva >> 47) & ~((1 << 48) - 1) & (1 << 64) - 1
        return attrs.evolve(test, gva=gva, access=Access(), cpu=attrs.evolve(test.cpu, wp=True, nxe=True))

    def run(self, tests: Sequence[WalkTest]) -> Sequence[tuple[str, Finding | None]]:
        return [self._one(test) for test in tests]

    def _one(self, test: WalkTest) -> tuple[str, Finding | None]:
        image = self.host.image
        image.words(test.entries.items())
        got = self.host.translate(test.gva)
        after = {address: image.read(address) for address in test.entries}
        image.words((address, 0) for address in test.entries)
        memory = Marked(test.entries)
        try:
            due = True, walk(memory, test.cpu, test.gva, test.access).physical
        except Fault:
            due = False, 0
        kind = "mapped" if due[0] else "not mapped"
        if got[0] != due[0] or (due[0] and got[1] != due[1]):
            return kind, Finding("KVM_TRANSLATE gives another answer than the walk", SOURCE, str(due), str(got))
        may = flags_of(memory.marks)
        if any((after[a] ^ entry) & ~may.get(a, 0) for a, entry in test.entries.items()):
            return kind, Finding("KVM_TRANSLATE changes the guest's tables", SOURCE, str(test.entries), str(after))
        return kind, None
