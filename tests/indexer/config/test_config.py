"""Settings: defaults, file, environment, and what is refused."""

from pathlib import Path

import pytest
import yaml

from indexer.config import EmbeddingSettings, Settings, load_settings, table
from indexer.config.embedding import RETIRED_PRESETS, WEIGHTS_PRESETS
from indexer.embedding import resolve_spec
from indexer.errors import ConfigError, UnknownCollectionError
from tests.conftest import ROOT


def settings_of(folder: Path, text: str, environ: dict[str, str] | None = None) -> Settings:
    path = folder / "settings.yaml"
    path.write_text(text)
    return load_settings(path, environ or {})


def test_without_a_file_every_setting_has_its_default(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert load_settings(None, {}) == Settings()


def test_the_file_overrides_the_default_and_the_environment_the_file(tmp_path: Path) -> None:
    text = "service: {port: 9000, workers: 3}"
    settings = settings_of(tmp_path, text, {"IMAGE_SEARCH_SERVICE_PORT": "9001"})
    assert (settings.service.port, settings.service.workers) == (9001, 3)


def test_relative_paths_of_the_file_are_relative_to_the_file(tmp_path: Path) -> None:
    text = "storage: {data_dir: here}\nembedding: {weights: mine.npz}"
    settings = settings_of(tmp_path, text)
    assert settings.storage.data_dir == tmp_path / "here"
    assert settings.embedding.weights == str(tmp_path / "mine.npz")


def test_a_duration_is_a_number_with_its_unit() -> None:
    ages = {"none": 0, "45s": 45, "30m": 1800, "20h": 72_000, "7d": 604_800}
    for text, seconds in ages.items():
        settings = load_settings(None, {"IMAGE_SEARCH_FETCH_MAX_AGE": text})
        assert settings.fetch.max_age_s == seconds


@pytest.mark.parametrize("weights", [*WEIGHTS_PRESETS, *RETIRED_PRESETS])
def test_a_preset_is_no_path(tmp_path: Path, weights: str) -> None:
    assert settings_of(tmp_path, f"embedding: {{weights: {weights}}}").embedding.weights == weights
    resolve_spec(EmbeddingSettings(weights=weights))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("service: {prot: 1}", "service: unknown setting 'prot'; did you mean port?"),
        ("serviec: {}", "unknown setting 'serviec'; did you mean service?"),
        ("service: {port: abc}", "service.port: received 'abc'; allowed: an integer from 0 to"),
        ("service: {port: 70000}", "service.port: received 70000; allowed: an integer from 0"),
        ("service: {port: true}", "service.port: received true; allowed: an integer from 0"),
        ("service: [1]", "service: received [1]; must be an object"),
        (
            "embedding: {resize: cubic}",
            "embedding.resize: received 'cubic'; allowed: bilinear, nearest, letterbox",
        ),
        (
            "embedding: {input_size: 20}",
            "embedding.input_size: received 20; allowed: an integer from 32 to 512 or auto",
        ),
        (
            "fetch: {max_age: 0}",
            "fetch.max_age: received 0; allowed: none or text such as 30m or 20h or 7d",
        ),
        ("storage: {data_dir: 7}", "storage.data_dir: received 7; allowed: a path"),
        (
            "collections: {shoes: {embedding: {resize: cubic}}}",
            "collections.shoes.embedding.resize: received 'cubic'; allowed: bilinear",
        ),
        (
            "collections: {shoes: {embedding: {wieghts: x}}}",
            "collections.shoes.embedding: unknown setting 'wieghts'; did you mean weights?",
        ),
        (
            "collections: {Shoes!: {}}",
            "collections.Shoes!: received 'Shoes!'; must be up to 63 lower-case letters, digits",
        ),
        (
            "collections: {current: {}}",
            "collections.current: received 'current'; must not be current",
        ),
        ("collections: {shoes: 5}", "collections.shoes: received 5; must be an object"),
        (
            "collections: {shoes: {hide_out_of_stock: 7}}",
            "collections.shoes.hide_out_of_stock: received 7; allowed: true or false",
        ),
        (
            "collections: {shoes: {wieghts: x}}",
            "collections.shoes: unknown setting 'wieghts'; known: embedding, hide_out_of_stock",
        ),
        ("[1, 2]", "expected sections of settings, received [1, 2]"),
        ("a: b: c", "cannot read the settings file"),
    ],
)
def test_a_bad_setting_is_one_line_that_names_key_received_and_allowed(
    tmp_path: Path, text: str, message: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        settings_of(tmp_path, text)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_unknown_variable_of_the_prefix_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(ConfigError, match="did you mean IMAGE_SEARCH_SERVICE_PORT"):
        load_settings(None, {"IMAGE_SEARCH_SERVICE_PROT": "1"})


def test_a_bad_value_in_the_environment_names_the_setting() -> None:
    with pytest.raises(ConfigError, match=r"service\.port: received 'x'"):
        load_settings(None, {"IMAGE_SEARCH_SERVICE_PORT": "x"})


def test_digits_in_the_environment_may_be_text(tmp_path: Path) -> None:
    settings = load_settings(None, {"IMAGE_SEARCH_STORAGE_DATA_DIR": str(tmp_path / "1")})
    assert settings.storage.data_dir == tmp_path / "1"
    assert load_settings(None, {"IMAGE_SEARCH_SERVICE_HOST": "1"}).service.host == "1"


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"absent\.yaml"):
        load_settings(tmp_path / "absent.yaml", {})


def test_a_collection_changes_only_what_it_names(tmp_path: Path) -> None:
    settings = settings_of(
        tmp_path,
        "embedding: {resize: nearest}\ncollections: {shoes: {embedding: {weights: untrained}}}",
    )
    shoes = settings.embedding_of("shoes")
    assert (shoes.weights, shoes.resize) == ("untrained", "nearest")
    assert settings.embedding_of("default") == settings.embedding
    assert settings.folder_of("shoes") != settings.folder_of("default")
    assert settings.collection_names() == ["default", "shoes"]


def test_an_unknown_collection_is_refused_with_the_known_ones() -> None:
    with pytest.raises(UnknownCollectionError, match="configured: default"):
        Settings().embedding_of("shoes")


def test_the_shipped_file_holds_every_setting_at_its_default_with_its_description() -> None:
    path = ROOT / "config.yaml"
    text = path.read_text()
    document = yaml.safe_load(text)
    words = " ".join(text.replace("#", " ").split())
    for setting in table():
        assert document[setting.section][setting.key] == (
            str(setting.default) if isinstance(setting.default, Path) else setting.default
        )
        assert " ".join(setting.description.split()) in words
    assert load_settings(path, {}).model_copy(update={"storage": Settings().storage}) == Settings()
