"""The implementations that can be judged here, by name: what it takes to have each, and the campaigns that judge it."""

from __future__ import annotations

import contextlib
import functools
import os
import platform
import shutil
from collections.abc import Callable, Generator

import attrs

from refmodel.machine.x86.ept_walk import Ept
from refmodel.oracle.judging import Campaign, Lost
from refmodel.oracle.riscv.agent_walks import stale_walks_on as riscv_stale_walks_on
from refmodel.oracle.riscv.agent_walks import walks_on as riscv_walks_on
from refmodel.oracle.riscv.host import RiscvHost, profile_of
from refmodel.oracle.riscv.stale_campaign import StaleCampaign as RiscvStaleCampaign
from refmodel.oracle.riscv.walk_campaign import RiscvCampaign
from refmodel.oracle.riscv.walk_tests import Stages
from refmodel.oracle.x86.agent.host import AgentHost
from refmodel.oracle.x86.agent.image import VMCALL, VMMCALL, Image
from refmodel.oracle.x86.agent.legacy_image import LegacyImage
from refmodel.oracle.x86.agent_walks import stale_walks_on, walks_on, with_pcids
from refmodel.oracle.x86.legacy_loads import LoadCampaign, loads_on
from refmodel.oracle.x86.legacy_tests import LegacyCampaign, LegacyProfile
from refmodel.oracle.x86.legacy_walks import LegacyWalks
from refmodel.oracle.x86.legacy_walks import profile_of as profile_of_legacy
from refmodel.oracle.x86.nested_campaign import NestedCampaign
from refmodel.oracle.x86.nested_tests import ROOT
from refmodel.oracle.x86.stale_tests import StaleCampaign
from refmodel.oracle.x86.walk_campaign import WalkCampaign
from refmodel.oracle.x86.walk_tests import Profile


class Absent(Exception):
    """An implementation is not installed: what to install."""


@attrs.frozen
class Entry:
    """An implementation: ``campaigns`` yields them one by one, each while its machine runs; it raises ``Absent``."""

    name: str
    about: str
    campaigns: Callable[[], Generator[Campaign, None, None]]


def _qemu() -> Generator[Campaign, None, None]:
    from refmodel.oracle.x86 import qemu
    from refmodel.oracle.x86.svm_walks import SvmWalks

    version = qemu.version()
    if version is None:
        raise Absent("QEMU is not installed (Debian: apt-get install qemu-system-x86)")
    name = f"qemu {version}"
    for levels in (4, 5):
        with contextlib.closing(qemu.Qemu(Image(levels))) as host:
            profile = with_pcids(host, Profile(levels=levels, amd=True, pke=True))
            yield WalkCampaign(name, profile, functools.partial(walks_on, host))
            yield StaleCampaign(name, profile, functools.partial(stale_walks_on, host))
    for pae in (False, True):
        with contextlib.closing(qemu.Qemu(LegacyImage(pae), qemu.INTEL)) as host:
            yield from _legacy(name, host)
    with contextlib.closing(qemu.Qemu(Image(4, VMMCALL))) as host:
        profile = Profile(amd=True, nxe_off=False)
        yield NestedCampaign(name, profile, None, SvmWalks(host, profile))


def _legacy(name: str, host: AgentHost, **known: bool) -> Generator[Campaign, None, None]:
    """Walks of 32-bit paging or PAE paging, as the agent's memory is for; and MOV to CR3, where that loads PDPTEs."""
    profile = profile_of_legacy(host, **known)
    yield LegacyCampaign(name, profile, LegacyWalks(host).walks)
    if profile.pae and profile.pdptes_in_registers:
        yield LoadCampaign(name, profile, functools.partial(loads_on, host))


def _bochs() -> Generator[Campaign, None, None]:
    from refmodel.oracle.x86 import bochs
    from refmodel.oracle.x86.vmx_walks import VmxStaleWalks, VmxWalks

    version = bochs.version()
    if version is None:
        raise Absent("the Bochs processor is not installed (CPython 3.11 on x86-64: pip install bochscpu-python==0.4.0)")
    name = f"bochs {version}"
    with contextlib.closing(bochs.Bochs(Image())) as host:
        profile = with_pcids(host, Profile())
        yield WalkCampaign(name, profile, functools.partial(walks_on, host))
        yield StaleCampaign(name, profile, functools.partial(stale_walks_on, host))
    for pae in (False, True):
        with contextlib.closing(bochs.Bochs(LegacyImage(pae))) as host:
            yield from _legacy(name, host)
    for accessed_dirty in (False, True):
        with contextlib.closing(bochs.Bochs(Image(trap=VMCALL))) as host:
            profile, ept = Profile(nxe_off=False), Ept(ROOT, accessed_dirty=accessed_dirty, advanced=True)
            yield NestedCampaign(name, profile, ept, VmxWalks(host, profile, ept))
    with contextlib.closing(bochs.Bochs(Image(trap=VMCALL))) as host:
        profile = Profile(nxe_off=False, vpid=True)
        yield StaleCampaign(name, profile, VmxStaleWalks(host, profile, Ept(ROOT)).stale_walks)


def _kvm() -> Generator[Campaign, None, None]:
    from refmodel.oracle.kernel_settings import KSM, changed, swap_file
    from refmodel.oracle.x86 import kvm, kvm_memory, kvm_slots
    from refmodel.oracle.x86.kvm_trace import TraceCampaign, tracing
    from refmodel.oracle.x86.translate_campaign import TranslateCampaign

    why = kvm.available()
    if why is not None:
        raise Absent(f"KVM cannot be used ({why}); it takes Linux with KVM, and read and write access to /dev/kvm")
    name = f"kvm {platform.release()}"
    with contextlib.closing(kvm.Kvm()) as host:
        profile = with_pcids(host, kvm.profile(host))
        yield WalkCampaign(name, profile, functools.partial(walks_on, host))
        yield StaleCampaign(name, profile, functools.partial(stale_walks_on, host))
        yield TranslateCampaign(name, profile, host)
    with contextlib.closing(kvm.Kvm(kvm_slots.SLOTS)) as host:
        yield kvm_slots.SlotCampaign.on(name, host)
    missing = list[str]()
    for pae in (False, True):
        with contextlib.closing(kvm.Kvm(image=LegacyImage(pae))) as host:
            if host.paging:
                yield from _legacy(name, host, pdptes_in_registers=not kvm.nested_paging_of_amd())
            elif not missing:
                missing.append("it has no paging outside 64-bit mode: CR0.PG does not stay set")
    if os.geteuid():
        raise Absent("; ".join([*missing, "its memory management and its trace events are seen by root only"]))
    try:
        with contextlib.closing(kvm.Kvm()) as host, tracing() as trace:
            yield TraceCampaign(name, profile, host, trace)
    except Lost as why:
        missing.append(str(why))
    settings = {file: value for file, value in {**kvm_memory.KSM_SETTINGS, KSM / "run": "0"}.items() if file.exists()}
    try:
        with changed(settings), swap_file() as swapping, contextlib.closing(kvm_memory.Guests()) as guests:
            yield kvm_memory.MemoryCampaign(name, guests, swapping)
    except OSError as why:
        missing.append(f"KSM cannot be had here ({why})")
    if missing:
        raise Absent("; ".join(missing))


def _unicorn() -> Generator[Campaign, None, None]:
    try:
        from refmodel.oracle.x86.unicorn_legacy import UnicornLegacy
        from refmodel.oracle.x86.unicorn_mmu import UnicornMmu

        machines = [UnicornMmu(levels) for levels in (4, 5)]
        in_protected_mode = [UnicornLegacy(pae) for pae in (False, True)]
    except ImportError:
        raise Absent("Unicorn is not installed (pip install unicorn)") from None
    for machine in machines:
        name, profile = f"unicorn {machine.version}", Profile(levels=machine.levels, fetch_at_zero=False)
        yield WalkCampaign(name, profile, machine.walks)
        yield StaleCampaign(name, profile, machine.stale_walks)
    for legacy in in_protected_mode:
        yield LegacyCampaign(f"unicorn {legacy.version}", LegacyProfile(legacy.pae), legacy.walks, anywhere=True)


def _spike() -> Generator[Campaign, None, None]:
    from refmodel.oracle.riscv import spike

    if spike.program() is None or shutil.which("dtc") is None:
        raise Absent(
            "Spike or its dtc is not installed (CPython 3.11 on x86-64: pip install spike; "
            "Debian: apt-get install device-tree-compiler)"
        )
    yield from _riscv(f"spike {spike.release()}", spike.Spike(), 120)
    yield from _riscv(f"spike {spike.release()}", spike.Spike(spike.ISA_32), 120)


def _qemu_riscv(xlen: int) -> Generator[Campaign, None, None]:
    from refmodel.oracle.riscv import qemu

    found = qemu.version(qemu.PROGRAM if xlen == 64 else qemu.PROGRAM_32)
    if found is None:
        raise Absent("QEMU for RISC-V is not installed (Debian: apt-get install qemu-system-misc)")
    major, version = found
    with contextlib.closing(qemu.QemuRiscv(major, xlen)) as host:
        yield from _riscv(f"qemu-riscv{xlen} {version}", host, 120, sets_flags=major < 9, guests_as_users=major < 9)


def _riscv(name: str, host: RiscvHost, batch: int, **known: bool) -> Generator[Campaign, None, None]:
    """One stage, both stages, and each of them Bare, for every scheme that the machine takes; and staleness with Sv39."""
    profile = profile_of(host, **known)
    perform = functools.partial(riscv_walks_on, host)
    every = [stages for levels in profile.schemes for stages in (Stages(levels), Stages(levels, levels, True))]
    first = 2 if host.xlen == 32 else 3
    high = (Stages(2, 2, True, high=True),) if host.xlen == 32 else ()
    for stages in (*every, Stages(0, first, True), Stages(first, 0, True), *high):
        yield RiscvCampaign(name, stages, profile, perform, batch)
    for stages in (*every[:2], Stages(0, 3, True), Stages(3, 0, True)) if host.xlen == 64 else ():
        yield RiscvStaleCampaign(name, stages, profile, functools.partial(riscv_stale_walks_on, host), batch)


def _unicorn_riscv(xlen: int) -> Generator[Campaign, None, None]:
    """The stage of satp; its processors have no hypervisor extension."""
    from refmodel.oracle.riscv.unicorn_mmu import UnicornRiscv

    try:
        machine = UnicornRiscv(xlen)
    except ImportError:
        raise Absent("Unicorn is not installed (pip install unicorn)") from None
    name, profile = f"unicorn-riscv{xlen} {machine.version}", machine.profile()
    for levels in profile.schemes:
        yield RiscvCampaign(name, Stages(levels), profile, machine.walks)
    if xlen == 64:
        yield RiscvStaleCampaign(name, Stages(3), profile, machine.stale_walks)


IMPLEMENTATIONS = {
    entry.name: entry
    for entry in (
        Entry("qemu", "QEMU's TCG: guest paging of every kind, staleness, and VMRUN with nested paging", _qemu),
        Entry("bochs", "the Bochs processor: guest paging of 4 levels, 32-bit and PAE paging, staleness, and VMX with EPT", _bochs),
        Entry(
            "kvm",
            "Linux's KVM: guest paging of 4 levels, 32-bit and PAE paging, staleness, slots, its trace events, and memory "
            "merged, ballooned and swapped",
            _kvm,
        ),
        Entry("spike", "Spike, RISC-V International's simulator: one and two stages of 64 and 32 bits, and staleness", _spike),
        Entry("qemu-riscv64", "QEMU's TCG for RISC-V: one and two stages, and staleness", functools.partial(_qemu_riscv, 64)),
        Entry("qemu-riscv32", "QEMU's TCG for RISC-V of 32 bits: one and two stages", functools.partial(_qemu_riscv, 32)),
        Entry("unicorn", "Unicorn: guest paging, 32-bit and PAE paging among it, and staleness", _unicorn),
        Entry("unicorn-riscv64", "Unicorn's RISC-V: one stage, and staleness", functools.partial(_unicorn_riscv, 64)),
        Entry("unicorn-riscv32", "Unicorn's RISC-V of 32 bits: one stage", functools.partial(_unicorn_riscv, 32)),
    )
}
