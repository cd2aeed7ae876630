"""Which step of another design a step may be: by what both are called, by their arguments, and by what they show."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import attrs

from refmodel.bare import Event, Reply
from refmodel.bare_machines import bare_machine, bare_machine_of
from refmodel.engines.judgements import Simulated
from refmodel.engines.outcomes import ACCESSES, exits, fields_of, is_silent, refuse_odd_step_of, shown_by, step_of
from refmodel.language.abstraction import abstractions
from refmodel.language.asking import Fault
from refmodel.language.design import Operation, Outline, hashable
from refmodel.language.kept import kept
from refmodel.language.kinds import Kind, NameKind, PageKind, TableKind
from refmodel.language.nearly import nearly_or
from refmodel.language.places import home_of, place_of
from refmodel.language.unsound import BadDesign

FLAG_OF = {"write": "store", "fetch": "fetch"}
"""The instructions of which a flag of an exit may say that it is one."""

PROCESSORS = ("Cpu", "Vcpu")

NEVER_DONE = "the guest asks for it, and no path of it is a step of the other design"
"""What is said of an instruction that is always left out."""


def shared(design: Outline, other: Outline) -> tuple[str, ...]:
    """The tables that both have, and hold the same in at power-on; or that the other has, and the design says what they hold.
    ``BadDesign`` unless these are all that the other has, ``steps`` names operations of a bare machine, and each operation of the
    other is one step."""
    pair = design.cls, other.cls
    if pair not in _shared:
        _shared[pair] = _found_shared(design, other)
    return _shared[pair]


_shared: dict[tuple[type, type], tuple[str, ...]] = {}
"""What was found before: each operation of a design asks for it."""


def _found_shared(design: Outline, other: Outline) -> tuple[str, ...]:
    if split := [op.name for op in other.operations if op.split]:
        raise BadDesign(
            f"{place_of(home_of(other.cls, split[0]), split[0])}: others may interrupt {', '.join(split)} (yield); "
            "expected a design of which each operation is one step"
        )
    if bare_machine(design.cls) is other.cls:
        refuse_odd_steps(design, other)
    _refuse_steps_of_nobody(design, other)
    for table in other.tables:
        mine = next((t for t in design.tables if t.name == table.name), None)
        if mine is None:
            _refuse_unless_computed(design, other, table)
            continue
        if mine != table:
            raise BadDesign(f"{_stated(design, table)} has other keys or values than {_stated(other, table)}; expected the same")
        if table.name in design.arbitrary and table.name not in other.arbitrary:
            raise BadDesign(
                f"{_stated(design, table)} holds anything at power-on, but not that of {other.name}; expected "
                f"{table.name} among what both state as arbitrary, or neither"
            )
    return tuple(table.name for table in other.tables)


def _refuse_unless_computed(design: Outline, other: Outline, table: TableKind) -> None:
    """``BadDesign`` unless the design says what a table holds that only the other has."""
    says = next((each for each in abstractions(design.cls) if each.table == table.name), None)
    if says is None:
        raise BadDesign(
            f"{place_of(design.cls)} has no table {table.name}, which {_stated(other, table)} states; expected all "
            f'tables of {other.name}, or a method under @abstraction("{table.name}") that says what it holds'
        )
    if (says.keys, says.value) != (table.keys, table.value):
        raise BadDesign(f"{says.place} has other keys or entries than {_stated(other, table)}; expected the same")
    if table.partial or isinstance(table.value, PageKind):
        raise BadDesign(
            f"{says.place}: {_stated(other, table)} is no total table of records or scalars, and what another holds "
            "cannot be worked out by @abstraction; expected a table of that name"
        )


def _stated(design: Outline, table: TableKind) -> str:
    """A table, and where it is stated."""
    return place_of(home_of(design.cls, table.name), table.name)


def refuse_odd_steps(design: Outline, machine: Outline) -> None:
    """``BadDesign`` where ``steps`` names what the bare machine does not have, or takes an instruction of a guest's for another."""
    own, names = {op.name for op in design.operations if op.by_guest}, {op.name: op for op in machine.operations}
    for op, steps in step_names(design).items():
        if not names.keys() & {*steps}:
            raise BadDesign(
                f"{_says(design, op, steps)}, which {machine.name} does not have; expected one of {', '.join(sorted(names))}"
            )
        if op in own and op in names and names[op].by_guest and {*steps} != {op}:
            raise BadDesign(
                f"{_says(design, op, steps)}, but {machine.name} has an instruction {op}: a guest that asks for it "
                f"gets that one and no other; expected no {op} in steps"
            )


def _refuse_steps_of_nobody(design: Outline, other: Outline) -> None:
    """``BadDesign`` where ``steps``, or the ``step_of`` of an outcome, names what neither the other design has nor the machine that
    guests believe in: the operation would be taken for any step there is."""
    bare, theirs = bare_machine_of(design), [op.name for op in other.operations]
    known = {*theirs, *(op.name for op in (bare.operations if bare else ()))}
    for op, steps in step_names(design).items():
        if op not in theirs and not known & {*steps}:
            expected = nearly_or(steps[0] if steps else op, theirs, f"expected one of {', '.join(theirs)}")
            raise BadDesign(f"{_says(design, op, steps)}, which {other.name} does not have; {expected}")
    for each in design.operations:
        refuse_odd_step_of(each, explaining(design, other, each))
        for candidate in in_place_of(design, other, each):
            _refuse_unlike_parameters(design, other, each, candidate)


def _refuse_unlike_parameters(design: Outline, other: Outline, op: Operation, candidate: Operation) -> None:
    """``BadDesign`` where it cannot be told which of an instruction's parameters is one of the other design's: it would be taken
    for a step with any, whatever the guest says."""
    for name, kind in _unsaid(op, candidate):
        alike = [own for own, each in op.parameters if each == kind]
        if alike:
            raise BadDesign(
                f"{place_of(home_of(design.cls, op.name), op.name)}: {' or '.join(alike)} may be what {candidate.name} of "
                f"{other.name} is given as {name}; expected one of them to be called {name}"
            )


def given_anything(design: Outline, other: Outline) -> tuple[str, ...]:
    """In words, the parameters of the other design's instructions that no parameter of the instruction in its place says. A step
    with any will do, such as a store to any page where the guest names a linear address."""
    return tuple(
        f"{op.name}: taken for {candidate.name} of {other.name} with any {name}, since it has no parameter of that type"
        for op in design.operations
        for candidate in in_place_of(design, other, op)
        for name, _ in _unsaid(op, candidate)
    )


def _unsaid(op: Operation, candidate: Operation) -> list[tuple[str, Kind]]:
    """The parameters of the other design's instruction that no parameter of this one is, nor a field that ``step_of`` names."""
    if not (op.by_guest and candidate.by_guest):
        return []
    told = {} if op.returns is None else step_of(op.returns)
    return [each for each in candidate.parameters if parameter_for(op, candidate, *each) is None and each[0] not in told]


def _says(design: Outline, op: str, steps: tuple[str, ...]) -> str:
    home = next(base for base in design.cls.__mro__ if op in vars(base).get("steps", {}))
    return f"{place_of(home, 'steps')} of {design.name} says that {op} may be {' or '.join(steps)}"


def explaining(design: Outline, other: Outline, op: Operation) -> tuple[Operation, ...]:
    """The operations of the other design that may explain one: the one of the same name, unless that is a guest's and this is not,
    and those that the text names.

    Where there are none: any of them, if a guest acts, and else those that no guest has to ask for. What others may interrupt is no
    step: it takes several.
    """
    found = in_place_of(design, other, op) or [each for each in other.operations if op.by_guest or not each.by_guest]
    return tuple(each for each in found if not each.split)


def in_place_of(design: Outline, other: Outline, op: Operation) -> list[Operation]:
    """The operations of the other design that stand for one: that of its name, unless that is a guest's and this is not, and those
    that ``steps`` names."""
    said = step_names(design).get(op.name, ())
    return [each for each in other.operations if each.name in said or (each.name == op.name and (op.by_guest or not each.by_guest))]


def has_to_be_a_step(design: Outline, other: Outline, op: Operation, outcome: Any, in_vain: bool, may_wait: bool = True) -> bool:
    """Whether a step cannot be left out by the other design, though it may change nothing: a guest's instruction that the other has
    too, by its name or by ``steps``, and that shows nothing, or just what the other's shows. It is carried out at once, and the
    guest does not ask again. Where the other has no instruction for it, but a step that no guest asks for, the guest is given what
    it wants where it can be had: it is left out if the monitor asked for something ``in_vain``. A request that shows nothing, as
    the other's, is left out only where it ``may_wait``: what writes to no table has forgotten it."""
    own = in_place_of(design, other, op)
    if shows_all_of(op, outcome, explaining(design, other, op)):
        return True
    at_once = any(each.by_guest for each in own) or not in_vain
    is_whole = shown_by(outcome) is None and not is_silent(type(outcome))  # a reply says by itself whether it shows something
    if not may_wait and is_silent(type(outcome)):
        is_whole = any(each.by_guest for each in own)
    is_theirs = is_whole and any(each.returns is type(outcome) for each in own)
    return op.by_guest and bool(own) and at_once and (outcome is None or is_theirs)


def parameter_for(op: Operation, candidate: Operation, name: str, kind: Kind) -> int | None:
    """Which parameter of an operation is the one of this name in another: that of the same name, or else the only one of its kind
    that is called like none of the other's."""
    same = [i for i, each in enumerate(op.parameters) if each == (name, kind)]
    alike = [i for i, each in enumerate(op.parameters) if each[1] == kind and each not in candidate.parameters]
    alike = alike or [i for i, each in enumerate(op.parameters) if each[1] == kind]
    return same[0] if same else alike[0] if len(alike) == 1 else None


def step_names(design: Outline) -> dict[str, tuple[str, ...]]:
    """What the classes of a design say of its operations' ``steps``; ``BadDesign`` where two of them say otherwise of one."""
    return _step_names(hashable(design.cls))


@kept
def _step_names(cls: Any) -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for base in reversed(cls.__mro__):
        found.update(_as_bases_say(cls.__name__, base, vars(base).get("steps", {})))
    return found


def _as_bases_say(design: str, cls: type, steps: Mapping[str, tuple[str, ...]]) -> Mapping[str, tuple[str, ...]]:
    """What a class says of operations' ``steps``; ``BadDesign`` where another that the design is made of says otherwise."""
    for op, names in steps.items():
        for base in cls.__mro__[1:]:
            said = vars(base).get("steps", {}).get(op, names)
            if {*said} != {*names}:
                raise BadDesign(
                    f"{place_of(cls, 'steps')} of {design} says that {op} may be {' or '.join(names)}, and "
                    f"{base.__qualname__}, which it is derived from, says {' or '.join(said)}: that is claimed of it "
                    "too; expected the same, or an operation of another name"
                )
    return steps


def parameters_for(op: Operation, candidate: Operation, name: str, kind: Kind) -> tuple[int, ...]:
    """Which parameters of an operation may be the one of this name in another. What a guest asks for is about what it names; a step
    that no guest asks for may be about any parameter of the kind."""
    first = parameter_for(op, candidate, name, kind)
    if first is None or op.by_guest or candidate.by_guest:
        return () if first is None else (first,)
    return (first, *(i for i, each in enumerate(op.parameters) if each[1] == kind and i != first))


def given_for(
    op: Operation, candidate: Operation, parameter: tuple[str, Kind], arguments: Sequence[Any], outcome: Any
) -> list[Any]:
    """What a step of the other design may be given as a parameter: what the operation's outcome says that it is a step of,
    arguments of the operation's (these too for a step of the same name), or what its outcome names so. None of these: anything."""
    owner, own = of_whom(outcome, parameter[0]), [arguments[at] for at in parameters_for(op, candidate, *parameter)]
    if owner is not None:
        return [owner, *(own if candidate.name == op.name else [])]
    told = named_in(outcome, *parameter)
    return own or ([] if told is None else [told])


def never_completed(design: Outline, other: Outline, found: Sequence[Simulated]) -> tuple[str, ...]:
    """The instructions that both designs have, and of which none is shown to complete: not by themselves, nor by an operation that
    carries them out. A guest that always exits gets nowhere, though each of its steps is lawful."""
    mine, names = {op.name for op in design.operations if op.by_guest}, step_names(design)
    shared_instructions = [op.name for op in other.operations if op.by_guest and op.returns is Reply and op.name in mine]
    done = {step for each in found if each.completes for step in (each.operation, *names.get(each.operation, ()))}
    return tuple(name for name in shared_instructions if name not in done)


def never_done(design: Outline, other: Outline, found: Sequence[Simulated]) -> tuple[str, ...]:
    """The guests' instructions that the other design has too, by their name or by ``steps``, and of which no path is a step: by
    themselves, or by an operation that carries them out. Each time they are left out, which is lawful of one that waits."""
    names = step_names(design)
    done = {step for each in found if each.explained for step in (each.operation, *names.get(each.operation, ()))}
    asked = {op.name for op in design.operations if op.by_guest and in_place_of(design, other, op)}
    known = {*done, *never_completed(design, other, found)}
    return tuple(each.operation for each in found if each.operation in asked - known and not each.failing)


def can_be_compared(op: Operation, outcome: Any, candidates: Sequence[Operation]) -> bool:
    """Whether it is known what a guest is shown: a reply, what the other design returns too, a fault, or nothing."""
    told = outcome is None or is_silent(type(outcome)) or shown_by(outcome) is not None
    return told or not op.by_guest or shows_all_of(op, outcome, candidates)


def shows_all_of(op: Operation, outcome: Any, candidates: Sequence[Operation]) -> bool:
    """Whether what an operation returns is, as a whole, what the guest is shown: it holds no reply, and the other design returns
    the like too. A fault is shown as such where the other design has an instruction in its place, which has to raise it too."""
    told, fault = shown_by(outcome) is not None or is_silent(type(outcome)), isinstance(outcome, Fault)
    return op.by_guest and not told and any(c.by_guest if fault else c.returns is type(outcome) for c in candidates)


def replies(op: Operation, candidate: Operation, outcome: Any, theirs: Any) -> tuple[Reply, Reply] | None:
    """What a step and one of the other design show, as replies; None if one cannot be told. An instruction that returns nothing has
    completed, on both; what is asked for by no guest shows nothing, as an exit does."""
    silent = Reply(Event.COMPLETED) if op.by_guest and candidate.by_guest else Reply()
    for each, returned in ((op, outcome), (candidate, theirs)):
        if not can_be_compared(each, returned, ()):
            return None
    shown, due = shown_by(outcome), shown_by(theirs)
    return silent if shown is None else shown, silent if due is None else due


def named_in(outcome: Any, name: str, kind: Kind) -> Any:
    """The field of this name and kind in what an operation returns; None if there is none."""
    return getattr(outcome, name) if attrs.has(type(outcome)) and (name, kind) in fields_of(outcome) else None


def asked_for(op: Operation, arguments: Sequence[Any], outcome: Any) -> list[tuple[str, Kind, Any, Any]]:
    """What a guest's request or an exit returns of what was asked for: by name and kind, what is returned, and what was asked for.
    A request is what shows the guest nothing, and says so (``shown = None``). An exit names the address that the instruction was
    given, and no other access than the instruction's: laws say of what it names that it may exit. It need not name a processor."""
    leaves = exits(shown_by(outcome)) and _instruction(op) in ACCESSES
    if not op.by_guest or not (leaves or is_silent(type(outcome))):
        return []
    asked = [(name, kind, argument) for (name, kind), argument in zip(op.parameters, arguments, strict=True)]
    if leaves:
        addresses = [each for each in asked if not (isinstance(each[1], NameKind) and each[1].sort in PROCESSORS)]
        asked = [*addresses, *_access_of(op, outcome)]
    return [(name, kind, getattr(outcome, name), due) for name, kind, due in asked if (name, kind) in fields_of(outcome)]


def _access_of(op: Operation, outcome: Any) -> Iterator[tuple[str, Kind, Any]]:
    """What the fields of an exit say of the kind of access, if they tell another than that of a load, a store or a fetch. A store
    that exits while tables are read exits for a read, and so does a fetch where there is no right of its own for that."""
    instruction = _instruction(op)
    for name, kind in fields_of(outcome):
        if name in FLAG_OF and instruction != FLAG_OF[name]:
            yield name, kind, False
        elif name == "access":
            yield name, kind, ACCESSES[instruction]


def _instruction(op: Operation) -> str:
    """What the name of a guest's operation begins with."""
    return op.name.partition("_")[0]


def of_whom(outcome: Any, name: str) -> Any:
    """What a step of the other design is given by this name where an outcome's ``step_of`` says in which of its fields that is,
    whatever parameters the operation has: an access to another VM's page is a step of that VM's machine. None if it does not."""
    field = step_of(type(outcome)).get(name)
    return None if field is None else getattr(outcome, field)
