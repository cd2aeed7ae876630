"""One event is judged: the state is changed, then the laws are asked, and if one is broken nothing has changed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from refmodel.language.asking import begin_answering, end_answering
from refmodel.oracle.trace.deviations import Deviates
from refmodel.oracle.trace.holding import About, broken
from refmodel.oracle.trace.silence import forget, opens
from refmodel.oracle.trace.tables import Open

if TYPE_CHECKING:
    from refmodel.oracle.trace.knowledge import Knowledge


class Judging:
    """One event: what is done within this is judged at its end."""

    __slots__ = ("about", "k")

    def __init__(self, k: Knowledge, about: About) -> None:
        self.k, self.about = k, about

    def __enter__(self) -> None:
        k = self.k
        if k.joined:
            k.begun = len(k.journal)
        else:
            k.begun = 0
            k.journal.clear()
        k.time += 1
        begin_answering(k.answers)

    def __exit__(self, kind: type[BaseException] | None, why: BaseException | None, trace: object) -> bool:
        k = self.k
        try:
            found = None
            if kind is None:
                k.related()
                found, about = broken(k, self.about), self.about
                while found is not None and opens(k, found, about, judged=True):
                    more = _with_named(about, found := broken(k, self.about))
                    if more == about:
                        break
                    about = more  # another page than those of the event may be elsewhere, such as a borrower's
        finally:
            end_answering()
        if kind is Open:  # what was done depends on what is not known, so what it concerns is not known either
            k.undo(k.begun)
            forget(k, self.about)
            return True
        if (kind is not None or found is not None) and not k.keeps_what_breaks:
            k.undo()
        if found is not None:
            raise found
        return False


def _with_named(about: About, found: Deviates | None) -> About:
    """What an event is about, and the page that a deviation names."""
    named = dict(found.names) if found is not None else {}
    if not {"vm", "gfn"} <= named.keys():
        return about
    return about._replace(pages=frozenset({*about.pages, (named["vm"], named["gfn"])}))
