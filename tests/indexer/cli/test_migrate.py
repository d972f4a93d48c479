"""`migrate` on the command line, to milvus-lite and back."""

from itertools import chain

from tests.indexer.cli.conftest import Shop


def test_a_collection_moves_to_milvus_and_back(stocked: Shop, milvus_lite: str) -> None:
    milvus = {"IMAGE_SEARCH_MILVUS_URI": milvus_lite, "IMAGE_SEARCH_MILVUS_PREFIX": "moved"}
    there = milvus | {"IMAGE_SEARCH_INDEX_BACKEND": "milvus"}
    elsewhere = milvus | {"IMAGE_SEARCH_STORAGE_DATA_DIR": str(stocked.folder / "elsewhere")}

    search = ("search", "--product", "red", "--json")

    planned = stocked.run("migrate", "--to", "milvus", "--dry-run", "--json", **milvus)
    assert (planned.code, planned.json["added"], planned.json["refused"]) == (0, 4, None)
    assert "no catalogue here yet" in stocked.run("status", **there).out

    moved = stocked.run("migrate", "--to", "milvus", "--json", **milvus)
    assert moved.code == 0, moved.err
    assert (moved.json["added"], moved.json["overlap"], moved.json["findings"]) == (4, 1, [])
    assert "4/4" in moved.err
    names = [
        [each["product_id"] for each in stocked.run(*search, **where).json["results"]]
        for where in ({}, there)
    ]
    assert names[0] == names[1]
    assert len(names[0]) == 4

    back = stocked.run("migrate", "--to", "faiss", **elsewhere)
    assert back.code == 0, back.err
    assert "4 added, 0 updated, 0 removed, 0 unchanged" in back.out
    answers = [stocked.run(*search, **where).json["results"] for where in ({}, elsewhere)]
    for result in chain(*answers):
        del result["image_url"], result["thumbnail_url"]  # with image ids, which are new ones
    assert answers[0] == answers[1]

    assert stocked.run("remove", "red", "navy").code == 0
    planned = stocked.run("migrate", "--to", "milvus", "--dry-run", **milvus)
    refused = stocked.run("migrate", "--to", "milvus", **milvus)
    assert (planned.code, refused.code) == (1, 1)
    assert "2 of the 4 products of the destination are not in the source" in planned.err
    assert "--allow-mass-removal" in refused.err
    allowed = ("--allow-mass-removal", "--json")
    assert stocked.run("migrate", "--to", "milvus", *allowed, **milvus).json["removed"] == 2


def test_there_must_be_something_to_copy(shop: Shop, milvus_lite: str) -> None:
    milvus = {"IMAGE_SEARCH_MILVUS_URI": milvus_lite, "IMAGE_SEARCH_MILVUS_PREFIX": "nothing"}
    refused = shop.run("migrate", "--to", "faiss", **milvus)
    assert refused.code == 1
    assert "no collection 'default' in Milvus" in refused.err
    assert not shop.data_dir.exists()
