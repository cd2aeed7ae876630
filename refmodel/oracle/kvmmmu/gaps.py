"""Deviations of a trace that has gaps: one counts only if no CPU was losing events while it came about.

The line that reports a loss comes before the next event of its CPU, which may be long after the loss and long after a deviation on
another CPU. A task may have run on any CPU. So a deviation waits until every other CPU has reported an event that no loss precedes;
until the end of a trace that does not say how many CPUs it is of, since one that was not met may begin with a loss.
"""

from __future__ import annotations

import attrs

from refmodel.oracle.trace.verdicts import Deviation

MOST = 64
"""Deviations that wait at a time. While so many do, further ones are not looked at: the first is the verdict."""


@attrs.define
class Suspect:
    """A deviation, and the CPUs that may have been losing events at the time."""

    deviation: Deviation
    waits: set[int]


@attrs.define
class Gaps:
    """The CPUs of a trace, what each has lost, and the deviations that wait for them."""

    cpus: set[int] = attrs.field(factory=set)
    are_known: bool = False
    """Whether the trace says how many CPUs there are."""
    number: int = 0
    """Gaps."""
    suspects: list[Suspect] = attrs.field(factory=list)
    withdrawn: int = 0

    def declared(self, number: int) -> None:
        """The trace says how many CPUs it has events of."""
        self.cpus.update(range(min(number, 1 << 13)))
        self.are_known = True

    def event(self, cpu: int) -> None:
        """A CPU has reported an event, and has lost none since its last one."""
        self.cpus.add(cpu)
        for suspect in self.suspects:
            suspect.waits.discard(cpu)

    def gap(self, cpu: int) -> None:
        """A CPU has lost events, at some time since its last one."""
        was_met = cpu in self.cpus
        self.cpus.add(cpu)
        self.number += 1
        kept = [suspect for suspect in self.suspects if was_met and cpu not in suspect.waits]
        self.withdrawn += len(self.suspects) - len(kept)
        self.suspects = kept

    def suspect(self, deviation: Deviation, cpu: int) -> None:
        if len(self.suspects) < MOST:
            self.suspects.append(Suspect(deviation, self.cpus - {cpu}))

    def found(self, ended: bool = False) -> Deviation | None:
        """The first deviation, once it is certain. At the end of a trace no more losses are reported."""
        if self.suspects and (ended or (self.are_known and not self.suspects[0].waits)):
            return self.suspects[0].deviation
        return None
