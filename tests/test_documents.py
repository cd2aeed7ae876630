"""What ``--json`` prints fits the schema that the documentation has of it."""

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import typer

from refmodel.cli.common import app
from refmodel.cli.lazily import COMMANDS
from refmodel.report import schemas
from tests.commands import refmodel
from tests.test_in_ci import program

SPECS = Path(__file__).parent.parent / "specs"
TRACES = Path(__file__).parent / "data" / "traces"
LACKING = f"{Path(__file__).parent / 'designs' / 'lacking.py'}:WantsAnOwner"
ZAP = f"{Path(__file__).parent.parent / 'refmodel' / 'examples' / 'zap.py'}:ZapLazily"
COMPARISONS = ("policy", "exits", "mechanisms")
THEOREM = "x86.legacy_walk.rights_only_shrink(PAE)"

RUNS = [
    ("check", 0, "check interpreter --engine exhaustive"),
    ("check", 1, f"check {ZAP} --engine random --seconds 10 --examples 2"),
    ("check", 3, f"check {LACKING} --engine prove --why"),
    ("check --against", 0, "check vtlb --against interpreter --seconds 1"),
    ("judge TRACE", 0, f"judge {TRACES / 'balloon_counted.jsonl'}"),
    ("judge IMPLEMENTATION", 0, "judge unicorn --checks 20"),
    ("explore DESIGN", 0, "explore memory"),
    ("explore TRACE", 0, f"explore {TRACES / 'balloon_counted.jsonl'} --evaluate balloon[0]"),
    ("leaks", 0, "leaks interpreter"),
    ("leaks --flows", 0, "leaks tmem --flows"),
    ("bench", 0, "bench vtlb-every-store-exits"),
    ("mutate", 0, "mutate host_pages --only HostPages.unshare --jobs 1"),
    ("prove", 0, f"prove {THEOREM}"),
    ("refine", 0, "refine interpreter --seconds 1"),
    ("explain instructions", 0, "explain instructions"),
    ("explain CLAUSE", 0, "explain ISO-2"),
]


def printed(arguments: list[str], status: int) -> Any:
    done = refmodel(*arguments, "--json")
    assert done.returncode == status, done.stderr
    return json.loads(done.stdout)


def fits(document: Any, command: str) -> bool:
    """Whether a document is what the schema says, and has in it what its records have."""
    schema = schemas.schema()
    jsonschema.Draft202012Validator({**schema, "$ref": f"#/$defs/{command}"}).validate(document)
    return bool(document)


@pytest.mark.parametrize(("command", "status", "arguments"), RUNS)
@pytest.mark.one_in(4)
def test_what_a_command_prints_fits_its_schema(command: str, status: int, arguments: str) -> None:
    assert fits(printed(arguments.split(), status), command)


@pytest.mark.slow
@pytest.mark.parametrize("topic", COMPARISONS)
def test_so_do_the_comparisons(topic: str) -> None:
    assert fits(printed(["explain", topic], 0), f"explain {topic}")


def test_so_does_what_was_driven(tmp_path: Path) -> None:
    assert fits(printed(["drive", "--runs", "50", *program(tmp_path, 1)], 1), "drive")


def test_so_does_a_run_that_is_replayed() -> None:
    (checked,) = printed(["check", ZAP, "--engine", "exhaustive", "--law", "ISO-2"], 1)
    token = checked["engines"][0]["failure"]["token"]
    document = printed(["replay", token], 1)
    assert fits(document, "replay")
    assert document["broken"]["clause"] == "ISO-2" and document["judged_by"] == "ISO-2"
    assert [step["step"] for step in document["steps"]] == checked["engines"][0]["failure"]["steps"]
    assert document["steps"][0]["changes"][0] == {"entry": "plugged[vm0, gfn0]", "before": "false", "after": "true"}


def test_so_does_a_second_opinion() -> None:
    assert fits(printed(["prove", THEOREM, "--second", "z3"], 0), "prove --second")


def test_the_documentation_has_the_schema_as_it_is() -> None:
    kept, made = json.loads((SPECS / "documents.schema.json").read_text()), json.loads(json.dumps(schemas.schema()))
    assert kept == made, "python -m refmodel.report.schemas > specs/documents.schema.json"
    jsonschema.Draft202012Validator.check_schema(schemas.schema())


def test_every_command_that_prints_documents_has_a_schema() -> None:
    commands = typer.main.get_command(app)
    context = typer.Context(commands)
    printing = {name for name in COMMANDS if any("--json" in each.opts for each in commands.get_command(context, name).params)}  # type: ignore[attr-defined]
    assert printing == {name.split()[0] for name in [*schemas.EACH_OF, *schemas.ONE]}
    elsewhere = {"drive", "replay", "prove --second", "vectors --judge", *(f"explain {topic}" for topic in COMPARISONS)}
    assert {name for name, _, _ in RUNS} | elsewhere == {*schemas.EACH_OF, *schemas.ONE}


def test_a_command_without_documents_has_no_verdict() -> None:
    """Recording, serving, writing: what these print is a file, or a protocol."""
    assert set(COMMANDS) - {name.split()[0] for name in [*schemas.EACH_OF, *schemas.ONE]} == {"record", "serve", "clients"}


def test_a_document_that_lacks_something_does_not_fit() -> None:
    document = printed(["explain", "ISO-2"], 0)
    with pytest.raises(jsonschema.ValidationError, match="title"):
        fits({name: value for name, value in document.items() if name != "title"}, "explain CLAUSE")
