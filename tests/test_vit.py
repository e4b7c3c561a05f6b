"""Transformers: small ones in the library's own form, through the same lines as the big ones."""

import shutil

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image
from transformers import ViTConfig, ViTImageProcessor, ViTModel

import utils.vit
from utils.embed import embed
from utils.embedder import ModelUnavailable
from utils.images import load_images
from utils.metrics import recall_at_k
from utils.models import load_model
from utils.vit import look


@pytest.fixture
def saved(tmp_path, monkeypatch):
    """A folder models/vit as save_pretrained writes it, and the transformer that is in it."""
    torch.manual_seed(0)
    config = ViTConfig(hidden_size=12, num_hidden_layers=2, num_attention_heads=3,
                       intermediate_size=20, image_size=32, patch_size=8)  # fmt: skip
    vit = ViTModel(config, add_pooling_layer=False).eval()
    vit.save_pretrained(tmp_path / "vit")
    side, half = {"height": 32, "width": 32}, [0.5] * 3
    processor = ViTImageProcessor(size=side, image_mean=half, image_std=half)
    processor.save_pretrained(tmp_path / "vit")
    monkeypatch.setattr(utils.vit, "MODELS", tmp_path)
    return tmp_path / "vit", vit, processor


@pytest.fixture
def pictures():
    return np.random.default_rng(0).integers(0, 256, (5, 32, 32, 3), np.uint8)


def test_an_embedding_is_the_cls_token_that_the_library_computes(saved, pictures):
    _, vit, processor = saved
    model = load_model("vit", device="cpu")
    inputs = processor([Image.fromarray(picture) for picture in pictures], return_tensors="pt")
    with torch.inference_mode():
        expected = F.normalize(vit(**inputs).last_hidden_state[:, 0], dim=1)
    np.testing.assert_allclose(embed(model, pictures, cache=False), expected, atol=1e-5)
    assert (model.name, model.dim, model.source) == ("vit", 12, "shipped")


def test_pictures_of_another_size_are_resized_nearly_as_the_library_does(saved):
    _, _, processor = saved
    smooth = np.linspace(0, 255, 64 * 64 * 3).reshape(1, 64, 64, 3).astype(np.uint8)
    ours = load_model("vit", device="cpu").preprocess(torch.from_numpy(smooth))
    theirs = processor([Image.fromarray(smooth[0])], return_tensors="pt")["pixel_values"]
    assert ours.shape == theirs.shape == (1, 3, 32, 32)
    assert (ours - theirs).abs().max() < 0.03


def test_a_look_gives_tokens_and_where_cls_looks(saved, pictures):
    seen = look(load_model("vit", device="cpu"), pictures, batch_size=2)
    assert seen.cls.shape == (5, 12) and seen.patches.shape == (5, 16, 12)
    assert seen.attention.shape == (5, 2, 3, 17)
    np.testing.assert_allclose(seen.attention.sum(-1), 1, atol=1e-5)
    vectors = embed(load_model("vit", device="cpu"), pictures, cache=False)
    lengths = np.linalg.norm(seen.cls, axis=1, keepdims=True)
    np.testing.assert_allclose(seen.cls / lengths, vectors, atol=1e-5)


def test_only_a_transformer_can_be_looked_into(pictures, model):
    with pytest.raises(ValueError, match="not a transformer; load 'vit'"):
        look(model, pictures)


def test_an_untrained_transformer_is_named_so_and_the_same_each_time(saved, pictures):
    first, second = (load_model("vit", trained=False, device="cpu") for _ in range(2))
    assert first.source == "random" and "untrained" in first.name
    assert first.digest == second.digest != load_model("vit", device="cpu").digest


@pytest.mark.parametrize("missing", ["config.json", "model.safetensors", "."])
def test_a_folder_that_is_not_whole_is_one_sentence(saved, missing):
    folder, _, _ = saved
    if missing == ".":
        shutil.rmtree(folder)
    else:
        (folder / missing).unlink()
    with pytest.raises(ModelUnavailable, match=r"'vit' cannot be read from .* git"):
        load_model("vit")


def test_cut_short_weights_are_one_sentence(saved):
    path = saved[0] / "model.safetensors"
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(ModelUnavailable, match="cannot be read"):
        load_model("vit")


def test_without_a_network_the_big_one_is_refused_with_what_to_do(
    no_network, monkeypatch, tmp_path
):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(ModelUnavailable, match=r"vit-base-patch16-224 is not on this machine"):
        load_model("vit-base")


def test_the_shipped_transformer_finds_things_that_it_never_saw():
    scenes = load_images("scenes", "validation")
    found, by_chance = (
        recall_at_k(embed(load_model("vit", trained=trained), scenes, cache=False), scenes.labels)
        for trained in (True, False)
    )
    assert found > 0.3 > 0.1 > by_chance
