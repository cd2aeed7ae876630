"""The whole proof of a design: the initial state, then every operation, on all the processors there are."""

from __future__ import annotations

import multiprocessing
import pickle
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from multiprocessing import active_children
from typing import ClassVar

import attrs

from refmodel.engines import plain_code
from refmodel.engines.audit import Audited
from refmodel.engines.collecting import collect_rarely
from refmodel.engines.formulas import Formula
from refmodel.engines.progress import demand_progress
from refmodel.engines.prover import INITIAL, Induction, Judgement, Proof, prove_initial, prove_operation
from refmodel.engines.samples import Sample
from refmodel.engines.spread import end_at_once, held_interrupts, leave_ending_to_the_parent, processors
from refmodel.language.design import Outline
from refmodel.language.laws import Law
from refmodel.language.unsound import BadDesign, Unsound

__all__ = ["Induction", "Judgement", "Proof", "Proved", "apart", "prove"]


@attrs.frozen
class Proved:
    """What became of every obligation."""

    proofs: tuple[Proof, ...]
    skipped: tuple[str, ...]
    """Operations that were not looked at to the end, because a law was refuted before."""
    seconds: float
    audited: Audited = Audited(0)
    """What of the terms was held against steps on ints."""

    def judgements(self) -> list[Judgement]:
        return [j for p in self.proofs for j in p.judgements]

    @property
    def refuted(self) -> Judgement | None:
        """The first obligation with a counterexample."""
        return next((j for j in self.judgements() if j.verdict == "refuted"), None)


class Refusal(Exception):
    """A text that means something else on terms: where, and why."""


def prove(
    design: Outline,
    *,
    clause: str | None = None,
    all_failures: bool = False,
    processes: int | None = None,
    progress: Callable[[str], None] | None = None,
    asks_why: bool = False,
    audits: bool = True,
    machine: Outline | None = None,
    known: dict[str, Sequence[Formula]] | None = None,
    tries_harder: bool = True,
) -> Proved:
    """Prove every law for every operation; stop at the first refuted law, unless all failures are wanted.

    ``asks_why``: each proof says which laws it used. Without ``audits``, nothing is held against steps on ints. ``machine``: each
    operation's steps are looked for in this design, which has some of the same tables. ``known``: the laws as formulas, where they
    were made before. ``tries_harder``: where the solver knows no answer, it is asked again with more hypotheses.
    """
    began = time.perf_counter()
    compared = plain_code.compared(design, design.cls.geometry) if audits else plain_code.Compared({}, ())
    _Worker.samples, plain = compared.samples, Audited(0, compared.differences)
    _Worker.asks_why, _Worker.tries_harder = asks_why, tries_harder
    _Worker.known = {} if known is None else known
    _Worker.machine = machine
    initial = prove_initial(design, clause)
    proofs = [initial]
    names = [op.name for op in sorted(design.operations, key=_cost)]
    if all(j.verdict == "proved" for j in initial.judgements) or all_failures:
        proofs += _in_parallel(design, names, clause, all_failures, processes, progress)
    done = {p.operation for p in proofs if p.is_whole}
    audited = plain.and_of(p.audited for p in proofs)
    return Proved(tuple(proofs), tuple(n for n in names if n not in done), time.perf_counter() - began, audited)


def apart(design: Outline, machine: Outline | None = None) -> dict[str, Callable[[], Proof | None]]:
    """The proofs that make up the whole, by name, each to be made in the process that calls it."""
    names = [op.name for op in sorted(design.operations, key=_cost)]
    operations = {name: partial(prove_operation, design, name, machine=machine) for name in names}
    ends = {"what is pending": partial(demand_progress, design)} if design.pending else {}
    return {INITIAL: partial(prove_initial, design), **operations, **ends}


def _cost(op: object) -> tuple[int, str]:
    """Instructions walk tables and fork most: the short proofs come first, and fail first."""
    return int(getattr(op, "by_guest", False) and getattr(op, "returns", None) is not None), getattr(op, "name", "")


def _in_parallel(
    design: Outline,
    names: list[str],
    clause: str | None,
    all_failures: bool,
    processes: int | None,
    progress: Callable[[str], None] | None,
) -> list[Proof]:
    proofs: list[Proof] = []
    _Worker.clause, _Worker.to_the_end = clause, all_failures
    _Worker.design = design  # inherited by fork: a user's design need not be importable by name
    for result in _results(names, processes):
        if isinstance(result, str):
            raise Refusal(result)
        proofs.append(result)
        if progress:
            progress(result.operation)
        if not all_failures and any(j.verdict == "refuted" for j in result.judgements):
            break
    return sorted(proofs, key=lambda p: names.index(p.operation))


def _results(names: list[str], processes: int | None) -> Iterator[Proof | str]:
    """The proofs as they are done. They are made in other processes, with which all goes that a proof has made, terms by the
    gigabyte; or in this one, if that is asked for, if it may start none, or if laws cannot travel between several.

    What was not done when a process died is proved again, each by itself, so that it is known of which proof another dies."""
    may_not_start_any = multiprocessing.current_process().daemon
    if processes == 1 or may_not_start_any or not _travel(_Worker.design.laws):
        yield from map(_Worker.run, names)
        return
    left = list(names)
    try:
        for name, result in _in_a_pool(names, min(processes or processors(), len(names))):
            left.remove(name)
            yield result
    except BrokenProcessPool:
        for name in left:
            try:
                [(_, result)] = _in_a_pool([name], 1)
            except BrokenProcessPool:
                raise BadDesign(
                    f"{_Worker.design.name}: a process was ended from outside before it had proved {name}; "
                    "expected more memory, perhaps with fewer --jobs"
                ) from None
            yield result


def _in_a_pool(names: list[str], processes: int) -> Iterator[tuple[str, Proof | str]]:
    others = set(active_children())
    with ProcessPoolExecutor(processes, multiprocessing.get_context("fork"), _begin_work) as pool:
        try:
            with held_interrupts():
                futures = {pool.submit(_Worker.run, name): name for name in names}
            for done in as_completed(futures):
                yield futures[done], done.result()
        except BrokenProcessPool:
            raise
        except BaseException:  # also when nobody asks for further proofs
            end_at_once(pool, others)
            raise


def _begin_work() -> None:
    leave_ending_to_the_parent()
    collect_rarely()


def _travel(laws: Sequence[Law]) -> bool:
    """Whether another process can say which laws it means: those of a module that can be found again."""
    try:
        return tuple(pickle.loads(pickle.dumps(laws))) == tuple(laws)
    except (AttributeError, KeyError, pickle.PicklingError):
        return False


class _Worker:
    """What a worker process inherits."""

    design: Outline
    clause: str | None
    to_the_end: bool
    asks_why: bool = False
    tries_harder: bool = True
    samples: Mapping[str, Sequence[Sample]] = {}
    known: ClassVar[dict[str, Sequence[Formula]]] = {}
    """The laws as formulas, for all operations of the design."""
    machine: Outline | None = None
    """The design in which steps are looked for."""

    @staticmethod
    def run(name: str) -> Proof | str:
        try:
            return prove_operation(
                _Worker.design,
                name,
                _Worker.clause,
                to_the_end=_Worker.to_the_end,
                samples=_Worker.samples.get(name, ()),
                asks_why=_Worker.asks_why,
                tries_harder=_Worker.tries_harder,
                known=_Worker.known,
                machine=_Worker.machine,
            )
        except Unsound as why:
            return str(why)
