"""Mutants of live migration."""

from refmodel.designs import LiveMigration
from refmodel.language import require
from refmodel.machine.names import Gfn, Vm
from refmodel.monitor.migration import MovingPage, Phase


class SentUnflushed(LiveMigration):
    """A page is sent while a processor may store to it without setting its flag."""

    def may_send(self, page: MovingPage) -> bool:
        return True


class HintOutlivesTheStore(LiveMigration):
    """A page was hinted to be free, then stored to, then seen dirty; and is skipped on the old hint."""

    def hint_after(self, vm: Vm, gfn: Gfn) -> bool:
        return self.pages[vm, gfn].hinted


class HintTakenUnflushed(LiveMigration):
    """A hint is taken while the page may be stored to unseen."""

    def takes_hints(self, vm: Vm, gfn: Gfn) -> bool:
        return True


class DirtyLeftBehind(LiveMigration):
    """What became dirty last is not collected before the guest goes on there."""

    def has_come(self, page: MovingPage) -> bool:
        return page.clean


class PlacedTwice(LiveMigration):
    """A page that arrives again overwrites what the guest has stored."""

    def is_wanted(self, page: MovingPage) -> bool:
        return True


class DiscardedTooEarly(LiveMigration):
    """The old machine frees a page as soon as the guest has left."""

    def may_discard(self, vm: Vm, gfn: Gfn) -> bool:
        page = self.pages[vm, gfn]
        return self.phase[vm] == Phase.THERE and not page.in_flight and not page.discarded


class LeftUnscrubbed(LiveMigration):
    """The old machine frees a page with all that it holds."""

    def discard(self, vm: Vm, gfn: Gfn) -> None:
        contents = self.here[vm, gfn]
        super().discard(vm, gfn)
        self.here[vm, gfn] = contents


class LeftForGood(LiveMigration):
    """Pages that the other machine has are kept here."""

    def may_transmit(self, vm: Vm, gfn: Gfn) -> bool:
        return super().may_transmit(vm, gfn) and not self.pages[vm, gfn].received

    def may_discard(self, vm: Vm, gfn: Gfn) -> bool:
        return False


class RunsOnBoth(LiveMigration):
    """A VM that has left goes on here too."""

    def resume(self, vm: Vm) -> None:
        require(self.phase[vm] != Phase.HERE)
        self.phase[vm] = Phase.HERE
