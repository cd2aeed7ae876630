"""What a guest saw of its memory, by guest-physical address."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence

from refmodel.language import NOTHING, Law
from refmodel.laws import contract, equivalence, isolation
from refmodel.machine.x86.words import A, P
from refmodel.monitor.dirty_logging import Sent
from refmodel.monitor.frames import Use
from refmodel.oracle.trace import exits, reported, stretches
from refmodel.oracle.trace.changes import (
    about,
    copy_is_good_no_more,
    drop_copy,
    given_untold,
    hold,
    keep_as_last_sharer,
    lose_sight,
    may_be_lost,
    noticed,
)
from refmodel.oracle.trace.contents import Contents
from refmodel.oracle.trace.deviations import Deviates, Inconsistent
from refmodel.oracle.trace.events import Cell, DmaRead, DmaWrite, Exit, Hole, Load, Mmio, Store
from refmodel.oracle.trace.knowledge import CALM, About, Knowledge, deviates
from refmodel.oracle.trace.observed import borrowed_entries_lead_where_grants_say
from refmodel.oracle.trace.silence import unless_silent
from refmodel.oracle.trace.tables import Key, Open

MANY = 64
"""Pages in a row that are judged as one, where they are alike."""


def load(k: Knowledge, event: Load) -> None:
    """A load shows what was stored last. Of a private page the monitor sees what it may, such as ciphertext."""
    parts = [*pieces(event.vm, event.gpa, event.value, event.size)]
    if len(parts) > 1:  # what is wrong comes first, so that nothing is learned of the rest
        parts.sort(key=lambda part: _may_be(k, *part))
    is_known = any(_is_known(k, *part) for part in parts)
    k.across = frozenset(key[1] for key, *_ in parts)
    for key, offset, bits, mask in parts:
        at = reached(k, *key)
        if event.by == "guest" or not k.may_be_private(at):
            try:
                learn(k, at, offset, bits, mask)
            except Deviates as why:
                if len(parts) > 1 and why.expected and why.expected[0].startswith("value "):
                    why.expected = (f"value {_due(k, event):#x}",)
                raise
    if event.by == "guest":
        reported.access(k, event.cpu, dict.fromkeys(key for key, *_ in parts), write=False)
    k.believed += not is_known


def _due(k: Knowledge, event: Load) -> int:
    """The value that a load was to show, as far as that is known; what is not known is as it was seen."""
    due = 0
    for key, offset, bits, mask in pieces(event.vm, event.gpa, event.value, event.size):
        page = k.pages.get(reached(k, *key))
        held, known = (0, 0) if page is None else page.bits(offset)
        shown = (held & known & mask) | (bits & ~known)
        ahead = 8 * ((key[1] << 12 | offset) - event.gpa)
        due |= shown << ahead if ahead >= 0 else shown >> -ahead
    return due


def _is_known(k: Knowledge, at: Key, offset: int, bits: int, mask: int) -> bool:
    """Whether anything is known of what is looked at."""
    key = reached(k, *at)
    page = k.pages.get(key)
    if page is None:
        return k.tables["bare_memory"].told(key) is True  # one of many that hold zeroes
    return bool(page.bits(offset)[1] & mask)


def _may_be(k: Knowledge, at: Key, offset: int, bits: int, mask: int) -> bool:
    page = k.pages.get(reached(k, *at))
    return page is None or page.may_be(offset, bits, mask)


def may_complete(k: Knowledge, event: Load | Store) -> None:
    """That translations let an access complete, before anything comes of it. Raises ``Deviates``."""
    if event.by == "guest":
        keys = dict.fromkeys(key for key, *_ in pieces(event.vm, event.gpa, event.value, event.size))
        k.across = frozenset(gfn for _, gfn in keys)
        reported.may_complete(k, event.cpu, keys, write=isinstance(event, Store))


def learn(k: Knowledge, key: Key, offset: int, bits: int, mask: int) -> None:
    """A word of a page was seen, or some of its bytes."""
    must_be_there(k, key)
    if key in k.lent:
        return
    page = k.page(*key)
    was_reported, may_go = page.is_reported, may_be_lost(k, key)
    if was_walked(k, key, offset, bits & mask):
        for contents in held(k, key):
            contents.doubt(offset, A)
    if not page.learn(offset, bits, mask):
        unless_silent(k, wrong_data(page, key, offset, bits, mask), About(frozenset({key})), contents=True)
        k.page(*key).learn(offset, bits, mask)
    if k.is_kept_now(key, was_reported) and may_go:  # what it held is lost, and so its frame may be
        with k.judging(about(k, key)):
            lose_sight(k, key)
    if key in k.table_pages:
        k.seen_in_table(k, key, offset)
    if page.zeroed and offset not in page.words and page.either is None:
        page.words[offset] = 0  # so that the next look is a short one


def was_walked(k: Knowledge, key: Key, offset: int, seen: int) -> bool:
    """Whether this may be an entry in which the accessed flag is seen set, and was known to be clear: a processor may walk there of
    its own accord, and then sets the flag (SDM Vol. 3A 4.8, 4.10.2.3). Where nobody tells CR3, any page may be a table."""
    had, known = k.page(*key).bits(offset)
    if not seen & A & known & ~had or known & ~had & P:
        return False
    untold = not k.closed or "registers" in k.silent or not any(vm == key[0] for vm, _ in k.processors)
    return untold or key in k.table_pages


def held(k: Knowledge, key: Key) -> list[Contents]:
    """What a page is known to hold, and what its frame is, if that is kept apart."""
    page = k.page(*key)
    entry = k.backing(key)
    of_frame = k.tables["memory"].get(entry.mfn) if entry is not None and entry.resident else None
    return [page] if of_frame is None or of_frame is page else [page, of_frame]


def wrong_data(page: Contents, key: Key, offset: int, bits: int, mask: int) -> Deviates:
    """Other data than is due: the frame's former owner's, if they are that."""
    due, known = page.bits(offset)
    expected = [f"value {due & mask & known:#x}"]
    if page.former is not None and due == 0:
        left, seen = page.former.bits(offset)
        if left & seen & mask == bits & seen & mask != 0:
            found = deviates(isolation.a_new_page_holds_nothing, key, "the value is what the frame's former owner left in it")
            found.expected = tuple(expected)
            return found
    return about_page(equivalence.data_read_is_data_written, key, f"for vm {key[0]}, gfn {key[1]:#x}, offset {offset:#x}", expected)


def about_page(law: Law, key: Key, why: str, expected: Sequence[str] = ()) -> Deviates:
    """What a guest saw of a page is not as this law has it."""
    found = Deviates(law.clause, law.name, law.sentence, expected, why)
    found.names = (("vm", key[0]), ("gfn", key[1]))
    return found


def store(k: Knowledge, event: Store) -> None:
    """A store to a page that is watched, or not known yet, or of something else than a word."""
    parts = [*pieces(event.vm, event.gpa, event.value, event.size)]
    k.across = frozenset(key[1] for key, *_ in parts)
    for key, offset, bits, mask in parts:
        if event.by == "guest":
            reported.within_its_slot(k, key)
        if event.by != "guest" or event.vm not in k.mapping or exits.may_carry_out(k, event.vm, event.cpu, key[1], True):
            _copy_is_good_no_more(k, reached(k, *key))
        write(k, event.vm, key, offset, bits, mask)
        at = reached(k, *key)
        if event.by == "monitor" or at[0] != event.vm:
            reported.from_outside(k, at)
    if event.by == "guest":
        reported.access(k, event.cpu, dict.fromkeys(key for key, *_ in parts), write=True)


def _copy_is_good_no_more(k: Knowledge, key: Key) -> None:
    """The monitor stores to a page itself, or a backend of a device does by the host's own mapping, or a guest whose translations
    nobody tells: so the copy on swap is known to be old. Whether the guest may write to the page does not change."""
    entry = k.backing(key)
    if entry is not None and entry.mapped and entry.slot != NOTHING:
        with k.judging(about(k, key, slots=(entry.slot,))):
            drop_copy(k, key)


def dma_write(k: Knowledge, event: DmaWrite) -> None:
    """Without a value, nothing is known any more of what is there."""
    within_52_bits(event.gpa, event.size)
    if event.value is not None:
        for key, offset, bits, mask in pieces(event.vm, event.gpa, event.value, event.size):
            reported.device(k, key, write=True)
            _copy_is_good_no_more(k, reached(k, *key))
            write(k, event.vm, key, offset, bits, mask)
        return
    end = event.gpa + event.size
    first, last = -(-event.gpa >> 12), (end >> 12) - 1
    at = event.gpa
    for start, stop in _many_alike(k, event.vm, first, last):
        _bytes_unknown(k, event.vm, at, start << 12)
        _pages_unknown(k, event.vm, start, stop)
        at = stop + 1 << 12
    _bytes_unknown(k, event.vm, at, end)


def _many_alike(k: Knowledge, vm: int, first: int, last: int) -> list[tuple[int, int]]:
    """Where many pages in a row are kept in pieces, none of them by itself."""
    if last - first < MANY:
        return []
    alone = [start for start, _, is_single in stretches.alike(k, vm, first, last) if is_single]
    starts, ends = [first, *(gfn + 1 for gfn in alone)], [*(gfn - 1 for gfn in alone), last]
    return [(start, stop) for start, stop in zip(starts, ends, strict=True) if stop - start >= MANY]


def _bytes_unknown(k: Knowledge, vm: int, start: int, end: int) -> None:
    """Something was written by a device from one address to another, it is not said what."""
    for gfn in range(start >> 12, (end - 1 >> 12) + 1):
        low, high = max(start, gfn << 12), min(end, (gfn + 1) << 12)
        reported.device(k, (vm, gfn), write=True)
        unknown(k, (vm, gfn), low & 0xFFF, high - low)


def _pages_unknown(k: Knowledge, vm: int, first: int, last: int) -> None:
    """The same of whole pages that are alike."""

    def judge(gfn: int) -> None:
        reported.device(k, (vm, gfn), write=True)
        key = reached(k, vm, gfn)
        must_be_there(k, key)
        written(k, key, Contents())

    with stretches.together(k):
        stretches.stretch(k, vm, first, last, judge)


def unknown(k: Knowledge, at: Key, offset: int, size: int) -> None:
    """Something was written to so many bytes of a page, it is not said what."""
    key = reached(k, *at)
    must_be_there(k, key)
    k.page(*key)
    if k.by_step:
        k.taken(key, DmaWrite, written, key)
    else:
        written(k, key)
    page = k.page(*key)
    was_reported, old = page.is_reported, page.copy() if key in k.table_pages else None
    page.forget(offset, size)
    k.is_kept_now(key, was_reported)
    if old is not None:
        k.table_changed(k, key, old)


def written(k: Knowledge, key: Key, contents: Contents | None = None) -> None:
    """Something was written to a page. What it held is forgotten after this, unless it is said what it holds: no law is broken by
    that."""
    given_untold(k, key, stored_to=True)
    copy_is_good_no_more(k, key)
    noticed(k, key)
    with k.judging(about(k, key, actor=key[0])):
        hold(k, key, k.page(*key) if contents is None else contents)


def dma_read(k: Knowledge, event: DmaRead) -> None:
    within_52_bits(event.gpa, event.size)
    for gfn in range(event.gpa >> 12, (event.gpa + event.size - 1 >> 12) + 1):
        reported.device(k, (event.vm, gfn), write=False)
    if event.value is not None:
        for key, offset, bits, mask in pieces(event.vm, event.gpa, event.value, event.size):
            at = reached(k, *key)
            if not k.may_be_private(at):  # of a private page it sees what it may, such as ciphertext
                learn(k, at, offset, bits, mask)


def within_52_bits(gpa: int, size: int, field: str = "gpa") -> None:
    """Raise ``Inconsistent`` unless so many bytes from an address on have addresses."""
    if gpa + size > 1 << 52:
        raise Inconsistent(field, f"{gpa:#x} and {size} bytes from there do not fit into 52 bits")


def pieces(vm: int, gpa: int, value: int, size: int) -> Iterator[tuple[Key, int, int, int]]:
    """An access word by word: the page, the offset of the word, and the bits of it that are concerned."""
    if value >> 8 * size:
        raise Inconsistent("value", f"{value:#x} has more than {8 * size} bits")
    within_52_bits(gpa, size)
    at, end = gpa, gpa + size
    while at < end:
        here = min(end, (at | 7) + 1) - at
        shift = 8 * (at & 7)
        bits = value >> 8 * (at - gpa) & (1 << 8 * here) - 1
        yield (vm, at >> 12), at & 0xFF8, bits << shift, (1 << 8 * here) - 1 << shift
        at += here


def write(k: Knowledge, vm: int, at: Key, offset: int, bits: int, mask: int) -> None:
    """A store by a guest, to a page of its own or to one that it borrows."""
    key = reached(k, *at)
    must_be_there(k, key)
    grant = k.state.grants.find(at)
    if grant is not None and grant.present and not grant.writable:
        unless_silent(
            k,
            deviates(borrowed_entries_lead_where_grants_say, at, "the page was granted for reading only"),
            About(frozenset({at, key})),
        )
    if key in k.table_pages:
        k.store_to_table(k, key, offset, bits, mask)
    page = k.page(*key)
    if key in k.lent:
        page.forget(0, 4096)
        mask = 0
    if k.marks_late and k.state.sent.find(key) in (Sent.PROTECTED, Sent.THERE):
        k.late.add(key)
    given_untold(k, key, stored_to=True)
    copy_is_good_no_more(k, key)
    if page.plain or _is_its_own(k, key, page):
        was_reported = page.is_reported
        page.put(offset, bits, mask)
        k.is_kept_now(key, was_reported)
        return
    entry = k.backing(key)
    frames = frozenset({entry.mfn} if entry is not None and entry.resident else ())
    actor = vm if key == at else key[0]  # what a borrower does to a page that was granted to it, its owner let it do
    with k.judging(About(frozenset({key}), frames, actor=actor)):
        keep_as_last_sharer(k, key)
        page = k.page(*key)
        after = k.state.bare_memory[key] = changed(page, offset, bits, mask)
        if entry is not None and entry.resident:
            frame = k.state.frames.find(entry.mfn)
            k.state.memory[entry.mfn] = (
                after if frame is not None and frame.use == Use.PRIVATE else changed(k.state.memory[entry.mfn], offset, bits, mask)
            )


def _is_its_own(k: Knowledge, key: Key, page: Contents) -> bool:
    """Whether a store to a page changes that page, and breaks no law of its frame or of the dirty log. Rights are judged apart."""
    entry = k.backing(key)
    return k.state.sent.find(key) in CALM and (
        entry is None or (entry.mapped and entry.writable and k.tables["memory"].get(entry.mfn) is page)
    )


def changed(page: Contents, offset: int, bits: int, mask: int) -> Contents:
    """What a page holds after a store."""
    other = page.copy()
    other.put(offset, bits, mask)
    return other


def hole(k: Knowledge, event: Hole) -> None:
    """There is said to be no memory."""
    key = reached(k, event.vm, event.gpa >> 12)
    if k.state.plugged.find(key):
        unless_silent(k, about_page(equivalence.holes_are_real, key, f"for vm {key[0]}, gfn {key[1]:#x}"), About(frozenset({key})))


def mmio(k: Knowledge, event: Mmio) -> None:
    """A device model has answered. Memory that guests may only read answers their stores so."""
    key = event.vm, event.gpa >> 12
    grant = k.state.grants.find(key)
    is_read_only = k.may_be_read_only(key) or (grant is not None and grant.present and not grant.writable)
    if not (event.write and is_read_only):
        hole(k, Hole(vm=event.vm, gpa=event.gpa, write=event.write))


def exit_(k: Knowledge, event: Exit) -> None:
    """An access exited."""
    key = event.vm, event.gpa >> 12
    exits.exited(k, event)
    with contextlib.suppress(Open):
        fetches = not event.fetch or k.state.executable.find(key)
        if fetches and _gives(k, key, event.write):
            if exits.may_be_late(k, event) or (event.write and exits.may_lack_the_right(k, *key)):
                return
            mapped = f"for vm {event.vm}, gfn {key[1]:#x}, which is mapped{' writable' if event.write else ''}"
            unless_silent(k, about_page(contract.a_derived_entry_does_not_exit, key, mapped), About(frozenset({key})))


def _gives(k: Knowledge, key: Key, write: bool) -> bool:
    """Whether an access needs no exit. Raises ``Open`` if that is not known."""
    grant = k.state.grants[key]
    if not grant.present:
        return bool(k.state.gives(*key, write))
    borrowed = k.state.borrowed[key]
    return borrowed.present and (not write or (borrowed.writable and grant.writable))


def dumped(k: Knowledge, event: Cell) -> None:
    """A word of guest memory, read by whoever dumps it."""
    is_known = False
    for key, offset, bits, mask in pieces(event.vm, event.gpa, event.value, 8):
        is_known = is_known or _is_known(k, key, offset, bits, mask)
        learn(k, reached(k, *key), offset, bits, mask)
    k.believed += not is_known


def reached(k: Knowledge, vm: int, gfn: int) -> Key:
    """The page that a guest reaches there: its own, or the one that it borrows."""
    grant = k.state.grants.find((vm, gfn))
    return (vm, gfn) if grant is None or not grant.present else (grant.vm, grant.gfn)


def of_its_vm(k: Knowledge, key: Key) -> Key:
    """The page that an address of a VM is: that of which it is an alias, or itself."""
    grant = k.state.grants.find(key)
    return (grant.vm, grant.gfn) if grant is not None and grant.present and grant.vm == key[0] else key


def must_be_there(k: Knowledge, key: Key) -> None:
    """An access has completed."""
    if k.state.plugged.find(key) is False:
        due = about_page(equivalence.faults_come_when_due, key, f"there is no memory at vm {key[0]}, gfn {key[1]:#x}")
        unless_silent(k, due, About(frozenset({key})))
        k.tables["plugged"].forget(key)
