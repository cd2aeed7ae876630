"""JSON schemas as they are written to files: the same whatever release of msgspec has made them."""

from __future__ import annotations

import inspect
from typing import Any


def steady(schema: Any) -> Any:
    """A schema whose descriptions have no indentation, and which names no empty default: releases of msgspec differ in both."""
    if isinstance(schema, list):
        return [steady(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    kept = {name: steady(value) for name, value in schema.items() if not (name == "default" and value == {})}
    if isinstance(kept.get("description"), str):
        kept["description"] = inspect.cleandoc(kept["description"])
    return kept
