"""A guest plugs and unplugs its memory in blocks, up to a size that the monitor requests (virtio-mem: virtio 1.2, Memory Device;
Hildenbrand and Schulz, VEE 2021).

A device has a region of guest-physical memory, cut into blocks; memory that the guest booted with is in none. The monitor
*requests* a size; the guest plugs blocks, or unplugs them, until that many are plugged. The guest chooses which, since it has to
move out of a block what it still uses. So a block leaves as a whole, unlike the pages of a balloon, and a guest whose memory is
scattered can unplug nothing.

**Plug.** The device takes a block as plugged, unless that would be more than was requested. From then on the monitor gives pages
there, in frames or as promises of zeroes. Where no block is plugged it gives none.

**Unplug.** The guest gives up the pages of a block one by one; the MMU forgets each, and what stood behind it is released. When
none is left the block is unplugged. A guest that touches it makes an error, as in a balloon; the monitor knows all the same which
places these are, and nothing comes back there on demand.
"""

import enum
from typing import ClassVar

import attrs

from refmodel.language import NOTHING, Total, count, guest, operation, require
from refmodel.machine.names import Count, Gfn, Region, Vm
from refmodel.monitor.p2m import Backing
from refmodel.monitor.populate_on_demand import PopulateOnDemand


class PlugState(enum.Enum):
    UNPLUGGED = "unplugged"
    PLUGGED = "plugged"
    LEAVING = "leaving: its pages are being given up"


@attrs.frozen
class Device:
    """Sizes in blocks."""

    requested: Count = 0
    plugged: Count = 0


@attrs.frozen
class BlockChanged:
    """A guest has plugged a block, begun to give it up, or unplugged it: the block that it named, and what is to become of it."""

    shown: ClassVar[None] = None
    """The guest is shown nothing: what it asked for is done."""

    vm: Vm
    region: Region
    state: PlugState


class VirtioMem(PopulateOnDemand):
    block_of: Total[Gfn, Region]
    """The block that a page belongs to, if any: nothing writes to it."""
    blocks: Total[tuple[Vm, Region], PlugState]
    device: Total[Vm, Device]

    arbitrary: ClassVar[tuple[str, ...]] = ("block_of",)
    known: ClassVar[tuple[str, ...]] = ("blocks", "device")
    flows: ClassVar[dict[str, str]] = {"request_blocks": "a request for memory or to give it back"}

    @operation
    def request_blocks(self, vm: Vm, blocks: Count) -> None:
        """The monitor asks for another size."""
        require(blocks != self.device[vm].requested)
        self.device[vm] = attrs.evolve(self.device[vm], requested=blocks)

    # ------------------------------------------------------------ plugging

    @guest
    def plug_block(self, vm: Vm, region: Region) -> BlockChanged:
        """The guest plugs a block, as long as it has fewer than were requested."""
        device = self.device[vm]
        require(self.blocks[vm, region] == PlugState.UNPLUGGED)
        require(self.may_plug(vm))
        self.blocks[vm, region] = PlugState.PLUGGED
        self.device[vm] = attrs.evolve(device, plugged=device.plugged + 1)
        return BlockChanged(vm, region, PlugState.PLUGGED)

    def may_plug(self, vm: Vm) -> bool:
        return self.device[vm].plugged < self.device[vm].requested

    def may_come(self, vm: Vm, gfn: Gfn) -> bool:
        """It is in no block, or in one that is plugged."""
        in_plugged = self.block_of[gfn] == NOTHING or self.blocks[vm, self.block_of[gfn]] == PlugState.PLUGGED
        return in_plugged and super().may_come(vm, gfn)

    # ------------------------------------------------------------ unplugging

    @guest
    def leave_block(self, vm: Vm, region: Region) -> BlockChanged:
        """The guest begins to give a block up: it uses nothing there any more."""
        require(self.blocks[vm, region] == PlugState.PLUGGED)
        require(self.device[vm].plugged > self.device[vm].requested)
        self.blocks[vm, region] = PlugState.LEAVING
        return BlockChanged(vm, region, PlugState.LEAVING)

    @guest
    def give_up_page(self, vm: Vm, gfn: Gfn) -> None:
        """The guest gives up a page of a block that is leaving, and the monitor takes what stood behind it."""
        require(self.block_of[gfn] != NOTHING)
        self.unplug_page(vm, gfn)

    def may_go(self, vm: Vm, gfn: Gfn) -> bool:
        """It is in no block, or in one that is leaving."""
        in_leaving = self.block_of[gfn] == NOTHING or self.blocks[vm, self.block_of[gfn]] == PlugState.LEAVING
        return in_leaving and super().may_go(vm, gfn)

    @guest
    def unplug_block(self, vm: Vm, region: Region) -> BlockChanged:
        """A block in which there is no memory any more is unplugged."""
        device = self.device[vm]
        require(self.blocks[vm, region] == PlugState.LEAVING)
        require(self.is_empty(vm, region))
        self.blocks[vm, region] = PlugState.UNPLUGGED
        self.device[vm] = attrs.evolve(device, plugged=device.plugged - 1)
        return BlockChanged(vm, region, PlugState.UNPLUGGED)

    def is_empty(self, vm: Vm, region: Region) -> bool:
        """Whether no page of a block is backed by anything."""
        return (
            count(
                self.p2m, lambda entry, owner, gfn: owner == vm and self.block_of[gfn] == region and entry.backing != Backing.ABSENT
            )
            == 0
        )


def plugged(s: VirtioMem, vm: Vm) -> int:
    """How many blocks of a VM are plugged, or leaving."""
    return count(s.blocks, lambda block, owner, region: owner == vm and block != PlugState.UNPLUGGED)
