"""The files of deployments: valid, pinned, and about settings and files that exist."""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

import click
import kubernetes_validate
import pytest
import yaml
from jsonschema import Draft7Validator

from indexer.cli import main
from indexer.config import Settings, load_settings, table
from service.server.incoming import max_body_bytes
from tests.conftest import ROOT
from tests.processes import FAKE, address_of, gunicorn

DEPLOY = ROOT / "deploy"
KUBERNETES = DEPLOY / "kubernetes"
VARIANTS = sorted(path.parent.name for path in KUBERNETES.glob("*/kustomization.yaml"))
MANIFESTS = sorted(path for path in KUBERNETES.rglob("*.yaml") if path.name != "kustomization.yaml")
PATCHES = {
    folder.parent / patch["path"]
    for folder in KUBERNETES.glob("*/kustomization.yaml")
    for patch in yaml.safe_load(folder.read_text()).get("patches", [])
}
TEXTS = [ROOT / "Dockerfile", *(path for path in DEPLOY.rglob("*") if path.is_file())]
COMPOSE_SCHEMA = distribution("check-jsonschema").locate_file(
    "check_jsonschema/builtin_schemas/vendor/compose-spec.json"
)
PINNED = re.compile(r"[\w./-]+:v?\d+\.\d+\.\d+[\w.-]*")


def substituted(text: str) -> str:
    """The text with the defaults of its variables, `${NAME:-default}`."""
    return re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", text)


def compose() -> Any:
    return yaml.safe_load(substituted((DEPLOY / "compose.yaml").read_text()))


def documents(path: Path) -> list[Any]:
    return list(yaml.safe_load_all(path.read_text()))


@cache
def built(variant: str) -> list[Any]:
    """The manifests of a variant, as kustomize builds them."""
    kubectl = shutil.which("kubectl")
    if kubectl is None:
        pytest.skip("no kubectl on PATH")
    done = subprocess.run(
        [kubectl, "kustomize", str(KUBERNETES / variant)],
        capture_output=True,
        text=True,
        check=True,
    )
    return list(yaml.safe_load_all(done.stdout))


def pods(manifests: list[Any]) -> Iterator[Any]:
    """The pod templates of workloads."""
    for manifest in manifests:
        spec = manifest.get("spec", {})
        spec = spec["jobTemplate"]["spec"] if "jobTemplate" in spec else spec
        if "template" in spec:
            yield spec["template"]["spec"]


def instructions() -> list[str]:
    """The instructions of the Dockerfile, each in one line."""
    text = re.sub(r"^#.*\n", "", (ROOT / "Dockerfile").read_text(), flags=re.MULTILINE)
    return [line for line in re.sub(r"\\\n\s*", "", text).splitlines() if line]


class TestSchemas:
    def test_the_compose_file_is_valid(self) -> None:
        Draft7Validator(json.loads(COMPOSE_SCHEMA.read_text())).validate(compose())

    @pytest.mark.parametrize("path", sorted({*MANIFESTS} - PATCHES), ids=lambda path: path.stem)
    def test_a_manifest_is_valid(self, path: Path) -> None:
        for document in documents(path):
            kubernetes_validate.validate(document, "1.33", strict=True)

    @pytest.mark.parametrize("variant", VARIANTS)
    def test_a_variant_is_built_of_valid_manifests(self, variant: str) -> None:
        manifests = built(variant)
        assert manifests
        for manifest in manifests:
            kubernetes_validate.validate(manifest, "1.33", strict=True)

    def test_an_unknown_key_is_found(self) -> None:
        document = documents(KUBERNETES / "base" / "service.yaml")[0]
        with pytest.raises(kubernetes_validate.ValidationError):
            kubernetes_validate.validate({**document, "spce": {}}, "1.33", strict=True)


class TestReferences:
    def test_every_manifest_is_used_and_every_one_that_is_named_exists(self) -> None:
        named = set()
        for path in KUBERNETES.glob("*/kustomization.yaml"):
            kustomization = yaml.safe_load(path.read_text())
            patches = [patch["path"] for patch in kustomization.get("patches", [])]
            named |= {(path.parent / each).resolve() for each in kustomization["resources"]}
            named |= {(path.parent / each).resolve() for each in patches}
        assert {path for path in named if path.suffix} == set(MANIFESTS)
        assert all((path / "kustomization.yaml").is_file() for path in named if not path.suffix)

    @pytest.mark.parametrize("variant", [name for name in VARIANTS if name != "base"])
    def test_every_volume_of_a_pod_is_defined_and_mounted(self, variant: str) -> None:
        for pod in pods(built(variant)):
            mounted = {m["name"] for c in pod["containers"] for m in c["volumeMounts"]}
            assert mounted == {volume["name"] for volume in pod["volumes"]}

    def test_every_file_that_a_container_mounts_exists(self) -> None:
        services = compose()["services"]
        sources = {v.split(":")[0] for s in services.values() for v in s.get("volumes", [])}
        files_ = {source for source in sources if source.startswith(".") and "." in source[2:]}
        assert len(files_) >= 5
        assert [source for source in files_ if not (DEPLOY / source).is_file()] == []

    def test_everything_that_the_image_copies_exists(self) -> None:
        ignored = (ROOT / ".dockerignore").read_text().splitlines()
        copied = [line.split()[1:-1] for line in instructions() if re.match(r"COPY [^-]", line)]
        for source in (source for sources in copied for source in sources):
            assert (ROOT / source).exists()
            assert f"!{source.split('/')[0]}" in ignored

    def test_prometheus_asks_the_service_with_the_key_and_reads_the_alerts(self) -> None:
        prometheus = compose()["services"]["prometheus"]
        configuration = yaml.safe_load((DEPLOY / "monitoring" / "prometheus.yml").read_text())
        (job,) = configuration["scrape_configs"]
        assert job["static_configs"] == [{"targets": ["service:8000"]}]
        (secret,) = prometheus["secrets"]
        assert job["authorization"]["credentials_file"] == f"/run/secrets/{secret}"
        (rules,) = configuration["rule_files"]
        assert any(v.endswith(f":/etc/prometheus/{rules}:ro") for v in prometheus["volumes"])
        alerts = (ROOT / "docs" / "monitoring" / "alerts.yml").read_text()
        assert f'up{{job="{job["job_name"]}"}}' in alerts


class TestSettings:
    @pytest.mark.parametrize("path", TEXTS, ids=lambda path: path.name)
    def test_a_setting_that_is_named_exists(self, path: Path) -> None:
        known = {setting.variable for setting in table()}
        assert set(re.findall(r"IMAGE_SEARCH_\w+", path.read_text())) <= known

    @pytest.mark.parametrize("environment", ["compose", "kubernetes", "milvus", "image"])
    def test_the_settings_are_accepted(self, environment: str) -> None:
        settings = load_settings(environ=ENVIRONMENTS[environment])
        assert settings.service.host == "0.0.0.0"
        assert str(settings.storage.photo_root) == "/photos"

    def test_a_stopping_service_has_the_time_that_it_takes(self) -> None:
        grace = compose()["services"]["service"]["stop_grace_period"]
        assert int(grace.removesuffix("s")) > time_to_stop("compose")
        (deployment,) = documents(KUBERNETES / "base" / "deployment.yaml")
        pod = deployment["spec"]["template"]["spec"]
        assert pod["terminationGracePeriodSeconds"] > time_to_stop("kubernetes")
        probe = pod["containers"][0]["readinessProbe"]
        drain_s = load_settings(environ=ENVIRONMENTS["kubernetes"]).service.drain_s
        assert drain_s >= 2 * probe["periodSeconds"] * probe["failureThreshold"]

    def test_the_proxy_passes_on_the_largest_photo_in_base64(self) -> None:
        text = (DEPLOY / "proxy" / "nginx.conf").read_text()
        limits = re.findall(r"client_max_body_size (\d+)m;", text)
        (ingress,) = documents(KUBERNETES / "base" / "ingress.yaml")
        limits.append(ingress["metadata"]["annotations"][PROXY_BODY_SIZE].removesuffix("m"))
        needed = max_body_bytes(Settings().images.max_bytes)
        assert [int(limit) << 20 >= needed > int(limit) - 2 << 20 for limit in limits] == [True] * 2


PROXY_BODY_SIZE = "nginx.ingress.kubernetes.io/proxy-body-size"


def _of_compose() -> Mapping[str, str]:
    environment: Mapping[str, str] = compose()["services"]["service"]["environment"]
    return environment


def _of_kubernetes(variant: str) -> Mapping[str, str]:
    kustomization = yaml.safe_load((KUBERNETES / variant / "kustomization.yaml").read_text())
    (generated,) = kustomization["configMapGenerator"]
    return dict(literal.split("=", 1) for literal in generated["literals"])


def _of_image() -> Mapping[str, str]:
    (line,) = [line for line in instructions() if line.startswith("ENV ")]
    return dict(re.findall(r"(IMAGE_SEARCH_\w+)=(\S+)", line))


ENVIRONMENTS = {
    "compose": _of_compose(),
    "kubernetes": _of_kubernetes("base"),
    "milvus": {**_of_kubernetes("base"), **_of_kubernetes("milvus")},
    "image": _of_image(),
}


def time_to_stop(environment: str) -> float:
    service = load_settings(environ=ENVIRONMENTS[environment]).service
    return service.drain_s + service.timeout_s


class TestContainers:
    def test_every_image_has_an_exact_version(self) -> None:
        services = compose()["services"]
        images = [each["image"] for each in services.values() if "build" not in each]
        images += re.findall(r"^ARG PYTHON=(.+)", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
        for path in KUBERNETES.glob("*/kustomization.yaml"):
            for each in yaml.safe_load(path.read_text()).get("images", []):
                images.append(f"{each['newName']}:{each['newTag']}")
        assert len(images) >= 6
        assert [image for image in images if not PINNED.fullmatch(image)] == []

    def test_no_container_writes_to_its_image_or_has_privileges(self) -> None:
        for name, service in compose()["services"].items():
            assert service.get("read_only") is (None if name == "milvus" else True)
            assert service["cap_drop"] == ["ALL"]
        whole = sorted({*MANIFESTS} - PATCHES)
        found = [document for path in whole for document in documents(path)]
        for container in (each for pod in pods(found) for each in pod["containers"]):
            assert container["securityContext"]["readOnlyRootFilesystem"] is True
            assert container["securityContext"]["allowPrivilegeEscalation"] is False

    def test_the_health_check_of_the_image_asks_the_port_of_the_settings(
        self, tmp_path: Path
    ) -> None:
        (line,) = [line for line in instructions() if line.startswith("HEALTHCHECK")]
        command = json.loads(line[line.index("[") :])

        def check(port: int) -> int:
            environment = {"IMAGE_SEARCH_SERVICE_PORT": str(port)}
            arguments = [sys.executable, *command[1:]]
            return subprocess.run(
                arguments, env=environment, stderr=subprocess.DEVNULL, check=False
            ).returncode

        with gunicorn(tmp_path / "data", tmp_path / "log", FAKE) as service:
            _, port = address_of(service.url)
            assert check(port) == 0
        assert check(port) == 1


def commands() -> list[str]:
    """The commands of the indexer that files and documentation name."""
    found = []
    for path in [*TEXTS, ROOT / "docs" / "deployment.md"]:
        text = path.read_text().replace("\\\n", " ").replace("#", " ")
        found += re.findall(r"(?:python -m|run --rm) indexer +([a-z][^\n)|`]*)", text)
        found += [
            " ".join(each.split(", ")) for each in re.findall(r"indexer, (\w+[^\]]*)\]", text)
        ]
    return found


@pytest.mark.parametrize("command", sorted(set(commands())))
def test_a_command_that_is_named_can_be_given(command: str) -> None:
    words = [word.strip('",') for word in re.split(r"\s{2,}|\s", command) if word]
    context = click.Context(main)
    group: click.Command = main
    while isinstance(group, click.Group):
        name = words.pop(0)
        found = group.get_command(context, name)
        assert found, f"no command {name}"
        group = found
    group.make_parser(context).parse_args(words)
