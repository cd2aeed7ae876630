"""Frames are scrubbed as soon as they are freed, and not when there is time or when they are given out."""

from refmodel.designs import BuddyFrames
from refmodel.machine.names import Mfn
from refmodel.monitor.frames import Use


class Control(BuddyFrames):
    """A frame that comes back is clean. Its next owner finds in it what it would have found anyway."""

    def release(self, mfn: Mfn) -> None:
        super().release(mfn)
        if self.frames[mfn].use == Use.FREE:
            self.memory[mfn] = self.memory[mfn].scrubbed()
            self.known_clean[mfn] = True
