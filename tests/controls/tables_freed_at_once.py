"""A table that a merge unlinks is freed at once, after a flush."""

from refmodel.designs import EptLarge
from refmodel.machine.names import Region, Table, Vm


class Control(EptLarge):
    """No processor can hold a pointer to the table when all have been flushed, so it need not be kept as dying until then."""

    geometry = EptLarge.geometry.resized(Index=1, Block=1, Table=2)

    def unlink(self, table: Table, vm: Vm, region: Region) -> None:
        self.flush_now(vm)
        self.free(table)
