"""What goes with a release: one version everywhere, workflows and forms that can be read, pages that name what is there."""

import re
import tomllib
from pathlib import Path

import pytest

import refmodel

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
CONFIGURATION = [
    *(ROOT / ".github").rglob("*.yml"),
    ROOT / ".config" / "mkdocs.yml",
    ROOT / ".pre-commit-config.yaml",
    ROOT / "CITATION.cff",
]


def test_the_version_is_the_same_everywhere() -> None:
    cited = re.search(r"^version: (.*)$", (ROOT / "CITATION.cff").read_text(), re.M)
    assert cited is not None and {cited[1], PROJECT["version"]} == {refmodel.__version__}


def test_the_changes_since_the_last_version_are_listed_first() -> None:
    headings = re.findall(r"^## (.*)$", (ROOT / "CHANGELOG.md").read_text(), re.M)
    assert headings[0] == "Unreleased" or headings[0].startswith(PROJECT["version"])


def test_each_python_that_is_claimed_is_tested() -> None:
    claimed = {each.rsplit(" ", 1)[-1] for each in PROJECT["classifiers"] if re.search(r"Python :: 3\.\d+$", each)}
    matrix = re.search(r"python: \[(.*)\]", (ROOT / ".github" / "workflows" / "tests.yml").read_text())
    assert matrix is not None and set(re.findall(r'"([\d.]+)"', matrix[1])) == claimed
    assert min(claimed, key=lambda v: int(v.split(".")[1])) == PROJECT["requires-python"].removeprefix(">=")


@pytest.mark.parametrize("file", CONFIGURATION, ids=lambda f: f.name)
def test_configuration_can_be_read(file: Path) -> None:
    yaml = pytest.importorskip("yaml", reason="pip install '.[docs]' brings PyYAML")
    found = yaml.safe_load(file.read_text())
    assert isinstance(found, dict) and found
    if file.parent.name == "ISSUE_TEMPLATE" and file.name != "config.yml":
        assert {"name", "description", "body"} <= set(found)
        assert all(part["type"] in ("textarea", "input") for part in found["body"])
    if file.parent.name == "workflows":
        assert found["jobs"] and "permissions" in found


def test_commands_in_workflows_are_commands_that_there_are() -> None:
    from refmodel.cli.lazily import COMMANDS

    text = "\n".join(file.read_text() for file in (ROOT / ".github" / "workflows").glob("*.yml"))
    used = set(re.findall(r"refmodel ([a-z]+)", text))
    assert used and used <= set(COMMANDS)
