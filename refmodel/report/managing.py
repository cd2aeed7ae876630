"""Explanations of what manages memory: mechanisms, strategies, their rules, and strategies with a mistake."""

from __future__ import annotations

import inspect
import re

from refmodel.bugs import MUTANTS
from refmodel.management.mechanisms import DEFLATING, OLDEST, UNPLUGGING
from refmodel.management.mistakes import MISTAKES, Mistake
from refmodel.management.rules import RULES, Rule
from refmodel.management.simulation import POLICIES
from refmodel.monitor.compressed_memory import CompressedMemory
from refmodel.monitor.p2m import P2m
from refmodel.monitor.patching import Patching
from refmodel.monitor.swapping import Swapping
from refmodel.monitor.tmem import Tmem
from refmodel.points import MECHANISMS
from refmodel.report.texts import Explanation, about_file, chapters, place, source

ALL_MECHANISMS: dict[str, type[P2m]] = {**MECHANISMS, "patching": Patching, "tmem": Tmem}
COMPARED: dict[str, type[P2m]] = {
    "balloon": MECHANISMS["ballooning"], DEFLATING: MECHANISMS["deflate-on-oom"], UNPLUGGING: MECHANISMS["virtio-mem"],
    **{f"{name}{how}": cls for how in ("", OLDEST) for name, cls in (
        ("host swapping", Swapping), ("paging twice", Swapping), ("compressed memory", CompressedMemory))},
    "tmem, ephemeral pool": Tmem, "tmem, both pools": Tmem}
"""Mechanisms by their names in the comparison."""
STRATEGIES = "policy.md"
"""The chapter about strategies."""


def topics() -> list[str]:
    """Names that there is an explanation of."""
    return [*POLICIES, *ALL_MECHANISMS, *COMPARED, *RULES, *MISTAKES]


def explain(topic: str) -> Explanation | None:
    """The explanation of a topic; None if it is none of these."""
    hyphened, spaced = re.sub(r"[ _]", "-", topic.lower()), re.sub(r"[-_]", " ", topic.lower())
    if hyphened in POLICIES:
        return of_strategy(hyphened)
    if hyphened in MISTAKES:
        return of_mistake(hyphened, MISTAKES[hyphened])
    if spaced in RULES:
        return of_rule(RULES[spaced])
    by_name = {name.lower(): cls for name, cls in COMPARED.items()}
    cls = ALL_MECHANISMS.get(hyphened) or by_name.get(topic.lower())
    return of_mechanism(topic, cls) if cls is not None else None


def of_mechanism(name: str, cls: type[P2m]) -> Explanation:
    """What a mechanism is, its chapter, and what checks it."""
    file, called = f"{cls.__module__.replace('.', '/')}.py", next(each for each, found in ALL_MECHANISMS.items() if found is cls)
    about = tuple(about_file(file)) or ((file, inspect.cleandoc(inspect.getmodule(cls).__doc__ or "")),)
    stem = cls.__module__.rpartition(".")[2]
    bugs = tuple(f"{n}: {m.told}" for n, m in MUTANTS.items() if m.design.__module__ == f"refmodel.bugs.{stem}")
    checked = (f'refmodel check "any over {called}"',) if called in MECHANISMS else (f"refmodel check {called}",)
    return Explanation(f"{name}: {_what(cls)}", about, (), (
        ("its text", (place(cls),)),
        ("its chapter", tuple(f"specs/{chapter}" for chapter, _ in about if chapter.endswith(".md"))),
        ("bugs", bugs),
        ("checked by", checked),
        ("compared in", ("specs/pros_and_cons.md", "refmodel explain mechanisms") if cls in COMPARED.values() else ())))


def of_strategy(name: str) -> Explanation:
    """How a strategy decides, where the chapter speaks of it, the rules that it keeps, and mistakes that break them."""
    policy = POLICIES[name]
    return Explanation(f"{name}: a strategy for dividing memory among VMs", (
        (STRATEGIES, _rows_of(name)), (place(type(policy)), inspect.cleandoc(inspect.getmodule(type(policy)).__doc__ or ""))),
        ((place(type(policy)), source(type(policy))),), (
        ("its chapter", (f"specs/{STRATEGIES}",)),
        ("rules that it keeps", tuple(rule.sentence for rule in RULES.values() if name in rule.of)),
        ("strategies with a mistake", tuple(f"{n}: {m.told}" for n, m in MISTAKES.items() if m.of == name)),
        ("compared in", ("specs/pros_and_cons.md", f"refmodel explain policy --policy {name}"))))


def of_rule(rule: Rule) -> Explanation:
    """A rule, who keeps it, and the mistakes that break it."""
    return Explanation(f"{rule.name}: {rule.sentence}", (), ((place(rule.check), source(rule.check)),), (
        ("from", (rule.source,)), ("its chapter", (f"specs/{STRATEGIES}",)), ("kept by", rule.of),
        ("broken by", tuple(f"{n}: {m.told}" for n, m in MISTAKES.items() if m.rule == rule.name))))


def of_mistake(name: str, mistake: Mistake) -> Explanation:
    """A strategy with a mistake: the change, the rule that it breaks, and what the rule finds."""
    rule = RULES[mistake.rule]
    return Explanation(f"{name}: {mistake.told}", (), ((place(mistake.change), source(mistake.change)),), (
        ("a change to", (mistake.of,)), ("breaks", (f"{rule.name}: {rule.sentence}",)),
        ("what the rule finds", (rule.check(mistake.part) or "nothing",)), ("its chapter", (f"specs/{STRATEGIES}",))))


def _what(cls: type[P2m]) -> str:
    """The first sentence about a mechanism."""
    words = cls.__doc__ if cls.__doc__ and cls.__doc__ != P2m.__doc__ else inspect.getmodule(cls).__doc__
    plain = " ".join((words or "").replace("``", "").split())
    return re.split(r"(?<=[.])\s", re.sub(r"^[A-Z][\w -]*: ", "", plain))[0]


def _rows_of(name: str) -> str:
    """The row of the chapter's table of strategies that is about one."""
    lines = dict(chapters())[STRATEGIES].splitlines()
    at = next(number for number, line in enumerate(lines) if line.startswith("| strategy |"))
    return "\n".join([*lines[at:at + 2], *(line for line in lines if line.startswith(f"| `{name}` |"))])
