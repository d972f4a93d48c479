"""How many processes the service has, and what each may use of the machine."""

import math

from indexer.config import Settings
from indexer.embedding.models import loads_tensorflow
from indexer.images.memory import MIB

# Memory of a process by engine: the model, the index of a large collection and requests.
_PROCESS = {"openvino": 640 * MIB, "tensorflow": 1536 * MIB}
_ANOTHER_MODEL = 256 * MIB
# The rest is for the files of the index, which the system keeps in memory.
_SHARE_OF_MEMORY = 0.5


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


def model_threads(cores: int, workers: int) -> int:
    """Returns the number of threads that a process computes the model with.

    Two for each core: photos rarely come to all processes at the same time, and a photo that comes
    alone should have more than one core.
    """
    return min(cores, math.ceil(2 * cores / workers))
