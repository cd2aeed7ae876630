"""What is known of some pages and frames is forgotten: where it is not known what happened to them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import attrs

from refmodel.language.tables import NOTHING
from refmodel.oracle.trace import events as e
from refmodel.oracle.trace import guest
from refmodel.oracle.trace.contents import WORD, Contents, Reported, lost_perhaps
from refmodel.oracle.trace.effects.logging import DirtyRing
from refmodel.oracle.trace.knowledge import BY_PAGE, Knowledge
from refmodel.oracle.trace.naming import NONE, Names
from refmodel.oracle.trace.ranges import frames_of
from refmodel.oracle.trace.tables import Key, Known, Open

HELD = ("bare_memory", "destination")
"""Tables that say what pages hold."""


class Run(NamedTuple):
    """Pages of a VM, or frames (of VM 0), from the first to the last."""

    whose: int
    first: int
    last: int

    @property
    def is_one(self) -> bool:
        return self.first == self.last


@attrs.define
class Unsure:
    """Pages and frames of which nothing is relied on."""

    pages: set[Run] = attrs.field(factory=set)
    frames: set[Run] = attrs.field(factory=set)


def forget(k: Knowledge, names: Names) -> bool:
    """Nothing is relied on any more that is known of these; False if that cannot be told from the rest, so it is not forgotten."""
    k.answers.lost_sight = True
    unsure = _named(names)
    vms = {name[1] for name in names.writes if name[0] == "vm"}
    if any(_is_lent(k, run) for run in unsure.pages):
        return False
    _frames_of_pages(k, unsure)
    _pages_of_frames(k, unsure)
    _frames_of_pages(k, unsure)  # those of the pages that came in: a page that is forgotten leaves no frame that is still its own
    if any(_is_lent(k, run) for run in unsure.pages):
        return False
    for run in sorted(unsure.pages):
        _forget_pages(k, run)
    for run in sorted(_runs(names, "content")):
        _forget_contents(k, run)
    for name in names.reads | names.writes:
        if name[0] == "word" and ("content", name[1], name[2] >> 9) not in names.writes:
            page = k.pages.get(guest.reached(k, name[1], name[2] >> 9))
            if page is not None:
                page.doubt_perhaps((name[2] & 0x1FF) * WORD, WORD)
    for run in sorted(unsure.frames):
        _forget_frames(k, run)
    for vm in vms:
        _forget_vm(k, vm)
    for name in names.reads | names.writes:
        if name[0] == "ring":
            k.rings[name[1], name[2]] = DirtyRing()
        elif name[0] == "marked":
            k.late.discard(name[1:])
        elif name[0] == "paused":
            k.paused[name[1]] = True
        elif name[0] == "slot" and name[1:] in k.memory_slots:
            del k.memory_slots[name[1:]]
            k.obscure.add(name[1])
    k.journal.clear()
    k.alike.clear()
    k.balloons.clear()
    return True


def told_too_early(k: Knowledge, event: e.Event) -> None:
    """Of an event that is not judged, since it may have come before others that were lost, what makes later ones lawful."""
    if isinstance(event, e.Grant):
        k.lent |= {(event.vm, event.gfn), (event.to_vm, event.to_gfn)}
    elif isinstance(event, e.Alias):
        k.lent |= {(event.vm, event.gfn), (event.vm, event.of_gfn)}
    elif isinstance(event, e.Convert):
        k.converting.add(event.vm)
    elif isinstance(event, e.Inflate) and event.touchable:
        k.touchable.add(event.vm)
    elif isinstance(event, e.Pause):
        k.runs(event.vm, False)
    elif isinstance(event, e.Report):
        for first, last in event.runs():
            for gfn in range(first, min(last, first + FEW) + 1):
                k.tables["bare_memory"][event.vm, gfn] = lost_perhaps()
        k.journal.clear()
    k.alike.clear()


FEW = 1 << 12
"""Pages of one report that are kept in mind."""


def forget_vm(k: Knowledge, vm: int) -> bool:
    """Forget everything that is known of a VM."""
    return forget(k, NONE._replace(writes=frozenset({("vm", vm)})))


def forget_pages(k: Knowledge, vm: int, first: int, last: int) -> bool:
    """Forget what is known of a VM's pages from the first to the last, and of their contents."""
    return forget(k, NONE._replace(spans=((("page", vm), first, last), (("content", vm), first, last))))


def _named(names: Names) -> Unsure:
    """The pages and frames that are named."""
    own = names.reads | names.writes
    frames = [Run(0, first, last) for before, first, last in names.spans if before[0] == "frame"]
    frames += [Run(0, name[1], name[1]) for name in own if name[0] == "frame"]
    return Unsure(set(_runs(names, "page")), set(_joined(frames)))


def _runs(names: Names, kind: str) -> list[Run]:
    """The pages of which this is named."""
    found = [Run(before[1], first, last) for before, first, last in names.spans if before[0] == kind]
    found += [Run(name[1], name[2], name[2]) for name in names.reads | names.writes if name[0] == kind]
    return _joined([*found, *(Run(name[1], 0, e.LAST_GFN) for name in names.writes if name[0] == "vm")])


def _joined(runs: Iterable[Run]) -> list[Run]:
    found: list[Run] = []
    for run in sorted(runs):
        if found and found[-1].whose == run.whose and run.first <= found[-1].last + 1:
            found[-1] = Run(run.whose, found[-1].first, max(found[-1].last, run.last))
        else:
            found.append(run)
    return found


def _is_lent(k: Knowledge, run: Run) -> bool:
    """Whether any of these pages is granted or borrowed: who else has to do with it is not kept by page."""
    grants = k.tables["grants"]
    return any(
        of == run.whose and run.first <= gfn <= run.last
        for borrower, grant in grants.items()
        if grant.present
        for of, gfn in (borrower, (grant.vm, grant.gfn))
    )


def _frames_of_pages(k: Knowledge, unsure: Unsure) -> None:
    """The frames that these pages are known to have, or their translations to lead to."""
    found = list(unsure.frames)
    for run in unsure.pages:
        for gfn in k.mentioned_pages.within(run.whose, run.first, run.last):
            for relation in (k.behind, k.reached):
                found += [Run(0, mfn, mfn) for mfn in relation.targets.get((run.whose, gfn), ())]
        for _, ranges in k.leading:
            for piece in ranges.overlapping(run.whose, run.first, run.last):
                low, high = max(piece.first, run.first), min(piece.last, run.last)
                found += [Run(0, mfn, mfn + high - low) for mfn in frames_of(piece.at(low))]
    unsure.frames = set(_joined(found))


def _pages_of_frames(k: Knowledge, unsure: Unsure) -> None:
    """The pages that these frames stand behind, or to which they are mapped."""
    found = list(unsure.pages)
    for run in unsure.frames:
        for relation in (k.behind, k.reached):
            for mfn in relation.within(run.first, run.last):
                found += [Run(vm, gfn, gfn) for vm, gfn in relation.holders[mfn]]
        for table, ranges in k.leading:
            for vm, piece, mfn in ranges.leading_to(run.first, run.last):
                low, high = max(run.first, mfn), min(run.last, mfn + piece.last - piece.first)
                found += _not_alone(k, table, Run(vm, piece.first + low - mfn, piece.first + high - mfn))
    unsure.pages = set(_joined(found))


def _not_alone(k: Knowledge, table: Known, run: Run) -> Iterator[Run]:
    """These pages without those of which the table has an entry of their own, which says otherwise than the piece does."""
    first = run.first
    for gfn in sorted(k.mentioned_pages.within(run.whose, run.first, run.last)):
        if dict.__contains__(table, (run.whose, gfn)):
            if first < gfn:
                yield Run(run.whose, first, gfn - 1)
            first = gfn + 1
    if first <= run.last:
        yield Run(run.whose, first, run.last)


def _forget_pages(k: Knowledge, run: Run) -> None:
    vm = run.whose
    keys: list[Key] = [(vm, gfn) for gfn in k.mentioned_pages.within(vm, run.first, run.last)]
    _forget_slots(k, run, keys)
    for table in [k.tables[name] for name in BY_PAGE if name not in ("grants", "lingering", *HELD)]:
        _open(table, run, keys)
    _open(k.lingering, run, keys)
    for key in keys:
        k.behind.put(key, ())
        k.reached.put(key, ())
        k.cached.get(vm, set()).discard(key[1])
        if not run.is_one and not any(key in k.tables[name] for name in ("grants", *HELD)):
            k.mentioned_pages.discard(*key)
        k.look(key)
    for key in [key for key in k.late if key[0] == vm and run.first <= key[1] <= run.last]:
        k.late.discard(key)


def _forget_contents(k: Knowledge, run: Run) -> None:
    """Nothing is known any more of what pages hold, nor of copies of it. What was reported as free may be lost as before."""
    keys: list[Key] = [(run.whose, gfn) for gfn in k.mentioned_pages.within(run.whose, run.first, run.last)]
    pages = k.tables["bare_memory"]
    lost = [key for key in keys if (page := pages.get(key)) is not None and page.either is not None]
    _forget_slots(k, run, keys)
    for key in keys:
        entry = k.backing(key)
        if entry is not None and entry.resident:
            dict.pop(k.tables["memory"], entry.mfn, None)
    assert pages.ranges is not None
    several = [piece for piece in pages.ranges.overlapping(run.whose, run.first, run.last) if type(piece.value) is Reported]
    for name in HELD:
        _open(k.tables[name], run, keys)
    for piece in several:
        first, last = max(run.first, piece.first), min(run.last, piece.last)
        if first <= last and not run.is_one:
            pages.put_range(run.whose, first, last, Reported.UNKNOWN)
    for key in lost:
        pages[key] = lost_perhaps()


def _open(table: Known, run: Run, keys: Iterable[object]) -> None:
    """Nothing is known of these from now on. Of a translation that may be cached that means: there is none."""
    if run.is_one:
        key: Any = run.first if table.name == "frames" else (run.whose, run.first)
        if table.name == "lingering":
            table[key] = ()
        elif table.name == "bare_memory":
            table[key] = Contents()
        else:
            table.forget(key)
        return
    for key in keys:
        dict.pop(table, key, None)
        table.opened.discard(key)
    table.put_range(run.whose, run.first, run.last, () if table.name == "lingering" else Open)


def _forget_slots(k: Knowledge, run: Run, keys: Iterable[Key]) -> None:
    """What is in the swap slots of these pages is not known any more, nor whose they are."""
    p2m, keys = k.tables["p2m"], list(keys)
    assert p2m.ranges is not None
    entries = [p2m.told(key) for key in keys] + [
        piece.value for piece in p2m.ranges.overlapping(run.whose, run.first, run.last) if piece.value is not Open
    ]
    slots = {entry.slot for entry in entries if entry is not None and entry.slot != NOTHING}
    # it may be unknown already where a page is, and not yet whose a slot is
    slots |= {slot for key in keys for slot in k.copies.of(key)}
    slots |= {slot for (vm, gfn), slot in k.untold_copies.items() if vm == run.whose and run.first <= gfn <= run.last}
    for slot in slots:
        k.tables["swap"].forget(slot)
        k.tables["slots"].forget(slot)


def _forget_frames(k: Knowledge, run: Run) -> None:
    mfns = k.mentioned_frames.within(0, run.first, run.last)
    _open(k.tables["frames"], run, mfns)
    for mfn in mfns:
        dict.pop(k.tables["memory"], mfn, None)
        if not run.is_one:
            k.mentioned_frames.discard(0, mfn)


def _forget_vm(k: Knowledge, vm: int) -> None:
    """What is known of a VM beside its pages."""
    k.obscure.add(vm)
    for processor in [processor for (of, _), processor in k.processors.items() if of == vm]:
        processor.lose()
    for kept in (k.memory_slots, k.emulated):
        for key in [key for key in kept if key[0] == vm]:
            del kept[key]
    for key in [key for key in k.table_pages if key[0] == vm]:
        del k.table_pages[key]
    k.tables["balloon"].forget(vm)
    for ring in [ring for ring in k.rings if ring[0] == vm]:
        k.rings[ring] = DirtyRing()
