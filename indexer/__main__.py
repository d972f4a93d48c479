"""Runs the command line as `python -m indexer`."""

import os
import signal
from types import FrameType

_INTERRUPTED = 130  # as in `indexer.cli.errors`, which is not imported yet


def _stop(_: int, __: FrameType | None) -> None:
    """Ends the process at once: modules that are half imported may hide a KeyboardInterrupt."""
    os.write(2, b"error: interrupted\n")
    os._exit(_INTERRUPTED)


def run(prog_name: str | None = None) -> None:
    """Runs the command line; `prog_name` is shown in help texts, by default that of the script."""
    interruptible = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if interruptible:
        signal.signal(signal.SIGINT, _stop)
    from indexer.cli import main  # takes up to a second

    if interruptible:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    main(prog_name=prog_name)


if __name__ == "__main__":
    run("python -m indexer")
