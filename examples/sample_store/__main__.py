"""Draws the sample store to a folder: `python -m examples.sample_store FOLDER`."""

import argparse
from pathlib import Path

from examples.sample_store import draw_sample_catalog


def main() -> None:
    """Draws the sample store with the options of the command line."""
    parser = argparse.ArgumentParser(prog="python -m examples.sample_store", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument(
        "--products", type=int, default=320, help="number of products (default: 320)"
    )
    parser.add_argument("--seed", type=int, default=1, help="of all random choices")
    arguments = parser.parse_args()
    feed = draw_sample_catalog(arguments.folder, products=arguments.products, seed=arguments.seed)
    print(f"drew {arguments.products} products: {feed}")


main()
