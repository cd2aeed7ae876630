"""What programs in C and Rust report events with: a macro and a method for each, made of the one table.

``python -m refmodel.oracle.trace.client_events refmodel/clients`` writes both files.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

import msgspec

from refmodel.oracle.trace.chapter import COMMON
from refmodel.oracle.trace.table import ROWS, Row

FILES = ("c/refmodel_events.h", "rust/refmodel_events.rs")
OF_NO_VM = ("trace", "gap", "move", "free", "table", "frame", "abort")
"""Events that are about no VM, or about all."""
MADE = "Made of refmodel/oracle/trace/table.py by python -m refmodel.oracle.trace.client_events"


def parameters(row: Row) -> list[tuple[str, bool]]:
    """What must be said in an event: each field's name, and whether it is a flag. The others are numbers."""
    properties = msgspec.json.schema(row.event)["$defs"][row.event.__name__]["properties"]
    required = [field.name for field in msgspec.structs.fields(row.event) if field.required]
    assert all(properties[name].get("type") in ("integer", "boolean") for name in required), row.kind
    names = [name for name in required if name != "vm"] if row.kind in OF_NO_VM else ["vm", *required]
    return [(name, properties[name].get("type") == "boolean") for name in names]


def _about(row: Row) -> str:
    assert row.event.__doc__ is not None
    says = " ".join(row.event.__doc__.partition("\n\n")[0].replace("``", "").split())
    more = [f.name for f in msgspec.structs.fields(row.event) if not f.required and f.name not in COMMON]
    besides = f" Optional fields: {', '.join(more)}." if more else ""
    return f"{row.kind}: {says}{besides}"


# ---------------------------------------------------------------- C


def c_lines() -> Iterator[str]:
    """The header."""
    yield from (
        f"/* A macro for each event of a trace. {MADE}.",
        " *",
        ' * The last argument has further fields, or is "":',
        " *",
        ' *     refmodel_event_map(&rm, vm, gfn, mfn, 1, "\\"level\\":2");',
        " *",
        " * A macro gives what refmodel_tell gives. Numbers may be of any unsigned type. */",
        "#ifndef REFMODEL_EVENTS_H",
        "#define REFMODEL_EVENTS_H",
        "",
        '#include "refmodel.h"',
        "",
        "#define REFMODEL_NUMBER(number) ((unsigned long long)(number))",
        '#define REFMODEL_FLAG(flag) ((flag) ? "true" : "false")',
        '#define REFMODEL_MORE(more) (*(more) ? "," : ""), (more)',
    )
    for row in ROWS:
        given = parameters(row)
        yield ""
        yield from _c_comment(_about(row))
        yield f"#define refmodel_event_{row.kind}({', '.join(['rm', *(name for name, _ in given), 'more'])}) \\"
        fields = "".join(f",{_quoted(name)}:{'%s' if flag else '%llu'}" for name, flag in given)
        values = [f"REFMODEL_{'FLAG' if flag else 'NUMBER'}({name})" for name, flag in given]
        said = f"{_quoted('e')}:{_quoted(row.kind)}{fields}%s%s"
        yield f'    refmodel_tell(rm, "{said}", \\'
        yield from _continued(", ".join([*values, "REFMODEL_MORE(more)"]) + ")")
    yield from ("", "#endif")


def _continued(text: str) -> Iterator[str]:
    """The last lines of a macro."""
    *lines, last = textwrap.wrap(text, 100)
    yield from (f"                  {line} \\" for line in lines)
    yield f"                  {last}"


def _quoted(name: str) -> str:
    """A string of JSON within one of C."""
    return f'\\"{name}\\"'


def _c_comment(text: str) -> Iterator[str]:
    first, *rest = textwrap.wrap(text, 112)
    yield f"/* {first}{'' if rest else ' */'}"
    yield from (f" * {line}{' */' if line is rest[-1] else ''}" for line in rest)


# ---------------------------------------------------------------- Rust


def rust_lines() -> Iterator[str]:
    """The module."""
    yield from (
        f"//! A method for each event of a trace. {MADE}.",
        "//!",
        "//! Put it beside `refmodel.rs`, and say `mod refmodel; mod refmodel_events;`. The last argument has further",
        "//! fields, or is empty:",
        "//!",
        '//!     rm.event_map(vm, gfn, mfn, true, r#""level":2"#)?;',
        "",
        "#![allow(dead_code, clippy::too_many_arguments)]",
        "",
        "use super::refmodel::{Answer, Refmodel};",
        "use std::io;",
        "use std::panic::Location;",
        "",
        "impl Refmodel {",
        "    #[track_caller]",
        "    fn event(&mut self, fields: &str, more: &str) -> io::Result<Answer> {",
        "        let caller = Location::caller();",
        '        let comma = if more.is_empty() { "" } else { "," };',
        '        self.tell_at(&format!("{fields}{comma}{more}"), caller.file(), caller.line())',
        "    }",
    )
    for row in ROWS:
        given = parameters(row)
        yield ""
        yield from (f"    /// {line}" for line in textwrap.wrap(_about(row), 108))
        typed = ", ".join(["&mut self", *(f"{name}: {'bool' if flag else 'u64'}" for name, flag in given), "more: &str"])
        fields = "".join(f',"{name}":{{{name}}}' for name, _ in given)
        yield "    #[track_caller]"
        yield f"    pub fn event_{row.kind}({typed}) -> io::Result<Answer> {{"
        said = f'r#""e":"{row.kind}"{fields}"#'
        yield f"        self.event({f'&format!({said})' if given else said}, more)"
        yield "    }"
    yield "}"


def texts() -> dict[str, str]:
    """Both files by name."""
    return dict(zip(FILES, ("\n".join([*lines, ""]) for lines in (c_lines(), rust_lines())), strict=True))


if __name__ == "__main__":
    from refmodel.language import remaking

    folder = remaking.folder(
        "refmodel.oracle.trace.client_events", "the clients' events in C and Rust", "refmodel/clients", FILES[0]
    )
    for name, text in texts().items():
        (folder / name).write_text(text, encoding="utf-8")
