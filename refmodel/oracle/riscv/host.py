"""Whoever runs the agent on RISC-V, and what the machine turns out to have."""

from __future__ import annotations

from abc import ABC, abstractmethod

import attrs

from refmodel.oracle.judging import Lost
from refmodel.oracle.riscv.layout import BASE, G_ROOT, MEMORY, SCRIPTS, VS_TABLES
from refmodel.oracle.riscv.script import Results, Script, Step

ADUE, PBMTE = 1 << 61, 1 << 62
"""Of menvcfg and henvcfg."""


class RiscvHost(ABC):
    """A machine with the agent in it."""

    xlen = 64
    """Bits of its registers."""

    def perform(self, script: Script) -> Results:
        """Let the agent carry out a script. Raises ``Lost`` if it does not come back, or comes to grief itself."""
        packed = script.packed()
        if len(packed) > MEMORY - (SCRIPTS - BASE):
            raise ValueError(f"a script of {len(packed)} bytes does not fit into {MEMORY - (SCRIPTS - BASE)}")
        after, mailbox = self.run(packed)
        pc, cause = (int.from_bytes(mailbox[at : at + 8], "little") for at in (24, 32))
        if pc:
            raise Lost(f"the agent trapped at {pc:#x}, cause {cause}")
        return script.results(after)

    @abstractmethod
    def run(self, script: bytes) -> tuple[bytes, bytes]:
        """Carry out a script that is put to ``SCRIPTS``; the same bytes afterwards, and the mailbox."""

    @abstractmethod
    def close(self) -> None:
        """Let the machine go."""


@attrs.frozen
class Profile:
    """What a machine has, as far as it can be asked."""

    svadu: bool
    """menvcfg.ADUE can be set, and so can henvcfg.ADUE."""
    svpbmt: bool
    """menvcfg.PBMTE can be set, and so can henvcfg.PBMTE."""
    schemes: tuple[int, ...]
    """The levels that satp, vsatp and hgatp all take."""
    svnapot: bool = True
    svinval: bool = True
    sets_flags: bool = False
    """Without ADUE: whether the machine sets accessed and dirty flags all the same."""
    guests_as_users: bool = False
    """A guest's staleness is judged by fetches, HLV and HSV of VU-mode. Defects of the machine hide it in other accesses."""


def profile_of(host: RiscvHost, **known: bool) -> Profile:
    """The machine's own answers: which bits of menvcfg and henvcfg can be set, and which MODEs are taken."""
    script, asked = Script(), {}
    status = script.add(Step.STATUS, 0, ADUE | PBMTE, ADUE | PBMTE)
    modes = {2: 1 << 31} if host.xlen == 32 else {levels: (levels + 5) << 60 for levels in (3, 4, 5)}
    for levels, mode in modes.items():
        root = mode | VS_TABLES[levels] >> 12
        asked[levels] = script.add(Step.TABLES, root, root, mode | G_ROOT >> 12)
    script.add(Step.TABLES)
    script.add(Step.STATUS)
    results = host.perform(script)
    menvcfg, henvcfg = results[status][:2]
    shift = 31 if host.xlen == 32 else 60
    schemes = tuple(
        levels
        for levels, number in asked.items()
        if all(register >> shift == modes[levels] >> shift for register in results[number][:3])
    )
    return Profile(svadu=menvcfg & henvcfg & ADUE != 0, svpbmt=menvcfg & henvcfg & PBMTE != 0, schemes=schemes, **known)
