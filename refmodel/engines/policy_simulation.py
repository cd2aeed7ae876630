"""Policies at work on a workload: who has how much memory, minute by minute.

A workload is a TOML file:

    pages = 92160                  # of the machine, for VMs
    [vm.windows]
    minimum = 16384
    maximum = 65536
    shares = 1000
    phases = [ { at = 0, active = 60000 }, { at = 10, active = 6000 } ]   # from which period on it uses how many pages

Each period the VMs touch what they use, their use is sampled, the policy says what each is to have, and balloons move towards it,
so far as they can in a period; where memory is short they are not waited for. Everything follows from the file and the seed.
"""

from __future__ import annotations

import random
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs

from refmodel.language import BadDesign
from refmodel.monitor.policy.claims import Claim, Policy, Use, admitted
from refmodel.monitor.policy.idle_tax import MinFunding
from refmodel.monitor.policy.pressure import Pressure
from refmodel.monitor.policy.reclamation import MARGIN, THRESHOLDS, Reclamation, next_state
from refmodel.monitor.policy.sampling import SAMPLE, Estimate
from refmodel.monitor.policy.static import StaticPartition

BALLOON_RATE = 0.04
"""The part of all memory that a balloon moves in a period, at most."""
MOST_PERIODS = 10_000

POLICIES: dict[str, Policy] = {"esx": MinFunding(), "shares": MinFunding(rate=0.0), "static": StaticPartition(),
                               "pressure": Pressure()}
"""By name; ``shares`` is ESX's without the tax."""


@attrs.frozen
class Phase:
    """From this period on a VM uses so many pages."""

    at: int
    active: int


@attrs.frozen
class Vm:
    name: str
    claim: Claim
    phases: tuple[Phase, ...]

    def active(self, period: int) -> int:
        """What it uses in a period, in pages; before its first phase it is not there."""
        return next((phase.active for phase in reversed(self.phases) if phase.at <= period), 0)


@attrs.frozen
class Workload:
    pages: int
    vms: tuple[Vm, ...]
    periods: int
    seed: int = 0
    taxed_from: int = 0
    """The period from which ESX's tax is levied."""


@attrs.frozen
class Period:
    """One period, in pages by VM."""

    number: int
    state: Reclamation
    free: int
    allocated: Mapping[str, int]
    target: Mapping[str, int]
    active: Mapping[str, int]
    estimated: Mapping[str, float]

    def lacking(self, name: str) -> int:
        """Pages that a VM uses and does not have: it pages itself."""
        return max(0, self.active[name] - self.allocated[name])


def simulate(workload: Workload, policy: Policy) -> list[Period]:
    """Every period."""
    admitted(workload.pages, {vm.name: vm.claim for vm in workload.vms})
    draw = random.Random(workload.seed)
    allocated = {vm.name: vm.claim.minimum for vm in workload.vms}
    estimates = {vm.name: Estimate() for vm in workload.vms}
    state, periods = Reclamation.HIGH, list[Period]()
    for number in range(workload.periods):
        active = {vm.name: vm.active(number) for vm in workload.vms}
        for vm in workload.vms:
            part = min(1.0, active[vm.name] / max(1, allocated[vm.name]))
            touched = sum(draw.random() < part for _ in range(SAMPLE))
            estimates[vm.name] = estimates[vm.name].after(touched)
        uses = {vm.name: Use(vm.claim, allocated[vm.name], _wants(vm, number, active[vm.name], allocated[vm.name]),
                             estimates[vm.name].active) for vm in workload.vms}
        target = _levied(policy, workload, number).targets(to_give(workload), uses)
        allocated = moved(workload.pages, allocated, target, state)
        free = workload.pages - sum(allocated.values())
        state = next_state(state, free / workload.pages)
        periods.append(Period(number, state, free, dict(allocated), target, active, {n: e.active for n, e in estimates.items()}))
    return periods


def to_give(workload: Workload) -> int:
    """Pages that a policy gives out: enough stays free for the state to be high, unless the minimums need it."""
    kept = int(workload.pages * (THRESHOLDS[Reclamation.HIGH] + MARGIN)) + 1
    return max(workload.pages - kept, sum(vm.claim.minimum for vm in workload.vms))


def _wants(vm: Vm, number: int, active: int, allocated: int) -> int:
    """A guest keeps what it once had, for its cache, as long as nobody asks for it."""
    return max(active, allocated) if vm.active(number) else 0


def _levied(policy: Policy, workload: Workload, number: int) -> Policy:
    if isinstance(policy, MinFunding) and number < workload.taxed_from:
        return attrs.evolve(policy, rate=0.0)
    return policy


def moved(total: int, allocated: Mapping[str, int], target: Mapping[str, int], state: Reclamation) -> dict[str, int]:
    """What each VM has after a period: first who has too much gives, as fast as a balloon does, or at once where memory is short;
    then who has too little is given what is free."""
    rate = total if state in (Reclamation.HARD, Reclamation.LOW) else max(1, int(total * BALLOON_RATE))
    now = {name: max(target[name], has - rate) if has > target[name] else has for name, has in allocated.items()}
    free = total - sum(now.values())
    for name in sorted(now, key=lambda n: (now[n] - target[n], n)):
        given = max(0, min(target[name] - now[name], rate, free))
        now[name] += given
        free -= given
    return now


# ---------------------------------------------------------------- reading


def read(file: Path) -> Workload:
    """A workload; ``BadDesign`` says what is wrong with it, and where."""
    try:
        given = tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as why:
        raise BadDesign(f"{file}: cannot be read: {why.strerror or why}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as why:
        raise BadDesign(f"{file}: {why}") from None
    where = str(file)
    _only(where, given, ("pages", "periods", "seed", "taxed_from", "vm"))
    vms = given.get("vm")
    if not isinstance(vms, dict) or not vms:
        raise BadDesign(f"{where}: vm: expected at least one table [vm.NAME]")
    machines = tuple(_vm(f"{where}: vm.{name}", name, table) for name, table in vms.items())
    last = max(phase.at for vm in machines for phase in vm.phases)
    periods = _number(where, given, "periods", last + 30, 1, MOST_PERIODS)
    workload = Workload(_number(where, given, "pages", None, 1, 1 << 40), machines, periods,
                        _number(where, given, "seed", 0, 0, 1 << 32), _number(where, given, "taxed_from", 0, 0, MOST_PERIODS))
    try:
        admitted(workload.pages, {vm.name: vm.claim for vm in machines})
    except BadDesign as why:
        raise BadDesign(f"{where}: {why}") from None
    return workload


def _vm(where: str, name: str, table: Any) -> Vm:
    if not isinstance(table, dict):
        raise BadDesign(f"{where}: expected a table")
    _only(where, table, ("minimum", "maximum", "shares", "phases"))
    claim = Claim(_number(where, table, "minimum", 0, 0, 1 << 40), _number(where, table, "maximum", None, 0, 1 << 40),
                  _number(where, table, "shares", 1000, 1, 1 << 20))
    phases = table.get("phases")
    if not isinstance(phases, list) or not phases or not all(isinstance(phase, dict) for phase in phases):
        raise BadDesign(f"{where}.phases: expected a list such as [{{ at = 0, active = 1000 }}]")
    return Vm(name, claim, tuple(sorted((_phase(f"{where}.phases[{i}]", phase) for i, phase in enumerate(phases)),
                                        key=lambda phase: phase.at)))


def _phase(where: str, given: dict[str, Any]) -> Phase:
    _only(where, given, ("at", "active"))
    return Phase(_number(where, given, "at", None, 0, MOST_PERIODS - 1), _number(where, given, "active", None, 0, 1 << 40))


def _only(where: str, given: Mapping[str, Any], names: Sequence[str]) -> None:
    unknown = sorted(set(given) - set(names))
    if unknown:
        raise BadDesign(f"{where}: {unknown[0]}: no such field; expected {', '.join(names)}")


def _number(where: str, given: Mapping[str, Any], name: str, default: int | None, least: int, most: int) -> int:
    value = given.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise BadDesign(f"{where}: {name}: expected a whole number from {least:,} to {most:,}, got {value!r}")
    return value
