"""The dashboard and the alerts speak of metrics that there are."""

import json
import re

import pytest
import yaml
from prometheus_client import REGISTRY

from service.http import metrics
from tests.conftest import ROOT

FOLDER = ROOT / "docs" / "monitoring"
NAME = re.compile(r"image_search_\w+")


def families() -> set[str]:
    """Names as they stand on the page, without what a type adds to them."""
    assert metrics.REQUESTS
    return {family.name for family in REGISTRY.collect() if NAME.match(family.name)}


def named_in(text: str) -> set[str]:
    return {re.sub(r"_(total|bucket|sum|count)$", "", name) for name in NAME.findall(text)}


@pytest.mark.parametrize("file", ["grafana.json", "alerts.yml", "README.md"])
def test_only_metrics_that_exist_are_named(file: str) -> None:
    named = named_in((FOLDER / file).read_text())
    assert named
    assert named <= families()


@pytest.mark.parametrize("file", ["grafana.json", "README.md"])
def test_every_metric_is_shown(file: str) -> None:
    assert families() <= named_in((FOLDER / file).read_text())


def test_the_dashboard_has_panels_side_by_side_and_each_asks_something() -> None:
    panels = json.loads((FOLDER / "grafana.json").read_text())["panels"]
    places = [tuple(panel["gridPos"].values()) for panel in panels]
    assert len(set(places)) == len(panels)
    assert all(target["expr"] for panel in panels for target in panel["targets"])


def test_every_alert_says_how_bad_it_is_and_what_it_means() -> None:
    (group,) = yaml.safe_load((FOLDER / "alerts.yml").read_text())["groups"]
    for rule in group["rules"]:
        assert rule["labels"]["severity"] in ("page", "ticket")
        assert rule["annotations"]["summary"]
        assert rule["expr"]
