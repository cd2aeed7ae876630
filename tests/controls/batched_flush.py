"""One flush serves many pages."""

from refmodel.language import operation, reset
from refmodel.machine.names import Gfn
from tests.controls import deferred_flush


class Control(deferred_flush.Control):
    """Entries lose W one by one, and the flush that makes processors forget one page makes them forget all. It takes more than it
    must, and what it takes can be walked again. A flush may also come when nobody asked for it."""

    def flush(self, gfn: Gfn) -> None:
        reset(self.tlb, lambda found, cpu, g: True)

    @operation
    def flush_early(self, gfn: Gfn) -> None:
        self.flush(gfn)
