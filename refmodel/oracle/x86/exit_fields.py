"""What the fields of a VM exit say, and what of them says nothing (SDM Vol. 3C 27.2.1 and table 27-7)."""

from __future__ import annotations

import attrs

from refmodel.machine.x86.ept_walk import Ept
from refmodel.oracle.x86.outcomes import Outcome

USER_EXECUTE, ADVANCED, NMI = 1 << 6, 0b111 << 9, 1 << 12
LINEAR_FINAL = 0b11 << 7
"""That a linear address is given, and that the access is to what it translates to."""


def defined(outcome: Outcome, ept: Ept) -> Outcome:
    """An outcome without what is undefined: of an EPT violation bit 6 of the exit qualification without mode-based execute control,
    bits 9 to 11 without advanced information or where bits 7 and 8 are not both set, and bit 12 here, where no IRET is on the way;
    the linear address where bit 7 is clear; and of an EPT misconfiguration both, whatever they hold."""
    if outcome.kind == "EPT misconfiguration":
        return attrs.evolve(outcome, code=0, linear=0)
    if outcome.kind != "EPT violation":
        return outcome
    undefined = NMI | (0 if ept.mode_based_execute else USER_EXECUTE)
    if not ept.advanced or outcome.code & LINEAR_FINAL != LINEAR_FINAL:
        undefined |= ADVANCED
    linear = outcome.linear if outcome.code & 1 << 7 else 0
    return attrs.evolve(outcome, code=outcome.code & ~undefined, linear=linear)


__all__ = ["defined"]
