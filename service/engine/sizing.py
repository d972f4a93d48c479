"""How many processes the service has, and what each may use of the machine."""

import math
import os
import sys
import threading

from indexer.config import Settings
from indexer.embedding.models import loads_tensorflow
from indexer.images.memory import MIB

# Memory of a process by engine: the model, the index of a large collection and requests.
_PROCESS = {"openvino": 640 * MIB, "tensorflow": 1536 * MIB}
_ANOTHER_MODEL = 256 * MIB
# The rest is for the files of the index, which the system keeps in memory.
_SHARE_OF_MEMORY = 0.5
_NICE = 10


def worker_count(settings: Settings, cores: int, memory: int) -> int:
    """Returns the number of worker processes.

    `auto` is one per core, as one process computes on one core at a time apart from the model,
    and no more than half of the memory can hold.

    Args:
        settings: of the service and its models.
        cores: available to all processes.
        memory: available to all processes, in bytes.
    """
    if settings.service.workers != "auto":
        return settings.service.workers
    models = {settings.embedding_of(name) for name in settings.collection_names()}
    one = _PROCESS["tensorflow" if any(map(loads_tensorflow, models)) else "openvino"]
    one += (len(models) - 1) * _ANOTHER_MODEL
    return max(1, min(cores, int(_SHARE_OF_MEMORY * memory / one)))


def thumbnail_threads(cores: int, workers: int) -> int:
    """Returns the number of threads in which a process makes thumbnails.

    Half of the cores over all processes, but at least one thread in each.
    """
    return max(1, cores // (2 * workers))


def model_threads(cores: int, workers: int) -> int:
    """Returns the number of threads that a process computes the model with.

    Two for each core: photos rarely come to all processes at the same time, and a photo that comes
    alone should have more than one core.
    """
    return min(cores, math.ceil(2 * cores / workers))


def yield_to_requests() -> None:
    """Lowers the priority of this thread and of those that it starts, such as those of a model.

    A request needs the processor for a millisecond and would wait for a pass of the model.
    """
    if sys.platform == "linux":  # elsewhere this sets the priority of the whole process
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICE)
