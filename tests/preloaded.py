"""What commands load and work out, done once for all that are forked: see ``commands``."""

import importlib
import importlib.util
import pkgutil

import llvmlite.binding
import llvmlite.ir
import numpy.random

import refmodel.cli
import refmodel.engines
import refmodel.report
from refmodel.designs import SHIPPED
from refmodel.language import outline

NOT = ("__main__", "page", "over_dask", "member", "certificates")
"""Modules that do something when they are loaded, or need what few commands do."""
for package in (refmodel.cli, refmodel.engines, refmodel.report):
    for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
        if module.name.rpartition(".")[2] not in NOT:
            importlib.import_module(module.name)
if importlib.util.find_spec("pydantic"):
    importlib.import_module("pydantic")  # Typer's newer versions need it
LIBRARIES = llvmlite.binding, llvmlite.ir, numpy.random
OUTLINES = [outline(cls) for cls in SHIPPED.values()]
"""What a command that names no design works out."""
