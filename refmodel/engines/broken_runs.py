"""A run that breaks a law, with what is needed to print it, to send it and to run it again."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import attrs

from refmodel.engines.machine import Failure, Told
from refmodel.engines.replaying import replay
from refmodel.engines.tokens import encode
from refmodel.engines.words import broken_text, call, trace_text
from refmodel.language.design import Outline
from refmodel.language.laws import Law
from refmodel.language.sizes import Geometry


@attrs.frozen
class BrokenRun:
    """A run from power-on whose last step breaks a law. ``print`` shows its steps and its token."""

    design: Outline
    geometry: Geometry
    failure: Failure
    spec: str | None
    """The design's name as ``refmodel replay`` finds it; None for a class that no name leads to."""
    asked: str = ""
    """The clause or the law that alone was judged; empty where all were."""

    @property
    def law(self) -> Law | None:
        """The law that is broken; None if the text aborted (EFF-3)."""
        return self.failure.broken.law

    @property
    def clause(self) -> str:
        """The clause of specs/properties.md, such as ``ISO-2``."""
        return self.failure.broken.clause

    @property
    def sentence(self) -> str:
        """What the law claims."""
        return self.failure.broken.sentence

    @property
    def names(self) -> dict[str, Any]:
        """The names for which the law is broken, such as ``{"vm": 0, "gfn": 1}``."""
        return dict(self.failure.broken.names)

    @property
    def steps(self) -> tuple[str, ...]:
        """Each step as a call: ``share(vm=vm0, gfn=gfn0, other_vm=vm1, other_gfn=gfn0)``."""
        return tuple(call(self.design, told.step, told.begun) for told in self.told())

    @property
    def judged(self) -> Outline:
        """The design with the broken law alone, or with none if the text aborted: the run is shown up to that step, although other
        laws may be broken before."""
        if self.law is None:
            return attrs.evolve(self.design, laws=(), pending=())
        pending = tuple(each for each in self.design.pending if each.law is self.law)
        return attrs.evolve(self.design, laws=() if pending else (self.law,), pending=pending)

    @property
    def token(self) -> str | None:
        """What ``refmodel replay`` takes; None for a class that no name leads to."""
        if self.spec is None:
            return None
        return encode(self.spec, self.design, self.geometry, self.failure.run, self._by)

    @property
    def _by(self) -> str:
        """What the run is judged by when it is run again: the one law, where others may be broken before."""
        return self.asked if self.law is not None and self.asked == self.law.name else self.clause

    def __reduce__(self) -> Any:
        raise TypeError("a run stays in its process; expected its token or its text, str(run)")

    def told(self) -> list[Told]:
        """Each step with what it changed and what it showed."""
        return list(replay(self.judged, self.geometry, self.failure.run))

    def __str__(self) -> str:
        token = self.token
        again = "(a class that no name leads to has no token)" if token is None else f"refmodel replay {token}"
        return "\n".join([broken_text(self.failure.broken), trace_text(self.design, self.told()), again])


def spec_of_class(cls: type) -> str | None:
    """How a class is named in a token; None if no name leads to it."""
    module = sys.modules.get(cls.__module__)
    if getattr(module, cls.__qualname__, None) is not cls:  # in a function, or in a notebook's cell
        return None
    if cls.__module__.split(".")[0] == "refmodel":
        return f"{cls.__module__}:{cls.__qualname__}"
    file = Path(getattr(module, "__file__", None) or "")
    return f"{file.resolve()}:{cls.__qualname__}" if file.is_file() else None  # none at a prompt, or from standard input


__all__ = ["BrokenRun", "spec_of_class"]
