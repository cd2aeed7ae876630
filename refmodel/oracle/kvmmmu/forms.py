"""How events are written: as a kernel prints them, as trace-cmd and perf print some by themselves, or as the fields that they hold.

trace-cmd and perf print shadow pages by a plugin of libtraceevent (plugins/plugin_kvm.c), not as the kernel does. It names a page's
guest frame only where a page is got. Where they cannot parse how the kernel prints an event, they print the names and values of
its fields.
"""

from __future__ import annotations

import re
from collections.abc import Callable

import attrs

WALK = re.compile(rb"addr ([0-9a-f]{1,16}) pferr ([0-9a-f]{1,16})")
ELEMENT = re.compile(rb"pte ([0-9a-f]{1,16}) level ([1-5])(?!\d)")
ERROR = re.compile(rb"pferr ([0-9a-f]{1,16})")
MARK = re.compile(rb"gpa ([0-9a-f]{1,16})")
PAGE = re.compile(
    rb"sp (?:gen (\S+) )?gfn ([0-9a-f]{1,16}) l?(\d)(?: (\d+)-byte| pae)? (.*?) root (-?\d+) (\w+)(?: (new|existing))?"
)
BY_PLUGIN = re.compile(rb"(?:(new|existing) sp gfn ([0-9a-f]{1,16}) )?(\d)( q\d .*?) root -?\d+ (sync|unsync)\b")
"""As libtraceevent prints a page. ``pae`` stands for a bit of the role that said "8-byte" once, and has said "4-byte" since
Linux 5.18."""
REQUESTED = re.compile(rb"gfn ([0-9a-f]{1,16}) pfn ([0-9a-f]{1,16}) level ([1-5])(?!\d)")
MMIO = re.compile(rb"gfn ([0-9a-f]{1,16}) access \w+(?: gen (\w+))?")
SPTE = re.compile(rb"gfn ([0-9a-f]{1,16}) spte ([0-9a-f]{1,16}) \((.)(.)(.)([u-]?)\) level ([1-5])(?!\d)")
"""Whether it is for users is not told where no bit of an entry says so."""
SUCH_AS = {
    WALK: "addr ffffff8000004fd8 pferr 0",
    ELEMENT: "pte 23067 level 4",
    ERROR: "pferr 14 U|F",
    MARK: "gpa 21000",
    PAGE: "sp gen 0 gfn 23 l3 8-byte q0 wux nxe ad root 0 sync new",
    REQUESTED: "gfn 11 pfn 138005 level 1",
    MMIO: "gfn fee00 access 7 gen 5",
    SPTE: "gfn 11 spte 138005e67 (rwxu) level 1 at 105324008",
}
"""The fields of an event, as a kernel prints them."""
NOT_PARSED = b"[FAILED TO PARSE]"
FIELD = re.compile(rb" (\w+)= ?(?:0x([0-9a-f]{1,16})|(-?\d{1,20}))(?![^\s\0])")
ACCESSES = ("---", "--x", "w--", "w-x", "-u-", "-ux", "wu-", "wux")


class Unreadable(Exception):
    """An event that does not hold what it should."""


@attrs.frozen
class Page:
    """What an event tells of a shadow page."""

    gfn: bytes | None
    level: bytes
    is_8_byte: bool | None
    """Whether the entries of its guest table are known to have 8 bytes; None if the role's bit for it is told, not its meaning."""
    role: bytes
    is_unsync: bool
    made: bytes | None

    @property
    def name(self) -> bytes | None:
        """What other events call it by; None if this one does not tell."""
        return None if self.gfn is None else self.gfn + b" " + self.kind

    @property
    def kind(self) -> bytes:
        """What is told of it but its guest frame."""
        return self.level + b" " + self.role

    @property
    def is_direct(self) -> bool:
        return b"direct" in self.role


def page_in(rest: bytes) -> Page:
    """Read an event of a shadow page. Raises ``Unreadable``."""
    if found := BY_PLUGIN.match(rest):
        made, gfn, level, role, state = found.groups()
        return Page(gfn, level, None, role[1:], state == b"unsync", made)
    _, gfn, level, size, role, _, state, made = fields(PAGE, rest)
    return Page(gfn, level, size == b"8", role, state == b"unsync", made)


def fields(pattern: re.Pattern[bytes], rest: bytes) -> tuple[bytes, ...]:
    """What an event holds. Raises ``Unreadable``."""
    found = pattern.search(rest)
    if found is None:
        raise Unreadable(f"expected fields such as {SUCH_AS[pattern]}, got {rest[:80].decode(errors='replace')}")
    return found.groups()


def _walk(of: dict[str, int]) -> str:
    return f"addr {of['addr']:x} pferr {of['pferr']:x}"


def _element(of: dict[str, int]) -> str:
    return f"pte {of['pte']:x} level {of['level']}"


def _error(of: dict[str, int]) -> str:
    return f"pferr {of['pferr']:x}"


def _mark(of: dict[str, int]) -> str:
    return f"gpa {of['gpa']:x}"


def _page(of: dict[str, int]) -> str:
    """As the plugin prints it, with the whole word of the role, and the frame in any case."""
    role = of["role"]
    said = [str(role & 15), f"q{role >> 5 & 3}", "direct" if role & 1 << 7 else "", ACCESSES[role >> 8 & 7]]
    said += ["invalid" if role & 1 << 11 else "", ("" if role & 1 << 4 else "!") + "pae", ("" if role & 1 << 12 else "!") + "nxe"]
    made = "new" if of.get("created") else "existing"
    state = "unsync" if of["unsync"] else "sync"
    return f"{made} sp gfn {of['gfn']:x} {' '.join(filter(None, said))} word {role:08x} root 0 {state}"


def _requested(of: dict[str, int]) -> str:
    return f"gfn {of['gfn']:x} pfn {of['pfn']:x} level {of['level']}"


def _mmio(of: dict[str, int]) -> str:
    return f"gfn {of['gfn']:x} access {of['access']:x} gen {of['gen']:x}"


def _spte(of: dict[str, int]) -> str:
    user = {-1: "", 0: "-"}.get(of["u"], "u")
    rights = ("r" if of["r"] else "-") + ("w" if of["spte"] & 2 else "-") + ("x" if of["x"] else "-") + user
    return f"gfn {of['gfn']:x} spte {of['spte']:x} ({rights}) level {of['level']}"


OF_PAGES = (b"kvm_mmu_get_page", b"kvm_mmu_prepare_zap_page", b"kvm_mmu_unsync_page", b"kvm_mmu_sync_page")
BY_FIELDS: dict[bytes, Callable[[dict[str, int]], str]] = {
    b"kvm_mmu_pagetable_walk": _walk,
    b"kvm_mmu_paging_element": _element,
    b"kvm_mmu_walker_error": _error,
    b"kvm_mmu_set_accessed_bit": _mark,
    b"kvm_mmu_set_dirty_bit": _mark,
    **dict.fromkeys(OF_PAGES, _page),
    b"mark_mmio_spte": _mmio,
    b"kvm_mmu_spte_requested": _requested,
    b"kvm_mmu_set_spte": _spte,
}


def parsed(name: bytes, rest: bytes) -> bytes:
    """An event that was not parsed, as if it had been; others as they are. Raises ``Unreadable``."""
    if not rest.startswith(NOT_PARSED):
        return rest
    of = {field.decode(): int(hexadecimal, 16) if hexadecimal else int(value) for field, hexadecimal, value in FIELD.findall(rest)}
    try:
        return BY_FIELDS[name](of).encode()
    except KeyError as lacking:
        raise Unreadable(f"expected a field {lacking}, got {rest[:80].decode(errors='replace')}") from None
