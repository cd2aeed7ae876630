"""Mutants of copy-on-write sharing."""

import attrs

from refmodel.designs import Ept, Interpreter
from refmodel.language import fails
from refmodel.machine.names import Gfn, Mfn, Vm
from refmodel.monitor.frames import Frame


class BreakCopiesNothing(Ept):
    """A page gets a frame of its own, with whatever is in it."""

    def copy_frame(self, source: Mfn, target: Mfn) -> None:
        """Nothing."""


class FreedWhileShared(Ept):
    """Whoever leaves a shared frame frees it."""

    def release(self, mfn: Mfn) -> None:
        self.frames[mfn] = Frame()


class NeverFreed(Ept):
    """The last reference goes, and the frame stays in use by nobody."""

    def release(self, mfn: Mfn) -> None:
        frame = self.frames[mfn]
        self.frames[mfn] = attrs.evolve(frame, references=frame.references - 1)


class MergedUncompared(Ept):
    """Two pages are merged on the word of a hash."""

    def alike(self, mfn: Mfn, other: Mfn) -> bool:
        return True


class LastSharerWaits(Interpreter):
    """A page that no other shares any more waits for a frame of its own, though it has one."""

    def break_sharing(self, vm: Vm, gfn: Gfn) -> bool:
        return not fails("frame") and super().break_sharing(vm, gfn)
