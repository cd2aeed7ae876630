"""Linux's own account of its shadow MMU: a recorded one is lawful, and each thing in it that is changed is noticed.

tests/data/kvmmmu.txt is a part of the events of a guest that was run on Linux 6.18 for the purpose, as its trace file printed them.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from refmodel.language import BadDesign
from refmodel.oracle.kvmmmu import judge_kernel_trace, walks
from refmodel.oracle.trace.verdicts import TraceVerdict
from tests.commands import refmodel

RECORDED = Path(__file__).parent / "data" / "kvmmmu.txt"
LOST = RECORDED.with_name("kvmmmu_lost.txt")
LINES = RECORDED.read_text().splitlines(keepends=True)


def replaced(pattern: str, to: str) -> Callable[[list[str]], list[str]]:
    """The first line in which this is found, changed."""

    def change(lines: list[str]) -> list[str]:
        at = next(i for i, line in enumerate(lines) if re.search(pattern, line))
        return [*lines[:at], re.sub(pattern, to, lines[at]), *lines[at + 1 :]]

    return change


def without(pattern: str) -> Callable[[list[str]], list[str]]:
    def change(lines: list[str]) -> list[str]:
        at = next(i for i, line in enumerate(lines) if re.search(pattern, line))
        return [*lines[:at], *lines[at + 1 :]]

    return change


def zapped_before_it_is_used(lines: list[str]) -> list[str]:
    """The first of the pages that are used again and were made once: two that print alike may be two pages."""
    used = ((i, m) for i, line in enumerate(lines) if (m := re.search(r"(sp gen .*) existing", line)))
    at, found = next((i, m) for i, m in used if sum(f"{m[1]} new" in line for line in lines) < 2)
    zap = re.sub(r"kvm_mmu_get_page: .*", f"kvm_mmu_prepare_zap_page: {found[1]}", lines[at])
    return [*lines[:at], zap, *lines[at:]]


def an_error_too_many(lines: list[str]) -> list[str]:
    at = next(i for i, line in enumerate(lines) if "level 1" in line) + 1
    return [*lines[:at], lines[at].split(": kvm")[0] + ": kvm_mmu_walker_error: pferr 4 U\n", *lines[at:]]


CHANGES = {
    "another error code": ("EQV-3", replaced(r"(walker_error: pferr )\w+", r"\g<1>3")),
    "no error": ("EQV-2", without("walker_error")),
    "an error where there is none": ("EQV-2", an_error_too_many),
    "a level left out": ("EQV-2", without("level 3")),
    "an entry not present": ("EQV-2", replaced(r"pte \w+ level 2", "pte 0 level 2")),
    "an accessed flag not set": ("EQV-4", without("set_accessed_bit")),
    "a dirty flag not set": ("EQV-4", without("set_dirty_bit")),
    "a flag set elsewhere": ("EQV-4", replaced(r"(set_dirty_bit: gpa )\w+", r"\g<1>10")),
    "more rights than the walk gives": ("EQV-2", replaced(r"(get_page: .* )(w-x|-ux|-u-|w--)( )", r"\g<1>wux\g<3>")),
    "a shadow of another table": ("EQV-2", replaced(r"(get_page: sp gen \w+ gfn )\w+( l1)", r"\g<1>777\g<2>")),
    "another frame": ("ISO-1", replaced(r"(spte_requested: gfn \w+ pfn )\w+", r"\g<1>123456")),
    "a zapped page": ("ISO-3", zapped_before_it_is_used),
}


PAGE = "sp gen 0 gfn 21 l1 8-byte q0 wux nxe ad root 0"


def told(*events: str, second: int = 1) -> str:
    return "".join(f"guest-1 [000] ..... {second}.{i:06}: {event}\n" for i, event in enumerate(events))


@pytest.mark.parametrize(
    "clause, events",
    [
        (
            None,
            (
                f"kvm_mmu_get_page: {PAGE} sync new",
                f"kvm_mmu_unsync_page: {PAGE} sync",
                f"kvm_mmu_get_page: {PAGE} unsync existing",
                f"kvm_mmu_sync_page: {PAGE} unsync",
                f"kvm_mmu_get_page: {PAGE} sync existing",
            ),
        ),
        (
            "EQV-5",
            (f"kvm_mmu_get_page: {PAGE} sync new", f"kvm_mmu_unsync_page: {PAGE} sync", f"kvm_mmu_get_page: {PAGE} sync existing"),
        ),
        ("EQV-5", (f"kvm_mmu_get_page: {PAGE} sync new", f"kvm_mmu_sync_page: {PAGE} sync")),
        (  # there may be two of before that print alike
            None,
            (f"kvm_mmu_get_page: {PAGE} unsync existing", f"kvm_mmu_unsync_page: {PAGE} sync"),
        ),
        (
            None,
            (
                "mark_mmio_spte: sptep:1 gfn fec00 access 3 gen 2",
                "kvm_mmu_set_spte: gfn fec00 spte 1003 (rw--) level 1 at 10",
                "mark_mmio_spte: sptep:1 gfn fec00 access 3 gen 4",
            ),
        ),
        (
            "ISO-1",
            (
                "mark_mmio_spte: sptep:1 gfn fec00 access 3 gen 2",
                "kvm_mmu_set_spte: gfn fec00 spte 1003 (rw--) level 1 at 10",
                "mark_mmio_spte: sptep:1 gfn fec00 access 3 gen 2",
            ),
        ),
    ],
)
def test_pages_fall_behind_by_turns_and_slots_are_what_they_are(
    clause: str | None, events: tuple[str, ...], tmp_path: Path
) -> None:
    (tmp_path / "t").write_text(told(*events))
    found = judge_kernel_trace(str(tmp_path / "t")).deviation
    assert (found and found.clause) == clause


def judged(lines: list[str], file: Path) -> TraceVerdict:
    file.write_text("".join(lines))
    return judge_kernel_trace(str(file))


def test_a_stretch_around_lost_events_is_lawful_and_says_what_was_judged() -> None:
    """One of sixteen such stretches of a real kernel's, ten of which were called deviations."""
    verdict = judge_kernel_trace(str(LOST))
    assert verdict.deviation is None and verdict.counted["gaps"] == 1
    assert verdict.counted["walks judged"] > 5 and verdict.counted["walks skipped"] == 4  # two cut off at the ends


@pytest.mark.parametrize(
    "line",
    [
        "CPU:0 [LOST 11165 EVENTS]",
        "CPU:0 [LOST EVENTS]",
        "CPU:0 [44 EVENTS DROPPED]",
        "CPU:0 [EVENTS DROPPED]",
        "##### CPU 0 buffer started ####",
    ],
)
def test_wherever_events_are_lost_nothing_is_called_a_deviation(line: str, tmp_path: Path) -> None:
    for at in range(0, len(LINES), 5):
        for lost in (1, 4, 30):
            verdict = judged([*LINES[:at], line + "\n", *LINES[at + lost :]], tmp_path / "t")
            assert verdict.deviation is None, f"{lost} lines lost at {at}: {verdict.deviation}"
            assert verdict.counted["gaps"] == 1


def test_a_loss_on_another_cpu_is_reported_late_and_still_covers_what_came_about_before(tmp_path: Path) -> None:
    """A task whose events on CPU 7 were lost seems to leave out a level. The line that says so comes when CPU 7 next speaks."""
    at = next(i for i, line in enumerate(LINES) if "level 3" in line)
    elsewhere, again = (f"other-9 [007] ..... {time}: kvm_mmu_zap_all_fast: x\n" for time in ("0.5", "9999.5"))
    left_out = [elsewhere, *LINES[:at], *LINES[at + 1 :]]
    lossy = judged([*left_out, "CPU:7 [LOST 3 EVENTS]\n", again], tmp_path / "t")
    assert lossy.deviation is None
    assert any("would have been" in note for note in lossy.notes)
    for whole in (left_out, [*left_out, again], [*left_out, again, "CPU:7 [LOST 3 EVENTS]\n", again]):
        found = judged(whole, tmp_path / "t").deviation
        assert found is not None and found.clause == "EQV-2"


def test_a_deviation_before_or_after_a_gap_is_found(tmp_path: Path) -> None:
    _, change = CHANGES["another error code"]
    lost = ["CPU:0 [LOST 5 EVENTS]\n"]
    for lines in ([*lost, *change(LINES)], [*change(LINES), *lost]):
        found = judged(lines, tmp_path / "t").deviation
        assert found is not None and found.clause == "EQV-3"


def test_shadow_pages_of_two_vcpus_are_one_page_or_two(tmp_path: Path) -> None:
    """Which VM a task belongs to is not reported. What one vCPU's task does to a page of that name may be the other's page."""
    one = told(f"kvm_mmu_get_page: {PAGE} sync new", f"kvm_mmu_unsync_page: {PAGE} sync").splitlines(keepends=True)
    other = told(f"kvm_mmu_sync_page: {PAGE} unsync", second=2).replace("guest-1", "guest-2")
    again = told(f"kvm_mmu_get_page: {PAGE} sync existing", second=3)
    assert judged([*one, other, again], tmp_path / "t").deviation is None
    assert judged([*one, again], tmp_path / "t").deviation is not None


def test_lines_that_are_not_understood_are_counted(tmp_path: Path) -> None:
    verdict = judged([*LINES, "guest 4711 [000] 4221.1: kvmmmu:kvm_mmu_paging_element: pte 1 level 1\n"], tmp_path / "t")
    assert verdict.deviation is None and any(f"line {len(LINES) + 1}" in note for note in verdict.notes)


def test_where_nothing_can_be_held_to_anything_the_verdict_is_undecided(tmp_path: Path) -> None:
    (tmp_path / "t").write_text(told("kvm_mmu_paging_element: pte 23067 level 4"))
    assert judge_kernel_trace(str(tmp_path / "t")).judged == 0
    done = refmodel("judge", "--format", "kvmmmu", str(tmp_path / "t"))
    assert done.returncode == 3 and "undecided" in done.stdout


@pytest.mark.parametrize(
    "entry", [0x23067, 0x23005, 0x800000023067, 0xFFFFFF000A3, 0x8000000000023067, 0x230A7, 0x2300A7, 0x1FE0E7]
)
def test_the_bits_that_no_end_depends_on_are_such(entry: int) -> None:
    for at in range(4):
        entries = (0x1067,) * at + (entry,)
        plain = walks._ends.__wrapped__(entries, 4, 0x1000, 6, True)
        assert walks.ends(entries, 4, 0x1000, 6, keys=True) == plain


@pytest.mark.parametrize(
    "name, judged, guessed",
    [
        ("walked_again_after_a_failed_flag", 1, 0),
        ("walks_of_a_nested_guest", 1, 5),
        ("denied_by_a_protection_key", 1, 0),
        ("the_first_exit_of_a_nested_guest", 0, 1),
        ("a_nested_guest_over_ept_without_flags", 1, 5),
        ("ept_of_a_guest_without_the_right_to_execute", 1, 5),
        ("an_ept_misconfiguration_of_a_guest", 0, 1),
        ("a_fetch_that_the_ept_of_a_guest_denies", 0, 1),
        ("a_nested_guest_with_32_bit_paging", 0, 2),
    ],
)
def test_walks_that_other_walks_interrupt_or_keys_deny_are_lawful(name: str, judged: int, guessed: int) -> None:
    """KVM walks again where another processor changed an entry whose flag it sets, and walks L1's EPT for each of L2's tables."""
    verdict = judge_kernel_trace(str(RECORDED.with_name("kvmmmu") / f"{name}.txt"))
    assert verdict.deviation is None
    assert (verdict.counted["walks judged"], verdict.counted["walks guessed"]) == (judged, guessed)


@pytest.mark.parametrize("name", ["pages_that_print_alike", "encrypted_memory", "an_unsync_page_is_zapped"])
def test_what_a_kernel_does_not_print_is_held_against_nothing(name: str) -> None:
    """Two shadow pages of roles that print alike; the C-bit of a host that encrypts memory, in an entry and not in its frame."""
    assert judge_kernel_trace(str(RECORDED.with_name("kvmmmu") / f"{name}.txt")).deviation is None


def test_a_walk_that_begins_again_without_a_reason_is_none(tmp_path: Path) -> None:
    text = (RECORDED.with_name("kvmmmu") / "walked_again_after_a_failed_flag.txt").read_text()
    (tmp_path / "t").write_text("".join(line for line in text.splitlines(keepends=True) if "_bit" not in line))
    found = judge_kernel_trace(str(tmp_path / "t")).deviation
    assert found is not None and found.clause == "EQV-2"


def test_a_byte_order_mark_is_bad_input(tmp_path: Path) -> None:
    (tmp_path / "t").write_bytes(b"\xef\xbb\xbf" + RECORDED.read_bytes())
    with pytest.raises(BadDesign, match="t:1: begins with a byte-order mark"):
        judge_kernel_trace(str(tmp_path / "t"))


def test_a_recorded_trace_is_lawful() -> None:
    verdict = judge_kernel_trace(str(RECORDED))
    assert verdict.deviation is None and verdict.events > 300


@pytest.mark.parametrize("what", CHANGES)
def test_what_is_changed_is_noticed(what: str, tmp_path: Path) -> None:
    clause, change = CHANGES[what]
    file = tmp_path / "trace"
    file.write_text("".join(change(LINES)))
    found = judge_kernel_trace(str(file)).deviation
    assert found is not None, "accepted"
    assert found.clause == clause and found.expected


def test_the_layout_of_trace_cmd_is_read_too(tmp_path: Path) -> None:
    report = [re.sub(r"\[(\d+)\] \S+ +([\d.]+): (\w+):", r"[\1] \2: \3:   ", line) for line in LINES]
    (tmp_path / "report").write_text("cpus=2\n" + "".join(report))
    assert judge_kernel_trace(str(tmp_path / "report")).events == judge_kernel_trace(str(RECORDED)).events


def test_what_is_no_such_trace_is_refused(tmp_path: Path) -> None:
    (tmp_path / "t").write_text("{}\n")
    with pytest.raises(BadDesign, match="no kvmmmu events"):
        judge_kernel_trace(str(tmp_path / "t"))
    (tmp_path / "t").write_text("guest-1 [000] ..... 1.0: kvm_mmu_paging_element: nonsense\n")
    with pytest.raises(BadDesign, match=r"t:1: kvm_mmu_paging_element: expected"):
        judge_kernel_trace(str(tmp_path / "t"))


@pytest.mark.parametrize(
    "fields", ["pte 23067", "pte 23067 level 9", "pte 23067 level 10", f"pte {'f' * 17} level 4", "pte 0x1 level 4"]
)
def test_an_entry_that_there_cannot_be_is_bad_input(fields: str, tmp_path: Path) -> None:
    (tmp_path / "t").write_text(f"guest-1 [000] ..... 1.0: kvm_mmu_paging_element: {fields}\n")
    with pytest.raises(BadDesign, match="t:1: kvm_mmu_paging_element: expected fields such as pte 23067 level 4, got " + fields):
        judge_kernel_trace(str(tmp_path / "t"))


def test_walks_whose_beginnings_are_not_traced_are_no_deviation(tmp_path: Path) -> None:
    verdict = judged([line for line in LINES if "paging_element" in line], tmp_path / "t")
    assert verdict.deviation is None and verdict.judged == 0 and verdict.counted["walks skipped"] > 50


@pytest.mark.parametrize("change", [lambda lines: lines[::-1], lambda lines: [*lines, *lines]], ids=["reversed", "twice"])
def test_a_clock_that_runs_backwards_is_bad_input(change: Callable[[list[str]], list[str]], tmp_path: Path) -> None:
    with pytest.raises(BadDesign, match=r"t:\d+: CPU \d reports this at an earlier time than line \d+"):
        judged(change(LINES), tmp_path / "t")


@pytest.mark.parametrize("left", [1, 3, 12, 40])
def test_a_line_that_is_cut_off_is_not_judged(left: int, tmp_path: Path) -> None:
    last = max(number for number, line in enumerate(LINES) if "walker_error" in line)
    (tmp_path / "t").write_text("".join(LINES[:last]) + LINES[last][:-left])
    verdict = judge_kernel_trace(str(tmp_path / "t"))
    said = "has no end; it was not judged" if left < 12 else "prints no such events"  # without its colon it is no event
    assert verdict.deviation is None and any(f"line {last + 1}" in note and said in note for note in verdict.notes)


def test_the_command_judges_it() -> None:
    done = refmodel("judge", "--format", "kvmmmu", str(RECORDED))
    assert done.returncode == 0 and "lawful" in done.stdout
