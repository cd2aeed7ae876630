"""Where each key and each element of an array stands in a TOML file, so that an error names its line.

``tomllib`` reads what a file says and forgets where. Its time grows with the square of a key's parts, and it calls itself where
arrays lie in each other. So a text is read here first, in a time that grows with its length, and what lies too deep is refused. A
text that is no TOML is read up to where it ceases to be any, and ``tomllib`` says what is wrong with it.
"""

from __future__ import annotations

import bisect
import re
import tomllib
from collections import Counter
from contextlib import suppress

import attrs

Path = tuple[str | int, ...]
"""Names of keys, and numbers of elements."""
DEEPEST = 8
"""Names and numbers in a path, at most. A workload has no more than five: ``vm.NAME.phases[0].at``."""
LONGEST = 100
"""Characters of a number or date, at most: Python refuses to read, or to print, a number of more than 4,300 digits."""

SPACE = re.compile(r"[ \t]*")
BETWEEN = re.compile(r"(?:[ \t\r\n]|#[^\n]*+)*+")
"""What may stand between lines, and between the elements of an array."""
LONG_STRING = re.compile(r'"""(?:\\.|(?!""")[^\\])*+"{3,5}|' + r"'''(?:(?!''').)*+'{3,5}", re.DOTALL)
STRING = re.compile(r'"(?:\\.|[^"\\\n])*+"|' + r"'[^'\n]*+'")
BARE = re.compile(r"[A-Za-z0-9_-]+")
SCALAR = re.compile(r"[^,\]}#\n]+")


class Refused(Exception):
    """What no workload has: where it is, and what was expected in its place."""

    def __init__(self, path: Path, line: int, why: str) -> None:
        super().__init__(path, line, why)
        self.path, self.line, self.why = path, line, why


class _NoToml(Exception):
    """Here the text ceases to be TOML."""


def spelled(path: Path) -> str:
    """A path as a person writes it."""
    return "".join(f"[{each}]" if isinstance(each, int) else f".{each}" for each in path).removeprefix(".")


def lines(text: str) -> dict[Path, int]:
    """By path: the line in which it begins. A table begins at its head. ``Refused`` where one is too long."""
    scanner = _Scanner(text)
    with suppress(_NoToml):
        scanner.scan()
    return scanner.found


@attrs.define
class _Scanner:
    text: str
    at: int = 0
    found: dict[Path, int] = attrs.field(factory=dict)
    elements: Counter[Path] = attrs.field(factory=Counter)
    """How many tables there are so far in an array of tables."""
    breaks: list[int] = attrs.field(init=False)
    """Where lines end."""

    def __attrs_post_init__(self) -> None:
        self.breaks = [match.start() for match in re.finditer("\n", self.text)]

    def scan(self) -> None:
        table: Path = ()
        self._skip(BETWEEN)
        while self.at < len(self.text):
            if self.text.startswith("[", self.at):
                table = self._head()
            else:
                self._pair(table)
            self._skip(BETWEEN)

    def _head(self) -> Path:
        begun, many = self.at, self.text.startswith("[[", self.at)
        self.at += 2 if many else 1
        path = self._inside(self._key(), many)
        self._note(path, begun)
        self._pass("]]" if many else "]")
        return path

    def _inside(self, key: list[str], many: bool) -> Path:
        """The path of a table, with the number of the last table where one on the way is an array of tables."""
        path: Path = ()
        for number, name in enumerate(key):
            path = self._short((*path, name), self.at)
            if many and number == len(key) - 1:
                self.elements[path] += 1
            if self.elements[path]:
                path = (*path, self.elements[path] - 1)
        return path

    def _pair(self, table: Path) -> None:
        begun, key = self.at, self._key()
        self._note((*table, *key), begun)
        self._pass("=")
        self._value((*table, *key))

    def _key(self) -> list[str]:
        names = list[str]()
        while True:
            self._skip(SPACE)
            name = self._skip(STRING if self._next() in "\"'" else BARE)
            try:
                names += tomllib.loads(f"{name} = 0")
            except tomllib.TOMLDecodeError:
                raise _NoToml from None
            self._skip(SPACE)
            if not self.text.startswith(".", self.at):
                return names
            self._short((*names, ""), self.at)
            self.at += 1

    def _value(self, path: Path) -> None:
        self._skip(SPACE)
        begun, first = self.at, self._next()
        if first == "[":
            self._elements(path)
        elif first == "{":
            self._pairs(path)
        elif first in "\"'":
            self._skip(LONG_STRING if self.text.startswith(first * 3, self.at) else STRING)
        elif len(told := self._skip(SCALAR).rstrip()) > LONGEST:
            raise Refused(path, self._line(begun), f"expected at most {LONGEST} characters, got {len(told):,}")

    def _elements(self, path: Path) -> None:
        self.at += 1
        number = 0
        while self._more("]"):
            self._note((*path, number), self.at)
            self._value((*path, number))
            number += 1

    def _pairs(self, path: Path) -> None:
        self.at += 1
        while self._more("}"):
            self._pair(path)

    def _more(self, end: str) -> bool:
        """Whether there is another element before the end, which is passed over."""
        self._skip(BETWEEN)
        if self.text.startswith(",", self.at):
            self.at += 1
            self._skip(BETWEEN)
        if self._next() != end:
            return True
        self.at += 1
        return False

    def _note(self, path: Path, at: int) -> None:
        line = self._line(at)
        for length in range(1, len(self._short(path, at)) + 1):
            self.found.setdefault(path[:length], line)

    def _short(self, path: Path, at: int) -> Path:
        if len(path) > DEEPEST:
            raise Refused(path[:DEEPEST], self._line(at), f"expected at most {DEEPEST} names below each other, got more")
        return path

    def _line(self, at: int) -> int:
        return bisect.bisect_left(self.breaks, at) + 1

    def _next(self) -> str:
        if self.at >= len(self.text):
            raise _NoToml
        return self.text[self.at]

    def _pass(self, sign: str) -> None:
        self._skip(SPACE)
        if not self.text.startswith(sign, self.at):
            raise _NoToml
        self.at += len(sign)

    def _skip(self, pattern: re.Pattern[str]) -> str:
        match = pattern.match(self.text, self.at)
        if match is None:
            raise _NoToml
        self.at = match.end()
        return match[0]
