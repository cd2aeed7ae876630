"""Estimating how much memory a VM needs, from what a monitor can see."""
