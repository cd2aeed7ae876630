"""A VM moves to another machine while it runs: pre-copy, stop-and-copy, post-copy (Clark et al., NSDI 2005; Hines and Gopalan, VEE
2009).

*Pre-copy* sends pages while the guest stores to them. Here the hardware keeps the log: the first store through a translation sets
the page's dirty flag (SDM Vol. 3C 28.3.5), and later ones through the same cached translation need not. So a flag is *collected*
in two steps, and the order matters: the flag is cleared and the page logged, then every processor *flushes*; until then a store
may come that sets no flag. Only then is the page sent.

Then the guest is *stopped*, what is still logged may be sent, and the other machine takes over. What it lacks it fetches when the
guest touches it, and the old machine pushes the rest (*post-copy*). A page is placed once: whatever is on its way for a page that
has come already must not overwrite what the guest has stored since.

A guest may *hint* that a page is free, so that it need not be sent (virtio 1.2 section 5.5.6.6). The hint is worth something only
for as long as nobody has stored to the page, so what was hinted before flags are collected is worth nothing afterwards.
"""

import enum

import attrs

from refmodel.language import Design, Total, assign, guest, operation, pending, require, reset
from refmodel.machine.cells import Cell, Cells
from refmodel.machine.names import Gfn, Index, Vm


class Phase(enum.Enum):
    """Where a VM is."""

    HERE = "runs here"
    STOPPED = "stopped"
    THERE = "runs there"


@attrs.frozen
class MovingPage:
    """How far a page is. Both machines' records in one."""

    dirty: bool = False
    """The dirty flag of the page's entry."""
    clean: bool = False
    """Not logged: was sent, or need not be."""
    unflushed: bool = False
    """Its flag was cleared, and processors may have it set in their caches."""
    hinted: bool = False
    """The guest said that it is free, and it has not been seen dirty since."""
    received: bool = False
    in_flight: bool = False
    discarded: bool = False
    """The old machine has freed its copy."""


@attrs.frozen
class Touched:
    """An access of the guest's: what it was shown, and what it was due."""

    shown: Cell
    due: Cell
    free: bool
    """Whether the guest had said that it does not care."""


class Migration(Design):
    phase: Total[Vm, Phase]
    pages: Total[tuple[Vm, Gfn], MovingPage]
    cached_dirty: Total[tuple[Vm, Gfn], bool]
    """Whether a processor has cached that the page's dirty flag is set."""
    here: Total[tuple[Vm, Gfn], Cells]
    there: Total[tuple[Vm, Gfn], Cells]
    bare_memory: Total[tuple[Vm, Gfn], Cells]
    free: Total[tuple[Vm, Gfn], bool]
    """The pages that the guest says hold nothing it needs, until it stores to them."""

    arbitrary = ("there",)  # nobody knows what the other machine's frames hold

    # ------------------------------------------------------------ the guest

    @guest
    def load_here(self, vm: Vm, gfn: Gfn, offset: Index) -> Touched:
        require(self.phase[vm] == Phase.HERE)
        return Touched(self.here[vm, gfn][offset], self.bare_memory[vm, gfn][offset], self.free[vm, gfn])

    @guest
    def store_here(self, vm: Vm, gfn: Gfn, offset: Index, value: Cell) -> None:
        """A store sets the dirty flag, unless the processor has cached that it is set."""
        require(self.phase[vm] == Phase.HERE)
        self.here[vm, gfn] = self.here[vm, gfn].put(offset, value)
        self.bare_store(vm, gfn, offset, value)
        if not self.cached_dirty[vm, gfn]:
            self.pages[vm, gfn] = attrs.evolve(self.pages[vm, gfn], dirty=True)
            self.cached_dirty[vm, gfn] = True

    @guest
    def load_there(self, vm: Vm, gfn: Gfn, offset: Index) -> Touched:
        require(self.phase[vm] == Phase.THERE and self.pages[vm, gfn].received)
        return Touched(self.there[vm, gfn][offset], self.bare_memory[vm, gfn][offset], self.free[vm, gfn])

    @guest
    def store_there(self, vm: Vm, gfn: Gfn, offset: Index, value: Cell) -> None:
        require(self.phase[vm] == Phase.THERE and self.pages[vm, gfn].received)
        self.there[vm, gfn] = self.there[vm, gfn].put(offset, value)
        self.bare_store(vm, gfn, offset, value)

    def bare_store(self, vm: Vm, gfn: Gfn, offset: Index, value: Cell) -> None:
        """A store to a page that the guest had called free makes it one that holds what it held, and this."""
        if self.free[vm, gfn]:
            self.bare_memory[vm, gfn] = self.here[vm, gfn] if self.phase[vm] == Phase.HERE else self.there[vm, gfn]
            self.free[vm, gfn] = False
        else:
            self.bare_memory[vm, gfn] = self.bare_memory[vm, gfn].put(offset, value)

    @guest
    def hint_free(self, vm: Vm, gfn: Gfn) -> None:
        """What is not yet flushed may be stored to unseen: a hint about it is not taken."""
        require(self.phase[vm] == Phase.HERE)
        self.free[vm, gfn] = True
        if self.takes_hints(vm, gfn):
            self.pages[vm, gfn] = attrs.evolve(self.pages[vm, gfn], hinted=True)

    def takes_hints(self, vm: Vm, gfn: Gfn) -> bool:
        return not self.pages[vm, gfn].unflushed

    # ------------------------------------------------------------ pre-copy

    @operation
    def collect(self, vm: Vm, gfn: Gfn) -> None:
        """Clear a page's dirty flag, and log the page."""
        require(self.pages[vm, gfn].dirty and self.phase[vm] != Phase.THERE)
        self.pages[vm, gfn] = attrs.evolve(self.pages[vm, gfn], dirty=False, clean=False, unflushed=True,
                                           hinted=self.hint_after(vm, gfn))

    def hint_after(self, vm: Vm, gfn: Gfn) -> bool:
        """What a hint is worth when the page has been seen dirty."""
        return False

    @operation
    def flush(self, vm: Vm) -> None:
        """Every processor forgets the VM's translations, so that the next store to any page sets its flag."""
        reset(self.cached_dirty, lambda cached, of, gfn: of == vm)
        assign(self.pages, lambda page, of, gfn: of == vm, lambda page, of, gfn: attrs.evolve(page, unflushed=False))

    @operation
    def send(self, vm: Vm, gfn: Gfn) -> None:
        """Copy a logged page to the other machine."""
        page = self.pages[vm, gfn]
        require(self.phase[vm] != Phase.THERE and not page.clean)
        require(self.may_send(page))
        self.there[vm, gfn] = self.here[vm, gfn]
        self.pages[vm, gfn] = attrs.evolve(page, clean=True)

    def may_send(self, page: MovingPage) -> bool:
        return not page.unflushed

    @operation
    def skip(self, vm: Vm, gfn: Gfn) -> None:
        """A page that the guest has called free is not sent."""
        page = self.pages[vm, gfn]
        require(self.phase[vm] != Phase.THERE and page.hinted and not page.clean)
        self.pages[vm, gfn] = attrs.evolve(page, clean=True, hinted=False)

    # ------------------------------------------------------------ stop, and go on there

    @operation
    def stop(self, vm: Vm) -> None:
        require(self.phase[vm] == Phase.HERE)
        self.phase[vm] = Phase.STOPPED

    @operation
    def resume(self, vm: Vm) -> None:
        """It is called off: the guest goes on here."""
        require(self.phase[vm] == Phase.STOPPED)
        self.phase[vm] = Phase.HERE

    @operation
    def switch_over(self, vm: Vm) -> None:
        """The guest goes on there. What is logged, or would be, is lacking."""
        require(self.phase[vm] == Phase.STOPPED)
        self.phase[vm] = Phase.THERE
        assign(self.pages, lambda page, of, gfn: of == vm, lambda page, of, gfn: MovingPage(received=self.has_come(page)))

    def has_come(self, page: MovingPage) -> bool:
        return page.clean and not page.dirty

    # ------------------------------------------------------------ post-copy

    @pending("EFF-4", "A page that the new machine lacks sets out.", until="transmit")
    def page_not_sent_after(self, vm: Vm, gfn: Gfn) -> bool:
        return self.phase[vm] == Phase.THERE and not self.pages[vm, gfn].received and not self.pages[vm, gfn].in_flight

    @operation
    def transmit(self, vm: Vm, gfn: Gfn) -> None:
        """A page sets out, because the guest has touched it or because it is its turn."""
        require(self.may_transmit(vm, gfn))
        self.pages[vm, gfn] = attrs.evolve(self.pages[vm, gfn], in_flight=True)

    def may_transmit(self, vm: Vm, gfn: Gfn) -> bool:
        page = self.pages[vm, gfn]
        return self.phase[vm] == Phase.THERE and not page.in_flight and not page.discarded

    @pending("EFF-4", "A page that is on its way to the new machine arrives.", until="place")
    def page_not_placed(self, vm: Vm, gfn: Gfn) -> bool:
        return self.pages[vm, gfn].in_flight

    @operation
    def place(self, vm: Vm, gfn: Gfn) -> None:
        """It arrives; if the page has come before, it is dropped."""
        page = self.pages[vm, gfn]
        require(page.in_flight)
        if self.is_wanted(page):
            self.there[vm, gfn] = self.here[vm, gfn]
        self.pages[vm, gfn] = attrs.evolve(page, in_flight=False, received=True)

    def is_wanted(self, page: MovingPage) -> bool:
        return not page.received

    @pending("EFF-4", "The old machine frees a page that the new one has.", until="discard")
    def copy_not_discarded(self, vm: Vm, gfn: Gfn) -> bool:
        return self.may_discard(vm, gfn)

    @operation
    def discard(self, vm: Vm, gfn: Gfn) -> None:
        """The old machine frees its copy of a page that the new one has."""
        require(self.may_discard(vm, gfn))
        self.here[vm, gfn] = self.here[vm, gfn].scrubbed()
        self.pages[vm, gfn] = attrs.evolve(self.pages[vm, gfn], discarded=True)

    def may_discard(self, vm: Vm, gfn: Gfn) -> bool:
        page = self.pages[vm, gfn]
        return self.phase[vm] == Phase.THERE and page.received and not page.in_flight and not page.discarded
