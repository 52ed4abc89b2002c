"""What the claim of the paper is measured with."""

from __future__ import annotations

import torch

from hgrkit.checks.settings import read_settings
from hgrkit.parsing.lark.parser import LarkParser
from hgrkit.research.evaluation.rank_file import QueryRank
from hgrkit.research.training.model_config import ModelConfig


def test_the_global_baseline_needs_no_nodes(scripts, captions):
    module = scripts.paper_claim
    graphs = LarkParser().parse_batch(captions)
    tables = module.TRAINED["global baseline"].tables(1)
    model = read_settings(ModelConfig, tables["model"], "[model]").make(graphs, feature_dim=8, seed=1).eval()
    features = module.one_frame_clips(torch.rand(3, 8, generator=torch.Generator().manual_seed(0)))
    bare = [module.without_nodes(graph) for graph in graphs]
    whole, words = (module.score_levels(model, features, own) for own in (graphs, bare))
    assert whole.action.any()
    assert not words.action.any()
    torch.testing.assert_close(model.matcher.fuse(words), model.matcher.fuse(whole))


def test_figures_are_means_over_seeds_and_over_types_of_foils(scripts):
    module = scripts.paper_claim

    def choices(ranks):
        return [
            QueryRank(query=str(number), video="one", rank=rank, candidates=2) for number, rank in enumerate(ranks)
        ]

    ranks = {
        "msvd-98 second half": choices([1, 2, 2, 2]),
        "foils, switch_roles": choices([1, 1, 1, 2]),
        "foils, replace_action": choices([1, 2]),
        "foils, all choices": choices([1, 1, 1, 1, 2, 2]),
        "foils beside another clip, switch_roles": choices([1, 2]),
        "foils beside another clip, all choices": choices([1, 2]),
    }
    found = module.figures(ranks, seeds=2)
    assert found["msvd-98 second half"]["R@1"] == 25.0
    assert found["msvd-98 second half"]["R@5"] == 100.0
    assert found["msvd-98 second half"]["R@1 of each seed"] == [50.0, 0.0]
    assert found["foils, mean of the types"] == {"R@1": 62.5}
    assert found["foils beside another clip, mean of the types"] == {"R@1": 50.0}
