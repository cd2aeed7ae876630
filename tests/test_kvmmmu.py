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
WRITABLE = "gfn 21 spte 11dba2e43 (rwxu) level 1 at 105324000"
BY_PLUGIN = "1 q0 wux pae nxe wp root 0"
"""The page as trace-cmd prints it, without its guest frame."""


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
        ("EQV-5", (f"kvm_mmu_get_page: {PAGE} sync new", f"kvm_mmu_set_spte: {WRITABLE}")),
        ("EQV-5", (f"kvm_mmu_get_page: {PAGE} sync existing", f"kvm_mmu_set_spte: {WRITABLE}")),
        (
            "EQV-5",
            (
                f"kvm_mmu_get_page: {PAGE} sync new",
                f"kvm_mmu_unsync_page: {PAGE} sync",
                f"kvm_mmu_sync_page: {PAGE} unsync",
                f"kvm_mmu_set_spte: {WRITABLE}",
            ),
        ),
        (  # it may be one that is out of date, which KVM still syncs
            None,
            (
                f"kvm_mmu_get_page: {PAGE} unsync existing",
                "kvm_mmu_zap_all_fast: kvm-mmu-valid-gen 1 used_pages 4",
                f"kvm_mmu_sync_page: {PAGE} unsync",
                f"kvm_mmu_set_spte: {WRITABLE}",
            ),
        ),
        (  # one of two quadrants
            "EQV-5",
            (
                f"kvm_mmu_get_page: {PAGE} sync new",
                f"kvm_mmu_get_page: {PAGE.replace('q0', 'q1')} sync new",
                f"kvm_mmu_unsync_page: {PAGE} sync",
                f"kvm_mmu_set_spte: {WRITABLE}",
            ),
        ),
        (  # they print alike, and one is still sync
            "EQV-5",
            (
                f"kvm_mmu_get_page: {PAGE} sync new",
                f"kvm_mmu_unsync_page: {PAGE} sync",
                f"kvm_mmu_get_page: {PAGE} sync new",
                f"kvm_mmu_set_spte: {WRITABLE}",
            ),
        ),
        (None, (f"kvm_mmu_get_page: {PAGE} sync new", f"kvm_mmu_unsync_page: {PAGE} sync", f"kvm_mmu_set_spte: {WRITABLE}")),
        (None, (f"kvm_mmu_get_page: {PAGE} unsync existing", f"kvm_mmu_set_spte: {WRITABLE}")),
        (None, (f"kvm_mmu_get_page: {PAGE} sync new", f"kvm_mmu_prepare_zap_page: {PAGE} sync", f"kvm_mmu_set_spte: {WRITABLE}")),
        (None, (f"kvm_mmu_get_page: {PAGE} sync new", f"kvm_mmu_set_spte: {WRITABLE.replace('(rw', '(r-')}")),
        (None, (f"kvm_mmu_get_page: {PAGE} sync new", f"kvm_mmu_set_spte: {WRITABLE.replace('21', '22')}")),
        (None, (f"kvm_mmu_get_page: {PAGE} sync new", f"kvm_mmu_set_spte: {WRITABLE.replace('level 1', 'level 2')}")),
        (None, (f"kvm_mmu_get_page: {PAGE.replace('q0', 'q0 direct')} sync new", f"kvm_mmu_set_spte: {WRITABLE}")),
        (None, (f"kvm_mmu_get_page: {PAGE.replace('l1', 'l2')} sync new", f"kvm_mmu_set_spte: {WRITABLE}")),
        (  # it is out of date, and goes later
            None,
            (
                f"kvm_mmu_get_page: {PAGE} sync new",
                "kvm_mmu_zap_all_fast: kvm-mmu-valid-gen 1 used_pages 4",
                f"kvm_mmu_set_spte: {WRITABLE}",
            ),
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


@pytest.mark.parametrize("does", ["kvm_mmu_unsync_page", "kvm_mmu_prepare_zap_page"])
def test_a_table_may_be_written_to_after_another_vcpu_let_go_of_its_shadow_page(does: str, tmp_path: Path) -> None:
    one = told(f"kvm_mmu_get_page: {PAGE} sync new")
    other = told(f"{does}: {PAGE} sync", second=2).replace("guest-1", "guest-2")
    writable = told(f"kvm_mmu_set_spte: {WRITABLE}", second=3)
    assert judged([one, other, writable], tmp_path / "t").deviation is None
    assert judged([one, "CPU:0 [LOST EVENTS]\n", writable], tmp_path / "t").deviation is None
    assert judged([one, writable.replace("guest-1", "guest-2")], tmp_path / "t").deviation is None
    assert judged([one, writable], tmp_path / "t").deviation is not None


def test_lines_that_are_not_understood_are_counted(tmp_path: Path) -> None:
    verdict = judged([*LINES, "guest 4711 4221.1: kvmmmu:kvm_mmu_paging_element: pte 1 level 1\n"], tmp_path / "t")
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


def test_a_cpu_that_was_not_met_may_begin_with_a_loss(tmp_path: Path) -> None:
    told = (RECORDED.with_name("kvmmmu") / "a_cpu_that_begins_with_a_loss.txt").read_text().splitlines(keepends=True)
    verdict = judged(told, tmp_path / "t")
    assert verdict.deviation is None and any("would have been deviations" in note for note in verdict.notes)
    found = judged([line for line in told if "LOST" not in line], tmp_path / "t").deviation
    assert found is not None and found.line == 2


@pytest.mark.parametrize(
    "name, clause",
    [
        ("an_executable_entry_for_a_page_with_nx", "ISO-1"),
        ("a_writable_entry_for_a_part_of_a_read_only_page", "ISO-1"),
        ("a_large_entry_for_another_frame", "ISO-1"),
        ("pages_without_a_generation", "EQV-5"),
        ("a_wrong_error_code_after_such_flags", "EQV-3"),
    ],
)
def test_what_is_wrong_is_found_whatever_the_size_of_a_page_and_the_kernel(name: str, clause: str) -> None:
    found = judge_kernel_trace(str(RECORDED.with_name("kvmmmu") / f"{name}.txt")).deviation
    assert found is not None and found.clause == clause


@pytest.mark.parametrize(
    "name",
    [
        "pages_that_print_alike",
        "encrypted_memory",
        "an_unsync_page_is_zapped",
        "a_page_near_the_one_that_was_asked_for",
        "pages_that_print_alike_made_by_two_tasks",
        "pages_that_print_alike_of_which_one_is_zapped",
        "memory_in_smm_where_there_is_none_otherwise",
        "a_page_zapped_while_a_walk_waits",
        "a_reserved_bit_of_39_bits",
        "roots_of_a_guest_with_pae_paging",
        "all_pages_zapped_by_an_older_kernel",
        "a_linear_address_asked_for_by_an_older_kernel",
        "mmio_without_a_generation",
        "flags_of_a_nested_guest_set_after_the_last_walk",
        "a_nested_guest_whose_last_walk_fails",
        "flags_at_one_place_of_two_tables",
        "pages_that_print_alike_in_the_middle_of_a_run",
    ],
)
def test_what_a_kernel_does_not_print_is_held_against_nothing(name: str) -> None:
    """Two shadow pages of roles that print alike; the C-bit of a host that encrypts memory, in an entry and not in its frame; which
    address space of KVM an entry is in; why a page is zapped; whether a walk's last translation failed."""
    assert judge_kernel_trace(str(RECORDED.with_name("kvmmmu") / f"{name}.txt")).deviation is None


def test_from_its_start_a_guest_has_no_page_that_prints_like_another_which_was_not_seen(tmp_path: Path) -> None:
    name = "pages_that_print_alike_in_the_middle_of_a_run"
    _, *since = (RECORDED.with_name("kvmmmu") / f"{name}.txt").read_text().splitlines(keepends=True)
    found = judged(since, tmp_path / "t").deviation
    assert found is not None and found.clause == "EQV-5"


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


def by_the_plugin(line: str, eight: str = "pae") -> str:
    """As trace-cmd prints a shadow page that is got."""
    form = r"sp gen \d+ gfn (\w+) l(\d) 8-byte (q\d(?: direct)? \S+) (!?)nxe !?ad (root \d+ \w+) (new|existing)"
    return re.sub(form, rf"\6 sp gfn \1 \2 \3 {eight} \4nxe wp \5", line)


FIELDS: dict[str, Callable[[re.Match[str]], str]] = {
    r"addr (\w+) pferr (\w+).*": lambda m: f" addr={int(m[1], 16)} pferr={int(m[2], 16)}",
    r"pte (\w+) level (\d)": lambda m: f" pte={int(m[1], 16)} level={m[2]}",
    r"pferr (\w+).*": lambda m: f" pferr={int(m[1], 16)}",
    r"gpa (\w+)": lambda m: f" gpa={int(m[1], 16)}",
    r"gfn (\w+) pfn (\w+) level (\d)": lambda m: f" gfn={int(m[1], 16)} pfn={int(m[2], 16)} level={m[3]}",
    r"gfn (\w+) spte (\w+) \((.)(.)(.)(.)\) level (\d) at (\w+)": lambda m: (
        f" gfn={int(m[1], 16)} spte={int(m[2], 16)} sptep={int(m[8], 16)} level={m[7]} r={int(m[3] == 'r')} x={int(m[5] == 'x')}"
        f" u={int(m[6] == 'u')}"
    ),
    r"sp gen (\d) gfn (\w+) l(\d) 8-byte q(\d)( direct)? (.)(.)(.) (!?)nxe (!?)ad root (\d) (\w+) ?(\w*)": lambda m: (
        f" mmu_valid_gen={m[1]} gfn={int(m[2], 16)} role={role(m)} root_count={m[11]} unsync={int(m[12] == 'unsync')}"
        f" created={int(m[13] == 'new')}"
    ),
}


def role(found: re.Match[str]) -> int:
    """The word of a role, as in Linux since 5.18: bit 4 is set for 4-byte entries."""
    access = (found[6] == "w") << 9 | (found[7] == "u") << 10 | (found[8] == "x") << 8
    return (
        int(found[3]) | int(found[4]) << 5 | bool(found[5]) << 7 | access | (not found[9]) << 12 | 1 << 13 | bool(found[10]) << 16
    )


def by_fields(line: str) -> str:
    """As trace-cmd prints an event that it cannot parse."""
    head, name, said = re.fullmatch(r"(.*?: )(\w+: )(.*?) *\n", line).groups()  # type: ignore[union-attr]
    for form, to in FIELDS.items():
        if (found := re.fullmatch(form, said)) is not None:
            return f"{head}{name}[FAILED TO PARSE]{to(found)}\n"
    return line


@pytest.mark.parametrize(
    "write",
    [by_the_plugin, lambda line: by_the_plugin(line, "!pae"), by_fields],
    ids=["pae is 8-byte", "pae is 4-byte", "fields"],
)
def test_what_trace_cmd_formats_by_itself_is_held_to_the_same(write: Callable[[str], str], tmp_path: Path) -> None:
    """In libtraceevent's plugin_kvm.c, one bit of the role is printed as "pae", which means another thing since Linux 5.18."""
    said = [write(line) for line in LINES]
    assert sum(line != other for line, other in zip(said, LINES, strict=True)) >= 30
    verdict, plain = judged(said, tmp_path / "t"), judge_kernel_trace(str(RECORDED))
    assert verdict.deviation is None and verdict.counted == plain.counted and verdict.notes == plain.notes
    for what, (clause, change) in CHANGES.items():
        found = judged([write(line) for line in change(LINES)], tmp_path / "t").deviation
        if what == "a zapped page" and write is not by_fields:
            continue  # the plugin names no frame there
        assert found is not None and found.clause == clause, what


def test_a_page_of_4_byte_entries_is_not_held_to_a_walk_of_8_byte_entries(tmp_path: Path) -> None:
    """A guest that leaves 64-bit mode makes roots of level 2, and may have walked nothing since."""
    at = next(i for i, line in enumerate(LINES) if "kvm_mmu_get_page" in line and " l2 " in line)
    root = re.sub("gfn .* sync", "gfn 777 l2 8-byte q0 wux nxe ad root 0 sync", LINES[at])
    lines = [*LINES[:at], by_the_plugin(root, "!pae")]
    assert judged(lines, tmp_path / "t").deviation is None  # what the bit says is not known
    eight = f"{LINES[0].split(': kvm')[0]}: kvm_mmu_get_page: new sp gfn 5 3 q0 wux pae nxe wp root 0 sync\n"
    assert judged([eight, *lines], tmp_path / "t").deviation is None
    assert judged([eight.replace("pae", "!pae"), *lines], tmp_path / "t").deviation is None  # a root with PAE paging is of level 2
    below = next(i for i, line in enumerate(LINES) if "kvm_mmu_get_page" in line and " l1 " in line)
    page = by_the_plugin(re.sub("gfn .* sync", "gfn 777 l1 8-byte q0 wux nxe ad root 0 sync", LINES[below]), "!pae")
    assert judged([eight.replace("pae", "!pae"), *LINES[:below], page], tmp_path / "t").deviation is not None


GOT = BY_PLUGIN.replace("1 q0", "new sp gfn 21 1 q0")


@pytest.mark.parametrize(
    "clause, events",
    [
        (None, (f"kvm_mmu_get_page: {GOT} sync", f"kvm_mmu_unsync_page: {BY_PLUGIN} sync", f"kvm_mmu_set_spte: {WRITABLE}")),
        (None, (f"kvm_mmu_get_page: {GOT} sync", f"kvm_mmu_prepare_zap_page: {BY_PLUGIN} sync", f"kvm_mmu_set_spte: {WRITABLE}")),
        (
            None,
            (
                f"kvm_mmu_get_page: {GOT} sync",
                f"kvm_mmu_unsync_page: {BY_PLUGIN} sync",
                f"kvm_mmu_get_page: {GOT.replace('new', 'existing')} unsync",
                f"kvm_mmu_sync_page: {BY_PLUGIN} unsync",
                f"kvm_mmu_get_page: {GOT.replace('new', 'existing')} sync",
                f"kvm_mmu_prepare_zap_page: {BY_PLUGIN} sync",
                f"kvm_mmu_get_page: {GOT} sync",
            ),
        ),
        (  # the one that was let go may be another of this role
            None,
            (
                f"kvm_mmu_get_page: {GOT} sync",
                f"kvm_mmu_unsync_page: {BY_PLUGIN} sync",
                f"kvm_mmu_get_page: {GOT.replace('new', 'existing')} sync",
            ),
        ),
        ("EQV-5", (f"kvm_mmu_get_page: {GOT} sync", f"kvm_mmu_get_page: {GOT.replace('new', 'existing')} unsync")),
        ("EQV-5", (f"kvm_mmu_get_page: {GOT} sync", f"kvm_mmu_set_spte: {WRITABLE}")),
        (  # of another role
            "EQV-5",
            (
                f"kvm_mmu_get_page: {GOT} sync",
                f"kvm_mmu_unsync_page: {BY_PLUGIN.replace('wux', '-ux')} sync",
                f"kvm_mmu_set_spte: {WRITABLE}",
            ),
        ),
    ],
)
def test_an_event_that_names_no_page_may_be_of_any_with_its_role(
    clause: str | None, events: tuple[str, ...], tmp_path: Path
) -> None:
    verdict = judged([told(*events)], tmp_path / "t")
    assert (verdict.deviation and verdict.deviation.clause) == clause
    assert any("named no shadow page" in note for note in verdict.notes) == any("page: 1 q0" in event for event in events)


@pytest.mark.parametrize("event", ["kvm_mmu_get_page", "kvm_mmu_paging_element", "kvm_mmu_walker_error", "kvm_mmu_spte_requested"])
@pytest.mark.parametrize("said", ["", " unknown=1", " gfn=1 pte=1 level=99 role=4095"])
def test_an_event_that_lacks_its_fields_is_left_out(event: str, said: str, tmp_path: Path) -> None:
    """One event that trace-cmd cannot parse costs the walk that it is of, or what is known of shadow pages."""
    plain = judge_kernel_trace(str(RECORDED))
    for at in [at for at, line in enumerate(LINES) if event in line][::5]:
        lost = LINES[at].split(f"{event}: ")[0] + f"{event}: [FAILED TO PARSE]{said}\n"
        verdict = judged([*LINES[:at], lost, *LINES[at + 1 :]], tmp_path / "t")
        assert verdict.deviation is None and any(f"line {at + 1}" in note for note in verdict.notes)
        assert verdict.counted["walks judged"] >= plain.counted["walks judged"] - 1


@pytest.mark.parametrize(
    "said", ["", "WORD: 00001713 root 0 sync", "new sp gfn 21 WORD: 00001713 root 0 sync", "1 q0 wux pae nxe wp root 0 sync"]
)
def test_a_shadow_page_that_is_printed_in_another_way_is_left_out(said: str, tmp_path: Path) -> None:
    at = next(i for i, line in enumerate(LINES) if "kvm_mmu_get_page" in line)
    lines = [*LINES[:at], re.sub("sp gen .*", said, LINES[at]), *LINES[at + 1 :]]
    verdict = judged(lines, tmp_path / "t")
    assert verdict.deviation is None and any("could not be read" in note and f"line {at + 1}" in note for note in verdict.notes)
    assert verdict.counted["walks judged"] == judge_kernel_trace(str(RECORDED)).counted["walks judged"]


HEAD = r"^ *(\S+)-(\d+) +\[(\d+)\] (\S+) +(\d+)\.(\d+): (\w+): *"
LAYOUTS = {
    "perf script": r"CPU 0/KVM  \2 [\3]  \5.\6: kvmmmu:\7: ",
    "perf script with the process": r"       \1 4710/\2 [\3]  \5.\6:          1         kvmmmu:\7: ",
    "the latency format": r"   \1-\2      0\4  \5\6us+: \7: ",
    "the latency format of trace-cmd": r"   \1-\2      0\4  \5.\6:  \7:   ",
    "trace-cmd report --ts-diff": r"   \1-\2  [\3] \4  \5.\6: (+12)     \7:   ",
    "groups": r"   \1-\2  [\3] \4  \5.\6: kvmmmu:\7: ",
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_other_layouts_are_read_too(layout: str, tmp_path: Path) -> None:
    verdict = judged([re.sub(HEAD, LAYOUTS[layout], line) for line in LINES], tmp_path / "t")
    assert verdict.deviation is None and verdict.counted == judge_kernel_trace(str(RECORDED)).counted
    _, change = CHANGES["another error code"]
    assert judged([re.sub(HEAD, LAYOUTS[layout], line) for line in change(LINES)], tmp_path / "t").deviation is not None


def test_perf_tells_of_losses(tmp_path: Path) -> None:
    at = next(i for i, line in enumerate(LINES) if "level 3" in line)
    lines = [re.sub(HEAD, LAYOUTS["perf script"], line) for line in LINES]
    for said in ("PERF_RECORD_LOST lost 1", "unknown: PERF_RECORD_LOST_SAMPLES lost 1"):
        lost = f"{lines[at].split(': kvmmmu')[0]}: {said}\n"
        verdict = judged([*lines[:at], lost, *lines[at + 1 :]], tmp_path / "t")
        assert verdict.deviation is None and verdict.counted["gaps"] == 1
    assert judged([*lines[:at], *lines[at + 1 :]], tmp_path / "t").deviation is not None


def test_an_entry_need_not_tell_whether_it_is_for_users(tmp_path: Path) -> None:
    """The kernel prints nothing there if no bit of its entries says so."""
    lines = [re.sub(r"(spte \w+ \(...).\)", r"\1)", line) for line in LINES]
    verdict = judged(lines, tmp_path / "t")
    assert verdict.deviation is None and verdict.counted == judge_kernel_trace(str(RECORDED)).counted


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
