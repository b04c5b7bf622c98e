"""Ends a process when the one that started it dies, however it died: nothing of a demo or of `serve` is left behind."""

import os
import signal
import threading

STDIN = 0


def end_with_it() -> None:
    """SIGTERM to ourselves when standard input, a pipe that our parent holds, is closed. Works wherever pipes do."""
    threading.Thread(target=_wait, name="parent", daemon=True).start()


def _wait() -> None:
    try:
        while os.read(STDIN, 1024):
            pass
    except OSError:
        return  # there is no standard input, so it says nothing of a parent
    os.kill(os.getpid(), signal.SIGTERM)
