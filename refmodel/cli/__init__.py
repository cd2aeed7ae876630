"""The command ``refmodel``, one file for the commands that belong together."""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import sys
import tempfile
import time
from pathlib import Path

from rich.markup import escape

from refmodel.cli import version
from refmodel.cli.common import BAD_INPUT, INTERRUPTED, Ended, app, err, to_nowhere, unread
from refmodel.language.unsound import BadDesign, Unsound

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)
"""Why what a command prints may be lost. No verdict follows from that, and Python's status 1 would be one."""
REFUSED = (errno.ENAMETOOLONG, errno.EACCES, errno.EPERM, errno.EROFS, errno.ELOOP, errno.ENOTDIR, errno.EISDIR)
"""Why a file that was named cannot be used: bad input, wherever it comes to light."""
AGAIN = 0.05
"""Seconds after which the end is asked for again, where it was swallowed."""


AT_ONCE = 1.0
"""Seconds in which a second signal to end is the first one again: ``timeout`` sends SIGTERM to the command and to its group."""


def _end(number: int, frame: object) -> None:
    now = time.monotonic()
    if number != signal.SIGALRM and Ended.asked and now - Ended.asked_at < AT_ONCE:
        return
    Ended.asked, Ended.asked_at = True, now
    raise Ended


def _swallowed(what: sys.UnraisableHookArgs) -> None:
    """A callback from C cannot pass on that the command is to end, so the signal comes again a moment later."""
    if isinstance(what.exc_value, Ended):
        signal.setitimer(signal.ITIMER_REAL, AGAIN)
    else:
        sys.__unraisablehook__(what)


def _run() -> None:
    try:
        app()
    except SystemExit:
        try:
            sys.stdout.flush()
        except BrokenPipeError:
            unread(sys.stdout)
        raise


def _say(why: str) -> None:
    with contextlib.suppress(Ended, OSError):  # nobody reads that either
        err.print(f"refmodel: {escape(why)}", soft_wrap=True)


__all__ = ["app", "main", "version"]


def main() -> None:
    """Run the command; bad input is one message and status 2."""
    # Hypothesis keeps notes of its own, which are not to appear where the user works.
    os.environ.setdefault("HYPOTHESIS_STORAGE_DIRECTORY", str(Path(tempfile.gettempdir()) / "refmodel-hypothesis"))
    for number in (signal.SIGINT, signal.SIGTERM):
        if signal.getsignal(number) != signal.SIG_IGN:  # as in a shell's background
            signal.signal(number, _end)
    signal.signal(signal.SIGALRM, _end)
    sys.unraisablehook = _swallowed
    try:
        _run()
    except (Ended, KeyboardInterrupt) as why:
        _say(str(why) or "ended before it was done")
        raise SystemExit(INTERRUPTED) from None
    except (BadDesign, Unsound) as why:
        _say(str(why))
        raise SystemExit(BAD_INPUT) from None
    except OSError as why:
        if why.errno in REFUSED and why.filename is not None:
            _say(f"{why.filename}: cannot be used: {why.strerror}")
            raise SystemExit(BAD_INPUT) from None
        if why.errno not in FULL or why.filename is not None:
            raise
        to_nowhere(sys.stdout)
        _say(f"what it prints cannot be written: {why.strerror}")
        raise SystemExit(BAD_INPUT) from None
    except Exception as why:
        if not Ended.asked:
            raise
        # a library that was ended in the middle of something may make an error of its own of it
        _say(f"ended before it was done ({type(why).__name__})")
        raise SystemExit(INTERRUPTED) from None
