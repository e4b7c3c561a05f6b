"""CLIP by the same lines: a tiny one, written by transformers as the real one is."""

import json

import numpy as np
import pytest
import torch

from utils.embed import embed
from utils.embedder import ModelUnavailable
from utils.words import TextError, embed_text, load_dual_encoder

WORDS = ("red", "apple", "a", "cat", "tiger")


def save_tokenizer(folder):
    """A CLIP tokenizer with every letter and a few words, by the two files that CLIP ships."""
    from transformers import CLIPTokenizer

    letters = [chr(i) for i in range(97, 123)]
    merges, vocabulary = [], [*letters, *(f"{letter}</w>" for letter in letters)]
    for word in WORDS:
        parts = [*word[:-1], f"{word[-1]}</w>"]
        while len(parts) > 1:
            pair = (parts[0], parts[1])
            if pair not in merges:
                merges.append(pair)
            parts = ["".join(pair), *parts[2:]]
            if parts[0] not in vocabulary:
                vocabulary.append(parts[0])
    vocabulary += ["<|startoftext|>", "<|endoftext|>"]
    (folder / "vocab.json").write_text(json.dumps({t: i for i, t in enumerate(vocabulary)}))
    lines = ["#version: 0.2", *(" ".join(pair) for pair in merges)]
    (folder / "merges.txt").write_text("\n".join(lines) + "\n")
    tokenizer = CLIPTokenizer.from_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return tokenizer


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    from transformers import CLIPConfig, CLIPImageProcessor, CLIPModel

    folder = tmp_path_factory.mktemp("clip")
    tokenizer = save_tokenizer(folder)
    small = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2}
    ends = {"eos_token_id": tokenizer.eos_token_id, "bos_token_id": tokenizer.bos_token_id}
    torch.manual_seed(0)
    clip = CLIPModel(
        CLIPConfig(
            text_config=small
            | ends
            | {
                "num_attention_heads": 4,
                "vocab_size": len(tokenizer),
                "max_position_embeddings": 16,
                "pad_token_id": tokenizer.pad_token_id,
            },
            vision_config=small | {"num_attention_heads": 4, "image_size": 32, "patch_size": 8},
            projection_dim=24,
        )
    ).eval()
    clip.save_pretrained(folder)
    side = {"height": 32, "width": 32}
    CLIPImageProcessor(size={"shortest_edge": 32}, crop_size=side).save_pretrained(folder)
    return folder, clip, tokenizer


def test_a_saved_clip_embeds_texts_as_transformers_does(saved):
    folder, clip, tokenizer = saved
    pair = load_dual_encoder(str(folder))
    texts = ["red apple", "a tiger", "cat"]
    tokens = tokenizer(texts, padding=True, return_tensors="pt")
    with torch.inference_mode():
        theirs = clip(
            **tokens, pixel_values=torch.zeros(1, 3, 32, 32)
        ).text_embeds.numpy()  # fmt: skip
    assert np.allclose(embed_text(pair, texts), theirs, atol=1e-5)
    assert (pair.images.dim, pair.images.source) == (24, "downloaded")
    assert pair.temperature.scale == pytest.approx(clip.logit_scale.exp().item(), rel=1e-5)


def test_a_saved_clip_embeds_pictures_as_transformers_does(saved):
    from transformers import CLIPImageProcessor

    folder, clip, tokenizer = saved
    pictures = np.random.default_rng(0).integers(0, 256, (5, 32, 32, 3), np.uint8)
    pixels = CLIPImageProcessor.from_pretrained(folder)(list(pictures), return_tensors="pt")
    with torch.inference_mode():
        theirs = clip(**tokenizer(["cat"], return_tensors="pt"), **pixels).image_embeds.numpy()
    ours = embed(load_dual_encoder(str(folder)).images, pictures, cache=False)
    assert np.allclose(ours, theirs, atol=1e-3)


def test_what_is_longer_than_clip_reads_is_cut_off_not_refused(saved):
    long = " ".join(["red apple"] * 20)
    assert embed_text(load_dual_encoder(str(saved[0])), long).shape == (1, 24)
    with pytest.raises(TextError, match="is empty"):
        embed_text(load_dual_encoder(str(saved[0])), " ")


def test_a_folder_without_a_clip_is_refused_in_one_sentence(tmp_path):
    with pytest.raises(ModelUnavailable, match=r"cannot be read .*save it there again\.$"):
        load_dual_encoder(str(tmp_path))


def test_offline_the_hubs_clip_is_refused_at_once(no_network, monkeypatch, tmp_path):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(ModelUnavailable, match=r"or use load_dual_encoder\('pair'\)\.$"):
        load_dual_encoder("openai/clip-vit-base-patch32")


def test_an_unknown_name_is_told_what_there_is():
    with pytest.raises(ValueError, match=r"no dual encoder named 'clop'; choose 'pair', 'openai"):
        load_dual_encoder("clop")
