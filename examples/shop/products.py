"""The products: what the catalog and the recommendations both read.

They come from one file, ``products.json``, so that the example needs no database for them.
"""

import json
from dataclasses import dataclass
from pathlib import Path

STOCKLIST = Path(__file__).with_name("products.json")


@dataclass(frozen=True, slots=True, kw_only=True)
class Category:
    """A shelf of the shop; ``slug`` is its name in addresses."""

    slug: str
    name: str
    blurb: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Product:
    """Something that can be bought.

    Attributes:
        category: Slug of its category.
        price_cents: Above zero, in euro cents.
        stock: How many there are; 0 is sold out.
        sold: How many were sold in the last 30 days: what "popular" means here.
    """

    id: int
    name: str
    category: str
    price_cents: int
    stock: int
    sold: int
    tags: tuple[str, ...]
    description: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Stocklist:
    """All categories and products, each in the file's order."""

    categories: tuple[Category, ...]
    products: tuple[Product, ...]


def load_stocklist(path: Path = STOCKLIST) -> Stocklist:
    """Read the file.

    Raises:
        OSError: It cannot be read.
        ValueError: It is not JSON.
        TypeError: An entry has a field too many or too few.
    """
    content = json.loads(path.read_text(encoding="utf-8"))
    return Stocklist(
        categories=tuple(Category(**entry) for entry in content["categories"]),
        products=tuple(
            Product(**{**entry, "tags": tuple(entry["tags"])}) for entry in content["products"]
        ),
    )


def by_popularity(product: Product) -> tuple[int, int]:
    """Sort key: most sold first, and the id where two sold alike, so that the order is stable."""
    return (-product.sold, product.id)
