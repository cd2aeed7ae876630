"""The command ``refmodel``, one file for the commands that belong together."""

from __future__ import annotations

import signal
import tempfile
from pathlib import Path

import click
from hypothesis import configuration
from rich.markup import escape

from refmodel.cli import check, judge, leaks, lockstep, tell, vectors
from refmodel.cli.common import BAD_INPUT, INTERRUPTED, app, err
from refmodel.language.unsound import BadDesign, Unsound


def _end(number: int, frame: object) -> None:
    """Being told to end is as Ctrl-C: what was found so far is kept."""
    raise KeyboardInterrupt


__all__ = ["app", "check", "judge", "leaks", "lockstep", "main", "tell", "vectors"]


def main() -> None:
    """Run the command; bad input is one message and status 2."""
    # Hypothesis keeps notes of its own, which are not to appear where the user works.
    configuration.set_hypothesis_home_dir(Path(tempfile.gettempdir()) / "refmodel-hypothesis")
    signal.signal(signal.SIGTERM, _end)
    try:
        status = app(standalone_mode=False)  # what a command exits with comes back as a number
    except (KeyboardInterrupt, click.exceptions.Abort):
        err.print("refmodel: ended before it was done", soft_wrap=True)
        raise SystemExit(INTERRUPTED) from None
    except click.exceptions.ClickException as why:
        why.show()
        raise SystemExit(why.exit_code) from None
    except (BadDesign, Unsound) as why:
        err.print(f"refmodel: {escape(str(why))}", soft_wrap=True)
        raise SystemExit(BAD_INPUT) from None
    raise SystemExit(status or 0)
