from __future__ import annotations

import torch

from hgrkit.matching.losses import HingeLoss, InfoNCE
from hgrkit.model.hgr_model import HgrModel
from hgrkit.model.text.text_encoder import TextEncoder
from hgrkit.model.text.vocabulary import Vocabulary
from hgrkit.model.video import VideoEncoder, VideoFeatures
from hgrkit.research.release.experiment import training_step
from hgrkit.testing.model_contract import example_graphs


def small_model():
    graphs = example_graphs()
    vocabulary = Vocabulary.from_sentences(graph.tokens for graph in graphs)
    model = HgrModel(
        text=TextEncoder(vocabulary=vocabulary, embed_dim=8, word_dim=4),
        video=VideoEncoder(feature_dim=5, embed_dim=8),
    )
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for weight in model.parameters():
            weight.copy_(torch.randn(weight.shape, generator=generator) * 0.3)
    features = VideoFeatures.from_arrays([torch.randn(n, 5, generator=generator) for n in (3, 1, 4, 2)])
    return model, features, model.text.batch(graphs)


def test_training_learns_the_pairs():
    for loss in (HingeLoss(), InfoNCE(learned=True)):
        model, features, graphs = small_model()
        optimizer = torch.optim.Adam([*model.parameters(), *loss.parameters()], lr=0.01)
        losses = [training_step(model, loss, optimizer, features=features, graphs=graphs) for _ in range(60)]
        assert losses[-1] < losses[0] / 2


def test_the_loss_of_a_step_is_the_one_before_it():
    model, features, graphs = small_model()
    loss = HingeLoss()
    before = loss(model(features, graphs)).item()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    assert training_step(model, loss, optimizer, features=features, graphs=graphs) == before
    assert loss(model(features, graphs)).item() != before
