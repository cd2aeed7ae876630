"""Popek and Goldberg's machine, their classes of instructions, and what a monitor makes of each (CACM 17(7), 1974).

A third-generation machine is in a state S = (E, M, P, R): storage, mode, program counter, and the register that says which
part of storage the running program has. What a program can see of itself, E within R and P, is one value here, its *view*; R
is a *place*. An instruction leads from a state to a state, or traps.

- *privileged*: it traps in user mode, always, and never in supervisor mode;
- *control sensitive*: without a trap it changes the mode or the place, that is, resources;
- *behaviour sensitive*: what it does depends on the place (*location sensitive*) or on the mode (*mode sensitive*);
- *user sensitive*: sensitive in user mode.

The functions are the definitions, at given states; they run on ints and on solver terms. The theorems are in
``proofs/popek_goldberg.py``, and the instructions of x86 that have to do with memory in ``x86/instructions.py``.
"""

from __future__ import annotations

from collections.abc import Callable

import attrs

from refmodel.machine.words import Word


@attrs.frozen
class MachineState:
    """The mode, the place that the program was given, and what it sees there."""

    supervisor: bool
    place: Word
    view: Word


@attrs.frozen
class Effect:
    """What an instruction does: it traps, or it leads to a state."""

    traps: bool
    state: MachineState


Instruction = Callable[[MachineState], Effect]


def user(s: MachineState) -> MachineState:
    """This state in user mode."""
    return MachineState(False, s.place, s.view)


def supervisor(s: MachineState) -> MachineState:
    """This state in supervisor mode."""
    return MachineState(True, s.place, s.view)


# ---------------------------------------------------------------- the classes, at given states


def privileged_at(i: Instruction, s: MachineState) -> bool:
    """It traps here in user mode, and not in supervisor mode."""
    return i(user(s)).traps and not i(supervisor(s)).traps


def keeps_control_at(i: Instruction, s: MachineState) -> bool:
    """Not control sensitive here: mode and place stay as they are, or it traps."""
    done = i(s)
    return done.traps or (done.state.supervisor == s.supervisor and done.state.place == s.place)


def behaves_alike_at(i: Instruction, a: MachineState, b: MachineState) -> bool:
    """Not behaviour sensitive between two states of one view: it traps in both, or shows the same in both."""
    one, two = i(a), i(b)
    return one.traps == two.traps and (one.traps or one.state.view == two.state.view)


def innocuous_at(i: Instruction, a: MachineState, b: MachineState) -> bool:
    """Not sensitive, as far as these two states of one view can tell."""
    return keeps_control_at(i, a) and keeps_control_at(i, b) and behaves_alike_at(i, a, b)


# ---------------------------------------------------------------- the machine, and the monitor


def trapped(s: MachineState, handler: MachineState) -> MachineState:
    """After a trap: supervisor mode, where the handler was put, with what it is told of the state that trapped."""
    return MachineState(True, handler.place, handler.view + s.view)


def bare_step(i: Instruction, s: MachineState, handler: MachineState) -> MachineState:
    """One instruction on the bare machine."""
    done = i(s)
    return trapped(s, handler) if done.traps else done.state


def moved(s: MachineState, offset: Word) -> MachineState:
    """The virtual machine map: the guest runs in user mode, at another place, and sees the same."""
    return MachineState(False, s.place + offset, s.view)


def monitored_step(i: Instruction, virtual: MachineState, offset: Word, handler: MachineState) -> MachineState:
    """One instruction under a monitor. A trap is served by the interpretive routine of the instruction, which does to the virtual
    state what the bare machine does; what does not trap runs by itself, and what it made of the machine is what it made of the
    virtual one."""
    done = i(moved(virtual, offset))
    if done.traps:
        return bare_step(i, virtual, handler)
    return MachineState(virtual.supervisor, done.state.place - offset, done.state.view)


def hybrid_step(i: Instruction, virtual: MachineState, offset: Word, handler: MachineState) -> MachineState:
    """One instruction under a hybrid monitor, which interprets all that is run in virtual supervisor mode."""
    if virtual.supervisor:
        return bare_step(i, virtual, handler)
    return monitored_step(i, virtual, offset, handler)


def recursive_step(i: Instruction, virtual: MachineState, inner: Word, outer: Word, handler: MachineState) -> MachineState:
    """One instruction under a monitor that runs under a monitor. To the outer one, the inner one's guest is a program in user mode;
    a trap that this would have on the inner monitor's machine is reflected to it, and is served there."""
    middle = moved(virtual, inner)
    if i(middle).traps:
        return bare_step(i, virtual, handler)
    after = monitored_step(i, middle, outer, handler)
    return MachineState(virtual.supervisor, after.place - inner, after.view)
