"""The chapter's table of events (specs/traces.md), made of the one table. ``python -m refmodel.oracle.trace.chapter`` writes it."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from refmodel.oracle.trace.table import ROWS, Row

BEGIN, END = "<!-- made of refmodel/oracle/trace/table.py -->", "<!-- end -->"
COMMON = ("vm", "cpu", "seq", "at", "time")


def lines() -> Iterator[str]:
    """The table, line by line."""
    yield "| event | fields | what it says | changes | may break | who can report it |"
    yield "|---|---|---|---|---|---|"
    for row in ROWS:
        clauses = ", ".join(row.clauses.split())
        yield f"| `{row.kind}` | {_fields(row)} | {_says(row)} | {_tables(row)} | {clauses} | {row.emitters} |"


def _fields(row: Row) -> str:
    fields = [field for field in msgspec.structs.fields(row.event) if field.name not in COMMON]
    return ", ".join(f"`{field.name}`{_default(field)}" for field in fields)


def _default(field: msgspec.structs.FieldInfo) -> str:
    """How it is shown that a field may be left out, and what it is then where that is true or false."""
    if field.required:
        return ""
    return f"? ({str(field.default).lower()})" if isinstance(field.default, bool) else "?"


def _says(row: Row) -> str:
    assert row.event.__doc__ is not None
    return " ".join(row.event.__doc__.partition("\n\n")[0].replace("``", "`").split())


def _tables(row: Row) -> str:
    return ", ".join(row.changes.split())


def with_table(chapter: str) -> str:
    """The chapter, with the table as it is now."""
    before, after = chapter.partition(BEGIN)[0], chapter.partition(END)[2]
    return before + "\n".join([BEGIN, *lines(), END]) + after


if __name__ == "__main__":
    from refmodel.language import remaking

    file = remaking.file("refmodel.oracle.trace.chapter", "the table of events", "specs/traces.md", BEGIN, END)
    file.write_text(with_table(file.read_text(encoding="utf-8")), encoding="utf-8")
