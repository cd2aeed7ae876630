"""Efficiency: ordinary accesses run without the monitor."""

from typing import Any

from refmodel.bare import Event
from refmodel.language import implies, law
from refmodel.machine.names import Gfn
from refmodel.mmu.ept import EptMmu, Handled, Result, Seen


@law("EFF-1", "An access exits only for a translation that is not installed.")
def an_installed_translation_does_not_exit(s: EptMmu, outcome: Seen, actor: int) -> Any:
    return implies(outcome.shown.event == Event.EXITED, not s.installed(actor, outcome.gfn, outcome.write))


@law("EFF-2", "An exit that was served leaves the translation that was asked for, so the access gets further.")
def a_served_exit_makes_progress(s: EptMmu, outcome: Handled) -> Any:
    return implies(outcome.result == Result.INSTALLED, s.installed(outcome.vm, outcome.gfn, outcome.write))


@law("EFF-2", "Serving an exit takes nothing away that was installed: an access that needs two gets both.")
def a_served_exit_takes_nothing_away(s: EptMmu, before: EptMmu, outcome: Handled, gfn: Gfn, write: bool) -> Any:
    return implies(before.installed(outcome.vm, gfn, write) and outcome.gfn != gfn, s.installed(outcome.vm, gfn, write))


LAWS = (an_installed_translation_does_not_exit, a_served_exit_makes_progress, a_served_exit_takes_nothing_away)
