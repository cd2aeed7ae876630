"""Where each expression of an operation is computed: once, at the last point that lies above all its uses."""

from __future__ import annotations

import heapq
from collections import defaultdict

import attrs

from refmodel.engines.compiled.nodes import Node
from refmodel.engines.compiled.trees import Traced, Tree


@attrs.define
class _Use:
    node: Node
    at: list[Tree] = attrs.field(factory=list)


def placed(traced: Traced) -> dict[Tree, list[Node]]:
    """For each point the expressions to compute there, the simplest first."""
    above: dict[Tree, Tree | None] = {traced.tree: None}
    depth = {traced.tree: 0}
    uses: dict[int, _Use] = {}
    for tree in traced.tree.below():
        for branch in tree.branches:
            above[branch], depth[branch] = tree, depth[tree] + 1
        for node in tree.uses():
            if not node.is_constant:
                uses.setdefault(node.number, _Use(node)).at.append(tree)

    def meet(a: Tree, b: Tree) -> Tree:
        while a is not b:
            if depth[a] >= depth[b]:
                a = above[a] or a
            else:
                b = above[b] or b
        return a

    todo = [-number for number in uses]
    heapq.heapify(todo)
    queued = set(uses)
    found: dict[Tree, list[Node]] = defaultdict(list)
    while todo:  # what an expression is made of has a smaller number than the expression
        use = uses[-heapq.heappop(todo)]
        point = use.at[0]
        for other in use.at[1:]:
            point = meet(point, other)
        found[point].append(use.node)
        for part in use.node.parts():
            if part.is_constant:
                continue
            uses.setdefault(part.number, _Use(part)).at.append(point)
            if part.number not in queued:
                queued.add(part.number)
                heapq.heappush(todo, -part.number)
    return {point: sorted(nodes, key=lambda node: node.number) for point, nodes in found.items()}
