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
    """A bug of the benchmark, and the result of each engine on it."""

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
    """An x86 instruction, its class by Popek and Goldberg's criteria, and how monitors handle it."""

    instruction: str
    remedy: str


@attrs.frozen
class PolicyRunDocument:
    """The run of a strategy on a workload, period by period."""

    run: str
    periods: tuple[Period, ...]


@attrs.frozen
class PoliciesDocument:
    """Strategies on workloads: for each workload, its recorded programs and each strategy's score; and the runs of the named
    strategies."""

    origins: dict[str, str]
    scores: dict[str, tuple[Score, ...]]
    runs: tuple[PolicyRunDocument, ...]


@attrs.frozen
class ExitsDocument:
    """The costs of MMUs: exits by access pattern, and translation on each recorded address stream."""

    exits: tuple[Measured, ...]
    translation: dict[str, Translation]


@attrs.frozen
class MechanismsDocument:
    """For each recording: what the mechanisms regain and cost, what sharing and compressing save, and how well need is
    estimated."""

    mechanisms: dict[str, tuple[Regained, ...]]
    saved: dict[str, Saved]
    estimators: dict[str, tuple[Error, ...]]
