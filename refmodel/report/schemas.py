"""The schemas of what ``--json`` prints: ``python -m refmodel.report.schemas > specs/documents.schema.json``."""

from __future__ import annotations

import json
from typing import Any

import msgspec

from refmodel.engines.theorems import Told
from refmodel.language import remaking
from refmodel.language.json_schemas import steady
from refmodel.report.documents import (
    ComparedDocument,
    DesignDocument,
    FlowDocument,
    LeaksDocument,
    RefinementDocument,
    ReplayDocument,
)
from refmodel.report.explained_documents import (
    BugDocument,
    ExitsDocument,
    InstructionDocument,
    MechanismsDocument,
    PoliciesDocument,
)
from refmodel.report.explored_documents import ExploredDocument, TraceEventDocument
from refmodel.report.judged_documents import DrivenDocument, JudgedDocument, TraceDocument
from refmodel.report.mutation_documents import MutationDocument
from refmodel.report.proved_documents import OpinionDocument
from refmodel.report.texts import Explanation

EACH_OF: dict[str, tuple[type, ...]] = {
    "check": (DesignDocument, JudgedDocument),
    "check --against": (ComparedDocument,),
    "judge TRACE": (TraceDocument,),
    "judge IMPLEMENTATION": (JudgedDocument,),
    "vectors --judge": (JudgedDocument,),
    "prove": (Told,),
    "prove --second": (OpinionDocument,),
    "leaks": (LeaksDocument,),
    "leaks --flows": (FlowDocument,),
    "bench": (BugDocument,),
    "explain instructions": (InstructionDocument,),
}
"""The commands that print a list of documents, each of one of these types."""

ONE: dict[str, type] = {
    "explore DESIGN": ExploredDocument,
    "explore TRACE": TraceEventDocument,
    "refine": RefinementDocument,
    "mutate": MutationDocument,
    "drive": DrivenDocument,
    "replay": ReplayDocument,
    "explain CLAUSE": Explanation,
    "explain policy": PoliciesDocument,
    "explain exits": ExitsDocument,
    "explain mechanisms": MechanismsDocument,
}
"""The commands that print one document."""


def schema() -> dict[str, Any]:
    """One JSON schema (draft 2020-12), with a definition for each command."""
    types = list(dict.fromkeys([*(t for each in EACH_OF.values() for t in each), *ONE.values()]))
    found, definitions = msgspec.json.schema_components(types, ref_template="#/$defs/{name}")
    of = dict(zip(types, found, strict=True))
    commands = {name: {"type": "array", "items": {"anyOf": [of[t] for t in each]}} for name, each in EACH_OF.items()}
    commands |= {name: of[t] for name, t in ONE.items()}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "what refmodel prints with --json",
        "description": "Under $defs there is a definition for each command, and one for each record in what it prints.",
        "$defs": {**commands, **steady(definitions)},
    }


if __name__ == "__main__":
    remaking.printed(
        "refmodel.report.schemas", "the schema of documents", lambda: json.dumps(schema(), indent=1, sort_keys=True) + "\n"
    )
