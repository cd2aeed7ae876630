"""A pytest plugin: a design in a suite is collected as tests, one for each law and engine.

A class derived from ``refmodel.Design`` in a test module is collected if its name begins with ``Test``, or if it is marked with
``pytest.mark.refmodel``. Designs elsewhere are named in the ini option ``refmodel_designs``, or by ``--refmodel-design``. How it is
used is told in specs/pytest.md.

This file loads nothing of refmodel until there is a design to collect.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from refmodel.suites import Answer, Suite

ENGINES = ("random", "exhaustive", "prove", "bounded")
RUNS = 1000
"""Random runs of a design, unless the suite says otherwise: they are counted, so that a verdict does not depend on the machine."""

MOST_LETTERS = 200
"""Of a picture's name, which is made of its test's: file systems allow few more."""


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("refmodel", "designs judged by refmodel")
    group.addoption(
        "--refmodel-design",
        action="append",
        default=[],
        metavar="DESIGN",
        help="judge this design too: a name as refmodel check takes it; may be repeated",
    )
    group.addoption(
        "--refmodel-engine",
        action="append",
        default=[],
        choices=ENGINES,
        help="the engines that judge every design; may be repeated",
    )
    group.addoption("--refmodel-runs", type=_runs, metavar="N", help=f"random runs of each design ({RUNS})")
    group.addoption("--refmodel-seed", type=_seed, default=0, metavar="N", help="where random runs start")
    parser.addini("refmodel_designs", "designs to judge, one a line, as refmodel check takes them", type="linelist", default=[])
    parser.addini("refmodel_engines", "the engines that judge every design", type="args", default=[])
    parser.addini("refmodel_runs", f"random runs of each design ({RUNS})", default=str(RUNS))


def _runs(text: str) -> int:
    if not text.isdecimal() or not int(text):
        raise argparse.ArgumentTypeError(f"{text!r}; expected a number of runs, at least 1")
    return int(text)


def _seed(text: str) -> int:
    if not text.isdecimal() or int(text) >= 1 << 63:
        raise argparse.ArgumentTypeError(f"{text!r}; expected a whole number of at most 63 bits")
    return int(text)


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "refmodel(engines, geometry, law, runs): a design whose laws are judged, and how")
    for engine in ENGINES:
        config.addinivalue_line("markers", f"refmodel_{engine}: a law that this engine judges")
    wrong = [engine for engine in config.getini("refmodel_engines") if engine not in ENGINES]
    if wrong:
        raise pytest.UsageError(f"refmodel_engines: {wrong[0]} is no engine; expected some of {', '.join(ENGINES)}")
    try:
        _runs(config.getini("refmodel_runs"))
    except argparse.ArgumentTypeError as why:
        raise pytest.UsageError(f"refmodel_runs: {why}") from None


@pytest.hookimpl(tryfirst=True)
def pytest_pycollect_makeitem(collector: pytest.Module | pytest.Class, name: str, obj: object) -> pytest.Collector | None:
    module = collector.getparent(pytest.Module)
    if not isinstance(obj, type) or not _is_design(obj) or module is None:
        return None
    if obj.__module__ != module.obj.__name__:
        return None  # it was imported: it is a test where it is written
    marked = any(mark.name == "refmodel" for mark in _own_marks(obj))
    return DesignOfSuite.from_parent(collector, name=name, design=obj) if marked or collector.classnamefilter(name) else None


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(session: pytest.Session, config: pytest.Config, items: list[pytest.Item]) -> None:
    """Add the designs that are named: the suite's unless files are asked for, and those of the command line."""
    whole = config.args_source is not pytest.Config.ArgsSource.ARGS
    for spec in dict.fromkeys([*(config.getini("refmodel_designs") if whole else []), *config.getoption("--refmodel-design")]):
        try:
            found = DesignOfSuite.from_parent(session, name=spec, nodeid=spec, design=spec).collect()
        except pytest.Collector.CollectError as why:
            raise pytest.UsageError(str(why)) from None
        session.ihook.pytest_collectreport(report=pytest.CollectReport(spec, "passed", None, [*found]))  # so that they are counted
        items += found


class DesignOfSuite(pytest.Collector):
    """A design: its laws are collected, each with each engine."""

    def __init__(self, *, design: Any, **more: Any) -> None:
        super().__init__(**more)
        self.design = design
        if isinstance(design, type):
            self.own_markers += _own_marks(design)

    def collect(self) -> list[pytest.Item]:
        from refmodel.language.unsound import BadDesign, Unsound
        from refmodel.suites import Suite

        given, config = self._given(), self.config
        engines = config.getoption("--refmodel-engine") or given.get("engines") or config.getini("refmodel_engines")
        runs = config.getoption("--refmodel-runs") or given.get("runs") or _runs(config.getini("refmodel_runs"))
        try:
            suite = Suite.of(
                self.design, tuple(engines), given.get("geometry"), given.get("law"), runs, config.getoption("--refmodel-seed")
            )
        except (BadDesign, Unsound) as why:
            raise self.CollectError(str(why)) from None
        never = next((name for name in suite.design.text.unreached if name.startswith("test")), None)
        if never is not None:
            raise self.CollectError(
                f"{suite.name}.{never} would never run: a design's methods are no tests; expected it outside of the class"
            )
        return [
            LawOfSuite.from_parent(self, name=name, nodeid=f"{self.nodeid}::{name}", suite=suite, law=law, engine=engine)
            for engine in suite.engines
            for law in suite.judged(engine)
            for name in [f"{law.name}[{engine}]"]
        ]

    def _given(self) -> dict[str, Any]:
        if any(mark.name == "parametrize" for mark in self.own_markers):
            raise self.CollectError(
                f"{self.name}: pytest.mark.parametrize gives a design nothing; expected pytest.mark.refmodel, "
                "or a derived class for each case"
            )
        mark = self.get_closest_marker("refmodel")
        given = dict(mark.kwargs) if mark is not None else {}
        unknown = sorted(set(given) - {"engines", "geometry", "law", "runs"})
        if unknown or (mark is not None and mark.args):
            raise self.CollectError(
                f"{self.name}: pytest.mark.refmodel has {', '.join(unknown) or 'a value without a name'}; "
                "expected engines=, geometry=, law= or runs="
            )
        engines, runs = given.get("engines", ()), given.get("runs", 1)
        if not isinstance(engines, list | tuple) or not all(engine in ENGINES for engine in engines):
            raise self.CollectError(
                f"{self.name}: pytest.mark.refmodel has engines={engines!r}; expected a list of some of {', '.join(ENGINES)}"
            )
        if type(runs) is not int or runs < 1:
            raise self.CollectError(f"{self.name}: pytest.mark.refmodel has runs={runs!r}; expected a whole number from 1 on")
        return given


class LawOfSuite(pytest.Item):
    """A law of a design, judged by one engine."""

    def __init__(self, *, suite: Suite, law: Any, engine: str, **more: Any) -> None:
        super().__init__(**more)
        self.suite, self.law, self.engine = suite, law, engine
        self.add_marker("refmodel")
        self.add_marker(f"refmodel_{engine}")
        if self.config.pluginmanager.hasplugin("xdist"):  # with --dist loadgroup an engine is asked by one worker only
            self.add_marker(pytest.mark.xdist_group(f"{suite.name}[{engine}]"))

    def runtest(self) -> None:
        answer = self.suite.answer(self.engine, self.law)
        self.user_properties += [("refmodel_verdict", str(answer.verdict)), *answer.numbers]
        if answer.skipped:
            pytest.skip(answer.said)
        if not answer.good:
            raise LawNotShown("\n".join([answer.said, *self._run(answer)]))

    def _run(self, answer: Answer) -> Iterator[str]:
        """The run in words, where its picture is, and its token."""
        if answer.run is None:
            return
        *words, token = str(answer.run).splitlines()
        yield from words
        yield f"picture: {self._picture(answer)}"
        yield token
        self.user_properties.append(("refmodel_token", answer.run.token or ""))

    def _picture(self, answer: Answer) -> str:
        """The path of the run's picture in pytest's cache, or why there is none."""
        from refmodel.api import draw

        assert answer.run is not None
        cache = getattr(self.config, "cache", None)  # which is not even None where pytest's own plugin is off
        if cache is None:
            return "none, since pytest's cache is off"
        name = f"{re.sub(r'[^A-Za-z0-9]+', '_', self.nodeid).strip('_')[-MOST_LETTERS:]}.svg"
        try:
            file = Path(cache.mkdir("refmodel")) / name
            file.write_text(draw(answer.run), encoding="utf-8")
        except OSError as why:
            return f"cannot be written: {why.strerror or why}"
        return str(file)

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        if isinstance(excinfo.value, LawNotShown):
            return str(excinfo.value)
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, int, str]:
        code = self.law.function.__code__
        line = code.co_firstlineno - 1 if Path(code.co_filename) == self.path else 0  # which pytest wants of what is skipped
        return self.path, line, f"{self.suite.name}: {self.law.clause}, {self.law.name.replace('_', ' ')} [{self.engine}]"


class LawNotShown(AssertionError):
    """A law fails, or the engine has not shown it."""


def _is_design(cls: type) -> bool:
    """Whether a class is a design of somebody's. If the language is not loaded, it is none."""
    language = sys.modules.get("refmodel.language.design")
    return language is not None and issubclass(cls, language.Design) and cls is not language.Design


def _own_marks(cls: type) -> list[pytest.Mark]:
    marks: Any = vars(cls).get("pytestmark", [])
    listed = marks if isinstance(marks, list) else [marks]
    return [mark.mark if isinstance(mark, pytest.MarkDecorator) else mark for mark in listed]
