"""Models, tokenisers, graphs and released checkpoints as someone who means harm makes them."""

from __future__ import annotations

import json
import os
import pickle
import shutil
import tempfile
import zipfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import attrs
import numpy as np
import onnx
import torch
from onnx import TensorProto, helper

from hgrkit.library import ClipEmbeddings, Entry, Library, VideoRecord
from hgrkit.library.manifest import Manifest
from hgrkit.matching.matcher import Matcher
from hgrkit.model.checkpoint import save_model
from hgrkit.model.folder import model_fingerprint
from hgrkit.model.hgr_model import HgrModel
from hgrkit.model.text.sentence_encoder import SentenceTextEncoder
from hgrkit.model.text.text_encoder import TextEncoder
from hgrkit.model.text.vocabulary import Vocabulary
from hgrkit.model.video import VideoEncoder
from tests.tiny_transformer import write_transformer
from tests.torture.strangers import Case, generator

DIM, FEATURES = 6, 5
KINDS = ("sentence", "rnn")
HOSTILE = ("\x1b[2Jcleared", "\u202eevil", "a\nhgrkit: all is well", "/etc/passwd", "../../x", "x" * 5000)
NUMBERS = (
    0,
    -1,
    1 << 20,
    1 << 31,
    (1 << 63) - 1,
    1 << 64,
    10**30,
    1e300,
    float("inf"),
    float("nan"),
    0.5,
    "6",
    None,
)

Change = Callable[[np.random.Generator, Path], None]


@cache
def template(kind: str) -> Path:
    """A sound model folder with random weights."""
    folder = Path(tempfile.mkdtemp(prefix="forged-"))
    torch.manual_seed(0)
    if kind == "rnn":
        vocabulary = Vocabulary.from_sentences([["a", "dog", "runs"]])
        text: Any = TextEncoder(vocabulary=vocabulary, embed_dim=DIM, word_dim=4)
    else:
        text = SentenceTextEncoder(reader=write_transformer(folder).reader(), embed_dim=DIM)
    model = HgrModel(text=text, video=VideoEncoder(feature_dim=FEATURES, embed_dim=DIM), matcher=Matcher())
    return save_model(model.eval(), folder / "model")


def forged(rng: np.random.Generator, room: Path, change: Change, kinds: tuple[str, ...] = KINDS) -> Case:
    """A library of a model that was changed, searched by a user who trusts it."""
    kind = kinds[int(rng.integers(len(kinds)))]
    model, library = room / "model", room / "library"
    shutil.copytree(template(kind), model)
    change(rng, model)
    try:
        fingerprint = model_fingerprint(model)
    except Exception:  # noqa: BLE001 - the forged config may be no config; then the search is refused for that
        fingerprint = "sha256:0"
    manifest = Manifest(
        model=str(model),
        model_fingerprint=fingerprint,
        frame_encoder="efficientnet-lite2",
        frame_encoder_fingerprint="efficientnet-lite2@sha256:0",
        sampling="uniform:4",
        clip_seconds=None,
        embed_dim=DIM,
    )
    with Library.create(library, manifest) as made:
        for number in range(3):
            made.add_all([_entry(rng, number)])
    words = ["search", "a dog runs", "--library", str(library), "--trust"]
    return Case([*words, "--json"] if rng.random() < 0.5 else words)


def _entry(rng: np.random.Generator, number: int) -> Entry:
    clip = ClipEmbeddings(
        start_s=0.0,
        end_s=4.0,
        times_s=np.arange(4) + 0.5,
        event=rng.normal(size=DIM),
        action=rng.normal(size=(4, DIM)),
        entity=rng.normal(size=(4, DIM)),
    )
    record = VideoRecord(path=f"/videos/{number}.mp4", content=f"sha256:{number}", size=1, mtime_ns=1)
    return Entry(attrs.evolve(record, duration_s=4.0), [clip])


def any_of(rng: np.random.Generator, values: Any) -> Any:
    """One of some values."""
    return values[int(rng.integers(len(values)))]


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The keys that lead to every value in JSON."""
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for key, below in inside for place in places(below, (*path, key)))]


def put(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    """JSON with another value at one place."""
    if not path:
        return new
    value[path[0]] = put(value[path[0]], path[1:], new)
    return value


def lie_in_json(rng: np.random.Generator, path: Path, most: int = 3) -> None:
    """Put absurd values into a JSON file."""
    record = json.loads(path.read_text(encoding="utf-8"))
    for _ in range(int(rng.integers(1, most + 1))):
        place = any_of(rng, places(record)[1:])
        new = any_of(rng, (*NUMBERS, *HOSTILE, [], {}, [[]] * 1000, True))
        record = put(record, place, new)
    path.write_text(json.dumps(record), encoding="utf-8")


def damage_bytes(rng: np.random.Generator, path: Path) -> None:
    """Change some bytes of a file, cut it off or let it go on."""
    content = bytearray(path.read_bytes())
    for _ in range(int(rng.integers(1, 12))):
        at = int(rng.integers(len(content) or 1))
        content[at : at + int(rng.integers(1, 9))] = rng.bytes(int(rng.integers(0, 9)))
    if rng.random() < 0.2:
        content = content[: int(rng.integers(len(content) + 1))]
    path.write_bytes(bytes(content))


# model folders -------------------------------------------------------------------------------------------------


@generator
def model_config_lies(rng: np.random.Generator, room: Path) -> Case:
    """Sizes, kinds and names in the config that are not those of the weights."""
    return forged(rng, room, lambda rng, model: lie_in_json(rng, model / "config.json"))


@generator
def model_sizes_beyond_the_weights(rng: np.random.Generator, room: Path) -> Case:
    """A config that would take gigabytes if it were believed."""

    def change(rng: np.random.Generator, model: Path) -> None:
        config = json.loads((model / "config.json").read_text())
        large = int(any_of(rng, (16384, 1 << 20, 1 << 28, 1 << 40)))
        part, name = any_of(
            rng,
            (
                *(("video", name) for name in ("feature_dim", "embed_dim")),
                *(("text", name) for name in ("embed_dim", "word_dim", "num_roles", "graph_layers", "num_layers")),
            ),
        )
        config[part][name] = large
        if rng.random() < 0.3:
            config["background"] = {"size": large, "temperature": 0.1}
        (model / "config.json").write_text(json.dumps(config))
        vocabulary = model / "vocabulary.json"
        if vocabulary.is_file() and rng.random() < 0.5:
            vocabulary.write_text(json.dumps({"size": large, "unknown_id": 0, "ids": {"a": 0}}))

    return forged(rng, room, change)


@generator
def model_weights_damaged(rng: np.random.Generator, room: Path) -> Case:
    """Weights whose header or numbers are not what they were."""
    return forged(rng, room, lambda rng, model: damage_bytes(rng, model / "weights.safetensors"))


@generator
def model_files_replaced(rng: np.random.Generator, room: Path) -> Case:
    """A pipe, a device, a link, a folder or terabytes of nothing in the place of a file."""

    def change(rng: np.random.Generator, model: Path) -> None:
        path = any_of(rng, sorted(path for path in model.rglob("*") if path.is_file()))
        path.unlink()
        kind = int(rng.integers(5))
        if kind == 0:
            os.mkfifo(path)
        elif kind == 1:
            path.symlink_to("/dev/zero")
        elif kind == 2:
            path.symlink_to(model.parent.parent / "outside" / "precious.txt")
        elif kind == 3:
            path.mkdir()
        else:
            with path.open("wb") as file:
                file.truncate(1 << 33)

    return forged(rng, room, change)


# graphs --------------------------------------------------------------------------------------------------------

LONGS, FLOATS = TensorProto.INT64, TensorProto.FLOAT


def states_of(nodes: list[Any], initializers: list[Any] = [], shape: tuple[Any, ...] = ("C", "L", 8)) -> Any:  # noqa: B006
    """A graph with the outside of a sentence reader's."""
    inputs = [helper.make_tensor_value_info(name, LONGS, ["C", "L"]) for name in ("piece_ids", "piece_mask")]
    output = helper.make_tensor_value_info("states", FLOATS, shape)
    graph = helper.make_graph(nodes, "forged", inputs, [output], initializers)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def longs(name: str, *values: int) -> Any:
    """A constant."""
    return helper.make_tensor(name, LONGS, [len(values)], values)


def grown(size: int) -> Any:
    """A graph that fills so many numbers, out of one."""
    node = helper.make_node
    nodes = [
        node("ConstantOfShape", ["size"], ["filled"], value=helper.make_tensor("v", FLOATS, [1], [0.5])),
        node("ReduceSum", ["filled"], ["sum"], keepdims=0),
        node("Cast", ["piece_ids"], ["ids"], to=FLOATS),
        node("Add", ["ids", "sum"], ["added"]),
        node("Unsqueeze", ["added", "last"], ["wide"]),
        node("Expand", ["wide", "shape"], ["states"]),
    ]
    return states_of(nodes, [longs("size", size), longs("last", 2), longs("shape", 1, 1, 8)])


def endless(size: int, products: int) -> Any:
    """A graph that multiplies matrices of whole numbers, the slowest way there is, many times."""
    node = helper.make_node
    nodes = [
        node("ReduceSum", ["piece_ids"], ["one"], keepdims=0),
        node("ConstantOfShape", ["size"], ["zeros"], value=helper.make_tensor("v", LONGS, [1], [1])),
        node("Add", ["zeros", "one"], ["a0"]),
        *(node("MatMul", [f"a{number}", "zeros"], [f"a{number + 1}"]) for number in range(products)),
        node("ReduceSum", [f"a{products}"], ["whole"], keepdims=0),
        node("Cast", ["whole"], ["sum"], to=FLOATS),
        node("Cast", ["piece_ids"], ["ids"], to=FLOATS),
        node("Add", ["ids", "sum"], ["added"]),
        node("Unsqueeze", ["added", "last"], ["wide"]),
        node("Expand", ["wide", "shape"], ["states"]),
    ]
    return states_of(nodes, [longs("size", size, size), longs("last", 2), longs("shape", 1, 1, 8)])


def with_external_data(location: str) -> Any:
    """A graph whose numbers lie in another file."""
    model = grown(4)
    tensor = model.graph.initializer[0]
    tensor.ClearField("int64_data")
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in {"location": location, "offset": "0", "length": "8"}.items():
        tensor.external_data.add(key=key, value=value)
    return model


def with_loop() -> Any:
    """A graph that never ends."""
    info = helper.make_tensor_value_info
    body = helper.make_graph(
        [helper.make_node("Identity", ["go"], ["on"])],
        "body",
        [info("i", LONGS, []), info("go", TensorProto.BOOL, [])],
        [info("on", TensorProto.BOOL, [])],
    )
    model = grown(4)
    model.graph.node.insert(0, helper.make_node("Loop", ["", ""], [], body=body))
    return model


def replace_graph(make: Callable[[np.random.Generator, Path], Any]) -> Change:
    """Put a graph in the place of the sound one."""

    def change(rng: np.random.Generator, model: Path) -> None:
        made = make(rng, model)
        (model / "sentence.onnx").write_bytes(made if isinstance(made, bytes) else made.SerializeToString())

    return change


@generator
def graph_that_grows(rng: np.random.Generator, room: Path) -> Case:
    """Gigabytes out of some hundred bytes."""
    size = int(any_of(rng, (1 << 28, 1 << 30, 1 << 34, 1 << 50, (1 << 63) - 1, -5)))
    return forged(rng, room, replace_graph(lambda rng, model: grown(size)), ("sentence",))


@generator
def graph_that_hangs(rng: np.random.Generator, room: Path) -> Case:
    """Products that take hours."""
    size, products = int(any_of(rng, (1500, 3000, 4000))), int(any_of(rng, (1, 40, 2000)))
    return forged(rng, room, replace_graph(lambda rng, model: endless(size, products)), ("sentence",))


@generator
def graph_that_reads_files(rng: np.random.Generator, room: Path) -> Case:
    """External data, to be shown in vectors."""
    location = str(
        any_of(rng, ("/etc/passwd", "../../outside/precious.txt", "weights.safetensors", "config.json"))
    )
    return forged(rng, room, replace_graph(lambda rng, model: with_external_data(location)), ("sentence",))


@generator
def graph_with_a_program(rng: np.random.Generator, room: Path) -> Case:
    """Loops, unknown operators and other domains."""

    def make(rng: np.random.Generator, model: Path) -> Any:
        made = with_loop() if rng.random() < 0.5 else grown(4)
        node = made.graph.node[int(rng.integers(len(made.graph.node)))]
        if rng.random() < 0.7:
            node.op_type = str(any_of(rng, ("Loop", "If", "Scan", "PyOp", "StringNormalizer", *HOSTILE)))
        if rng.random() < 0.5:
            node.domain = str(any_of(rng, ("com.microsoft", "ai.onnx.ml", *HOSTILE)))
        return made

    return forged(rng, room, replace_graph(make), ("sentence",))


@generator
def graph_damaged(rng: np.random.Generator, room: Path) -> Case:
    """Bytes of a sound graph that were changed."""
    return forged(rng, room, lambda rng, model: damage_bytes(rng, model / "sentence.onnx"), ("sentence",))


@generator
def graph_of_other_states(rng: np.random.Generator, room: Path) -> Case:
    """States of another size, or that are no numbers."""

    def make(rng: np.random.Generator, model: Path) -> Any:
        made = onnx.load(model / "sentence.onnx")
        output = made.graph.output[0].type.tensor_type
        if rng.random() < 0.5:
            output.shape.dim[2].dim_value = int(any_of(rng, (0, 1, 7, 9, 1 << 20, 1 << 40, -1)))
        else:
            for tensor in made.graph.initializer:
                if tensor.name == "vectors":
                    tensor.raw_data = np.full(len(tensor.raw_data) // 4, np.nan, np.float32).tobytes()
        return made

    return forged(rng, room, replace_graph(make), ("sentence",))


# tokenisers ----------------------------------------------------------------------------------------------------


@generator
def tokenizer_lies(rng: np.random.Generator, room: Path) -> Case:
    """Absurd values anywhere in the tokeniser."""
    return forged(rng, room, lambda rng, model: lie_in_json(rng, model / "tokenizer.json"), ("sentence",))


@generator
def tokenizer_bomb(rng: np.random.Generator, room: Path) -> Case:
    """Texts that grow, expressions that never end, and pieces that the transformer does not have."""
    double = {"type": "Replace", "pattern": {"String": "a"}, "content": "aa"}
    bombs: tuple[dict[str, Any], ...] = (
        {"normalizer": {"type": "Sequence", "normalizers": [double] * 60}},
        {"normalizer": {**double, "content": "a" * (1 << 20)}},
        {"normalizer": {"type": "Prepend", "prepend": "a" * (1 << 20)}},
        {"normalizer": {"type": "Precompiled", "precompiled_charsmap": "AAAA"}},
        {"pre_tokenizer": {"type": "Split", "pattern": {"Regex": r"(\w+\s?)+$"}, "behavior": "Isolated"}},
        {
            "pre_tokenizer": {
                "type": "Split",
                "pattern": {"Regex": "(" * 1000},
                "behavior": "Isolated",
                "invert": True,
            }
        },
        {"padding": {"strategy": {"Fixed": 1 << 40}, "direction": "Right", "pad_id": 0, "pad_type_id": 0}},
        {"truncation": {"max_length": 0, "stride": 100, "strategy": "LongestFirst", "direction": "Right"}},
        {"post_processor": {"type": "TemplateProcessing", "single": [{}] * 100_000, "pair": []}},
        {"post_processor": {"type": "BertProcessing", "sep": ["[SEP]", 1 << 40], "cls": ["[CLS]", 1]}},
        {"added_tokens": [{"id": 4_000_000_000, "content": "dog"}] * 10},
        {"model": {"type": "WordPiece", "vocab": {"dog": 99, "[UNK]": 1 << 31}, "unk_token": "[UNK]"}},
        {"model": {"type": "WordPiece", "vocab": {}, "unk_token": "gone"}},
        {"model": {"type": "BPE", "vocab": {"a": 0}, "merges": [["a", "b"]]}},
        {"model": {"type": "Unigram", "vocab": [], "unk_id": 7}},
    )

    def change(rng: np.random.Generator, model: Path) -> None:
        path = model / "tokenizer.json"
        record = {**json.loads(path.read_text(encoding="utf-8")), **any_of(rng, bombs)}
        path.write_text(json.dumps(record), encoding="utf-8")

    return forged(rng, room, change, ("sentence",))


# releases ------------------------------------------------------------------------------------------------------


def released(room: Path) -> Path:
    """A small release, as the released code would have left it."""
    from tests.research.release import conftest

    root = room / "release"
    root.mkdir()
    captions, graphs = conftest.random_captions(seed=3)
    config = conftest.default_config()
    words = {word: number for number, word in enumerate(conftest.WORDS)}
    for name, content in {
        "model.json": config,
        "ref_captions.json": captions,
        "sent2rolegraph.augment.json": graphs,
        "word2int.json": words,
    }.items():
        (root / name).write_text(json.dumps(content), encoding="utf-8")
    np.save(root / "trn_names.npy", np.array(conftest.NAMES))
    torch.save(conftest.random_weights(config), root / "epoch.0.th")
    return root


def importing(room: Path, root: Path) -> list[str]:
    """The command that imports it."""
    return ["import-release", str(root), "--out", str(room / "model")]


@generator
def release_config_lies(rng: np.random.Generator, room: Path) -> list[str]:
    """Absurd sizes in a release's own files."""
    root = released(room)
    lie_in_json(rng, root / str(any_of(rng, ("model.json", "model.json", "word2int.json"))))
    return importing(room, root)


@generator
def release_pickle_harms(rng: np.random.Generator, room: Path) -> list[str]:
    """Pickles that run, grow or hang, in both of torch's formats."""
    root = released(room)
    doubled = b"".join(b"q" + bytes([number]) + b"h" + bytes([number]) + b"\x86" for number in range(60))
    touch = f"touch {room.parent / 'outside' / 'videos' / 'owned'}"
    harms = (
        pickle.dumps({"a": _Runs(touch)}, 2),
        b"\x80\x02c__builtin__\nbytearray\n\x8a\x05\x00\x00\x00\x00\x10\x85R.",
        b"\x80\x02})" + doubled + b"K\x01s.",
        b"\x80\x02" + b"]" * 1_500_000 + b".",
        b"\x80\x02X\xff\xff\xff\xff.",
        rng.bytes(100),
    )
    path, harm = root / "epoch.0.th", harms[int(rng.integers(len(harms)))]
    if rng.random() < 0.5:
        path.write_bytes(
            pickle.dumps(0x1950A86A20F9469CFC6C, 2) + pickle.dumps(1001, 2) + pickle.dumps({}, 2) + harm
        )
        return importing(room, root)
    with zipfile.ZipFile(path, "w", int(any_of(rng, (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)))) as archive:
        archive.writestr("archive/data.pkl", harm)
        archive.writestr("archive/version", "3\n")
        if rng.random() < 0.5:
            archive.writestr("archive/data/0", bytes(1 << 24))
    return importing(room, root)


@generator
def release_tensors_grow(rng: np.random.Generator, room: Path) -> list[str]:
    """Views of few numbers that stand for terabytes, and damage."""
    root = released(room)
    path = root / "epoch.0.th"
    content = torch.load(path, weights_only=True)
    encoder = content[str(any_of(rng, sorted(content)))]
    name = any_of(rng, sorted(encoder))
    large = int(any_of(rng, (1 << 10, 1 << 20, 1 << 30)))
    encoder[name] = torch.ones(1).expand(large, large) if rng.random() < 0.5 else torch.ones(1, 1).expand(large, 8)
    torch.save(content, path, _use_new_zipfile_serialization=bool(rng.random() < 0.5))
    if rng.random() < 0.4:
        damage_bytes(rng, path)
    return importing(room, root)


class _Runs:
    """What runs a command when it is unpickled."""

    def __init__(self, command: str) -> None:
        self._command = command

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (self._command,)
