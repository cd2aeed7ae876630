"""What a clause, a law, a bug or a design is: the chapter's words, the text, and what checks it.

Chapters are in specs/, which is part of the package. A chapter is about the files of the text that it names at its head.
"""

from __future__ import annotations

import inspect
import re
import shlex
from collections.abc import Sequence
from itertools import takewhile
from typing import Any

import attrs

from refmodel.bugs import MUTANTS, Mutant
from refmodel.designs import COMBINED, SHIPPED
from refmodel.engines.theorems import home, theorems_of
from refmodel.language import BadDesign, Design, Law, outline
from refmodel.language.design import claims_of
from refmodel.language.nearly import did_you_mean, slug
from refmodel.loading import find
from refmodel.oracle.trace.observed import Judged
from refmodel.points import MMUS
from refmodel.report import managing
from refmodel.report.other_names import OTHER_NAMES, here
from refmodel.report.texts import (
    EFF_3,
    Explanation,
    about_file,
    about_laws,
    first_words,
    glossary,
    headings,
    of_property,
    paragraphs,
    place,
    places,
    plain,
    sentence_of,
    source,
    text_files,
)

WORDS_OF_AN_MMU = 4
"""The most words of an MMU's name, as in ``ept 4K/2M acknowledged tagged``."""
CLAUSE = re.compile(r"[A-Z]{3}-\d")
OTHERS = ("exits", "instructions", "mechanisms", "policy")
"""What ``refmodel explain`` has a table of."""
THEOREMS = "theorems"
"""What lists every theorem by name."""


def explain(topic: str) -> Explanation:
    """The explanation of a topic; ``BadDesign`` if there is nothing of that name."""
    topic = topic.strip()
    bug = next((n for n, m in MUTANTS.items() if n == topic or (m.entry and m.entry == topic.upper())), None)
    if bug is not None:
        return of_bug(bug, MUTANTS[bug])
    if topic in SHIPPED | COMBINED:
        return of_design(topic, (SHIPPED | COMBINED)[topic])
    laws, name = all_laws(), topic.replace(" ", "_")
    if name in laws:
        return of_law(laws[name])
    if topic == THEOREMS:
        return of_every_theorem()
    theorems = theorems_called(topic)
    if len(theorems) == 1:
        return of_theorem(theorems[0])
    if theorems:
        return of_family(theorems)
    if CLAUSE.fullmatch(topic.upper()) and topic.upper() in {EFF_3, *(law.clause for law in laws.values())}:
        return of_clause(topic.upper(), [law for law in laws.values() if law.clause == topic.upper()])
    said = next((law for law in laws.values() if slug(topic) == slug(law.sentence)), None)
    if said is not None:
        return of_law(said)
    if is_like_a_design(topic):
        return of_design(topic, outline(find(topic)).cls)  # somebody's text may not be in the language
    of_memory = managing.explain(topic)
    if of_memory is not None:
        return of_memory
    word = next((word for word in glossary() if word.lower() == topic.lower()), None)
    if word is not None:
        return Explanation(word, *glossary()[word])
    name_here = here(topic)
    if name_here is not None:
        known = explain(name_here)
        return attrs.evolve(known, title=f"{topic}, here {known.title}")
    everything = (
        *MUTANTS,
        *SHIPPED,
        *COMBINED,
        *laws,
        *sorted({law.clause for law in laws.values()}),
        *managing.topics(),
        *OTHERS,
        THEOREMS,
        *OTHER_NAMES,
        *glossary(),
    )
    known_theorems = installed_theorems()
    same = tuple(dict.fromkeys(family(each) for each in known_theorems if topic == family(each).rpartition(".")[2]))
    meant = did_you_mean(topic, (*everything, *dict.fromkeys(family(each) for each in known_theorems)), first=same)
    hint = f"; {meant}" if meant else ""
    raise BadDesign(
        f"{topic}: nothing of that name; expected a clause (ISO-2), a law of refmodel, a bug of refmodel bench, a design as "
        f"refmodel check takes it, a theorem (refmodel explain theorems lists them), a mechanism, "
        f"a strategy, an estimator of a VM's memory need, a word of the glossary, "
        f"{', '.join(OTHERS[:-1])} or {OTHERS[-1]}{hint}. The laws of a design of your own: refmodel explain FILE.py:CLASS"
    )


def is_like_a_design(topic: str) -> bool:
    """Whether a topic is spelt as a design that is not shipped under a name: a file, a class, or an MMU over mechanisms. A sentence
    with a colon, or with the word over, is not."""
    mmu, over, _ = topic.partition(" over ")
    is_sentence = topic.endswith(".") or ": " in topic or (topic[:1].isupper() and mmu.lower() not in MMUS)
    is_over = bool(over) and not is_sentence and len(mmu.split()) <= WORDS_OF_AN_MMU
    return topic.endswith(".py") or re.search(r":(?!\s)", topic) is not None or is_over


def installed_theorems() -> list[Any]:
    """Every theorem; none if theorems are not installed."""
    try:
        return list(theorems_of(home()))
    except BadDesign:
        return []


def family(theorem: Any) -> str:
    """The name of a theorem without what it is about: the same statement is proved of several designs, levels or schemes."""
    return str(theorem.name).partition("(")[0]


def theorems_called(topic: str) -> list[Any]:
    """The theorem of that name, or with that sentence. Without the part in brackets, or with DESIGN there, all of the family.

    The last part of a family's name is enough if no other family ends so.
    """
    found = installed_theorems()
    one = [theorem for theorem in found if topic == theorem.name or slug(topic) == slug(theorem.says)]
    if one:
        return one[:1]
    name = re.sub(r"\((DESIGN)?\)$", "", topic)
    by_family: dict[str, list[Any]] = {}
    for theorem in found:
        by_family.setdefault(family(theorem), []).append(theorem)
    called = [
        each
        for each, of_it in by_family.items()
        if name in (each, each.rpartition(".")[2])
        or slug(topic) in {slug(says) for says in (in_common(of_it), *map(of_all, of_it))}
    ]
    return by_family[called[0]] if len(called) == 1 else []


def of_all(theorem: Any) -> str:
    """What a family of theorems says, with DESIGN or NAME for what it is about, and without the levels or the scheme."""
    about = str(theorem.of[0]) if theorem.of else ""
    says = re.sub(rf" \((\w* )?{re.escape(about)}[^()]*\)(?=[.]?$)", "", theorem.says)
    any_of = "DESIGN" if about in SHIPPED | COMBINED else "NAME"
    return re.sub(rf"\b{re.escape(about)}(?![\w+])", any_of, says, count=1) if about[:1].isalpha() else says


def in_common(theorems: Sequence[Any]) -> str:
    """The sentences that all of a family say, from the first on; of designs, all that are shipped."""
    shipped = [theorem for theorem in theorems if theorem.of and theorem.of[0] in SHIPPED | COMBINED]
    each = [re.split(r"(?<=[.]) ", of_all(theorem)) for theorem in shipped or theorems]
    return " ".join(alike[0] for alike in takewhile(lambda alike: len(set(alike)) == 1, zip(*each, strict=False)))


def of_every_theorem() -> Explanation:
    """The names of theorems, each with its sentence; the same statement about several designs, levels or schemes is one line."""
    first: dict[str, list[Any]] = {}
    for theorem in installed_theorems():
        first.setdefault(family(theorem), []).append(theorem)
    lines = tuple(
        f"{name} ({', '.join(str(t.of[0]) for t in each)}): {in_common(each) or each[0].says}"
        if len(each) > 1
        else f"{each[0].name}: {each[0].says}"
        for name, each in first.items()
    )
    return Explanation(
        f"{THEOREMS}: what refmodel prove proves",
        "The name of a theorem is its family, and in brackets a design, a number of levels or a paging scheme.",
        ("specs/trust.md: what is trusted",),
        checked_by=((f"{len(lines)} families", lines), ("proved by", ("refmodel prove",))),
    )


def of_family(theorems: Sequence[Any]) -> Explanation:
    """A statement that is proved of several designs, levels or schemes: its sentence, its proof, and the theorems by name."""
    first, name = theorems[0], family(theorems[0])
    told = of_theorem(first)
    assumed = tuple(each.replace(str(first.of[0]), "DESIGN") for each in dict(told.checked_by)["assumed"])
    return attrs.evolve(
        told,
        title=f"{name}: {in_common(theorems) or first.says}",
        checked_by=(
            ("theorems", tuple(theorem.name for theorem in theorems)),
            ("assumed", assumed),
            ("proved by", (f"refmodel prove {name}",)),
        ),
    )


def of_theorem(theorem: Any) -> Explanation:
    """A theorem as a sentence, what it says in full, its proof, and what it assumes."""
    words = inspect.cleandoc(theorem.proof.__doc__ or "")
    design = theorem.of[0] if theorem.of and theorem.of[0] in SHIPPED | COMBINED else None
    assumed = (f"the laws of {design} hold in the state from which a step is taken; this is the induction",) if design else ()
    return Explanation(
        f"{theorem.name}: {theorem.says}",
        plain(words),
        ("specs/trust.md: what is trusted",),
        (("in full", words),) if words else (),
        ((f"{theorem.proof.__module__.replace('.', '/')}.py", inspect.getsource(theorem.proof)),),
        (
            ("assumed", (*assumed, "the reading of Python on terms, and z3: specs/trust.md")),
            ("proved by", (f"refmodel prove '{theorem.name}'",)),
        ),
    )


def all_laws() -> dict[str, Law]:
    """Every law of a shipped design or of the judge of traces, and every condition that is to come to an end, by name."""
    return {law.name: law for cls in (*SHIPPED.values(), *COMBINED.values(), Judged) for law in claims_of(cls).all}


def of_clause(clause: str, laws: list[Law]) -> Explanation:
    """The property, the laws, and who has, breaks and judges them."""
    texts = tuple((place(law.function), source(law.function)) for law in laws)
    return Explanation(
        f"{clause}: {sentence_of(clause)}",
        of_property(clause),
        places(clause),
        tuple(paragraphs(clause)),
        texts,
        (
            ("laws", tuple(f"{law.name}: {law.sentence}" for law in laws)),
            ("mechanisms with laws of their own", tuple(mechanisms_of(laws))),
            ("designs", tuple(name for name, cls in SHIPPED.items() if clause in {law.clause for law in claims_of(cls).all})),
            ("bugs", bugs_of(clause)),
            ("theorems", theorems_on(clause)),
            ("traces", ("refmodel judge TRACE",) if clause in {law.clause for law in claims_of(Judged).laws} else ()),
        ),
    )


def mechanisms_of(laws: list[Law]) -> list[str]:
    """The mechanisms that some of these laws are about, and not all of memory management."""
    subjects = {next(iter(inspect.signature(law.function, eval_str=True).parameters.values())).annotation for law in laws}
    return [name for name, cls in managing.ALL_MECHANISMS.items() if cls in subjects]


def bugs_of(clause: str) -> tuple[str, ...]:
    """The bugs that break a clause, those that a hypervisor had first."""
    found = sorted((item for item in MUTANTS.items() if item[1].clause == clause), key=lambda item: not item[1].entry)
    return tuple(f"{name}: {mutant.told}" for name, mutant in found)


def theorems_on(clause: str) -> tuple[str, ...]:
    """The families of theorems that a clause follows from, each with what it says of one design."""
    proved = [t for t in installed_theorems() if t.of and t.of[0] in SHIPPED | COMBINED]
    if not proved:
        return ()
    families = ("designs.", "noninterference.") if clause == "ISO-6" else ("designs.",)
    found = [next(t for t in proved if t.name.startswith(family)) for family in families]
    return tuple(f"{family(t)}(DESIGN): {of_all(t).partition('. ')[0]}" for t in found)


def of_law(law: Law) -> Explanation:
    """Its clause, its text, and who has and breaks it."""
    file, clause = place(law.function).partition(":")[0], law.clause
    here = {name for name, _ in about_laws(file)} | {"properties.md"}
    see = tuple(where for where in places(clause) if where.removeprefix("specs/").partition(":")[0] in here)
    return Explanation(
        f"{clause}: {law.sentence}",
        f"A law of {clause}: {sentence_of(clause)}.",
        see,
        tuple(paragraphs(clause)),
        ((place(law.function), source(law.function)),),
        (
            (
                "proved for any number of names, explored, and met by random runs in",
                tuple(name for name, cls in SHIPPED.items() if law in claims_of(cls).all),
            ),
            ("mechanisms", tuple(mechanisms_of([law]))),
            ("bugs that break its clause", bugs_of(clause)),
            ("traces", ("refmodel judge TRACE",) if law in claims_of(Judged).laws else ()),
        ),
    )


def of_bug(name: str, mutant: Mutant) -> Explanation:
    """Where it is on record, the change, and what it breaks."""
    module = inspect.getmodule(mutant.design)
    about = (module.__doc__ or "").strip() if mutant.entry and module else ""
    gallery = (f"specs/gallery/{name}.md: the shortest run",) if mutant.entry else ()
    return Explanation(
        f"{name}: {mutant.title}",
        plain(about),
        (*gallery, *places(mutant.clause)[:1]),
        (("where it is on record", about),) if about else (),
        ((place(mutant.design), source(mutant.design)),),
        (
            ("breaks", (f"{mutant.clause}: {sentence_of(mutant.clause)}",)),
            ("a change to", (mutant.design.__mro__[1].__name__,)),
            ("found by", (f"refmodel bench {name}",)),
        ),
    )


def of_design(name: str, cls: type[Design]) -> Explanation:
    """Its chapters, what it is made of, and what checks it."""
    claims = claims_of(cls)
    chapters = dict(chapter for file in text_files(cls) for chapter in about_file(file))
    laws: dict[str, int] = {}
    for law in claims.all:
        laws[law.clause] = laws.get(law.clause, 0) + 1
    first, words = next(iter(chapters.items()), ("", ""))
    return Explanation(
        f"{name}: {(cls.__doc__ or '').strip()}".removesuffix(": "),
        first_words(words).replace("This chapter", f"The chapter specs/{first}"),
        tuple(headings(*each) for each in chapters.items()),
        tuple(chapters.items()),
        (),
        (
            ("source files", tuple(text_files(cls))),
            ("mechanisms", tuple(each for each, mechanism in managing.ALL_MECHANISMS.items() if issubclass(cls, mechanism))),
            ("instructions of a guest", tuple(sorted(op.name for op in claims.operations if op.by_guest))),
            ("operations", tuple(sorted(op.name for op in claims.operations if not op.by_guest))),
            ("laws", tuple(f"{clause} ({number})" for clause, number in laws.items())),
            ("laws of its own", tuple(f"{law.name} ({law.clause}): {law.sentence}" for law in claims.all if not _is_ours(law))),
            ("bugs", tuple(n for n, m in MUTANTS.items() if issubclass(m.design, cls))),
            ("checked by", (f"refmodel check {shlex.quote(name)}",)),
        ),
    )


def _is_ours(law: Law) -> bool:
    """Whether a law is stated in this package, so that it can be explained by its name."""
    return law.function.__module__.partition(".")[0] == __name__.partition(".")[0]
