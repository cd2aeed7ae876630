"""Defects that real hypervisors had, each restated as a change to a design that ships. One file each, named after the advisory or
the commit.

A file's docstring tells what happened and where it is on record; its ``Bug`` is the design with the defect.
"""

import importlib
import pkgutil
from types import ModuleType

DEFECTS: dict[str, ModuleType] = {
    m.name.replace("_", "-"): importlib.import_module(f"{__name__}.{m.name}") for m in pkgutil.iter_modules(__path__)
}
"""By name."""
