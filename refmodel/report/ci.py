"""What a continuous integration server reads: JUnit XML, a test case for each thing that was judged, and SARIF, a result for each
deviation, at the line of the monitor's source that reported the event where the trace says which (``at``)."""

from __future__ import annotations

import contextlib
import json
import re
import xml.etree.ElementTree as xml
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Literal
from urllib.parse import quote

import attrs

from refmodel import __version__
from refmodel.language import BadDesign
from refmodel.oracle.judging import Verdict
from refmodel.oracle.known import known_of
from refmodel.oracle.trace.driving import Driven
from refmodel.oracle.trace.expected import NONE_KNOWN, Entry, Expected
from refmodel.oracle.trace.verdicts import Deviation, TraceVerdict
from refmodel.report.files import put
from refmodel.report.traces import deviation_lines

SARIF = "2.1.0"
MOST_LINES = 2**31 - 1
"""Readers of SARIF keep line numbers in 32 bits."""
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_PLACE = re.compile(r"(?P<file>.+?):(?P<line>[1-9][0-9]*)(?::[0-9]+)?$")


@attrs.frozen
class Case:
    """One thing that was judged, and what came of it."""

    group: str
    """What was done: ``judge``, or ``drive``."""
    name: str
    """What was judged: the path of a trace, a program, an MMU and a subject."""
    outcome: Literal["passed", "failed", "known", "undecided"]
    seconds: float
    clause: str = ""
    """The clause that is broken, or the title of a class of deviation."""
    says: str = ""
    """The sentence of the clause's law, for a list of rules."""
    message: str = ""
    """What is wrong, in a line; why it is known, or why nothing is decided."""
    details: str = ""
    file: str = ""
    """Where, as far as it is known: a file, and a line in it, from 1."""
    line: int = 1
    was_ended: bool = False
    """Whether the command ended before it had judged this: by bad input, or because it was interrupted."""


def of_traces(verdicts: Iterable[TraceVerdict], expected: Expected) -> list[Case]:
    """A case for each trace."""
    return [_of_trace(v, expected) for v in verdicts]


def _of_trace(verdict: TraceVerdict, expected: Expected) -> Case:
    name, found = verdict.name, verdict.deviation
    if found is not None:
        return _deviating("judge", name, verdict.seconds, found, expected, name, found.line)
    if not verdict.judged:
        return Case("judge", name, "undecided", verdict.seconds, message="no event was judged")
    return Case("judge", name, "passed", verdict.seconds, details="\n".join(verdict.told))


def of_driving(done: Driven, program: str, ended: str = "") -> list[Case]:
    """The case of a program that was driven, and one for each deviation of it that is known. ``ended``: that the command was ended
    before it was done; then no run that was lawful shows anything of the others."""
    cases = [of_error("drive", program, ended) if ended and done.deviation is None else _of_drive(done, program)]
    for known in done.known:
        expected = Expected((Entry(known.reason),))  # it is known, whatever it is
        case = _deviating("drive", f"{program}: {known.reason}", 0.0, known.first.deviation, expected, program, 1)
        cases.append(attrs.evolve(case, details=f"{_commands(known.first.commands)}\n{case.details}"))
    return cases


def _of_drive(done: Driven, program: str) -> Case:
    if done.deviation is not None:
        case = _deviating("drive", program, done.seconds, done.deviation, NONE_KNOWN, program, 1)
        again = "" if done.repeated else "in a process that had just begun they did not lead to it\n"
        return attrs.evolve(case, details=f"{_commands(done.failing)}\n{again}{case.details}")
    if not done.judged:
        return Case("drive", program, "undecided", done.seconds, message="no event was judged")
    return Case("drive", program, "passed", done.seconds)


def _commands(commands: Sequence[dict[str, Any]]) -> str:
    return "\n".join(["these commands lead to it:", *(json.dumps(command) for command in commands)])


def of_error(group: str, name: str, message: str) -> Case:
    """The case of what could not be judged, because the command was ended or its input is bad."""
    return Case(group, name, "undecided", 0.0, message=message, was_ended=True)


def of_errors(group: str, names: Sequence[str], message: str) -> list[Case]:
    """The cases of what was left when one of these was bad input, which the message names first."""
    bad = next((name for name in names if message.startswith(f"{name}:")), None)
    return [of_error(group, name, message if name == bad or bad is None else f"not judged, because {message}") for name in names]


def of_implementations(verdicts: Iterable[Verdict]) -> list[Case]:
    """A case for each class of deviation that an MMU showed, and for each subject that it showed none in."""
    return [case for v in verdicts for case in _of_implementation(v)]


def _of_implementation(verdict: Verdict) -> Iterable[Case]:
    name = f"{verdict.implementation}, {verdict.subject}"
    if not verdict.checks:
        yield Case("judge", name, "undecided", verdict.seconds, message="nothing was judged")
    elif not verdict.deviations:
        yield Case("judge", name, "passed", verdict.seconds)
    for each in verdict.deviations:
        finding = each.finding
        known = known_of(verdict, each)
        details = "\n".join([*each.test.lines(), f"expected {finding.expected}", f"got      {finding.got}", finding.source])
        yield Case(
            "judge",
            f"{name}: {finding.title}",
            "failed" if known is None else "known",
            verdict.seconds,
            finding.title,
            finding.source,
            finding.title if known is None else known.evidence,
            details,
        )


def _deviating(group: str, name: str, seconds: float, found: Deviation, expected: Expected, file: str, line: int) -> Case:
    known = expected.entry(found)
    place = _PLACE.match(found.at or "")
    if place is not None:
        file, line = place["file"], int(place["line"])
    details = "\n".join(text.plain for text in deviation_lines(found))
    return Case(
        group,
        name,
        "failed" if known is None else "known",
        seconds,
        found.clause,
        found.sentence,
        f"breaks {found.clause}: {found.sentence}" if known is None else known.reason,
        details,
        file,
        line,
    )


# ---------------------------------------------------------------- the two formats


def junit(cases: Sequence[Case]) -> str:
    """The cases as JUnit XML. What is undecided is an error: nothing was shown."""
    root = xml.Element("testsuites", name="refmodel")
    for group in dict.fromkeys(case.group for case in cases):
        mine = [case for case in cases if case.group == group]
        suite = xml.SubElement(
            root,
            "testsuite",
            name=f"refmodel {group}",
            tests=str(len(mine)),
            failures=str(sum(c.outcome == "failed" for c in mine)),
            errors=str(sum(c.outcome == "undecided" for c in mine)),
            skipped=str(sum(c.outcome == "known" for c in mine)),
            time=f"{sum(c.seconds for c in mine):.3f}",
        )
        for case in mine:
            _testcase(suite, case)
    xml.indent(root)
    return xml.tostring(root, "unicode", xml_declaration=True) + "\n"


def _testcase(suite: Any, case: Case) -> None:
    place = {"file": _clean(case.file), "line": str(case.line)} if case.file else {}
    named = {"classname": f"refmodel.{case.group}", "name": _clean(case.name), "time": f"{case.seconds:.3f}"}
    element = xml.SubElement(suite, "testcase", {**named, **place})
    kind = {"failed": "failure", "undecided": "error", "known": "skipped"}.get(case.outcome)
    if kind is not None:
        message = f"known: {case.message}" if case.outcome == "known" else case.message
        xml.SubElement(element, kind, message=_clean(message), type=_clean(case.clause or case.outcome)).text = _clean(case.details)
    elif case.details:
        xml.SubElement(element, "system-out").text = _clean(case.details)


def _clean(text: str) -> str:
    """Without the characters that no XML document may have, which a trace may hold."""
    return _NOT_XML.sub("\N{REPLACEMENT CHARACTER}", text)


def sarif(cases: Sequence[Case]) -> str:
    """The deviations as a SARIF log; those that are known are suppressed, with the reason."""
    wrong = [case for case in cases if case.outcome in ("failed", "known")]
    rules = {case.clause: {"id": case.clause, "shortDescription": {"text": case.says or case.clause}} for case in wrong}
    driver = {"name": "refmodel", "version": __version__, "rules": list(rules.values())}
    log = {
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": SARIF,
        "runs": [
            {
                "tool": {"driver": driver},
                "invocations": [_invocation(cases)],
                "results": [_result(case, list(rules)) for case in wrong],
            }
        ],
    }
    return json.dumps(log, indent=2) + "\n"


def _invocation(cases: Sequence[Case]) -> dict[str, Any]:
    """Whether the command came to its end (SARIF 3.20.14), and what was left undecided."""
    said = [
        {"level": "error" if case.was_ended else "warning", "message": {"text": f"{case.name}: {case.message}"}}
        for case in cases
        if case.outcome == "undecided"
    ]
    return {"executionSuccessful": not any(case.was_ended for case in cases), "toolExecutionNotifications": said}


def _result(case: Case, rules: list[str]) -> dict[str, Any]:
    place = {"artifactLocation": {"uri": _uri(case.file)}, "region": {"startLine": min(case.line, MOST_LINES)}}
    return {
        "ruleId": case.clause,
        "ruleIndex": rules.index(case.clause),
        "level": "error",
        "message": {"text": f"{case.name}: {case.message}\n{case.details}"},
        **({"locations": [{"physicalLocation": place}]} if case.file else {}),
        **({"suppressions": [{"kind": "external", "justification": case.message}]} if case.outcome == "known" else {}),
    }


def _uri(file: str) -> str:
    """A path as SARIF has it, a URI reference."""
    return "stdin" if file == "-" else quote(file.replace("\\", "/").encode(errors="surrogatepass"), safe="/")


@contextlib.contextmanager
def beginning(group: str, names: Sequence[str], junit_file: Path | None, sarif_file: Path | None) -> Iterator[None]:
    """Around what is looked at before anything is judged: should the input be bad, the files say so (``begin``)."""
    begin(group, names, junit_file, sarif_file)
    try:
        yield
    except BadDesign as why:
        save(of_errors(group, names, str(why)), junit_file, sarif_file)
        raise


def begin(group: str, names: Sequence[str], junit_file: Path | None, sarif_file: Path | None) -> None:
    """Before anything is judged: what is found should the command be ended, in the place of an earlier command's success."""
    save([of_error(group, name, "the command was ended before it had a verdict") for name in names], junit_file, sarif_file)


def save(cases: Sequence[Case], junit_file: Path | None, sarif_file: Path | None) -> None:
    """Write what was asked for. Raises ``BadDesign`` where a file cannot be written."""
    for file, form in ((junit_file, junit), (sarif_file, sarif)):
        if file is not None:
            put(form(cases), file)
