"""What a kernel's events are held to: clause, name and sentence of each law."""

from __future__ import annotations

from refmodel.oracle.trace.deviations import Deviates
from refmodel.oracle.x86.fault_codes import CODES

WALKS = ("EQV-2", "walks_end_as_the_architecture_s", "A page walk reads entries and ends as the architecture defines.")
MARKS = ("EQV-4", "flags_are_set_as_they_are_used", "A page walk that succeeds sets the accessed and dirty flags that are clear.")
ROLES = ("EQV-2", "roles_inherit_what_every_level_gives", "A shadow page's role has the guest table and the rights of the walk.")
ENTRIES = (
    "ISO-1",
    "shadow_entries_give_no_more",
    "A shadow entry maps the requested frame, with no more rights than the guest's page walk gives.",
)
SYNC = ("EQV-5", "pages_are_synced_that_fell_behind", "A shadow page alternates between unsync and synced.")
TRACKED = ("EQV-5", "tables_in_sync_are_not_writable", "A guest table with a synced level 1 shadow page is not mapped writable.")
SLOTS = ("ISO-1", "a_frame_has_memory_or_none", "In one generation of memory slots, a gfn either has memory all the time or never.")
REUSE = ("ISO-3", "zapped_pages_are_not_used_again", "A shadow page that was zapped is not used before it is created again.")


def deviates(law: tuple[str, str, str], expected: list[str], why: str) -> Deviates:
    """A law is broken."""
    return Deviates(*law, expected, why)


__all__ = ["CODES", "ENTRIES", "MARKS", "REUSE", "ROLES", "SLOTS", "SYNC", "TRACKED", "WALKS", "deviates"]
