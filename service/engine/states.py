"""The states of collections, as `/readyz` shows them."""

from dataclasses import dataclass

READY, MISMATCH, NO_MODEL = "ready", "mismatch", "no_model"
# The others: in the metrics each status of a collection is a series.
STARTING, MISSING, FAILED = "starting", "missing", "failed"
STATUSES = (READY, MISMATCH, NO_MODEL, STARTING, MISSING, FAILED)


@dataclass(frozen=True)
class CollectionState:
    """The state of a collection, as `/readyz` shows it.

    `detail` explains every status except `ready`, and an empty catalogue.
    """

    name: str
    status: str
    detail: str = ""
    products: int = 0
    seq: int = 0
    weights: str = ""
    trained: bool = True
    photo_search: bool = False

    @property
    def ready(self) -> bool:
        """Whether this process should get requests.

        In a mismatch it should: it answers searches by product, and no other process can do more.
        Without a model it should not, because others may have theirs.
        """
        return self.status in (READY, MISMATCH)
