"""A design with a defect, and the clause that it breaks."""

import sys

import attrs

from refmodel.language import Design


@attrs.frozen
class Mutant:
    design: type[Design]
    clause: str
    entry: str = ""
    """A historical defect's number in the catalogue."""

    @property
    def title(self) -> str:
        """What is wrong, in a sentence on one line."""
        return " ".join((self.design.__doc__ or "").split())

    @property
    def told(self) -> str:
        """What is wrong, and where a historical defect is on record."""
        return f"{self.title} ({self.reference})" if self.entry else self.title

    @property
    def reference(self) -> str:
        """Where a historical defect is on record; empty for one that was made up."""
        return (sys.modules[self.design.__module__].__doc__ or "").split(":")[0] if self.entry else ""
