"""What commands load and work out, done once for all that are forked: see ``commands``."""

import gc
import importlib
import importlib.util
import pkgutil

import llvmlite.binding
import llvmlite.ir
import numpy.random
import pytest

import refmodel.cli
import refmodel.engines
import refmodel.oracle.trace
import refmodel.report
from refmodel.designs import SHIPPED
from refmodel.language import outline

NOT = ("__main__", "page", "over_dask", "member", "certificates")
"""Modules that do something when they are loaded, or need what few commands do."""
for package in (refmodel.cli, refmodel.engines, refmodel.oracle.trace, refmodel.report):
    for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
        if module.name.rpartition(".")[2] not in NOT:
            importlib.import_module(module.name)
for name in ("pydantic", "typer._adapters"):  # Typer's newer versions need them
    if importlib.util.find_spec(name):
        importlib.import_module(name)
LIBRARIES = llvmlite.binding, llvmlite.ir, numpy.random, pytest
OUTLINES = [outline(cls) for cls in SHIPPED.values()]
"""What a command that names no design works out."""
gc.freeze()  # whoever is forked need not look through all this
