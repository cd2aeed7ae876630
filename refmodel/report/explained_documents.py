"""What ``refmodel bench --json`` and ``refmodel explain TOPIC --json`` print, as records."""

from __future__ import annotations

import attrs

from refmodel.engines.bench import Kill
from refmodel.engines.exits import Measured
from refmodel.machine.x86.instructions import Class
from refmodel.management.comparison import Score
from refmodel.management.estimating.estimators import Error
from refmodel.management.mechanisms import Regained
from refmodel.management.saving import Saved
from refmodel.management.simulation import Period
from refmodel.management.translation.comparing import Translation


@attrs.frozen
class BugDocument:
    """A bug of the bench, and what each engine found of it."""

    bug: str
    clause: str
    """The clause that it breaks."""
    about: str
    entry: str
    """The number of a historical defect in the catalogue; empty for one that was made up."""
    reference: str
    engines: tuple[Kill, ...]


@attrs.frozen(kw_only=True)
class InstructionDocument(Class):
    """An instruction of x86, as Popek and Goldberg sort it, and what monitors do about it."""

    instruction: str
    remedy: str


@attrs.frozen
class PolicyRunDocument:
    """How a policy fared on a workload, period by period."""

    run: str
    periods: tuple[Period, ...]


@attrs.frozen
class PoliciesDocument:
    """Strategies on workloads: for each workload, what of it was recorded, and how each strategy does; and the runs of those that
    were named."""

    origins: dict[str, str]
    scores: dict[str, tuple[Score, ...]]
    runs: tuple[PolicyRunDocument, ...]


@attrs.frozen
class ExitsDocument:
    """What MMUs cost: exits by pattern, and translation on each recorded stream of addresses."""

    exits: tuple[Measured, ...]
    translation: dict[str, Translation]


@attrs.frozen
class MechanismsDocument:
    """For each recording: what the mechanisms regain and cost, what sharing and compressing save, and how well need is
    estimated."""

    mechanisms: dict[str, tuple[Regained, ...]]
    saved: dict[str, Saved]
    estimators: dict[str, tuple[Error, ...]]
