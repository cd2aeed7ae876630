"""Linux's /dev/kvm by ioctl: a virtual machine with the agent in it, on whatever MMU the host's KVM has.

(Linux Documentation/virt/kvm/api.rst. The numbers are those of x86-64.)
"""

from __future__ import annotations

import ctypes
import fcntl
import mmap
import os
import struct
from collections.abc import Sequence
from pathlib import Path

import attrs

from refmodel.oracle.judging import Lost
from refmodel.oracle.x86.agent.host import AgentHost
from refmodel.oracle.x86.agent.image import AGENT, BOOT_TABLES, GDT, IDT, MAILBOX, MEMORY, SLOT, TSS, Image
from refmodel.oracle.x86.walk_tests import Profile

DEVICE = Path("/dev/kvm")
CREATE_VM, VCPU_MMAP_SIZE, CREATE_VCPU, RUN = 0xAE01, 0xAE04, 0xAE41, 0xAE80
SET_USER_MEMORY_REGION, GET_DIRTY_LOG = 0x4020AE46, 0x4010AE42
SET_REGS, GET_SREGS, SET_SREGS, TRANSLATE = 0x4090AE82, 0x8138AE83, 0x4138AE84, 0xC018AE85
GET_SUPPORTED_CPUID, SET_CPUID2 = 0xC008AE05, 0x4008AE90
LOG_DIRTY_PAGES, READONLY = 1, 2
"""Flags of a memory slot."""
EXIT_HLT, EXIT_MMIO = 5, 6
EXITS = {
    0: "unknown",
    2: "port access",
    3: "hypercall",
    5: "HLT",
    6: "MMIO",
    8: "shutdown",
    9: "failed entry",
    17: "internal error",
}

_SEGMENT = struct.Struct("<QIH10B")
_REGISTERS = struct.Struct("<18Q")
_ORDER = ("rax", "rbx", "rcx", "rdx", "rsi", "rdi", "rsp", "rbp", *(f"r{n}" for n in range(8, 16)), "rip", "rflags")


NOWHERE = 0x4E4F574845524521
"""What a load gives that KVM hands to us, since there is no memory, or none that may be written."""


@attrs.frozen
class Slot:
    """Some guest-physical memory: where it begins, how much, flags, and where in the host's memory it lies."""

    gpa: int
    size: int
    offset: int
    flags: int = 0


def available() -> str | None:
    """Why KVM cannot be used here, or None if it can."""
    try:
        os.close(os.open(DEVICE, os.O_RDWR))
    except OSError as error:
        return f"{DEVICE}: {error.strerror}"
    return None


NPT = Path("/sys/module/kvm_amd/parameters/npt")
LAST_SLOT = 511
"""Of the root: where a guest's supervisor code may be on a host that runs it without hardware help."""


class Kvm(AgentHost):
    """One virtual machine with one vCPU and private anonymous memory, which KSM may merge and swapping may take."""

    def __init__(self, slots: Sequence[Slot] | None = None, image: Image | None = None) -> None:
        self.image = image or Image(slot=LAST_SLOT if software_supervisor() else SLOT)
        device = os.open(DEVICE, os.O_RDWR)
        try:
            supported = self._supported_cpuid(device)
            self.image.limit(self.physical_bits)
            self._lay_out(slots)
            self._vm = fcntl.ioctl(device, CREATE_VM, 0)
            for number, slot in enumerate(self.slots):
                self._set_slot(number, slot)
            self._vcpu = fcntl.ioctl(self._vm, CREATE_VCPU, 0)
            self._run = mmap.mmap(self._vcpu, fcntl.ioctl(device, VCPU_MMAP_SIZE, 0))
            fcntl.ioctl(self._vcpu, SET_CPUID2, supported)
        finally:
            os.close(device)
        self._special_registers()
        self.set_registers(
            rip=self.image.at(AGENT),
            rsp=self.image.stack_top,
            r12=self.image.stack_top,
            r14=self.image.direct,
            rsi=self.image.direct,
            rbp=self.image.at(MAILBOX),
        )

    def _set_slot(self, number: int, slot: Slot) -> None:
        region = struct.pack("<IIQQQ", number, slot.flags, slot.gpa, slot.size, self.address + slot.offset)
        fcntl.ioctl(self._vm, SET_USER_MEMORY_REGION, region)

    def _lay_out(self, slots: Sequence[Slot] | None) -> None:
        at = (0, *self.image.high)
        self.slots = slots or [Slot(gpa, MEMORY, MEMORY * number) for number, gpa in enumerate(at)]
        self._memory = mmap.mmap(-1, MEMORY * len(at), flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        self.address = ctypes.addressof(ctypes.c_char.from_buffer(self._memory))
        """Where the memory lies in this process."""
        whole = memoryview(self._memory)
        self.image.install(*(whole[MEMORY * number : MEMORY * (number + 1)] for number in range(len(at))))
        self.image.stop_by(1)

    def _supported_cpuid(self, device: int) -> bytearray:
        entries = bytearray(struct.pack("<II", 200, 0) + bytes(200 * 40))
        fcntl.ioctl(device, GET_SUPPORTED_CPUID, entries)
        count = struct.unpack_from("<I", entries)[0]
        leaves = (struct.unpack_from("<7I", entries, 8 + 40 * n) for n in range(count))
        self.cpuid = {leaf: (eax, ebx, ecx, edx) for leaf, index, _, eax, ebx, ecx, edx in leaves if index == 0}
        return entries

    @property
    def physical_bits(self) -> int:
        """The guest's MAXPHYADDR."""
        return int(self.cpuid.get(0x80000008, (36, 0, 0, 0))[0]) & 0xFF

    def _special_registers(self) -> None:
        registers = bytearray(312)
        fcntl.ioctl(self._vcpu, GET_SREGS, registers)
        image, long = self.image, self.image.long
        code, stack = segment(0x10, 11, long=long, big=not long), segment(0x18, 3, big=True)
        registers[0:144] = code + (stack if long else segment(0x2B, 3, big=True, level=3)) * 4 + stack
        registers[144:168] = segment(0x30, 11, limit=0x67, base=image.at(TSS), system=True)
        registers[168:192] = segment(0, 2, limit=0, system=True, present=False)
        struct.pack_into("<QH6x", registers, 192, image.at(GDT), 63)
        struct.pack_into("<QH6x", registers, 208, image.at(IDT), 4095)
        struct.pack_into("<6Q", registers, 224, 0x80010033, 0, BOOT_TABLES, image.cr4, 0, image.efer)
        struct.pack_into("<4Q", registers, 280, 0, 0, 0, 0)
        fcntl.ioctl(self._vcpu, SET_SREGS, bytes(registers))

    @property
    def paging(self) -> bool:
        """Whether the guest pages: a KVM that runs guests in software (PVM) takes CR0.PG back outside 64-bit mode."""
        registers = bytearray(312)
        fcntl.ioctl(self._vcpu, GET_SREGS, registers)
        return bool(struct.unpack_from("<Q", registers, 224)[0] >> 31 & 1)

    def set_registers(self, **given: int) -> None:
        given.setdefault("rflags", 2)
        fcntl.ioctl(self._vcpu, SET_REGS, _REGISTERS.pack(*(given.get(name, 0) for name in _ORDER)))

    def run(self) -> None:
        """Run the guest until it halts; what it does where there is no memory is noted, and loads there give ``NOWHERE``."""
        self.nowhere: list[tuple[int, bool]] = []
        while True:
            reason = self._run_once()
            if reason == EXIT_HLT:
                return
            if reason != EXIT_MMIO:
                raise Lost(f"KVM exits for {EXITS.get(reason, reason)}")
            address, _, _, is_write = struct.unpack_from("<Q8sIB", self._run, 32)
            self.nowhere.append((address, bool(is_write)))
            struct.pack_into("<Q", self._run, 40, NOWHERE)

    def _run_once(self) -> int:
        while True:
            try:
                fcntl.ioctl(self._vcpu, RUN, 0)
                return int(struct.unpack_from("<I", self._run, 8)[0])
            except InterruptedError:
                continue

    def translate(self, gva: int) -> tuple[bool, int]:
        """KVM_TRANSLATE: whether a linear address is mapped, and where."""
        asked = bytearray(struct.pack("<QQ8x", gva, 0))
        fcntl.ioctl(self._vcpu, TRANSLATE, asked)
        _, physical, valid = struct.unpack("<QQB7x", asked)
        return bool(valid), physical

    def dirty(self, number: int) -> set[int]:
        """The pages of a slot written since last asked: numbers from the slot's beginning."""
        pages = self.slots[number].size >> 12
        bitmap = ctypes.create_string_buffer((pages + 63) // 64 * 8)
        fcntl.ioctl(self._vm, GET_DIRTY_LOG, struct.pack("<IIQ", number, 0, ctypes.addressof(bitmap)))
        bits = int.from_bytes(bitmap.raw, "little")
        return {n for n in range(pages) if bits >> n & 1}

    def close(self) -> None:
        self._run.close()
        os.close(self._vcpu)
        os.close(self._vm)


def profile(host: Kvm) -> Profile:
    """What the guest's CPUID says of its paging."""
    nothing = (0, 0, 0, 0)
    vendor = struct.pack("<3I", *(host.cpuid.get(0, nothing)[n] for n in (1, 3, 2)))
    return Profile(
        levels=4,
        physical_bits=host.physical_bits,
        amd=vendor in (b"AuthenticAMD", b"HygonGenuine"),
        gigabyte_pages=bool(host.cpuid.get(0x80000001, nothing)[3] >> 26 & 1),
        smep_smap=host.cpuid.get(7, nothing)[1] & (1 << 7 | 1 << 20) == 1 << 7 | 1 << 20,
        nxe_off=False,
        agent_slot=host.image.slot,
        upper_user=not software_supervisor(),
    )


def software_supervisor() -> bool:
    """Whether the host's KVM runs guests' supervisor code without hardware help (PVM), and keeps the upper half for itself."""
    return Path("/sys/module/kvm_pvm").exists()


def nested_paging_of_amd() -> bool:
    """Whether guests are under AMD's nested paging, where a processor reads PDPTEs when it walks (APM Vol. 2 15.25.10)."""
    return NPT.exists() and NPT.read_text().strip() in ("1", "Y")


def segment(
    selector: int,
    kind: int,
    *,
    limit: int = 0xFFFFFFFF,
    base: int = 0,
    long: bool = False,
    big: bool = False,
    system: bool = False,
    present: bool = True,
    level: int = 0,
) -> bytes:
    """``struct kvm_segment``."""
    return _SEGMENT.pack(base, limit, selector, kind, present, level, big, not system, long, not system, 0, not present, 0)
