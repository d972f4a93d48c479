"""Requests made from /openapi.json, right ones and wrong ones, and bytes that are no HTTP.

python -m tests.campaigns.fuzz_requests --seed 1 --size 10000
"""

import re
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from random import Random
from typing import Any

import hypothesis
import schemathesis
from hypothesis import HealthCheck, Phase, given
from hypothesis import strategies as st
from schemathesis import Case, CheckFunction, GenerationMode
from schemathesis.specs.openapi.checks import (
    ignored_auth,
    negative_data_rejection,
    positive_data_acceptance,
)

from tests.campaigns.command import Counts, main
from tests.campaigns.fuzz_nonsense import exchange, nonsense
from tests.campaigns.fuzz_target import PRODUCTS, Target, target

_SHARE_NONSENSE = 0.3
_STATUS = re.compile(rb"HTTP/1\.[01] (\d{3}) ")
# A transfer coding that a server does not know is answered with 501: RFC 9112, section 6.1.
_UNKNOWN_CODING = 501
# Answers of gunicorn to addresses and headers that no page of ours could read.
_TOO_LONG = {414, 431}
# What the document allows may still not be there, or be no photo. Asking each time without a key
# too would take three times as long, and other tests do.
_EXCLUDED: list[CheckFunction] = [positive_data_acceptance, ignored_auth]

# These answer 200 and say for each item what is wrong with it.
_ITEM_BY_ITEM = ("/bulk", "/batch")


def run(seed: int, size: int) -> Counts:
    """Sends so many requests, and meanwhile nonsense on other connections.

    Raises:
        AssertionError: an answer was not as documented, or the service was harmed.
    """
    without_sense = round(size * _SHARE_NONSENSE)
    with target() as shot_at, ThreadPoolExecutor(1) as other:
        sent = other.submit(_send_nonsense, shot_at, seed, without_sense)
        counts = _send_requests(shot_at, seed, size - without_sense)
        counts += sent.result()
        return {**counts, "MiB over idle": shot_at.growth_mib()}


def _send_requests(shot_at: Target, seed: int, size: int) -> Counter[str]:
    schema = schemathesis.openapi.from_url(f"{shot_at.url}/openapi.json")
    counts = Counter[str]()
    kinds = [schema.as_strategy(generation_mode=mode) for mode in GenerationMode]

    @hypothesis.seed(seed)
    @hypothesis.settings(
        max_examples=size,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(st.one_of(kinds), st.sampled_from([None, *PRODUCTS]))
    def send(case: Case[Any], known: str | None) -> None:
        for values in (case.path_parameters, case.body):
            if known and isinstance(values, dict) and isinstance(values.get("product_id"), str):
                values["product_id"] = known
        response = case.call(headers=shot_at.headers)
        counts[f"times {response.status_code}"] += 1
        if response.status_code in _TOO_LONG:
            return
        item_by_item = case.path.endswith(_ITEM_BY_ITEM)
        excluded = [*_EXCLUDED, *[negative_data_rejection] * item_by_item]
        case.validate_response(response, excluded_checks=excluded)

    send()
    return counts


def _send_nonsense(shot_at: Target, seed: int, size: int) -> Counter[str]:
    counts = Counter[str]()
    for number in range(size):
        data = nonsense(Random(f"{seed}/{number}"), shot_at.headers)
        for found in _STATUS.findall(answer := exchange(shot_at.url, data)) or [b"no answer"]:
            status = found.decode()
            fine = status == "no answer" or int(status) < 500 or int(status) == _UNKNOWN_CODING
            assert fine, f"nonsense {number} of seed {seed}: {data[:2000]!r}: {answer[-2000:]!r}"
            counts[f"to nonsense {status}"] += 1
    return counts


if __name__ == "__main__":
    main(run, size=10_000)
