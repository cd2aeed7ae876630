"""A design whose proof follows a chain of laws: each speaks of what only the one before it names."""

from enum import Enum
from typing import Annotated, Any

from refmodel.language import Design, Name, Total, count, geometry, implies, law, operation, require

Node = Annotated[int, Name("Node")]


class The(Enum):
    ONE = "one"


class Chained(Design):
    """A node is used only where its successor's successor's successor says that nothing is dirty."""

    used: Total[Node, bool]
    first: Total[Node, Node]
    second: Total[Node, Node]
    third: Total[Node, Node]
    near: Total[Node, bool]
    far: Total[Node, bool]
    last: Total[Node, bool]
    dirty: Total[The, bool]
    wrong: Total[The, bool]
    geometry = geometry(Node=2)

    @operation
    def begin(self, node: Node) -> None:
        require(not self.dirty[The.ONE])
        self.used[node] = True
        self.first[node] = node
        self.second[node] = node
        self.third[node] = node
        self.near[node] = True
        self.far[node] = True
        self.last[node] = True

    @operation
    def soil(self) -> None:
        require(count(self.last, lambda is_last, node: is_last) == 0)
        self.dirty[The.ONE] = True

    @operation
    def look(self, node: Node) -> None:
        require(self.used[node])
        self.wrong[The.ONE] = self.dirty[The.ONE]

    @law("RES-1", "What is used is near.")
    def used_is_near(s: "Chained", node: Node) -> Any:
        return implies(s.used[node], s.near[s.first[node]])

    @law("RES-1", "What is near leads far.")
    def near_is_far(s: "Chained", node: Node) -> Any:
        return implies(s.near[node], s.far[s.second[node]])

    @law("RES-1", "What is far leads to the last.")
    def far_is_last(s: "Chained", node: Node) -> Any:
        return implies(s.far[node], s.last[s.third[node]])

    @law("RES-1", "Where there is a last one, nothing is dirty.")
    def last_is_clean(s: "Chained", node: Node) -> Any:
        return implies(s.last[node], not s.dirty[The.ONE])

    @law("RES-1", "Nothing dirty is ever seen.")
    def nothing_is_wrong(s: "Chained") -> Any:
        return not s.wrong[The.ONE]
