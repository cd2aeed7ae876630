"""The manifest of a folder of vectors: which version made it, how many vectors each file has, and each file's SHA-256."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from importlib import metadata
from pathlib import Path

import msgspec

from refmodel.language import BadDesign
from refmodel.language.encoding import undecodable
from refmodel.language.unsound import UNDECODABLE
from refmodel.oracle.vectors.files import VERSION

NAME = "manifest.json"


class Manifest(msgspec.Struct):
    """What ``manifest.json`` says."""

    version: int
    """Of the format."""
    format: str
    """Where the format is described."""
    refmodel: str
    """The version that wrote the vectors."""
    vectors: dict[str, int]
    """How many each set has."""
    sha256: dict[str, str]
    """By name of the file, in hexadecimal."""
    without: list[str] = []
    """The features that were left out."""


def write(folder: Path, vectors: Mapping[str, int], without: Iterable[str]) -> None:
    """Write the manifest of the files of these sets."""
    sums = {f"{name}.jsonl": _sha256(folder / f"{name}.jsonl") for name in vectors}
    about = Manifest(VERSION, "specs/vectors.md", metadata.version("refmodel"), dict(vectors), sums, sorted(without))
    (folder / NAME).write_text(json.dumps(msgspec.to_builtins(about), indent=2) + "\n")


def check(folder: Path) -> None:
    """Hold a folder's files against its manifest. Raises ``BadDesign``."""
    file = folder / NAME
    if not file.is_file():
        raise BadDesign(f"{file}: no such file; refmodel vectors --out {folder} makes it with the vectors")
    try:
        data = file.read_bytes()
        about = msgspec.json.decode(data, type=Manifest)
    except UNDECODABLE as why:
        raise BadDesign(f"{file}: not a manifest: {undecodable(data, why)}") from None
    again = f"refmodel vectors --out {folder} makes the files again"
    if about.version != VERSION:
        raise BadDesign(f"{file}: version: {about.version}; expected {VERSION}; {again}")
    for name, expected in about.sha256.items():
        listed = folder / name
        if not listed.is_file():
            raise BadDesign(f"{listed}: no such file, and {NAME} lists it; {again}")
        if _sha256(listed) != expected:
            raise BadDesign(f"{listed}: changed since it was written: its SHA-256 is not that of {NAME}; {again}")


def _sha256(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
