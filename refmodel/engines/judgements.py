"""What comes of obligations: of each one, and of all those of an operation."""

from __future__ import annotations

from collections.abc import Sequence

import attrs

from refmodel.engines.audit import Audited
from refmodel.engines.scope import Witness
from refmodel.language.laws import Law

SOUNDNESS = "the text means the same on ints and on terms"
INITIAL = "initial state"
"""What the proof is called that is of no operation."""


GAVE_UP = "the solver gave up"
"""How the reason of an ``unknown`` begins where the solver has no answer within its time."""


@attrs.frozen
class Judgement:
    """One obligation: an operation keeps a law (or, with no operation, the initial states satisfy it)."""

    operation: str
    law: Law | None
    verdict: str
    """``proved``, ``refuted``, or ``unknown``."""
    seconds: float
    witness: Witness | None = None
    why: str = ""
    leans_on: frozenset[str] = frozenset()
    """The laws that the proof used, where it was asked which."""


@attrs.frozen
class Simulated:
    """The result for one operation whose steps were compared with the steps of another design."""

    operation: str
    steps: tuple[str, ...]
    """The operations of the other design that it was explained by."""
    paths: int
    """Paths that a lawful state can take, as far as is known."""
    explained: int
    """Those of them that are a step of the other design; the rest are none."""
    failing: tuple[str, ...]
    """What is not proved, and why."""
    seconds: float
    completes: bool = False
    """Whether one of its paths, which a lawful state can take as far as is known, shows a guest that its instruction completed."""


@attrs.frozen
class Proof:
    """All obligations of one operation."""

    operation: str
    judgements: tuple[Judgement, ...]
    paths: int
    """How many paths there are. With none the proof says nothing; so for the first it is made sure that a lawful state can take
    it, as far as all that is known tells."""
    seconds: float
    audited: Audited = Audited(0)
    """What of the terms was held against steps on ints."""
    is_whole: bool = True
    """False if it ended at a path after which a law is refuted: of the paths behind it, nothing is known of any law."""
    cut_off: frozenset[str] = frozenset()
    """The laws by which paths were cut off as impossible, where it was asked which."""
    simulated: Simulated | None = None
    """Whether its steps are those of the machine that guests believe in, where that was asked."""

    def demand(self) -> None:
        """Raise AssertionError unless every obligation is proved, and each step is one of the bare machine's, or none."""
        open_ = [j for j in self.judgements if j.verdict != "proved"]
        missing = [f"{j.law.name if j.law else SOUNDNESS} is {j.verdict}{f' ({j.why})' if j.why else ''}" for j in open_]
        missing += [] if self.simulated is None else self.simulated.failing
        assert not missing, "; ".join(missing)


_ORDER = {"proved": 0, "unknown": 1, "refuted": 2}


def worse(a: Judgement | None, b: Judgement) -> Judgement:
    """Of two judgements of one law the one that counts: a proof is one of every path."""
    if a is None:
        return b
    shows = _ORDER[b.verdict] == _ORDER[a.verdict] and a.witness is None and b.witness is not None
    worse = b if _ORDER[b.verdict] > _ORDER[a.verdict] or shows else a
    return attrs.evolve(worse, leans_on=a.leans_on | b.leans_on)


def together(proofs: Sequence[Proof]) -> Proof:
    """What several proofs of one operation say of it, of which each proves some of what is due; the last leaves nothing out."""
    verdicts: dict[Law | None, Judgement] = {}
    for judgement in (j for proof in proofs for j in proof.judgements):
        verdicts[judgement.law] = worse(verdicts.get(judgement.law), judgement)
    last = proofs[-1]
    return attrs.evolve(
        last,
        judgements=tuple(verdicts.values()),
        seconds=sum(proof.seconds for proof in proofs),
        audited=Audited(0).and_of(proof.audited for proof in proofs),
        simulated=next((proof.simulated for proof in proofs if proof.simulated), None),
    )
