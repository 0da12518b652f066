"""The shop of the examples, as a copy that a test may harm."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.system.up.site import Site

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


@contextmanager
def shop_site(folder: Path) -> Iterator[Site]:
    """Yield the shop on a port and with data of its own, not yet started; end it afterwards."""
    ignored = shutil.ignore_patterns(".mainstay", "data", "__pycache__")
    shutil.copytree(EXAMPLES, folder / "examples", ignore=ignored)
    site = Site(folder / "examples" / "shop")
    storefront = site.folder / "storefront" / "mainstay.yaml"
    text = storefront.read_text("utf-8").replace("port: 8080", f"port: {site.port}")
    storefront.write_text(text, "utf-8")
    try:
        yield site
    finally:
        site.end()
