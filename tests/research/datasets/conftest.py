"""Small made-up samples in the published schemas."""

from __future__ import annotations

import json

import numpy as np
import pytest


@pytest.fixture
def write(tmp_path):
    """Writes a file below the temporary folder: text, a JSON value, lines, or an array."""

    def put(name, content):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, np.ndarray):
            np.save(path, content)
        elif isinstance(content, str):
            path.write_text(content, encoding="utf-8")
        else:
            path.write_text(json.dumps(content), encoding="utf-8")
        return path

    return put
