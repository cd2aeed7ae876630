"""Entries as cells: what each gives, to whom and in which mode, decided for every cell and every mode there is."""

import itertools
from collections.abc import Iterator

from refmodel.language import NOTHING
from refmodel.machine.cells import Access, Cell, Flags, Mode, Paging, both, gives, permits


def cells() -> Iterator[Cell]:
    for present, writable, executable, user in itertools.product((False, True), repeat=4):
        yield Cell(present, writable, executable, 0, user)


def lets_through(cell: Cell, access: Access, mode: Mode) -> bool:
    """SDM Vol. 3A 4.6.1, case by case: first whose access it is, then whose page."""
    if not cell.present or (access == Access.FETCH and not cell.executable):
        return False
    if mode.user:
        return cell.user and (access != Access.WRITE or cell.writable)
    if access == Access.FETCH:
        return not (mode.smep and cell.user)
    if cell.user and mode.smap and not mode.ac:
        return False
    return access == Access.READ or cell.writable or not mode.wp


def test_an_access_is_let_through_as_the_manual_has_it() -> None:
    for cell, access, switches in itertools.product(cells(), Access, itertools.product((False, True), repeat=5)):
        mode = Mode(*switches)
        assert permits(cell, access, mode) == lets_through(cell, access, mode), (cell, access, mode)


def test_an_entry_gives_a_right_whoever_asks() -> None:
    for cell in cells():
        assert gives(cell, Access.READ) == cell.present
        assert gives(cell, Access.WRITE) == (cell.present and cell.writable)
        assert gives(cell, Access.FETCH) == (cell.present and cell.executable)


def test_flags_add_up() -> None:
    for a, b, c, d in itertools.product((False, True), repeat=4):
        assert both(Flags(a, b), Flags(c, d)) == Flags(a or c, b or d)


def test_what_is_left_out() -> None:
    assert Cell() == Cell(
        present=False, writable=False, executable=False, gfn=NOTHING, user=False, accessed=False, dirty=False, large=False
    )
    assert Flags() == Flags(accessed=False, dirty=False)
    assert Mode() == Mode(user=False, wp=True, smep=False, smap=False, ac=False)
    assert Paging() == Paging(enabled=False, root=NOTHING, mode=Mode())
