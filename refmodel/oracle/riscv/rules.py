"""Which rules of the manual a test of a walk is about, by their names (``norm:`` in its source).

A rule is named if the test ends as it does because of the rule: the reason of a fault is the rule's, what the trap reports is, or
the end would be another if the bit that the rule is about were another.
"""

from __future__ import annotations

from collections.abc import Iterator

import attrs

from refmodel.language.asking import Fault
from refmodel.machine.riscv.hart import STORE_PAGE_FAULT, Hart, Instruction, Trap, effective, translate, trap
from refmodel.machine.riscv.two_stages import WRITE_32, WRITE_64, TwoStages
from refmodel.machine.riscv.words import PBMT, G, N
from refmodel.machine.words import Marked
from refmodel.oracle.riscv.layout import is_vs
from refmodel.oracle.riscv.outcomes import Lawful
from refmodel.oracle.riscv.reasons import failing_stage, reason
from refmodel.oracle.riscv.walk_tests import SCHEMES, WalkTest

HYPERVISOR_ACCESSES = (Instruction.HLV, Instruction.HLVX, Instruction.HSV)
BY_REASON: dict[str, tuple[str, ...]] = {
    "a reserved bit is set": ("Sv39_pte_future_rsv",),
    "PBMT is set in a pointer": ("Svpbmt_nonleaf_pte_pbmt_must_be_zero",),
    "PBMT is set": ("Sv39_pte_svpbmt_rsv",),
    "N is set": ("Sv39_pte_svnapot_rsv",),
    "a reserved encoding of N": ("Svnapot_reserved_encoding_fault",),
    "N is set in a pointer": ("Svnapot_reserved_encoding_fault",),
    "a flag is not set": ("svade_access_ad_bit_clear", "Svadu_disabled_hw_update_falls_back_to_svade"),
    "wrong U for the mode": ("sstatus_sum",),
}
"""By the reason of a fault, as ``reasons.reason`` puts it."""
BY_SWITCH: dict[str, tuple[str, ...]] = {
    "sum": ("sstatus_sum",),
    "adue": ("menvcfg_adue_op",),
    "vs_adue": ("henvcfg_adue_op",),
    "pbmte": ("menvcfg_pbmte_op",),
    "vs_pbmte": ("henvcfg_pbmte_op",),
}
"""By the bit of a register on which the end depends; those of MXR depend on the instruction too."""


def rules_of(test: WalkTest, way: Lawful) -> list[str]:
    """The rules' names, in order."""
    found = {*_of_stages(test), *_of_instruction(test), *_of_switches(test)}
    if way.outcome.trap:
        found |= {*_of_fault(test, way.outcome.trap), *_of_trap(test, way.outcome.trap)}
    else:
        found |= set(_of_translation(test))
    return sorted(found)


def _of_stages(test: WalkTest) -> Iterator[str]:
    stages = test.stages
    if stages.first:
        yield from _named(SCHEMES[stages.first], "LEVELS", "levels", "vpn_sz", "PTESIZE")
        if stages.sv32 and not stages.virtual:
            yield from ("satp_mode_sxlen32", "satp_ppn_sv32_sz")
    elif not stages.virtual:
        yield "svbare_satp_mode_bare"
    if stages.virtual:
        yield "H_vm_twostage"
        yield "hgatp_mode_x4" if stages.second else "hgatp_mode_bare_trans"
    if stages.second:
        yield from (f"hgatp_mode_sv{SCHEMES[stages.second][2:]}x4", "H_vm_gpatrans", "H_vm_gpapriv")
        if stages.first:
            yield "H_vm_gstagetrans"
        if any(entry & G for at, entry in test.entries.items() if not is_vs(at)):
            yield "H_vm_gpa_g"


def _named(scheme: str, *rules: str) -> Iterator[str]:
    """Rules that each scheme has one of, but for Sv32, whose section has no names."""
    if scheme != "Sv32":
        yield from (f"{scheme}_{rule}" for rule in rules)


def _of_instruction(test: WalkTest) -> Iterator[str]:
    if test.instruction in HYPERVISOR_ACCESSES:
        yield from ("hlsv_priv", "hlsv_trans", "hlsv_op", "hstatus_spvp_op")
        if test.instruction is Instruction.HLVX:
            yield "hlsv_u_op"
    elif test.hart.mprv:
        yield "mstatus_mprv_hypervisor"


def ended(hart: Hart, test: WalkTest) -> tuple[object, tuple[tuple[int, int], ...]]:
    """How a test's access ends with other registers, and which flags it sets."""
    memory = Marked({**test.fixed, **test.entries})
    try:
        end: object = translate(memory, hart, test.instruction, test.address).g.physical
    except Fault as fault:
        end = trap(test.instruction, test.address, effective(hart, test.instruction).virtual, fault)
    return end, tuple(memory.marks)


def _of_switches(test: WalkTest) -> Iterator[str]:
    """The bits of registers on which the end depends."""
    hart, end = test.hart, ended(test.hart, test)

    def matters(name: str) -> bool:
        return ended(attrs.evolve(hart, **{name: not getattr(hart, name)}), test) != end

    for name, rules in BY_SWITCH.items():
        if matters(name):
            yield from rules
    virtual = effective(hart, test.instruction).virtual
    hypervisor = test.instruction in HYPERVISOR_ACCESSES
    if matters("mxr"):
        yield ("hlsv_sstatus_mxr" if hypervisor else "sstatus_mxr_vm") if virtual else "sstatus_mxr"
    if matters("vs_mxr"):
        yield "hlsv_vsstatus_mxr" if hypervisor else "vsstatus_mxr_vm"
    if matters("vs_sum"):
        yield "sstatus_sum"


def _of_fault(test: WalkTest, due: Trap) -> Iterator[str]:
    why, stages = reason(test), test.stages
    yield from BY_REASON.get(why, ())
    first = failing_stage(test) == "first"
    scheme = SCHEMES[stages.first] if first else SCHEMES[stages.second]
    if why == "PBMT is 3":
        enabled = test.hart.pbmte and (test.hart.vs_pbmte or not (first and stages.virtual))
        yield "Svpbmt_leaf_pte_pbmt_reserved_3_fault" if enabled else "Sv39_pte_svpbmt_rsv"
    if why == "a large page is not aligned":
        yield from _named(scheme, "superpage_align", "superpage_align_fault")
    if why == "address bits that are not translated" and first and stages.first:
        yield from _named(scheme, "va_signext")
    if why == "a permission is missing" and test.instruction is not Instruction.HLVX:
        yield (
            "fetch_page_fault_no_x"
            if test.instruction is Instruction.FETCH
            else ("store_page_fault_no_w" if due.cause % 8 == STORE_PAGE_FAULT % 8 else "load_page_fault_no_r")
        )


def _of_trap(test: WalkTest, due: Trap) -> Iterator[str]:
    yield from ("mstatus_gva_op", "stval_op_faulting_addr")
    if due.cause < 20:
        return
    yield from ("H_cause", "H_guest_page_fault", "mtval2_trapval", "htval_trapval")
    if not due.tinst:
        yield "mtval2_htval_virtaddr"
        return
    yield from ("mtval2_trapval_vstrans", "H_trap_xtinst_guestpage")
    if due.tinst in (WRITE_32, WRITE_64):
        yield "H_trap_xtinst_guestpage_rw"


def _of_translation(test: WalkTest) -> Iterator[str]:
    made = translate(Marked({**test.fixed, **test.entries}), test.hart, test.instruction, test.address)
    assert isinstance(made, TwoStages)
    for stage, levels in ((made.vs, test.stages.first), (made.g, test.stages.second)):
        if levels and stage.level > 1:
            yield from _named(SCHEMES[levels], "leaf_any_level", "page_sizes")
        if stage.entry & N:
            yield from ("Svnapot_pte_N", "Svnapot_valid_encoding", "Svnapot_implicit_read_ppn_subst")
    if made.g.entry & N:
        yield "Svnapot_hyp_gstage"
    if made.g.level and made.g.entry & PBMT:
        yield "Svpbmt_hgatp_stage_override_rule"
    if made.vs.level and made.vs.entry & PBMT and test.stages.virtual:
        yield "Svpbmt_vsatp_stage_override_rule"
