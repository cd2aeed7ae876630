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
    """A guest has loaded this value from guest-physical memory, little endian, of any size and at any address."""

    gpa: Address
    value: Value
    size: Size = 8
    by: By = "guest"

    def judge(self, k: Knowledge) -> None:
        page = k.pages.get((self.vm, self.gpa >> 12))
        if page is None or page.shut or self.size != 8 or page.words.get(self.gpa & 0xFFF) != self.value:
            k.load(self)


class Store(Event, tag="store", kw_only=True):
    """A guest has stored this value to guest-physical memory."""

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
    """A guest's access found no memory: the guest got a fault or a device's answer."""

    gpa: Address
    write: bool = False


class Mmio(Event, tag="mmio", kw_only=True):
    """A device model answered a guest's access: the address has no memory, or memory that is read-only for guests."""

    gpa: Address
    write: bool = False
    size: Size = 8


class Exit(Event, tag="exit", kw_only=True):
    """No translation allowed a guest's access: a VM exit (EPT violation, nested page fault, hidden page fault)."""

    gpa: Address
    write: bool = False
    fetch: bool = False
    """Whether an instruction was fetched."""


class DmaWrite(Event, tag="dma_write", kw_only=True):
    """A device, or a backend for it (virtio, vhost), wrote to guest memory. Without ``value`` the written value is unknown."""

    gpa: Address
    size: Annotated[int, Meta(ge=1, le=1 << 24, description="the size in bytes")]
    value: Value | None = None
    device: Id = 0


class DmaRead(Event, tag="dma_read", kw_only=True):
    """A device, or a backend for it (virtio, vhost), read guest memory. Without ``value`` the value that it got is unknown."""

    gpa: Address
    size: Annotated[int, Meta(ge=1, le=1 << 24, description="the size in bytes")]
    value: Value | None = None
    device: Id = 0


class Registers(Event, tag="registers", kw_only=True):
    """A CPU's registers that page walks depend on, reported at the start, after a gap and after each change. An absent field is
    unchanged. What was never reported is: ``wp`` and ``nxe`` set, every other flag clear, 4 levels, 40 bits of physical
    address, and pages of 1 GiB. What is not reported after a gap is unknown, except ``amd``, ``physical_bits`` and
    ``gigabyte_pages``, which do not change.

    A new ``cr3`` flushes as MOV to CR3 does, unless ``keep`` is set (bit 63 of the source). A new ``pge``, ``pcide`` or ``smep``
    flushes as MOV to CR4 does. With ``pcide``, bits 11:0 of ``cr3`` are the PCID. With ``pke`` (CR4.PKE), ``pkru`` denies accesses
    by protection key. ``amd``: the processor reserves bit 8 of PML4 entries (APM Vol. 2 5.3.3). ``gigabyte_pages``: whether it
    has pages of 1 GiB (CPUID.80000001H:EDX.Page1GB).
    """

    cr3: Word | None = None
    levels: Literal[4, 5] | None = None
    wp: bool | None = None
    smep: bool | None = None
    smap: bool | None = None
    nxe: bool | None = None
    pge: bool | None = None
    pcide: bool | None = None
    pke: bool | None = None
    pkru: Annotated[int, Meta(ge=0, le=(1 << 32) - 1)] | None = None
    amd: bool | None = None
    physical_bits: Annotated[int, Meta(ge=32, le=52)] | None = None
    gigabyte_pages: bool | None = None
    keep: bool = False


class Invlpg(Event, tag="invlpg", kw_only=True):
    """A guest executed INVLPG for this address."""

    gva: Word


class Invpcid(Event, tag="invpcid", kw_only=True):
    """A guest executed INVPCID without a fault: ``kind`` 0 flushes an address of a PCID, 1 a PCID, 2 everything, 3 everything
    except global pages."""

    kind: Annotated[int, Meta(ge=0, le=3)]
    pcid: Annotated[int, Meta(ge=0, le=0xFFF)] = 0
    gva: Word = 0


class Linear(Event, tag="access", kw_only=True):
    """A guest accessed memory by linear address, through its own page tables. Its ``kind`` is ``load`` (the default), ``store`` or
    ``fetch``. The access has the value that was loaded or stored, or the fault.

    ``fault`` is a page fault's error code, with the linear address in CR2; ``gp`` is a general-protection fault.
    """

    gva: Word
    kind: Literal["load", "store", "fetch"] = "load"
    user: bool = False
    ac: bool = False
    value: Value | UnsetType = UNSET
    size: Size = 8
    fault: Word | UnsetType = UNSET
    gp: bool = False
