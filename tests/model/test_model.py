"""The whole model: what never changes its scores, and what it answers in half precision and on a GPU."""

from __future__ import annotations

import copy

import pytest
import torch

from hgrkit.graph import RoleGraph
from hgrkit.matching.losses import HingeLoss
from hgrkit.matching.matcher import Matcher
from hgrkit.model.hgr_model import HgrModel
from hgrkit.model.text.text_encoder import TextEncoder
from hgrkit.model.text.vocabulary import Vocabulary
from hgrkit.model.video import VideoEncoder, VideoFeatures
from hgrkit.research.release.experiment import training_step

WORDS = [f"w{number}" for number in range(40)]
CLIPS, CAPTIONS, FEATURES = 24, 24, 32

needs_gpu = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device"),
]


def random_graph(generator):
    def draw(low, high):
        return int(torch.randint(low, high, (1,), generator=generator))

    tokens = [WORDS[draw(0, len(WORDS))] for _ in range(draw(4, 20))]
    nodes, edges = [], []
    for number in range(draw(0, 9)):
        start = draw(0, len(tokens))
        stop = min(len(tokens), start + draw(1, 4))
        role = "V" if draw(0, 3) == 0 else ("ARG0", "ARG1", "ARGM-LOC")[draw(0, 3)]
        nodes.append({"id": number, "role": role, "span": [start, stop]})
    actions = [node["id"] for node in nodes if node["role"] == "V"]
    for node in nodes:
        if node["role"] != "V" and actions:
            edges.append([actions[draw(0, len(actions))], node["id"], node["role"]])
    return RoleGraph.from_dict({"tokens": tokens, "nodes": nodes, "edges": edges})


def random_features(generator):
    lengths = torch.randint(1, 21, (CLIPS,), generator=generator).tolist()
    return [torch.randn(length, FEATURES, generator=generator) for length in lengths]


@pytest.fixture(params=["gru", "lstm"])
def model(request):
    made = HgrModel(
        text=TextEncoder(
            vocabulary=Vocabulary.from_sentences([WORDS]),
            embed_dim=64,
            word_dim=48,
            recurrence=request.param,
            num_layers=2,
        ),
        video=VideoEncoder(feature_dim=FEATURES, embed_dim=64),
        matcher=Matcher(),
    )
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for weight in made.parameters():
            weight.copy_(torch.randn(weight.shape, generator=generator) * 0.15)
    return made.eval()


@pytest.fixture
def problem():
    generator = torch.Generator().manual_seed(1)
    return random_features(generator), [random_graph(generator) for _ in range(CAPTIONS)]


def scores_of(model, problem, device="cpu"):
    arrays, graphs = problem
    model.to(device)
    with torch.inference_mode():
        scores = model(VideoFeatures.from_arrays(arrays).to(device), model.text.batch(graphs).to(device))
    return scores.fused.float().cpu()


def test_batch_neighbours_never_change_a_score(model, problem):
    arrays, graphs = problem
    together = scores_of(model, problem)
    for clip, caption in ((0, 5), (7, 1), (20, 23)):
        alone = scores_of(model, ([arrays[clip]], [graphs[caption]]))
        torch.testing.assert_close(alone[0, 0], together[clip, caption], atol=1e-6, rtol=0)


def test_the_order_of_clips_and_captions_only_reorders_scores(model, problem):
    arrays, graphs = problem
    turned = scores_of(model, (arrays[::-1], graphs[::-1]))
    torch.testing.assert_close(turned.flip(0, 1), scores_of(model, problem), atol=1e-6, rtol=0)


def test_float64_and_float32_give_the_same_scores(model, problem):
    exact = scores_of(copy.deepcopy(model).double(), problem)
    torch.testing.assert_close(scores_of(model, problem), exact, atol=2e-6, rtol=0)


def test_every_weight_is_trained(model, problem):
    arrays, graphs = problem
    scores = model(VideoFeatures.from_arrays(arrays), model.text.batch(graphs))
    HingeLoss()(scores).backward()
    assert all(weight.grad is not None and weight.grad.isfinite().all() for weight in model.parameters())


def assert_same_rankings(found, expected, slack):
    """The clip that is ranked first may only be one that is as good up to the slack."""
    best = found.argmax(dim=0)
    columns = torch.arange(expected.shape[1])
    assert (expected.max(dim=0).values - expected[best, columns] <= slack).all()
    assert (
        found.argsort(dim=0).argsort(dim=0) - expected.argsort(dim=0).argsort(dim=0)
    ).abs().float().mean() < 1.5


def test_half_precision_ranks_as_float32_does(model, problem):
    expected = scores_of(model, problem)
    assert_same_rankings(scores_of(model.to(torch.bfloat16), problem), expected, slack=0.05)


@pytest.fixture
def exact_products():
    """cuDNN's recurrent networks round to ten bits unless told otherwise."""
    before = torch.backends.cudnn.allow_tf32
    torch.backends.cudnn.allow_tf32 = False
    yield
    torch.backends.cudnn.allow_tf32 = before


class TestOnGpu:
    pytestmark = needs_gpu

    def test_scores_are_those_of_the_cpu(self, model, problem, exact_products):
        expected = scores_of(model, problem)
        torch.testing.assert_close(scores_of(model, problem, "cuda"), expected, atol=1e-4, rtol=0)

    def test_alignments_are_those_of_the_cpu(self, model, problem, exact_products):
        arrays, graphs = problem
        found = []
        for device in ("cpu", "cuda"):
            model.to(device)
            with torch.inference_mode():
                video = model.video(VideoFeatures.from_arrays(arrays).to(device))
                found.append(
                    model.matcher.align(video, model.text(model.text.batch(graphs).to(device))).entity.cpu()
                )
        torch.testing.assert_close(*found, atol=1e-4, rtol=0)

    @pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
    def test_half_precision_ranks_as_float32_does(self, model, problem, dtype):
        expected = scores_of(model, problem)
        assert_same_rankings(scores_of(model.to(dtype), problem, "cuda"), expected, slack=0.05)

    def test_training_steps_are_those_of_the_cpu(self, model, problem, exact_products):
        arrays, graphs = problem
        losses = []
        for device in ("cpu", "cuda"):
            trained = copy.deepcopy(model).to(device).train()
            optimizer = torch.optim.Adam(trained.parameters(), lr=1e-3)
            features, batch = VideoFeatures.from_arrays(arrays).to(device), trained.text.batch(graphs).to(device)
            losses.append(
                [training_step(trained, HingeLoss(), optimizer, features=features, graphs=batch) for _ in range(5)]
            )
        assert losses[1] == pytest.approx(losses[0], abs=1e-3)
