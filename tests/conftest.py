"""Fixtures that every test folder shares."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch

SHARED = Path(__file__).resolve().parents[2] / "shared"

torch.set_num_threads(1)  # small tensors on few cores: threads that wait for each other cost more than they save


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of development data beside the checkout."""
    if not SHARED.is_dir():
        if os.environ.get("HGRKIT_REQUIRE_SHARED") == "1":
            pytest.fail(f"the development data must be at {SHARED}, and HGRKIT_REQUIRE_SHARED is set")
        pytest.skip(f"needs the development data at {SHARED}")
    return SHARED
