"""Imports TensorFlow without its banner.

Its native libraries print several lines to stderr on import, regardless of
TF_CPP_MIN_LOG_LEVEL (tensorflow issue 100442); every command would print them.
"""

import importlib
import os
import re
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from indexer.errors import EngineUnavailableError

LOG_LEVEL = "TF_CPP_MIN_LOG_LEVEL"
BANNER = re.compile(rb"WARNING: All log messages before absl|[IWE]\d{4} [\d:.]+ +\d+ \S+:\d+\] ")


def import_tensorflow() -> Any:
    """Imports `tensorflow`; leaves its log alone if TF_CPP_MIN_LOG_LEVEL is set.

    Raises:
        EngineUnavailableError: TensorFlow is not installed.
    """
    try:
        if "tensorflow" in sys.modules or LOG_LEVEL in os.environ:
            return importlib.import_module("tensorflow")
        # 3 hides even errors, such as a missing GPU; those that matter are raised as exceptions.
        os.environ[LOG_LEVEL] = "3"
        with _banner_dropped():
            return importlib.import_module("tensorflow")
    except ModuleNotFoundError as error:
        if error.name != "tensorflow":
            raise
        raise EngineUnavailableError(
            "TensorFlow is not installed, which training, models of Keras and embedding.engine:"
            " tensorflow need: pip install -r requirements.txt"
        ) from error


@contextmanager
def _banner_dropped() -> Iterator[None]:
    """Buffers stderr of this process, then prints all of it except the banner."""
    sys.stderr.flush()
    stderr = os.dup(2)
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), 2)
        try:
            yield
        finally:
            sys.stderr.flush()
            os.dup2(stderr, 2)
            os.close(stderr)
            held.seek(0)
            for line in held:
                if not BANNER.match(line):
                    os.write(2, line)
