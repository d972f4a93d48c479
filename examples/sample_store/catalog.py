"""The products of the store: designs, brands and prices."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

from PIL import Image

from examples.sample_store.fabrics import weave
from examples.sample_store.palette import COLORS, companion, dye
from examples.sample_store.pen import Pen
from examples.sample_store.shapes import KINDS, Kind

_HOUSES = ("Marlow & Finch", "Oudrey", "Nordvane", "Tamsin Vale", "Hollinbrook", "Kestrelle")
_BARGAINS = ("Plumo", "Cottonwick", "Everwen", "Budd", "Sixpence Lane")


@dataclass(frozen=True)
class Design:
    """A design, which two brands may sell."""

    number: int
    kind: Kind
    color: str
    second_color: str
    pattern: str
    material: str
    gender: str


@dataclass(frozen=True)
class Product:
    """A design sold by one brand. Prices are in euros; `sale_price` is None without a sale."""

    id: str
    design: Design
    brand: str
    price: float
    sale_price: float | None
    in_stock: bool


def seeded(*parts: object) -> Random:
    """Returns a random generator seeded with `parts`, the same on every machine."""
    return Random("/".join(map(str, parts)))  # noqa: S311 - pictures, not secrets


def plan(products: int, seed: int) -> list[Product]:
    """Plans the products; an eighth are cheaper lookalikes of the first designs."""
    lookalikes = products // 8
    designs = [_design(number, seed) for number in range(products - lookalikes)]
    rng = seeded(seed, "prices")
    prices = [rng.randint(*design.kind.prices) + 0.9 for design in designs]
    counts: Counter[str] = Counter()
    stock = []
    for index, design in enumerate(designs + designs[:lookalikes]):
        copy, copied = index >= len(designs), design.number < lookalikes
        price = prices[design.number]
        if copy:
            price = int(price * rng.uniform(0.4, 0.62)) + 0.9
        on_sale = not copied and rng.random() < 0.2
        counts[design.kind.name] += 1
        stock.append(
            Product(
                id=f"{design.kind.name}-{counts[design.kind.name]:04d}",
                design=design,
                brand=rng.choice(_BARGAINS if copy else _HOUSES if copied else _HOUSES + _BARGAINS),
                price=price,
                sale_price=int(price * rng.uniform(0.65, 0.85)) + 0.5 if on_sale else None,
                in_stock=index % 10 != 7,
            )
        )
    return stock


def _design(number: int, seed: int) -> Design:
    kind = KINDS[number % len(KINDS)]
    rng = seeded(seed, "design", number)
    color = rng.choice(list(COLORS))
    return Design(
        number=number,
        kind=kind,
        color=color,
        second_color=companion(color, rng),
        pattern=rng.choice(kind.patterns.split()),
        material=rng.choice(kind.materials.split()),
        gender=rng.choice(kind.genders.split()),
    )


def draw(product: Product, seed: int) -> tuple[Image.Image, str]:
    """Draws a product (RGBA, square); returns the drawing and a description.

    The cut depends only on the design, the exact shade on the product.
    """
    design = product.design
    shade = seeded(seed, "shade", product.id)
    cloth = weave(
        design.pattern,
        dye(COLORS[design.color], shade),
        dye(COLORS[design.second_color], shade),
        seeded(seed, "cloth", design.number),
    )
    pen = Pen(cloth, seeded(seed, "cut", design.number))
    words = design.kind.draw(pen)
    return pen.finish(), words


def feed_row(product: Product, words: str, photos: list[str]) -> Iterator[tuple[str, str]]:
    """Yields the columns of a Google Merchant feed; `photos` are paths, the main one first."""
    design = product.design
    pattern = "" if design.pattern == "Plain" else f"{design.pattern.lower()} "
    yield "id", product.id
    yield "title", f"{product.brand} {words}, {pattern}{design.color.lower()}"
    yield "image_link", photos[0]
    yield "additional_image_link", ",".join(photos[1:])
    yield "product_type", design.kind.product_type
    yield "price", f"{product.price:.2f} EUR"
    yield "sale_price", f"{product.sale_price:.2f} EUR" if product.sale_price else ""
    yield "availability", "in_stock" if product.in_stock else "out_of_stock"
    yield "brand", product.brand
    yield "color", design.color
    yield "pattern", design.pattern
    yield "material", design.material
    yield "gender", design.gender
    yield "design", f"{design.kind.name} design {design.number:04d}"
