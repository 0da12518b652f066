"""The guide that follows two orders of the shop, run as it stands."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from tests.system.shop_site import shop_site

pytestmark = pytest.mark.system

GUIDE = Path(__file__).parents[2] / "docs" / "guides" / "follow-a-request.md"


def test_the_guide_works_as_it_is_written(tmp_path: Path) -> None:
    blocks = re.findall(r"```sh\n(.*?)```", GUIDE.read_text("utf-8"), flags=re.DOTALL)
    here = str(Path(sys.executable).parent)
    with shop_site(tmp_path) as site:
        done = subprocess.run(
            ["bash", "-e", "-o", "pipefail", "-c", "".join(blocks).replace("8080", str(site.port))],
            cwd=tmp_path,
            env=os.environ | {"PATH": here + os.pathsep + os.environ.get("PATH", "")},
            capture_output=True,
            text=True,
            timeout=110,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        site.assert_nothing_left()
    for words in (
        # How many spans have come by then is a matter of how busy the machine is.
        "storefront  POST /api/orders  ",
        "order settled  logger=shop.storefront.checkout  state=confirmed",
        '"title":"Service Unavailable"',
        "sqlite3.IntegrityError: closed for an audit",
        "order stays pending",
    ):
        assert words in done.stdout
