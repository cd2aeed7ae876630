"""The memory of one VM on several machines: a directory says which nodes have a copy of a page, and which one owns it.

GiantVM (Zhang et al., VEE 2020) runs a VM over several machines so, with the MSI protocol of Ivy (Li and Hudak, ACM TOCS 1989). A
node that stores to a page asks for it. The directory has every other copy dropped, waits until each node has acknowledged, and only
then grants it. One request for a page is served at a time.

Two things are to be seen here. What waits is stated under ``@pending``: a proof shows that each request ends. And the design needs
nothing of refmodel's monitors: nodes are names of its own.
"""

from enum import Enum
from typing import Annotated

import attrs

from refmodel import NOTHING, Design, Name, Total, assign, count, geometry, implies, law, operation, pending, require
from refmodel.machine.names import Gfn

Node = Annotated[int, Name("Node")]
"""One of the machines that the VM runs on."""


class State(Enum):
    """What a node may do with its copy of a page."""

    INVALID = "invalid"
    SHARED = "shared"
    MODIFIED = "modified"


class Wants(Enum):
    """What a request is for."""

    READ = "read"
    WRITE = "write"


@attrs.frozen
class Request:
    """The request for a page that is being served, if one is."""

    busy: bool = False
    node: Node = NOTHING
    wants: Wants = Wants.READ


class Directory(Design):
    """Copies are dropped and acknowledged before a node may store."""

    state: Total[tuple[Node, Gfn], State]
    copies: Total[tuple[Node, Gfn], bool]
    """The directory's copy set."""
    owner: Total[Gfn, Node]
    """The node whose copy is sent on; NOTHING for a page that is nowhere yet."""
    data: Total[tuple[Node, Gfn], bool]
    """What a node's copy holds: one of two contents."""
    latest: Total[Gfn, bool]
    """What was stored last, on any node."""
    request: Total[Gfn, Request]
    dropping: Total[tuple[Node, Gfn], bool]
    """A node was asked to drop its copy, and has not acknowledged."""
    geometry = geometry(Node=3, Gfn=1)

    @operation
    def create(self, gfn: Gfn, node: Node) -> None:
        """The first access to a page makes it there."""
        require(self.owner[gfn] == NOTHING)
        self.owner[gfn] = node
        self.state[node, gfn] = State.MODIFIED
        self.copies[node, gfn] = True
        self.data[node, gfn] = self.latest[gfn]

    @operation
    def store(self, node: Node, gfn: Gfn, value: bool) -> None:
        """A store that needs no request."""
        require(self.state[node, gfn] == State.MODIFIED)
        self.data[node, gfn] = value
        self.latest[gfn] = value

    @operation
    def ask(self, node: Node, gfn: Gfn, wants: Wants) -> None:
        """A node faults: it lacks the page, or may not store to it."""
        require(self.owner[gfn] != NOTHING and not self.request[gfn].busy)
        lacks = self.state[node, gfn] == State.INVALID
        require(lacks or (wants == Wants.WRITE and self.state[node, gfn] == State.SHARED))
        self.request[gfn] = Request(True, node, wants)
        if wants == Wants.WRITE:
            assign(self.dropping, lambda asked, who, page: page == gfn and who != node and self.copies[who, gfn], True)

    @operation
    def acknowledge(self, node: Node, gfn: Gfn) -> None:
        """A node drops its copy. The owner sends what it holds along."""
        require(self.dropping[node, gfn])
        to = self.request[gfn].node
        if node == self.owner[gfn]:
            self.data[to, gfn] = self.data[node, gfn]
            self.owner[gfn] = to
        self.state[node, gfn] = State.INVALID
        self.copies[node, gfn] = False
        self.dropping[node, gfn] = False

    @operation
    def grant_write(self, gfn: Gfn) -> None:
        """The request ends when no other node has a copy."""
        asked = self.request[gfn]
        require(asked.busy and asked.wants == Wants.WRITE)
        require(count(self.dropping, lambda drops, node, page: page == gfn and drops) == 0)
        self.owner[gfn] = asked.node
        self.state[asked.node, gfn] = State.MODIFIED
        self.copies[asked.node, gfn] = True
        self.request[gfn] = Request()

    @operation
    def grant_read(self, gfn: Gfn) -> None:
        """The owner loses the right to store, and sends a copy."""
        asked = self.request[gfn]
        require(asked.busy and asked.wants == Wants.READ)
        self.state[self.owner[gfn], gfn] = State.SHARED
        self.data[asked.node, gfn] = self.data[self.owner[gfn], gfn]
        self.state[asked.node, gfn] = State.SHARED
        self.copies[asked.node, gfn] = True
        self.request[gfn] = Request()

    # ------------------------------------------------------------ what has to hold

    @law("ISO-2", "While a node may store to a page, no other node has a copy.")
    def one_writer_or_many_readers(s: "Directory", node: Node, other: Node, gfn: Gfn) -> bool:
        return implies(s.state[node, gfn] == State.MODIFIED and node != other, s.state[other, gfn] == State.INVALID)

    @law("EQV-1", "A copy that may be read holds what was stored last.")
    def copies_are_the_latest(s: "Directory", node: Node, gfn: Gfn) -> bool:
        return implies(s.state[node, gfn] != State.INVALID, s.data[node, gfn] == s.latest[gfn])

    @law("RES-2", "The owner of a page holds what was stored last.")
    def no_page_is_lost(s: "Directory", gfn: Gfn) -> bool:
        return implies(s.owner[gfn] != NOTHING, s.data[s.owner[gfn], gfn] == s.latest[gfn])

    @law("RES-1", "A node has a copy exactly when it is in the copy set.")
    def the_copy_set_is_exact(s: "Directory", node: Node, gfn: Gfn) -> bool:
        return s.copies[node, gfn] == (s.state[node, gfn] != State.INVALID)

    # ------------------------------------------------------------ why it does

    @law("INV-1", "A page without an owner has no copies, and no request for the page is being served.")
    def nothing_is_had_of_no_page(s: "Directory", node: Node, gfn: Gfn) -> bool:
        return implies(s.owner[gfn] == NOTHING, not s.copies[node, gfn] and not s.request[gfn].busy)

    @law("INV-1", "The owner of a page has a copy, or has a write request for the page that is being served.")
    def the_owner_has_a_copy(s: "Directory", gfn: Gfn) -> bool:
        owner, asked = s.owner[gfn], s.request[gfn]
        granted = asked.busy and asked.wants == Wants.WRITE and asked.node == owner
        return implies(owner != NOTHING, s.copies[owner, gfn] or granted)

    @law("INV-1", "Only the owner of a page may store to the page.")
    def the_writer_owns(s: "Directory", node: Node, gfn: Gfn) -> bool:
        return implies(s.state[node, gfn] == State.MODIFIED, s.owner[gfn] == node)

    @law("INV-1", "A node requests a page only if it has no copy, or asks to write and has a shared copy.")
    def a_request_is_needed(s: "Directory", gfn: Gfn) -> bool:
        asked = s.request[gfn]
        state = s.state[asked.node, gfn]
        needed = state == State.INVALID or (asked.wants == Wants.WRITE and state == State.SHARED)
        return implies(asked.busy, asked.node != NOTHING and needed)

    @law("INV-1", "A node is asked to drop its copy exactly while another node's write request for the page is being served.")
    def what_is_dropped_is_in_the_way(s: "Directory", node: Node, gfn: Gfn) -> bool:
        asked = s.request[gfn]
        in_the_way = asked.busy and asked.wants == Wants.WRITE and node != asked.node and s.copies[node, gfn]
        return s.dropping[node, gfn] == in_the_way

    # ------------------------------------------------------------ what ends

    @pending("EFF-4", "A node that was asked to drop its copy acknowledges.", until="acknowledge")
    def unacknowledged(self, node: Node, gfn: Gfn) -> bool:
        return self.dropping[node, gfn]

    @pending("EFF-4", "Every request to write is granted.", until="grant_write", after=("unacknowledged",))
    def write_wanted(self, gfn: Gfn) -> bool:
        return self.request[gfn].busy and self.request[gfn].wants == Wants.WRITE

    @pending("EFF-4", "Every request to read is granted.", until="grant_read")
    def read_wanted(self, gfn: Gfn) -> bool:
        return self.request[gfn].busy and self.request[gfn].wants == Wants.READ


class GrantedEarly(Directory):
    """The page is granted when its owner has answered; readers drop their copies later."""

    @operation
    def grant_write(self, gfn: Gfn) -> None:
        asked = self.request[gfn]
        require(asked.busy and asked.wants == Wants.WRITE and not self.dropping[self.owner[gfn], gfn])
        self.owner[gfn] = asked.node
        self.state[asked.node, gfn] = State.MODIFIED
        self.copies[asked.node, gfn] = True
        self.request[gfn] = Request()


class OwnerStores(Directory):
    """A reader is granted a copy, and the owner keeps the right to store."""

    @operation
    def grant_read(self, gfn: Gfn) -> None:
        asked = self.request[gfn]
        require(asked.busy and asked.wants == Wants.READ)
        self.data[asked.node, gfn] = self.data[self.owner[gfn], gfn]
        self.state[asked.node, gfn] = State.SHARED
        self.copies[asked.node, gfn] = True
        self.request[gfn] = Request()


class ReaderUnrecorded(Directory):
    """A reader is not put into the copy set, so it is not asked to drop its copy."""

    @operation
    def grant_read(self, gfn: Gfn) -> None:
        asked = self.request[gfn]
        require(asked.busy and asked.wants == Wants.READ)
        self.state[self.owner[gfn], gfn] = State.SHARED
        self.data[asked.node, gfn] = self.data[self.owner[gfn], gfn]
        self.state[asked.node, gfn] = State.SHARED
        self.request[gfn] = Request()


class Unserialized(Directory):
    """A request is taken while another is served: the later node takes the place of the first."""

    @operation
    def ask(self, node: Node, gfn: Gfn, wants: Wants) -> None:
        require(self.owner[gfn] != NOTHING)
        lacks = self.state[node, gfn] == State.INVALID
        require(lacks or (wants == Wants.WRITE and self.state[node, gfn] == State.SHARED))
        self.request[gfn] = Request(True, node, wants)
        if wants == Wants.WRITE:
            assign(self.dropping, lambda asked, who, page: page == gfn and who != node and self.copies[who, gfn], True)
