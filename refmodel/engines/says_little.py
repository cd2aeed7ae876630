"""What proved laws do not say, in words: notes beside the verdicts of a proof.

A law may be proved and say less than its author believes: a part of it is asked for nowhere, or nothing can break it.
"""

from __future__ import annotations

from collections.abc import Sequence

import attrs

from refmodel.engines import random
from refmodel.engines.outcomes import exits, shown_by
from refmodel.engines.unseen import ALTERNATIVE, is_own, premise_words
from refmodel.engines.vacuity import holds_by_methods, never_met, part_cannot_fail
from refmodel.language.asking import Site
from refmodel.language.design import Outline
from refmodel.language.laws import Law


def idle_parts(design: Outline, needed: Outline, proved: Sequence[Law]) -> tuple[str, ...]:
    """The implications of proved laws that say nothing: their premise can never hold, whatever the law itself says, while another's
    can; or nothing can break them. ``needed`` is the design with the laws that the proof assumes."""
    parts = {part: law for law in proved for part in needed.parts_of(law) if _is_told(design, part)}
    if not parts:
        return ()
    run = random.campaign(attrs.evolve(design, laws=tuple(parts), pending=()), design.cls.geometry, seconds=1.0, runs=30)
    idle = [part for part, law in parts.items() if part not in run.met and never_met(_without(needed, law), part)]
    certain = [
        part
        for part, law in parts.items()
        if part not in idle and part.part not in needed.alternatives(law) and part_cannot_fail(design, part)
    ]
    return (
        *(
            f"{each.part[0]}:{each.part[1]}: {premise_words(design, each.part)} {_can(design, each.part)} nowhere; that part of "
            f"{each.name} says nothing"
            for each in idle
            if each.part
        ),
        *(
            f"{each.part[0]}:{each.part[1]}: nothing can break {_what_follows(design, each.part)} where what stands before it "
            f"holds; that part of {each.name} says nothing"
            for each in certain
            if each.part
        ),
    )


def says_nothing_of_exits(design: Outline) -> tuple[str, ...]:
    """Whether guests' accesses may exit, and no law is about how often: an access that exits for ever breaks nothing then."""
    exiting = [op.name for op in design.operations if op.by_guest and op.returns is not None and _may_exit(op.returns)]
    if not exiting or any(law.clause in ("EFF-1", "EFF-2") for law in design.laws):
        return ()
    return (f"{', '.join(exiting)} may exit, and {design.name} has no law of EFF-1 or EFF-2: an access may exit for ever",)


def _may_exit(outcome: type) -> bool:
    """Whether an outcome without arguments shows an exit."""
    try:
        return exits(shown_by(outcome()))
    except TypeError:
        return False


def says_little(design: Outline, needed: Outline, proved: Sequence[Law]) -> tuple[str, ...]:
    """Of the design's own laws, those that no operation can break: none writes to anything that they look at, or no guest acts, or
    they hold whatever the tables hold."""
    return tuple(
        f"{law.place}: {law.name}: {why}"
        for law in proved
        if is_own(design, law.function.__code__.co_filename)
        for why in [_why_little(needed, law)]
        if why
    )


def _why_little(needed: Outline, law: Law) -> str:
    looked_at = needed.reads(law)
    if looked_at and looked_at <= needed.constant:
        return f"no operation writes to what it looks at ({', '.join(sorted(looked_at))})"
    if "actor" in law.about and not any(op.by_guest for op in needed.operations):
        return "no operation is a guest's, so its actor is always NOTHING; is @guest missing?"
    if holds_by_methods(needed, law):
        return "it is true for any contents of the tables, by the methods that it calls; no operation can break it"
    return ""


def _is_told(design: Outline, part: Law) -> bool:
    """Whether a part is worth a note. What refmodel brings for many has helpers with conditions that no design needs all of."""
    return part.part is not None and (part.part in design.text.implications or is_own(design, part.part[0]))


def _without(needed: Outline, law: Law) -> Outline:
    return attrs.evolve(needed, laws=tuple(other for other in needed.laws if other is not law))


def _can(design: Outline, site: Site) -> str:
    return "can be met" if premise_words(design, site) == ALTERNATIVE else "can hold"


def _what_follows(design: Outline, site: Site) -> str:
    """What is asked for under a premise that is stated there."""
    return "this implication" if site in design.text.implications else "what is asked here"
