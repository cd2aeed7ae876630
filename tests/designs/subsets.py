"""Mechanisms alone and in pairs, over any MMU: each is lawful without the others."""

from typing import ClassVar

from refmodel.designs import ANY_MMU, Memory
from refmodel.language.laws import Law
from refmodel.laws import memory
from refmodel.mmu.contract import ContractMmu
from refmodel.monitor.access_tracking import AccessTracking
from refmodel.monitor.dirty_logging import DirtyLogging
from refmodel.monitor.guest_copies import GuestCopies
from refmodel.monitor.populate_on_demand import PopulateOnDemand
from refmodel.monitor.sharing import Sharing
from refmodel.monitor.swapping import Swapping


class Alone(Swapping, ContractMmu):
    laws: ClassVar[tuple[Law, ...]] = ANY_MMU + memory.SWAPPING
    geometry = Memory.geometry


class LoggedAndSwapped(DirtyLogging, Swapping, ContractMmu):
    laws: ClassVar[tuple[Law, ...]] = ANY_MMU + memory.SWAPPING + memory.DIRTY_LOGGING
    geometry = Memory.geometry


class PromisedAndLogged(PopulateOnDemand, DirtyLogging, ContractMmu):
    laws: ClassVar[tuple[Law, ...]] = ANY_MMU + memory.POPULATE_ON_DEMAND + memory.DIRTY_LOGGING
    geometry = Memory.geometry


class TrackedSharedSwapped(Sharing, AccessTracking, Swapping, ContractMmu):
    laws: ClassVar[tuple[Law, ...]] = ANY_MMU + memory.SWAPPING
    geometry = Memory.geometry


class SharedCopiedPromised(Sharing, GuestCopies, PopulateOnDemand, ContractMmu):
    laws: ClassVar[tuple[Law, ...]] = ANY_MMU + memory.POPULATE_ON_DEMAND
    geometry = Memory.geometry


SUBSETS = (Alone, LoggedAndSwapped, PromisedAndLogged, TrackedSharedSwapped, SharedCopiedPromised)
