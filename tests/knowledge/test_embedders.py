from __future__ import annotations

import json
import math
import os
import sys
import threading
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from midas_devops.adapters.chroma import ChromaKnowledge
from midas_devops.config import Knowledge
from midas_devops.errors import ConfigError, MissingExtraError, ToolError, UnreadableError
from midas_devops.knowledge.embedders import LexicalEmbedder, choose_embedder
from midas_devops.knowledge.minilm import DIMENSIONS, PACKAGE, Floats, MiniLm, find_model, read_safetensors

WORDS = "[PAD] [UNK] [CLS] [SEP] roll back the release lock state queue disk full restore"


def write_model(folder: Path) -> Path:
    """A MiniLM of one layer with seeded weights and fourteen words, in the files of the real one."""
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from tokenizers.pre_tokenizers import Whitespace
    from tokenizers.processors import TemplateProcessing

    folder.mkdir(parents=True)
    tokenizer = Tokenizer(WordLevel({word: n for n, word in enumerate(WORDS.split())}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = Whitespace()
    tokenizer.post_processor = TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    tokenizer.save(str(folder / "tokenizer.json"))
    random = np.random.default_rng(5)
    layer = "encoder.layer.0"
    shapes: dict[str, tuple[int, ...]] = {
        "embeddings.word_embeddings.weight": (len(WORDS.split()), DIMENSIONS),
        "embeddings.position_embeddings.weight": (512, DIMENSIONS),
        "embeddings.token_type_embeddings.weight": (2, DIMENSIONS),
        f"{layer}.intermediate.dense.weight": (1536, DIMENSIONS),
        f"{layer}.intermediate.dense.bias": (1536,),
        f"{layer}.output.dense.weight": (DIMENSIONS, 1536),
        f"{layer}.output.dense.bias": (DIMENSIONS,),
    }
    parts = [f"{layer}.attention.self.{part}" for part in ("query", "key", "value")]
    for name in [*parts, f"{layer}.attention.output.dense"]:
        shapes |= {f"{name}.weight": (DIMENSIONS, DIMENSIONS), f"{name}.bias": (DIMENSIONS,)}
    for name in ("embeddings", f"{layer}.attention.output", f"{layer}.output"):
        shapes |= {f"{name}.LayerNorm.weight": (DIMENSIONS,), f"{name}.LayerNorm.bias": (DIMENSIONS,)}
    header: dict[str, object] = {"__metadata__": {"format": "pt"}}
    data = b""
    for name, shape in shapes.items():
        tensor = (random.standard_normal(shape) * 0.1).astype("<f4").tobytes()
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [len(data), len(data) + len(tensor)]}
        data += tensor
    head = json.dumps(header).encode()
    (folder / "model.safetensors").write_bytes(len(head).to_bytes(8, "little") + head + data)
    return folder


def encode(tensors: Mapping[str, Floats], ids: list[int]) -> Floats:
    """One layer of BERT with mean pooling and L2 norm, in plain NumPy: what the model must agree with."""

    def dense(x: Floats, name: str) -> Floats:
        return x @ tensors[f"{name}.weight"].T + tensors[f"{name}.bias"]

    def normalise(x: Floats, name: str) -> Floats:
        centred = x - x.mean(-1, keepdims=True)
        scaled = centred / np.sqrt((centred**2).mean(-1, keepdims=True) + 1e-12)
        return scaled * tensors[f"{name}.LayerNorm.weight"] + tensors[f"{name}.LayerNorm.bias"]

    x = tensors["embeddings.word_embeddings.weight"][ids]
    x = x + tensors["embeddings.position_embeddings.weight"][: len(ids)]
    x = normalise(x + tensors["embeddings.token_type_embeddings.weight"][0], "embeddings")
    layer = "encoder.layer.0"
    query, key, value = (dense(x, f"{layer}.attention.self.{part}") for part in ("query", "key", "value"))
    mixed = np.zeros_like(x)
    for head in range(DIMENSIONS // 32):
        here = slice(head * 32, head * 32 + 32)
        scores = np.exp(query[:, here] @ key[:, here].T / np.sqrt(32))
        mixed[:, here] = scores / scores.sum(-1, keepdims=True) @ value[:, here]
    x = normalise(x + dense(mixed, f"{layer}.attention.output.dense"), f"{layer}.attention.output")
    inner = dense(x, f"{layer}.intermediate.dense")
    gelu = inner * (1 + np.vectorize(math.erf)(inner / np.sqrt(2))) / 2
    x = normalise(x + dense(gelu, f"{layer}.output.dense"), f"{layer}.output").mean(0)
    return x / np.linalg.norm(x)


@pytest.fixture
def bare_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine without any model."""
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    if find_model() is not None:
        pytest.skip("a MiniLM package is installed here")
    return home


@pytest.fixture
def packaged(tmp_path: Path, bare_home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The model as its package brings it; importing that package would be an error."""
    package = tmp_path / "site" / PACKAGE
    folder = write_model(package / "model")
    (package / "__init__.py").write_text("raise ImportError('PyTorch is not here')\n")
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    return folder


class TestLexical:
    @settings(max_examples=100, deadline=None)
    @given(st.lists(st.text(max_size=80), min_size=1, max_size=5))
    def test_every_text_has_a_unit_vector_of_its_own(self, texts: list[str]) -> None:
        together = LexicalEmbedder().embed(texts)
        assert np.allclose(np.linalg.norm(together, axis=1), 1.0, atol=1e-5)
        for text, vector in zip(texts, together, strict=True):
            assert np.array_equal(LexicalEmbedder().embed([text])[0], vector)

    def test_a_misspelt_word_is_near_the_right_one(self) -> None:
        right, near, far = LexicalEmbedder().embed(["kubernetes", "kuberntes", "certificate"])
        assert right @ near > right @ far

    def test_synonyms_are_near(self) -> None:
        asked, same, other = LexicalEmbedder().embed(
            ["undo the release", "roll back", "rotate the certificate"]
        )
        assert asked @ same > asked @ other


class TestMiniLm:
    def test_it_is_found_in_its_package_without_importing_it(self, packaged: Path) -> None:
        assert find_model() == packaged
        assert choose_embedder("auto").identity == choose_embedder("minilm").identity == "minilm-l6-v2/1"
        vectors = choose_embedder("minilm").embed(["roll back", "disk full"])
        assert vectors.shape == (2, DIMENSIONS)
        assert PACKAGE not in sys.modules

    def test_it_is_found_in_the_cache_of_chroma(self, bare_home: Path, tmp_path: Path) -> None:
        cache = bare_home / ".cache/chroma/onnx_models/all-MiniLM-L6-v2/onnx"
        write_model(cache)
        assert find_model() == cache

    def test_neighbours_in_a_batch_change_nothing(self, tmp_path: Path) -> None:
        model = MiniLm(write_model(tmp_path / "model"))
        texts = [
            "lock",
            "roll back the release state queue disk full",
            "",
            "unknown words only",
            "restore",
        ] * 9
        together = model.embed(texts)
        assert np.allclose(np.linalg.norm(together, axis=1), 1.0, atol=1e-5)
        for text, vector in zip(texts[:5], together[:5], strict=True):
            assert np.allclose(model.embed([text])[0], vector, atol=1e-5)

    def test_it_computes_what_the_paper_says(self, tmp_path: Path) -> None:
        folder = write_model(tmp_path / "model")
        expected = encode(read_safetensors(folder / "model.safetensors"), [2, 4, 5, 6, 7, 3])
        assert np.allclose(MiniLm(folder).embed(["roll back the release"])[0], expected, atol=1e-5)

    def test_the_order_of_words_counts(self, tmp_path: Path) -> None:
        model = MiniLm(write_model(tmp_path / "model"))
        one, other = model.embed(["queue lock", "lock queue"])
        assert not np.allclose(one, other, atol=1e-3)

    def test_text_over_the_limit_is_cut(self, tmp_path: Path) -> None:
        model = MiniLm(write_model(tmp_path / "model"))
        cut, longer = model.embed(["queue " * 254, "queue " * 254 + "lock " * 1000])
        assert np.allclose(cut, longer, atol=1e-5)

    @pytest.mark.parametrize("name", ["tokenizer.json", "model.safetensors"])
    def test_a_damaged_model_is_named(self, tmp_path: Path, name: str) -> None:
        folder = write_model(tmp_path / "model")
        (folder / name).write_bytes(b"\0\1\2")
        with pytest.raises(UnreadableError) as caught:
            MiniLm(folder)
        assert str(folder) in caught.value.message
        assert "lexical" in caught.value.hint

    def test_one_that_is_not_here_says_what_to_install(self, bare_home: Path) -> None:
        with pytest.raises(MissingExtraError) as caught:
            choose_embedder("minilm")
        assert caught.value.extra == "semantic"
        assert choose_embedder("auto").identity.startswith("lexical/")


@pytest.mark.parametrize("name", ["", "MiniLM", "openai:", "openai", "bert"])
def test_an_unknown_embedder_is_a_configuration_error(name: str) -> None:
    with pytest.raises(ConfigError) as caught:
        choose_embedder(name)
    assert caught.value.location == "knowledge.embedder"


class _Embeddings(BaseHTTPRequestHandler):
    """OpenAI's embeddings endpoint: one direction for each topic."""

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        rows = []
        for number, text in enumerate(asked["input"]):
            topics = [float(word in text.lower()) for word in ("zeppelin", "airship", "rollback")]
            vector = [topics[0] + topics[1], topics[2], 0.1, 0.1]
            rows.append({"object": "embedding", "index": number, "embedding": vector})
        good = self.headers["Authorization"] == "Bearer good"
        body = json.dumps(
            {"object": "list", "data": rows, "model": asked["model"], "usage": {}} if good else {}
        )
        self.send_response(200 if good else 401)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the base names it
        """Quiet."""


@pytest.fixture
def endpoint(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Embeddings)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    url = f"http://127.0.0.1:{server.server_port}/v1"
    for name in [name for name in os.environ if name.startswith("OPENAI_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("OPENAI_BASE_URL", url)
    monkeypatch.setenv("OPENAI_API_KEY", "good")
    yield url
    server.shutdown()
    thread.join()
    server.server_close()


class TestOpenAI:
    def test_an_endpoint_by_url_gives_unit_vectors(self, endpoint: str) -> None:
        vectors = choose_embedder("openai:tiny").embed(["zeppelin", "rollback", ""])
        assert vectors.shape == (3, 4)
        assert np.allclose(np.linalg.norm(vectors, axis=1), 1.0)

    def test_without_a_key_it_says_so(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("OPENAI_API_KEY", raising=False)
        with pytest.raises(ConfigError) as caught:
            choose_embedder("openai:tiny")
        assert "OPENAI_API_KEY" in caught.value.message

    def test_an_endpoint_that_refuses_is_an_error_of_the_tool(
        self, endpoint: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("OPENAI_API_KEY", "bad")
        with pytest.raises(ToolError):
            choose_embedder("openai:tiny").embed(["x"])

    def test_the_base_embeds_again_instead_of_mixing(
        self, endpoint: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        (tmp_path / "a.md").write_text("# Hangar\n\nWhere the airship sleeps.\n")
        (tmp_path / "b.md").write_text("# Other\n\nThe rollback of a release.\n")

        def opened(embedder: str) -> ChromaKnowledge:
            return ChromaKnowledge(tmp_path, Knowledge(embedder=embedder), redact=str)

        opened("lexical").add(["a.md"])
        semantic = opened("openai:tiny")
        assert semantic.search("zeppelin") == []
        assert LexicalEmbedder().identity in caplog.text
        assert semantic.add(["b.md"]).added == 1
        assert semantic.search("zeppelin", 1)[0].source == "a.md"
        lexical = opened("lexical")
        assert lexical.add(["a.md", "b.md"]).unchanged == 2
        assert {hit.source for hit in lexical.search("airship", 5)} == {"a.md", "b.md"}
        assert semantic.search("zeppelin") == []
        lexical.close()
