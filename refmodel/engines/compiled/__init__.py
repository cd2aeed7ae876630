"""A fourth reading of a text: each operation traced once, and made into machine code.

``nodes`` and ``known`` are what a trace computes with, ``reading`` and ``tables`` the reading, ``tracing`` makes a tree of
decisions of an operation and an expression of a law. ``code``, ``functions`` and ``runtime`` write LLVM's language, ``native``
compiles it with llvmlite. ``exploring`` and ``walking`` are the engines that run it. No compiler needs to be installed.
"""
