"""The photos of a row."""

from pathlib import Path

import pytest

from tests.indexer.feeds.reading import reason_of, row_of, rows_of, write


@pytest.mark.parametrize(
    ("link", "location"),
    [
        ("https://cdn.example/a.jpg?w=1,2", "https://cdn.example/a.jpg?w=1,2"),
        ("HTTP://cdn.example/a.jpg", "HTTP://cdn.example/a.jpg"),
        ("//cdn.example/a.jpg", "https://cdn.example/a.jpg"),
        ("/photos/50%20off,1.jpg", "/photos/50%20off,1.jpg"),
        ("file:///photos/50%25%20off.jpg", "/photos/50% off.jpg"),
        ("file://localhost/a.jpg", "/a.jpg"),
        ("sub/../a b.jpg", "{feed}/a b.jpg"),
    ],
)
def test_an_image_link_is_a_path_or_a_url(tmp_path: Path, link: str, location: str) -> None:
    (image,) = row_of(tmp_path, image_link=link).images
    assert (image.uri, image.location) == (link, location.replace("{feed}", str(tmp_path)))


@pytest.mark.parametrize(
    "link",
    [
        "",
        None,
        "ftp://x/a.jpg",
        "s3://b/a.jpg",
        "data:image/png;base64,AA",
        "file://host/a.jpg",
        "a\x00.jpg",
        {"url": "a"},
        5,
        "http://\ud800",
        "file:///%ff.jpg",
        "file://[/a.jpg",
    ],
)
def test_an_image_link_that_leads_nowhere_rejects_the_row(tmp_path: Path, link: object) -> None:
    assert "image" in reason_of(tmp_path, image_link=link)


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ("b.jpg, c.jpg,,", ["a.jpg", "b.jpg", "c.jpg"]),
        ("http://x/w_3,h_3/b.jpg,https://x/c", ["a.jpg", "http://x/w_3,h_3/b.jpg", "https://x/c"]),
        (["b,1.jpg", "c.jpg"], ["a.jpg", "b,1.jpg", "c.jpg"]),
        ("a.jpg,b.jpg,./b.jpg", ["a.jpg", "b.jpg"]),
    ],
)
def test_a_product_has_each_of_its_photos_once(
    tmp_path: Path, more: object, expected: list[str]
) -> None:
    row = row_of(tmp_path, additional_image_link=more)
    assert [image.uri for image in row.images] == expected


def test_additional_image_columns_may_repeat(tmp_path: Path) -> None:
    header = "id,image_link,additional_image_link,additional image link\n"
    (row,) = rows_of(write(tmp_path / "f.csv", header + '1,a,"b,c",d\n'))
    assert [image.uri for image in row.images] == ["a", "b", "c", "d"]
