"""Folders of declarations, written and loaded by the tests of this room."""

from collections.abc import Callable, Mapping
from pathlib import Path
from textwrap import dedent

import pytest

from mainstay.core.errors import ConfigInvalid
from mainstay.spec.faults import Fault
from mainstay.spec.load import Loaded, load_system

Write = Callable[..., Path]
Load = Callable[..., Loaded]
Complain = Callable[..., list[Fault]]

MINIMAL = "service: shop\napp: shop:app\n"


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write files by path, dedented; give their folder."""

    def write_all(files: Mapping[str, str | bytes] | str) -> Path:
        named = {"mainstay.yaml": files} if isinstance(files, str) else files
        for name, content in named.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            data = dedent(content).encode() if isinstance(content, str) else content
            path.write_bytes(data)
        return tmp_path

    return write_all


@pytest.fixture
def load(write: Write) -> Load:
    """Load files that are valid."""

    def load_all(
        files: Mapping[str, str | bytes] | str,
        *,
        env: str | None = None,
        environ: Mapping[str, str] | None = None,
    ) -> Loaded:
        return load_system(write(files), env=env, environ=environ or {})

    return load_all


@pytest.fixture
def complain(write: Write) -> Complain:
    """Load files that are not valid; give their faults, with file names below the folder."""

    def faults_of(
        files: Mapping[str, str | bytes] | str,
        *,
        env: str | None = None,
        environ: Mapping[str, str] | None = None,
    ) -> list[Fault]:
        folder = write(files)
        with pytest.raises(ConfigInvalid) as caught:
            load_system(folder, env=env, environ=environ or {})
        faults = []
        for fault in caught.value.faults:
            assert isinstance(fault, Fault)
            name = str(Path(fault.file).relative_to(folder))
            faults.append(
                Fault(
                    file=name,
                    line=fault.line,
                    column=fault.column,
                    path=fault.path,
                    sentence=fault.sentence,
                    found=fault.found,
                    expected=fault.expected,
                    nearest=fault.nearest,
                )
            )
        return faults

    return faults_of
