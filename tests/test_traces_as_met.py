"""Traces in tests/data/traces, as they were met: what was called a deviation and is none, and what was called lawful and is not."""

from __future__ import annotations

from pathlib import Path

import pytest

from refmodel.oracle.trace.concerned import ASKED, BORROWED, MENTIONED, OUTLINE, TRANSLATIONS
from refmodel.oracle.trace.holding import STALE
from refmodel.oracle.trace.judge import judge_trace
from tests.commands import refmodel

DATA = Path(__file__).parent / "data" / "traces"
AS_MET = {
    "protect_then_map_writable": None, "protect_then_flush": None, "sent_before_the_flush": (6, "EQV-4"),
    "unprotected_and_stored_to_by_another_cpu": None, "unprotected_and_mapped_after_exits": None,
    "unprotected_and_mapped_and_exits": (10, "EFF-1"), "unprotected_and_shared": (9, "ISO-2"),
    "unprotected_and_shared_once_protected": None,
    "map_writable_while_tracked": (6, "EQV-5"), "tracked_while_still_cached": (5, "ISO-1"), "tracked_and_untracked": None,
    "entry_after_unmap": (5, "ISO-1"), "entry_more_writable": (4, "ISO-1"), "tlb_entry_after_unmap": (5, "ISO-1"),
    "tlb_entry_before_the_flush": None, "tlb_entry_after_the_flush": (7, "ISO-1"), "store_through_read_only": (4, "ISO-1"),
    "store_emulated_after_an_exit": None, "store_by_the_monitor": None, "load_after_unmap": (6, "ISO-1"),
    "unmap_only_is_reported": None, "silent_store": None, "silent_break_is_no_store": (5, "EQV-1"), "silent_populate": None,
    "silent_inflate": None, "read_and_written_after_an_exit": None, "written_after_an_exit_of_a_load": (8, "ISO-1"),
    "store_by_the_monitor_to_a_clean_page": None, "swapped_out_after_a_store_by_the_monitor": (10, "EQV-1"),
    "inflated_while_it_is_sent": None, "deflated_and_not_sent": (12, "EQV-4"), "never_sent": (7, "EQV-4"),
    "zeroes_need_not_be_sent": None,
    # A log may begin with all marks, or with none; and a VM may be copied without any.
    "log_begins_with_all_marks": None, "log_begins_without_marks": None,
    "log_begins_without_marks_and_misses_one": (24, "EQV-4"), "two_snapshots_without_a_log": None,
    "sent_without_a_log_and_stored_to": (10, "EQV-4"), "marked_sent_and_fetched": None,
    "cancelled_and_sent_again_without_marks": None,
    "ring_overflows_after_it_was_full": (12, "EQV-4"), "ring_full_and_reset": None,
    "leaf_mapped_next_to_its_unmap": None, "revoked_after_a_silent_flush": None,
    "made_private_after_a_silent_unmap": None,
    "inflated_after_a_silent_unmap": None, "inflated_after_a_silent_flush": None,
    # What is not known of one page after a race says nothing of the others that an event is about.
    "marks_taken_of_many_pages_next_to_a_race": (11, "EQV-1"), "resumed_after_a_race": (48, "EQV-1"),
    # Nobody borrows from a VM that is gone.
    "lender_destroyed_and_its_name_used_again": (7, "ISO-1"), "lender_destroyed_while_its_page_is_mapped": (5, "ISO-1"),
    "lender_destroyed_after_its_page_was_unmapped": None,
    # Without a dirty log no page is marked; after a race it is not known which were sent.
    "sent_and_resumed_without_a_log": None, "sent_and_stored_to_without_a_log": (8, "EQV-4"),
    "resumed_and_a_page_of_zeroes_raced_for": None, "resumed_and_a_page_stored_to_after_a_race": (22, "EQV-4"),
    "ring_reset_told_before_its_harvest": None,
    "balloon_miscounted_in_a_slot": (4, "RES-1"), "balloon_counted": None, "balloon_of_unknown_pages": None,
    "balloon_of_a_large_vm": (7, "RES-1"), "balloon_with_more_than_it_says": (3, "RES-1"),
    "balloon_that_gives_one_of_many_back": None,
    "moved_slot_frame_reused": (5, "RES-2"), "moved_slot_mapped_elsewhere": (5, "ISO-1"), "moved_slot_frame_freed": (5, "ISO-1"),
    "zeroes_for_what_was_stored": (4, "EQV-1"), "fetched_after_a_store": (4, "EQV-1"),
    "two_owners_and_silent_loads": (4, "ISO-1"), "reused_and_silent_reads_by_devices": (4, "RES-2"),
    "device_reads_a_private_page": None,
    "resumed_with_a_mark": (10, "EQV-4"), "resumed_and_fetched": None,
    # What hypervisors did wrong, each beside the same monitor mended.
    "slot_read_only_and_still_mapped": (7, "ISO-1"), "slot_read_only_and_still_cached": (8, "ISO-1"),
    "slot_read_only_where_a_page_is_mapped": (3, "ISO-1"),
    "slot_read_only_once_flushed": None,  # KVM, commit 75d61fbcf563
    "marks_lost_with_the_slot": (12, "EQV-4"), "marks_kept_without_the_slot": None,  # QEMU, marks of a slot that is deleted
    "vhost_logs_another_address": (12, "EQV-4"), "vhost_logs_the_guests_address": None,  # Linux, commit cc5e71075947
    "placed_page_taken_for_clean": (7, "ISO-1"), "placed_page_written_back": None,  # Linux, commit dcf7fe9d8976
    "flush_of_another_range": (11, "ISO-3"), "flush_of_the_range": None,  # KVM, flush of a disconnected page table
    "written_back_to_anothers_slot": (10, "RES-1"), "written_back_to_its_own_slot": None,  # Linux, commit 04fc7816089c
    "iommu_page_larger_than_pinned": (6, "ISO-1"), "iommu_page_as_pinned": None,  # KVM on POWER, commit 76fa4975f3ed
    "slot_read_only_and_mapped_for_a_device": (3, "ISO-1"), "slot_read_only_and_mapped_for_reading": None,  # KVM, d47510e295c0
    "slot_read_only_and_still_mapped_for_a_device": (4, "ISO-1"), "slot_read_only_once_unmapped_for_devices": None,
    # What was seen of a page before does not make a later store to it lawful.
    "slot_read_only_and_stored_to_after_a_load": (4, "ISO-1"), "slot_read_only_given_again_and_stored_to": (5, "ISO-1"),
    "slot_writable_again_and_stored_to": None,
    # The IOMMU maps what was granted, for devices of the borrower's.
    "grant_mapped_for_a_device": None, "grant_mapped_elsewhere_for_a_device": (5, "ISO-1"),
    "grant_for_reading_mapped_for_a_device_to_write": (4, "ISO-1"), "grant_for_reading_mapped_for_a_device_to_read": None,
    "grant_revoked_while_mapped_for_a_device": (5, "ISO-1"), "grant_ballooned_while_mapped_for_a_device": (5, "ISO-1"),
    "grant_sent_and_written_to_by_a_device": (10, "EQV-4"), "grant_sent_again_after_a_device": None,
    "private_and_borrowed": (5, "ISO-5"), "private_and_mapped_for_a_borrowers_device": (5, "ISO-5"),
    "private_no_more_and_borrowed": None,
    "private_while_still_borrowed": (5, "ISO-1"), "private_when_borrowed_no_more": None,
    "private_and_stored_to_by_the_monitor": (5, "ISO-5"),
    "private_and_shared": (5, "ISO-5"), "private_no_more_and_shared": None,
    # What was written to a page that its guest had called free is there, whether the page was lost before or not.
    "reported_and_written_to_by_a_device": None, "reported_and_written_to_elsewhere_by_a_device": (8, "EQV-1"),
    "reported_and_stored_to_in_part": None, "reported_and_stored_to_and_lost": (6, "EQV-1"),
    "reported_and_promised_and_populated": None, "reported_and_promised_and_there_again": (8, "EQV-1"),
    "converted_though_it_is_private": None, "converted_while_it_is_mapped": (7, "ISO-1"),
    # A silent copy on write moves only pages that may be shared; a silent write by a device moves none.
    "anothers_frame_mapped_beside_silent_breaks": (5, "ISO-1"), "anothers_frame_mapped_beside_silent_devices": (5, "ISO-1"),
    "mapped_elsewhere_after_a_silent_break": None, "anothers_frame_mapped_beside_pages_that_may_be_broken": (7, "ISO-1"),
    "anothers_frame_mapped_after_a_silent_write": (5, "ISO-1"),
    # What was called free may be lost after it was seen, until it is written to; zeroes stay.
    "reported_and_loaded_from_before_it_was_lost": None, "reported_and_there_again_after_it_was_lost": (7, "EQV-1"),
    "reported_and_loaded_from_before_its_frame_went": None, "reported_and_stored_to_before_its_frame_went": (7, "EQV-1"),
    # A page that has just come to its VM has no translation, whatever was there before the trace began.
    "written_back_though_no_map_is_known": None, "written_back_while_it_is_mapped": (4, "EQV-1"),
    # A page that gets a frame of its own is as watched as it was.
    "tracked_and_broken_by_the_monitor": None, "tracked_and_writable_when_broken": (8, "EQV-5"),
    "tracked_and_mapped_for_a_device_to_write": None, "tracked_and_mapped_for_the_guest_to_write": (4, "EQV-5"),
    "unmerged_while_it_is_sent": None, "broken_for_a_store_and_not_marked": (11, "EQV-4"),
    # Who is left alone with a frame has it for its own, whoever writes to it.
    "last_sharer_mapped_for_a_device_to_write": None, "sharer_mapped_for_a_device_to_write": (5, "ISO-2"),
    "last_sharer_stored_to_by_the_monitor": None, "sharer_stored_to_by_the_monitor": (6, "ISO-2"),
    "last_sharer_of_a_clean_page_maps_it_writable": None, "last_sharer_of_a_clean_page_swapped_out_after_a_store": (10, "EQV-1"),
    # A page that a device may write to is no copy of its swap slot.
    "written_back_and_mapped_for_a_device_to_write": None, "written_back_and_swapped_out_after_a_device": (9, "EQV-1"),
    # Pages that are shared may not be written to, whichever frame they share.
    "shared_on_a_frame_untold_once_protected": None, "shared_on_a_frame_untold_while_writable": (5, "ISO-2"),
    "shared_on_a_frame_untold_while_a_device_writes": (5, "ISO-2"), "private_and_shared_on_a_frame_untold": (5, "ISO-5"),
    # What a VM counts says nothing of the VMs that borrow from it.
    "balloon_counted_beside_a_borrower": None, "balloon_miscounted_beside_a_borrower": (6, "RES-1"),
    # Of a range that is sent, pages that are no memory are left out.
    "sent_with_a_page_in_the_balloon": None, "sent_while_in_the_balloon_and_stored_to_later": (13, "EQV-4"),
    # An exit is served by the map of its CPU; one told after the map of another CPU is no fault.
    "loaded_from_after_the_exit_was_served": (10, "ISO-1"), "emulated_though_it_was_mapped_for_reading": None,
    "carried_out_though_another_mapped_and_unmapped": None, "carried_out_though_another_mapped_for_reading": None,
    "carried_out_again_after_another_mapped_and_unmapped": (11, "ISO-1"),
    "exit_told_after_another_mapped": None, "exit_again_for_nothing": (6, "EFF-1"),
    # What is judged late may be of a time before what was judged already.
    "populated_before_it_was_mapped_elsewhere": None,
    "granted_and_raced_for_by_its_owner": None, "granted_and_stored_to_in_order": (9, "EQV-1"),
    # A race makes nothing undecided but what it is about, and that as long as it lasts.
    "raced_for_a_range_and_another_page_not_flushed": (19, "ISO-3"), "raced_for_a_range_and_another_page_flushed": None,
    "another_pages_flush_beside_a_wrong_load": (20, "EQV-1"), "loaded_from_before_the_flush_and_told_after": None,
    "raced_for_before_and_not_flushed": (23, "ISO-3"), "raced_for_before_and_flushed": None,
    "told_by_a_load_of_a_later_time": None, "told_by_a_load_of_an_earlier_time": (13, "EQV-1"),
    # After a gap, who borrows a page, and what was in the balloon, is not known.
    # What goes with a VM, a leaf, a slot or a ring, and what a race, a gap or another CPU leaves unknown.
    "first_told_by_another_cpu_after_a_gap": None, "wrong_before_the_only_cpu_lost_events": (3, "ISO-3"),
    "read_into_what_was_stored_to": (18, "EQV-1"),
    "given_twice_while_splits_are_silent": (3, "RES-2"), "given_twice_while_dumps_are_silent": (3, "RES-2"),
    "balloon_size_while_marks_are_silent": (4, "RES-1"), "populated_late_by_its_clock": None, "memory_told_late_by_its_clock": None,
    "deflated_beside_a_touchable_page": None, "private_frame_after_an_untold_store": None,
    "read_for_one_page_alone_beside_the_swap_cache": None,
    "ring_reset_clears_dirty_flags": None, "entry_after_unmap_in_the_order_of_cpus": (5, "ISO-1"),
    "entry_of_a_split_leaf_in_the_order_of_cpus": (8, "ISO-1"), "sent_again_by_a_vm_of_that_number": None,
    "never_sent_by_a_vm_of_that_number": (10, "EQV-4"), "first_touch_of_ram_that_was_sent": (6, "EQV-4"),
    "read_only_slot_after_an_untold_ring": None, "tracked_after_a_ring_was_cancelled": None, "tracked_after_an_untold_ring": None,
    "exit_that_may_be_before_the_map": None, "execute_of_a_vm_that_is_gone": None, "execute_of_a_leaf_that_is_gone": None,
    "no_execute_of_a_leaf_that_is_gone": None, "lent_before_a_gap_beside_its_neighbour": (6, "RES-2"),
    "lent_before_a_gap_and_mapped_in_a_range": None, "frame_beside_a_promised_range": None,
    "last_page_of_a_slot_comes_back_to_the_others": None, "entry_writable_in_a_read_only_slot": (3, "ISO-1"),
    "unprotected_in_a_read_only_slot": (4, "ISO-1"), "tracked_in_a_slot_that_moved": None,
    "shared_though_promised_and_stored_to": (5, "ISO-2"), "shared_though_swapped_out": (6, "EQV-1"),
    "stored_to_and_not_judged_beside_a_store": None, "unmapped_and_not_judged_beside_a_map": None,
    "freed_and_not_judged_beside_a_populate": None, "slot_given_again_after_a_lost_delete": None,
    "frame_told_to_be_shared_and_a_page_comes_back": None, "gap_of_a_cpu_that_was_met": None,
    "a_device_writes_to_a_page_after_a_gap": None, "a_device_writes_to_a_page_after_a_race": None,
    "a_backend_writes_to_a_page_after_a_gap": (9, "EQV-4"),
    "granted_before_the_gap": None, "not_granted_before_the_gap": (7, "EQV-1"),
    "deflated_though_no_inflate_is_known": None, "deflated_after_a_known_inflate": (4, "EQV-1"),
    # A translation that was there before the trace began may be cached until a flush has ended, whatever it was.
    "unmapped_of_old_and_not_flushed_yet": None, "unmapped_of_old_and_flushed": (6, "ISO-1"),
    "protected_of_old_and_not_flushed_yet": None,
    # Nobody relies on what was sent of a page that went to the balloon; nobody has to tell which frame it gets when it is touched.
    "touchable_in_the_balloon_after_it_was_sent": None, "touchable_and_stored_to_without_a_mark": (11, "EQV-4"),
    "touchable_and_stored_to_by_a_vmm_that_tells_no_frames": None, "touchable_and_as_it_was": (6, "EQV-1"),
    "promised_and_stored_to_by_a_vmm_that_tells_no_frames": None, "promised_and_mapped_without_a_frame": (5, "ISO-3"),
    "promised_and_mapped_by_a_vmm_that_tells_no_frames": None, "promised_and_mapped_to_anothers_frame": (5, "ISO-1"),
    "touchable_and_mapped_by_a_vmm_that_tells_no_frames": None, "touchable_and_mapped_with_what_it_held": (8, "EQV-1"),
    "slot_moved_and_loaded_from": None, "slot_moved_and_zeroes_lost": (5, "EQV-1"),
    # The pages of a slot that is moved keep their frames, and share those that they shared.
    "slot_moved_with_its_frames": None, "slot_moved_and_its_frame_given_to_another": (6, "RES-2"),
    "slot_moved_and_a_shared_page_broken": None, "slot_moved_and_a_shared_page_stored_to": (7, "ISO-2"),
    "slot_moved_and_written_back": None, "slot_moved_and_stored_to_without_a_map": None, "slot_moved_and_read_from_swap": None,
    "slot_moved_and_its_swap_slot_taken": (11, "RES-1"),
    "device_writes_before_the_vm_is_gone": None, "device_writes_after_the_vm_is_gone": (5, "ISO-3"),
    "device_reads_after_the_page_is_unplugged": (5, "ISO-3"),
    "slot_read_only_and_stored_to_by_the_monitor": None,
    "slot_read_only_and_stored_to_by_the_monitor_then_the_guest": (4, "ISO-1"),
    # A flush may be of too few pages, or of another VM's.
    "written_back_after_a_flush_too_short": (9, "EQV-1"), "written_back_after_a_flush_of_another_vm": (9, "EQV-1"),
    "written_back_after_a_flush_long_enough": None, "ballooned_after_a_flush_too_short": (9, "ISO-3"),
    "ballooned_after_a_flush_of_another_vm": (9, "ISO-3"), "ballooned_after_a_flush_long_enough": None,
    # A frame that was free holds what the pages hold that are shared on it.
    "shared_on_a_third_frame_used_before": None, "shared_on_a_third_frame_and_different": (8, "EQV-1"),
    "written_by_a_device_after_a_silent_break": None, "written_by_a_device_while_shared": (5, "ISO-2"),
    # Nobody knows how many pages stood on a frame that was shared before the trace began.
    "shared_of_old_and_left_by_all": None, "shared_of_old_and_left_by_one": (4, "RES-2"),
    "shared_of_old_and_written_to_by_the_last": None, "shared_of_old_and_written_to_beside_another": (3, "ISO-2"),
    "reported_while_it_is_shared": None, "reported_while_it_is_shared_and_lost_for_another": (8, "EQV-1"),
    # Of a translation that is not known, nothing is held against the page.
    "written_back_after_it_was_read_from_swap": None, "written_back_after_it_was_mapped_again": (4, "EQV-1"),
    "resumed_though_no_map_is_known": None, "resumed_while_it_may_be_written_to": None,
    # Which slot keeps a copy may not be known; but a page that is in a frame is not read from swap.
    "kept_on_swap_of_old": None, "read_from_a_known_slot_and_not_kept": (5, "EQV-1"),
    "read_from_swap_though_it_is_in_a_frame": (3, "EQV-1"), "read_from_swap_after_it_went_there": None,
    "written_back_while_a_device_may_write": (4, "EQV-1"), "written_back_once_no_device_may_write": None,
    # A page that comes or goes counts as marked, also one that may still be touched in the balloon.
    "deflated_though_it_came_back_when_touched": None, "deflated_though_it_is_there": (4, "RES-1"),
    "cancelled_and_zeroes_not_sent_again": None, "cancelled_and_not_sent_again": (7, "EQV-4"),
    "marks_late_and_ballooned_since": None, "marks_late_and_no_mark_since": (6, "EQV-4"), "marked_in_silence": None,
    "marked_in_silence_and_not_fetched": (5, "EQV-4"), "touchable_counts_as_marked": None,
    "touchable_and_sent_again_without_a_mark": (9, "EQV-4"), "promised_and_written_by_a_device_twice": None,
    "promised_and_not_written_by_a_device": (3, "EQV-1"),
    # A translation of a borrowed page or an alias is held to what its owner's page is.
    "shared_and_mapped_writable_as_an_alias": (6, "ISO-2"), "shared_and_mapped_read_only_as_an_alias": None,
    "tracked_and_mapped_for_a_borrower_to_write": (5, "EQV-5"), "tracked_no_more_and_mapped_for_a_borrower_to_write": None,
    "sent_and_mapped_writable_as_an_alias": (7, "EQV-4"), "marked_and_mapped_writable_as_an_alias": None,
    # Wherever a page is of which that is not known: it is not on the own frame of another.
    "one_frame_mapped_in_two_vms_and_writable": (3, "ISO-1"), "one_frame_mapped_in_two_vms_for_reading": None,
    "one_frame_mapped_in_another_vm_after_an_unmap": None, "one_frame_mapped_in_another_vm_before_the_flush": (4, "ISO-1"),
    "one_frame_for_a_device_and_for_another_vm": (3, "ISO-1"),
    # What was pushed and harvested before the trace began is not known.
    "ring_harvested_with_entries_of_old": None, "ring_of_old_and_an_entry_left_out": (4, "EQV-4"),
    "ring_of_old_harvested_backwards": (3, "EQV-4"), "alias_before_the_gap_and_mapped_after_it": None,
    "no_alias_before_the_gap_and_mapped_after_it": (5, "ISO-1"), "sent_while_paused_and_mark_taken_after_it": None,
    "sent_and_stored_to_and_mark_taken_after_it": (8, "EQV-4"), "zeroes_reported_before_their_frame_went": None,
    "zeroes_not_reported_before_their_frame_went": (4, "ISO-1"),
    # What a device reads, or a dump shows, may have been read before the store that is told before it.
    "read_by_a_device_before_the_store_told_first": None, "dumped_before_the_store_told_first": None,
    "read_by_a_device_before_a_store_too_long_ago": (6, "EQV-1"), "flushed_though_its_vm_is_gone": None,
    # The slot of a page of which it is not known where it is may be another's once the page may be written to, or is read back.
    "slot_of_an_untold_page_used_after_a_map": None, "slot_of_an_untold_page_used_after_a_store": None,
    "slot_of_an_untold_page_used_while_it_holds_its_copy": (6, "RES-1"), "slot_used_after_it_was_read_to_an_untold_frame": None,
    "slot_used_though_it_was_kept_for_an_untold_frame": (7, "RES-1"),
    # A dump may say whose a frame is that was not told, and of whom it is when all others have left it.
    "frame_dumped_that_an_untold_page_may_have": None, "frame_dumped_that_no_page_has": (3, "RES-1"),
    "last_sharer_dumped_as_private": None, "sharer_dumped_as_private": (5, "RES-1"), "left_by_all_and_dumped_as_free": None,
    "promised_where_a_slot_was": None, "promised_where_a_slot_was_and_not_zeroes": (5, "EQV-1"), "touchable_and_kept": None,
    "touchable_and_not_kept": (5, "EQV-1"), "slot_deleted_in_silence": None, "slot_moved_in_silence": None,
    # A page is where it was told to be, also where the slot of its copy is not known.
    "kept_on_swap_of_old_and_its_frame_given_away": (3, "RES-2"), "kept_on_swap_of_old_and_stored_to": (5, "EQV-1"),
    "kept_on_swap_of_old_in_a_slot_told_later": None, "kept_on_swap_of_old_in_anothers_slot": (4, "EQV-1"),
    "ring_harvested_before_its_vm_was_gone": None, "ring_harvested_too_far_beside_another_vm": (4, "EQV-4"),
    # What pages share is written to one slot.
    "shared_and_swapped_out_to_one_slot": None, "shared_and_swapped_out_to_the_slot_of_the_first": None,
    "shared_no_more_and_swapped_out_to_anothers_slot": (8, "EQV-1"), "shared_and_swapped_out_and_lost": (9, "EQV-1"),
    "ring_of_old_pushed_before_it_is_harvested": None, "ring_of_old_pushed_after_it_is_harvested": (3, "EQV-4"),
    # A page that is known by its translation only may be the last that shares a frame.
    "last_sharer_keeps_its_frame_begun_in_the_middle": None, "last_sharer_keeps_its_frame_after_a_race": None,
    "frame_taken_that_two_untold_sharers_have": (7, "RES-2"),
    # Where an order is not known: what is forgotten leaves no frame behind, and of an event that waits nothing comes yet.
    "frame_of_a_page_forgotten_after_a_race": None, "load_that_waits_teaches_nothing": None,
    # What a processor may remember, and which flags it may set of its own accord.
    "xd_remembered_and_nxe_cleared": None, "first_page_walked_and_the_second_faults": None, "walked_of_its_own_accord": None,
    "invlpg_with_global_pages_off": None, "faults_at_power_on_with_pcids": (8, "EQV-2"),
    # A page keeps its slot in the swap cache, and loses it with its contents.
    "swapped_out_again_from_the_swap_cache": None, "reported_page_loses_its_copy_on_swap": None,
    "reported_on_swap_and_its_slot_is_anothers": None, "reported_on_swap_and_populated": None,
    # A race leaves nothing that is certain: whether a page was reported, has a copy on swap, or is marked.
    "report_races_with_a_store_and_the_page_is_freed": None, "report_races_with_a_store_and_the_page_is_promised": None,
    "report_races_with_a_dump": None, "written_back_beside_a_store_of_the_monitors": None,
    "stored_before_the_flush_of_the_ring_ended": None, "stored_before_the_flush_of_the_ring_ended_begun_in_the_middle":
    None,
    # What another CPU has lost may have come before.
    "loaded_before_a_gap_of_another_cpu": None, "loaded_while_another_cpu_lost_events": None,
    "loaded_though_no_cpu_lost_events": (3, "EQV-2"),
    "marks_taken_of_what_is_no_memory": None,
    "promised_beside_a_store": None, "inflated_and_touchable_beside_a_store": None, "privacy_is_not_known_after_a_race": None,
    "private_before_a_gap": None, "converted_in_silence_no_more": (6, "EQV-1"),
    # The guest's page tables: silent stores, flags that processors set, rights that were added.
    "accesses_go_by_tables_that_silent_stores_change": None, "accessed_flag_of_an_unknown_table": None,
    "accessed_flag_of_an_unknown_table_that_was_walked": None, "spurious_fault_of_a_store_after_rights_were_added": None,
    "faults_once_more_than_spuriously": (12, "EQV-2"),
    "rom_begun_in_the_middle": None, "rom_told_as_memory": (4, "EQV-2"),
    "shared_though_it_is_in_the_balloon": (5, "EQV-1"), "shared_though_there_is_no_memory": (4, "EQV-1"),
    "dumps_that_are_silent_change_nothing": (4, "EQV-1"),
    "mapped_writable_after_it_was_sent_while_paused": None, "pauses_are_silent": None,
    # A reported page loses its frame untold, unless it is mapped.
    "reported_unmapped_and_mapped_elsewhere": None, "reported_and_its_frame_is_mapped_by_another_page": None,
    "reported_and_its_frame_is_a_table": None, "reported_and_nobody_refers_to_its_frame": None,
    "reported_and_its_frame_reused_while_it_is_mapped": (5, "RES-2"),
    # What follows a loss closely may have come before what was lost; what a CPU lost explains none of its own events before.
    "granted_beside_a_loss": None, "reported_beside_a_loss": None, "populated_beside_a_loss": None,
    "populated_long_after_a_loss": (105, "EQV-1"), "one_cpu_deviates_before_its_gap": (3, "EQV-1"),
    # Slots that move, or are given again; accesses that the monitor carries out; what is lent, or told by dumps only.
    "moved_with_a_page_in_the_balloon": None, "moved_with_an_untold_copy": None, "carried_out_at_a_clean_page": None,
    "slot_given_again_over_a_hole": None, "slot_given_again_and_deleted": None, "protected_after_a_dump_of_a_tlb": None,
    "unknown_slot_deleted_with_a_copy": None, "last_sharer_stores_after_an_untold_break": None,
    "mapped_where_it_was_lent_before_a_gap": None, "silent_exit": None, "silent_ring_reset": None,
    "fault_in_the_second_page": None, "dump_of_a_page_on_a_table": (3, "RES-1"),
    "dump_of_two_pages_on_one_frame": (3, "RES-1"), "dump_of_a_table_and_a_page": (3, "RES-1"),
    "dump_of_two_owners": (3, "RES-1"), "dump_of_a_page_with_a_copy_on_swap": None,
    "lost_by_a_cpu_whose_next_event_may_be_earlier": None, "resumed_twice_without_memory": None, "granted_on": None,
    "alias_of_an_alias": (8, "EQV-1"), "registers_after_a_gap": None, "registers_after_a_race": None,
    # What is reported of many pages at once holds for each.
    "many_pages_are_reported_and_one_is_freed": None,
    "many_pages_are_reported_and_a_frame_is_taken": None,
    "many_pages_are_reported_and_mapped_anew": None,
    "many_restored_pages_are_reported_and_one_is_freed": None,
    "many_restored_pages_are_reported_and_one_is_lost": None,
    "many_pages_are_reported_and_come_back_begun_in_the_middle": None,
    "many_reported_pages_move_with_their_slot": None,
    "a_store_somewhere_after_a_report": None,
    "a_store_to_one_of_two_pages_after_a_report": None,
    "denied_by_a_protection_key": None,
    "denied_by_another_protection_key": (8, "EQV-2"),
    "references_of_untold_sharers_and_the_last_writes": None,
    "references_of_untold_sharers_of_a_vm_that_is_gone": None,
    "references_of_sharers_of_an_untold_frame_that_leave": None,
    "a_dump_of_a_borrowed_page": None,
    "a_reported_page_is_merged_with_another_that_differs": (7, "EQV-1"),
    # An alias is the page that it is an alias of.
    "a_hole_at_an_alias": (6, "EQV-2"),
    "a_page_is_marked_by_its_alias": None,
    "a_page_is_reported_by_its_alias": None,
    "a_vm_with_a_mapped_alias_is_gone": None,
    "a_vm_with_an_alias_for_devices_is_gone": None,
    "the_last_sharer_has_an_alias": None,
    "the_last_sharer_has_a_borrower": None,
    "lent_before_a_gap_by_a_vm_that_is_gone": (8, "EQV-1"),
    # What a step does not know of decides: the swap cache, slots that many use, reports of what nobody touched.
    "a_page_of_the_swap_cache_moves_after_others_did": None,
    "a_page_comes_back_to_anothers_frame": (46, "RES-2"),
    "many_clones_come_back_to_one_frame": None,
    "the_slot_of_many_clones_is_taken": (347, "RES-1"),
    "two_pages_come_back_from_an_untold_slot": None,
    "sharers_of_an_untold_frame_come_back_to_one": None,
    "the_last_sharer_is_reported_after_an_untold_break": None,
    "a_device_answers_a_store_to_a_read_only_alias": None,
    "a_page_is_unprotected_by_its_alias": None,
    "the_slot_of_a_page_that_was_reported_before_is_taken": None,
    "untouched_memory_is_reported_and_freed": None,
    "a_slot_of_a_page_that_came_in_silence": None,
    "a_page_comes_back_to_the_frame_where_an_untold_sharer_is_mapped": None,
    "a_page_comes_back_untold_and_is_mapped_with_another": None,
    "a_page_comes_back_and_another_is_mapped_there": None,
    "a_page_of_a_dump_is_stored_to_and_swapped_out": (4, "EQV-1"),
    "reported_pages_that_differ_are_merged": (9, "EQV-1"),
    "a_reported_page_is_merged_with_zeroes": (7, "EQV-1"),
    "a_clean_page_is_merged_and_its_slot_taken": None,
    "a_clean_page_is_merged_and_goes_with_its_sharer": None,
    "a_page_on_swap_is_converted": None,
    "a_page_of_zeroes_on_swap_is_promised": None,
    "two_pages_come_back_to_a_frame_that_was_dumped": None,
    # Pages that share a frame use one slot, and may come back to one frame; reported pages lose frames and slots they shared.
    "a_shared_page_in_the_swap_cache_moves": None,
    "a_shared_page_moves_before_it_is_swapped_out": None,
    "a_slot_that_another_sharer_uses_is_taken": (13, "RES-1"),
    "a_slot_of_a_sharer_is_taken_after_the_other_vm_is_gone": (12, "RES-1"),
    "a_slot_of_pages_that_have_left_their_frame_is_taken": (14, "RES-1"),
    "two_pages_come_back_to_one_frame": None,
    "a_page_comes_back_to_the_frame_that_others_share": None,
    "an_emulated_store_across_two_tracked_pages": None,
    "a_page_that_was_sent_is_reported_and_freed": None,
    "a_page_that_was_sent_is_reported_and_promised": None,
    "two_pages_of_before_the_trace_in_one_slot": None,
    "pages_that_share_an_untold_frame_in_one_slot": None,
    "clones_of_a_template_in_one_slot": None,
    "a_reported_sharer_in_one_slot_with_another": None,
    "a_sharer_comes_back_and_goes_again": None,
    "a_sharer_comes_back_and_is_written_again": None,
    "the_last_sharer_is_reported_and_freed": None,
    "the_frame_of_a_reported_last_sharer_is_taken": None,
    "both_sharers_are_reported_and_freed": None,
    "the_frame_of_reported_sharers_is_taken": None,
    "the_other_sharer_was_reported_so_this_one_writes": None,
    "the_slot_of_a_reported_untold_page_is_taken": None,
    "the_slot_of_a_page_reported_in_an_untold_frame_is_taken": None,
    "stores_after_one_that_was_emulated_and_a_move": None,
    "stores_after_a_grant_has_ended_and_a_write_back": None,
    "a_word_of_a_device_in_a_page_that_comes_to_be_shared": None,
    "contents_of_a_device_in_a_page_that_comes_to_be_shared": None,
    "a_page_is_reported_and_freed_after_a_race": None,
    "references_of_a_frame_with_an_untold_sharer": None,
    "references_of_a_frame_that_an_untold_page_may_have_come_back_to": None,
    # What a random monitor that does everything right has met.
    "a_backend_writes_to_a_page_with_a_copy_on_swap": None,
    "a_device_of_a_vm_with_the_number_of_one_that_is_gone": None,
    "a_page_is_writable_after_its_copy_was_void": None,
    "a_ballooned_page_of_a_slot_that_moves_twice": None,
    "an_emulated_load_of_two_words_after_another_cpus_map": None,
    "a_tlb_is_dumped_while_a_flush_of_before_is_under_way": None,
    "a_page_that_was_merged_in_the_balloon_is_kept": None,
    "the_last_sharer_breaks_after_the_other_was_reported": None,
    "sent_again_while_the_vm_is_stopped_and_marks_come_late": None,
    "an_untold_page_with_a_copy_is_merged_and_swapped_out": None,
    "the_slot_of_an_untold_page_that_was_merged_is_taken": None,
    "a_page_comes_back_alone_to_a_frame_that_others_left": None,
    "a_tlb_is_dumped_with_fewer_rights_during_a_flush": None,
    "a_page_of_a_range_has_left_a_frame_that_is_shared_then": None,
    "a_reported_page_is_seen_lost_and_populated": None,
    "the_frame_of_a_reported_page_is_shared_by_others": None,
    "a_race_about_the_flags_of_a_slot": None,
    "a_tlb_is_dumped_after_an_unlogged_copy": None,
    "a_tlb_is_dumped_after_a_ring_of_untold_entries_is_reset": None,
    "a_frame_that_was_shared_is_mapped_after_its_vm_is_gone": None,
    "a_ring_is_reset_of_which_the_entries_were_forgotten": None,
    "a_slot_of_before_the_trace_is_given_again_with_zeroes": None,
    "what_was_reported_is_known_after_another_vms_slot": None,
    "a_ring_is_reset_whose_pushes_are_silent": None,
    "a_load_that_races_with_a_store_to_a_reported_page": None,
    "entry_marked_by_a_walk_of_the_processors_own_read_by_linear_address": None,
    "entry_that_maps_its_table_read_by_its_own_walk": None,
    "entry_that_maps_its_table_read_unmarked": (5, "EQV-1"),
    "a_table_at_address_zero": (10, "EQV-1"),
    "entry_marked_where_registers_are_silent": None,
    "store_by_linear_address_to_a_read_only_slot": (10, "ISO-1"),
    "fetch_by_linear_address_from_what_is_not_executable": (11, "ISO-1"),
    "a_page_invalidated_after_many_stores_to_tables": (271, "EQV-1"),
    "table_page_converted_and_translation_still_cached": None,
    "table_page_ballooned_and_translation_still_cached": None,
    "table_overwritten_by_dma_and_translation_still_cached": None,
    "table_page_filled_with_zeroes_and_translation_still_cached": None,
    "table_page_reported_free_and_translation_still_cached": None,
    "table_reached_by_an_alias_and_translation_still_cached": None,
    "table_in_a_borrowed_page_and_translation_still_cached": None,
    "table_in_a_moved_slot_and_translation_still_cached": None,
    "wrong_data_after_invlpg_in_a_trace_from_the_middle": (11, 'EQV-1'),
    "wrong_data_after_invlpg_under_a_pcid_in_a_trace_from_the_middle": (11, 'EQV-1'),
    "wrong_data_after_a_gap_and_invlpg": (20, 'EQV-1'),
    "wrong_data_after_many_stores_to_other_entries": (270, 'EQV-1'),
    "error_code_that_no_tables_give": (9, 'EQV-3'),
    "dirty_flag_of_a_store_across_pages_that_faulted": None,
    "accessed_flag_of_a_table_in_read_only_memory": None,
    "large_leaf_of_a_processor_without_such_pages": (6, "EQV-2"),
    "large_leaf_of_a_processor_told_to_be_without_such_pages": None,
    "dma_of_an_alias_tells_where_its_page_is": None,
    "dma_of_a_borrowed_page_that_came_back_untold": None,
    "stored_to_a_page_with_a_copy_without_translations": None,
    "slot_moved_to_where_one_was_deleted_in_silence": None,
    "alias_mapped_to_a_frame_that_another_vm_gets": (5, 'RES-2'),
    "alias_mapped_to_a_page_table": (5, 'ISO-1'),
    "borrowed_page_mapped_writable_to_a_shared_frame": (7, 'ISO-2'),
    "stored_before_its_mark_on_an_unknown_frame": (5, 'EQV-4'),
    "exits_at_a_borrowed_page_that_is_mapped": (5, 'EFF-1'),
    "table_under_an_alias_that_leads_elsewhere": None,
    "frame_that_was_shared_before_the_trace_is_moved_to": None,
    "swapped_in_nobody_says_where_while_the_other_is_written": None,
}
"""Where each deviates, and from what."""


@pytest.mark.parametrize("name", AS_MET)
def test_traces_as_they_were_met(name: str) -> None:
    found = judge_trace(str(DATA / f"{name}.jsonl")).deviation
    assert (found and (found.line, found.clause)) == AS_MET[name]


@pytest.mark.parametrize("event", ["written_back", "ballooned"])
@pytest.mark.parametrize("flush, words", [
    ("too_short", "one of gfn 0x0 to 0x3 (mmu.c:120) leaves gfn 0x4 out"),
    ("of_another_vm", "one of vm 1 (mmu.c:120) is of no page of vm 0")])
def test_a_flush_that_was_not_enough_is_named(event: str, flush: str, words: str) -> None:
    found = judge_trace(str(DATA / f"{event}_after_a_flush_{flush}.jsonl")).deviation
    assert found is not None and STALE in found.why and words in found.why


def test_every_trace_that_is_kept_is_judged() -> None:
    assert {file.name.removesuffix(".jsonl") for file in DATA.glob("*.jsonl")} == {*AS_MET, "cut_line", "header_only"}


@pytest.mark.parametrize("name, status, said", [
    ("random_bytes.bin", 2, "not an event"), ("damaged.jsonl.gz", 2, "damaged"), ("cut_line.jsonl", 3, "is cut off"),
    ("cut.jsonl.gz", 3, "end early"), ("header_only.jsonl", 3, "undecided")])
def test_where_no_event_can_be_read_nothing_is_called_lawful(name: str, status: int, said: str) -> None:
    done = refmodel("judge", str(DATA / name))
    assert done.returncode == status and said in done.stdout + done.stderr and "lawful" not in done.stdout


def test_no_law_about_a_page_looks_at_how_many_references_its_frame_has() -> None:
    """So the pages of a frame are not asked about again when only that number changes."""
    asking = {each.sort for each in ASKED if "references" in MENTIONED[each.law]}
    assert asking == {"frame"}
    assert not any("references" in MENTIONED.get(law, OUTLINE.mentions(law)) for law in (*TRANSLATIONS, *BORROWED))
