"""What a picture of a state says of frames, in designs that spell their records in their own way."""

import enum

import attrs
import pytest

from refmodel.designs import SHIPPED
from refmodel.language import NOTHING, Design, Geometry, Total, law, operation, outline
from refmodel.machine.cells import Cells
from refmodel.machine.names import Mfn, Vm
from refmodel.report.pictures import Marked, Picture, picture


class Use(enum.Enum):
    UNUSED = "unused"
    LENT = "lent"
    SHARED = "shared"


@attrs.frozen
class Lease:
    owner: Vm = NOTHING
    use: Use = Use.UNUSED
    borrower: Vm = NOTHING


class Leases(Design):
    """Records of frames without a field called vm, and a table of pages that has the frame in its key."""

    geometry = Geometry(sizes={"Vm": 3, "Mfn": 4})
    leases: Total[Mfn, Lease]
    contents: Total[Mfn, Cells]
    stage2: Total[tuple[Vm, Mfn], bool]

    @operation
    def lend(self, vm: Vm, mfn: Mfn) -> None:
        self.leases[mfn] = Lease(vm, Use.LENT)

    @law("USE-1", "A frame that is lent has an owner.")
    def lent_by_somebody(self, mfn: Mfn) -> bool:
        return self.leases[mfn].use != Use.LENT or self.leases[mfn].owner != NOTHING


class Nothing(Design):
    """Frames of which no record is kept."""

    geometry = Geometry(sizes={"Vm": 1, "Mfn": 2})
    p2m: Total[Vm, Mfn]

    @operation
    def map(self, vm: Vm, mfn: Mfn) -> None:
        self.p2m[vm] = mfn

    @law("USE-2", "Two VMs do not have the same frame.")
    def frames_apart(self, vm: Vm, other: Vm) -> bool:
        return vm == other or self.p2m[vm] == NOTHING or self.p2m[vm] != self.p2m[other]


def frames(drawn: Picture) -> dict[str, str]:
    """The texts of frames, each with its marks."""
    return {box.text: box.marks for box in drawn.boxes if box.text.startswith("mfn")}


def drawn(cls: type[Design], state: dict[str, dict[object, object]]) -> Picture:
    return picture(outline(cls), state, Marked())


@pytest.mark.parametrize(
    ("lease", "text", "marks"),
    [
        (Lease(owner=1), "owner vm1", "owner1"),
        (Lease(owner=2, use=Use.LENT), "owner vm2, use lent", "owner2"),
        (Lease(use=Use.LENT), "use lent", ""),
        (Lease(use=Use.SHARED), "use shared", "shared"),
        (Lease(owner=0, use=Use.LENT, borrower=1), "owner vm0, use lent, borrower vm1", ""),
    ],
)
def test_a_frame_in_use_is_not_drawn_as_free(lease: Lease, text: str, marks: str) -> None:
    assert frames(drawn(Leases, {"leases": {3: lease}})) == {f"mfn3: leases {text}": marks}


def test_a_frame_is_free_where_its_record_is_as_at_power_on() -> None:
    assert frames(drawn(Leases, {"stage2": {(0, 1): True}})) == {"mfn1: unused": "free"}


def test_a_frame_of_which_no_record_is_kept_is_neither_free_nor_anybodys() -> None:
    assert frames(drawn(Nothing, {"p2m": {0: 1}})) == {"mfn1": ""}


def test_an_entry_leads_to_the_frame_in_its_key() -> None:
    found = drawn(Leases, {"stage2": {(0, 1): True}, "leases": {1: Lease(owner=0)}})
    assert [arrow.label for arrow in found.arrows] == ["vm0, mfn1: true leads to mfn1"]


def test_a_shipped_design_says_free_where_a_frame_is() -> None:
    found = picture(outline(SHIPPED["ept"]), {"memory": {0: outline(SHIPPED["ept"]).table("memory").value.default()}}, Marked())
    assert list(frames(found).values()) == ["free"]
