"""The command ``refmodel``, one file for the commands that belong together."""

from __future__ import annotations

import tempfile
from pathlib import Path

from hypothesis import configuration
from rich.markup import escape

from refmodel.cli import check, judge, leaks, lockstep, mutate, prove, tell, vectors
from refmodel.cli.common import BAD_INPUT, app, err
from refmodel.language.unsound import BadDesign, Unsound

__all__ = ["app", "check", "judge", "leaks", "lockstep", "main", "mutate", "prove", "tell", "vectors"]


def main() -> None:
    """Run the command; bad input is one message and status 2."""
    # Hypothesis keeps notes of its own, which are not to appear where the user works.
    configuration.set_hypothesis_home_dir(Path(tempfile.gettempdir()) / "refmodel-hypothesis")
    try:
        app()
    except (BadDesign, Unsound) as why:
        err.print(f"refmodel: {escape(str(why))}", soft_wrap=True)
        raise SystemExit(BAD_INPUT) from None
