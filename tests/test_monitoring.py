"""The dashboard and the alerts speak of metrics that there are."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner
from prometheus_client import REGISTRY

from indexer.cli import main
from service.engine import metrics
from tests.conftest import ROOT
from tests.processes import FAKE, Reply, ask, gunicorn

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


def scrape(configuration: dict[str, Any], base: str, files: Mapping[str, Path]) -> Reply:
    """Asks as Prometheus does with this job, whose targets and files are elsewhere here."""
    (job,) = configuration["scrape_configs"]
    (static,) = job["static_configs"]
    assert all(":" in target for target in static["targets"])
    authorization = job.get("authorization", {})
    headers = {}
    if "credentials_file" in authorization:
        key = files[authorization["credentials_file"]].read_text().strip()
        headers["Authorization"] = f"{authorization.get('type', 'Bearer')} {key}"
    return ask(base, job.get("metrics_path", "/metrics"), headers=headers)


def test_the_example_of_the_configuration_reads_the_metrics_of_a_service_with_keys(
    tmp_path: Path,
) -> None:
    text = (FOLDER / "README.md").read_text()
    (example,) = re.findall(r"^```yaml\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    (command,) = re.findall(r"python -m indexer (keys create .*)", text)
    data_dir, key = tmp_path / "data", tmp_path / "key"
    made = CliRunner(env={"IMAGE_SEARCH_STORAGE_DATA_DIR": str(data_dir)}).invoke(
        main, command.split()
    )
    key.write_text(made.output)
    with gunicorn(data_dir, tmp_path / "log", FAKE) as service:
        files = {"/etc/prometheus/product-search.key": key}
        reply = scrape(yaml.safe_load(example), service.url, files)
        assert reply.status == 200, reply.body
        assert b"image_search_products" in reply.body
        assert ask(service.url, "/metrics").status == 401


def test_the_alerts_are_about_the_job_of_the_example() -> None:
    text = (FOLDER / "README.md").read_text()
    (job,) = re.findall(r"job_name: (\S+)", text)
    assert f'up{{job="{job}"}}' in (FOLDER / "alerts.yml").read_text()


def test_the_counts_that_alerts_watch_are_0_before_anything_happens(tmp_path: Path) -> None:
    """Prometheus sees no rise in a series that begins with its first failure."""
    alerts = (FOLDER / "alerts.yml").read_text()
    assert 'image_search_storage_failures_total{reason="disk_full"}[' in alerts
    with gunicorn(tmp_path / "data", tmp_path / "log", FAKE) as service:
        told = ask(service.url, "/metrics").body.decode()
    for reason in ("disk_full", "read_only", "unavailable"):
        assert f'image_search_storage_failures_total{{reason="{reason}"}} 0.0' in told
    for endpoint in ("search", "similar", "put", "add", "none"):
        series = f'image_search_requests_total{{endpoint="{endpoint}",status="500"}} 0.0'
        assert series in told
    for reason in ("in_flight", "wait", "deadline"):
        assert f'image_search_refused_total{{reason="{reason}"}} 0.0' in told
