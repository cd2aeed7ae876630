"""Laws: sentences with a clause id, quantified over names.

A law's parameters say what it is about. ``s`` is the state; with ``before`` it compares the states around one
step; with ``outcome`` it judges what an instruction showed; ``actor`` is the VM that acted, NOTHING if none did.
Every other parameter is a name, and the law is claimed for all of them.
"""

from __future__ import annotations

import functools
import importlib
import inspect
import sys
import types
import typing
from collections.abc import Callable
from typing import Any

import attrs

from refmodel.language.annotations import kind_of
from refmodel.language.asking import Fault, Site
from refmodel.language.kinds import Kind, NaturalKind, Scalar, WordKind
from refmodel.language.made import noted
from refmodel.language.places import decorated, line_of, not_evaluated
from refmodel.language.unsound import BadDesign

ABOUT_A_STEP = ("before", "outcome", "actor")


@attrs.frozen(eq=False)
class Law:
    """A claim about every state or every step of a design. ``@law(clause, sentence)`` makes one of a function."""

    clause: str
    """The clause of a property that it belongs to, such as ``ISO-2`` (specs/properties.md)."""
    sentence: str
    """What it claims, in words."""
    function: Callable[..., Any]
    """The text that says whether it holds."""
    names: tuple[tuple[str, Scalar], ...]
    """The parameters for all of whose values it is claimed, and their types."""
    about: frozenset[str]
    """Which of ``before``, ``outcome`` and ``actor`` it has as parameters; empty for a law about a state."""
    outcome: type | None
    """The type of the outcomes that it is about; None if it is about all steps."""
    part: Site | None = None
    """Where the one implication stands whose premise is looked at; None if all of them are. It holds where the whole law does."""

    @property
    def name(self) -> str:
        """The claim, as the text names it."""
        return self.function.__name__

    def is_asked(self, clause: str | None) -> bool:
        """Whether it is judged where this clause is, or the law of this name; where it is None, all are."""
        return clause in (None, self.clause, self.name)

    @property
    def place(self) -> str:
        """``file:line`` of its text."""
        return line_of(self.function)

    @property
    def of_state(self) -> bool:
        """Whether it is about a state alone, so that a proof may assume it beforehand."""
        return not self.about

    def arguments(self, given: dict[str, Any], names: typing.Sequence[Any]) -> list[Any]:
        """The arguments after ``s``, in order."""
        free = iter(names)
        return [given[p] if p in ABOUT_A_STEP else next(free) for p in _parameters(self.function)[1:]]

    def __reduce__(self) -> tuple[Any, ...]:
        """A law travels between processes by its place in the text."""
        return _law_at, (self.function.__module__, self.function.__qualname__, self.part)

    def applies_to(self, returned: type | None) -> bool:
        """Whether it says anything of an operation that returns this."""
        return self.outcome is None or self.outcome is returned


def _law_at(module: str, qualname: str, part: Site | None = None) -> Any:
    found: Any = sys.modules.get(module) or importlib.import_module(module)  # who gathers laws imports none of them
    for name in qualname.split("."):
        found = getattr(found, name)
    whole: Law = found if isinstance(found, Law) else found.law  # a condition of what is pending has a law's place
    return whole if part is None else part_of(whole, part)


@functools.cache
def part_of(law: Law, site: Site) -> Law:
    """A law of whose implications one is looked at: always the same, so that what several searches met can be put together."""
    return attrs.evolve(law, part=site)


def _parameters(function: Callable[..., Any]) -> list[str]:
    code = function.__code__
    return list(code.co_varnames[: code.co_argcount])


def _hints(function: Callable[..., Any], where: str) -> dict[str, Any]:
    """The types of the parameters after the state, whose class may not be there yet while its body is read."""
    wanted = {
        name: hint
        for name, hint in function.__annotations__.items()
        if name in _parameters(function)[1:] and name not in ("before", "actor")
    }
    try:
        return typing.get_type_hints(types.SimpleNamespace(__annotations__=wanted), function.__globals__, include_extras=True)
    except Exception as why:
        raise BadDesign(f"{where}: {not_evaluated(why)}") from None


def _refuse_another_state(function: Callable[..., Any], where: str) -> None:
    """``BadDesign`` where a second parameter is of the type of the state: there are two states, and one is called ``before``."""
    subject = function.__annotations__.get(_parameters(function)[0])
    within = function.__qualname__.split(".")[-2:-1]
    for name in _parameters(function)[1:]:
        hint = function.__annotations__.get(name)
        if name not in ABOUT_A_STEP and (hint in within or (hint is not None and hint is not Any and hint == subject)):
            raise BadDesign(
                f"{where}: parameter {name} is a {hint if isinstance(hint, str) else getattr(hint, '__name__', hint)}, a state; "
                "expected a name such as Gfn. The state before a step is given to a parameter that is called before"
            )


def _refuse_odd_outcome(hints: dict[str, Any], where: str) -> None:
    """``BadDesign`` where the outcome that a law judges is not said to be of one type."""
    kind = hints.get("outcome")
    if kind is not None and not (isinstance(kind, type) and (attrs.has(kind) or issubclass(kind, Fault))):
        raise BadDesign(
            f"{where}: its outcome is said to be a {getattr(kind, '__name__', kind)}; expected the record that an "
            "operation returns, or one subclass of Fault; a law for each, where there are several"
        )


SUCH_AS = '@law("ISO-1", "No two pages are mapped to one frame.")'


def law(clause: str, sentence: str = "") -> Callable[[Callable[..., Any]], Law]:
    """Make a law of a function: ``@law("ISO-1", "No frame has two owners.")``, in a module or in the body of a design's class.

    The function's first parameter is the state, and it returns whether the law holds. Each other parameter has a type, such as
    ``Gfn``, and the law is claimed for all its values; ``before`` is the state before a step, and ``outcome`` what the step
    returned or raised. Raises ``BadDesign``, with file and line, where the function is not of this form.
    """

    if isinstance(clause, types.FunctionType):  # a bare @law
        raise BadDesign(f"{line_of(clause)}: @law is given no clause and no sentence; expected {SUCH_AS}")

    def bind(function: Callable[..., Any]) -> Law:
        if type(function) is not types.FunctionType:
            raise BadDesign(
                f"{decorated(function)}, stands under @law; expected a plain function, with no decorator between the two"
            )
        place = line_of(function)
        if not all(isinstance(given, str) and given.strip() for given in (clause, sentence)):
            raise BadDesign(
                f"{place}: @law is given {clause!r} and {sentence!r}; expected a clause and a sentence, both strings: {SUCH_AS}"
            )
        if len(clause.split()) > 1:
            raise BadDesign(f"{place}: the clause {clause!r} is more than a word; @law takes the clause first: {SUCH_AS}")
        parameters = _parameters(function)
        where = f"{place}: law {clause} ({function.__name__})"
        if not parameters or parameters[0] in ABOUT_A_STEP:
            said = f"its first parameter is called {parameters[0]}; " if parameters else ""
            raise BadDesign(f"{where}: {said}expected the state as its first parameter, by another name such as s")
        if function.__code__.co_kwonlyargcount or function.__code__.co_flags & (inspect.CO_VARARGS | inspect.CO_VARKEYWORDS):
            raise BadDesign(f"{where}: expected plain parameters, with neither * nor **")
        if function.__defaults__:
            raise BadDesign(f"{where}: a parameter has a default value; a law is claimed for all values of its parameters")
        _refuse_another_state(function, where)
        hints = _hints(function, where)
        _refuse_odd_outcome(hints, where)
        names = []
        for p in parameters[1:]:
            if p in ABOUT_A_STEP:
                continue
            if p not in hints:
                raise BadDesign(f"{where}: parameter {p} has no type; expected a name such as Gfn")
            try:
                kind: Kind = kind_of(hints[p])
            except BadDesign as why:
                raise BadDesign(f"{where}: parameter {p}: {why}") from None
            if not isinstance(kind, Scalar) or isinstance(kind, WordKind | NaturalKind):
                raise BadDesign(
                    f"{where}: parameter {p} is a {hints[p]!r}; a law is claimed for all names, flags or enum members, "
                    "and numbers have no end"
                )
            names.append((p, kind))
        about = frozenset(p for p in ABOUT_A_STEP if p in parameters)
        return noted(Law(clause, sentence, function, tuple(names), about, hints.get("outcome")), function)

    return bind
