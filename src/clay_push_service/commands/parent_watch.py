"""Stops this process when its parent process exits for any reason, so that `demo` and `serve` leave no process behind."""

import os
import signal
import threading

STDIN = 0


def stop_when_parent_exits() -> None:
    """Sends SIGTERM to this process when standard input closes: the parent holds the other end of that pipe."""
    threading.Thread(target=_stop_at_end_of_stdin, name="parent", daemon=True).start()


def _stop_at_end_of_stdin() -> None:
    try:
        while os.read(STDIN, 1024):
            pass
    except OSError:
        return  # no standard input, so there is no parent to watch
    os.kill(os.getpid(), signal.SIGTERM)
