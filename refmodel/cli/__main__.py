"""``python -m refmodel.cli``."""

from refmodel.cli import main

main()
