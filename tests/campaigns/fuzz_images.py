"""Damaged photos sent to a real server: each is taken or refused properly, and harms nothing.

python -m tests.campaigns.fuzz_images --seed 1 --size 10000
"""

import base64
import json
import os
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from random import Random

from tests.campaigns.command import Counts, main
from tests.campaigns.fuzz_mutations import mutated, seeds
from tests.campaigns.fuzz_target import Target, code_of, is_busy, target
from tests.processes import Reply

_CONNECTIONS = 8
_REAL_PHOTOS = 20


def run(seed: int, size: int) -> Counts:
    """Sends so many damaged photos, several at once, half of them as base64.

    Raises:
        AssertionError: an answer was not as it must be, or the service was harmed.
    """
    photos = [*seeds(), *_real_photos()]
    with target() as shot_at, ThreadPoolExecutor(_CONNECTIONS) as senders:

        def shoot(number: int) -> str:
            try:
                return _code(shot_at, Random(f"{seed}/{number}"), photos)
            except Exception as error:
                raise AssertionError(f"photo {number} of seed {seed}") from error

        counts = Counter(senders.map(shoot, range(size)))
        return {**counts, "MiB over idle": shot_at.growth_mib()}


def _code(shot_at: Target, random: Random, photos: Sequence[bytes]) -> str:
    data, as_base64, box = mutated(random, photos), random.random() < 0.5, random.random() < 0.2
    fields = {"box": "0.1,0.2,0.5,0.9"} if box else {}
    while is_busy(code := code_of(_sent(shot_at, data, fields, as_base64=as_base64))):
        time.sleep(0.5)
    return code


def _sent(shot_at: Target, data: bytes, fields: dict[str, str], *, as_base64: bool) -> Reply:
    if not as_base64:
        return shot_at.upload(data, **fields)
    body = {"image_base64": base64.b64encode(data).decode(), **fields}
    return shot_at.post(json.dumps(body).encode(), "application/json")


def _real_photos() -> list[bytes]:
    """Of IMAGE_SEARCH_TEST_DATA, where that is set."""
    folder = os.environ.get("IMAGE_SEARCH_TEST_DATA")
    files = sorted(Path(folder).rglob("*.jpg")) if folder else []
    return [file.read_bytes() for file in Random(0).sample(files, min(_REAL_PHOTOS, len(files)))]


if __name__ == "__main__":
    main(run, size=10_000)
