import os
from pathlib import Path

from mainstay.telemetry.metrics.sharing.folder import Folder
from mainstay.telemetry.metrics.sharing.kin import find_kin
from mainstay.telemetry.metrics.sharing.sweep import sweep

GONE = f"shop-{2**22 + 1}-17"


def test_folders_of_replicas_that_are_gone_go(tmp_path: Path) -> None:
    for name in (GONE, f"shop-{os.getpid()}-{find_kin().started}", "something-else"):
        Folder(tmp_path / name, series_max=1).leave({})
    sweep(tmp_path)
    assert {one.name for one in tmp_path.iterdir()} == {
        f"shop-{os.getpid()}-{find_kin().started}",
        "something-else",
    }


def test_a_worker_that_outlives_its_server_keeps_its_folder(tmp_path: Path) -> None:
    orphan = Folder(tmp_path / GONE, series_max=1)
    orphan.tell({})
    sweep(tmp_path)
    assert (tmp_path / GONE).is_dir()
    orphan.leave({})
    sweep(tmp_path)
    assert not (tmp_path / GONE).exists()


def test_nothing_is_swept_where_others_may_write(tmp_path: Path) -> None:
    (tmp_path / GONE).mkdir()
    tmp_path.chmod(0o777)
    sweep(tmp_path)
    assert (tmp_path / GONE).is_dir()


def test_links_are_left_alone(tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    kept.mkdir()
    (kept / "precious").write_text("x", "utf-8")
    (tmp_path / GONE).symlink_to(kept)
    sweep(tmp_path)
    assert (kept / "precious").exists()
