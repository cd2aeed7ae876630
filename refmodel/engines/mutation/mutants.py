"""The mutants of functions: for each, the text of its file with one place changed."""

from __future__ import annotations

import ast
import linecache
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import FunctionType
from typing import Any

import attrs

import refmodel
from refmodel.engines.mutation.operators import NO_STATEMENT, Edit, edits, written
from refmodel.language.sources import code_in, code_of, definition_of

HOME = Path(refmodel.__file__).parent.parent


@attrs.frozen
class Mutant:
    """A function with one place changed."""

    function: Any = attrs.field(eq=False, repr=False)
    """The function itself, as it is before it is changed."""
    file: str
    """Relative to where the package lies, if it is the package's."""
    name: str
    """The function's qualified name."""
    line: int
    operator: str
    before: str
    after: str
    number: int
    """Which of the places in this function that read the same, from 1."""
    start: int
    end: int
    put: str
    """What stands between these two places of the file."""

    @property
    def key(self) -> str:
        """What it is called in the list of reasons: it stays the same when lines move."""
        again = f" #{self.number}" if self.number > 1 else ""
        return f"{self.file} {self.name}: {self.operator}: {self.before} => {self.after}{again}"

    def text(self) -> str:
        """The changed text of the file, with as many lines as it had."""
        whole = source_of(code_of(self.function).co_filename)
        return whole[: self.start] + self.put + whole[self.end :]


def source_of(file: str) -> str:
    """A file's text."""
    return "".join(linecache.getlines(file))


def relative(file: str) -> str:
    """A file as mutants name it."""
    path = Path(file)
    return str(path.relative_to(HOME)) if path.is_relative_to(HOME) else path.name


def mutants_of(function: FunctionType) -> Iterator[Mutant]:
    """Every mutant of a function that can be compiled and is other code than the function's own."""
    definition = definition_of(function)
    if definition is None:
        return
    code, seen, same = code_of(function), set(), Counter[str]()
    source = source_of(code.co_filename)
    starts = _starts(source)
    for edit in edits(definition, function.__globals__):
        start, end = (starts[line - 1] + _characters(source, starts[line - 1], column) for line, column in _span(edit.node))
        put = _put(edit, source[start:end].count("\n"))
        text = source[:start] + put + source[end:]
        new = code_in(text, code)
        if new is None or new == code_in(source, code) or text in seen:
            continue
        seen.add(text)
        after = "nothing" if isinstance(edit.after, ast.Pass) else written(edit.after)
        line: int = edit.node.lineno  # type: ignore[attr-defined]
        mutant = Mutant(
            function,
            relative(code.co_filename),
            function.__qualname__,
            line,
            edit.operator,
            written(edit.node),
            after,
            1,
            start,
            end,
            put,
        )
        same[mutant.key] += 1
        yield attrs.evolve(mutant, number=same[mutant.key])


def _span(node: ast.AST) -> Sequence[tuple[int, int]]:
    return ((node.lineno, node.col_offset), (node.end_lineno, node.end_col_offset))  # type: ignore[attr-defined]


def _starts(source: str) -> list[int]:
    starts = [0]
    for line in source.split("\n"):  # nothing else ends a line of Python: a form feed does not
        starts.append(starts[-1] + len(line) + 1)
    return starts


def _characters(source: str, start: int, column: int) -> int:
    """A column of syntax trees, which count bytes, in characters."""
    line = source[start : source.find("\n", start) if "\n" in source[start:] else len(source)]
    return len(line.encode()[:column].decode())


def _put(edit: Edit, lines: int) -> str:
    """What stands in the place: with as many ends of lines as before."""
    after = written(edit.after)
    if after == NO_STATEMENT or isinstance(edit.after, ast.stmt):
        return after + "\n" * lines
    if lines or not isinstance(edit.after, ast.Name | ast.Constant | ast.Call | ast.Attribute | ast.Subscript):
        return f"({after}{chr(10) * lines})"
    return after
