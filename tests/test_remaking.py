"""Modules that remake pages (``python -m MODULE``) look at what they are given before they compute anything."""

from __future__ import annotations

import importlib.util
import re
import runpy
import sys
from pathlib import Path

import pytest

from refmodel.language import BadDesign
from refmodel.report import pros_and_cons

ROOT = Path(__file__).parent.parent
FOLDERS = (
    "refmodel.report.chapters",
    "refmodel.report.gallery",
    "refmodel.report.pros_and_cons",
    "refmodel.oracle.trace.client_events",
)
FILES = ("refmodel.report.rules", "refmodel.oracle.trace.chapter")
PRINTED = (
    "refmodel.report.coverage",
    "refmodel.report.mutation",
    "refmodel.report.riscv_rules",
    "refmodel.report.schemas",
    "refmodel.oracle.vectors.files",
    "refmodel.cli.page",
)


def _file_of(module: str) -> str:
    """Its file: pytest rewrites the modules of an installed plugin, and runpy takes no rewritten one by its name."""
    found = importlib.util.find_spec(module)
    assert found is not None and found.origin is not None
    return found.origin


def ran(module: str, *arguments: str) -> int | str | None:
    """The status with which a module ends."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(sys, "argv", [module, *arguments])
        patched.delitem(sys.modules, module, raising=False)
        try:
            runpy.run_path(_file_of(module), run_name="__main__")
        except SystemExit as ended:
            return ended.code
    return 0


def test_every_module_that_remakes_a_page_is_in_this_file() -> None:
    told = "".join((ROOT / name).read_text() for name in ("CONTRIBUTING.md", "specs/traces.md", "specs/vectors.md"))
    named = {*re.findall(r"python -m (refmodel\.(?:report|oracle|cli)\.[\w.]+)", told)}
    of_report = {
        f"refmodel.report.{file.stem}"
        for file in (ROOT / "refmodel" / "report").glob("*.py")
        if '\nif __name__ == "__main__":' in file.read_text()
    }
    assert named | of_report <= {*FOLDERS, *FILES, *PRINTED} and named and of_report


@pytest.mark.parametrize("module", [*FOLDERS, *FILES, *PRINTED])
def test_help_is_printed_and_nothing_else(module: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Before, some took --help for a folder and computed for a minute, and others printed their page."""
    assert ran(module, "--help") == 0
    told = capsys.readouterr().out
    assert told.startswith(f"usage: python -m {module}") and "-h, --help" in told and len(told.splitlines()) < 20


@pytest.mark.parametrize("module", [*FOLDERS, *FILES])
def test_a_folder_or_file_that_is_none_is_told_and_nothing_is_computed(
    module: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    nothing, other = tmp_path / "none", tmp_path if module in FOLDERS else tmp_path / "other.md"
    (tmp_path / "other.md").write_text("another chapter")
    said = f"{nothing}: no such folder" if module in FOLDERS else f"{nothing}: cannot be read: No such file or directory"
    for given, expected in (
        ((), "the following arguments are required: F"),
        ((str(nothing),), said),
        ((str(other),), f"{other}: "),
        ((str(other), "more"), "unrecognized arguments: more"),
    ):
        assert ran(module, *given) == 2
        assert expected in capsys.readouterr().err
    assert (tmp_path / "other.md").read_text() == "another chapter" and [*tmp_path.iterdir()] == [tmp_path / "other.md"]


def test_without_matplotlib_nothing_is_computed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before, it was missed after a minute."""
    monkeypatch.setattr(pros_and_cons, "compared", lambda: pytest.fail("it was computed"))
    monkeypatch.setattr(pros_and_cons.plots.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(BadDesign, match="plots need Matplotlib"):
        pros_and_cons.main(ROOT / "specs")


@pytest.mark.parametrize("module", PRINTED)
def test_what_a_module_does_not_take_is_refused(module: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert ran(module, "specs") == 2
    assert "unrecognized arguments: specs" in capsys.readouterr().err


@pytest.mark.parametrize("module, page", [("refmodel.report.rules", "policy.md"), ("refmodel.oracle.trace.chapter", "traces.md")])
def test_a_file_that_is_up_to_date_is_left_as_it_was(module: str, page: str, tmp_path: Path) -> None:
    before = (ROOT / "specs" / page).read_text()
    (tmp_path / page).write_text(before)
    assert ran(module, str(tmp_path / page)) == 0 and (tmp_path / page).read_text() == before
