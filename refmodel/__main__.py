"""``python -m refmodel``."""

from refmodel.cli import main

if __name__ == "__main__":
    main()
