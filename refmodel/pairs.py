"""Every two mechanisms together, over any MMU, small enough to be explored to the last state.

Mechanisms change the same entries, each for reasons of its own; what goes wrong between them goes wrong between two, nearly always.
"""

from __future__ import annotations

import itertools
from typing import Any

from refmodel.designs import ANY_MMU, Memory
from refmodel.language import Design, Geometry
from refmodel.language.laws import Law
from refmodel.laws import accounting, devices, isolation, ksm, memory
from refmodel.mmu.contract import ContractMmu
from refmodel.monitor.access_tracking import AccessTracking
from refmodel.monitor.ballooning import Ballooning, DeflateOnOom
from refmodel.monitor.devices import Devices
from refmodel.monitor.dirty_logging import DirtyLogging
from refmodel.monitor.free_page_reporting import FreePageReporting
from refmodel.monitor.guest_copies import GuestCopies
from refmodel.monitor.ksm import Ksm
from refmodel.monitor.p2m import P2m
from refmodel.monitor.populate_on_demand import PopulateOnDemand
from refmodel.monitor.sharing import Sharing
from refmodel.monitor.swapping import Swapping

MECHANISMS: dict[str, tuple[type[P2m], tuple[Law, ...]]] = {
    "sharing": (Sharing, ()),
    "ksm": (Ksm, ksm.LAWS),
    "ballooning": (Ballooning, isolation.BALLOONING + accounting.BALLOONING),
    "deflate-on-oom": (DeflateOnOom, isolation.BALLOONING + accounting.BALLOONING),
    "populate-on-demand": (PopulateOnDemand, memory.POPULATE_ON_DEMAND),
    "free-page-reporting": (FreePageReporting, memory.POPULATE_ON_DEMAND),
    "swapping": (Swapping, memory.SWAPPING),
    "dirty-logging": (DirtyLogging, memory.DIRTY_LOGGING),
    "access-tracking": (AccessTracking, memory.ACCESS_TRACKING),
    "guest-copies": (GuestCopies, ()),
    "devices": (Devices, devices.LAWS),
}


def _together(one: str, other: str) -> type[Design]:
    (first, laws), (second, more) = MECHANISMS[one], MECHANISMS[other]
    bases = (second, first) if issubclass(second, first) else (first, second)
    body: dict[str, Any] = {"__doc__": f"{one.capitalize()} and {other} together, over any MMU.", "__module__": __name__,
                            "laws": tuple(dict.fromkeys(ANY_MMU + laws + more)), "geometry": geometry_of(one, other)}
    return type(f"{first.__name__}And{second.__name__}", (*bases, ContractMmu), body)


def geometry_of(one: str, other: str) -> Geometry:
    """Two pages each of two VMs, and two frames; where pages are merged, a limit that lets two share."""
    small: Geometry = Memory.geometry.resized(Vm=2)
    return small.resized(Chain=1, naturals=2) if "ksm" in (one, other) else small


PAIRS: dict[str, type[Design]] = {f"{one}*{other}": _together(one, other) for one, other in itertools.combinations(MECHANISMS, 2)}
"""By the names of both. (A mechanism that is a kind of another, as deflating on out-of-memory, brings it along.)"""
