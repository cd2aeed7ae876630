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

`refmodel mutate DESIGN` changes the text of a design, one place at a time, and reports the changes
that no check detects. Such a change shows that a law is missing, or that the changed code has no
effect. This chapter is generated (`python -m refmodel.report.mutation > specs/mutation.md`); a test
fails if it is out of date.

## What is changed

Every function that an operation of the design can call is changed. Laws are not changed. The
specification of the hardware that guests expect is judged separately, as `machine`:
`refmodel/machine`, `refmodel/bare.py`, `refmodel/bare_levels.py`, `refmodel/bare_roles.py` and
`refmodel/mmu/control_registers.py`.

| operator | change |
|---|---|
| drop call, store, assignment, require, delete, raise, return | a statement is left out |
| guard always, guard never | an `if` is always or never taken |
| negate condition, drop not, other comparison | a condition is reversed; `>=` becomes `>` |
| drop operand, swap and/or | an operand of `and` or `or` is left out; the two words are exchanged |
| condition always, condition never | `reset`, `assign`, `choose` or `count` takes every entry, or none |
| other flag, other member, off by one, other arithmetic | a constant or an operator is replaced by its neighbour |
| other name, swap arguments | a parameter is replaced by another of the same type; two arguments are exchanged |
| drop field | a field of a record keeps its default, or keeps its old value |

## Who notices

The engines judge a mutant in this order, and the first engine that notices it counts. (For most
designs, runs beside another design come after the proof, which is faster.) The proof covers the
operations that call the changed function. If laws call the function too, the proof covers all
operations.

| column | meaning |
|---|---|
| runs | 6,000 steps of random runs break a law, or 3,000 steps in another geometry do; or work that the original text ends stays\
 [pending](progress.md) |
| vacuous | soon after power-on the original text applies an operation, reaches an outcome or meets a law's premise, and the mutant\
 never does |
| beside | a guest sees a difference between the mutant and another design that runs beside it, in their own geometry |
| proof | a lawful state and one step from it break a law; or an operation takes no step, or a step that the\
 [guests' machine](simulation.md) does not have; or an operation completes no instruction |
| not shown | an obligation is not proved, and no small counterexample is found; or the proof no longer shows that pending work\
 ends |
| exploration | the solver gives up, and exploring every state of a small geometry finds a run that breaks a law |
| tests | for `machine`: a named test fails |

These mutants are not counted. *The same*: the solver proves that the mutant does what the text
does, from every lawful state. *Allowed*: the solver proves that the text may do whatever the mutant
does, so the mutant breaks no law. It only refuses more often, or runs short of memory more often.
*Reason*: a person wrote down why the mutant is equivalent
([equivalent.toml](../refmodel/engines/mutation/equivalent.toml)).

The column *left* counts the survivors. The score is the share of noticed mutants among noticed
mutants and survivors. The column *noticed* is the same share where mutants with a reason count as
survivors.

## Scores

"""
COLUMNS = (
    "text",
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
If a row names a file beside the design, only the functions in that file were changed (`--only`).

If a row has fewer judged mutants than mutants, the judged mutants were drawn at random (`--limit`),
and both shares are estimates. Reasons exist only for the survivors of the sample, so a run of every
mutant lists more equivalent mutants that have no reason yet.
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
    text = "\n## Survivors without a reason\n\nEach survivor shows that a law is missing, or that a reason is not recorded yet.\n"
    for score in found:
        if score.survivors:
            text += f"\n{score.key}:\n\n" + "".join(f"    {key}\n" for key in score.survivors)
    return text


def _reasons() -> str:
    text = "\n## Reasons\n\n"
    for reason in known():
        where = f" ({', '.join(reason.designs)})" if reason.designs else ""
        text += f"- {reason.says}{where}: {many(len(reason.mutants), 'mutant')}.\n"
    return text


if __name__ == "__main__":
    remaking.printed("refmodel.report.mutation", "the chapter on mutants", chapter)
