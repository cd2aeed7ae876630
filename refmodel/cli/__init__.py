"""The command ``refmodel``, one file for the commands that belong together."""

from __future__ import annotations

import signal
import tempfile
from pathlib import Path

from hypothesis import configuration
from rich.markup import escape

from refmodel.cli import check, judge, leaks, lockstep, mutate, prove, tell, vectors, version
from refmodel.cli.common import BAD_INPUT, INTERRUPTED, Ended, app, err
from refmodel.language.unsound import BadDesign, Unsound


def _end(number: int, frame: object) -> None:
    raise Ended


__all__ = ["app", "check", "judge", "leaks", "lockstep", "main", "mutate", "prove", "tell", "vectors", "version"]


def main() -> None:
    """Run the command; bad input is one message and status 2."""
    # Hypothesis keeps notes of its own, which are not to appear where the user works.
    configuration.set_hypothesis_home_dir(Path(tempfile.gettempdir()) / "refmodel-hypothesis")
    for number in (signal.SIGINT, signal.SIGTERM):
        if signal.getsignal(number) != signal.SIG_IGN:  # as in a shell's background
            signal.signal(number, _end)
    try:
        app()
    except (Ended, KeyboardInterrupt):
        err.print("refmodel: ended before it was done", soft_wrap=True)
        raise SystemExit(INTERRUPTED) from None
    except (BadDesign, Unsound) as why:
        err.print(f"refmodel: {escape(str(why))}", soft_wrap=True)
        raise SystemExit(BAD_INPUT) from None
