"""The instructions of x86 that have to do with memory, as Popek and Goldberg class them.

Each is given by what it does to a small state: the mode is CPL 0 or 3, the place stands for every register that says which
memory a program has and where the system's tables lie (CR3, GDTR, IDTR, LDTR, TR, descriptors), the view for what the program
computes with. The classes are *worked out* from that, over all small states, by the definitions in ``machine/popek_goldberg.py``.
(SDM Vol. 2 for the instructions; Robin and Irvine, USENIX Security 2000, for the seventeen that are sensitive and do not
trap; SDM Vol. 3C 25 for what VT-x intercepts.)
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator

import attrs

from refmodel.machine.popek_goldberg import (
    Effect,
    Instruction,
    MachineState,
    behaves_alike_at,
    keeps_control_at,
    privileged_at,
)

SMALL = range(3)


def only_in_supervisor_mode(does: Callable[[MachineState], MachineState]) -> Instruction:
    """#GP at CPL 3."""
    return lambda s: Effect(not s.supervisor, does(s) if s.supervisor else s)


def in_any_mode(does: Callable[[MachineState], MachineState]) -> Instruction:
    return lambda s: Effect(False, does(s))


def sets_the_place(s: MachineState) -> MachineState:
    return MachineState(s.supervisor, s.view, s.view)


def shows_the_place(s: MachineState) -> MachineState:
    return MachineState(s.supervisor, s.place, s.place)


def shows_the_mode(s: MachineState) -> MachineState:
    return MachineState(s.supervisor, s.place, 0 if s.supervisor else 3)


def computes(s: MachineState) -> MachineState:
    return MachineState(s.supervisor, s.place, (s.view + 1) % 3)


def ignored_by_the_user(s: MachineState) -> MachineState:
    """An instruction such as POPF: in supervisor mode it sets the interrupt flag, which is part of what is seen; in user mode it
    leaves that out, silently."""
    return computes(s) if s.supervisor else s


def may_change_the_mode(s: MachineState) -> MachineState:
    """An instruction that can enter supervisor mode, such as a far transfer through a gate."""
    return MachineState(True, s.place, s.view)


@attrs.frozen
class Class:
    """Where an instruction belongs."""

    privileged: bool
    control_sensitive: bool
    location_sensitive: bool
    mode_sensitive: bool
    user_sensitive: bool

    @property
    def sensitive(self) -> bool:
        return self.control_sensitive or self.location_sensitive or self.mode_sensitive

    @property
    def virtualizable(self) -> bool:
        """Whether theorem 1's condition holds of it."""
        return self.privileged or not self.sensitive


@attrs.frozen
class X86:
    """An instruction, what it does, and what a monitor does about it."""

    name: str
    does: Instruction
    remedy: str


PAGING = "exits under shadow paging, runs by itself under EPT; an interpreter carries it out; direct paging: a hypercall"
TABLES = "binary translation or a paravirtual guest before VT-x; since, descriptor-table exiting"
NATIVE = "runs by itself under every MMU but the interpreter"
X86_INSTRUCTIONS = (
    X86("MOV to CR3", only_in_supervisor_mode(sets_the_place), PAGING),
    X86("MOV from CR3", only_in_supervisor_mode(shows_the_place), "exits under shadow paging, where CR3 is the shadow's"),
    X86("MOV to CR0, CR4", only_in_supervisor_mode(sets_the_place), "exits for the flags that the monitor keeps (guest/host mask)"),
    X86("INVLPG", only_in_supervisor_mode(lambda s: MachineState(True, s.place, s.view)), PAGING),
    X86("INVPCID", only_in_supervisor_mode(lambda s: MachineState(True, s.place, s.view)), PAGING),
    X86(
        "LGDT, LIDT, LLDT, LTR", only_in_supervisor_mode(sets_the_place), "trap: the monitor shadows the tables, or VT-x loads them"
    ),
    X86("SGDT, SIDT, SLDT, STR", in_any_mode(shows_the_place), TABLES),
    X86("SMSW", in_any_mode(shows_the_place), "shows CR0 to anybody; with VT-x, the guest's, by the read shadow"),
    X86("PUSHF, POPF", in_any_mode(ignored_by_the_user), "binary translation; VT-x runs the guest with an IF of its own"),
    X86("LAR, LSL, VERR, VERW", in_any_mode(shows_the_place), "binary translation: descriptors are the monitor's"),
    X86(
        "PUSH CS, MOV from CS",
        in_any_mode(shows_the_mode),
        "binary translation: the selector shows CPL; VT-x gives the guest rings of its own",
    ),
    X86("POP, MOV to segment", in_any_mode(ignored_by_the_user), "binary translation: loading checks CPL"),
    X86("far CALL, JMP, RET, INT n", in_any_mode(may_change_the_mode), "binary translation: transfers compare and change CPL"),
    X86("load, store, fetch", in_any_mode(computes), NATIVE),
    X86("CLFLUSH", in_any_mode(computes), NATIVE),
    X86("RDPKRU, WRPKRU", in_any_mode(computes), NATIVE),
)


def states() -> Iterator[MachineState]:
    """Every small state."""
    for mode, place, view in itertools.product((False, True), SMALL, SMALL):
        yield MachineState(mode, place, view)


def classify(i: Instruction) -> Class:
    """Where an instruction belongs, by looking at every small state."""
    every = list(states())
    places = [(a, b) for a in every for b in every if a.supervisor == b.supervisor and a.view == b.view]
    modes = [(MachineState(False, s.place, s.view), MachineState(True, s.place, s.view)) for s in every]
    control = [s for s in every if not keeps_control_at(i, s)]
    location = [(a, b) for a, b in places if not behaves_alike_at(i, a, b)]
    privileged = all(privileged_at(i, s) for s in every)
    mode = [(a, b) for a, b in modes if not privileged and not behaves_alike_at(i, a, b)]
    return Class(
        privileged=privileged,
        control_sensitive=bool(control),
        location_sensitive=bool(location),
        mode_sensitive=bool(mode),
        user_sensitive=any(not s.supervisor for s in control) or any(not a.supervisor for a, _ in location) or bool(mode),
    )
