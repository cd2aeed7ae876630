"""A second opinion on proofs: each question on which one rests is answered again, by another solver, from its SMT-LIB text.

The proof is made anew with z3. Every question that z3 answers with ``unsat`` is written as text (``smtlib``), and the other solver
is given that text alone. It agrees if it says ``unsat`` too. If it says ``sat``, one of the solvers is wrong, or the text is.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import attrs

from refmodel.bare_machines import bare_machine_of
from refmodel.engines.certificates import Certificate, Ethos, certify
from refmodel.engines.induction import apart
from refmodel.engines.prover import Proof
from refmodel.engines.questions import Question, about, listening
from refmodel.engines.second_solvers import ask
from refmodel.engines.smtlib import Texts
from refmodel.engines.spread import Where, spread
from refmodel.engines.theorems import attempt, theorems_of
from refmodel.language.design import Outline
from refmodel.language.unsound import BadDesign

SECONDS = 300.0
"""How long a solver may take for one question."""


@attrs.frozen
class How:
    """What is to be done with each question."""

    second: str | None = None
    """The solver that answers it again."""
    smt: Path | None = None
    """The folder that its text is written to."""
    certificates: Path | None = None
    """The folder that text and certificate are written to."""
    seconds: float = SECONDS
    ethos: Ethos | None = None


@attrs.frozen
class Task:
    """A theorem, or a part of one that can be proved apart."""

    theorem: str
    says: str
    part: str = ""
    design: bool = False
    """Whether the theorem is a design's, which is named as ``refmodel check`` takes it."""


@attrs.frozen
class Answer:
    """A solver's answer to one proof question."""

    file: str
    """Its name: the theorem, the operation, a number."""
    says: str
    """The claim that follows if it has no solution."""
    size: int
    """Characters of its text."""
    reply: str | None = None
    """What the second solver says; None if it was not asked."""
    seconds: float = 0.0
    certificate: Certificate | None = None

    @property
    def agrees(self) -> bool:
        return self.reply in (None, "unsat") and (self.certificate is None or self.certificate.counts)

    @property
    def disagrees(self) -> bool:
        """z3 says that there is no solution, and another solver has one."""
        return "sat" in (self.reply, self.certificate and self.certificate.answer)


@attrs.frozen
class Opinion:
    """What became of a task: z3's verdict, and every answer."""

    task: Task
    verdict: str
    """z3's: ``proved``, ``refuted`` or ``unknown``."""
    why: str
    answers: tuple[Answer, ...]
    seconds: float


Load = Callable[[str], Outline]
"""Finds a design by its name, as ``refmodel check`` does; a function of a module, so that others may be sent it."""


def tasks(folder: Path, names: Sequence[str], load: Load, slow: bool = True, certified: bool = False) -> list[Task]:
    """What there is to prove: designs as ``refmodel check`` takes them, theorems whose name has this in it, or all theorems.

    Without ``slow`` the theorems are left out that take longest. With ``certified``, and no names, there are only those of which
    certificates are wanted.
    """
    found: list[Task] = []
    for name in names:
        try:
            design = load(name)
        except BadDesign:
            theorems = [t for t in _listed(folder) if name in t.name]
            if not theorems:
                raise
            found += _of_theorems(theorems)
        else:
            found += _of_design(name, design)
    if not names:
        found += _of_theorems([t for t in theorems_of(folder) if (slow or not t.slow) and (t.certified or not certified)])
    return list(dict.fromkeys(found))


def _listed(folder: Path) -> Sequence[Any]:
    try:
        return list(theorems_of(folder))
    except BadDesign:  # no checkout: then it is a design's name
        return []


def _of_theorems(theorems: Sequence[Any]) -> Iterator[Task]:
    for theorem in theorems:
        yield from (Task(theorem.name, theorem.says, part) for part in theorem.parts())


def _of_design(name: str, design: Outline) -> Iterator[Task]:
    machine = bare_machine_of(design)
    says = f"Every operation of {design.name} keeps every law, for any number of VMs, pages and frames."
    steps = f" Each step is a step of {machine.name}, or changes nothing that guests see." if machine is not None else ""
    yield from (Task(name, says + steps, part, design=True) for part in apart(design, machine))


def again(folder: Path, todo: Sequence[Task], how: How, where: Where, load: Load) -> Iterator[Opinion]:
    """Prove these again, and have every question answered by the second solver; in order."""
    yield from spread(partial(_one, str(folder), how, load), todo, where)


def _one(folder: str, how: How, load: Load, task: Task) -> Opinion:
    recorder = _Recorder(how)
    with listening(recorder.hear), about(task.theorem):
        verdict, why, seconds = attempt(partial(_prove, _claim(folder, task, load)))
    return Opinion(task, verdict, why, tuple(recorder.answers), seconds)


def _claim(folder: str, task: Task, load: Load) -> Callable[[], Any]:
    if task.design:
        design = load(task.theorem)
        return apart(design, bare_machine_of(design))[task.part]
    [theorem] = [t for t in theorems_of(Path(folder)) if t.name == task.theorem]
    claim: Callable[[], Any] = theorem.parts()[task.part]
    return claim


def _prove(claim: Callable[[], Any]) -> None:
    done = claim()
    if isinstance(done, Proof):
        done.demand()


class _Recorder:
    """Deals with each question as soon as it is asked."""

    def __init__(self, how: How) -> None:
        self.how, self.answers = how, list[Answer]()
        self._texts = Texts()
        self._numbers: dict[str, int] = {}

    def hear(self, question: Question) -> None:
        """Write it, have it answered, have it certified: whatever is wanted."""
        name = self._name(question)
        says = " ".join(question.says.split())
        try:
            text = f"; {' / '.join(question.about)}\n; Unsatisfiable means: {says}.\n{self._texts.of(question.terms)}"
        except BadDesign as why:
            self.answers.append(Answer(name, says, 0, f"no text: {why}"))
            return
        reply = ask(self.how.second, text, self.how.seconds) if self.how.second is not None else None
        answer = Answer(name, says, len(text), reply.answer if reply else None, reply.seconds if reply else 0.0)
        for folder in {self.how.smt, self.how.certificates} - {None}:
            _write(folder, f"{name}.smt2", text)
        if self.how.certificates is not None:
            certificate, proof = certify(text, self.how.seconds, self.how.ethos)
            _write(self.how.certificates, f"{name}.cpc", proof)
            answer = attrs.evolve(answer, certificate=certificate)
        self.answers.append(answer)

    def _name(self, question: Question) -> str:
        path = "/".join(re.sub(r"[^\w.+-]+", ".", part).strip(".") for part in question.about)
        self._numbers[path] = self._numbers.get(path, 0) + 1
        return f"{path}/{self._numbers[path]:04}"


def _write(folder: Path | None, name: str, text: str) -> None:
    assert folder is not None
    file = folder / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
