"""Free frames in caches of each processor, with counts of what each has: writes to many entries at once, counted exactly."""

import attrs

from refmodel.language import NOTHING, Design, Total, assign, choose, count, geometry, law, operation, require, reset
from refmodel.machine.names import Count, Cpu, Mfn, Vm


@attrs.frozen
class CachedFrame:
    cached: Cpu = NOTHING
    owner: Vm = NOTHING


class FrameCaches(Design):
    frames: Total[Mfn, CachedFrame]
    level: Total[Cpu, Count]
    taken: Total[Vm, Count]
    geometry = geometry(Cpu=2, Mfn=3, Vm=1, naturals=3)

    @operation
    def refill(self, cpu: Cpu) -> None:
        mfn: Mfn = choose(Mfn, lambda mfn: self.frames[mfn] == CachedFrame())
        self.frames[mfn] = CachedFrame(cached=cpu)
        self.level[cpu] += 1

    @operation
    def allocate(self, cpu: Cpu, vm: Vm) -> None:
        mfn: Mfn = choose(Mfn, lambda mfn: self.frames[mfn].cached == cpu)
        self.frames[mfn] = CachedFrame(owner=vm)
        self.level[cpu] -= 1
        self.taken[vm] += 1

    @operation
    def drain(self, cpu: Cpu) -> None:
        reset(self.frames, lambda frame, mfn: frame.cached == cpu)
        self.level[cpu] = 0

    @operation
    def steal(self, cpu: Cpu, victim: Cpu) -> None:
        require(cpu != victim)
        self.level[cpu] += self.level[victim]
        self.level[victim] = 0
        assign(self.frames, lambda frame, mfn: frame.cached == victim, lambda frame, mfn: attrs.evolve(frame, cached=cpu))

    @operation
    def steal_and_drain(self, cpu: Cpu, victim: Cpu, vm: Vm) -> None:
        """Several writes to many, and a store between them."""
        require(cpu != victim)
        mfn: Mfn = choose(Mfn, lambda mfn: self.frames[mfn] == CachedFrame())
        assign(self.frames, lambda frame, mfn: frame.cached == victim, lambda frame, mfn: attrs.evolve(frame, cached=cpu))
        self.frames[mfn] = CachedFrame(owner=vm)
        self.taken[vm] += 1
        reset(self.frames, lambda frame, mfn: frame.cached == cpu)
        self.level[cpu] = 0
        self.level[victim] = 0

    @law("RES-1", "A cache's level is the number of frames in it.")
    def levels_are_exact(self, cpu: Cpu) -> bool:
        return self.level[cpu] == count(self.frames, lambda frame, mfn: frame.cached == cpu)

    @law("RES-1", "What a VM has taken is the number of its frames.")
    def taken_is_exact(self, vm: Vm) -> bool:
        return self.taken[vm] == count(self.frames, lambda frame, mfn: frame.owner == vm)

    @law("ISO-1", "A frame in a cache is no VM's.")
    def cached_frames_are_unowned(self, mfn: Mfn) -> bool:
        return self.frames[mfn].cached == NOTHING or self.frames[mfn].owner == NOTHING


class DrainsEveryCache(FrameCaches):
    @operation
    def drain(self, cpu: Cpu) -> None:
        reset(self.frames, lambda frame, mfn: frame.cached != NOTHING)
        self.level[cpu] = 0


class DrainsTooLittle(FrameCaches):
    @operation
    def drain(self, cpu: Cpu) -> None:
        reset(self.frames, lambda frame, mfn: frame.cached == cpu and frame.owner != NOTHING)
        self.level[cpu] = 0


class StealsFromItself(FrameCaches):
    @operation
    def steal(self, cpu: Cpu, victim: Cpu) -> None:
        self.level[cpu] += self.level[victim]
        self.level[victim] = 0
        assign(self.frames, lambda frame, mfn: frame.cached == victim, lambda frame, mfn: attrs.evolve(frame, cached=cpu))


class CountsTwice(FrameCaches):
    @operation
    def steal(self, cpu: Cpu, victim: Cpu) -> None:
        require(cpu != victim)
        self.level[cpu] += self.level[victim] + 1
        self.level[victim] = 0
        assign(self.frames, lambda frame, mfn: frame.cached == victim, lambda frame, mfn: attrs.evolve(frame, cached=cpu))
