"""Parquet feeds. Only this module imports pyarrow."""

from collections.abc import Iterator
from pathlib import Path

from indexer.errors import FeedError
from indexer.feeds.delimited import require_columns
from indexer.feeds.rows import Record

_BATCH = 512  # rows in memory at a time


def read_parquet(path: Path) -> Iterator[Record]:
    """Reads the rows of a Parquet file, numbered from 1.

    Raises:
        FeedError: pyarrow is not installed, the file is damaged, or lacks required columns.
    """
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError as error:
        raise FeedError(f"{path}: Parquet feeds need pyarrow: pip install pyarrow") from error
    try:
        with pq.ParquetFile(path, page_checksum_verification=True) as file:
            require_columns(path, file.schema_arrow.names)
            number = 0
            for batch in file.iter_batches(batch_size=_BATCH):
                names = batch.schema.names
                for values in zip(*(column.to_pylist() for column in batch.columns), strict=True):
                    number += 1
                    yield Record(number, list(zip(names, values, strict=True)))
    except (pa.ArrowException, ValueError) as error:
        raise FeedError(f"{path}: not a readable Parquet file: {error}") from error
