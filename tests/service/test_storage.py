"""What the service answers while its disk is full or cannot be written."""

import base64
from pathlib import Path

from flask.testing import FlaskClient

from tests.conftest import Store, png
from tests.mounts import fill, read_only, small_disk
from tests.service.conftest import serving


def put(client: FlaskClient, product_id: str, colour: object) -> tuple[int, str]:
    """Status of the answer, and its code or outcome."""
    photo = base64.b64encode(png(colour)).decode()
    answer = client.put(f"/v1/products/{product_id}", json={"images": [photo]})
    assert answer.json is not None
    return answer.status_code, answer.json.get("code") or answer.json["outcome"]


def found(client: FlaskClient, product_id: str) -> list[str]:
    answer = client.get(f"/v1/products/{product_id}/similar")
    assert answer.json is not None
    return [result["product_id"] for result in answer.json["results"]]


def test_on_a_full_disk_changes_are_refused_as_such_and_searches_go_on(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", 4 << 20) as disk:
        store = Store(disk)
        store.add(store.row("shoe", "red"), store.row("boot", "crimson"))
        with serving(disk / "data") as client:
            ballast = fill(disk)
            assert put(client, "hat", "navy") == (507, "disk_full")
            assert found(client, "shoe") == ["boot"]
            assert client.get("/readyz").status_code == 200
            ballast.unlink()
            assert put(client, "hat", "navy") == (200, "added")
        store.catalog.close()


def test_on_a_read_only_disk_changes_are_refused_as_such_and_searches_go_on(
    store: Store, tmp_path: Path
) -> None:
    store.add(store.row("shoe", "red"), store.row("boot", "crimson"))
    store.catalog.close()
    with (
        read_only(store.catalog.folder.parent, tmp_path / "place") as place,
        serving(place) as client,
    ):
        assert client.get("/readyz").status_code == 200
        assert put(client, "hat", "navy") == (503, "read_only")
        assert found(client, "shoe") == ["boot"]
        writing = Store.reopened(store)
        writing.add(writing.row("hat", "navy"))
        assert found(client, "shoe") == ["boot", "hat"]
        writing.catalog.close()
        assert found(client, "shoe") == ["boot", "hat"]
