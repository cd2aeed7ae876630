"""Mutants of Linux's way of merging pages."""

from refmodel.bugs.mutant import Mutant
from refmodel.designs import SamepageMerging
from refmodel.language import require
from refmodel.machine.names import Chain, Gfn, Mfn, Vm
from refmodel.monitor.ksm import ChainOfNodes, Merged, RmapItem, Scan, StableNode


class StoreUnnoticed(SamepageMerging):
    """A page is stored to after it was compared, and is merged anyway."""

    def start_again(self, vm: Vm, gfn: Gfn) -> None:
        """Nothing."""


class StaleNode(SamepageMerging):
    """A frame is freed, and stays in the stable tree."""

    def unlink_node(self, mfn: Mfn) -> None:
        """Nothing."""


class ComparedWithWhatIsGone(SamepageMerging):
    """A page is compared with a node, the node's frame gets other contents, and the page is merged with it anyway."""

    def unlink_node(self, mfn: Mfn) -> None:
        node = self.stable_tree[mfn]
        if node.linked:
            self.chains[node.chain] = self.one_less(self.chains[node.chain])
            self.stable_tree[mfn] = StableNode()


class MergedWhileWritable(SamepageMerging):
    """A page is compared while its guest can still store to it."""

    def protect_for_merge(self, vm: Vm, gfn: Gfn, mfn: Mfn) -> None:
        require(self.rmap_items[vm, gfn].scan == Scan.UNSTABLE)
        require(self.may_merge(vm, gfn) and self.stable_tree[mfn].linked and self.may_join(mfn))
        self.rmap_items[vm, gfn] = RmapItem(Scan.PROTECTED, mfn)


class ChainedUncompared(SamepageMerging):
    """A page that is found in the tree is assumed to be unchanged, and is not compared."""

    def alike(self, mfn: Mfn, other: Mfn) -> bool:
        return True


class ChainMiscounted(SamepageMerging):
    """A node leaves a chain, and the chain still counts the node."""

    def one_less(self, chain: ChainOfNodes) -> ChainOfNodes:
        return chain


class NodeOfNoChain(SamepageMerging):
    """A node is put into the tree without a chain."""

    def link_node(self, vm: Vm, gfn: Gfn, chain: Chain, nodes: ChainOfNodes) -> None:
        super().link_node(vm, gfn, chain, nodes)
        self.stable_tree[self.p2m[vm, gfn].mfn] = StableNode(True)


class Overfull(SamepageMerging):
    """Pages are merged with a node beyond the limit of its chain."""

    def replace(self, vm: Vm, gfn: Gfn) -> Merged:
        item = self.rmap_items[vm, gfn]
        require(item.scan == Scan.COMPARED and self.may_merge(vm, gfn))
        self.join(vm, gfn, item.mfn)
        self.rmap_items[vm, gfn] = RmapItem()
        return Merged(vm, gfn, item.mfn)


class MergedInName(SamepageMerging):
    """A page is reported as merged, and stays in its own frame."""

    def join(self, vm: Vm, gfn: Gfn, mfn: Mfn) -> None:
        require(self.may_leave(vm, gfn))


class NodeInName(SamepageMerging):
    """A frame is reported as a stable node, and stays a private frame."""

    def link_node(self, vm: Vm, gfn: Gfn, chain: Chain, nodes: ChainOfNodes) -> None:
        self.start_again(vm, gfn)


MUTANTS = {
    "ksm-store-unnoticed": Mutant(StoreUnnoticed, "ISO-2"),
    "ksm-stale-node": Mutant(StaleNode, "ISO-2"),
    "ksm-compared-with-what-is-gone": Mutant(ComparedWithWhatIsGone, "ISO-2"),
    "ksm-merged-while-writable": Mutant(MergedWhileWritable, "ISO-2"),
    "ksm-chained-uncompared": Mutant(ChainedUncompared, "EQV-1"),
    "ksm-chain-miscounted": Mutant(ChainMiscounted, "RES-1"),
    "ksm-node-of-no-chain": Mutant(NodeOfNoChain, "RES-1"),
    "ksm-overfull": Mutant(Overfull, "RES-3"),
    "ksm-merged-in-name": Mutant(MergedInName, "EFF-2"),
    "ksm-node-in-name": Mutant(NodeInName, "EFF-2"),
}
"""By name."""
