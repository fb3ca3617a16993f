"""Where the shared recordings and texts are; tests read them in place."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


def data_path(name: str = "") -> Path:
    """The path of ``name`` in the shared data. Skips the test where the data is missing,
    and fails it there under ``CHORUS_REQUIRE_DATA=1``."""
    folder = Path(os.environ.get("CHORUS_DATA") or ROOT.parent / "shared" / "data" / "speech")
    path = folder / name
    if not path.exists():
        reason = f"the shared data has no {name or 'folder'} at {folder}"
        if os.environ.get("CHORUS_REQUIRE_DATA") == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    return path
