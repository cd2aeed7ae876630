"""Memory slots of a KVM guest: plain, read-only, missing, mapped at a second address, and logged when written.

Where a slot is read-only or missing the access is handed to us as MMIO, with its guest-physical address. The dirty log must tell
every page that the guest wrote, and may tell pages that it read: a load through a guest entry whose dirty flag is set may map
the page writable at once. (Linux Documentation/virt/kvm/api.rst, 4.35 KVM_SET_USER_MEMORY_REGION, 4.8 KVM_GET_DIRTY_LOG.)
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import attrs

from refmodel.machine.x86.words import RW, US, A, D, P
from refmodel.oracle.judging import Finding
from refmodel.oracle.x86.agent.image import LOAD, MAILBOX, MEMORY, STORE, SUPERVISOR_STUB, TABLES, USER_STUB
from refmodel.oracle.x86.agent.script import Script, Step
from refmodel.oracle.x86.kvm import LOG_DIRTY_PAGES, NOWHERE, READONLY, Kvm, Slot

SIZE = 12
PAGES = 16
"""Of each kind."""
LENGTH = PAGES * 0x1000
READ_ONLY_AT, HOLE_AT, LOGGED_AT, REST_AT, SECOND_AT = 0x180000, 0x190000, 0x1A0000, 0x1B0000, 0x800000
SLOTS = (
    Slot(0, READ_ONLY_AT, 0),
    Slot(READ_ONLY_AT, LENGTH, READ_ONLY_AT, READONLY),
    Slot(LOGGED_AT, LENGTH, LOGGED_AT, LOG_DIRTY_PAGES),
    Slot(REST_AT, MEMORY - REST_AT, REST_AT),
    Slot(SECOND_AT, LENGTH, LOGGED_AT, LOG_DIRTY_PAGES),
)
LOGGED, SECOND = 2, 4
"""Numbers of slots."""
KINDS = (("logged", LOGGED_AT), ("read-only", READ_ONLY_AT), ("missing", HOLE_AT), ("at a second address", SECOND_AT))
SOURCE = "Linux Documentation/virt/kvm/api.rst"


@attrs.frozen
class SlotAccess:
    """An access to a page of a kind of memory: a load, or a store of ``value``."""

    kind: int
    page: int
    user: bool
    value: int | None

    @property
    def gpa(self) -> int:
        return KINDS[self.kind][1] + 0x1000 * self.page

    @property
    def gva(self) -> int:
        return 0x1000 * (PAGES * self.kind + self.page)

    def __str__(self) -> str:
        what = "load from" if self.value is None else f"store of {self.value} to"
        return f"{'user' if self.user else 'supervisor'} {what} page {self.page} of memory that is {KINDS[self.kind][0]}"


@attrs.frozen
class SlotTest:
    """Accesses, after which the dirty log is read."""

    accesses: tuple[SlotAccess, ...]

    def lines(self) -> Iterator[str]:
        """The test in words."""
        yield from map(str, self.accesses)


def make(data: bytes) -> SlotTest:
    """The test that these bytes stand for; two bytes of zero are nothing."""
    accesses = []
    for how, page in zip(data[::2], data[1::2], strict=True):
        if how or page:
            accesses.append(SlotAccess(how % 4, page % PAGES, bool(how & 4), page if how & 8 else None))
    return SlotTest(tuple(accesses))


@attrs.frozen
class SlotCampaign:
    """Tests of memory slots for KVM."""

    implementation: str
    host: Kvm
    subject: str = "memory slots and the dirty log"
    size: int = SIZE
    slow: bool = False

    @classmethod
    def on(cls, implementation: str, host: Kvm) -> SlotCampaign:
        """With a guest that has these slots: its tables map them all."""
        script = Script()
        for level in (4, 3, 2):
            script.add(Step.STORE, TABLES[level], TABLES[level - 1] | P | RW | US | A)
        for kind, (_, start) in enumerate(KINDS):
            for page in range(PAGES):
                entry = start + 0x1000 * page | P | RW | US | A | D
                script.add(Step.STORE, TABLES[1] + 8 * (PAGES * kind + page), entry)
        script.add(Step.CONTROL, 0x80010033, 0x20, 0xD00)
        script.add(Step.RELOAD, TABLES[4])
        host.perform(script)
        return cls(implementation, host)

    def make(self, data: bytes) -> SlotTest:
        return make(data)

    def run(self, tests: Sequence[SlotTest]) -> Sequence[tuple[str, Finding | None]]:
        return [("judged", self._one(test)) for test in tests]

    def _one(self, test: SlotTest) -> Finding | None:
        """Memory is cleared from outside, which no dirty log tells."""
        self.host.image.put(READ_ONLY_AT, bytes(LENGTH))
        self.host.image.put(LOGGED_AT, bytes(LENGTH))
        for number in (LOGGED, SECOND):
            self.host.dirty(number)
        contents: dict[int, int] = {}
        for access in test.accesses:
            finding = self._access(access, contents)
            if finding is not None:
                return finding
        return self._dirty_log(test)

    def _access(self, access: SlotAccess, contents: dict[int, int]) -> Finding | None:
        """Logged memory and its second address are the same; what is not memory for this access is handed to us."""
        handed_over = KINDS[access.kind][0] == "missing" or (KINDS[access.kind][0] == "read-only" and access.value is not None)
        script = Script()
        if access.value is not None:
            script.add(Step.STORE, MAILBOX + 24, access.value)
        stub = self.host.image.at(USER_STUB if access.user else SUPERVISOR_STUB) + (LOAD if access.value is None else STORE)
        number = script.add(Step.ACCESS, access.gva, stub, access.user)
        vector, _, _, rax = self.host.perform(script)[number]
        due = [(access.gpa, access.value is not None)] if handed_over else []
        if vector != 6 or self.host.nowhere != due:
            return Finding(
                f"MMIO exits of an access to memory that is {KINDS[access.kind][0]}",
                SOURCE,
                f"no fault, MMIO exits {due}",
                f"exception {vector}, MMIO exits {self.host.nowhere}",
            )
        offset = access.page + (0 if KINDS[access.kind][0] == "read-only" else PAGES)
        if access.value is not None:
            if not handed_over:
                contents[offset] = access.value
            return None
        value = NOWHERE if handed_over else contents.get(offset, 0)
        if rax != value:
            title = f"a load from memory that is {KINDS[access.kind][0]} gives another value"
            return Finding(title, SOURCE, f"{value:#x}", f"{rax:#x}")
        return None

    def _dirty_log(self, test: SlotTest) -> Finding | None:
        for number, kind in ((LOGGED, 0), (SECOND, 3)):
            told = self.host.dirty(number)
            must = {a.page for a in test.accesses if a.kind == kind and a.value is not None}
            may = {a.page for a in test.accesses if a.kind == kind}
            if not must <= told:
                title = "the dirty log misses a page that was written"
                return Finding(title, SOURCE, f"at least {sorted(must)}", str(sorted(told)))
            if not told <= may:
                title = "the dirty log tells a page that was not touched"
                return Finding(title, SOURCE, f"at most {sorted(may)}", str(sorted(told)))
        return None
