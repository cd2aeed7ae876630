"""The events of a trace: one JSON object a line, told apart by ``e``. The chapter is specs/traces.md.

These classes are the format: they are decoded from lines, the JSON Schema is made of them, and their docstrings and comments say
what each event means. Each knows how it is judged, because that is the fastest way from a line to a verdict: the two that a trace
is mostly made of are judged here, all others by the rooms that they hand themselves to.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal, TypeAlias

import msgspec
from msgspec import UNSET, Meta, UnsetType

if TYPE_CHECKING:
    from refmodel.oracle.trace.knowledge import Knowledge

VERSION = 1

Id: TypeAlias = Annotated[int, Meta(ge=0, le=(1 << 63) - 1)]
"""Somebody's own number for a VM, a CPU, a frame, a slot: only whether two are the same matters."""
Address: TypeAlias = Annotated[int, Meta(ge=0, le=(1 << 52) - 1, description="guest-physical, in bytes")]
Gfn: TypeAlias = Annotated[int, Meta(ge=0, le=(1 << 40) - 1, description="a guest frame number: a guest-physical address / 4096")]
Mfn: TypeAlias = Annotated[int, Meta(ge=0, le=(1 << 63) - 1, description="the implementation's name for a machine frame")]
Value: TypeAlias = Annotated[int, Meta(ge=0, description="at most 8 * size bits")]
Word: TypeAlias = Annotated[int, Meta(ge=0, description="64 bits at most")]
Size: TypeAlias = Literal[1, 2, 4, 8]


class Event(msgspec.Struct, forbid_unknown_fields=True, tag_field="e", gc=False):
    """What every event may say besides: ``seq``, its number, one more than that of the event before; ``cpu``, the implementation's;
    ``vm``; ``at``, where in the implementation's source it was told, such as ``mmu.c:120``."""

    vm: Id = 0
    cpu: Id = 0
    seq: Id | None = None
    at: str | None = None

    def judge(self, k: Knowledge) -> None:
        """Hold this event against what is known; raises ``Deviates``."""
        k.effect(self)


class Header(Event, tag="trace", kw_only=True):
    """The first line, if there is one: the version of the format and what the implementation promises to tell.

    ``start``: ``power-on`` if no memory has been given to anybody before the trace begins, ``running`` if anything may have
    happened before. ``flushes``: ``told`` if a translation that was taken away may still be cached until a ``flush_end``,
    ``implied`` if taking it away includes that. ``silent``: kinds of events that happen without being told.
    """

    version: Literal[1] = 1
    name: str = ""
    start: Literal["power-on", "running"] = "running"
    flushes: Literal["told", "implied"] = "implied"
    silent: tuple[str, ...] = ()


# ---------------------------------------------------------------- what a guest saw


By: TypeAlias = Literal["guest", "monitor"]
"""Who carries out a guest's access: its processor, by a translation; or the monitor, in the guest's name (emulation)."""


class Load(Event, tag="load", kw_only=True):
    """A guest's load from guest-physical memory, and the value that it got. Little endian; aligned to its size."""

    gpa: Address
    value: Value
    size: Size = 8
    by: By = "guest"

    def judge(self, k: Knowledge) -> None:
        page = k.pages.get((self.vm, self.gpa >> 12))
        if page is None or page.shut or self.size != 8 or page.words.get(self.gpa & 0xFFF) != self.value:
            k.load(self)


class Store(Event, tag="store", kw_only=True):
    """A guest's store to guest-physical memory, once it has happened."""

    gpa: Address
    value: Value
    size: Size = 8
    by: By = "guest"

    def judge(self, k: Knowledge) -> None:
        page = k.pages.get((self.vm, self.gpa >> 12))
        if page is None or not page.plain or self.size != 8 or self.gpa & 7 or self.value >> 64:
            k.store(self)
        else:
            page.words[self.gpa & 0xFFF] = self.value


class Hole(Event, tag="hole", kw_only=True):
    """An access that found no memory: the guest was told so, or was given a device's answer."""

    gpa: Address
    write: bool = False


class Exit(Event, tag="exit", kw_only=True):
    """An access that no translation let through: a VM exit (EPT violation, nested page fault, hidden fault)."""

    gpa: Address
    write: bool = False


class Registers(Event, tag="registers", kw_only=True):
    """A CPU's registers, as far as walks depend on them: given once, and whenever they change. What is left out stays as it was.

    Changing ``cr3`` forgets as MOV to CR3 does, unless ``keep`` (bit 63 of the source); changing ``pge``, ``pcide`` or ``smep``
    as MOV to CR4. With ``pcide``, bits 11:0 of ``cr3`` are the PCID.
    """

    cr3: Word | None = None
    levels: Literal[4, 5] | None = None
    wp: bool | None = None
    smep: bool | None = None
    smap: bool | None = None
    nxe: bool | None = None
    pge: bool | None = None
    pcide: bool | None = None
    physical_bits: Annotated[int, Meta(ge=32, le=52)] | None = None
    keep: bool = False


class Invlpg(Event, tag="invlpg", kw_only=True):
    """INVLPG."""

    gva: Word


class Invpcid(Event, tag="invpcid", kw_only=True):
    """INVPCID that did not fault: ``kind`` 0 an address of a PCID, 1 a PCID, 2 everything, 3 everything but global pages."""

    kind: Annotated[int, Meta(ge=0, le=3)]
    pcid: Annotated[int, Meta(ge=0, le=0xFFF)] = 0
    gva: Word = 0


class Linear(Event, tag="access", kw_only=True):
    """A guest's access by linear address, through tables in its memory: the value that it loaded or stored, or the fault it got.

    ``fault`` is a page fault's error code, with the linear address in CR2; ``gp`` a general-protection fault.
    """

    gva: Word
    kind: Literal["load", "store", "fetch"] = "load"
    user: bool = False
    ac: bool = False
    value: Value | UnsetType = UNSET
    size: Size = 8
    fault: Word | UnsetType = UNSET
    gp: bool = False


# ---------------------------------------------------------------- what the monitor did


class Page(Event, kw_only=True):
    """An event about one page of a VM's."""

    gfn: Gfn


class Ram(Event, tag="ram", kw_only=True):
    """Guest-physical memory of zeroes that is there from the start, however it is backed: ``bytes`` of it at ``gpa``."""

    gpa: Address
    bytes: Annotated[int, Meta(ge=0, le=1 << 52)]


class Populate(Page, tag="populate", kw_only=True):
    """The monitor gives a VM a page that it has not: a scrubbed frame behind a guest frame. Also how a promise is kept."""

    mfn: Mfn


class Promise(Page, tag="promise", kw_only=True):
    """A page is promised: one that the guest had not, or one that holds zeroes again and whose frame goes. It has no frame until
    it is populated."""


class Map(Page, tag="map", kw_only=True):
    """A translation is installed: an EPT, NPT or shadow entry, for a guest frame."""

    mfn: Mfn
    writable: bool


class Unmap(Page, tag="unmap", kw_only=True):
    """A translation is taken away."""


class Protect(Page, tag="protect", kw_only=True):
    """The right to write is taken from a page's translation, once. It may be mapped writable again at any time."""


class Unprotect(Page, tag="unprotect", kw_only=True):
    """The monitor lets stores to a page through again; a copy on swap is good no more. A writable ``map`` does so too."""


class Track(Page, tag="track", kw_only=True):
    """Writes to a page are tracked from now on (KVM's page tracking): until ``untrack`` no translation lets anybody write to it."""


class Untrack(Page, tag="untrack", kw_only=True):
    """Writes to a page are tracked no longer."""


class Share(Page, tag="share", kw_only=True):
    """Two pages that hold the same stand on one frame from now on, read-only; without ``mfn`` it is not said on which."""

    with_vm: Id
    with_gfn: Gfn
    mfn: Mfn | None = None


class Break(Page, tag="break", kw_only=True):
    """A page gets a frame of its own again, with a copy of what it held, and may be written to. The last may keep the old."""

    mfn: Mfn | None = None


class Inflate(Page, tag="inflate", kw_only=True):
    """A guest gives a page up to its balloon; whatever stood behind it is the monitor's."""


class Deflate(Page, tag="deflate", kw_only=True):
    """A guest takes a page back from its balloon: a page of zeroes, without ``mfn`` on a frame that is not named."""

    mfn: Mfn | None = None


class Balloon(Event, tag="balloon", kw_only=True):
    """How many pages a VM's balloon holds, by the monitor's count."""

    actual: Id


class WriteBack(Page, tag="write_back", kw_only=True):
    """A page is written to a swap slot, and stays in its frame, clean: nobody can write to it unseen, for it was protected or
    unmapped before."""

    slot: Id


class SwapOut(Page, tag="swap_out", kw_only=True):
    """A page's frame is taken; what it held is in the slot that it was written back to, and still is what the page holds."""

    slot: Id | None = None


class SwapIn(Page, tag="swap_in", kw_only=True):
    """A page is back, in a frame, read from its slot. With ``keep`` the slot stays a copy as long as the page is not written to."""

    mfn: Mfn | None = None
    keep: bool = False


class Mark(Page, tag="mark", kw_only=True):
    """The dirty log notes a page."""


class TakeMark(Page, tag="take_mark", kw_only=True):
    """The mark is taken from the dirty log, by whoever is to send the page."""


class Send(Page, tag="send", kw_only=True):
    """A page is copied to the other machine, as its frame is now."""


class Resume(Event, tag="resume", kw_only=True):
    """The VM goes on on the other machine, with the memory that was sent there; pages marked were fetched first."""


class Grant(Page, tag="grant", kw_only=True):
    """A page is granted: ``to_vm`` may reach it as its ``to_gfn``."""

    to_vm: Id
    to_gfn: Gfn
    writable: bool = False


class Revoke(Page, tag="revoke", kw_only=True):
    """A grant has ended."""

    to_vm: Id
    to_gfn: Gfn


class FlushBegin(Event, tag="flush_begin", kw_only=True):
    """The processors are told to forget a VM's cached translations: those that were taken away before this."""


class FlushEnd(Event, tag="flush_end", kw_only=True):
    """They all have."""


class Free(Event, tag="free", kw_only=True):
    """A frame goes back to the free ones."""

    mfn: Mfn


class Table(Event, tag="table", kw_only=True):
    """A frame becomes one of the monitor's own: a page table, or anything else that no guest may reach."""

    mfn: Mfn


class Abort(Event, tag="abort", kw_only=True):
    """The monitor has given up: BUG, panic, an assertion."""

    why: str = ""


# ---------------------------------------------------------------- what the hardware held


class Entry(Page, tag="entry", kw_only=True):
    """A dump: a translation as it stands in a table, or in a TLB."""

    mfn: Mfn
    writable: bool
    where: Literal["table", "tlb"] = "table"


class Backed(Page, tag="p2m", kw_only=True):
    """A dump: where the monitor says that a page is. ``shared`` if it says so of its frame."""

    mfn: Mfn
    writable: bool | None = None
    shared: bool | None = None


class FrameIs(Event, tag="frame", kw_only=True):
    """A dump: what the monitor says of a frame; ``references`` counts the guest pages that it stands behind."""

    mfn: Mfn
    use: Literal["free", "private", "shared", "table"] | None = None
    references: Id | None = None


class Cell(Event, tag="memory", kw_only=True):
    """A dump: a word of guest memory, wherever it lies."""

    gpa: Address
    value: Word


class Gap(Event, tag="gap", kw_only=True):
    """Events were lost here: nothing is known any more."""


Any_: TypeAlias = (
    Load | Store | Hole | Exit | Registers | Invlpg | Invpcid | Linear | Ram | Populate | Promise | Map | Unmap
    | Protect | Unprotect | Track | Untrack | Share | Break | Inflate | Deflate | Balloon | WriteBack
    | SwapOut | SwapIn | Mark | TakeMark | Send | Resume | Grant
    | Revoke | FlushBegin | FlushEnd | Free | Table | Abort | Entry | Backed | FrameIs | Cell | Gap | Header)

KINDS: dict[str, type[Event]] = {c.__struct_config__.tag: c for c in Any_.__args__}
"""Every event by its tag."""


def schema() -> dict[str, object]:
    """The format as a JSON Schema, of one line."""
    made = msgspec.json.schema(Any_)
    dialect = "https://json-schema.org/draft/2020-12/schema"
    return {"$schema": dialect, "title": f"refmodel trace, version {VERSION}: one line", **made}
