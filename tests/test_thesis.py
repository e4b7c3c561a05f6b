"""The thesis: its table as printed, and its recipe on a few small pictures."""

import numpy as np
import pandas as pd
import pytest
import torch
from torchvision.models import ResNet18_Weights, resnet18

from recipes.thesis import by_thesis, siamese
from utils import ROOT
from utils.embed import embed
from utils.images import ImageSet


@pytest.fixture(scope="module")
def photos():
    images = np.random.default_rng(0).integers(0, 256, (256, 32, 32, 3), np.uint8)
    ids = [str(i) for i in range(256)]
    return ImageSet(images, np.arange(256) % 4, list("abcd"), ids)


def test_the_table_has_its_27_cells():
    table = pd.read_csv(ROOT / "data" / "thesis_table_4_1.csv")
    assert len(table) == len(table.drop_duplicates(["backbone", "dim", "margin"])) == 27
    assert set(table.backbone) == {"ResNet-18", "ResNet-34", "ResNet-50"}
    cell = table.set_index(["backbone", "dim", "margin"]).top1
    assert cell["ResNet-34", 512, 0.1] == cell.max() == 87.49
    assert cell["ResNet-50", 512, 0.5] == cell.min() == 44.93


def test_it_starts_from_imagenets_weights_where_they_are(tmp_path, monkeypatch, no_network):
    folder = tmp_path / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    torch.manual_seed(3)
    kept = resnet18(weights=None).state_dict()
    torch.save(kept, folder / ResNet18_Weights.DEFAULT.url.split("/")[-1])
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    model = siamese("resnet18", 64, seed=0)
    assert model.source == "downloaded" and model.module.fc.out_features == 64
    for name, value in model.module.state_dict().items():
        assert name.startswith("fc.") or torch.equal(value.cpu(), kept[name]), name


def test_without_them_it_starts_from_random_ones_and_says_so(tmp_path, monkeypatch, no_network):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    one, same, other = (siamese("resnet18", 64, seed=seed) for seed in (0, 0, 1))
    assert one.source == "random"
    assert one.digest == same.digest != other.digest


@pytest.mark.parametrize(("entrance", "side"), [(7, 8), (3, 32)])
def test_its_entrance(entrance, side, tmp_path, monkeypatch, no_network):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    module, seen = siamese("resnet18", 64, seed=0, entrance=entrance).module, []
    module.layer1.register_forward_pre_hook(lambda _, x: seen.append(x[0].shape[2:]))
    x = torch.zeros(2, 3, 32, 32, device=next(module.parameters()).device)
    assert module(x).shape == (2, 64)
    assert seen == [(side, side)]


def test_its_pixels_run_from_minus_one_to_one(photos, tmp_path, monkeypatch, no_network):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    x = siamese("resnet18", 64, seed=0).preprocess(torch.from_numpy(photos.images))
    torch.testing.assert_close(
        x.permute(0, 2, 3, 1), torch.from_numpy(photos.images / 127.5 - 1).float()
    )


def test_its_rate_falls_to_a_tenth_after_each_tenth_of_the_steps(
    photos, tmp_path, monkeypatch, no_network
):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    rates, step = [], torch.optim.SGD.step

    def told(optimizer, *given):
        rates.append(optimizer.param_groups[0]["lr"])
        return step(optimizer, *given)

    monkeypatch.setattr(torch.optim.SGD, "step", told)
    model = siamese("resnet18", 16, seed=0)
    history = by_thesis(model, photos, None, 20)
    np.testing.assert_allclose(rates, [0.1 * 0.1 ** (i // 2) for i in range(20)])
    assert embed(model, photos, cache=False).shape == (256, 16)
    assert history.step[-1] == 20
