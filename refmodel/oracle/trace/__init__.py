"""Judging traces: what an implementation of anybody's says that it did, held to the laws of the shipped text."""
