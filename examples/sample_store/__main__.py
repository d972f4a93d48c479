"""`python -m examples.sample_store FOLDER` draws the sample store into a folder."""

import argparse
from pathlib import Path

from examples.sample_store import draw_sample_catalog


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m examples.sample_store", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--products", type=int, default=320, help="how many (default: 320)")
    parser.add_argument("--seed", type=int, default=1, help="another seed draws other products")
    arguments = parser.parse_args()
    feed = draw_sample_catalog(arguments.folder, products=arguments.products, seed=arguments.seed)
    print(f"drew {arguments.products} products: {feed}")


main()
