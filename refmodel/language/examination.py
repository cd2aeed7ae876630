"""A design's text, read as a whole before anything runs: whether it is in the language, and what is in it."""

from __future__ import annotations

import inspect
import typing
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from types import FunctionType
from typing import TYPE_CHECKING, Any, Generic, cast

import attrs

from refmodel.language.abstraction import Abstraction, abstractions
from refmodel.language.annotations import PUT_BY_PYTHON, kind_of
from refmodel.language.asking import Fault, Site, Span, within
from refmodel.language.held import hold_to_kinds, tell_premises
from refmodel.language.inference import Inference
from refmodel.language.kinds import Kind, NameKind, NaturalKind, RecordKind, TableKind
from refmodel.language.laws import Law
from refmodel.language.meanings import Complaint, Effects, Stop
from refmodel.language.pending import Pending, rank_of
from refmodel.language.places import place_of
from refmodel.language.premises import Asked, Stated, asked_by, sites
from refmodel.language.sources import code_of
from refmodel.language.types import FLAG, Ints, Known, Never, NoneType, State, Text, Type, said

if TYPE_CHECKING:
    from refmodel.language.design import Design, Operation


@attrs.frozen
class Examination:
    """What was found out about a design's text."""

    complaints: tuple[Complaint, ...]
    functions: tuple[FunctionType, ...]
    """Every function that operations and laws can reach, and the methods that state what a table may be."""
    reads: dict[Law, frozenset[str]]
    """The tables that each law looks at."""
    premises: dict[Law, tuple[Site, ...]]
    """Where each law, with all that it calls, states a premise: without one it cannot be vacuous."""
    written: frozenset[str] = frozenset()
    """The tables that operations write to."""
    unreached: tuple[str, ...] = ()
    """The methods of the design's own class that no operation and no law calls."""
    chosen: tuple[Kind, ...] = ()
    """The kinds of what operations choose."""
    abstracted: dict[str, frozenset[str]] = attrs.field(factory=dict)
    """For each table of another design of which the design says what it holds, the tables that it looks at for that."""
    plain: frozenset[Law] = frozenset()
    """The laws that ask for something under no condition, too, and state no premise by ``implies``: they cannot be vacuous."""
    implications: frozenset[Site] = frozenset()
    """Where laws call ``implies``; other premises are conditions."""
    looked_at: dict[Law, frozenset[Span]] = attrs.field(factory=dict)
    """The texts that each law calls to work out a premise: what is stated there is not what the law asks for."""
    alternatives: dict[Law, tuple[Site, ...]] = attrs.field(factory=dict)
    """Where each law states several alternatives, the first of which is no premise."""


NOTHING_ASKED = Asked({}, plainly=False, only_looked_at=frozenset())


def acting(operations: Sequence[Operation]) -> NameKind:
    """What whoever acts is: the kind of the parameter ``vm`` of the guests' operations."""
    kinds = [kind for op in operations if op.by_guest for name, kind in op.parameters if name == "vm"]
    return next((kind for kind in kinds if isinstance(kind, NameKind)), NameKind("Vm"))


def examine(
    cls: type[Design],
    tables: Sequence[TableKind],
    operations: Sequence[Operation],
    laws: Sequence[Law],
    actors: NameKind,
    elsewhere: frozenset[str] = frozenset(),
) -> Examination:
    """Follow every operation, every law, and every statement of what a table may be, through all that they call; from then on,
    their arithmetic on ints is checked. ``actors`` is what whoever acts is. ``elsewhere``: the tables that are written to by
    operations which are not followed here."""
    inference = Inference(cls, tables)
    _classes(inference, cls)
    for table in tables if operations else ():
        _may_be(inference, table)
    for op in operations:
        _operation(inference, op)
    written = elsewhere | inference.effects.writes
    reads, premises, alternatives = {}, {}, {}
    plain, aside, implications = set[Law](), dict[Law, frozenset[Span]](), set[Site]()
    stated = dict[FunctionType, Stated]()
    for law in laws:
        effects = _law(inference, law, actors)
        asked = NOTHING_ASKED if _is_pending(cls, law) else asked_by(cast(FunctionType, law.function), inference.called)
        stated |= asked.stated
        reads[law] = frozenset(effects.reads)
        aside[law] = asked.only_looked_at
        implied = {site for site in effects.premises if not any(within(site, span) for span in asked.only_looked_at)}
        premises[law] = tuple(sorted(implied.union(*(sites(of, each.premises) for of, each in asked.stated.items()))))
        alternatives[law] = tuple(sorted({site for of, each in asked.stated.items() for site in sites(of, each.alternatives)}))
        implications |= implied
        if asked.plainly and not implied:
            plain.add(law)
        _rank(inference, law)
    _refuse_derived_faults(inference, laws)
    abstracted = {each.table: frozenset(_abstraction(inference, each).reads) for each in abstractions(cls)} if operations else {}
    for complaint, looked_at in inference.looked_at_by_counts:
        if looked_at in written:
            inference.complaints.setdefault(complaint)
    if not inference.complaints:
        for function in inference.functions:
            largest = {at: number for (of, at), number in inference.largest.items() if of is function}
            if largest or function in inference.widths:
                hold_to_kinds(function, inference.widths.get(function, {}), largest)
        for function, by_it in stated.items():
            tell_premises(function, by_it)
    found = sorted(inference.complaints, key=lambda c: (c.file, c.line))
    return Examination(
        tuple(found),
        tuple(inference.functions),
        reads,
        premises,
        written,
        _unreached(inference, cls),
        tuple(inference.chosen),
        abstracted,
        frozenset(plain),
        frozenset(implications),
        aside,
        alternatives,
    )


def _refuse_derived_faults(inference: Inference, laws: Sequence[Law]) -> None:
    """A law about a fault is asked where that very fault is raised, and not where one is that is derived from it."""
    for law in laws:
        for raised, where in inference.raised.items():
            if law.outcome is not None and raised is not law.outcome and issubclass(raised, law.outcome):
                code = law.function.__code__
                inference.complaints.setdefault(
                    Complaint(
                        code.co_filename,
                        code.co_firstlineno,
                        f"the law {law.name} judges a {law.outcome.__name__}; {where} raises {raised.__name__}, which is derived "
                        "from it, and the law would not be asked there; expected a fault that is not derived from another",
                    )
                )


def _is_pending(cls: type, law: Law) -> bool:
    """Whether this is a condition that is to come to an end, which claims nothing by itself."""
    return isinstance(inspect.getattr_static(cls, law.name, None), Pending)


def _rank(inference: Inference, law: Law) -> None:
    """The method that says how many steps a condition is from its end, if it has one, gives a natural number."""
    each = inspect.getattr_static(inference.cls, law.name, None)
    rank = rank_of(inference.cls, each) if isinstance(each, Pending) and each.law is law else None
    if rank is None:
        return
    kinds = dict(law.names)
    method, given = cast(FunctionType, rank.function), [kinds[name] for name in rank.names]
    with _looking(inference, f"the rank {method.__name__}"):
        text, what = inference.text(method), ""
        if _kinds_of_parameters(method) != given:
            what = f"expected its parameters with the types that they have in {law.name}: {', '.join(map(said, given)) or 'none'}"
        else:
            result = inference.call(text, [State(inference.cls), *given], {}, text.node)
            if not isinstance(result, Never | NaturalKind | Ints):
                what = f"it gives {said(result)}; expected a natural number, on every path"
        if what:
            what = f"{method.__name__}, the rank of {law.name}: {what}"
            inference.complaints.setdefault(Complaint(code_of(method).co_filename, text.node.lineno, what))


def _unreached(inference: Inference, cls: type) -> tuple[str, ...]:
    reached = {code_of(function) for function in inference.functions}
    return tuple(
        name
        for name, member in vars(cls).items()
        if type(member) is FunctionType and not name.startswith("_") and code_of(member) not in reached
    )


def follow(cls: type[Design], tables: Sequence[TableKind], op: Operation) -> tuple[FunctionType, ...]:
    """Every function that one operation can reach."""
    inference = Inference(cls, tables)
    _operation(inference, op)
    return tuple(inference.functions)


def _classes(inference: Inference, cls: type) -> None:
    """A design is a plain class: nothing of Python's own way with instances is changed."""
    if type(cls) is not type:
        _note(
            inference,
            cls,
            f"{cls.__name__} has a metaclass of its own, {type(cls).__name__}; a design is a plain class, and a "
            "method that another class provides raises NotImplementedError",
        )
        return
    for base in cls.__mro__:
        if base in (object, Generic) or (base.__module__ == "refmodel.language.design" and base.__name__ == "Design"):
            continue
        if "__attrs_attrs__" in vars(base) or "__dataclass_fields__" in vars(base):
            _note(
                inference, base, f"{base.__name__} is decorated as a record is; a design is a plain class: leave the decorator out"
            )
            continue
        for name in vars(base):
            if name in inference.tables:
                of = next(c for c in cls.__mro__ if name in vars(c).get("__annotations__", ()))
                besides = f" ({place_of(base, name)})" if of is not base else ""
                _note(
                    inference,
                    of,
                    f"{of.__name__}.{name} is a table, and something else besides{besides}; a table has no value "
                    "in the class: expected another name for it",
                )
            if name.startswith("__") and name.endswith("__") and name not in PUT_BY_PYTHON:
                _note(
                    inference,
                    base,
                    f"{base.__name__}.{name} changes how Python treats a design; only operations, helpers, laws "
                    f"and tables belong there{AT_POWER_ON if name == '__init__' else ''}",
                )


AT_POWER_ON = "; a table's entries start with the default of their type, such as the defaults of a record's fields"
"""What to write in place of ``__init__``."""


def _note(inference: Inference, cls: type, what: str) -> None:
    try:
        _, first = inspect.getsourcelines(cls)
        file = inspect.getfile(cls)
    except (OSError, TypeError):
        first, file = 0, cls.__module__
    inference.complaints.setdefault(Complaint(file, first, what))


def _operation(inference: Inference, op: Operation) -> None:
    method: Any = op.method
    if type(method) is not FunctionType:
        _note(inference, inference.cls, f"the operation {op.name} is no plain method")
        return
    try:
        text = inference.text(method)
        result = inference.call(text, [State(inference.cls), *(kind for _, kind in op.parameters)], {}, text.node)
        _outcome(inference, op, text, result)
    except Stop:
        return


def _outcome(inference: Inference, op: Operation, text: Text, result: Type) -> None:
    code = op.method.__code__
    match result:
        case NoneType() | Never():
            return
        case RecordKind(cls, _) if op.returns is cls:
            return
        case RecordKind(cls, _):
            what = f"the operation {op.name} returns {said(result)}; state it: -> {cls.__name__}"
        case _:
            what = f"the operation {op.name} returns {said(result)}; expected the same record class on every path, or nothing"
    inference.complaints.setdefault(Complaint(code.co_filename, text.node.lineno, what))


def _may_be(inference: Inference, table: TableKind) -> None:
    """A method ``TABLE_may_be`` states which value an entry may get without any operation, as hardware's caches do
    (``engines/simulation.py``). It is a condition of the keys and of the value."""
    name = f"{table.name}_may_be"
    home = next((base for base in inference.cls.__mro__ if name in vars(base)), None)
    if home is None:
        return
    method = vars(home)[name]
    if type(method) is not FunctionType:
        _note(inference, home, f"{name}: expected a plain method {_as_condition(table)}")
        return
    with _looking(inference, name):
        text = inference.text(method)
        what = ""
        if _kinds_of_parameters(method) != [*table.keys, table.value]:
            what = f"expected a method {_as_condition(table)}"
        else:
            result = inference.call(text, [State(inference.cls), *table.keys, table.value], {}, text.node)
            if not isinstance(result, Never) and result != FLAG:
                what = f"it gives {said(result)}; expected a condition, on every path"
        if what:
            inference.complaints.setdefault(Complaint(code_of(method).co_filename, text.node.lineno, f"{name}: {what}"))


@contextmanager
def _looking(inference: Inference, what: str) -> Iterator[Effects]:
    """What is followed within this only looks: at what, is told. It is left where it makes no sense any more."""
    outer = inference.effects, inference.looking
    inference.effects, inference.looking = Effects(), what
    try:
        with suppress(Stop):
            yield inference.effects
    finally:
        inference.effects, inference.looking = outer


def _kinds_of_parameters(method: FunctionType) -> list[Kind] | None:
    """The kinds of a method's parameters after ``self``, or None if one is not plain, or is of no kind."""
    parameters = list(inspect.signature(method).parameters.values())
    if any(p.kind not in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD) for p in parameters):
        return None
    try:
        hints = typing.get_type_hints(method, include_extras=True)
        return [kind_of(hints[p.name]) for p in parameters[1:]]
    except Exception:  # an annotation is evaluated, so anything may come of it
        return None


def _as_condition(table: TableKind) -> str:
    """How to state what a table may be."""
    kinds = ", ".join(said(kind).removeprefix("a ").removesuffix(" (a name)") for kind in [*table.keys, table.value])
    return f"with a typed parameter for each key of {table.name} and one for the value ({kinds}), which gives a condition"


def _abstraction(inference: Inference, each: Abstraction) -> Effects:
    """A method that says what another design's table holds looks at the state, and gives an entry."""
    with _looking(inference, f"the abstraction {each.method.__name__}") as effects:
        text = inference.text(each.method)
        result = inference.call(text, [State(inference.cls), *each.keys], {}, text.node)
        what = f"is of {each.table}, a table of the design itself" if each.table in inference.tables else ""
        if not isinstance(result, Never) and result != each.value:
            what = f"gives {said(result)}; expected {said(each.value)}, on every path"
        if what:
            inference.complaints.setdefault(
                Complaint(code_of(each.method).co_filename, text.node.lineno, f"the abstraction {each.method.__name__} {what}")
            )
    return effects


def _law(inference: Inference, law: Law, actor: NameKind) -> Effects:
    with _looking(inference, "a law") as effects:
        function: Any = law.function
        text = inference.text(function)
        given: dict[str, Type] = {}
        names = dict(law.names)
        for number, parameter in enumerate(inspect.signature(function).parameters):
            a_state = number == 0 or parameter == "before"
            given[parameter] = State(inference.cls) if a_state else _given(inference, law, parameter, names, actor)
        result = inference.call(text, (), given, text.node)
        if not isinstance(result, Never) and result != FLAG:
            inference.complaints.setdefault(
                Complaint(
                    function.__code__.co_filename,
                    text.node.lineno,
                    f"the law {law.name} gives {said(result)}; expected a condition",
                )
            )
    return effects


def _given(inference: Inference, law: Law, parameter: str, names: dict[str, Any], actor: NameKind) -> Type:
    if parameter == "actor":
        return actor
    if parameter != "outcome":
        kind: Kind = names[parameter]
        return kind
    if law.outcome is Fault:
        inference.complaints.setdefault(
            Complaint(
                law.function.__code__.co_filename,
                law.function.__code__.co_firstlineno,
                f"the law {law.name} judges a Fault; state which of its subclasses",
            )
        )
        raise Stop
    if isinstance(law.outcome, type) and issubclass(law.outcome, Fault):
        return Known(law.outcome)
    if law.outcome is None:
        inference.complaints.setdefault(
            Complaint(
                law.function.__code__.co_filename,
                law.function.__code__.co_firstlineno,
                f"the law {law.name} judges an outcome; state which: outcome: Seen",
            )
        )
        raise Stop
    return inference.kind(law.outcome, None)
