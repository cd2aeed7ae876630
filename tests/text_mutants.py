"""Changes to one function of refmodel/machine, each judged by a theorem in a process that ends with it."""

import ast
import functools
import importlib
import inspect
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import attrs
import pytest

from proofs.theorems import THEOREMS
from refmodel.language.changing import change
from tests.made_once import made_once

ROOT = Path(__file__).parent.parent
SHARES = 2
"""Parts that mutants are judged in by the processes of a test run."""
LONGEST = 4000
"""Bytes of an answer that are kept: what a pipe takes without a reader."""


@attrs.frozen
class Mutant:
    """A text that stands once in a file of refmodel/machine, or once in a function of it; another in its place; and the theorem
    that this makes false."""

    file: str
    old: str
    new: str
    theorem: str
    function: str = ""
    """Its qualified name, where the text stands in others too."""


def a_tenth(mutants: Sequence[Mutant]) -> tuple[list[Mutant], list[Mutant]]:
    """Every tenth, and those that are left to the slow tests."""
    return list(mutants[::10]), [mutant for number, mutant in enumerate(mutants) if number % 10]


def outcomes(mutants: Sequence[Mutant]) -> list[str]:
    """What the theorem says of each: ``proved``, or the error."""
    asked = json.dumps([attrs.asdict(m) for m in mutants])
    done = subprocess.run(
        [sys.executable, "-m", "tests.text_mutants"],
        input=asked,
        cwd=ROOT,
        text=True,
        capture_output=True,
        check=False,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def outcomes_between_processes(factory: pytest.TempPathFactory, name: str, mutants: Sequence[Mutant]) -> dict[Mutant, str]:
    """What the theorem says of each, told to all processes of a test run, which share the work."""
    shares = {str(at): mutants[at::SHARES] for at in range(SHARES)}

    def judge(at: str, folder: Path) -> None:
        (folder / f"{at}.json").write_text(json.dumps(outcomes(shares[at])))

    folder = made_once(factory, name, {at: partial(judge, at) for at in shares})
    return {
        mutant: said
        for at, share in shares.items()
        for mutant, said in zip(share, json.loads((folder / f"{at}.json").read_text()), strict=True)
    }


def judged(mutant: Mutant) -> str:
    """What the theorem says of the changed text. There is no way back."""
    home = importlib.import_module("refmodel.machine." + mutant.file.removesuffix(".py").replace("/", "."))
    text = inspect.getsource(home)
    name = mutant.function or where(text, mutant.old)
    function = _function(home, name)
    own = inspect.getsource(function)
    assert own.count(mutant.old) == 1, f"{mutant.file}: {name} says {mutant.old!r} {own.count(mutant.old)} times"
    change(function, text.replace(own, own.replace(mutant.old, mutant.new)))
    (claim,) = [t for t in THEOREMS if t.name == mutant.theorem]
    try:
        claim.prove()
    except AssertionError as why:
        return f"{type(why).__name__}: {why}"
    return "proved"


def where(text: str, old: str) -> str:
    """The qualified name of the function in whose text something stands, once in the file."""
    assert text.count(old) == 1, f"the file says {old!r} {text.count(old)} times"
    line = text[: text.index(old)].count("\n") + 1
    return next(name for name, first, last in _functions(ast.parse(text)) if first <= line <= last)


def _functions(node: ast.AST, path: tuple[str, ...] = ()) -> Iterator[tuple[str, int, int]]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.ClassDef):
            yield from _functions(child, (*path, child.name))
        elif isinstance(child, ast.FunctionDef):
            yield ".".join((*path, child.name)), child.lineno, child.end_lineno or child.lineno


def _function(home: Any, name: str) -> Any:
    found = functools.reduce(getattr, name.split("."), home)
    return found.fget if isinstance(found, property) else found


if __name__ == "__main__":
    for each in json.load(sys.stdin):
        there, here = os.pipe()
        child = os.fork()
        if child == 0:
            try:
                said = judged(Mutant(**each))
            except BaseException as why:
                said = f"{type(why).__name__}: {why}"
            os.write(here, json.dumps(said).encode()[:LONGEST])
            os._exit(0)
        os.close(here)
        with open(there) as answer:
            print(answer.read(), flush=True)
        os.waitpid(child, 0)
