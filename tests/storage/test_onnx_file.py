"""Graphs of strangers: what is refused before anything is computed, and what is stopped while it is."""

import os
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from hgrkit.errors import CheckpointError
from hgrkit.storage.onnx_file import OPERATORS, OnnxGraph, look_at_graph

LONGS, FLOATS = TensorProto.INT64, TensorProto.FLOAT
IDS = helper.make_tensor_value_info("ids", LONGS, ["C", "L"])


def model(nodes, *, output=("y", LONGS, None), initializers=(), **settings):
    out = helper.make_tensor_value_info(*output)
    graph = helper.make_graph(nodes, "graph", [IDS], [out], initializers)
    opsets = [helper.make_opsetid("", 17)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=8, **settings)


def constant(name, values):
    values = np.asarray(values, np.int64)
    return helper.make_node(
        "Constant", [], [name], value=helper.make_tensor(name, LONGS, values.shape, values.ravel())
    )


def double():
    return model([helper.make_node("Add", ["ids", "ids"], ["y"])])


def with_loop():
    info = helper.make_tensor_value_info
    body = helper.make_graph(
        [helper.make_node("Identity", ["go"], ["on"])],
        "body",
        [info("i", LONGS, []), info("go", TensorProto.BOOL, [])],
        [info("on", TensorProto.BOOL, [])],
    )
    loop = helper.make_node("Loop", ["", ""], [], body=body)
    return model([helper.make_node("Identity", ["ids"], ["y"]), loop])


def with_subgraph_in_a_harmless_operator():
    made = with_loop()
    made.graph.node[1].op_type = "Identity"
    return made


def with_function():
    body = [helper.make_node("Add", ["a", "a"], ["b"])]
    made = double()
    function = helper.make_function("own", "Twice", ["a"], ["b"], body, [helper.make_opsetid("", 17)])
    made.functions.append(function)
    return made


def with_external_data(location="weights.bin"):
    tensor = helper.make_tensor("w", LONGS, [1], [1])
    tensor.ClearField("int64_data")
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in {"location": location, "offset": "0", "length": "8"}.items():
        tensor.external_data.add(key=key, value=value)
    return model([helper.make_node("Add", ["ids", "w"], ["y"])], initializers=[tensor])


def with_external_data_in_an_attribute():
    tensor = with_external_data("../precious").graph.initializer[0]
    return model([helper.make_node("Constant", [], ["w"], value=tensor), *double().graph.node])


def with_tensor_larger_than_its_bytes():
    tensor = helper.make_tensor("w", LONGS, [1], [1])
    tensor.dims[:] = [1 << 40]
    return model([helper.make_node("Add", ["ids", "w"], ["y"])], initializers=[tensor])


def with_sparse_tensor():
    made = double()
    values, indices = helper.make_tensor("v", LONGS, [1], [1]), helper.make_tensor("i", LONGS, [1], [0])
    made.graph.sparse_initializer.append(helper.make_sparse_tensor(values, indices, [1 << 40]))
    return made


def with_texts():
    return model(double().graph.node, initializers=[helper.make_tensor("t", TensorProto.STRING, [1], [b"a"])])


REFUSED = {
    "a loop": (with_loop, "has the operator 'Loop'"),
    "a subgraph": (with_subgraph_in_a_harmless_operator, "has a loop, a branch or another graph"),
    "a branch": (lambda: model([helper.make_node("If", ["ids"], ["y"])]), "has the operator 'If'"),
    "an unknown operator": (
        lambda: model([helper.make_node("Explode", ["ids"], ["y"])]),
        "the operator 'Explode'",
    ),
    "another domain": (
        lambda: model([helper.make_node("Add", ["ids", "ids"], ["y"], domain="com.microsoft")]),
        "an operator of the domain 'com.microsoft'",
    ),
    "a function": (with_function, "has functions of its own"),
    "external data": (with_external_data, "has tensors that lie in another file"),
    "external data in an attribute": (with_external_data_in_an_attribute, "has tensors that lie in another file"),
    "a large tensor": (with_tensor_larger_than_its_bytes, r"has a tensor of \[1099511627776\] in \d+ bytes"),
    "a sparse tensor": (with_sparse_tensor, "has sparse tensors"),
    "texts": (with_texts, "has tensors of text"),
}


def saved(tmp_path, made):
    path = tmp_path / "model.onnx"
    path.write_bytes(made if isinstance(made, bytes) else made.SerializeToString())
    return path


@pytest.mark.parametrize("what", REFUSED)
def test_what_a_graph_must_not_have_is_refused_before_it_is_loaded(monkeypatch, tmp_path, what):
    import onnxruntime

    monkeypatch.setattr(onnxruntime, "InferenceSession", lambda *_, **__: pytest.fail("it was loaded"))
    make, said = REFUSED[what]
    with pytest.raises(CheckpointError, match=said) as caught:
        OnnxGraph(saved(tmp_path, make()))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("what", ["a loop", "external data", "a function"])
def test_a_message_that_stands_twice_is_looked_at_twice(tmp_path, what):
    """Protobuf merges both; a reader that takes the last one would miss the first."""
    make, said = REFUSED[what]
    with pytest.raises(CheckpointError, match=said):
        OnnxGraph(saved(tmp_path, make().SerializeToString() + double().SerializeToString()))


def test_a_sound_graph_is_computed(tmp_path):
    graph = OnnxGraph(saved(tmp_path, double()))
    assert (graph.inputs, graph.outputs.keys()) == ({"ids": ["C", "L"]}, {"y"})
    np.testing.assert_array_equal(graph.run("y", {"ids": np.array([[1, 2]])}, seconds=60), [[2, 4]])


def test_onnxruntimes_own_format_is_not_loaded(tmp_path):
    """It is told by four letters, which may stand in a field of ONNX's, too; as the other it was not looked at."""
    path = saved(tmp_path, b"\x22\x06abORTM" + double().SerializeToString())
    assert path.read_bytes()[4:8] == b"ORTM"
    np.testing.assert_array_equal(OnnxGraph(path).run("y", {"ids": np.array([[3]])}, seconds=60), [[6]])


@pytest.mark.parametrize("location", ["../weights.bin", "/etc/passwd", "other.bin", "link.bin"])
def test_external_data_lies_only_where_its_package_says(tmp_path, location):
    (tmp_path / "weights.bin").write_bytes(np.int64(5).tobytes())
    (tmp_path / "link.bin").symlink_to("/etc/passwd")
    path = saved(tmp_path, with_external_data(location))
    with pytest.raises(CheckpointError, match=f"has tensors in the file {location!r}"):
        OnnxGraph(path, external=["weights.bin", *(["link.bin"] if location == "link.bin" else [])])
    graph = OnnxGraph(saved(tmp_path, with_external_data()), external=["weights.bin"])
    np.testing.assert_array_equal(graph.run("y", {"ids": np.array([[1]])}, seconds=60), [[6]])


@pytest.mark.parametrize("kind", ["pipe", "folder", "nothing"])
def test_what_is_no_file_is_refused_at_once(tmp_path, kind):
    path = tmp_path / "model.onnx"
    {"pipe": lambda: os.mkfifo(path), "folder": path.mkdir, "nothing": lambda: None}[kind]()
    with pytest.raises(CheckpointError, match="cannot be read"):
        OnnxGraph(path)


def grown(size):
    """Memory of so many numbers, out of a file of some hundred bytes."""
    nodes = [constant("size", [size]), helper.make_node("ConstantOfShape", ["size"], ["zeros"])]
    nodes += [helper.make_node("ReduceSum", ["zeros"], ["none"], keepdims=0)]
    nodes += [
        helper.make_node("Cast", ["none"], ["nil"], to=LONGS),
        helper.make_node("Add", ["ids", "nil"], ["y"]),
    ]
    return model(nodes)


def test_a_graph_gets_no_more_memory_than_graphs_get(tmp_path):
    """In a process of its own, of which the most memory that it had can be told."""
    sizes = (
        1000,
        200_000_000,
        400_000_000,
        1 << 50,
    )  # onnxruntime alone would fill a gigabyte for the second
    for number, size in enumerate(sizes):
        (tmp_path / str(number)).mkdir()
        saved(tmp_path / str(number), grown(size))
    code = f"""
        import resource
        import numpy as np
        from pathlib import Path
        from hgrkit.storage.onnx_file import OnnxGraph
        most = []
        for number in range({len(sizes)}):
            path = Path({str(tmp_path)!r}, str(number), "model.onnx")
            try:
                print(OnnxGraph(path).run("y", {{"ids": np.array([[1]])}}, seconds=60).tolist())
            except Exception as error:
                print(error)
            most.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10)
        print(most[-1] - most[0])
        """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, timeout=300, check=True
    )
    small, *large, grew = done.stdout.splitlines()
    assert small == "[[1]]"
    assert [line.rpartition(": ")[2] for line in large] == ["it needs more than 640 MB of memory"] * 3
    assert int(grew) < 640


def test_onnxruntime_prints_nothing_of_its_own(tmp_path, capfd):
    with pytest.raises(CheckpointError):
        OnnxGraph(saved(tmp_path, grown((1 << 63) - 1))).run("y", {"ids": np.array([[1]])}, seconds=60)
    assert capfd.readouterr() == ("", "")


def test_a_graph_that_takes_too_long_is_left_and_its_process_ends(tmp_path):
    size = 3000  # a product of whole numbers takes tens of seconds, and no operator can be interrupted
    nodes = [
        constant("size", [size, size]),
        helper.make_node("ConstantOfShape", ["size"], ["zeros"], value=helper.make_tensor("v", LONGS, [1], [1])),
        helper.make_node("ReduceSum", ["ids"], ["some"], keepdims=0),
        helper.make_node("Add", ["zeros", "some"], ["a0"]),
        *(helper.make_node("MatMul", [f"a{n}", "zeros"], [f"a{n + 1}"]) for n in range(200)),
        helper.make_node("ReduceSum", ["a200"], ["y"], keepdims=0),
    ]
    path = saved(tmp_path, model(nodes))
    code = f"""
        import numpy as np
        from pathlib import Path
        from hgrkit.storage.onnx_file import OnnxGraph
        graph = OnnxGraph(Path({str(path)!r}))
        try:
            graph.run("y", {{"ids": np.array([[1]])}}, seconds=0.5)
        except Exception as error:
            print(error)
        """
    begun = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, timeout=300, check=False
    )
    assert "cannot be computed in 0.5 seconds" in done.stdout
    assert done.returncode == 2, done.stderr  # and no signal, as onnxruntime would end a process that leaves then
    assert time.monotonic() - begun < 60


def test_numbers_without_end_and_fields_without_number_are_no_onnx(tmp_path):
    for content in (b"\x80" * 50, b"\x3a\x05abc", b"\x3b", b"\x38\x01", b"{" * 1000, b"\x3a\x04\x0a\x02\x22"):
        with pytest.raises(CheckpointError, match=r"is not an ONNX file|has more than"):
            look_at_graph(content, Path("model.onnx"))


def test_a_file_of_nothing_but_fields_is_refused_quickly():
    with pytest.raises(CheckpointError, match="has more than 500000 fields"):
        look_at_graph(b"\x3a" + varint(4_000_000) + b"\x50\x00" * 2_000_000, Path("model.onnx"))


def varint(number):
    content = b""
    while number > 0x7F:
        content, number = content + bytes([0x80 | number & 0x7F]), number >> 7
    return content + bytes([number])


def test_no_operator_of_the_list_has_a_graph_of_its_own():
    schemas = {schema.name: schema for schema in onnx.defs.get_all_schemas() if not schema.domain}
    assert set(schemas) >= OPERATORS
    graphs = {onnx.defs.OpSchema.AttrType.GRAPH, onnx.defs.OpSchema.AttrType.GRAPHS}
    assert [
        name for name in OPERATORS if any(each.type in graphs for each in schemas[name].attributes.values())
    ] == []
