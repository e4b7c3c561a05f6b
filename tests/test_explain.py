"""What each place of two pictures gives to their score, place by place against the network."""

import numpy as np
import pytest
import torch
from torchvision.models import resnet18

from utils.cnn import CompactCNN
from utils.embed import embed
from utils.embedder import PHOTO_MEAN, PHOTO_STD, Embedder, Preprocess
from utils.explain import similarity_maps, spotlight
from utils.images import load_images
from utils.models import load_model


@pytest.fixture(scope="module")
def scenes():
    return load_images("scenes", "validation")[:6].images


def residual():
    torch.manual_seed(0)
    network = resnet18(weights=None).eval()
    network.fc = torch.nn.Identity()
    return Embedder("resnet", 512, "random", Preprocess(96, PHOTO_MEAN, PHOTO_STD), network)


def headless():
    torch.manual_seed(0)
    network = CompactCNN(None, (4, 6, 10)).eval()
    return Embedder("headless", 10, "random", Preprocess(32, PHOTO_MEAN, PHOTO_STD), network)


AVERAGED = {
    "cnn": lambda: load_model("cnn", device="cpu"),
    "cnn-photos": lambda: load_model("cnn-photos", device="cpu"),
    "cnn without a head": headless,
    "efficientnet": lambda: load_model("efficientnet", device="cpu"),
    "resnet": residual,
}


@pytest.mark.parametrize("name", AVERAGED)
def test_a_places_share_is_its_part_of_the_mean_times_the_other_embedding(name, scenes):
    model = AVERAGED[name]()
    module, kept = model.module, []
    last, head = {
        "resnet": lambda: (module.layer4, module.fc),
        "efficientnet": lambda: (module.blocks, torch.nn.Identity()),
    }.get(name, lambda: (module.stages, module.head))()
    hook = last.register_forward_hook(lambda _module, _inputs, out: kept.append(out))
    one, other = embed(model, scenes[:2], cache=False)
    hook.remove()
    maps = torch.cat(kept)
    _, _, height, width = maps.shape
    why = similarity_maps(model, scenes[0], scenes[1])
    assert why.exact and why.first.shape == why.second.shape == (height, width)
    with torch.inference_mode():
        lengths = head(maps.mean((2, 3))).norm(dim=1).tolist()
        for i in range(height):
            for j in range(width):
                # each alone through the head, as if the picture were this place and no other
                alone = head(maps[:, :, i, j]).numpy() / (height * width)
                assert why.first[i, j] == pytest.approx(alone[0] @ other / lengths[0], abs=1e-5)
                assert why.second[i, j] == pytest.approx(alone[1] @ one / lengths[1], abs=1e-5)
    assert why.first.sum() == pytest.approx(one @ other, abs=1e-4)
    assert why.second.sum() == pytest.approx(one @ other, abs=1e-4)


def test_a_transformers_patch_has_the_cosine_with_its_best_match(scenes):
    model = load_model("vit")
    why = similarity_maps(model, scenes[0], scenes[1])
    with torch.inference_mode():
        (x,) = model.inputs(scenes[:2], 2)
        tokens = model.module.vit(pixel_values=x).last_hidden_state[:, 1:].float().cpu().numpy()
    assert not why.exact
    for shown, patches, others in ((why.first, *tokens), (why.second, *tokens[::-1])):
        for place, patch in zip(np.ndindex(shown.shape), patches, strict=True):
            cosines = [patch @ one / np.linalg.norm(patch) / np.linalg.norm(one) for one in others]
            assert shown[place] == pytest.approx(max(cosines), abs=1e-4)


def test_a_network_that_does_not_average_its_maps_is_refused(scenes):
    module = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(192, 4))
    flat = Embedder("flat", 4, "random", Preprocess(8, PHOTO_MEAN, PHOTO_STD), module)
    with pytest.raises(ValueError, match="flat does not average its maps"):
        similarity_maps(flat, scenes[0], scenes[1])


def test_the_spotlight_is_bright_where_the_share_is_high():
    shares = np.array([[1.0, 0.0], [0.0, 0.0]])
    lit = spotlight(np.full((64, 64, 3), 200, np.uint8), shares)
    assert lit[8, 8].mean() > 190
    assert lit[56, 56].mean() < 60
