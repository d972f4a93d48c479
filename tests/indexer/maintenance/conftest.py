"""A shop to look after."""

from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from tests.campaigns.shop import Shop, operation_of


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    """With a segment, and changes since."""
    shop = Shop(tmp_path)
    random = Random(1)
    for kind in ("put", "put", "compact", "put", "put"):
        shop.do(operation_of(kind, random, {}, {}))
    yield shop
    shop.close()
