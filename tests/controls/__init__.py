"""Right variants of designs that ship, one a file: each is a ``Control`` that differs from its design and keeps every law.

A law that one of them breaks condemns what is right, and has to be said again.
"""
