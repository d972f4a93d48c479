"""What the store sells. A new kind is one drawing function and one line of `KINDS`."""

from collections.abc import Callable
from dataclasses import dataclass

from examples.sample_store.pen import Pen
from examples.sample_store.shapes.bags import backpack, handbag
from examples.sample_store.shapes.bottoms import shorts, skirt, trousers
from examples.sample_store.shapes.hats import beanie, cap, hat
from examples.sample_store.shapes.outerwear import coat, jacket
from examples.sample_store.shapes.shoes import boot, heel, sandal, sneaker
from examples.sample_store.shapes.tops import dress, hoodie, polo, shirt, sweater, tank, tshirt


@dataclass(frozen=True)
class Kind:
    """A kind of product.

    `draw` draws one and says in words what it drew. Words are separated by
    spaces; a pattern or material named twice is twice as likely. Prices are whole euros.
    """

    name: str
    product_type: str
    draw: Callable[[Pen], str]
    prices: tuple[int, int]
    materials: str
    genders: str
    patterns: str


_CLOTH = "Plain Plain Plain Striped Pinstriped Dotted Gingham Floral Chevron Colour-block"
_SUBTLE = "Plain Plain Plain Plain Colour-block"
_ALL = "female male unisex"

KINDS = (
    Kind("tshirt", "Clothing > T-shirts", tshirt, (12, 45), "Cotton Cotton Linen", _ALL, _CLOTH),
    Kind(
        "sneaker", "Footwear > Sneakers", sneaker, (45, 160), "Leather Canvas Mesh", _ALL, _SUBTLE
    ),
    Kind("dress", "Clothing > Dresses", dress, (40, 180), "Cotton Viscose Silk", "female", _CLOTH),
    Kind("handbag", "Bags > Handbags", handbag, (35, 240), "Leather Canvas", "female", _SUBTLE),
    Kind("shirt", "Clothing > Shirts", shirt, (30, 110), "Cotton Linen", _ALL, f"{_CLOTH} Tartan"),
    Kind("boot", "Footwear > Boots", boot, (70, 260), "Leather Suede", _ALL, "Plain"),
    Kind("jacket", "Clothing > Jackets", jacket, (60, 280), "Nylon Cotton", _ALL, _SUBTLE),
    Kind("cap", "Accessories > Caps", cap, (12, 45), "Cotton", "unisex", _SUBTLE),
    Kind(
        "trousers",
        "Clothing > Trousers",
        trousers,
        (35, 140),
        "Cotton Denim Wool",
        _ALL,
        "Plain Plain Plain Plain Pinstriped Tartan",
    ),
    Kind(
        "heel",
        "Footwear > Heels",
        heel,
        (50, 230),
        "Leather Suede Satin",
        "female",
        "Plain Plain Plain Dotted",
    ),
    Kind("hoodie", "Clothing > Hoodies", hoodie, (30, 110), "Cotton", _ALL, f"{_SUBTLE} Striped"),
    Kind(
        "backpack",
        "Bags > Backpacks",
        backpack,
        (30, 150),
        "Canvas Nylon",
        "unisex",
        f"{_SUBTLE} Chevron Floral",
    ),
    Kind(
        "skirt",
        "Clothing > Skirts",
        skirt,
        (25, 110),
        "Cotton Wool Viscose",
        "female",
        f"{_CLOTH} Tartan",
    ),
    Kind("sandal", "Footwear > Sandals", sandal, (25, 120), "Leather Cork", "female", "Plain"),
    Kind(
        "sweater",
        "Clothing > Knitwear",
        sweater,
        (35, 160),
        "Wool Cashmere Cotton",
        _ALL,
        "Plain Plain Plain Striped Chevron Colour-block",
    ),
    Kind("hat", "Accessories > Hats", hat, (20, 90), "Wool Straw Cotton", "unisex", "Plain"),
    Kind("coat", "Clothing > Coats", coat, (110, 420), "Wool Cotton", _ALL, "Plain Plain Tartan"),
    Kind(
        "shorts",
        "Clothing > Shorts",
        shorts,
        (20, 70),
        "Cotton Linen",
        _ALL,
        "Plain Plain Plain Striped Pinstriped Gingham Floral",
    ),
    Kind(
        "polo",
        "Clothing > Polo shirts",
        polo,
        (25, 90),
        "Cotton",
        _ALL,
        "Plain Plain Striped Colour-block",
    ),
    Kind(
        "beanie",
        "Accessories > Beanies",
        beanie,
        (10, 50),
        "Wool Acrylic",
        "unisex",
        "Plain Plain Striped Chevron",
    ),
    Kind("tank", "Clothing > Tops", tank, (12, 50), "Cotton Viscose", "female", _CLOTH),
)
