"""What an explanation is made of: paragraphs of chapters, and the texts of the specification."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from importlib import resources

import attrs

EFF_3 = "EFF-3"


@attrs.frozen
class Explanation:
    """Sections of an explanation: chapters as Markdown, texts as Python, and lists of what checks it."""

    title: str
    chapters: tuple[tuple[str, str], ...] = ()
    """The name of a chapter, and what it says of it."""
    texts: tuple[tuple[str, str], ...] = ()
    """Where a text is, and the text."""
    checked_by: tuple[tuple[str, tuple[str, ...]], ...] = ()


def chapters() -> Iterator[tuple[str, str]]:
    """Each chapter: the name of its file, and what it says."""
    for file in sorted(resources.files("refmodel").joinpath("specs").iterdir(), key=lambda f: f.name):
        if file.name.endswith(".md"):
            yield file.name, file.read_text(encoding="utf-8")


def paragraphs(clause: str) -> Iterator[tuple[str, str]]:
    """What each chapter says of a clause: the paragraphs, and rows of tables, that name it."""
    for name, text in chapters():
        found = [part for part in text.split("\n\n") if clause in part]
        kept = ["\n".join(row for row in part.splitlines() if clause in row) if part.startswith("|") else part for part in found]
        if kept:
            yield name, "\n\n".join(kept)


def about_file(file: str) -> Iterator[tuple[str, str]]:
    """The chapters that name a file of the text at their head."""
    for name, text in chapters():
        head = next((part for part in text.split("\n\n") if "Text:" in part), "").partition("Laws:")[0]
        if f"`{file}`" in head or f"`{file.rsplit('/', 1)[-1]}`" in head:
            yield name, text


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
