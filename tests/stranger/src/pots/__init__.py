"""Pots that hold one thing, or nothing."""
