"""What a guest, or a device, saw of memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal, TypeAlias

from msgspec import UNSET, Meta, UnsetType

from refmodel.oracle.trace.events.base import Address, Event, Id, Size, Value, Word

if TYPE_CHECKING:
    from refmodel.oracle.trace.knowledge import Knowledge

By: TypeAlias = Literal["guest", "monitor"]
"""Who carries out a guest's access: its processor, by a translation; or the monitor, in the guest's name (emulation)."""


class Load(Event, tag="load", kw_only=True):
    """A guest's load from guest-physical memory, and the value that it got. Little endian; of any size, at any address."""

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
        if page is None or not page.plain or self.size != 8 or self.by != "guest" or self.gpa & 7 or self.value >> 64:
            k.store(self)
        else:
            page.words[self.gpa & 0xFFF] = self.value


class Hole(Event, tag="hole", kw_only=True):
    """An access that found no memory: the guest was told so, or was given a device's answer."""

    gpa: Address
    write: bool = False


class Mmio(Event, tag="mmio", kw_only=True):
    """An access that a device model answered: there is no memory, or memory that guests may only read."""

    gpa: Address
    write: bool = False
    size: Size = 8


class Exit(Event, tag="exit", kw_only=True):
    """An access that no translation let through: a VM exit (EPT violation, nested page fault, hidden fault)."""

    gpa: Address
    write: bool = False
    fetch: bool = False
    """Whether an instruction was fetched."""


class DmaWrite(Event, tag="dma_write", kw_only=True):
    """A device wrote to guest memory, or a backend in its name (virtio, vhost): without ``value`` it is not said what."""

    gpa: Address
    size: Annotated[int, Meta(ge=1, le=1 << 24, description="in bytes")]
    value: Value | None = None
    device: Id = 0


class DmaRead(Event, tag="dma_read", kw_only=True):
    """A device read guest memory, or a backend in its name, and got this value, if it is said."""

    gpa: Address
    size: Annotated[int, Meta(ge=1, le=1 << 24, description="in bytes")]
    value: Value | None = None
    device: Id = 0


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
