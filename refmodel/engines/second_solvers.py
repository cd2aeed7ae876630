"""Other solvers that answer a question from its SMT-LIB text, and from nothing else."""

from __future__ import annotations

import importlib.util
import time
from collections.abc import Callable
from typing import Any

import attrs
import z3

from refmodel.language.unsound import BadDesign

MISSING = "cvc5 is not installed (pip install 'refmodel[second]')"


def installed() -> bool:
    """Whether cvc5 can be asked."""
    return importlib.util.find_spec("cvc5") is not None


@attrs.frozen
class Reply:
    """What a solver says of a text."""

    answer: str
    """``unsat``, ``sat``, or why there is neither."""
    seconds: float


def cvc5_module() -> Any:
    """The binding of cvc5; ``BadDesign`` if it is not installed."""
    try:
        import cvc5
    except ImportError:
        raise BadDesign(MISSING) from None
    return cvc5


class Session:
    """One text in cvc5, with these options."""

    def __init__(self, text: str, seconds: float, **options: str) -> None:
        self.cvc5 = cvc5_module()
        self.solver = self.cvc5.Solver(self.cvc5.TermManager())
        self.solver.setOption("tlimit-per", str(max(1, round(seconds * 1000))))
        for name, value in options.items():
            self.solver.setOption(name.replace("_", "-"), value)
        self._text = text

    def answer(self) -> str:
        """``unsat``, ``sat``, or why there is neither."""
        parser = self.cvc5.InputParser(self.solver)
        parser.setStringInput(self.cvc5.InputLanguage.SMT_LIB_2_6, self._text, "question")
        symbols, said = parser.getSymbolManager(), ""
        try:
            while not (command := parser.nextCommand()).isNull():
                said = plain(command.invoke(self.solver, symbols)).strip() or said
        except RuntimeError as why:
            return f"not understood: {why}"
        return said if said in ("sat", "unsat") else f"no answer: {said or 'the text asks nothing'}"


def plain(said: Any) -> str:
    """What the binding gives as text or as bytes, as text."""
    return said.decode() if isinstance(said, bytes) else str(said or "")


def _by_cvc5(text: str, seconds: float) -> str:
    return Session(text, seconds).answer()


def _by_z3(text: str, seconds: float) -> str:
    """z3 too, when it is given the text alone: what it says then is about the text, and not about the terms that it was made of."""
    solver = z3.Solver()
    solver.set("timeout", max(1, round(seconds * 1000)))
    try:
        solver.from_string(text)
    except z3.Z3Exception as why:
        return f"not understood: {why}"
    answer = solver.check()
    return str(answer) if answer != z3.unknown else f"no answer: {solver.reason_unknown()}"


SOLVERS: dict[str, Callable[[str, float], str]] = {"cvc5": _by_cvc5, "z3": _by_z3}
"""Who may be asked."""


def ask(solver: str, text: str, seconds: float) -> Reply:
    """What a solver says of a text within this time."""
    began = time.perf_counter()
    answer = SOLVERS[solver](text, seconds)
    return Reply(answer, time.perf_counter() - began)
