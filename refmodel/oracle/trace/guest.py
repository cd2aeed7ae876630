"""What a guest saw of its memory, by guest-physical address."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence

from refmodel.language import Law
from refmodel.laws import contract, equivalence, isolation
from refmodel.monitor.frames import Use
from refmodel.oracle.trace import reported
from refmodel.oracle.trace.contents import FULL, Contents
from refmodel.oracle.trace.deviations import Deviates, Inconsistent
from refmodel.oracle.trace.events import Cell, Exit, Hole, Load, Store
from refmodel.oracle.trace.knowledge import About, Knowledge, deviates
from refmodel.oracle.trace.observed import borrowed_entries_lead_where_grants_say
from refmodel.oracle.trace.tables import Key, Open


def load(k: Knowledge, event: Load) -> None:
    """A load shows what was stored last."""
    shift, mask = span(event.gpa, event.value, event.size)
    at = event.vm, event.gpa >> 12
    learn(k, reached(k, *at), event.gpa & 0xFF8, event.value << shift, mask)
    if event.by == "guest":
        reported.access(k, event.cpu, at, write=False)


def learn(k: Knowledge, key: Key, offset: int, bits: int, mask: int) -> None:
    """A word of a page was seen, or some of its bytes."""
    must_be_there(k, key)
    page = k.page(*key)
    if not page.learn(offset, bits, mask):
        k.unless_silent(wrong_data(page, key, offset, bits, mask), About(frozenset({key})), contents=True)
        k.page(*key).learn(offset, bits, mask)
    if page.zeroed and offset not in page.words:
        page.words[offset] = 0  # so that the next look is a short one


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
    """A store to a page that is watched, or not known yet, or of less than a word."""
    shift, mask = span(event.gpa, event.value, event.size)
    at = event.vm, event.gpa >> 12
    write(k, event.vm, at, event.gpa & 0xFF8, event.value << shift, mask)
    if event.by == "guest":
        reported.access(k, event.cpu, at, write=True)


def write(k: Knowledge, vm: int, at: Key, offset: int, bits: int, mask: int) -> None:
    """A store by a guest, to a page of its own or to one that it borrows."""
    key = reached(k, *at)
    must_be_there(k, key)
    grant = k.state.grants.find(at)
    if grant is not None and grant.present and not grant.writable:
        k.unless_silent(deviates(borrowed_entries_lead_where_grants_say, at, "the page was granted for reading only"),
                        About(frozenset({at, key})))
    if key in k.table_pages:
        k.store_to_table(k, key, offset, bits, mask)
    page = k.page(*key)
    if page.plain or k.backing(key) is None:
        page.put(offset, bits, mask)
        return
    entry = k.state.p2m[key]
    frames = frozenset({entry.mfn} if entry.resident else ())
    actor = vm if key == at else key[0]  # what a borrower does to a page that was granted to it, its owner let it do
    with k.judging(About(frozenset({key}), frames, actor=actor)):
        after = k.state.bare_memory[key] = changed(page, offset, bits, mask)
        if entry.resident:
            frame = k.state.frames.find(entry.mfn)
            k.state.memory[entry.mfn] = after if frame is not None and frame.use == Use.PRIVATE else changed(
                k.state.memory[entry.mfn], offset, bits, mask)


def changed(page: Contents, offset: int, bits: int, mask: int) -> Contents:
    """What a page holds after a store."""
    other = page.copy()
    other.put(offset, bits, mask)
    return other


def hole(k: Knowledge, event: Hole) -> None:
    """There is said to be no memory."""
    key = (event.vm, event.gpa >> 12)
    if k.state.plugged.find(key) or in_ram(k, key):
        k.unless_silent(about_page(equivalence.holes_are_real, key, f"for vm {key[0]}, gfn {key[1]:#x}"), About(frozenset({key})))


def exit_(k: Knowledge, event: Exit) -> None:
    """An access exited. Whoever handles the exit may carry it out."""
    key = event.vm, event.gpa >> 12
    k.emulated[event.vm, event.cpu] = key[1], event.write
    with contextlib.suppress(Open):
        if k.state.gives(*key, event.write) and not k.state.grants[key].present:
            mapped = f"for vm {event.vm}, gfn {key[1]:#x}, which is mapped{' writable' if event.write else ''}"
            k.unless_silent(about_page(contract.a_derived_entry_does_not_exit, key, mapped), About(frozenset({key})))


def dumped(k: Knowledge, event: Cell) -> None:
    """A word of guest memory, read by whoever dumps it."""
    _, mask = span(event.gpa, event.value, 8)
    learn(k, reached(k, event.vm, event.gpa >> 12), event.gpa & 0xFF8, event.value, mask)


def reached(k: Knowledge, vm: int, gfn: int) -> Key:
    """The page that a guest reaches there: its own, or the one that it borrows."""
    grant = k.state.grants.find((vm, gfn))
    return (vm, gfn) if grant is None or not grant.present else (grant.vm, grant.gfn)


def must_be_there(k: Knowledge, key: Key) -> None:
    """An access has completed."""
    if k.state.plugged.find(key) is False and not in_ram(k, key):
        due = about_page(equivalence.faults_come_when_due, key, f"there is no memory at vm {key[0]}, gfn {key[1]:#x}")
        k.unless_silent(due, About(frozenset({key})))
        k.tables["plugged"].forget(key)


def in_ram(k: Knowledge, key: Key) -> bool:
    entry = k.backing(key)
    mentioned = entry is not None and key in k.tables["p2m"]
    return not mentioned and any(vm == key[0] and first <= key[1] <= last for vm, first, last in k.rams)


def span(address: int, value: int, size: int) -> tuple[int, int]:
    """Where in its 8-byte word an access lies: the shift in bits, and the mask."""
    if address % size:
        raise Inconsistent("gpa", f"{address:#x} is not a multiple of the size, {size} bytes")
    if value >> 8 * size:
        raise Inconsistent("value", f"{value:#x} has more than {8 * size} bits")
    shift = 8 * (address & 7)
    return shift, FULL >> 64 - 8 * size << shift
