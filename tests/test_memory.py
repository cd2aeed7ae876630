"""Memory management under any MMU: every law of it can be broken, and every mechanism is met."""

import attrs
import pytest

from refmodel.bugs import MUTANTS
from refmodel.designs import COMBINED, LiveMigration, Memory
from refmodel.engines.checking import usual
from refmodel.engines.exhaustive import explore
from refmodel.engines.induction import prove
from refmodel.engines.random import campaign
from refmodel.language import Design, law, outline
from refmodel.language.gathering import laws_of_module
from refmodel.language.laws import Law
from refmodel.laws import buddy, contract, grants, memory, memory_slots, migration, registered_pages
from refmodel.machine.names import Gfn, Vm
from refmodel.monitor.dirty_logging import DirtyLog, Sent
from refmodel.monitor.p2m import Backing, P2m
from tests.commands import refmodel
from tests.designs.subsets import SUBSETS

BROKEN_BY = {
    "any_page_can_be_taken": "shared-pages-stay",
    "a_page_is_taken_in_two_steps": "sent-pages-stay",
    "a_page_taken_is_in_no_frame": "pool-compressed-in-name",
    "a_frame_goes_with_its_last_page": "frame-kept-as-shared",
    "swapped_pages_are_the_bare_machines": "copy-kept-after-a-store",
    "clean_pages_are_their_copies": "copy-kept-after-a-store",
    "pages_read_are_their_copies": "linux-13ddaf26be32",
    "a_page_read_in_is_mapped": "read-in-vain",
    "slots_are_counted": "slot-freed-but-named",
    "slots_are_conserved": "slot-forgotten",
    "slots_have_one_reader": "reader-never-leaves",
    "readers_are_their_slots": "inflated-in-flight",
    "promises_are_of_zeroes": "reclaimed-unlooked",
    "unmarked_pages_are_there": "sent-while-written",
    "unmarked_pages_are_protected": "promise-kept-writable",
    "the_next_machine_has_nothing": "migration-lost-in-name",
    "marks_go_in_order": "protected-unmarked",
    "watched_pages_are_clean": "flags-written-for-ever",
    "watched_pages_are_no_devices": "flags-device-stores-unmarked",
    "a_withdrawn_page_is_asked_for": "withdrawn-in-name",
    "awaited_pages_are_the_bare_machines": "migration-discarded-too-early",
    "what_is_under_way_is_kept": "migration-freed-under-way",
    "a_page_that_arrives_is_mapped": "migration-arrived-in-vain",
    "what_is_kept_can_be_freed": "migration-left-for-good",
    "what_is_freed_holds_nothing": "migration-left-unscrubbed",
    "pages_are_called_free_by_their_guests": "migration-guessed-free",
    "the_page_called_free_is_the_one_named": "migration-another-is-called-free",
    "pages_in_use_are_not_called_free": "migration-called-free-for-ever",
    "skipped_pages_are_free": "migration-hint-taken-unprotected",
    "a_block_in_one_piece_is_free": "buddy-merged-in-use",
    "clean_frames_hold_nothing": "buddy-freed-as-clean",
    "nothing_is_given_from_what_leaves": "buddy-given-while-leaving",
    "a_page_in_a_leaving_block_can_be_moved": "buddy-never-moved",
    "a_moved_page_leaves_its_frame_free": "buddy-moved-from-and-kept",
    "a_block_that_is_added_is_there": "buddy-added-in-name",
    "a_page_that_did_not_move_is_where_it_was": "buddy-moved-in-silence",
    "memory_lies_in_slots": "slots-memory-outside",
    "remembered_mmio_is_in_no_slot": "mmio-generation-not-asked",
    "look_ups_of_the_generation_are_right": "mmio-look-up-from-long-ago",
    "slots_come_and_go_as_asked": "slots-deleted-in-name",
    "look_ups_begin_in_the_generation": "mmio-look-up-of-no-generation",
    "what_was_looked_up_is_remembered": "mmio-nothing-remembered",
    "the_registered_page_is_the_one_named": "registered-another-page",
    "registered_pages_are_their_guests": "registered-by-the-monitor",
    "kept_frames_are_the_pages": "registered-kept-of-the-page-before",
    "watched_pages_are_asked_for": "registered-kept-while-watched",
    "no_shared_frame_is_kept": "registered-kept-while-shared",
    "grants_offer_what_their_owners_offer": "grant-offered-for-storing",
    "offers_end_as_asked": "grant-another-offer-ends",
    "no_other_grant_entry_changes": "grant-offered-besides",
    "a_grantee_gets_what_it_asks_for": "grant-mapped-for-storing",
    "no_other_foreign_page_comes": "grant-mapped-besides",
    "no_other_foreign_page_goes": "grant-all-are-revoked",
    "foreign_mappings_are_granted": "grant-to-anybody",
    "foreign_mappings_lead_where_the_p2m_says": "grant-ballooned",
    "grants_are_to_others": "grant-to-itself",
    "cached_foreign_pages_are_mapped": "grant-unmapped-but-cached",
    "foreign_pages_are_cached_while_mapped": "grant-cached-once-unmapped",
    "granted_pages_are_private": "grant-mapped-while-shared",
    "grant_mappings_are_exact": "grant-entry-in-use-for-ever",
    "foreign_references_are_exact": "grant-reference-kept",
    "no_foreign_mapping_names_no_page": "grant-gone-in-name",
    "foreign_pages_can_be_taken_back": "grant-never-revoked",
    "foreign_pages_go_in_two_steps": "grant-revoked-in-name",
    "foreign_loads_show_what_was_stored": "grant-loads-from-own-memory",
    "foreign_accesses_complete_when_due": "grant-ballooned",
    "a_grantee_is_refused_holes_only": "grant-shortage-is-a-hole",
    "derived_entries_lead_where_the_p2m_says": "forgotten-but-derived",
    "no_derived_entry_writes_to_a_shared_frame": "protected-but-derived-writable",
    "no_derived_entry_reaches_the_monitor": "forgotten-but-derived",
    "holes_are_real": "shortage-is-a-hole",
    "a_derived_entry_does_not_exit": "derived-writes-exit",
    "a_served_derivation_makes_progress": "derived-read-only-for-ever",
    "a_derivation_waits_only_if_its_page_waits": "last-sharer-waits-for-ever",
}


LAWS = [
    each
    for module in (memory, contract, migration, buddy, grants, memory_slots, registered_pages)
    for each in laws_of_module(module)
]


@pytest.mark.parametrize("broken", LAWS, ids=lambda each: each.name)
@pytest.mark.one_in(5)
def test_each_law_has_a_mutant_that_breaks_it(broken: Law) -> None:
    design = MUTANTS[BROKEN_BY[broken.name]].design
    found = explore(attrs.evolve(outline(design), laws=(broken,)), design.geometry, seconds=120)
    assert found.failure is not None and found.failure.broken.law == broken


OF_BALLOONS = [
    ("a_balloon_is_its_guests", "oom-deflates-anothers"),
    ("balloon_sizes_are_exact", "deflated-uncounted"),
    ("balloon_sizes_are_exact", "oom-deflated-uncounted"),
    ("a_balloon_is_its_guests", "balloon-inflated-by-the-monitor"),
]
"""Laws about balloons, and mutants that break them."""


@pytest.mark.parametrize("name, mutant", OF_BALLOONS, ids=[mutant for _, mutant in OF_BALLOONS])
@pytest.mark.one_in(2)
def test_each_law_about_balloons_is_broken_also_where_guests_deflate_on_out_of_memory(name: str, mutant: str) -> None:
    design, (broken,) = MUTANTS[mutant].design, [law for law in outline(Memory).laws if law.name == name]
    found = explore(attrs.evolve(outline(design), laws=(broken,)), design.geometry, seconds=60)
    assert found.failure is not None and found.failure.broken.law == broken


def test_every_operation_applies_and_none_breaks_a_law() -> None:
    done = campaign(outline(Memory), Memory.geometry.resized(Vm=2, Mfn=4, Slot=2), seconds=20, runs=300)
    assert done.failure is None
    assert set(done.applied) == {op.name for op in outline(Memory).operations}


@pytest.mark.parametrize("design", SUBSETS, ids=lambda cls: cls.__name__)
@pytest.mark.one_in(4)
def test_mechanisms_are_lawful_without_the_others(design: type[Design]) -> None:
    done = prove(outline(design), all_failures=True)
    assert [j for j in done.judgements() if j.verdict != "proved"] == []
    found = explore(outline(design), Memory.geometry, seconds=60)
    assert found.complete and found.failure is None


def met(never: Law, design: type[Design] = Memory) -> bool:
    """Whether exploration comes upon a state that a sentence says there is never."""
    return explore(attrs.evolve(outline(design), laws=(never,)), design.geometry, seconds=120).failure is not None


@pytest.mark.parametrize("backing", list(Backing)[1:], ids=lambda backing: backing.value)
def test_a_page_can_come_to_be_in_each_state(backing: Backing) -> None:
    @law("RES-2", "No page is ever in this state.")
    def never(s: P2m, vm: Vm, gfn: Gfn) -> bool:
        return s.p2m[vm, gfn].backing != backing

    assert met(never, LiveMigration if backing == Backing.AWAITED else Memory)


@pytest.mark.parametrize("sent", list(Sent)[1:], ids=lambda sent: sent.value)
def test_a_page_can_come_to_be_in_each_state_of_a_dirty_log(sent: Sent) -> None:
    @law("EQV-4", "No page ever gets there.")
    def never(s: DirtyLog, vm: Vm, gfn: Gfn) -> bool:
        return s.sent[vm, gfn] != sent

    assert met(never, LiveMigration)


def test_what_is_too_large_to_be_explored_is_not_unless_the_user_says_so() -> None:
    assert all("exhaustive" not in usual(outline(cls)) for cls in COMBINED.values())
    assert "exhaustive" in usual(outline(Memory))


@pytest.mark.slow
def test_a_command_explores_nothing_that_is_too_large() -> None:
    done = refmodel("check", "interpreter+", "--engine", "random", "--runs", "2")
    assert done.returncode == 3 and "not broken" in done.stdout  # in two runs, not every law was met
