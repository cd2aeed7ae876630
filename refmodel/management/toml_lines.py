"""Where each key and each element of an array stands in a TOML file, so that an error names its line.

``tomllib`` reads what a file says and forgets where. The text is one that it has read; what it refuses is not looked at here.
"""

from __future__ import annotations

import bisect
import re
import tomllib
from collections import Counter

import attrs

Path = tuple[str | int, ...]
"""Names of keys, and numbers of elements."""

SPACE = re.compile(r"[ \t]*")
BETWEEN = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
"""What may stand between lines, and between the elements of an array."""
STRING = re.compile(r'"""(?:\\.|(?!""").)*"{3,5}|' + r"'''(?:(?!''').)*'{3,5}|" + r'"(?:\\.|[^"\\\n])*"|' + r"'[^'\n]*'", re.DOTALL)
BARE = re.compile(r"[A-Za-z0-9_-]+")
SCALAR = re.compile(r"[^,\]}#\n]*")


def lines(text: str) -> dict[Path, int]:
    """By path: the line in which it begins. A table begins at its head."""
    return _Scanner(text).scanned()


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

    def scanned(self) -> dict[Path, int]:
        table: Path = ()
        self._skip(BETWEEN)
        while self.at < len(self.text):
            if self.text.startswith("[", self.at):
                table = self._head()
            else:
                self._pair(table)
            self._skip(BETWEEN)
        return self.found

    def _head(self) -> Path:
        begun, many = self.at, self.text.startswith("[[", self.at)
        self.at += 2 if many else 1
        path = self._inside(self._key(), many)
        self._note(path, begun)
        self._skip(SPACE)
        self.at += 2 if many else 1
        return path

    def _inside(self, key: list[str], many: bool) -> Path:
        """The path of a table, with the number of the last table where one on the way is an array of tables."""
        path: Path = ()
        for number, name in enumerate(key):
            path = (*path, name)
            if many and number == len(key) - 1:
                self.elements[path] += 1
            if self.elements[path]:
                path = (*path, self.elements[path] - 1)
        return path

    def _pair(self, table: Path) -> None:
        begun, key = self.at, self._key()
        self._note((*table, *key), begun)
        self._skip(SPACE)
        self.at += 1  # the sign "="
        self._value((*table, *key))

    def _key(self) -> list[str]:
        names = list[str]()
        while True:
            self._skip(SPACE)
            match = STRING.match(self.text, self.at) or BARE.match(self.text, self.at)
            assert match is not None, "a key that tomllib has read"
            names += tomllib.loads(f"{match[0]} = 0")
            self.at = match.end()
            self._skip(SPACE)
            if not self.text.startswith(".", self.at):
                return names
            self.at += 1

    def _value(self, path: Path) -> None:
        self._skip(SPACE)
        if self.text.startswith("[", self.at):
            self._elements(path)
        elif self.text.startswith("{", self.at):
            self._pairs(path)
        else:
            self._skip(STRING if self.text[self.at] in "\"'" else SCALAR)

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
        if not self.text.startswith(end, self.at):
            return True
        self.at += 1
        return False

    def _note(self, path: Path, at: int) -> None:
        line = bisect.bisect_left(self.breaks, at) + 1
        for length in range(1, len(path) + 1):
            self.found.setdefault(path[:length], line)

    def _skip(self, pattern: re.Pattern[str]) -> None:
        match = pattern.match(self.text, self.at)
        self.at = match.end() if match is not None else self.at
