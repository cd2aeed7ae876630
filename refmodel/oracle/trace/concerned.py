"""Which laws an event concerns: those that look at a table that it has changed, and at a field that is not what it was.

This is found in the text of the laws, and looked up from then on.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple, TypeAlias

import attrs

from refmodel.language import Law, outline
from refmodel.language.kinds import NameKind
from refmodel.laws import memory
from refmodel.oracle.trace.observed import BORROWED, COUNTS, STATES, STEPS, TRANSLATIONS, Judged
from refmodel.oracle.trace.tables import Known, Open, Stretch

Changes: TypeAlias = frozenset[tuple[str, str]]
"""Tables, and the fields of their entries that have changed; ``ALL`` where entries have none, or it is not known what they were."""
ALL = "*"

OUTLINE = outline(Judged)
LOOKED_AT = {law: OUTLINE.reads(law) for law in OUTLINE.laws}
"""By law: the tables that it looks at."""
MENTIONED = {law: OUTLINE.mentions(law) for law in OUTLINE.laws}
"""By law: every name in its text."""
FIELDS: dict[type, tuple[str, ...]] = {}
"""By class of a table's entries: their fields."""
TRANSLATED = frozenset[str]().union({"lingering", "dma"}, *(LOOKED_AT[law] for law in (*TRANSLATIONS, *BORROWED)))
"""The tables that laws about translations look at."""

EVERY_TABLE = frozenset(table.name for table in OUTLINE.tables)


@functools.cache
def tables_of(name: str) -> frozenset[str]:
    """The tables that the law of this name looks at; all, if it is none of the design's."""
    return next((LOOKED_AT[law] for law in OUTLINE.laws if law.name == name), EVERY_TABLE)


@functools.cache
def names_in(law: str) -> frozenset[str]:
    """Every name in the text of the law of this name; none, if it is none of the design's."""
    return next((frozenset(MENTIONED[each]) for each in OUTLINE.laws if each.name == law), frozenset())


class Asked(NamedTuple):
    """A law, and how it is asked."""

    law: Law
    sort: str
    """What its names are names of: pages, frames, slots, VMs."""
    call: Callable[..., Any]
    """The law of a state and names; or, if it is about a step, of a state, the one before, the actor and names."""
    of_step: bool
    counts: bool


def _asked(law: Law) -> Asked:
    sorts = tuple(kind.sort for _, kind in law.names if isinstance(kind, NameKind))
    sort = {("Vm", "Gfn"): "page", ("Mfn",): "frame", ("Slot",): "slot", ("Vm",): "vm"}[sorts]
    function = law.function
    if not law.about:
        return Asked(law, sort, function, False, law in COUNTS)
    if "actor" not in law.about:
        return Asked(law, sort, lambda s, before, actor, *names: function(s, before, *names), True, False)
    return Asked(
        law,
        sort,
        lambda s, before, actor, *names: function(s, *law.arguments({"before": before, "actor": actor}, names)),
        True,
        False,
    )


MARKED_IN_TIME = (memory.unmarked_pages_are_there, memory.unmarked_pages_are_protected)
ASKED = tuple(map(_asked, (*COUNTS, *STATES, *STEPS)))


def changes(journal: Iterable[tuple[Known, Any, Any]]) -> Changes:
    """What has changed, by the journal of an event."""
    found = set()
    for table, key, old in journal:
        new = None if type(key) is Stretch else table.get(key)
        if new is None or old is Open or type(new) is not type(old) or not (fields := _fields(type(new))):
            found.add((table.name, ALL))
            continue
        for field in fields:
            if getattr(new, field) != getattr(old, field):
                found.add((table.name, field))
    return frozenset(found)


def _fields(cls: type) -> tuple[str, ...]:
    """The fields of a record; nothing that is no record has any."""
    if cls not in FIELDS:
        FIELDS[cls] = tuple(field.name for field in attrs.fields(cls)) if attrs.has(cls) else ()
    return FIELDS[cls]


def concerns(law: Law, changed: Changes) -> bool:
    """Whether a law looks at any of this. If it held, and does not, it holds."""
    return any(table in LOOKED_AT[law] and (field == ALL or field in MENTIONED[law]) for table, field in changed)


@functools.lru_cache(maxsize=1 << 14)
def plan(changed: Changes, counts: bool, late: bool) -> tuple[Asked, ...]:
    """The laws to ask. While marks may come late, a page that the other machine has may be written to."""
    return tuple(
        asked
        for asked in ASKED
        if concerns(asked.law, changed) and (counts or not asked.counts) and not (late and asked.law in MARKED_IN_TIME)
    )


@functools.lru_cache(maxsize=1 << 14)
def looks_at_translations(changed: Changes) -> bool:
    """Whether laws about translations look at any of this."""
    return any(table in TRANSLATED for table, _ in changed)
