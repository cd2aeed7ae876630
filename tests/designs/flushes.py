"""Flushes that processors acknowledge and that end then; and variants in which one does not."""

import attrs

from refmodel.language import (
    NOTHING,
    Design,
    Total,
    assign,
    cached,
    choose,
    count,
    fails,
    geometry,
    implies,
    law,
    operation,
    pending,
    require,
)
from refmodel.machine.names import Mfn, Vcpu, Vm


class Steps(Design):
    """What happens, without what is claimed of how it ends."""

    asked: Total[tuple[Vm, Vcpu], bool]
    stale: Total[Vm, bool]

    @operation
    def flush(self, vm: Vm) -> None:
        require(not self.stale[vm])
        self.stale[vm] = True
        assign(self.asked, lambda asked, of, vcpu: of == vm, True)

    @operation
    def acknowledge(self, vm: Vm, vcpu: Vcpu) -> None:
        require(self.asked[vm, vcpu])
        self.asked[vm, vcpu] = False

    @operation
    def finish(self, vm: Vm) -> None:
        require(self.stale[vm])
        require(self.left(vm) == 0)
        self.stale[vm] = False

    def left(self, vm: Vm) -> int:
        return count(self.asked, lambda asked, of, vcpu: of == vm and asked)

    @law("ISO-1", "Only a vCPU of a VM whose flush is under way is asked to forget.")
    def asked_are_stale(self, vm: Vm, vcpu: Vcpu) -> bool:
        return implies(self.asked[vm, vcpu], self.stale[vm])

    geometry = geometry(Vm=2, Vcpu=2)


class Flushes(Steps):
    @pending("EFF-4", "A vCPU that was asked to forget acknowledges.", until="acknowledge")
    def unacknowledged(self, vm: Vm, vcpu: Vcpu) -> bool:
        return self.asked[vm, vcpu]

    @pending("EFF-4", "A flush ends when every vCPU has acknowledged.", until="finish", after=("unacknowledged",))
    def flushing(self, vm: Vm) -> bool:
        return self.stale[vm]


class LostAcknowledgement(Flushes):
    def left(self, vm: Vm) -> int:
        return 1 if self.stale[vm] else 0


class AcknowledgesNothing(Flushes):
    @operation
    def acknowledge(self, vm: Vm, vcpu: Vcpu) -> None:
        require(self.asked[vm, vcpu] and self.stale[vm])


class EachAsksTheOther(Flushes):
    """A livelock: an acknowledgement asks every other vCPU to forget."""

    @operation
    def acknowledge(self, vm: Vm, vcpu: Vcpu) -> None:
        require(self.asked[vm, vcpu])
        assign(self.asked, lambda asked, of, on: of == vm, lambda asked, of, on: on != vcpu)


class EachBeginsTheOther(Flushes):
    """A livelock of two kinds: what ends a flush begins a scrub, and what ends the scrub begins a flush."""

    dirty: Total[Vm, bool]

    @operation
    def flush(self, vm: Vm) -> None:
        require(not self.dirty[vm])
        super().flush(vm)

    @operation
    def finish(self, vm: Vm) -> None:
        require(self.stale[vm])
        require(self.left(vm) == 0)
        self.stale[vm] = False
        self.dirty[vm] = True

    @pending("EFF-4", "A page that is dirty is scrubbed.", until="scrub")
    def unscrubbed(self, vm: Vm) -> bool:
        return self.dirty[vm]

    @operation
    def scrub(self, vm: Vm) -> None:
        require(self.dirty[vm] and not self.stale[vm])
        self.dirty[vm] = False
        self.flush(vm)

    @law("ISO-1", "A VM whose flush is under way is not dirty.")
    def dirty_after_a_flush(self, vm: Vm) -> bool:
        return implies(self.dirty[vm], not self.stale[vm])


class EachWaitsForTheOther(Flushes):
    """A deadlock: a vCPU acknowledges when another has, and each may be the last."""

    @operation
    def acknowledge(self, vm: Vm, vcpu: Vcpu) -> None:
        require(self.asked[vm, vcpu])
        require(count(self.asked, lambda asked, of, on: of == vm and asked and on != vcpu) == 0)
        self.asked[vm, vcpu] = False


class FinishesSlowly(Flushes):
    """Right: where a frame is needed to finish and none can be had, the flush goes on."""

    tried: Total[Vm, bool]
    taken: Total[Mfn, bool]

    @operation
    def finish(self, vm: Vm) -> None:
        require(self.stale[vm])
        require(self.left(vm) == 0)
        if fails("frame for the log"):
            self.tried[vm] = True
            return
        self.stale[vm] = False

    @operation
    def take(self) -> None:
        mfn: Mfn = choose(Mfn, lambda mfn: not self.taken[mfn])
        self.taken[mfn] = True

    geometry = geometry(Vm=2, Vcpu=2, Mfn=1)


class NeedsAFrame(Flushes):
    """Right: to finish takes a frame, of which there may be none; then the allocation fails."""

    log: Total[Mfn, Vm]

    @operation
    def finish(self, vm: Vm) -> None:
        require(self.stale[vm])
        require(self.left(vm) == 0)
        if fails("frame for the log"):
            return
        mfn: Mfn = choose(Mfn, lambda mfn: self.log[mfn] == NOTHING)
        self.log[mfn] = vm
        self.stale[vm] = False

    geometry = geometry(Vm=2, Vcpu=1, Mfn=1)


class RecordsItsLogs(NeedsAFrame):
    """Right: a frame that is used says by whom, and there are as many as pages of a log."""

    used: Total[Mfn, bool]
    whose: Total[Mfn, Vm]

    @operation
    def finish(self, vm: Vm) -> None:
        require(self.stale[vm])
        require(self.left(vm) == 0)
        if fails("frame for the log"):
            return
        mfn: Mfn = choose(Mfn, lambda mfn: not self.used[mfn])
        self.used[mfn], self.whose[mfn] = True, vm
        self.stale[vm] = False

    @law("RES-1", "A frame that is used says by whom.")
    def used_by_somebody(s: "RecordsItsLogs", mfn: Mfn) -> bool:
        return implies(s.used[mfn], s.whose[mfn] != NOTHING)


class RefusesUnlessMemoryIsShort(Flushes):
    """Wrong: unless an allocation fails, it is refused as long as the VM is paused, and nothing ends a pause."""

    paused: Total[Vm, bool]
    tried: Total[Vm, bool]

    @operation
    def pause(self, vm: Vm) -> None:
        self.paused[vm] = True

    @operation
    def finish(self, vm: Vm) -> None:
        require(self.stale[vm])
        require(self.left(vm) == 0)
        if fails("frame for the log"):
            self.tried[vm] = True
            return
        require(not self.paused[vm])
        self.stale[vm] = False

    geometry = geometry(Vm=1, Vcpu=1)


class RefusesEveryFrame(NeedsAFrame):
    """Wrong: while the VM is paused no frame will do, however many are free."""

    paused: Total[Vm, bool]

    @operation
    def pause(self, vm: Vm) -> None:
        self.paused[vm] = True

    @operation
    def finish(self, vm: Vm) -> None:
        require(self.stale[vm])
        require(self.left(vm) == 0)
        if fails("frame for the log"):
            return
        mfn: Mfn = choose(Mfn, lambda mfn: self.log[mfn] == NOTHING and not self.paused[vm])
        self.log[mfn] = vm
        self.stale[vm] = False


class NeedsTwoFrames(NeedsAFrame):
    """Right: to finish takes two frames."""

    @operation
    def finish(self, vm: Vm) -> None:
        require(self.stale[vm])
        require(self.left(vm) == 0)
        if fails("frames for the log"):
            return
        one: Mfn = choose(Mfn, lambda mfn: self.log[mfn] == NOTHING)
        other: Mfn = choose(Mfn, lambda mfn: self.log[mfn] == NOTHING and mfn != one)
        self.log[one], self.log[other] = vm, vm
        self.stale[vm] = False

    geometry = geometry(Vm=2, Vcpu=1, Mfn=2)


@attrs.frozen
class LogFrame:
    """What is known of a frame of a log."""

    owner: Vm = NOTHING
    present: bool = False
    pinned: bool = False
    dirty: bool = False


class TakesTableAndLeaf(Flushes):
    """Right: to finish takes a frame for a table, and then one for a leaf."""

    frames: Total[Mfn, LogFrame]

    @operation
    def finish(self, vm: Vm) -> None:
        require(self.stale[vm])
        require(self.left(vm) == 0)
        if fails("table frame"):
            return
        table = self.free_frame()
        self.frames[table] = LogFrame(vm, present=True)
        if fails("leaf frame"):
            self.frames[table] = LogFrame()
            return
        leaf = self.free_frame()
        self.frames[leaf] = LogFrame(vm, present=True, dirty=True)
        self.stale[vm] = False

    def free_frame(self) -> Mfn:
        found: Mfn = choose(Mfn, lambda mfn: self.frames[mfn] == LogFrame())
        return found

    geometry = geometry(Vm=2, Vcpu=1, Mfn=2)


class TakesDirtyFrames(TakesTableAndLeaf):
    """Wrong: no frame will do that has never been used, however many there are."""

    def free_frame(self) -> Mfn:
        found: Mfn = choose(Mfn, lambda mfn: self.frames[mfn] == LogFrame(dirty=True))
        return found


class ChoosesWhatItWasAskedFor(NeedsAFrame):
    """Right: beside a frame it chooses what the VM has asked for, which is one VM."""

    wanted: Total[Vm, Vm]
    given: Total[Vm, Mfn]

    @operation
    def ask(self, vm: Vm, other: Vm) -> None:
        self.wanted[vm] = other

    @operation
    def flush(self, vm: Vm) -> None:
        require(not self.stale[vm] and self.wanted[vm] != NOTHING)
        self.stale[vm] = True
        assign(self.asked, lambda asked, of, vcpu: of == vm, True)

    @operation
    def finish(self, vm: Vm) -> None:
        require(self.stale[vm])
        require(self.left(vm) == 0)
        if fails("frame for the log"):
            return
        mfn: Mfn = choose(Mfn, lambda mfn: self.log[mfn] == NOTHING)
        self.log[mfn] = vm
        self.given[choose(Vm, lambda other: other == self.wanted[vm])] = mfn
        self.stale[vm] = False

    @law("ISO-2", "A VM that waits for a flush has asked for something.")
    def what_is_stale_has_asked(s: "ChoosesWhatItWasAskedFor", vm: Vm) -> bool:
        return implies(s.stale[vm], s.wanted[vm] != NOTHING)


class IsGivenOneFrame(NeedsAFrame):
    """Wrong: a VM that has a frame in the log is refused another, however many are free."""

    @operation
    def finish(self, vm: Vm) -> None:
        require(self.stale[vm])
        require(self.left(vm) == 0)
        if fails("frame for the log"):
            return
        mfn: Mfn = choose(Mfn, lambda mfn: self.log[mfn] == NOTHING)
        self.log[mfn] = vm
        require(count(self.log, lambda of, mfn: of == vm) < 2)
        self.stale[vm] = False

    geometry = geometry(Vm=2, Vcpu=1, Mfn=2)


class WantsWhatCannotBe(RefusesEveryFrame):
    """Wrong: while the VM is paused a frame would have to be free and its own."""

    @operation
    def finish(self, vm: Vm) -> None:
        require(self.stale[vm])
        require(self.left(vm) == 0)
        if fails("frame for the log"):
            return
        mfn: Mfn = choose(Mfn, lambda mfn: self.log[mfn] == NOTHING and (not self.paused[vm] or self.log[mfn] == vm))
        self.log[mfn] = vm
        self.stale[vm] = False


class BarsEveryFrame(RefusesEveryFrame):
    """Wrong: a law bars every frame to a VM that is paused, however many there are."""

    barred: Total[tuple[Vm, Mfn], bool]

    @operation
    def pause(self, vm: Vm) -> None:
        self.paused[vm] = True
        assign(self.barred, lambda barred, of, mfn: of == vm, True)

    @operation
    def finish(self, vm: Vm) -> None:
        require(self.stale[vm])
        require(self.left(vm) == 0)
        if fails("frame for the log"):
            return
        mfn: Mfn = choose(Mfn, lambda mfn: self.log[mfn] == NOTHING and not self.barred[vm, mfn])
        self.log[mfn] = vm
        self.stale[vm] = False

    @law("ISO-2", "Every frame is barred to a VM that is paused, and none to any other VM.")
    def barred_while_paused(s: "BarsEveryFrame", vm: Vm, mfn: Mfn) -> bool:
        return s.barred[vm, mfn] == s.paused[vm]


class ChoosesItselfAfterAnAllocation(RefusesEveryFrame):
    """Wrong: what is chosen after the allocation is the VM itself, and no frame."""

    @operation
    def finish(self, vm: Vm) -> None:
        require(self.stale[vm])
        require(self.left(vm) == 0)
        if fails("frame for the log"):
            return
        self.stale[choose(Vm, lambda one: one == vm and not self.paused[one])] = False


class FinishesEarly(Flushes):
    """Wrong: a flush may be finished while some vCPU has not acknowledged, and then another is asked again."""

    @operation
    def finish(self, vm: Vm) -> None:
        require(self.stale[vm])
        self.stale[vm] = False
        if self.left(vm) > 0:
            assign(self.asked, lambda asked, of, vcpu: of == vm, False)
            self.waits[vm] = True

    waits: Total[Vm, bool]

    @operation
    def acknowledge(self, vm: Vm, vcpu: Vcpu) -> None:
        require(self.asked[vm, vcpu])
        self.asked[vm, vcpu] = False

    @operation
    def ask_again(self, vm: Vm) -> None:
        require(self.waits[vm] and not self.stale[vm])
        self.waits[vm] = False
        self.stale[vm] = True
        assign(self.asked, lambda asked, of, vcpu: of == vm, True)

    @pending("EFF-4", "A VM that waits is asked again.", until="ask_again")
    def waiting(self, vm: Vm) -> bool:
        return self.waits[vm] and not self.stale[vm]

    geometry = geometry(Vm=1, Vcpu=1)


class MixesWhatIsCached(Flushes):
    """Wrong: a vCPU that uses the cached upper-level entry, and not the TLB entry, is refused: it may do so always."""

    @operation
    def acknowledge(self, vm: Vm, vcpu: Vcpu) -> None:
        require(self.asked[vm, vcpu])
        if not cached("TLB entry"):
            require(not cached("upper-level entry"))
        self.asked[vm, vcpu] = False

    geometry = geometry(Vm=1, Vcpu=1)


class NeverPending(Flushes):
    @pending("EFF-4", "A flush that is over, and under way, ends.", until="finish")
    def impossible(self, vm: Vm) -> bool:
        return self.stale[vm] and not self.stale[vm]


class EndsSlowly(Flushes):
    """Wrong: a flush ends only when it is finished twice."""

    once: Total[Vm, bool]

    @operation
    def finish(self, vm: Vm) -> None:
        require(self.stale[vm])
        require(self.left(vm) == 0)
        self.stale[vm] = not self.once[vm]
        self.once[vm] = not self.once[vm]


class MayNotLook(Flushes):
    """Wrong: a vCPU that still uses what it has cached does not acknowledge."""

    @operation
    def acknowledge(self, vm: Vm, vcpu: Vcpu) -> None:
        require(self.asked[vm, vcpu])
        if not cached("translation"):
            self.asked[vm, vcpu] = False


class AnyAcknowledges(Flushes):
    """Wrong: a second claim says of every vCPU what is done for one. Taken first, the first claim's operation hides that."""

    @operation
    def acknowledge_one(self, vm: Vm) -> None:
        vcpu: Vcpu = choose(Vcpu, lambda vcpu: self.asked[vm, vcpu])
        self.asked[vm, vcpu] = False

    @pending("EFF-4", "A vCPU that was asked to forget acknowledges.", until="acknowledge_one")
    def left_over(self, vm: Vm, vcpu: Vcpu) -> bool:
        return self.asked[vm, vcpu]


class OfTwoClauses(Steps):
    """Right: what waits and what it waits for are of two clauses."""

    @pending("EFF-2", "A vCPU that was asked to forget acknowledges.", until="acknowledge")
    def unacknowledged(self, vm: Vm, vcpu: Vcpu) -> bool:
        return self.asked[vm, vcpu]

    @pending("EFF-4", "A flush ends when every vCPU has acknowledged.", until="finish", after=("unacknowledged",))
    def flushing(self, vm: Vm) -> bool:
        return self.stale[vm]


class StuckOfTwoClauses(OfTwoClauses):
    """Wrong: a vCPU that has acknowledged is waited for still."""

    def left(self, vm: Vm) -> int:
        return 1 if self.stale[vm] else 0
