"""Explanations of what manages memory: mechanisms, strategies, their rules, and strategies with a mistake."""

from __future__ import annotations

import inspect
import re

from refmodel.bugs import MUTANTS
from refmodel.management.estimating.estimators import ESTIMATORS
from refmodel.management.mechanisms import DEFLATING, OLDEST, UNPLUGGING
from refmodel.management.mistakes import MISTAKES, Mistake
from refmodel.management.rules import PARTS, RULES, Rule
from refmodel.management.simulation import POLICIES
from refmodel.monitor.compressed_memory import CompressedMemory
from refmodel.monitor.p2m import P2m
from refmodel.monitor.patching import Patching
from refmodel.monitor.swapping import Swapping
from refmodel.monitor.tmem import Tmem
from refmodel.points import MECHANISMS
from refmodel.report.texts import Explanation, about_file, chapters, first_words, headings, place, plain, sections, source

ALL_MECHANISMS: dict[str, type[P2m]] = {**MECHANISMS, "patching": Patching, "tmem": Tmem}
COMPARED: dict[str, type[P2m]] = {
    "balloon": MECHANISMS["ballooning"],
    DEFLATING: MECHANISMS["deflate-on-oom"],
    UNPLUGGING: MECHANISMS["virtio-mem"],
    **{
        f"{name}{how}": cls
        for how in ("", OLDEST)
        for name, cls in (("host swapping", Swapping), ("paging twice", Swapping), ("compressed memory", CompressedMemory))
    },
    "tmem, ephemeral pool": Tmem,
    "tmem, both pools": Tmem,
}
"""Mechanisms by their names in the comparison."""
STRATEGIES = "policy.md"
"""The chapter about strategies."""
MEASURED = "pros_and_cons.md"
"""The chapter about what was measured."""
RULES_AT = f"specs/{STRATEGIES}: Rules, and mistakes that break them"
WHICH_ESTIMATOR = "Which estimator to use"
"""Its heading about estimators."""
PARTS_BESIDE = {name: part for name, part in PARTS.items() if name not in (*POLICIES, *ESTIMATORS)}
"""What the comparison has beside the strategies."""


def topics() -> list[str]:
    """Names that there is an explanation of."""
    return [*POLICIES, *ALL_MECHANISMS, *COMPARED, *RULES, *MISTAKES, *ESTIMATORS, *PARTS_BESIDE]


def explain(topic: str) -> Explanation | None:
    """The explanation of a topic; None if it is none of these."""
    hyphened, spaced = re.sub(r"[ _]", "-", topic.lower()), re.sub(r"[-_]", " ", topic.lower())
    if hyphened in POLICIES:
        return of_strategy(hyphened)
    if hyphened in MISTAKES:
        return of_mistake(hyphened, MISTAKES[hyphened])
    if spaced in RULES:
        return of_rule(RULES[spaced])
    if spaced in PARTS_BESIDE:
        return of_part(spaced)
    estimator = next((name for name in ESTIMATORS if name.lower() == spaced), None)
    if estimator is not None:
        return of_estimator(estimator)
    by_name = {name.lower(): cls for name, cls in COMPARED.items()}
    cls = ALL_MECHANISMS.get(hyphened) or by_name.get(topic.lower())
    return of_mechanism(topic, cls) if cls is not None else None


def of_mechanism(name: str, cls: type[P2m]) -> Explanation:
    """What a mechanism is, its chapter, and what checks it."""
    file, called = f"{cls.__module__.replace('.', '/')}.py", next(each for each, found in ALL_MECHANISMS.items() if found is cls)
    about = tuple(about_file(file)) or ((file, inspect.cleandoc(inspect.getmodule(cls).__doc__ or "")),)
    stem = cls.__module__.rpartition(".")[2]
    own_file = {n for n, m in MUTANTS.items() if m.design.__module__ == f"refmodel.bugs.{stem}"}
    bugs = tuple(f"{n}: {m.told}" for n, m in MUTANTS.items() if n in own_file or _changes(m.design, cls))
    checked = (f'refmodel check "any over {called}"',) if called in MECHANISMS else (f"refmodel check {called}",)
    own = f"specs/{about[0][0]}" if about[0][0].endswith(".md") else ""
    see = tuple(headings(*each) for each in about) if own else ()
    words = first_words(about[0][1]) if own else plain(about[0][1].split("\n\n")[0])
    return Explanation(
        f"{name}: {_what(cls)}",
        words,
        see,
        about,
        (),
        (
            ("source file", (place(cls),)),
            ("its chapter", tuple(f"specs/{chapter}" for chapter, _ in about if chapter.endswith(".md"))),
            ("bugs", bugs),
            ("checked by", checked),
            ("compared in", ("specs/pros_and_cons.md", "refmodel explain mechanisms") if cls in COMPARED.values() else ()),
        ),
    )


def _changes(defect: type, mechanism: type) -> bool:
    """Whether a design with a defect overrides an operation or method that the mechanism itself defines."""
    base = defect.__mro__[1]
    own = {name for name, each in vars(mechanism).items() if inspect.isfunction(each)}
    return issubclass(base, mechanism) and any(inspect.isfunction(each) and name in own for name, each in vars(defect).items())


def of_strategy(name: str) -> Explanation:
    """How a strategy decides, where the chapter speaks of it, the rules that it keeps, and mistakes that break them."""
    policy = POLICIES[name]
    words = inspect.cleandoc(inspect.getmodule(type(policy)).__doc__ or "")
    return Explanation(
        f"{name}: a strategy for dividing memory among VMs",
        plain(words),
        (
            f"specs/{STRATEGIES}: Shares, taxes and other strategies; Rules, and mistakes that break them",
            f"specs/{MEASURED}: What to use when; Strategies",
        ),
        ((STRATEGIES, _rows_of(name)), (place(type(policy)), words)),
        ((place(type(policy)), source(type(policy))),),
        (
            ("its chapter", (f"specs/{STRATEGIES}",)),
            ("rules that it keeps", tuple(rule.sentence for rule in RULES.values() if name in rule.of)),
            ("strategies with a mistake", tuple(f"{n}: {m.told}" for n, m in MISTAKES.items() if m.of == name)),
            ("compared in", ("specs/pros_and_cons.md", f"refmodel explain policy --policy {name}")),
        ),
    )


def of_rule(rule: Rule) -> Explanation:
    """A rule, who keeps it, and the mistakes that break it."""
    return Explanation(
        f"{rule.name}: {rule.sentence}",
        "",
        (RULES_AT,),
        (),
        ((place(rule.check), source(rule.check)),),
        (
            ("from", (rule.source,)),
            ("its chapter", (f"specs/{STRATEGIES}",)),
            ("kept by", rule.of),
            ("broken by", tuple(f"{n}: {m.told}" for n, m in MISTAKES.items() if m.rule == rule.name)),
        ),
    )


def of_mistake(name: str, mistake: Mistake) -> Explanation:
    """A strategy with a mistake: the change, the rule that it breaks, and what the rule finds."""
    rule = RULES[mistake.rule]
    return Explanation(
        f"{name}: {mistake.told}",
        "",
        (RULES_AT,),
        (),
        ((place(mistake.change), source(mistake.change)),),
        (
            ("a change to", (mistake.of,)),
            ("breaks", (f"{rule.name}: {rule.sentence}",)),
            ("what the rule finds", (rule.check(mistake.part) or "nothing",)),
            ("its chapter", (f"specs/{STRATEGIES}",)),
        ),
    )


def of_estimator(name: str) -> Explanation:
    """How an estimator sees what a VM needs, and how near it was to the truth in what was measured."""
    estimator = ESTIMATORS[name]
    about = inspect.cleandoc(estimator.__doc__ or "")
    return Explanation(
        f"{name}: an estimator of how much memory a VM needs",
        plain(about),
        (f"specs/{MEASURED}: {WHICH_ESTIMATOR}",),
        ((place(estimator), about),),
        ((place(estimator), source(estimator)),),
        (
            ("measured, over all programs", _measured(name)),
            ("the truth", ("the working set: the pages that the VM touched in the last ten periods",)),
            ("its chapter", (f"specs/{MEASURED}",)),
            ("compared in", ("refmodel explain mechanisms",)),
        ),
    )


def _measured(name: str) -> tuple[str, ...]:
    """The row of an estimator in the table that says which to use, each number with the head of its column."""
    blocks = next(part.blocks for part in sections(dict(chapters())[MEASURED]) if part.heading == WHICH_ESTIMATOR)
    rows = [
        [cell.strip() for cell in row.strip("|").split("|")]
        for block in blocks
        if block.startswith("| estimator")
        for row in block.splitlines()
    ]
    return tuple(f"{head}: {cell}" for row in rows if row[0] == name for head, cell in zip(rows[0][1:], row[1:], strict=True))


def of_part(name: str) -> Explanation:
    """What the comparison of strategies has beside them, such as the bound: what it is, and its rules."""
    part = PARTS_BESIDE[name]
    module = inspect.getmodule(part)
    words, _, more = inspect.cleandoc(module.__doc__ or "").partition("\n\n")
    title = re.sub(r"^[\w -]*: ", "", plain(words))
    return Explanation(
        f"{name}: {title}",
        plain(more),
        (RULES_AT, f"specs/{MEASURED}: Strategies"),
        (),
        ((place(part), source(part)),),
        (
            ("rules that it keeps", tuple(rule.sentence for rule in RULES.values() if name in rule.of)),
            ("with a mistake", tuple(f"{n}: {m.told}" for n, m in MISTAKES.items() if m.of == name)),
            ("its chapter", (f"specs/{STRATEGIES}", f"specs/{MEASURED}")),
        ),
    )


def _what(cls: type[P2m]) -> str:
    """The first sentence about a mechanism."""
    words = cls.__doc__ if cls.__doc__ and cls.__doc__ != P2m.__doc__ else inspect.getmodule(cls).__doc__
    plain = " ".join((words or "").replace("``", "").split())
    return re.split(r"(?<=[.])\s", re.sub(r"^[A-Z][\w -]*: ", "", plain))[0]


def _rows_of(name: str) -> str:
    """The row of the chapter's table of strategies that is about one."""
    lines = dict(chapters())[STRATEGIES].splitlines()
    at = next(number for number, line in enumerate(lines) if line.startswith("| strategy |"))
    return "\n".join([*lines[at : at + 2], *(line for line in lines if line.startswith(f"| `{name}` |"))])
