"""What plugging by block keeps: sizes are exact, no more is plugged than was requested, an unplugged block holds nothing."""

from typing import Any

from refmodel.language import NOTHING, implies, law
from refmodel.machine.names import Gfn, Region, Vm
from refmodel.monitor.p2m import Backing
from refmodel.monitor.virtio_mem import BlockChanged, PlugState, VirtioMem, plugged


@law("RES-1", "A device's plugged size is the number of its blocks that are plugged or being unplugged.")
def device_sizes_are_exact(s: VirtioMem, vm: Vm) -> Any:
    return s.device[vm].plugged == plugged(s, vm)


@law("RES-3", "A block that is unplugged has no memory behind any of its gfns.")
def unplugged_blocks_hold_nothing(s: VirtioMem, vm: Vm, gfn: Gfn) -> Any:
    region = s.block_of[gfn]
    return implies(region != NOTHING and s.blocks[vm, region] == PlugState.UNPLUGGED, s.p2m[vm, gfn].backing == Backing.ABSENT)


@law("RES-3", "Memory is added only at a gfn that is in no block, or in a block that is plugged.")
def pages_come_to_plugged_blocks(s: VirtioMem, before: VirtioMem, vm: Vm, gfn: Gfn) -> Any:
    region = s.block_of[gfn]
    return implies(
        before.p2m[vm, gfn].backing == Backing.ABSENT and s.p2m[vm, gfn].backing != Backing.ABSENT,
        region == NOTHING or s.blocks[vm, region] == PlugState.PLUGGED,
    )


@law("RES-3", "Memory is removed for good only at a gfn that is in no block, or in a block that is being unplugged.")
def pages_are_given_up_of_leaving_blocks(s: VirtioMem, before: VirtioMem, vm: Vm, gfn: Gfn) -> Any:
    region = s.block_of[gfn]
    return implies(
        before.p2m[vm, gfn].backing != Backing.ABSENT and s.p2m[vm, gfn].backing == Backing.ABSENT,
        region == NOTHING or s.blocks[vm, region] == PlugState.LEAVING,
    )


@law("RES-3", "A guest's request on a block sets that block's state as requested, and changes no other block of the VM.")
def blocks_change_as_asked(s: VirtioMem, before: VirtioMem, outcome: BlockChanged, region: Region) -> Any:
    return implies(region == outcome.region, s.blocks[outcome.vm, region] == outcome.state) and implies(
        region != outcome.region, s.blocks[outcome.vm, region] == before.blocks[outcome.vm, region]
    )


@law("RES-4", "The plugged size of a VM never grows beyond the requested size.")
def nothing_is_plugged_beyond_the_request(s: VirtioMem, before: VirtioMem, vm: Vm) -> Any:
    return implies(s.device[vm].plugged > before.device[vm].plugged, s.device[vm].plugged <= s.device[vm].requested)


@law("ISO-6", "Only a VM's own steps change the states of its blocks; the monitor can only request a size.")
def blocks_are_their_guests(s: VirtioMem, before: VirtioMem, actor: Vm, vm: Vm, region: Region) -> Any:
    return implies(vm != actor, s.blocks[vm, region] == before.blocks[vm, region])
