"""`audit`: from a catalogue with planted faults to findings, exit codes and a report."""

import io
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageFilter

from indexer.fetch import PhotoSource
from tests.indexer.cli.conftest import Ran, Shop
from tests.photo_server import PhotoServer, reply, running


def textured(seed: int) -> Image.Image:
    """A picture of large and small patches, different for each seed."""
    random = np.random.RandomState(seed)
    coarse = Image.fromarray(random.randint(0, 255, (5, 5, 3), np.uint8))
    fine = Image.fromarray(random.randint(0, 255, (60, 60, 3), np.uint8))
    sides = [each.resize((240, 240), Image.Resampling.NEAREST) for each in (coarse, fine)]
    return Image.blend(sides[0], sides[1], 0.3)


def feed(shop: Shop, count: int = 6) -> Path:
    """A feed of good photos, with one product for each fault."""
    pictures = {f"good{number}": textured(number) for number in range(count)}
    pictures["copy"] = textured(0).resize((200, 200))
    pictures["blurred"] = textured(100).filter(ImageFilter.GaussianBlur(5))
    pictures["blank"] = Image.new("RGB", (200, 200), "teal")
    pictures["small"] = textured(101).resize((60, 60))
    rows = ["id,image_link,category"]
    for name, picture in pictures.items():
        picture.save(shop.folder / f"{name}.png")
        rows.append(f"{name},{name}.png,shoes")
    rows.append("same,good1.png,shoes")
    file = shop.folder / "feed.csv"
    file.write_text("\n".join(rows) + "\n")
    return file


@pytest.fixture
def stocked(shop: Shop) -> Shop:
    assert shop.run("add", feed(shop)).code == 0
    return shop


def found(ran: Ran) -> dict[str, list[list[str]]]:
    """The products of each finding, by kind."""
    result: dict[str, list[list[str]]] = {kind["kind"]: [] for kind in ran.json["kinds"]}
    for finding in ran.json["findings"]:
        result[finding["kind"]].append(finding["products"])
    return result


def test_every_planted_fault_is_found_and_nothing_else(stocked: Shop) -> None:
    (stocked.folder / "good2.png").unlink()
    shutil.copy(stocked.folder / "good4.png", stocked.folder / "good3.png")
    ran = stocked.run("audit", "--json")
    assert ran.code == 0
    assert found(ran) == {
        "unreadable_photo": [["good2"]],
        "changed_photo": [["good3"]],
        "no_photo": [],
        "shared_photo": [["good1", "same"]],
        "near_duplicate": [["copy", "good0"]],
        "unlike_label": [],
        "blank_photo": [["blank"]],
        "small_photo": [["small"]],
        "blurred_photo": [["blurred"]],
        "never_found": [],
        "found_too_often": [],
    }
    assert ran.json["photos_read"] == 10


def test_a_finding_names_photos_and_their_products(stocked: Shop) -> None:
    (finding,) = stocked.run("audit", "--json", "--only", "shared_photo").json["findings"]
    assert finding["score"] == 2
    assert [(each["product_id"], each["uri"]) for each in finding["images"]] == [
        ("good1", "good1.png"),
        ("same", "good1.png"),
    ]
    assert all(isinstance(each["image_id"], int) for each in finding["images"])


def test_the_table_counts_findings(stocked: Shop) -> None:
    ran = stocked.run("audit")
    assert ran.code == 0
    (line,) = [line for line in ran.out.splitlines() if line.strip().startswith("near_duplicate ")]
    assert line.split() == ["near_duplicate", "1", "2", "copy,", "good0"]


def test_only_the_kinds_asked_for_are_looked_for(stocked: Shop) -> None:
    ran = stocked.run("audit", "--json", "--only", "shared_photo", "--only", "never_found")
    assert found(ran) == {"shared_photo": [["good1", "same"]], "never_found": []}
    assert ran.json["photos_read"] == 0


def test_without_photos_no_file_is_read(stocked: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> bytes:
        raise AssertionError("a file was read")

    monkeypatch.setattr(PhotoSource, "read", refuse)
    ran = stocked.run("audit", "--json", "--no-photos", "--report", "report.html")
    assert "shared_photo" in found(ran)
    assert "blank_photo" not in found(ran)
    assert "no photo" in (stocked.folder / "report.html").read_text()


@pytest.mark.parametrize(("kind", "code"), [("blank_photo", 1), ("found_too_often", 0)])
def test_a_finding_fails_only_if_its_kind_is_to_fail(stocked: Shop, kind: str, code: int) -> None:
    assert stocked.run("audit", "--fail-on", kind).code == code


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("--only", "dull_photo"), "is not one of"),
        (("--no-photos", "--only", "blank_photo"), "blank_photo"),
        (("--no-photos", "--fail-on", "blank_photo"), "blank_photo"),
        (("--only", "no_photo", "--fail-on", "blank_photo"), "must also be in --only"),
    ],
)
def test_options_that_contradict_each_other_are_refused(
    stocked: Shop, arguments: tuple[str, ...], expected: str
) -> None:
    ran = stocked.run("audit", *arguments)
    assert ran.code == 2
    assert expected in ran.err


def test_a_label_that_no_product_has_is_refused(stocked: Shop) -> None:
    ran = stocked.run("audit", "--json", "--label", "colour", "--no-photos")
    assert ran.code == 1
    assert ran.json["error"]["code"] == "bad_labels"


def test_vectors_imported_without_files_are_counted(shop: Shop) -> None:
    np.save(shop.folder / "features.npy", np.random.RandomState(0).normal(size=(5, 48)))
    (shop.folder / "names.txt").write_text("\n".join(f"shoe{n}.jpg" for n in range(5)))
    assert shop.run("import-features", "features.npy", "names.txt").code == 0
    document = shop.run("audit", "--json").json
    assert document["photos_skipped"] == {"imported without a file": 5}
    assert document["photos_read"] == 0


def test_an_empty_collection_is_an_error_as_for_evaluate(shop: Shop) -> None:
    assert shop.run("init").code == 0
    for command in ("audit", "evaluate"):
        ran = shop.run(command, "--json")
        assert (ran.code, ran.json["error"]["code"]) == (1, "bad_labels")
        assert "has no products; add some first" in ran.err


def test_stages_leave_no_empty_lines_in_a_log(stocked: Shop) -> None:
    assert stocked.run("audit").err == ""


def test_ctrl_c_ends_the_audit(stocked: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object) -> bytes:
        raise KeyboardInterrupt

    monkeypatch.setattr(PhotoSource, "read", interrupt)
    ran = stocked.run("audit", "--report", "report.html")
    assert (ran.code, ran.err) == (130, "error: interrupted; nothing was changed\n")
    assert not (stocked.folder / "report.html").exists()


class TestPhotosOnTheWeb:
    @pytest.fixture
    def server(self) -> Iterator[PhotoServer]:
        with running(PhotoServer()) as server:
            yield server

    def audit(self, shop: Shop, server: PhotoServer, *arguments: object) -> Any:
        port = server.server_address[1]
        allowed = f"127.0.0.1:{port}"
        return shop.run(*arguments, IMAGE_SEARCH_FETCH_ALLOWED_HOSTS=allowed)

    def stock(self, shop: Shop, server: PhotoServer) -> None:
        buffer = io.BytesIO()
        textured(0).save(buffer, "PNG")
        server.answers = [reply(buffer.getvalue())]
        rows = [f"p{n},http://127.0.0.1:{server.server_address[1]}/{n}.png" for n in range(4)]
        (shop.folder / "web.csv").write_text("\n".join(["id,image_link", *rows]) + "\n")
        assert self.audit(shop, server, "add", "web.csv").code == 0

    def test_one_that_is_gone_is_found(self, shop: Shop, server: PhotoServer) -> None:
        self.stock(shop, server)
        server.answers = [reply(b"", 404)]
        ran = self.audit(shop, server, "audit", "--json", "--only", "unreadable_photo")
        assert found(ran) == {"unreadable_photo": [["p0"], ["p1"], ["p2"], ["p3"]]}

    def test_those_of_a_server_that_is_down_are_counted_and_no_fault(
        self, shop: Shop, server: PhotoServer
    ) -> None:
        self.stock(shop, server)
        server.shutdown()
        server.server_close()
        ran = self.audit(shop, server, "audit", "--json", "--only", "unreadable_photo")
        assert found(ran) == {"unreadable_photo": []}
        assert sum(ran.json["photos_skipped"].values()) == 4


def test_the_document_says_what_scores_are(stocked: Shop) -> None:
    kinds = json.loads(stocked.run("audit", "--json", "--no-photos").out)["kinds"]
    assert all(kind["score"] and kind["meaning"] and kind["advice"] for kind in kinds)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("--report", "missing/a.html"), "--report: cannot write missing/a.html"),
        (("--label", ""), "--label: received ''"),
    ],
)
def test_options_that_cannot_be_used_are_refused_before_photos_are_read(
    shop: Shop, arguments: tuple[str, ...], text: str
) -> None:
    ran = shop.run("audit", *arguments)  # without a catalogue
    assert (ran.code, text in ran.err) == (2, True)
