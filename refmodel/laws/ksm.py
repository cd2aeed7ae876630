"""What Linux's way of merging keeps: the stable tree is in order, and a page is replaced by one that holds the same."""

from typing import Any

from refmodel.language import NOTHING, implies, law
from refmodel.machine.names import Chain, Gfn, Mfn, Vm
from refmodel.monitor.frames import Use
from refmodel.monitor.ksm import Ksm, Merged, NodeLinked, Scan, nodes_of


@law("ISO-2", "Every node of the stable tree is a shared frame.")
def nodes_are_shared_frames(s: Ksm, mfn: Mfn) -> Any:
    return implies(s.stable_tree[mfn].linked, s.frames[mfn].use == Use.SHARED)


@law("ISO-2", "A page that is being merged is read-only, and the node that it will be merged with is in the stable tree.")
def pages_being_merged_are_read_only(s: Ksm, vm: Vm, gfn: Gfn) -> Any:
    item, entry = s.rmap_items[vm, gfn], s.p2m[vm, gfn]
    return implies(
        item.scan == Scan.PROTECTED or item.scan == Scan.COMPARED,
        s.stable_tree[item.mfn].linked and implies(entry.resident, not entry.writable),
    ) and implies(item.scan == Scan.COMPARED, s.is_write_protected(vm, gfn))


@law("EQV-1", "A page that compared equal to a stable node still holds the node's contents.")
def compared_pages_hold_the_same(s: Ksm, vm: Vm, gfn: Gfn) -> Any:
    item = s.rmap_items[vm, gfn]
    return implies(item.scan == Scan.COMPARED, s.bare_memory[vm, gfn] == s.memory[item.mfn])


@law("EQV-1", "All frames of one chain in the stable tree hold the same contents.")
def chains_hold_one_content(s: Ksm, mfn: Mfn, other: Mfn) -> Any:
    node, another = s.stable_tree[mfn], s.stable_tree[other]
    return implies(node.linked and another.linked and node.chain == another.chain, s.memory[mfn] == s.memory[other])


@law("EFF-2", "After a page's frame was made a stable node, the page lies in a frame of the stable tree.")
def frames_become_nodes(s: Ksm, outcome: NodeLinked) -> Any:
    return s.stable_tree[s.p2m[outcome.vm, outcome.gfn].mfn].linked


@law("EFF-2", "A page that was merged lies in the frame of its stable node, and the node is in the stable tree.")
def merged_pages_lie_in_the_node(s: Ksm, outcome: Merged) -> Any:
    return s.p2m[outcome.vm, outcome.gfn].mfn == outcome.mfn and s.stable_tree[outcome.mfn].linked


@law("RES-1", "The recorded node count of a chain is the number of the chain's nodes.")
def chains_are_counted(s: Ksm, chain: Chain) -> Any:
    return s.chains[chain].nodes == nodes_of(s, chain)


@law("RES-1", "Every node of the stable tree belongs to a chain.")
def nodes_belong_to_a_chain(s: Ksm, mfn: Mfn) -> Any:
    return implies(s.stable_tree[mfn].linked, s.stable_tree[mfn].chain != NOTHING)


@law("RES-3", "The number of pages that lie in a stable node's frame is at most the limit of the node's chain.")
def sharing_limits_are_kept(s: Ksm, mfn: Mfn) -> Any:
    node = s.stable_tree[mfn]
    return implies(node.linked, s.frames[mfn].references <= s.chains[node.chain].limit)
