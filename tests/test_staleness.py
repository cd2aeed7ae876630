"""The envelope of stale translations: what each invalidation must make a processor forget, and what it may keep."""

import pytest

from refmodel.language import Fault
from refmodel.machine.guest_walk import Access, Cpu
from refmodel.machine.staleness import Remembered, Tag
from refmodel.machine.words import RW, US, A, D, G, Marked, P

FULL = P | RW | US | A | D
CPU = Cpu(cr3=0x1000)
HERE, OTHER_PCID, OTHER_VPID = Tag(vpid=1, pcid=1, eptp=0x9000), Tag(vpid=1, pcid=2, eptp=0x9000), Tag(vpid=2, pcid=1, eptp=0xA000)
NEIGHBOUR = 0x1000


def tables(leaf: int = 0x7000 | FULL) -> dict[int, int]:
    return {0x1000: 0x2000 | FULL, 0x2000: 0x3000 | FULL, 0x3000: 0x4000 | FULL, 0x4000: leaf, 0x4008: 0x8000 | FULL}


def remembered(leaf: int = 0x7000 | FULL, tag: Tag = HERE) -> Remembered:
    """Everything about two pages."""
    memory = Remembered(global_pages=True)
    for gva in (0, NEIGHBOUR):
        memory.may_read(Marked(tables(leaf)), tag, CPU, gva)
    return memory


def frames(memory: Remembered, now: dict[int, int], tag: Tag = HERE, gva: int = 0, access: Access = Access()) -> set[object]:
    """Where an access may go, or the code of its fault."""
    found: set[object] = set()
    for _, end in memory.ways(lambda: Marked(now), tag, CPU, gva, access):
        found.add(end.code if isinstance(end, Fault) else end.physical & ~0xFFF)  # type: ignore[attr-defined]
    return found


OLD, FAULT = 0x7000, 0


@pytest.mark.parametrize(("forget", "leaf", "kept"), [
    (lambda m: None, 0x7000 | FULL, True),
    (lambda m: m.invlpg(HERE, 0), 0x7000 | FULL, False),
    (lambda m: m.invlpg(HERE, 0x55), 0x7000 | FULL, False),
    (lambda m: m.invlpg(HERE, NEIGHBOUR), 0x7000 | FULL, True),
    (lambda m: m.invlpg(OTHER_PCID, 0), 0x7000 | FULL, True),
    (lambda m: m.invlpg(OTHER_PCID, 0), 0x7000 | FULL | G, False),
    (lambda m: m.invlpg(OTHER_VPID, 0), 0x7000 | FULL | G, True),
    (lambda m: m.mov_cr3(HERE), 0x7000 | FULL, False),
    (lambda m: m.mov_cr3(HERE), 0x7000 | FULL | G, True),
    (lambda m: m.mov_cr3(HERE, pcid_enabled=True), 0x7000 | FULL, False),
    (lambda m: m.mov_cr3(OTHER_PCID, pcid_enabled=True), 0x7000 | FULL, True),
    (lambda m: m.mov_cr3(HERE, pcid_enabled=True, keep=True), 0x7000 | FULL, True),
    (lambda m: m.mov_cr4(HERE, True), 0x7000 | FULL | G, False),
    (lambda m: m.invpcid(0, HERE, 1, 0), 0x7000 | FULL, False),
    (lambda m: m.invpcid(0, HERE, 1, 0), 0x7000 | FULL | G, True),
    (lambda m: m.invpcid(0, HERE, 1, NEIGHBOUR), 0x7000 | FULL, True),
    (lambda m: m.invpcid(0, HERE, 2, 0), 0x7000 | FULL, True),
    (lambda m: m.invpcid(1, HERE, 1), 0x7000 | FULL, False),
    (lambda m: m.invpcid(1, HERE, 1), 0x7000 | FULL | G, True),
    (lambda m: m.invpcid(2, HERE), 0x7000 | FULL | G, False),
    (lambda m: m.invpcid(3, HERE), 0x7000 | FULL, False),
    (lambda m: m.invpcid(3, HERE), 0x7000 | FULL | G, True),
    (lambda m: m.invvpid(0, 1, 0), 0x7000 | FULL | G, False),
    (lambda m: m.invvpid(0, 1, NEIGHBOUR), 0x7000 | FULL, True),
    (lambda m: m.invvpid(1, 1), 0x7000 | FULL | G, False),
    (lambda m: m.invvpid(1, 2), 0x7000 | FULL, True),
    (lambda m: m.invvpid(2), 0x7000 | FULL | G, False),
    (lambda m: m.invvpid(3, 1), 0x7000 | FULL, False),
    (lambda m: m.invvpid(3, 1), 0x7000 | FULL | G, True),
    (lambda m: m.invept(1, 0x9000), 0x7000 | FULL, False),
    (lambda m: m.invept(1, 0xA000), 0x7000 | FULL, True),
    (lambda m: m.invept(2), 0x7000 | FULL | G, False),
    (lambda m: m.page_fault(HERE, 0), 0x7000 | FULL, False),
    (lambda m: m.page_fault(HERE, NEIGHBOUR), 0x7000 | FULL, True),
    (lambda m: m.vm_transition(vpids_enabled=False), 0x7000 | FULL, True),
])
def test_what_is_invalidated_is_used_no_more(forget: object, leaf: int, kept: bool) -> None:
    memory = remembered(leaf)
    forget(memory)  # type: ignore[operator]
    assert frames(memory, tables(0)) == ({OLD, FAULT} if kept else {FAULT})


def test_without_vpids_a_transition_forgets_the_host_s_tag() -> None:
    memory = remembered(tag=Tag())
    memory.vm_transition(vpids_enabled=True)
    assert frames(memory, tables(0), Tag()) == {OLD, FAULT}
    memory.vm_transition(vpids_enabled=False)
    assert frames(memory, tables(0), Tag()) == {FAULT}


def test_nobody_uses_another_s_chains_but_global_ones() -> None:
    assert frames(remembered(), tables(0), OTHER_PCID) == {FAULT}
    assert frames(remembered(0x7000 | FULL | G), tables(0), OTHER_PCID) == {OLD, FAULT}
    assert frames(remembered(0x7000 | FULL | G), tables(0), OTHER_VPID) == {FAULT}


def test_what_is_not_present_is_never_remembered() -> None:
    memory = remembered(0)
    assert frames(memory, tables()) == {OLD}


def test_reserved_bits_are_never_remembered() -> None:
    memory = remembered(0x7000 | FULL | 1 << 45)
    assert frames(memory, tables()) == {OLD}


def test_old_upper_entries_mix_with_new_lower_ones() -> None:
    memory = remembered()
    now = {**tables(), 0x3000: 0x5000 | FULL, 0x5000: 0xA000 | FULL, 0x4000: 0xB000 | FULL}
    assert frames(memory, now) == {0x7000, 0xA000, 0xB000}  # the translation; all new; an old PDE and a new PTE
    memory.invlpg(HERE, 0)
    assert frames(memory, now) == {0xA000}


def test_rights_taken_away_may_still_be_used_and_rights_given_may_be_missed_once() -> None:
    write = Access(write=True)
    assert frames(remembered(), tables(0x7000 | FULL & ~RW), access=write) == {0x7000, 3}
    memory = remembered(0x7000 | FULL & ~RW)
    assert frames(memory, tables(), access=write) == {0x7000, 3}
    memory.page_fault(HERE, 0)
    assert frames(memory, tables(), access=write) == {0x7000}


def test_a_translation_with_a_clear_dirty_flag_is_not_used_for_a_store() -> None:
    memory = remembered(0x7000 | FULL & ~D)
    assert frames(memory, tables(0)) == {OLD, FAULT}
    assert frames(memory, tables(0), access=Access(write=True)) == {2}


def test_a_store_through_memory_marks_it_and_one_through_the_cache_does_not() -> None:
    memory = remembered()
    marks = [m.marks for m, _ in memory.ways(lambda: Marked(tables()), HERE, CPU, 0, Access(write=True))]
    assert [(0x1000, A), (0x2000, A), (0x3000, A), (0x4000, A | D)] in marks and [] in marks
