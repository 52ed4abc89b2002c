from __future__ import annotations

import pytest
from hgrkit.model.text.edge_policy import starts_as_identity, with_graph_start, without_default_start

from hgrkit.errors import ConfigError


@pytest.mark.parametrize(
    ("settings", "written"),
    [
        ({"dim": 3, "graph_start": "random"}, {"dim": 3}),
        ({"dim": 3, "graph_start": "identity"}, {"dim": 3, "graph_start": "identity"}),
        ({"dim": 3}, {"dim": 3}),
    ],
)
def test_settings_that_are_written_and_read_mean_the_same(settings, written):
    assert without_default_start(settings) == written
    assert with_graph_start(written) == {"graph_start": "random", **settings}


def test_a_start_is_known_or_refused():
    assert [starts_as_identity(start) for start in ("random", "identity")] == [False, True]
    with pytest.raises(ConfigError, match="'random' or 'identity', got 'Identity'"):
        starts_as_identity("Identity")
