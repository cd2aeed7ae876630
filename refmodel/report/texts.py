"""What an explanation is made of: paragraphs of chapters, and the texts of the specification."""

from __future__ import annotations

import functools
import inspect
import posixpath
import re
from collections.abc import Iterator
from importlib import resources

import attrs

EFF_3 = "EFF-3"
LISTS = ("README.md", "coverage.md", "mutation.md")
"""Files of specs/ that list everything, and so say nothing of one thing."""
EVERYWHERE = ("State", "Steps", "What the clauses mean here", "A run that goes wrong", "References")
"""Headings that most chapters have."""
PROPERTIES = {"ISO": "Resource control", "RES": "Resource control", "EQV": "Equivalence", "EFF": "Efficiency"}
"""The heading of the property that clauses belong to, by how they begin."""


@attrs.frozen
class Explanation:
    """The sections of an explanation: chapters in Markdown, code in Python, and lists of the checks."""

    title: str
    about: str = ""
    """A few sentences, without markup."""
    see: tuple[str, ...] = ()
    """Chapters that say more: the file, and the headings."""
    chapters: tuple[tuple[str, str], ...] = ()
    """The name of a chapter, and what it says of it."""
    texts: tuple[tuple[str, str], ...] = ()
    """Where a text is, and the text."""
    checked_by: tuple[tuple[str, tuple[str, ...]], ...] = ()


@functools.cache
def chapters() -> tuple[tuple[str, str], ...]:
    """Each chapter: the name of its file, and what it says."""
    files = sorted(resources.files("refmodel").joinpath("specs").iterdir(), key=lambda f: f.name)
    return tuple((file.name, file.read_text(encoding="utf-8")) for file in files if file.name.endswith(".md"))


@functools.cache
def glossary() -> dict[str, tuple[str, tuple[str, ...]]]:
    """What each word of the glossary means, in plain words, and the chapter that says more, if one does."""
    text = resources.files("refmodel").joinpath("specs", "guide", "glossary.md").read_text(encoding="utf-8")
    found: dict[str, tuple[str, tuple[str, ...]]] = {}
    for entry in text.split("\n## ")[1:]:
        word, _, means = entry.partition("\n")
        says = " ".join(means.split())
        link = re.search(r" \[([^]]*)\]\(([^)#]*)[^)]*\)$", says)
        if link is None:
            found[word] = plain(says), ()
        else:
            file = posixpath.normpath(posixpath.join("specs/guide", link[2]))
            found[word] = plain(says[: link.start()]), (f"{file}: {link[1]}",)
    return found


@attrs.frozen
class Section:
    """A part of a chapter: its heading, and its paragraphs, tables, lists and blocks of code."""

    heading: str
    blocks: tuple[str, ...]


@functools.cache
def sections(text: str) -> tuple[Section, ...]:
    """A chapter, cut at its headings. A block of code is in one piece, also where it has empty lines."""
    heading, blocks, found = "", list[str](), list[Section]()
    for part in re.findall(r"(?:^```.*?^```$|(?:(?!^```)[^\n]+\n?)+)", text, re.M | re.S):
        head, *rest = part.strip().split("\n", 1)
        if head.startswith("#"):
            found.append(Section(heading, tuple(blocks)))
            heading, blocks = head.lstrip("# "), rest
        else:
            blocks.append(part.strip("\n"))
    return (*found, Section(heading, tuple(blocks)))


def _told(block: str, named: str) -> str:
    """What a block says of what is named: all of it, or the rows of a table under their head, or nothing of a run."""
    if named not in block or block.startswith(("```", "<!--", "    ")):
        return ""
    if not block.startswith("|"):
        return block
    head, line, *rows = block.splitlines()
    return "\n".join([head, line, *(row for row in rows if named in row)])


def paragraphs(clause: str) -> Iterator[tuple[str, str]]:
    """What each chapter says of a clause: the paragraphs, and rows of tables under their heads, that name it."""
    for name, text in chapters():
        kept = [told for section in sections(text) for block in section.blocks if (told := _told(block, clause))]
        if kept and name not in LISTS:
            yield name, "\n\n".join(kept)


def places(clause: str) -> tuple[str, ...]:
    """Where chapters speak of a clause, those that say most first: the file, and the headings."""
    found = []
    for name, text in chapters():
        told = {section.heading: sum(bool(_told(block, clause)) for block in section.blocks) for section in sections(text)}
        headings = [heading for heading, number in told.items() if number]
        if headings and name not in LISTS:
            found.append((name != "properties.md", -sum(told.values()), f"specs/{name}: {'; '.join(headings)}"))
    return tuple(where for *_, where in sorted(found))


def first_words(text: str) -> str:
    """The first paragraph of a chapter that is prose."""
    for section in sections(text):
        for block in section.blocks:
            if not re.match(r"\*?Source:|[|<!`\s*]|\d+\. |- ", block):
                return plain(block)
    return ""


def plain(words: str) -> str:
    """Words without markup, in one line."""
    return " ".join(re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", words).replace("**", "").replace("*", "").replace("`", "").split())


def of_property(clause: str) -> str:
    """What the chapter on properties says of the property that a clause belongs to, and of the clause."""
    parts = {section.heading: section.blocks for section in sections(dict(chapters())["properties.md"])}
    property_of = PROPERTIES[clause.partition("-")[0]]
    own = [block for blocks in parts.values() for block in blocks if block.startswith(f"**{clause}")]
    return plain(" ".join([f"{property_of}: {parts[property_of][0]}", *own]))


def about_file(file: str) -> Iterator[tuple[str, str]]:
    """The chapters that name a file of the text at their head."""
    for name, text in chapters():
        if _names(_head(text).partition("Laws:")[0], file):
            yield name, text


def about_laws(file: str) -> Iterator[tuple[str, str]]:
    """The chapters that name a file of laws at their head."""
    for name, text in chapters():
        if _names(_head(text).partition("Laws:")[2], file):
            yield name, text


def _head(text: str) -> str:
    """The paragraph of a chapter that says which files it is about."""
    return next((part for part in text.split("\n\n") if "Source:" in part), "")


def _names(head: str, file: str) -> bool:
    return f"`{file}`" in head or f"`{file.rsplit('/', 1)[-1]}`" in head


def headings(name: str, text: str) -> str:
    """The file of a chapter, its title, and the headings that other chapters have not."""
    title, *others = [section.heading for section in sections(text) if section.heading]
    return f"specs/{name}: {'; '.join([title, *(heading for heading in others if heading not in EVERYWHERE)])}"


def text_files(cls: type) -> list[str]:
    """The files that a design is put together from: those beside refmodel's own first, then the MMU's."""
    modules = [base.__module__ for base in cls.__mro__ if base.__module__.startswith(("refmodel.mmu.", "refmodel.monitor."))]
    files = [f"{module.replace('.', '/')}.py" for module in dict.fromkeys(modules)]
    others = [inspect.getfile(base) for base in cls.__mro__[:-1] if not base.__module__.startswith("refmodel.")]
    return [*dict.fromkeys(others), *sorted(files, key=lambda file: not file.startswith("refmodel/mmu"))]


def sentence_of(clause: str) -> str:
    """What the table of clauses says of one."""
    table = dict(chapters())["properties.md"]
    found = re.search(rf"^\| {clause} \| (.*?) \|", table, re.M)
    return found[1] if found else "a monitor never aborts" if clause == EFF_3 else ""


def place(thing: object) -> str:
    """Where a text stands: the file, and the line."""
    assert callable(thing)
    module = inspect.getmodule(thing)
    _, line = inspect.getsourcelines(thing)
    return f"{(module.__name__ if module else '?').replace('.', '/')}.py:{line}"


def source(thing: object) -> str:
    assert callable(thing)
    return inspect.getsource(thing).rstrip()
