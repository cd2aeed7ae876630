"""Judging RISC-V's walks: what is wrong with what was observed, in words, and by which rule of the manual."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import attrs

from refmodel.machine.riscv.hart import Trap
from refmodel.machine.riscv.words import A, D
from refmodel.oracle import known
from refmodel.oracle.judging import Finding
from refmodel.oracle.riscv.host import Profile
from refmodel.oracle.riscv.layout import BASE, is_vs
from refmodel.oracle.riscv.outcomes import Lawful, Observed, Outcome, allows, wrong_flags
from refmodel.oracle.riscv.reasons import reason
from refmodel.oracle.riscv.walk_tests import HIGH, SIZE, TOP, Stages, WalkTest, entry_words, make, name_of

WALK = "Privileged Architecture, Sv32, Virtual Address Translation Process"
FLAGS = "Privileged Architecture, Sv32, Addressing and Memory Protection, on PTE updates"
RULES = {
    "cause": "norm:H_vm_gpapriv",
    "tval": "norm:stval_op_faulting_addr",
    "tval2": "norm:mtval2_trapval",
    "tinst": "norm:H_trap_xtinst_guestpage",
    "GVA": "norm:mstatus_gva_op",
}
"""By the register that is wrong."""
NAMES = {
    1: "an instruction access fault",
    5: "a load access fault",
    7: "a store access fault",
    12: "an instruction page fault",
    13: "a load page fault",
    15: "a store page fault",
    20: "an instruction guest-page fault",
    21: "a load guest-page fault",
    23: "a store guest-page fault",
}
KINDS = {
    **dict.fromkeys((1, 5, 7), "an access fault"),
    **dict.fromkeys((12, 13, 15), "a page fault"),
    **dict.fromkeys((20, 21, 23), "a guest-page fault"),
}
ACCESSES = {
    **dict.fromkeys((1, 12, 20), "a fetch"),
    **dict.fromkeys((5, 13, 21), "a load"),
    **dict.fromkeys((7, 15, 23), "a store"),
}
"""By cause."""
Perform = Callable[[Sequence[WalkTest]], Sequence[tuple[Lawful, Observed]]]


@attrs.frozen
class RiscvCampaign:
    """Tests of the walks of some stages for one implementation."""

    implementation: str
    stages: Stages
    profile: Profile
    perform: Perform
    batch: int = 24
    """How many tests are carried out together."""
    size: int = SIZE
    slow: bool = False

    @property
    def subject(self) -> str:
        return self.stages.name

    def make(self, data: bytes) -> WalkTest:
        return make(data, self.stages, self.profile)

    def run(self, tests: Sequence[WalkTest]) -> Sequence[tuple[str, Finding | None]]:
        return [self._ended(test, *made, len(tests) == 1) for test, made in zip(tests, self.perform(tests), strict=True)]

    def _ended(self, test: WalkTest, way: Lawful, observed: Observed, alone: bool) -> tuple[str, Finding | None]:
        """How a test ended, and what is wrong. What looks wrong and is not known is made again alone: a test before it may have
        changed memory."""
        finding = self.told_apart(test, compare(test, way, observed))
        if finding is not None and not alone and known.explanation(self.implementation, finding.title, test.made_by) is None:
            way, observed = self.perform([test])[0]
            finding = self.told_apart(test, compare(test, way, observed))
        return observed.outcome.kind, finding

    def told_apart(self, test: WalkTest, finding: Finding | None) -> Finding | None:
        """What is wrong, in a class of its own if its class is known, but not of accesses made as the test's is."""
        if finding is None:
            return None
        found = known.told_apart(self.implementation, finding, test.made_by)
        high, top = (attrs.evolve(found, title=f"{found.title}{where}") for where in (HIGH, TOP))
        if test.top and self._known(top):
            return top
        return high if self.stages.high and (self._known(high) or not self._known(found)) else found

    def _known(self, finding: Finding) -> bool:
        return known.explanation(self.implementation, finding.title) is not None


def compare(test: WalkTest, way: Lawful, observed: Observed) -> Finding | None:
    """None if the manual allows what was observed."""
    due, got = way.outcome, observed.outcome
    if due.trap and got.trap:
        wrong = allows(due.trap, got.trap, test.instruction, test.hart.rv32)
        if wrong is not None:
            return Finding(_title(test, due.trap, got.trap, wrong), RULES[wrong], words(due), words(got))
    elif due.trap or got.trap or due.physical != got.physical:
        return Finding(_other_end(test, due, got), WALK, words(due), words(got))
    flags = wrong_flags(way, test.entries, observed.entries)
    return None if flags is None else _flags(test, way, observed, *flags)


def words(outcome: Outcome) -> str:
    """An outcome in words."""
    if outcome.trap is None:
        return "ended in some other way" if outcome.physical is None else f"completed at physical address {outcome.physical:#x}"
    trap = outcome.trap
    return (
        f"{NAMES.get(trap.cause, 'a trap')}, cause {trap.cause}, mtval {trap.tval:#x}, mtval2 {trap.tval2:#x}, "
        f"mtinst {trap.tinst:#x}, GVA {trap.gva:d}"
    )


def _where(trap: Trap) -> str:
    """At what a guest-page fault was."""
    if trap.cause < 20:
        return ""
    return " at a VS-stage entry" if trap.tinst else " at the final address"


def _kind(trap: Trap) -> str:
    """The kind of fault, whatever access it was of."""
    return KINDS.get(trap.cause, f"trap of cause {trap.cause}")


def _title(test: WalkTest, due: Trap, got: Trap, wrong: str) -> str:
    if wrong != "cause":
        return f"wrong {wrong} of {_kind(due)}{_where(due)}"
    if ACCESSES.get(got.cause) not in (ACCESSES[due.cause], None):
        return f"a fault of {ACCESSES[due.cause]} reported as one of {ACCESSES[got.cause]} ({test.instruction.value})"
    return f"{_kind(got)} where {_kind(due)}{_where(due)} is due: {reason(test)}"


def _other_end(test: WalkTest, due: Outcome, got: Outcome) -> str:
    in_page = test.hart.mprv and test.address & ~0xFFF == BASE
    if in_page and got.trap is None:
        return "an access with MPRV is not translated in the page of its own instruction"
    if due.trap and got.trap is None:
        return f"access succeeds instead of {_kind(due.trap)}{_where(due.trap)}: {reason(test)}"
    if got.trap:
        return f"{_kind(got.trap)} for an access that must succeed"
    return "another physical address than is due"


def _flags(test: WalkTest, way: Lawful, observed: Observed, at: int, wrong: int, right: int) -> Finding:
    after = observed.entries[at]
    flag = "accessed flag" if wrong & A else "dirty flag" if wrong & D else f"bits {wrong:#x}"
    whose = ("VS-stage" if test.stages.virtual else "page table") if is_vs(at) else "G-stage"
    change = "set" if wrong & after else "not set"
    trap = way.outcome.trap
    when = f"although {_kind(trap)} is due: {reason(test)}" if trap else "by an access that completes"
    name = name_of(at, test.stages)
    return Finding(
        f"{flag} of a {whose} entry {change} {when}", FLAGS, f"{name} {entry_words(right)}", f"{name} {entry_words(after)}"
    )
