"""Machine code from LLVM's language, kept by what it was made of: in this process, and in a folder for the next."""

from __future__ import annotations

import functools
import hashlib
import os
import tempfile
from pathlib import Path
from typing import Any

from refmodel.engines.folders import cache_folder

MOST = 6000
"""Files that are kept; beyond these the oldest go."""
_made: dict[str, bytes] = {}


@functools.cache
def llvm() -> Any:
    """llvmlite's binding of LLVM, or None if it is not installed."""
    try:
        from llvmlite import binding
    except ImportError:
        return None
    binding.initialize_native_target()
    binding.initialize_native_asmprinter()
    return binding


@functools.cache
def _made_for() -> str:
    """What machine code depends on beside its text."""
    import llvmlite

    features = llvm().get_host_cpu_features().flatten()
    return f"{llvmlite.__version__} {llvm().llvm_version_info} {llvm().get_host_cpu_name()} {features}"


def machine(level: int) -> Any:
    """This machine, as LLVM sees it; ``level`` is how much it may think about code."""
    cpu, features = llvm().get_host_cpu_name(), llvm().get_host_cpu_features().flatten()
    return llvm().Target.from_default_triple().create_target_machine(cpu=cpu, features=features, opt=level)


def object_code(text: str, level: int, quickly: bool = False) -> bytes:
    """The machine code of some functions. ``quickly`` is for long straight code, in which each thing is computed once already: its
    variables become values, and no more is done. That takes a quarter of the time, and a search, which judges laws too,
    takes at most a third longer."""
    key = hashlib.sha256(f"{_made_for()}\0{0 if quickly else level} {quickly}\0{text}".encode()).hexdigest()
    if key not in _made:
        _made[key] = _recalled(key) or _compiled(text, level, quickly)
        _keep(key, _made[key])
    return _made[key]


def _compiled(text: str, level: int, quickly: bool) -> bytes:
    module, target = llvm().parse_assembly(text), machine(0 if quickly else level)
    module.triple, module.data_layout = target.triple, str(target.target_data)
    options = llvm().create_pipeline_tuning_options(speed_level=level)
    options.loop_vectorization = options.slp_vectorization = False
    builder = llvm().create_pass_builder(target, options)
    if quickly:
        passes = llvm().create_new_function_pass_manager()
        passes.add_sroa_pass()
        for function in module.functions:
            if not function.is_declaration:
                passes.run(function, builder)
    else:
        builder.getModulePassManager().run(module, builder)
    return bytes(target.emit_object(module))


def linked(objects: list[bytes], level: int) -> Any:
    """An engine with these functions in it."""
    engine = llvm().create_mcjit_compiler(llvm().parse_assembly(""), machine(level))
    for code in objects:
        engine.add_object_file(llvm().object_file.ObjectFileRef.from_data(code))
    engine.finalize_object()
    return engine


# ---------------------------------------------------------------- the folder


def _folder() -> Path:
    return cache_folder("compiled")


def _recalled(key: str) -> bytes | None:
    """What was kept, if it is what was kept: its own hash is at its front."""
    try:
        kept = (_folder() / key).read_bytes()
    except OSError:
        return None
    return kept[32:] if hashlib.sha256(kept[32:]).digest() == kept[:32] else None


def _keep(key: str, code: bytes) -> None:
    folder = _folder()
    try:
        if (folder / key).exists():
            return
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=folder, delete=False) as new:
            new.write(hashlib.sha256(code).digest() + code)
        os.replace(new.name, folder / key)
        _tidied(folder)
    except OSError:
        return


@functools.cache
def _tidied(folder: Path) -> None:
    """Once in a process: if there are too many, a quarter of them goes, those that were made first."""
    files = list(folder.iterdir())
    if len(files) > MOST:
        for file in sorted(files, key=lambda f: f.stat().st_mtime)[: MOST // 4]:
            file.unlink(missing_ok=True)


__all__ = ["linked", "llvm", "object_code"]
