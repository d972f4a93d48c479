"""A collection with a model file, served."""

import io
from pathlib import Path
from typing import cast

import pytest

from indexer.config import EmbeddingSettings
from indexer.embedding import load_embedder
from tests.conftest import Store, png
from tests.fakes import FakeEmbedder
from tests.onnx_models import write_model
from tests.service.conftest import serving

pytest.importorskip("openvino", reason="OpenVINO is not installed")


def test_photos_are_searched_and_what_the_model_cannot_do_is_refused(tmp_path: Path) -> None:
    path = write_model(tmp_path / "tiny.onnx", dimension=1030)
    settings = EmbeddingSettings(model=str(path), precision="float32")
    store = Store(tmp_path / "shop", cast(FakeEmbedder, load_embedder(settings)))
    store.add(*(store.row(colour, colour) for colour in ("red", "navy", "olive")))
    with serving(store.catalog.folder.parent, load=load_embedder, embedding=settings) as client:
        for box, status in ((None, 200), ("0,0,1,0.5", 200), ("auto", 409)):
            files = {"image": (io.BytesIO(png("navy")), "photo.png")}
            fields = {} if box is None else {"box": box}
            answer = client.post("/v1/search", data={**files, **fields})
            assert answer.status_code == status
            found = answer.get_json()
            if status == 200:
                assert found["results"][0]["product_id"] == "navy"
            else:
                assert found["code"] == "unsupported_by_model"
        ready = client.get("/readyz").get_json()["collections"][0]
        assert (ready["status"], ready["weights"]) == ("ready", str(path))
    store.catalog.close()
