"""Content-based sharing as in Linux: the KSM scanner finds equal pages by two trees, and merges them in steps (Linux ``mm/ksm.c``;
Arcangeli, Eidus and Wright, Linux Symposium 2009).

The scanner knows nothing of hashes of other pages; it looks pages up by what they hold. The *stable tree* has the frames that are
shared already: they are read-only, so it is always in order. A page that is found nowhere there goes into the *unstable tree*,
whose pages may be written to all the while: what is found there is a guess. When a guess comes true the page that was there becomes
a shared frame, with one page for the time being, and a node of the stable tree.

A page is merged with a stable node in three steps, and its guest runs in between: the page is *write-protected*, *compared*, and
its entry *replaced*. A store in between goes through, and whoever lets it through has to see to it that the page is not replaced
(Linux compares the entry with what it was).

Taking a frame away from all its pages is work in proportion to their number, so there is a limit to it. When a node is full
another frame that holds the same begins: they are a *chain*.
"""

import enum

import attrs

from refmodel.language import NOTHING, Total, choose, count, operation, require, reset
from refmodel.machine.names import Chain, Count, Gfn, Mfn, Vm
from refmodel.monitor.copy_on_write import CopyOnWrite
from refmodel.monitor.frames import Frame, Use


class Scan(enum.Enum):
    """How far the scanner is with a page."""

    OUT = "out"
    UNSTABLE = "in the unstable tree"
    PROTECTED = "write-protected"
    COMPARED = "compared"


@attrs.frozen
class RmapItem:
    """What the scanner knows of a page; while it is merged, with which frame."""

    scan: Scan = Scan.OUT
    mfn: Mfn = NOTHING


@attrs.frozen
class StableNode:
    """A shared frame's place in the stable tree."""

    linked: bool = False
    chain: Chain = NOTHING


@attrs.frozen
class ChainOfNodes:
    """Frames that hold the same. ``limit``: how many pages may lie in each (``max_page_sharing``)."""

    nodes: Count = 0
    limit: Count = 0


@attrs.frozen
class NodeLinked:
    """The frame in which a page lies became a node of the stable tree."""

    vm: Vm
    gfn: Gfn


@attrs.frozen
class Merged:
    """A page came to lie in a node's frame."""

    vm: Vm
    gfn: Gfn
    mfn: Mfn


class Ksm(CopyOnWrite):
    rmap_items: Total[tuple[Vm, Gfn], RmapItem]
    stable_tree: Total[Mfn, StableNode]
    chains: Total[Chain, ChainOfNodes]

    @operation
    def scan(self, vm: Vm, gfn: Gfn) -> None:
        """A page that is found nowhere is put into the unstable tree."""
        require(self.rmap_items[vm, gfn].scan == Scan.OUT)
        require(self.may_merge(vm, gfn))
        self.rmap_items[vm, gfn] = RmapItem(Scan.UNSTABLE)

    def may_merge(self, vm: Vm, gfn: Gfn) -> bool:
        """Whether a page is in a frame of its own, and no device knows of that."""
        entry = self.p2m[vm, gfn]
        return self.in_frame(vm, gfn) and self.frames[entry.mfn].use == Use.PRIVATE and not self.held(vm, gfn)

    # ------------------------------------------------------------ nodes

    @operation
    def stabilise(self, vm: Vm, gfn: Gfn, limit: Count) -> NodeLinked:
        """Another page was found to hold what this one holds: its frame becomes a node, to be shared."""
        require(self.rmap_items[vm, gfn].scan == Scan.UNSTABLE)
        require(self.may_merge(vm, gfn))
        require(limit >= 1)
        require(self.may_be_shared(self.p2m[vm, gfn].mfn))
        chain: Chain = choose(Chain, lambda chain: self.chains[chain].nodes == 0)
        self.protect_and_wait(vm, gfn)
        self.link_node(vm, gfn, chain, ChainOfNodes(1, limit))
        return NodeLinked(vm, gfn)

    @operation
    def extend_chain(self, vm: Vm, gfn: Gfn, full: Mfn) -> NodeLinked:
        """A node holds what this page holds, and is full: the page's frame becomes one more of its chain."""
        require(self.rmap_items[vm, gfn].scan == Scan.UNSTABLE)
        require(self.may_merge(vm, gfn))
        require(self.stable_tree[full].linked)
        require(not self.may_join(full))
        require(self.may_be_shared(self.p2m[vm, gfn].mfn))
        self.protect_and_wait(vm, gfn)  # before it is compared
        require(self.alike(self.p2m[vm, gfn].mfn, full))
        chain = self.stable_tree[full].chain
        self.link_node(vm, gfn, chain, attrs.evolve(self.chains[chain], nodes=self.chains[chain].nodes + 1))
        return NodeLinked(vm, gfn)

    def link_node(self, vm: Vm, gfn: Gfn, chain: Chain, nodes: ChainOfNodes) -> None:
        mfn = self.p2m[vm, gfn].mfn
        self.frames[mfn] = Frame(Use.SHARED, references=1)
        self.stable_tree[mfn] = StableNode(True, chain)
        self.chains[chain] = nodes
        self.rmap_items[vm, gfn] = RmapItem()

    def unlink_node(self, mfn: Mfn) -> None:
        """A frame leaves the tree. Whoever was compared with it starts again: it may come to hold anything."""
        node = self.stable_tree[mfn]
        if node.linked:
            self.chains[node.chain] = self.one_less(self.chains[node.chain])
            self.stable_tree[mfn] = StableNode()
            reset(self.rmap_items, lambda item, vm, gfn: item.mfn == mfn)

    def one_less(self, chain: ChainOfNodes) -> ChainOfNodes:
        return attrs.evolve(chain, nodes=chain.nodes - 1)

    def may_join(self, mfn: Mfn) -> bool:
        node = self.stable_tree[mfn]
        return not node.linked or self.frames[mfn].references < self.chains[node.chain].limit

    def is_node(self, mfn: Mfn) -> bool:
        return self.stable_tree[mfn].linked

    # ------------------------------------------------------------ merging

    @operation
    def protect_for_merge(self, vm: Vm, gfn: Gfn, mfn: Mfn) -> None:
        """A page seems to hold what a node holds: nobody is to change it unnoticed from now on."""
        scan = self.rmap_items[vm, gfn].scan
        require(scan == Scan.OUT or scan == Scan.UNSTABLE)
        require(self.may_merge(vm, gfn))
        require(self.stable_tree[mfn].linked)
        require(self.may_join(mfn))
        self.withdraw_write(vm, gfn)
        self.rmap_items[vm, gfn] = RmapItem(Scan.PROTECTED, mfn)

    @operation
    def compare(self, vm: Vm, gfn: Gfn) -> None:
        """Compare the write-protected page with the stable node's frame; if they differ, the page is scanned anew."""
        item = self.rmap_items[vm, gfn]
        require(item.scan == Scan.PROTECTED)
        require(self.in_frame(vm, gfn))
        require(self.is_write_protected(vm, gfn))
        self.rmap_items[vm, gfn] = RmapItem(Scan.COMPARED, item.mfn) if self.alike(self.p2m[vm, gfn].mfn, item.mfn) else RmapItem()

    @operation
    def replace(self, vm: Vm, gfn: Gfn) -> Merged:
        """The page comes to lie in the node's frame, and its own is free."""
        item = self.rmap_items[vm, gfn]
        require(item.scan == Scan.COMPARED)
        require(self.may_merge(vm, gfn))
        require(self.may_join(item.mfn))
        self.join(vm, gfn, item.mfn)
        self.rmap_items[vm, gfn] = RmapItem()
        return Merged(vm, gfn, item.mfn)

    # ------------------------------------------------------------ what ends it

    def let_write(self, vm: Vm, gfn: Gfn) -> bool:
        """A store: what was found out about the page is true no longer."""
        if not super().let_write(vm, gfn):
            return False
        self.start_again(vm, gfn)
        return True

    def start_again(self, vm: Vm, gfn: Gfn) -> None:
        self.rmap_items[vm, gfn] = RmapItem()

    def plug(self, vm: Vm, gfn: Gfn) -> None:
        super().plug(vm, gfn)
        self.start_again(vm, gfn)

    def unplug(self, vm: Vm, gfn: Gfn) -> None:
        super().unplug(vm, gfn)
        self.start_again(vm, gfn)

    def break_sharing(self, vm: Vm, gfn: Gfn) -> bool:
        mfn = self.p2m[vm, gfn].mfn
        if not super().break_sharing(vm, gfn):
            return False
        self.unlink_if_unshared(mfn)
        return True

    def release(self, mfn: Mfn) -> None:
        super().release(mfn)
        self.unlink_if_unshared(mfn)

    def unlink_if_unshared(self, mfn: Mfn) -> None:
        if self.frames[mfn].use != Use.SHARED:
            self.unlink_node(mfn)


def nodes_of(s: Ksm, chain: Chain) -> int:
    """How many frames a chain has."""
    return count(s.stable_tree, lambda node, mfn: node.linked and node.chain == chain)
