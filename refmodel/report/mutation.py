"""The chapter about mutation: what the operators are, and the score of each text, from the file in which scores are kept."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

from refmodel.designs import COMBINED, SHIPPED
from refmodel.engines.mutation import scores
from refmodel.engines.mutation.hardware import NAME
from refmodel.engines.mutation.mutants import relative
from refmodel.engines.mutation.reach import reached
from refmodel.engines.mutation.reasons import known
from refmodel.engines.mutation.scores import Score
from refmodel.language import outline, remaking
from refmodel.language.plurals import many
from refmodel.language.sources import code_of

HEAD = """# Mutation

`refmodel mutate DESIGN` changes the code of a design, one place at a time, and reports the changes
that no check detects. An undetected change shows that a law is missing, or that the changed code
has no effect. This page is generated (`python -m refmodel.report.mutation > specs/mutation.md`); a
test fails if the page is out of date.

## What is changed

`refmodel mutate` changes every function that an operation of the design can call, and no laws. The
specification of the hardware that guests expect is mutated separately, as `machine`:
`refmodel/machine`, `refmodel/bare.py`, `refmodel/bare_levels.py`, `refmodel/bare_roles.py` and
`refmodel/mmu/control_registers.py`.

| mutation operator | change of the code |
|---|---|
| drop call, store, assignment, require, delete, raise, return | the statement is left out |
| guard always, guard never | an `if` is always or never taken |
| negate condition, drop not, other comparison | a condition is reversed; `>=` becomes `>` |
| drop operand, swap and/or | an operand of `and` or `or` is left out; `and` and `or` are exchanged |
| condition always, condition never | the condition of `reset`, `assign`, `choose` or `count` is always true, or always false |
| other flag, other member, off by one, other arithmetic | a constant or an operator is replaced by a similar one |
| other name, swap arguments | a parameter is replaced by another of the same type; two arguments are exchanged |
| drop field | a field of a record keeps its default, or keeps its old value |

## Who notices

The engines judge each mutant in the order of the following columns, and the first engine that
detects the mutant counts. (For most designs, runs beside another design come after the proof, which
is faster.) The proof of a mutant covers the operations that call the changed function. If laws also
call the changed function, the proof covers all operations.

| column of the table of scores | meaning |
|---|---|
| runs | 6,000 steps of random runs, or 3,000 steps in another geometry, break a law; or work that the original code ends stays\
 [pending](progress.md) |
| vacuous | soon after power-on the original design applies an operation, reaches an outcome or meets a law's premise, and the\
 mutant never does |
| beside | a guest gets different answers from the mutant and from another design that runs beside the mutant |
| proof | a step from a lawful state breaks a law; or an operation never applies, or takes a step that the\
 [bare machine](simulation.md) does not have; or an operation completes no instruction |
| not shown | an obligation is not proved, and no small counterexample is found; or the proof no longer shows that pending work\
 ends |
| exploration | the solver gives up, and an exploration of a small geometry finds a run that breaks a law |
| tests | for `machine`: a named test fails |

Three kinds of mutants do not count for the score:

- *Same*: the solver proves that the mutant behaves like the original code, from every lawful state.
- *Allowed*: the solver proves that the original code may do whatever the mutant does, so the mutant
  breaks no law. An allowed mutant only refuses an operation, or lacks memory, more often.
- *Reason*: an author has recorded why the mutant is equivalent
  ([equivalent.toml](../refmodel/engines/mutation/equivalent.toml)). For a design of your own,
  `--reasons FILE` names a file of the same form.

An obligation that is not proved of the original code detects no mutant. Prove the design first.

The column *left* counts the survivors. The score is the share of detected mutants among detected
mutants and survivors. For the share in the column *noticed*, mutants with a recorded reason count
as survivors.

## Scores

"""
COLUMNS = (
    "design",
    "mutants",
    "judged",
    "runs",
    "vacuous",
    "beside",
    "proof",
    "not shown",
    "exploration",
    "tests",
    "same",
    "allowed",
    "reason",
    "left",
    "noticed",
    "score",
)
SAMPLED = """
If a row of the table names a file after the design, only the functions in that file were changed
(`--only`).

If a row has fewer judged mutants than mutants, the judged mutants were drawn at random (`--limit`),
and the shares in the row are estimates. Reasons are recorded only for the survivors of such a
sample, so a run with every mutant lists more equivalent mutants without a reason.
"""
FILE = "scores.json"


def recorded() -> dict[str, Score]:
    """The scores that are kept with the text, by what they are called there."""
    with resources.as_file(resources.files("refmodel.engines.mutation").joinpath(FILE)) as file:
        return scores.kept(Path(file))


def chapter() -> str:
    """The whole chapter."""
    order = {name: at for at, name in enumerate((*SHIPPED, *COMBINED, NAME))}  # other points of the space come last
    found = sorted(recorded().values(), key=lambda s: (bool(s.only), order.get(s.name, len(order)), s.name, s.only))
    text = HEAD + f"| {' | '.join(COLUMNS)} |\n{'|---' * len(COLUMNS)}|\n" + "".join(map(_row, found)) + SAMPLED
    if missing := sorted(_files() - _judged(found)):
        text += f"\nNot judged yet: {', '.join(missing)}.\n"
    return text + _survivors(found) + _reasons()


def _files() -> set[str]:
    """The files of MMUs and mechanisms that operations of the shipped designs are written in."""
    return {file for name in SHIPPED for file in _files_of(name)}


def _files_of(name: str) -> set[str]:
    files = {relative(code_of(f).co_filename) for f in reached(outline(SHIPPED[name]))}
    return {file.removeprefix("refmodel/") for file in files if file.startswith(("refmodel/mmu/", "refmodel/monitor/"))}


def _judged(found: list[Score]) -> set[str]:
    whole = {file for s in found if not s.only and s.name in SHIPPED for file in _files_of(s.name)}
    return whole | {s.only for s in found}


def _row(s: Score) -> str:
    numbers = (
        s.mutants,
        s.judged,
        s.by_runs,
        s.vacuous,
        s.side_by_side,
        s.by_proof,
        s.not_shown,
        s.by_exploration,
        s.by_tests,
        s.same,
        s.allowed,
        s.with_reason,
        len(s.survivors),
    )
    return f"| {s.key} | {' | '.join(map(str, numbers))} | {s.plain_percent:.1f} % | {s.percent:.1f} % |\n"


def _survivors(found: list[Score]) -> str:
    text = "\n## Survivors without a reason\n\n"
    text += "Each surviving mutant shows that a law is missing, or that a reason is not recorded yet.\n"
    for score in found:
        if score.survivors:
            text += f"\n{score.key}:\n\n" + "".join(f"    {key}\n" for key in score.survivors)
    return text


def _reasons() -> str:
    text = "\n## Reasons\n\nEach reason says why some undetected mutants are equivalent to the original code.\n\n"
    for reason in known():
        where = f" ({', '.join(reason.designs)})" if reason.designs else ""
        text += f"- {reason.says}{where}: {many(len(reason.mutants), 'mutant')}.\n"
    return text


if __name__ == "__main__":
    remaking.printed("refmodel.report.mutation", "the chapter on mutants", chapter)
