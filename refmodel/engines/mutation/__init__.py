"""Mechanical mutation of a text: one place at a time is changed, and every change is to be noticed."""
