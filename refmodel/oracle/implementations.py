"""The implementations that can be judged here, by name: what it takes to have each, and the campaigns that judge it."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import attrs

from refmodel.machine.ept_walk import Ept
from refmodel.oracle.agent.image import VMCALL, VMMCALL
from refmodel.oracle.agent_walks import stale_walks_on, walks_on
from refmodel.oracle.judging import Campaign
from refmodel.oracle.nested_campaign import NestedCampaign
from refmodel.oracle.nested_tests import ROOT
from refmodel.oracle.stale_tests import StaleCampaign
from refmodel.oracle.walk_campaign import WalkCampaign
from refmodel.oracle.walk_tests import Profile


class Absent(Exception):
    """An implementation is not installed: what to install."""


@attrs.frozen
class Entry:
    """An implementation: ``campaigns`` yields them one by one, each while its machine runs; it raises ``Absent``."""

    name: str
    about: str
    campaigns: Callable[[], Iterator[Campaign]]


def _qemu() -> Iterator[Campaign]:
    from refmodel.oracle import qemu
    from refmodel.oracle.svm_walks import SvmWalks

    version = qemu.version()
    if version is None:
        raise Absent("QEMU is not installed (Debian: apt-get install qemu-system-x86)")
    name = f"qemu {version}"
    for levels in (4, 5):
        with ExitStack() as stack:
            host = qemu.Qemu(levels)
            stack.callback(host.close)
            profile = Profile(levels=levels, amd=True, pke=True)
            yield WalkCampaign(name, profile, functools.partial(walks_on, host))
            yield StaleCampaign(name, profile, functools.partial(stale_walks_on, host))
    with ExitStack() as stack:
        host = qemu.Qemu(4, trap=VMMCALL)
        stack.callback(host.close)
        profile = Profile(amd=True, nxe_off=False)
        yield NestedCampaign(name, profile, None, SvmWalks(host, profile))


def _bochs() -> Iterator[Campaign]:
    from refmodel.oracle import bochs
    from refmodel.oracle.vmx_walks import VmxWalks

    version = bochs.version()
    if version is None:
        raise Absent("the Bochs processor is not installed (CPython 3.11 on x86-64: pip install bochscpu-python==0.4.0)")
    name = f"bochs {version}"
    with ExitStack() as stack:
        host = bochs.Bochs(4)
        stack.callback(host.close)
        yield WalkCampaign(name, Profile(), functools.partial(walks_on, host))
        yield StaleCampaign(name, Profile(), functools.partial(stale_walks_on, host))
    for accessed_dirty in (False, True):
        with ExitStack() as stack:
            host = bochs.Bochs(4, trap=VMCALL)
            stack.callback(host.close)
            profile, ept = Profile(nxe_off=False), Ept(ROOT, accessed_dirty=accessed_dirty, advanced=True)
            yield NestedCampaign(name, profile, ept, VmxWalks(host, profile, ept))


def _unicorn() -> Iterator[Campaign]:
    try:
        from refmodel.oracle.unicorn_mmu import UnicornMmu

        machines = [UnicornMmu(levels) for levels in (4, 5)]
    except ImportError:
        raise Absent("Unicorn is not installed (pip install unicorn)") from None
    for machine in machines:
        name, profile = f"unicorn {machine.version}", Profile(levels=machine.levels)
        yield WalkCampaign(name, profile, machine.walks)
        yield StaleCampaign(name, profile, machine.stale_walks)


IMPLEMENTATIONS = {entry.name: entry for entry in (
    Entry("qemu", "QEMU's TCG: guest paging, staleness, and VMRUN with nested paging", _qemu),
    Entry("bochs", "the Bochs processor: guest paging, staleness, and VMX with EPT", _bochs),
    Entry("unicorn", "Unicorn: guest paging and staleness", _unicorn),
)}
