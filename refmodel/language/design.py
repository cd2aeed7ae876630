"""A design: tables, operations over them, and the laws that are to hold. Everything engines know of one.

    class Tally(Design):
        seen: Total[Vm, Seen]

        @operation
        def look(self, vm: Vm) -> None:
            self.seen[vm] = Seen(True)

Tables are attributes; an operation is a method whose parameters are typed; a subclass changes one mechanism by
overriding its method. A law is a function decorated with ``law``, in the class body or in its ``laws`` tuple.
"""

from __future__ import annotations

import collections
import collections.abc
import functools
import inspect
import math
import sys
import types
import typing
from collections.abc import Callable
from types import FunctionType
from typing import Any, ClassVar, Final, TypeVar
from weakref import WeakKeyDictionary

import attrs

from refmodel.language.annotations import annotation_in_words, kind_of, table_kind
from refmodel.language.asking import Site, Span
from refmodel.language.attributes import (
    refuse_arbitrary_keys,
    refuse_hidden_law,
    refuse_hidden_operation,
    refuse_misspelt_attributes,
    refuse_odd_attributes,
    refuse_unknown_names,
)
from refmodel.language.elsewhere import refuse_laws_elsewhere
from refmodel.language.examination import Examination, acting, examine
from refmodel.language.gathering import EveryLaw, laws_about
from refmodel.language.kept import forget, kept
from refmodel.language.kinds import Kind, NameKind, PageKind, TableKind
from refmodel.language.laws import Law, part_of
from refmodel.language.lost import refuse_lost
from refmodel.language.made import noted
from refmodel.language.nearly import did_you_mean, slug
from refmodel.language.pending import Pending, pendings
from refmodel.language.places import decorated, home_of, line_of, not_evaluated, place_of
from refmodel.language.sizes import Geometry
from refmodel.language.tables import NOTHING, Page, Partial, Total
from refmodel.language.unsound import BadDesign

F = TypeVar("F", bound=Callable[..., Any])


def operation(method: F) -> F:
    """Make a method an operation: a step that the monitor or the hardware may take in any state in which no ``require`` fails.

    Its parameters after ``self`` have types, such as ``Gfn``, and it may be taken with all their values. What it returns or
    raises is its outcome. Raises ``BadDesign`` if it does not stand above a plain method."""
    return _marked(method, "operation", "monitor")


def guest(method: F) -> F:
    """Make a method an operation that a guest takes, such as a load; its parameter ``vm`` says which guest. Simulation and
    noninterference compare what it returns or raises. Raises ``BadDesign`` if it does not stand above a plain method."""
    return _marked(method, "guest", "guest")


def _marked(method: F, word: str, role: str) -> F:
    if not isinstance(method, FunctionType) or type(method) is not FunctionType or inspect.iscoroutinefunction(method):
        raise BadDesign(f"{decorated(method)}, stands under @{word}; expected a plain method, with no decorator between the two")
    if getattr(method, "__refmodel__", role) != role:
        raise BadDesign(
            f"{decorated(method)}, stands under @operation and @guest; expected one of them: @guest is an operation, too"
        )
    method.__refmodel__ = role  # type: ignore[attr-defined]
    noted(method, method)
    return method


class Design:
    """Base class of every design. The annotations of its class body are the tables, its ``@operation`` and ``@guest`` methods the
    steps that it may take, and its ``@law`` functions what is claimed of it (specs/guide/first_monitor.md)."""

    laws: ClassVar[tuple[Law, ...] | EveryLaw] = EveryLaw(())
    """Its laws, beside those in its class bodies: a tuple of them; or ``every_law(...)``, for all of some packages that are about
    it. A design that says nothing has the laws about it in the files of its classes."""
    geometry: ClassVar[Geometry] = Geometry()
    further_geometries: ClassVar[tuple[Geometry, ...]] = ()
    """Others to explore too, small where that one is large: not all that a design has to do with need vary at once."""
    arbitrary: ClassVar[tuple[str, ...]] = ()
    """The tables whose initial contents nobody knows, as memory's at power-on. (A class adds to those of the classes that it is
    made of.)"""
    explored: ClassVar[bool] = True
    """Whether its geometry is small enough to be explored to the end."""
    known: ClassVar[tuple[str, ...]] = ()
    """The tables of whose entries a VM can know its own, by what it is shown: its bare machine. (Likewise.)"""
    flows: ClassVar[dict[str, str]] = {}
    """The operations (a guest's: what they show) by which a VM is meant to know of others, each with a flow's name. (Likewise.)"""
    steps: ClassVar[dict[str, tuple[str, ...]]] = {}
    """For an operation, those of a design that this one simulates of which each of its steps may be one, beside that of the same
    name. Without either, each of its steps may be any that does not need a guest to ask. (Likewise.)"""
    no_bare_machine: ClassVar[str] = ""
    """Why no bare machine is stated that its guests could believe they run on, although it is made of the tables of one."""


@attrs.frozen
class Operation:
    name: str
    method: Callable[..., Any]
    parameters: tuple[tuple[str, Kind], ...]
    returns: type | None
    by_guest: bool
    split: bool
    vm_at: int = 0
    """Which parameter says whose step it is."""

    def actor(self, arguments: typing.Sequence[Any]) -> Any:
        """The VM that takes this step, or None if no guest does."""
        return arguments[self.vm_at] if self.by_guest else None

    def about(self, before: Any, outcome: Any, arguments: typing.Sequence[Any]) -> dict[str, Any]:
        """What laws about this step are given."""
        actor = self.actor(arguments)
        return {"before": before, "outcome": outcome, "actor": NOTHING if actor is None else actor}


@attrs.frozen(slots=False)
class Outline:
    """A design as the engines see it."""

    cls: type[Design]
    tables: tuple[TableKind, ...]
    operations: tuple[Operation, ...]
    laws: tuple[Law, ...]
    text: Examination = attrs.field(eq=False, repr=False)
    """What there is in its text."""
    pending: tuple[Pending, ...] = ()
    """What may be pending, and what ends it."""

    @property
    def name(self) -> str:
        return self.cls.__name__

    def table(self, name: str) -> TableKind:
        return next(t for t in self.tables if t.name == name)

    def operation(self, name: str) -> Operation:
        return next(o for o in self.operations if o.name == name)

    @property
    def actors(self) -> NameKind:
        """What whoever acts is: the kind of the parameter ``vm`` of the guests' operations."""
        return acting(self.operations)

    @functools.cached_property
    def arbitrary(self) -> tuple[str, ...]:
        """The tables of which nobody knows what they hold at power-on, by what each class says that the design is made of."""
        said = [name for base in reversed(self.cls.__mro__) for name in vars(base).get("arbitrary", ())]
        return tuple(dict.fromkeys(said))

    @functools.cached_property
    def constant(self) -> frozenset[str]:
        """The tables that no operation writes to: they hold for ever what they hold at power-on."""
        return frozenset(table.name for table in self.tables) - self.text.written

    def reads(self, law: Law) -> frozenset[str]:
        """The tables that a law looks at."""
        return self._text_of(law).reads[law]

    def _read_alone(self, law: Law) -> Examination:
        """The text of a law that the design does not have, or that it shares with others."""
        return _read(hashable(self.cls), self.tables, (), (law,), self.actors, self.text.written)

    def mentions(self, law: Law) -> frozenset[str]:
        """Every name in the text of a law, and of what that reaches: no field of another name decides anything in it, since the
        language has no other way to a field."""
        text = self._read_alone(law)
        return frozenset().union(*(_names(function.__code__) for function in text.functions))

    def is_conditional(self, law: Law) -> bool:
        """Whether a law asks for something only where a premise holds, so that it may be vacuous."""
        return law.part is not None or bool(self.premises_of(law) and law not in self._text_of(law).plain)

    def looked_at(self, law: Law) -> frozenset[Span]:
        """The texts that a law calls to work out a premise: what is stated there is not what the law asks for."""
        return self._text_of(law).looked_at.get(law, frozenset())

    def premises_of(self, law: Law) -> tuple[Site, ...]:
        """Where a law, with all that it calls, states a premise."""
        return self._text_of(law).premises[law]

    def parts_of(self, law: Law) -> tuple[Law, ...]:
        """A law that states several implications, or one beside what it asks for plainly, once for each implication: of each only
        the premise of that one is looked at. Likewise for what stands first of several alternatives."""
        if law.part is not None:
            return ()
        sites = self.premises_of(law)
        told = sites if len(sites) > 1 or not self.is_conditional(law) else ()
        return tuple(part_of(law, site) for site in (*told, *self.alternatives(law)))

    def alternatives(self, law: Law) -> tuple[Site, ...]:
        """Where a law states several alternatives. Where the first always holds, the others are never asked for."""
        return self._text_of(law).alternatives.get(law, ())

    def _text_of(self, law: Law) -> Examination:
        return self.text if law in self.text.reads else self._read_alone(law)

    @property
    def claims(self) -> tuple[Law, ...]:
        """All that a verdict is given on: its laws, and the conditions that are to come to an end."""
        return Claims(self.operations, self.laws, self.pending).all

    def restricted(self, clause: str) -> Outline:
        """With the claims of one clause only judged, or with the law of this name."""
        return self.judging(lambda law: law.is_asked(clause))

    def asked(self, law: str) -> str:
        """The clause that is meant, or the name of the law: by its name, or by its sentence. ``BadDesign`` if there is none, or if
        it may be one of several."""
        clauses = sorted({each.clause for each in self.claims})
        for names in (clauses, [each.name for each in self.claims]):
            if law in names:
                return law
        meant = [each for each in clauses if each.upper() == law.upper()] or [
            each.name for each in self.claims if slug(law) in (each.name.lower(), slug(each.sentence))
        ]
        if len(meant) > 1:
            raise BadDesign(f"{law}: may be any of {', '.join(meant)} of {self.name}; expected one of these")
        if meant:
            return meant[0]
        hint = did_you_mean(law, [*clauses, *(each.name for each in self.claims)])
        raise BadDesign(
            f"{law}: {self.name} has no such law; {hint or 'expected'} {'Its clauses are' if hint else 'one of'} "
            f"{', '.join(clauses)}{'' if hint else ', or the name of a law'}"
        )

    def judging(self, wanted: Callable[[Law], bool]) -> Outline:
        """With some of its claims only judged."""
        return attrs.evolve(
            self,
            laws=tuple(law for law in self.laws if wanted(law)),
            pending=tuple(each for each in self.pending if wanted(each.law)),
        )

    def with_laws(self, more: typing.Sequence[Law]) -> Outline:
        """With these laws besides; ``BadDesign`` if one is not in the language."""
        read = [self._read_alone(law) for law in more]
        functions = dict.fromkeys([*self.text.functions, *(f for each in read for f in each.functions)])
        reads = {**self.text.reads, **{law: tables for each in read for law, tables in each.reads.items()}}
        premises = {**self.text.premises, **{law: sites for each in read for law, sites in each.premises.items()}}
        plain = self.text.plain.union(*(each.plain for each in read))
        looked_at = {**self.text.looked_at, **{law: spans for each in read for law, spans in each.looked_at.items()}}
        alternatives = {**self.text.alternatives, **{law: sites for each in read for law, sites in each.alternatives.items()}}
        text = attrs.evolve(
            self.text,
            functions=tuple(functions),
            reads=reads,
            premises=premises,
            plain=plain,
            looked_at=looked_at,
            alternatives=alternatives,
        )
        return attrs.evolve(self, laws=(*self.laws, *more), text=text)

    def blank(self) -> Any:
        """An instance without tables, for a reading to fill in."""
        return self.cls.__new__(self.cls)

    def initial(self, geometry: Geometry) -> Any:
        """The initial state on ints: every table at its default."""
        state = self.blank()
        for table in self.tables:
            setattr(state, table.name, empty_table(table, geometry))
        return state


LARGEST = 200_000
"""Entries of a table in a geometry: more would fill the memory and never be explored."""


def empty_table(kind: TableKind, geometry: Geometry) -> Total[Any, Any]:
    """A table before anything was stored in it."""
    entries = math.prod(sum(1 for _ in key.values(geometry)) for key in kind.keys)
    if entries > LARGEST:
        raise BadDesign(f"table {kind.name} has {entries:,} entries in this geometry; expected {LARGEST:,} at most")
    if kind.partial:
        table: Total[Any, Any] = Partial()
        table.default = None
    else:
        default = kind.value.default()
        table = Total((key, default) for key in kind.all_keys(geometry))
        table.default = default
    table.changed = False
    return table


def outline(cls: type[Design], *, may_lack_laws: bool = False) -> Outline:
    """A design as the engines see it: its tables, operations and laws, checked. Raises ``BadDesign``, which says what is wrong with
    the design, and where. ``may_lack_laws``: a design without laws is accepted."""
    if not (isinstance(cls, type) and issubclass(cls, Design)):
        raise BadDesign(f"{cls!r:.200} is no design; expected a class derived from refmodel.Design")
    _forget_if_changed(cls)
    design = _outline(hashable(cls))
    if not design.claims and not may_lack_laws:
        raise BadDesign(f"{place_of(cls)}: no laws; expected functions decorated with @law, or a tuple called laws")
    return design


_read_of: WeakKeyDictionary[Any, list[tuple[str, int]]] = WeakKeyDictionary()
"""By class: what stood in it and in its files when it was last read, but for refmodel's own files."""


def _forget_if_changed(cls: type[Design]) -> None:
    """Laws, operations and helpers may have been stated in a class, or in the files of its classes, since it was read."""
    theirs = [base for base in cls.__mro__ if not base.__module__.startswith(("refmodel.", "builtins"))]
    modules = dict.fromkeys(sys.modules[base.__module__] for base in theirs if base.__module__ in sys.modules)
    stated = [
        (name, id(value))
        for space in (*theirs, *modules)
        for name, value in list(vars(space).items())
        if isinstance(value, Law | types.FunctionType | type)
    ]
    if _read_of.setdefault(hashable(cls), stated) != stated:
        forget()
        _read_of[hashable(cls)] = stated


def hashable(cls: type[Design]) -> Any:
    """A class is hashable, whatever its instances are."""
    return cls


@attrs.frozen
class Claims:
    """What a design claims of its operations."""

    operations: tuple[Operation, ...]
    laws: tuple[Law, ...]
    pending: tuple[Pending, ...]

    @property
    def all(self) -> tuple[Law, ...]:
        """Its laws, and the conditions that are to come to an end."""
        return (*self.laws, *(each.law for each in self.pending))


def claims_of(cls: type[Design]) -> Claims:
    """What a design claims. Its text, which takes ``outline`` most of its time, is not examined: it may not be in the language."""
    return _claims(hashable(cls))


@kept
def _claims(cls: Any) -> Claims:
    operations = _operations(cls)
    return Claims(operations, _laws(cls, operations), pendings(cls, operations))


@kept
def _outline(cls: Any) -> Outline:
    refuse_odd_attributes(cls)
    _refuse_hidden(cls)
    tables = _tables(cls)
    if not tables:
        raise BadDesign(f"{place_of(cls)}: no tables; expected annotations such as p2m: Total[tuple[Vm, Gfn], P2mEntry]")
    if not _operations(cls):
        raise BadDesign(f"{place_of(cls)}: no operations; expected methods decorated with @operation or @guest")
    claims = _claims(cls)
    operations, laws, pending = claims.operations, claims.laws, claims.pending
    refuse_lost(cls, claims.all)
    refuse_laws_elsewhere(cls, claims.all)
    text = _read(cls, tables, operations, claims.all, acting(operations))
    refuse_misspelt_attributes(cls, [table.name for table in tables])
    refuse_unknown_names(cls, [table.name for table in tables], [op.name for op in operations])
    refuse_hidden_law(cls)
    refuse_arbitrary_keys(cls, [table.name for table in tables if table.partial])
    return Outline(cls, tables, operations, laws, text, pending)


def _names(code: types.CodeType) -> frozenset[str]:
    """The names in a piece of code, and in those inside it."""
    inner = [_names(each) for each in code.co_consts if isinstance(each, types.CodeType)]
    return frozenset(code.co_names).union(*inner)


@kept
def _read(
    cls: Any,
    tables: tuple[TableKind, ...],
    operations: tuple[Operation, ...],
    laws: tuple[Law, ...],
    actors: NameKind,
    elsewhere: frozenset[str] = frozenset(),
) -> Examination:
    """A design's text, found to be in the language."""
    try:
        text = examine(cls, tables, operations, laws, actors, elsewhere)
    except RecursionError:
        raise BadDesign(f"{place_of(cls)}: the text is nested too deeply to be read") from None
    if text.complaints:
        raise BadDesign("\n".join(map(str, text.complaints)))
    return text


def _tables(cls: type[Design]) -> tuple[TableKind, ...]:
    tables = []
    _refuse_other_tables(cls)
    _refuse_assigned_tables(cls)
    for name, annotation in _annotations(hashable(cls)).items():
        if any(mark in (annotation, typing.get_origin(annotation)) for mark in (ClassVar, Final)):
            continue
        try:
            kind = table_kind(name, annotation)
        except BadDesign as why:
            raise BadDesign(f"{place_of(home_of(cls, name), name)}: {why}") from None
        if kind is None:
            raise BadDesign(
                f"{place_of(home_of(cls, name), name)} is {annotation_in_words(annotation)}; state is kept in tables: "
                f"Total[Vm, Entry], or dict[Vm, Entry] where a key may be missing{_as_a_constant(cls, name)}"
            )
        tables.append(kind)
    return tuple(tables)


def _refuse_assigned_tables(cls: type[Design]) -> None:
    """``BadDesign`` where ``=`` stands in the place of ``:``, so that the type of a table is the value of an attribute."""
    types_of_tables = list(_annotations(hashable(cls)).values())
    for base in cls.__mro__[:-1]:
        for name, value in vars(base).items():
            if typing.get_origin(value) in (Total, dict) and value not in types_of_tables:
                raise BadDesign(
                    f"{place_of(base, name)} is an attribute, as stated by =, and no table; expected a colon, {name}: "
                    f"{annotation_in_words(value)}"
                )


def _as_a_constant(cls: type[Design], name: str) -> str:
    """What to write in place of an annotated attribute that has a value."""
    return (
        f"; a constant has no annotation, or ClassVar or Final: {name} = {getattr(cls, name)!r:.60}" if hasattr(cls, name) else ""
    )


def _refuse_other_tables(cls: type[Design]) -> None:
    """``BadDesign`` where a class annotates a table of one that it is derived from otherwise: its methods would meet it."""
    stated: dict[str, tuple[type, Any]] = {}
    for base in reversed(cls.__mro__[:-1]):
        for name in vars(base).get("__annotations__", {}):
            says = _annotations(hashable(base))[name]
            above, said = stated.setdefault(name, (base, says))
            if typing.get_origin(said) in (dict, Total) and says != said:
                raise BadDesign(
                    f"{place_of(base, name)} is not what {place_of(above, name)} says, whose methods look at that "
                    f"table; expected another name for it, or {name}: {annotation_in_words(said)}"
                )


@kept
def _annotations(cls: Any) -> dict[str, Any]:
    """The annotations of a class and of those that it is made of; ``BadDesign`` says where one is that means nothing."""
    try:
        return typing.get_type_hints(cls, include_extras=True)
    except Exception as why:
        raise BadDesign(f"{_guilty(cls)}: {not_evaluated(why)}") from None


def _guilty(cls: type[Design]) -> str:
    """Where the annotation is that cannot be evaluated: file and line if the text can be had."""
    for base in cls.__mro__:
        space = vars(sys.modules[base.__module__]) if base.__module__ in sys.modules else {}
        for name, annotation in vars(base).get("__annotations__", {}).items():
            try:
                alone = types.SimpleNamespace(__annotations__={name: annotation})
                typing.get_type_hints(alone, space, dict(vars(base)), include_extras=True)
            except Exception:
                return place_of(base, name)
    return place_of(cls)


@kept
def _operations(cls: Any) -> tuple[Operation, ...]:
    found = []
    for name in dir(cls):
        role = next(
            (
                vars(base)[name].__refmodel__
                for base in cls.__mro__
                if name in vars(base) and hasattr(vars(base)[name], "__refmodel__")
            ),
            None,
        )
        if role is not None:
            found.append(_operation(cls, name, role == "guest"))
    _refuse_two_sorts_of_actors(found)
    order = {name: i for base in reversed(cls.__mro__) for i, name in enumerate(vars(base))}
    return tuple(sorted(found, key=lambda o: order[o.name]))


def _refuse_two_roles(cls: type, name: str) -> None:
    """``BadDesign`` where a guest's step overrides one that is no guest's, or the other way round: laws about who acts would judge
    it otherwise than the one that it stands for."""
    stated = [(base, vars(base)[name]) for base in cls.__mro__ if hasattr(vars(base).get(name), "__refmodel__")]
    for base, method in stated[1:]:
        if method.__refmodel__ != stated[0][1].__refmodel__:
            word = "guest" if method.__refmodel__ == "guest" else "operation"
            raise BadDesign(
                f"{line_of(stated[0][1])}: operation {name} overrides the one of {base.__name__} ({line_of(method)}), "
                f"which stands under @{word}: laws that speak of actor would judge it otherwise; expected @{word}, or "
                "an operation of another name"
            )


def _refuse_two_sorts_of_actors(operations: typing.Sequence[Operation]) -> None:
    """``BadDesign`` where two guests' steps are of different sorts of guests: a law has one ``actor``."""
    first: dict[str, Operation] = {}
    for op in operations:
        kind = dict(op.parameters).get("vm")
        if op.by_guest and isinstance(kind, NameKind):
            first.setdefault(kind.sort, op)
    if len(first) > 1:
        (sort, one), (other_sort, other), *_ = first.items()
        raise BadDesign(
            f"{line_of(other.method)}: guest's step {other.name} is one of a {other_sort}, and {one.name} "
            f"({line_of(one.method)}) one of a {sort}; a law has one actor, so expected vm of one sort in all of them"
        )


def _operation(cls: type[Design], name: str, by_guest: bool) -> Operation:
    method = getattr(cls, name)
    plain = next((vars(base)[name] for base in cls.__mro__ if name in vars(base)), None)
    if type(plain) is not FunctionType:
        raise BadDesign(f"{place_of(home_of(cls, name), name)} stands where an operation is, and is no plain method")
    place = f"{method.__code__.co_filename}:{method.__code__.co_firstlineno}: operation {name}"
    refuse_hidden_operation(cls, name, place)
    hints = _hints(method, place)
    parameters = []
    for parameter in list(inspect.signature(method).parameters.values())[1:]:
        if parameter.kind not in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD):
            raise BadDesign(f"{place}: {parameter} is no plain parameter; expected name: type, with neither * nor **")
        if parameter.name == "NOTHING":
            raise BadDesign(f"{place}: a parameter is called NOTHING, which is the name of nobody; expected another name")
        if parameter.name not in hints:
            raise BadDesign(f"{place}: parameter {parameter.name} has no type; expected a name, word, flag, enum or record")
        if parameter.default is not parameter.empty:
            raise BadDesign(f"{place}: {parameter} has a default value; an operation may be taken with every value: leave it out")
        try:
            parameters.append((parameter.name, _given(hints[parameter.name])))
        except BadDesign as why:
            raise BadDesign(f"{place}: parameter {parameter.name}: {why}") from None
    if by_guest and not isinstance(dict(parameters).get("vm"), NameKind):
        raise BadDesign(
            f"{place}: a guest's step needs a parameter called vm, which says whose it is; expected vm: Vm among its parameters "
            "(or vm: Realm, if that is the design's name for a VM), or @operation for a step that is no VM's"
        )
    vm_at = [p for p, _ in parameters].index("vm") if by_guest else 0
    split = inspect.isgeneratorfunction(method)
    return Operation(name, method, tuple(parameters), _returned(method, place), by_guest, split, vm_at)


def _hints(method: Callable[..., Any], place: str) -> dict[str, Any]:
    try:
        return typing.get_type_hints(method, include_extras=True)
    except Exception as why:
        raise BadDesign(f"{place}: {not_evaluated(why)}") from None


def _returned(method: Callable[..., Any], place: str) -> type | None:
    """The record that an operation returns, by its annotation; None if it returns nothing."""
    returns = _hints(method, place).get("return")
    if inspect.isgeneratorfunction(method) and typing.get_origin(returns) is collections.abc.Generator:
        returns = typing.get_args(returns)[2]
    return returns if isinstance(returns, type) and attrs.has(returns) else None


def _given(annotation: Any) -> Kind:
    """The kind of a parameter: what an operation may be given."""
    kind = kind_of(annotation)
    if isinstance(kind, PageKind):
        raise BadDesign("an operation is given no page; expected its cells one by one, or a name under which a table has it")
    return kind


def _laws(cls: type[Design], operations: tuple[Operation, ...]) -> tuple[Law, ...]:
    own = [v for base in reversed(cls.__mro__) for v in vars(base).values() if isinstance(v, Law)]
    listed = laws_about(cls, [op.returns for op in operations], cls.laws) if isinstance(cls.laws, EveryLaw) else cls.laws
    laws = tuple(dict.fromkeys([*listed, *own]))
    _refuse_lost_outcomes(cls, operations, own)
    if any("actor" in law.about for law in laws):
        for op in operations:
            _refuse_two_roles(cls, op.name)
    for name, number in collections.Counter(law.name for law in laws).items():
        if number > 1:
            places = " and ".join(law.place for law in laws if law.name == name)
            raise BadDesign(
                f"{place_of(cls)}: {number} laws are called {name} ({places}); expected a name of its own for each, "
                "since a derived class has the laws of its bases too"
            )
    return laws


def _refuse_lost_outcomes(cls: type[Design], operations: tuple[Operation, ...], own: typing.Sequence[Law]) -> None:
    """``BadDesign`` where an operation overrides one that returns another record, which a law judges: the law would not be asked
    of the operation any more."""
    for op in operations:
        for base in cls.__mro__:
            stated = vars(base).get(op.name)
            returned = _returned(stated, line_of(stated)) if type(stated) is FunctionType else None
            lost = None if returned is None or returned is op.returns else _judging(cls, returned, own)
            if returned is not None and lost is not None:
                says = f"returns {op.returns.__name__}" if op.returns else "states no record that it returns"
                raise BadDesign(
                    f"{line_of(op.method)}: operation {op.name} {says}, and the one of {base.__name__} that it "
                    f"overrides ({line_of(stated)}) returns {returned.__name__}: law {lost.clause} ({lost.name}) "
                    f"judges that, and would not be asked any more; expected -> {returned.__name__}, or an operation "
                    "of another name"
                )
        _refuse_derived_outcome(cls, op, own)


def _refuse_derived_outcome(cls: type[Design], op: Operation, own: typing.Sequence[Law]) -> None:
    """``BadDesign`` where an operation returns a record that is derived from one which a law judges: the law is asked of outcomes
    of that very type."""
    for above in op.returns.__mro__[1:-1] if op.returns is not None else ():
        law = _judging(cls, above, own)
        if law is not None and op.returns is not None:
            raise BadDesign(
                f"{line_of(op.method)}: operation {op.name} returns {op.returns.__name__}, which is derived from "
                f"{above.__name__}: law {law.clause} ({law.name}) judges outcomes that are a {above.__name__} and no "
                f"more, and would not be asked; expected -> {above.__name__}, or a record that is not derived from it"
            )


def _judging(cls: type[Design], returned: type, own: typing.Sequence[Law]) -> Law | None:
    """A law about a design that judges an outcome of this type."""
    listed = laws_about(cls, [returned], cls.laws) if isinstance(cls.laws, EveryLaw) else cls.laws
    return next((law for law in (*listed, *own) if law.outcome is returned), None)


def _refuse_hidden(cls: type) -> None:
    """Laws and operations stand in the body of a design, a law also in its file. Elsewhere within a class nobody would see them."""
    for base in cls.__mro__[:-1]:
        for name, value in vars(base).items():
            wrapped = getattr(value, "__func__", getattr(value, "fget", None))
            within = [wrapped, *(vars(value).values() if isinstance(value, type) else ())]
            if any(isinstance(each, Law | Pending) for each in within) and not _is_design(value):
                raise BadDesign(
                    f"{place_of(base, name)} hides a law, which would never be judged; expected @law(clause, sentence) "
                    "alone, in the body of the design or at the top of its file, or @pending in the body"
                )
            if any(type(each) is FunctionType and hasattr(each, "__refmodel__") for each in within) and not _is_design(value):
                raise BadDesign(
                    f"{place_of(base, name)} hides an operation, which would never be taken; expected @operation or "
                    "@guest alone, on a method in the body of the design"
                )


def _is_design(value: Any) -> bool:
    return isinstance(value, type) and issubclass(value, Design)


__all__ = ["Design", "Operation", "Outline", "Page", "guest", "operation", "outline"]
