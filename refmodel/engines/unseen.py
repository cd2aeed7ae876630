"""What runs and explorations have not seen of a design, in words: notes beside the verdicts."""

from __future__ import annotations

import ast
import linecache
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import FunctionType

from refmodel.engines.exploration import Branch
from refmodel.engines.layout import paths_of
from refmodel.engines.verdicts import Verdict
from refmodel.language.asking import Site
from refmodel.language.design import Operation, Outline
from refmodel.language.laws import Law
from refmodel.language.places import file_of, home_of, place_of
from refmodel.language.plurals import many
from refmodel.language.sources import code_of, definition_of

PACKAGE = str(Path(__file__).parents[1])
NEVER_GONE = {
    frozenset([True, False]): "no explored step evaluates this condition",
    frozenset([True]): "this condition is true in no explored step",
    frozenset([False]): "this condition is true in every explored step that evaluates it",
}
NEVER_GONE_ON = "no step that was explored goes on after this yield"
CONDITION = "the condition under which something is asked here"
"""What a premise is called that is not stated by ``implies``."""
ALTERNATIVE = "a case in which the first of these alternatives does not hold"
MOST_BRANCHES = 6
"""Conditions that a report names."""


def never(design: Outline, applied: dict[str, int]) -> tuple[str, ...]:
    """What was not seen: operations that never applied, and methods that nothing calls."""
    found = tuple(f"{op.name} never applied" for op in design.operations if not applied.get(op.name))
    return found + tuple(f"{name} is called by nothing: is @operation or @guest missing?" for name in design.text.unreached)


def is_turned_off(op: Operation) -> bool:
    """Whether an operation's text begins with ``require(False)``: it is there to be none."""
    definition = definition_of(op.method) if isinstance(op.method, FunctionType) else None
    body = definition.body if isinstance(definition, ast.FunctionDef) else []
    said = [each for each in body if not (isinstance(each, ast.Expr) and isinstance(each.value, ast.Constant))]
    return bool(said) and ast.unparse(said[0]) == "require(False)"


def not_taken(design: Outline, branches: frozenset[Branch], taken: frozenset[Branch]) -> tuple[str, ...]:
    """The conditions in the design's own files that no explored step came to, or of which only one way was gone, and each ``yield``
    after which none went on. Of what refmodel brings no design needs every part."""
    own = {each for each in branches - taken if is_own(design, each.file)}
    found = []
    for file, line in sorted({(each.file, each.line) for each in own}):
        if _is_worked_out(design, file, line):
            continue
        ways = [each for each in own if (each.file, each.line) == (file, line)]
        says = NEVER_GONE_ON if any(each.resumes for each in ways) else NEVER_GONE[frozenset(each.holds for each in ways)]
        if _compares_alone(file, line):
            says = says.replace("this condition", "the comparison of min or max")
        found.append(f"{file}:{line}: {says}")
    return _first_of(found, "branches that no explored step took")


def not_met(design: Outline, parts: Iterable[Law], verdicts: Mapping[Law, Verdict]) -> tuple[str, ...]:
    """The premises, in the design's own files, of laws with several that are not vacuous, that no explored state or step met."""
    vacuous = {law.function for law, verdict in verdicts.items() if verdict == Verdict.VACUOUS}
    found = sorted(
        {
            (*part.part[:2], premise_words(design, part.part), part.name)
            for part in parts
            if part.part and is_own(design, part.part[0]) and part.function not in vacuous
        }
    )
    return _first_of(
        [
            f"{file}:{line}: {premise} is met nowhere in what was explored; that part of {law} was not tested"
            for file, line, premise, law in found
        ],
        "premises that were not met",
    )


OPEN = {"all", "any", "cached", "count", "fails", "len", "max", "min"}
"""Functions of which the answer is decided where they are asked."""


def _is_worked_out(design: Outline, file: str, line: int) -> bool:
    """Whether what is decided in a line may be worked out by a helper or a property: on some paths that gives a constant, and
    Python goes on without asking anybody."""
    for function in design.text.functions:
        definition = definition_of(function) if code_of(function).co_filename == file else None
        if definition is None or not definition.lineno <= line <= (definition.end_lineno or 0):
            continue
        given = [each for each in ast.walk(definition) if isinstance(each, ast.Assign) and _calls(design, each.value)]
        made = {name.id for each in given for of in each.targets for name in ast.walk(of) if isinstance(name, ast.Name)}
        parts = (each for each in ast.walk(definition) if isinstance(each, ast.expr))
        here = [each for each in parts if each.lineno <= line <= (each.end_lineno or 0)]
        if any(_calls(design, each) or (isinstance(each, ast.Name) and each.id in made) for each in here):
            return True
    return False


def _calls(design: Outline, node: ast.expr) -> bool:
    """Whether an expression calls a helper, or asks for a property."""
    called = (each.func for each in ast.walk(node) if isinstance(each, ast.Call))
    names = {each.attr for each in ast.walk(node) if isinstance(each, ast.Attribute)}
    properties = {function.__name__ for function in design.text.functions}
    return any(not (isinstance(each, ast.Name) and each.id in OPEN) for each in called) or bool(names & properties)


def _compares_alone(file: str, line: int) -> bool:
    """Whether nothing is decided in a line but which of two numbers is the smaller."""
    text = linecache.getline(file, line)
    return re.search(r"\b(min|max)\(", text) is not None and re.search(r"\b(if|and|or|not|while|match|case)\b", text) is None


def premise_words(design: Outline, site: Site) -> str:
    """What a premise is called that is stated there."""
    if site in design.text.implications:
        return "the premise of this implication"
    others = any(site in sites for sites in design.text.alternatives.values())
    return ALTERNATIVE if others else CONDITION


def never_changed(design: Outline, changed: frozenset[tuple[str, str]]) -> tuple[str, ...]:
    """What laws look at in the design's own tables, and no explored state has otherwise than the first: nobody sets it."""
    found = []
    for table in design.tables:
        home = home_of(design.cls, table.name)
        for path in paths_of(table) if is_own(design, file_of(home)) else ():
            asking = [
                law.name
                for law in design.laws
                if table.name in design.reads(law) and (not path or path.split(".")[-1] in design.mentions(law))
            ]
            if (table.name, path) not in changed and asking:
                field = f", field {path}," if path else ""
                more = f" and {many(len(asking) - 1, 'more law')} read" if asking[1:] else " reads"
                found.append(
                    f"{place_of(home, table.name)}{field} keeps its power-on value in every explored state, and "
                    f"{asking[0]}{more} it"
                )
    return _first_of(list(dict.fromkeys(found)), "tables and fields that keep their power-on value")


def is_own(design: Outline, file: str) -> bool:
    """Whether a file is the design's own, and not one that refmodel brings for many."""
    return not file.startswith(PACKAGE) or file == _file_of(design)


def _first_of(found: Sequence[str], what: str) -> tuple[str, ...]:
    """The first few notes, and how many more there are."""
    more = (f"{len(found) - MOST_BRANCHES} more {what}",) if len(found) > MOST_BRANCHES else ()
    return (*found[:MOST_BRANCHES], *more)


def _file_of(design: Outline) -> str:
    return getattr(sys.modules.get(design.cls.__module__), "__file__", None) or ""
