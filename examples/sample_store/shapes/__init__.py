"""The kinds of products. A new kind needs a drawing function and an entry in `KINDS`."""

from collections.abc import Callable
from dataclasses import dataclass

from examples.sample_store.pen import Pen
from examples.sample_store.shapes.bottoms import skirt, trousers
from examples.sample_store.shapes.outerwear import jacket
from examples.sample_store.shapes.shoes import boot, sneaker
from examples.sample_store.shapes.tops import dress, shirt, sweater, tank, tshirt


@dataclass(frozen=True)
class Kind:
    """A kind of product.

    Attributes:
        name: prefix of the product ids.
        product_type: column of the feed.
        draw: draws a product; returns a description.
        prices: lowest and highest price in whole euros.
        materials: separated by spaces; one that is repeated is more likely.
        genders: separated by spaces.
        patterns: separated by spaces; one that is repeated is more likely.
    """

    name: str
    product_type: str
    draw: Callable[[Pen], str]
    prices: tuple[int, int]
    materials: str
    genders: str
    patterns: str


_CLOTH = "Plain Plain Plain Striped Dotted Gingham Floral Colour-block"
_SUBTLE = "Plain Plain Plain Plain Colour-block"
_ALL = "female male unisex"

KINDS = (
    Kind("tshirt", "Clothing > T-shirts", tshirt, (12, 45), "Cotton Cotton Linen", _ALL, _CLOTH),
    Kind(
        "sneaker", "Footwear > Sneakers", sneaker, (45, 160), "Leather Canvas Mesh", _ALL, _SUBTLE
    ),
    Kind("dress", "Clothing > Dresses", dress, (40, 180), "Cotton Viscose Silk", "female", _CLOTH),
    Kind("shirt", "Clothing > Shirts", shirt, (30, 110), "Cotton Linen", _ALL, _CLOTH),
    Kind("boot", "Footwear > Boots", boot, (70, 260), "Leather Suede", _ALL, "Plain"),
    Kind("jacket", "Clothing > Jackets", jacket, (60, 280), "Nylon Cotton", _ALL, _SUBTLE),
    Kind("trousers", "Clothing > Trousers", trousers, (35, 140), "Cotton Wool", _ALL, "Plain"),
    Kind("skirt", "Clothing > Skirts", skirt, (25, 110), "Cotton Wool", "female", _CLOTH),
    Kind(
        "sweater", "Clothing > Knitwear", sweater, (35, 160), "Wool Cotton", _ALL, "Plain Striped"
    ),
    Kind("tank", "Clothing > Tops", tank, (12, 50), "Cotton Viscose", "female", _CLOTH),
)
