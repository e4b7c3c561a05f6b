"""EfficientNet-Lite0: timm's own network, begun from ImageNet's weights and taught scenes."""

import sys

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from timm import create_model

import utils.efficientnet
from recipes.cnn_scenes import averaged
from recipes.efficientnet import PACKAGE, begin
from recipes.triplet_training import from_imagenet
from recipes.triplet_training.from_imagenet import ours, thesis
from utils.efficientnet import EfficientNetLite, save_efficientnet
from utils.embed import embed
from utils.embedder import ModelUnavailable
from utils.images import ImageSet, load_images
from utils.metrics import recall_at_k
from utils.models import load_model


@pytest.fixture
def written(tmp_path, monkeypatch):
    """A network that has seen a few batches, saved in place of the shipped one."""
    torch.manual_seed(0)
    module = EfficientNetLite().train()
    for _ in range(3):
        module(torch.randn(4, 3, 64, 64) + 1)
    place = tmp_path / "efficientnet.safetensors"
    save_efficientnet(module.eval(), place)
    monkeypatch.setattr(utils.efficientnet, "WEIGHTS", place)
    return module, place


def test_it_is_timms_network_up_to_the_last_block_and_its_averaged_maps():
    torch.manual_seed(0)
    ours, x = EfficientNetLite().eval(), torch.randn(2, 3, 96, 96)
    whole = create_model("tf_efficientnet_lite0").eval()
    whole.conv_stem, whole.bn1, whole.blocks = *ours.stem, ours.blocks
    with torch.inference_mode():
        maps = whole.blocks(whole.bn1(whole.conv_stem(x)))
        torch.testing.assert_close(ours.maps(x), maps)
        torch.testing.assert_close(ours(x), F.normalize(maps.mean((2, 3)), dim=1))
        assert ours(x).shape == (2, ours.dim) == (2, 320)


def test_what_was_saved_answers_the_same_and_holds_no_statistics(written):
    module, place = written
    model, x = load_model("efficientnet", device="cpu"), torch.randn(5, 3, 96, 96) + 1
    assert (model.name, model.dim, model.source) == ("efficientnet", 320, "shipped")
    assert not model.module.training
    with torch.inference_mode():
        found, expected = model.module(x), module(x)
    assert (found * expected).sum(1).min() > 0.999  # fp16 keeps three digits
    learned = sum(p.numel() for p in module.parameters())
    assert place.stat().st_size < 2 * learned + 30_000


def test_without_training_it_is_random_the_same_each_time_and_says_so(written):
    one, other = (load_model("efficientnet", trained=False, device="cpu") for _ in range(2))
    assert (one.name, one.source) == ("efficientnet (untrained)", "random")
    assert one.digest == other.digest != load_model("efficientnet", device="cpu").digest


@pytest.mark.parametrize("content", [None, b"no safetensors", "another network"])
def test_missing_or_damaged_weights_name_the_file_and_the_way_back(written, content):
    _, place = written
    place.unlink()
    if content == "another network":
        place.write_bytes((utils.efficientnet.MODELS / "cnn-scenes.safetensors").read_bytes())
    elif content:
        place.write_bytes(content)
    with pytest.raises(ModelUnavailable, match=r"efficientnet\.safetensors .* git.*recipes"):
        load_model("efficientnet")


@pytest.fixture
def packaged(tmp_path, monkeypatch):
    """timm's network with weights that a package brings, as the real one does: it names the layers
    in another way, in the same order."""
    torch.manual_seed(1)
    whole = create_model("tf_efficientnet_lite0").eval()
    models = tmp_path / PACKAGE / "models"
    models.mkdir(parents=True)
    (tmp_path / PACKAGE / "__init__.py").touch()
    renamed = {f"_layer.{i}": value for i, value in enumerate(whole.state_dict().values())}
    torch.save(renamed, models / "efficientnet-lite0-0.pth")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, PACKAGE, raising=False)
    return whole


def test_the_package_of_weights_gives_each_layer_its_own(packaged):
    model, x = begin(imagenet=True), torch.randn(2, 3, 96, 96)
    with torch.inference_mode():
        expected = packaged.blocks(packaged.bn1(packaged.conv_stem(x)))
        torch.testing.assert_close(model.module.maps(x), expected, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("recipe, dim", [(thesis, 64), (ours, 320)])
def test_the_recipe_of_the_thesis_and_ours_begin_with_the_weights(
    packaged, recipe, dim, tmp_path, monkeypatch
):
    monkeypatch.setattr(from_imagenet, "ROOT", tmp_path)
    images = np.random.default_rng(0).integers(0, 256, (256, 32, 32, 3), np.uint8)
    photos = ImageSet(images, np.arange(256) % 4, list("abcd"), [str(i) for i in range(256)])
    model, history = recipe(photos, photos[:32], 2)
    assert history.step[-1] == 2 and len(history.recall) == len(history.step)
    assert embed(model, photos[:8], cache=False).shape == (8, dim)
    (taught,) = (w for name, w in model.module.named_parameters() if w.shape == (32, 3, 3, 3))
    moved = (taught - packaged.conv_stem.weight).norm() / packaged.conv_stem.weight.norm()
    assert 0 < moved < 0.3  # from random weights it would be 1.4


def test_the_mean_of_weights_lies_between_its_members_and_its_statistics_are_new():
    models = [begin(imagenet=False) for _ in range(2)]
    with torch.no_grad():
        for weight in models[1].module.parameters():
            weight.mul_(3)

    def draw(step):
        generator = torch.Generator().manual_seed(step)
        return torch.randn(4, 3, 64, 64, generator=generator), torch.arange(4)

    alone, both = averaged(models[:1], draw), averaged(models, draw)
    for name, weight in models[0].module.named_parameters():
        torch.testing.assert_close(alone.module.get_parameter(name), weight)
        torch.testing.assert_close(both.module.get_parameter(name), 2 * weight)
    means = [b for name, b in both.module.named_buffers() if name.endswith("running_mean")]
    assert all(mean.abs().sum() > 0 for mean in means) and not both.module.training


def test_the_shipped_one_finds_unseen_things_more_often_than_the_compact_cnn():
    scenes = load_images("scenes", "validation")
    found = {
        name: recall_at_k(embed(load_model(name), scenes, cache=False), scenes.labels)
        for name in ("efficientnet", "cnn")
    }
    assert found["efficientnet"] > found["cnn"] + 0.05
