"""Efficiency: ordinary accesses run without the monitor."""

from typing import Any

from refmodel.bare import Event, Seen
from refmodel.language import implies, law
from refmodel.machine.names import Gfn
from refmodel.mmu.ept import EptMmu
from refmodel.mmu.replies import Attempt, Filled, Handled, Result
from refmodel.mmu.shadow import ShadowMmu, lets


@law("EFF-1", "An access exits only if the EPT has no entry that allows it.")
def an_installed_translation_does_not_exit(s: EptMmu, outcome: Seen, actor: int) -> Any:
    return implies(outcome.shown.event == Event.EXITED, not s.installed(actor, outcome.gfn, outcome.write))


@law("EFF-2", "After an EPT violation is served, the EPT has an entry that allows the access.")
def a_served_exit_makes_progress(s: EptMmu, outcome: Handled) -> Any:
    return implies(outcome.result == Result.INSTALLED, s.installed(outcome.vm, outcome.gfn, outcome.write))


@law("EFF-2", "Serving an EPT violation for one gfn takes no rights away from the EPT entry of another gfn.")
def a_served_exit_takes_nothing_away(s: EptMmu, before: EptMmu, outcome: Handled, gfn: Gfn, write: bool) -> Any:
    return implies(before.installed(outcome.vm, gfn, write) and outcome.gfn != gfn, s.installed(outcome.vm, gfn, write))


@law("EFF-1", "An access by linear address exits only if its shadow entry does not allow it.")
def an_installed_shadow_entry_does_not_exit(s: ShadowMmu, outcome: Attempt, actor: int) -> Any:
    return implies(
        outcome.shown.event == Event.EXITED,
        not lets(s.walked(actor, outcome.vcpu, outcome.page), outcome.access, s.paging[actor, outcome.vcpu].mode),
    )


@law("EFF-2", "After the monitor serves a hidden page fault, the shadow table has an entry that allows the access.")
def a_served_fault_makes_progress(s: ShadowMmu, outcome: Filled) -> Any:
    return implies(
        outcome.result == Result.INSTALLED,
        lets(s.walked(outcome.vm, outcome.vcpu, outcome.page), outcome.access, s.paging[outcome.vm, outcome.vcpu].mode),
    )
