"""Designs to begin with: each is short, and says what there is to see."""
