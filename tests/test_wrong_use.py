"""Wrong uses of the SDK, each with the one line that it is answered with."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from hgrkit import (
    CaptionedClips,
    GraphBatch,
    HgrModel,
    HingeLoss,
    InfoNCE,
    Matcher,
    Node,
    Retriever,
    RoleGraph,
    Span,
    TextEncoder,
    TrainConfig,
    Trainer,
    VideoEncoder,
    VideoFeatures,
    Vocabulary,
    benchmark,
    evaluate,
    load_model,
    save_model,
)
from hgrkit.clips import cut_hits
from hgrkit.errors import BenchmarkError, ConfigError, GraphError, PluginError, ShapeError
from hgrkit.library import ClipEmbeddings, SearchSettings, VideoRecord
from hgrkit.parsing import ChainParser, LarkParser, label_tree, load_parser
from hgrkit.research.evaluation.measures import RankMeasure, measure
from hgrkit.research.foils.generate import make_foils
from hgrkit.video.frame_encoder import encode_frames
from hgrkit.video.limits import DecodeLimits
from hgrkit.video.sampling import UniformSampling


class Ones:
    """A frame encoder."""

    feature_dim, fingerprint = 6, "ones@1"

    def encode(self, frames):
        return np.ones((len(frames), 6), np.float32)


class NotNumbers(Ones):
    def encode(self, frames):
        return np.full((len(frames), 6), np.nan, np.float32)


def make_parts(folder):
    """What a program has at hand when it makes a mistake."""
    it = SimpleNamespace(parser=LarkParser(), vocabulary=Vocabulary.from_sentences([["a", "dog", "runs"]]))
    it.graph = it.parser.parse("a dog runs")
    it.model = HgrModel(
        text=TextEncoder(vocabulary=it.vocabulary, embed_dim=8, word_dim=4),
        video=VideoEncoder(feature_dim=6, embed_dim=8),
    ).eval()
    it.batch = it.model.text.batch([it.graph])
    it.features = VideoFeatures.from_arrays([np.ones((3, 6))])
    it.text, it.video = it.model.text(it.batch), it.model.video(it.features)
    it.parts = {"model": save_model(it.model, folder / "model"), "frame_encoder": Ones()}
    it.retriever = Retriever.create(folder / "lib", **it.parts)
    clip = ClipEmbeddings(start_s=0, end_s=4, times_s=[2], event=[1] * 8, action=[[1] * 8], entity=[[1] * 8])
    it.retriever.library.add(VideoRecord(path="dog.mp4", content="sha256:0", size=1, mtime_ns=0), [clip])
    it.result = it.retriever.search("a dog runs")
    return it


WRONG = [
    (
        lambda it: it.parser.parse_batch("a dog"),
        GraphError,
        "texts must be a list of sentences, got 'a dog'; put it into a list.",
    ),
    (
        lambda it: it.parser.parse_batch(["a dog", 5]),
        GraphError,
        "texts must be a list of sentences, but texts[1] is 5.",
    ),
    (
        lambda it: it.parser.parse_tokens("a dog"),
        GraphError,
        "tokens must be a list of words, got 'a dog'; put it into a list.",
    ),
    (lambda _: ChainParser("lark"), ConfigError, "parsers must be a list of parsers and their names, got 'lark'."),
    (
        lambda _: load_parser(5),
        PluginError,
        (
            "5 is not a parser: it lacks name, version, parse_batch; give a name such as "
            "'lark', or see hgrkit.parsing.protocol."
        ),
    ),
    (
        lambda _: load_parser(LarkParser),
        PluginError,
        "the class LarkParser is not a parser; give an instance: LarkParser(...).",
    ),
    (
        lambda it: label_tree("a dog", it.graph),
        GraphError,
        "tokens must be a list of words, got 'a dog'; put it into a list.",
    ),
    (lambda _: RoleGraph("a dog runs"), GraphError, "tokens must be a list of words, got 'a dog runs'."),
    (
        lambda _: RoleGraph(tokens=["dogs"], nodes=[(1, "V", (0, 1))]),
        GraphError,
        "nodes must be a list of Node objects, but nodes[0] is (1, 'V', (0, 1)).",
    ),
    (lambda _: Node(1, "V", (0, 1)), GraphError, "the span of node 1 must be a Span, got (0, 1)."),
    (lambda _: Span(0.5, 2), GraphError, "an end of a span must be a whole number, got 0.5."),
    (lambda it: it.graph.without(5), GraphError, "the phrase to leave out must be a string, got 5."),
    (
        lambda it: it.graph.without("a cat"),
        GraphError,
        "no phrase of the sentence has the words 'a cat'; its phrases: 'runs', 'a dog'.",
    ),
    (
        lambda it: it.graph.phrase("a dog"),
        GraphError,
        "node must be a Node, got 'a dog'; take one of graph.nodes.",
    ),
    (
        lambda _: RoleGraph.from_json(5),
        GraphError,
        ("not a role graph: the text is not JSON (the JSON object must be str, bytes or bytearray, not int)."),
    ),
    (
        lambda _: GraphBatch.from_graphs("a dog"),
        ShapeError,
        "graphs must be a list of RoleGraph objects, got 'a dog'.",
    ),
    (
        lambda it: GraphBatch.from_graphs(it.graph),
        ShapeError,
        (
            "graphs must be a list of RoleGraph objects, got RoleGraph(tokens=('a', 'dog', "
            "'runs'), nodes=(Node(id=1, rol...; put it into a list."
        ),
    ),
    (
        lambda it: GraphBatch.from_graphs([it.graph], vocabulary="words"),
        ConfigError,
        ("vocabulary must be a Vocabulary, got 'words'; make one: Vocabulary.from_sentences(...)."),
    ),
    (
        lambda it: GraphBatch.from_graphs([it.graph], max_tokens=True),
        ConfigError,
        "max_tokens must be a whole number in [1, inf) or none, got True.",
    ),
    (
        lambda _: TextEncoder(vocabulary="words", embed_dim=8),
        ConfigError,
        ("vocabulary must be a Vocabulary, got 'words'; make one: Vocabulary.from_sentences(...)."),
    ),
    (
        lambda it: TextEncoder(vocabulary=it.vocabulary, embed_dim="8"),
        ConfigError,
        "embed_dim must be a whole number in [1, 16384], got '8'.",
    ),
    (
        lambda it: TextEncoder(vocabulary=it.vocabulary, embed_dim=8, dropout=1),
        ConfigError,
        "dropout must be a number in [0, 1), got 1.",
    ),
    (
        lambda _: Vocabulary.from_sentences(["a dog", "a cat"]),
        ConfigError,
        "sentences[0] must be a list of words, got 'a dog'; split it: sentence.split().",
    ),
    (
        lambda _: Vocabulary(ids=["a", "dog"]),
        ConfigError,
        "ids must be a mapping from words to numbers, such as {'a': 1}, got ['a', 'dog'].",
    ),
    (
        lambda it: it.vocabulary.encode("a dog"),
        ConfigError,
        "words must be a list of words, got 'a dog'; put it into a list.",
    ),
    (
        lambda _: VideoEncoder(feature_dim=6, embed_dim=8, max_frames=0.5),
        ConfigError,
        "max_frames must be a whole number in [1, inf) or none, got 0.5.",
    ),
    (
        lambda _: VideoFeatures.from_arrays(np.ones((3, 6))),
        ShapeError,
        (
            "features must be a list of arrays [F, K], one for each clip, got ndarray [3, 6] of "
            "float64; put it into a list."
        ),
    ),
    (
        lambda _: VideoFeatures.from_arrays("resnet.npz"),
        ShapeError,
        "features must be a list of arrays [F, K], one for each clip, got 'resnet.npz'.",
    ),
    (
        lambda _: VideoFeatures.from_arrays([np.full((3, 6), np.nan)]),
        ShapeError,
        (
            "frame features of clip 0 must be finite, got 18 of 18 numbers that are NaN or "
            "infinite; check what computed them."
        ),
    ),
    (
        lambda _: VideoFeatures.from_arrays([np.full((3, 6), 1e300)]),
        ShapeError,
        (
            "frame features of clip 0 must be finite, got 18 of 18 numbers that are NaN or "
            "infinite; check what computed them."
        ),
    ),
    (
        lambda _: VideoFeatures.from_arrays([np.ones((3, 6), complex)]),
        ShapeError,
        (
            "frame features of clip 0 must be [F, K], real numbers of at least one frame, got "
            "ndarray [3, 6] of complex128."
        ),
    ),
    (
        lambda _: VideoFeatures.from_arrays([np.ones((0, 6))]),
        ShapeError,
        (
            "frame features of clip 0 must be [F, K], real numbers of at least one frame, got "
            "ndarray [0, 6] of float64."
        ),
    ),
    (
        lambda _: VideoFeatures.from_arrays([np.ones((3, 6)), np.ones((3, 5))]),
        ShapeError,
        "frame features of clip 1 must be [F, 6] as those of clip 0, got [3, 5].",
    ),
    (
        lambda it: it.model.text(it.features),
        ShapeError,
        (
            "batch must be a GraphBatch, got VideoFeatures(clips=1, frames=3, dim=6); text "
            "encoders take encoder.batch(graphs)."
        ),
    ),
    (
        lambda it: it.model.video(it.batch),
        ShapeError,
        (
            "features must be a VideoFeatures, got GraphBatch(sentences=1, tokens=3, actions=1, "
            "entities=1); make them: VideoFeatures.from_arrays(arrays)."
        ),
    ),
    (
        lambda it: it.model.video(VideoFeatures.from_arrays([np.ones((3, 5))])),
        ShapeError,
        ("frame features must be [V, F, 6], got [1, 3, 5]; this model was built with feature_dim=6."),
    ),
    (
        lambda it: it.model.video(it.features.to("meta")),
        ShapeError,
        ("the features are on meta and the video encoder on cpu; move them: features.to('cpu')."),
    ),
    (
        lambda it: it.model.matcher(it.text, it.video),
        ShapeError,
        "a matcher takes clips first and sentences second, got the reverse; swap them.",
    ),
    (
        lambda it: it.model.matcher.align(it.text, it.video),
        ShapeError,
        "a matcher takes clips first and sentences second, got the reverse; swap them.",
    ),
    (
        lambda it: it.model.matcher(it.video, "a dog"),
        ShapeError,
        "text must be a TextEmbeddings, got 'a dog'; make them with a text encoder.",
    ),
    (lambda _: Matcher(sharpness="4"), ConfigError, "sharpness must be a number in [0, 1000000], got '4'."),
    (
        lambda _: Matcher(sharpness=float("nan")),
        ConfigError,
        "sharpness must be a number in [0, 1000000], got nan.",
    ),
    (
        lambda _: Matcher(sharpness=10**400),
        ConfigError,
        f"sharpness must be a number in [0, 1000000], got 1{'0' * 59}....",
    ),
    (lambda _: Matcher(fusion="mean"), ConfigError, "fusion must be 'embed' or 'sim', got 'mean'."),
    (
        lambda _: Matcher(level_weights="111"),
        ConfigError,
        (
            "level_weights must be 3 numbers, for event, action and entity, finite, none negative"
            " and not all 0; got '111'."
        ),
    ),
    (
        lambda it: HgrModel(text=it.model.video, video=it.model.text),
        ConfigError,
        (
            "text must be a text encoder and a torch module, such as a TextEncoder, got an object"
            " of type VideoEncoder."
        ),
    ),
    (
        lambda it: HgrModel(text=it.model.text, video=VideoEncoder(feature_dim=6, embed_dim=9)),
        ConfigError,
        "the text encoder has embed_dim=8, the video encoder embed_dim=9; they must be equal.",
    ),
    (
        lambda it: HgrModel(text=it.model.text, video=it.model.video, matcher=Matcher),
        ConfigError,
        "matcher must be a Matcher, got the class Matcher; make one: Matcher(...).",
    ),
    (lambda _: InfoNCE(temperature=0), ConfigError, "temperature must be a number in (0, 1000000], got 0."),
    (
        lambda _: InfoNCE()(torch.ones(2, 2)),
        ShapeError,
        ("scores must be a Scores, got Tensor [2, 2] of torch.float32; make them with a Matcher."),
    ),
    (
        lambda _: HingeLoss(negatives="some"),
        ConfigError,
        "negatives must be a whole number in [1, inf) or 'hardest' or 'all', got 'some'.",
    ),
    (
        lambda _: HingeLoss(level_weights=(1, 1, 1)),
        ConfigError,
        (
            "level_weights must be 4 numbers, for fused, event, action and entity, finite, none "
            "negative and not all 0; got (1, 1, 1)."
        ),
    ),
    (lambda _: TrainConfig(epochs="3"), ConfigError, "epochs must be a whole number in [1, 1000000], got '3'."),
    (lambda _: TrainConfig(epochs=0), ConfigError, "epochs must be a whole number in [1, 1000000], got 0."),
    (
        lambda it: Trainer(it.model, config={"epochs": 3}),
        ConfigError,
        "config must be a TrainConfig, got {'epochs': 3}.",
    ),
    (
        lambda it: Trainer(it.model).fit("clips"),
        ConfigError,
        "train must be a CaptionedClips, got 'clips'; make them: CaptionedClips.of(...).",
    ),
    (
        lambda it: CaptionedClips.of({"a": "a dog"}, {"a": np.ones((2, 6))}, parser=it.parser),
        ConfigError,
        "captions['a'] must be a list of sentences, got 'a dog'; put it into a list.",
    ),
    (
        lambda it: make_foils({"a": "a dog runs"}, it.parser),
        ConfigError,
        "captions['a'] must be a list of sentences, got 'a dog runs'; put it into a list.",
    ),
    (
        lambda _: benchmark("msr-vtt", annotations=5),
        ConfigError,
        "annotations must be a path (a string or a pathlib.Path), got 5.",
    ),
    (
        lambda _: evaluate("model/", "msr-vtt/1k-a"),
        ConfigError,
        "model must be an HgrModel, got 'model/'; load one: load_model(folder).",
    ),
    (
        lambda it: evaluate(it.model, "msr-vtt/1k-a"),
        ConfigError,
        ("benchmark must be a Benchmark, got 'msr-vtt/1k-a'; read one: benchmark(name, annotations=...)."),
    ),
    (
        lambda _: RankMeasure("R@0"),
        ConfigError,
        ("no measure named 'R@0'; there are R@k, MedR, MeanR, mRR, Rsum, SumR. Did you mean 'R@10'?"),
    ),
    (
        lambda _: measure([[0.9, 0.1]], [[0.5, 0.5]]),
        BenchmarkError,
        "positives must be True or False, got [[0.5, 0.5]]; compare numbers with a limit.",
    ),
    (lambda _: load_model(5), ConfigError, "folder must be a path (a string or a pathlib.Path), got 5."),
    (lambda _: save_model("model/", "folder"), ConfigError, "model must be an HgrModel, got 'model/'."),
    (
        lambda it: it.retriever.search(5),
        GraphError,
        "a query must be a sentence or a RoleGraph, got 5; give one at a time, or an example: like='pool.jpg'.",
    ),
    (
        lambda it: it.retriever.search(["a dog", "a cat"]),
        GraphError,
        (
            "a query must be a sentence or a RoleGraph, got ['a dog', 'a cat']; give one at a time, or an "
            "example: like='pool.jpg'."
        ),
    ),
    (
        lambda it: it.retriever.search(b"a dog"),
        GraphError,
        (
            "a query must be a sentence or a RoleGraph, got b'a dog'; give one at a time, or an example: "
            "like='pool.jpg'."
        ),
    ),
    (
        lambda it: it.retriever.search("a dog", k="5"),
        ConfigError,
        "k must be a whole number of at least 1, got '5'.",
    ),
    (
        lambda it: it.retriever.search("a dog", k=True),
        ConfigError,
        "k must be a whole number of at least 1, got True.",
    ),
    (lambda it: it.retriever.search("a dog", k=0), ConfigError, "k must be at least 1, got 0."),
    (
        lambda it: it.retriever.search("a dog", videos="dog.mp4"),
        ConfigError,
        "videos must be a list of paths, got 'dog.mp4'.",
    ),
    (
        lambda it: it.retriever.search("a dog", videos=[5]),
        ConfigError,
        "videos[0] must be a path (a string or a pathlib.Path), got 5.",
    ),
    (
        lambda it: it.retriever.read("a dog"),
        ConfigError,
        "sentences must be a list of sentences, got 'a dog'; put it into a list.",
    ),
    (
        lambda it: it.retriever.scores("a dog"),
        ConfigError,
        "sentences must be a list of sentences, got 'a dog'; put it into a list.",
    ),
    (
        lambda it: it.retriever.scores(["a dog"], level_weights="111"),
        ConfigError,
        (
            "level_weights must be 3 numbers, for event, action and entity, finite, none negative"
            " and not all 0; got '111'."
        ),
    ),
    (
        lambda it: it.retriever.pair_scores(["dog.mp4"], ["a dog", "a cat"]),
        ConfigError,
        "pairs need one video a sentence, got 1 and 2.",
    ),
    (
        lambda it: it.retriever.explain(5),
        ConfigError,
        "result must be a SearchResult, got 5; give what Retriever.search returned.",
    ),
    (
        lambda it: it.retriever.explain(it.result, num_frames="12"),
        ConfigError,
        "num_frames must be a whole number of at least 1, got '12'.",
    ),
    (
        lambda it: it.retriever.explain(it.result).save("why.bmp"),
        ConfigError,
        "an explanation is saved as .html or .png, got 'why.bmp'.",
    ),
    (
        lambda it: it.retriever.index(),
        ConfigError,
        "index needs at least one video or folder, got none; name some: index('videos/').",
    ),
    (
        lambda it: it.retriever.index(["a.mp4", "b.mp4"]),
        ConfigError,
        (
            "each path must be a path (a string or a pathlib.Path), got ['a.mp4', 'b.mp4']; give "
            "them one by one: index('a', 'b')."
        ),
    ),
    (
        lambda it: it.retriever.index(5),
        ConfigError,
        ("each path must be a path (a string or a pathlib.Path), got 5; give them one by one: index('a', 'b')."),
    ),
    (
        lambda it: it.retriever.index("videos", num_workers="2"),
        ConfigError,
        "num_workers must be a whole number of at least 1, got '2'.",
    ),
    (
        lambda it: it.retriever.index("videos", limits={"seconds": 3}),
        ConfigError,
        "limits must be a DecodeLimits, got {'seconds': 3}.",
    ),
    (
        lambda it: it.retriever.index("videos", on_progress=5),
        ConfigError,
        "on_progress must be a function that takes an IndexProgress, or None, got 5.",
    ),
    (lambda it: it.retriever.index("videos", prune="no"), ConfigError, "prune must be True or False, got 'no'."),
    (
        lambda it: Retriever.create(5, **it.parts),
        ConfigError,
        "the library must be a path (a string or a pathlib.Path), got 5.",
    ),
    (
        lambda it: Retriever.create("new", **{**it.parts, "parser": 5}),
        PluginError,
        (
            "5 is not a parser: it lacks name, version, parse_batch; give a name such as "
            "'lark', or see hgrkit.parsing.protocol."
        ),
    ),
    (
        lambda it: Retriever.create("new", **{**it.parts, "parser": LarkParser}),
        PluginError,
        "the class LarkParser is not a parser; give an instance: LarkParser(...).",
    ),
    (
        lambda it: Retriever.create("new", **{**it.parts, "model": 5}),
        ConfigError,
        ("model must be a path (a string or a pathlib.Path), got 5; or a model's name, such as 'default'."),
    ),
    (
        lambda it: Retriever.create("new", **{**it.parts, "frame_encoder": Ones}),
        PluginError,
        "the frame encoder that was given is the class Ones, not an instance; give Ones(...).",
    ),
    (
        lambda it: Retriever.create("new", **{**it.parts, "frame_encoder": 5}),
        PluginError,
        ("the frame encoder that was given is 5, without feature_dim, fingerprint, encode; see FrameEncoder."),
    ),
    (
        lambda it: Retriever.create("new", **{**it.parts, "sampling": "2fps"}),
        ConfigError,
        "sampling must be 'fps:NUMBER' or 'uniform:COUNT', such as 'fps:2', got '2fps'.",
    ),
    (
        lambda it: Retriever.create("new", **{**it.parts, "sampling": 5}),
        ConfigError,
        "sampling must be such as 'fps:2' or 'uniform:20', got 5.",
    ),
    (
        lambda it: Retriever.create("new", **{**it.parts, "clip_seconds": "30"}),
        ConfigError,
        "clip_seconds must be a number in [0.001, 1e9], got '30'.",
    ),
    (
        lambda it: Retriever.create("new", **{**it.parts, "clip_seconds": float("nan")}),
        ConfigError,
        "clip_seconds must be a number in [0.001, 1e9], got nan.",
    ),
    (
        lambda it: Retriever.create("new", **{**it.parts, "device": 5}),
        ConfigError,
        "device must be a string such as 'auto' or 'cpu', got 5.",
    ),
    (
        lambda _: Retriever.open(None),
        ConfigError,
        "the library must be a path (a string or a pathlib.Path), got None.",
    ),
    (
        lambda it: cut_hits(it.result, "clips"),
        ConfigError,
        (
            "hits must be a list of Hit objects, such as result.hits, got SearchResult(query='a "
            "dog runs', hits=(Hit(rank=1, video='do...."
        ),
    ),
    (
        lambda it: cut_hits(it.result.hits, "clips", exact="yes"),
        ConfigError,
        "exact must be True or False, got 'yes'.",
    ),
    (
        lambda _: encode_frames(NotNumbers(), np.zeros((2, 8, 8, 3), np.uint8)),
        PluginError,
        ("the frame encoder ones@1 returns numbers that are NaN or infinite; fix it, or use another encoder."),
    ),
    (
        lambda _: DecodeLimits(seconds="60"),
        ConfigError,
        "DecodeLimits(seconds=...) must be a number above 0, got '60'.",
    ),
    (lambda _: UniformSampling(2.5), ConfigError, "num_frames must be a whole number of at least 1, got 2.5."),
    (
        lambda it: it.retriever.library.add("dog.mp4", []),
        ConfigError,
        "record must be a VideoRecord, got 'dog.mp4'.",
    ),
    (
        lambda it: it.retriever.library.search("a dog"),
        ShapeError,
        "query must be a QueryEmbeddings, got 'a dog'; Retriever.search takes words.",
    ),
    (
        lambda it: it.retriever.library.update(remove="dog.mp4"),
        ConfigError,
        "remove must be a list of paths, got 'dog.mp4'; put it into a list.",
    ),
    (
        lambda _: ClipEmbeddings(start_s=0, end_s=1, times_s="x", event=[1], action=[[1]], entity=[[1]]),
        ShapeError,
        "times and embeddings must be arrays of real numbers, got 'x'.",
    ),
    (
        lambda _: SearchSettings(level_weights=(1, 1)),
        ConfigError,
        (
            "level_weights must be 3 numbers, for event, action and entity, finite, none negative"
            " and not all 0; got (1, 1)."
        ),
    ),
    (
        lambda it: it.result.hits[0].levels["verb"],
        ConfigError,
        "a level must be 'event', 'action' or 'entity', got 'verb'.",
    ),
]


@pytest.fixture(scope="module")
def it(tmp_path_factory):
    parts = make_parts(tmp_path_factory.mktemp("parts"))
    yield parts
    parts.retriever.close()


@pytest.fixture(autouse=True)
def _in_a_folder_with_videos(tmp_path, monkeypatch):
    (tmp_path / "videos").mkdir()
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(("use", "error", "message"), WRONG, ids=[message[:60] for _, _, message in WRONG])
def test_a_wrong_use_is_answered_with_one_line(it, use, error, message):
    with pytest.raises(error) as raised:
        use(it)
    assert str(raised.value) == message


def test_a_wrong_use_makes_nothing(it, tmp_path):
    for use, error, _ in WRONG:
        with pytest.raises(error):
            use(it)
    assert [path.name for path in tmp_path.iterdir()] == ["videos"]


@pytest.mark.parametrize("k", [np.int64(1), np.uint8(1), np.array(1)])
def test_a_whole_number_may_be_one_of_numpys(it, k):
    assert len(it.retriever.search("a dog runs", k=k).hits) == 1


def test_numbers_may_be_numpys_wherever_numbers_are_asked_for(it, tmp_path):
    encoder = TextEncoder(vocabulary=it.vocabulary, embed_dim=np.int64(8), word_dim=4, dropout=np.float32(0.5))
    model = HgrModel(
        text=encoder,
        video=VideoEncoder(feature_dim=np.int32(6), embed_dim=np.int64(8), max_frames=np.int64(3)),
        matcher=Matcher(sharpness=np.float32(4), level_weights=np.ones(3)),
    )
    save_model(model, tmp_path / "model")
    assert load_model(tmp_path / "model").config == model.config
    assert TrainConfig(epochs=np.int64(3), learning_rate=np.float32(0.5)) == TrainConfig(
        epochs=3, learning_rate=0.5
    )


@pytest.mark.parametrize("sentences", [("a dog",), iter(["a dog"]), np.array(["a dog"])])
def test_sentences_may_be_anything_with_an_order(it, sentences):
    assert it.retriever.scores(sentences).shape == (1, 1)


def test_sentences_in_a_set_have_no_order_and_are_refused(it):
    with pytest.raises(ConfigError, match=r"sentences must be a list of sentences, got \{'a dog'\}"):
        it.retriever.scores({"a dog"})


def test_a_path_may_be_anything_that_python_takes_for_one(it, tmp_path):
    class Place:
        def __fspath__(self):
            return str(tmp_path / "library")

    with Retriever.create(Place(), **it.parts) as retriever:
        assert retriever.search("a dog").hits == ()
    with Retriever.open(Path(tmp_path) / "library") as retriever:
        assert retriever.library.counts().videos == 0
