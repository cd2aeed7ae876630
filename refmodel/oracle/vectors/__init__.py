"""Conformance vectors: walks and runs of a monitor with everything that may come of each, generated from the model's own text."""
