"""A law is not asked again for a change of a field that its text does not mention: such a change decides nothing in it."""

from __future__ import annotations

import random
from typing import Any

import attrs
import pytest

from refmodel.language.tables import NOTHING
from refmodel.mmu.contract import Derived
from refmodel.monitor.dirty_logging import Sent
from refmodel.monitor.frames import Frame, Use
from refmodel.monitor.p2m import Backing, P2mEntry
from refmodel.monitor.swapping import SlotUse
from refmodel.oracle.trace.concerned import ASKED, LOOKED_AT, MENTIONED, OUTLINE, Asked
from refmodel.oracle.trace.contents import Contents
from refmodel.oracle.trace.observed import Granted

RECORDS = {"p2m": P2mEntry, "frames": Frame, "derived": Derived, "borrowed": Derived, "slots": SlotUse, "grants": Granted}


def drawn(draw: random.Random, name: str) -> Any:
    def small() -> int:
        return draw.choice((NOTHING, 0, 1))

    def yes() -> bool:
        return draw.random() < 0.5

    if name == "p2m":
        return P2mEntry(draw.choice(list(Backing)), small(), yes(), small())
    if name == "frames":
        return Frame(draw.choice(list(Use)), small(), small(), draw.randrange(3))
    if name in ("derived", "borrowed", "dma"):
        return Derived(yes(), small(), yes())
    if name == "slots":
        return SlotUse(yes(), small(), small())
    if name == "grants":
        return Granted(yes(), small(), small(), yes())
    if name == "sent":
        return draw.choice(list(Sent))
    return Contents({0: draw.randrange(2)}) if name in ("memory", "bare_memory", "swap", "destination") else yes()


def state(draw: random.Random) -> Any:
    """Tables of any contents, over two VMs, pages, frames and slots."""
    made = OUTLINE.blank()
    for kind in OUTLINE.tables:
        default = Contents() if kind.name in ("memory", "bare_memory", "swap", "destination") else kind.value.default()
        by_page = kind.name not in ("frames", "memory", "slots", "swap")
        keys: list[Any] = [(vm, gfn) for vm in (0, 1) for gfn in (0, 1)] if by_page else [0, 1]
        table = Anything({key: drawn(draw, kind.name) for key in keys}, default)
        setattr(made, kind.name, table)
    return made


class Anything(dict[Any, Any]):
    """A table; what is not in it is the default."""

    def __init__(self, entries: dict[Any, Any], default: Any) -> None:
        super().__init__(entries)
        self.default = default

    def __missing__(self, key: Any) -> Any:
        return self.default


@pytest.mark.parametrize("asked", [each for each in ASKED if not each.counts], ids=lambda each: each.law.name)
def test_a_field_that_a_law_does_not_mention_decides_nothing(asked: Asked) -> None:
    draw, outcomes = random.Random(1), set[bool]()
    for _ in range(400):
        now, before = state(draw), state(draw)
        names = (draw.randrange(2), draw.randrange(2)) if asked.sort == "page" else (draw.randrange(2),)
        given = (now, before, draw.randrange(2), *names) if asked.of_step else (now, *names)
        due = bool(asked.call(*given))
        outcomes.add(due)
        for table in LOOKED_AT[asked.law] & set(RECORDS):
            for field in attrs.fields(RECORDS[table]):
                if field.name not in MENTIONED[asked.law]:
                    for each in (now, before):
                        entries = getattr(each, table)
                        for key in list(entries):
                            entries[key] = attrs.evolve(entries[key], **{field.name: getattr(drawn(draw, table), field.name)})
                    assert bool(asked.call(*given)) == due, (table, field.name)
    assert outcomes == {True, False}


def test_of_some_fields_most_laws_say_nothing() -> None:
    assert sum("writable" not in MENTIONED[asked.law] for asked in ASKED if "p2m" in LOOKED_AT[asked.law]) > 8
