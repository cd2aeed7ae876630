"""From the registers of a hart and an instruction to the walks that are made, and from a fault to what the trap reports.

(Privileged Architecture, Supervisor, *satp*; Hypervisor, *hgatp*, *vsatp*, *henvcfg*, *Machine Status*, table *Effect of MPRV*,
*Hypervisor Virtual-Machine Load and Store Instructions*, *Trap Entry*; Machine, *menvcfg*.)
"""

from __future__ import annotations

import enum

import attrs

from refmodel.language.asking import Fault
from refmodel.machine.riscv.two_stages import GuestPageFault, TwoStages, g_walk, walk_two_stages
from refmodel.machine.riscv.walk import Access, AccessFault, Stage, walk
from refmodel.machine.riscv.words import Translation
from refmodel.machine.words import WalkMemory, Word

USER, SUPERVISOR, MACHINE = 0, 1, 3
"""Nominal privilege modes, as MPP encodes them."""
INSTRUCTION_FAULT, LOAD_FAULT, STORE_FAULT = 1, 5, 7
INSTRUCTION_PAGE_FAULT, LOAD_PAGE_FAULT, STORE_PAGE_FAULT = 12, 13, 15
INSTRUCTION_GUEST_PAGE_FAULT, LOAD_GUEST_PAGE_FAULT, STORE_GUEST_PAGE_FAULT = 20, 21, 23
"""Causes (tables of exception codes of *scause* and of *Trap Cause Codes*)."""
LEVELS = {8: 3, 9: 4, 10: 5}
"""By MODE of satp, vsatp and hgatp on RV64."""


class Instruction(enum.Enum):
    """What accesses memory: load-reserved is a load, store-conditional and cache-block zero are stores."""

    FETCH = "fetch"
    LOAD = "load"
    STORE = "store"
    AMO = "amo"
    HLV = "hlv"
    HLVX = "hlvx"
    HSV = "hsv"


@attrs.frozen
class Hart:
    """The registers and capabilities that translation depends on, by the names of their fields."""

    privilege: int = SUPERVISOR
    """The nominal privilege mode."""
    virtual: bool = False
    """V: the hart is in VS-mode or VU-mode, unless it is in M-mode."""
    satp: Word = 0
    vsatp: Word = 0
    hgatp: Word = 0
    """MODE, an address-space or virtual-machine identifier, and the page number of the root table."""
    rv32: bool = False
    """HSXLEN is 32."""
    vs_rv32: bool = False
    """VSXLEN is 32."""
    sum: bool = False
    mxr: bool = False
    """Of sstatus."""
    vs_sum: bool = False
    vs_mxr: bool = False
    """Of vsstatus."""
    mprv: bool = False
    mpv: bool = False
    mpp: int = USER
    """Of mstatus."""
    spvp: bool = True
    """Of hstatus: what HLV, HLVX and HSV are made as, VS-mode or VU-mode."""
    adue: bool = False
    pbmte: bool = False
    """Of menvcfg: for the G-stage, and for satp."""
    vs_adue: bool = False
    vs_pbmte: bool = False
    """Of henvcfg: for the VS-stage. They are read-only zero where those of menvcfg are zero."""
    svnapot: bool = False
    svrsw60t59b: bool = False
    beyond: Word = 0
    """The address bits that the machine's memory does not have."""


@attrs.frozen
class Mode:
    """An effective privilege mode: how an explicit access or a fetch is translated and protected."""

    translated: bool
    """False in M-mode."""
    virtual: bool
    user: bool


@attrs.frozen
class Trap:
    """What a trap writes (by the names of M-mode's registers; HS-mode's are alike)."""

    cause: int
    tval: Word
    """The virtual address. Without Sstvala, zero is lawful too."""
    tval2: Word
    """mtval2 or htval: the guest-physical address shifted right by 2. Zero is lawful too."""
    tinst: Word
    """mtinst or htinst: a pseudoinstruction, which is due if ``tval2`` is not zero; else zero, and a transformation of the
    trapping instruction is lawful too (``norm:H_trap_xtinst_guestpage``)."""
    gva: bool
    """mstatus.GVA or hstatus.GVA: the address is a guest's (``norm:mstatus_gva_op``)."""


def effective(hart: Hart, instruction: Instruction) -> Mode:
    """The effective privilege mode of an access (table *Effect of MPRV*; ``norm:hlsv_priv``, ``norm:mstatus_mprv_hlsv``)."""
    if instruction in (Instruction.HLV, Instruction.HLVX, Instruction.HSV):
        return Mode(True, True, not hart.spvp)
    if hart.mprv and instruction is not Instruction.FETCH:
        return Mode(hart.mpp != MACHINE, hart.mpv and hart.mpp != MACHINE, hart.mpp == USER)
    machine = hart.privilege == MACHINE
    return Mode(not machine, hart.virtual and not machine, hart.privilege == USER)


def access_of(instruction: Instruction, user: bool) -> Access:
    """The access that an instruction makes."""
    return Access(
        user,
        write=instruction in (Instruction.STORE, Instruction.AMO, Instruction.HSV),
        fetch=instruction is Instruction.FETCH,
        executable=instruction is Instruction.HLVX,
    )


def hs_stage(hart: Hart) -> Stage | None:
    """The one stage of an access with V=0; None if satp is Bare."""
    return _stage(
        hart, hart.satp, hart.rv32, Stage(0, sum=hart.sum, mxr=hart.mxr, adue=hart.adue, pbmte=hart.pbmte, beyond=hart.beyond)
    )


def vs_stage(hart: Hart) -> Stage | None:
    """The first stage of an access with V=1; None if vsatp is Bare."""
    return _stage(
        hart,
        hart.vsatp,
        hart.vs_rv32,
        Stage(0, sum=hart.vs_sum, mxr=hart.vs_mxr or hart.mxr, adue=hart.adue and hart.vs_adue, pbmte=hart.pbmte and hart.vs_pbmte),
    )


def g_stage(hart: Hart) -> Stage | None:
    """The second stage of an access with V=1; None if hgatp is Bare."""
    return _stage(
        hart, hart.hgatp, hart.rv32, Stage(0, guest=True, mxr=hart.mxr, adue=hart.adue, pbmte=hart.pbmte, beyond=hart.beyond)
    )


def _stage(hart: Hart, register: Word, rv32: bool, settings: Stage) -> Stage | None:
    """A stage that a register selects. Raises ``ValueError`` if its MODE is reserved."""
    mode = register >> 31 if rv32 else register >> 60
    if mode == 0:
        return None
    if not rv32 and mode not in LEVELS:
        raise ValueError(f"MODE {mode} is reserved: 0 (Bare), 8, 9 or 10 was expected")
    page = register & ((1 << (22 if rv32 else 44)) - 1)
    if settings.guest:
        page &= ~3  # they read as zeros (norm:hgatp_ppn_op)
    return attrs.evolve(
        settings,
        root=page << 12,
        levels=2 if rv32 else LEVELS[mode],
        sv32=rv32,
        svnapot=hart.svnapot and not rv32,
        svrsw60t59b=hart.svrsw60t59b and not rv32,
    )


def translate(memory: WalkMemory, hart: Hart, instruction: Instruction, address: Word) -> TwoStages:
    """Where an instruction's address leads. A stage that is Bare, or is not made, gives what it is given, at level 0.

    Raises ``PageFault``, ``GuestPageFault`` or ``AccessFault``; ``trap`` says what is reported of them.
    """
    mode = effective(hart, instruction)
    access = access_of(instruction, mode.user)
    if not mode.translated:
        return TwoStages(_as_it_is(address), _in_memory(hart, address))
    if not mode.virtual:
        stage = hs_stage(hart)
        made = walk(memory, stage, address, access) if stage else _in_memory(hart, address)
        return TwoStages(made, _as_it_is(made.physical))
    vs, g = vs_stage(hart), g_stage(hart)
    if vs and g:
        return walk_two_stages(memory, g, vs, address, access)
    if g:
        return TwoStages(_as_it_is(address), g_walk(memory, g, address, access, 0))
    if vs:
        made = walk(memory, attrs.evolve(vs, beyond=hart.beyond), address, access)
        return TwoStages(made, _as_it_is(made.physical))
    return TwoStages(_as_it_is(address), _in_memory(hart, address))


def _as_it_is(address: Word) -> Translation:
    """No stage: the address stands for itself."""
    return Translation(address, 0, 0, 0)


def _in_memory(hart: Hart, address: Word) -> Translation:
    """An address that no table translates; there may be no memory there."""
    if address & hart.beyond:
        raise AccessFault
    return _as_it_is(address)


def trap(instruction: Instruction, address: Word, virtual: bool, fault: Fault) -> Trap:
    """What a trap reports of a fault of this instruction at this address, made with V=1 or not.

    The cause follows the access that was asked for, also where the VS-stage's own access failed (``norm:H_vm_gpapriv``).
    """
    place = 0 if instruction is Instruction.FETCH else 2 if access_of(instruction, False).write else 1
    if isinstance(fault, GuestPageFault):
        causes = INSTRUCTION_GUEST_PAGE_FAULT, LOAD_GUEST_PAGE_FAULT, STORE_GUEST_PAGE_FAULT
        said = fault.gpa >> 2
        return Trap(causes[place], address, said, fault.pseudoinstruction if said else 0, True)
    if isinstance(fault, AccessFault):
        causes = INSTRUCTION_FAULT, LOAD_FAULT, STORE_FAULT
    else:
        causes = INSTRUCTION_PAGE_FAULT, LOAD_PAGE_FAULT, STORE_PAGE_FAULT
    return Trap(causes[place], address, 0, 0, virtual)
