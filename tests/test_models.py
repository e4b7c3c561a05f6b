"""Networks: their shapes and formulas, and loading that never passes one off for another."""

import shutil

import numpy as np
import pytest
import safetensors.torch
import torch
import torch.nn.functional as F
from PIL import Image
from torchvision.models import ResNet50_Weights, resnet50

import utils.models
from utils.cnn import CompactCNN, Headed, Residual
from utils.embed import embed
from utils.embedder import (
    Embedder,
    ModelUnavailable,
    Preprocess,
    feature_maps,
    kept_from_hub,
    require_reachable,
)
from utils.models import (
    HEAD,
    HEADED,
    load_model,
    save_compact,
    save_heads,
    without_head,
)


def pictures(n=3, size=32, seed=0):
    return torch.from_numpy(
        np.random.default_rng(seed).integers(0, 256, (n, size, size, 3), np.uint8)
    )


def test_the_compact_cnn_has_at_most_two_million_parameters():
    assert sum(p.numel() for p in CompactCNN().parameters()) <= 2_000_000


def test_the_last_maps_are_four_by_four_and_their_mean_goes_into_the_head():
    module = CompactCNN().eval()
    x = torch.randn(2, 3, 32, 32)
    with torch.inference_mode():
        maps = module.maps(x)
        assert maps.shape == (2, 256, 4, 4)
        expected = F.normalize(module.head(maps.mean((2, 3))), dim=1)
        torch.testing.assert_close(module(x), expected)
        assert module(x).shape == (2, module.dim) == (2, 64)
        torch.testing.assert_close(module(x).norm(dim=1), torch.ones(2))


def test_without_a_head_the_embedding_is_the_pooled_maps():
    module = CompactCNN(dim=None, widths=(4, 6, 10)).eval()
    x = torch.randn(2, 3, 32, 32)
    with torch.inference_mode():
        torch.testing.assert_close(module(x), F.normalize(module.maps(x).mean((2, 3)), dim=1))
    assert module.dim == 10


def test_a_residual_block_adds_what_it_learned_to_its_input():
    block = Residual(6).eval()
    x = torch.randn(2, 6, 5, 5)
    with torch.inference_mode():
        learned = F.gelu(
            F.batch_norm(F.conv2d(x, block.conv.weight, padding=1), *statistics(block))
        )
        torch.testing.assert_close(block(x), x + learned)
        block.conv.weight.zero_()
        torch.testing.assert_close(block(x), x)  # nothing learned: the input, untouched


def statistics(block):
    norm = block.norm
    return norm.running_mean, norm.running_var, norm.weight, norm.bias


def test_whitening_makes_the_patches_uncorrelated_and_of_unit_size():
    y, x = torch.meshgrid(torch.linspace(0, 6, 16), torch.linspace(0, 6, 16), indexing="ij")
    smooth = torch.sin(x + torch.rand(40, 3, 1, 1) * 6) + torch.cos(y * torch.rand(40, 3, 1, 1) * 2)
    pixels = smooth + 0.3 * torch.randn(40, 3, 16, 16)
    module = CompactCNN()
    module.whiten_from(pixels, eps=0)
    with torch.inference_mode():
        answers = F.conv2d(pixels, module.whiten.weight).permute(1, 0, 2, 3).reshape(24, -1)
    torch.testing.assert_close(answers[12:], -answers[:12])
    torch.testing.assert_close(torch.cov(answers[:12]), torch.eye(12), atol=1e-2, rtol=0)
    assert not module.whiten.weight.requires_grad


def test_preprocess_scales_and_normalises_each_channel():
    images = pictures()
    mean, std = (0.1, 0.2, 0.3), (0.5, 0.6, 0.7)
    expected = (images.numpy() / 255 - mean) / std
    found = Preprocess(32, mean, std)(images)
    assert found.dtype == torch.float32
    np.testing.assert_allclose(found.permute(0, 2, 3, 1), expected, atol=1e-5)


@pytest.mark.parametrize("size", [48, 64, 100, 20])
def test_preprocess_resizes_as_pillow_does(size):
    images = pictures(2, size)
    found = Preprocess(32, (0, 0, 0), (1, 1, 1))(images).permute(0, 2, 3, 1) * 255
    for image, small in zip(images.numpy(), found, strict=True):
        expected = Image.fromarray(image).resize((32, 32), Image.Resampling.BILINEAR)
        np.testing.assert_allclose(small, np.asarray(expected), atol=1.5)


def test_preprocess_leaves_the_pictures_it_is_given_as_they_were():
    images = pictures()
    before = images.clone()
    Preprocess(32, (0.5,) * 3, (0.5,) * 3)(images)
    assert torch.equal(images, before)


@pytest.mark.parametrize(
    "asked, name, dim",
    [("cnn", "cnn-scenes", 12), ("cnn-scenes", "cnn-scenes", 12), ("cnn-photos",) * 2 + (8,)],
)
def test_a_shipped_model_answers_as_the_network_it_was_saved_from(shipped, asked, name, dim):
    loaded = load_model(asked, device="cpu")
    assert (loaded.name, loaded.dim, loaded.source) == (name, dim, "shipped")
    assert not loaded.module.training
    x = loaded.preprocess(pictures())
    with torch.inference_mode():
        expected, found = shipped[name](x), loaded.module(x)
    torch.testing.assert_close(found, expected, atol=5e-3, rtol=0)  # fp16 keeps three digits
    assert (found * expected).sum(1).min() > 0.9999


@pytest.mark.parametrize("dim, widths", [(None, (4, 6, 10)), (5, (4, 4, 8)), (64, (8, 12, 16))])
def test_a_saved_network_comes_back_in_its_own_shape_and_half_precision(shipped, dim, widths):
    module = CompactCNN(dim, widths).eval()
    path = utils.models.MODELS / "cnn-photos.safetensors"
    save_compact(module, path)
    back = load_model("cnn-photos", device="cpu").module
    assert back.widths == widths and back.dim == (dim or widths[-1])
    for key, value in module.state_dict().items():
        expected = value.half().float() if value.is_floating_point() else value
        torch.testing.assert_close(back.state_dict()[key].float(), expected.float(), rtol=0, atol=0)
    assert path.stat().st_size < 2 * sum(v.numel() for v in module.state_dict().values()) + 6000
    assert sorted(p.name for p in path.parent.iterdir()) == [
        "cnn-photos.safetensors",
        "cnn-scenes.safetensors",
    ]


@pytest.mark.parametrize("name", ["cnn", "cnn-photos", "resnet50"])
def test_an_untrained_model_says_so_and_is_the_same_every_time(shipped, name):
    torch.manual_seed(1)
    one = load_model(name, trained=False, device="cpu")
    torch.manual_seed(2)
    other = load_model(name, trained=False, device="cpu")
    assert one.source == "random" and one.name.endswith("(untrained)")
    for key, value in one.module.state_dict().items():
        assert torch.equal(value, other.module.state_dict()[key]), key
    assert one.digest == other.digest


def test_an_untrained_model_does_not_know_what_training_taught(shipped):
    trained, random = (load_model("cnn", trained=t, device="cpu") for t in (True, False))
    assert trained.digest != random.digest
    assert not torch.equal(trained.module.head[0].weight, random.module.head[0].weight)
    assert random.dim == trained.dim


def test_loading_leaves_the_students_random_numbers_alone(shipped):
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    load_model("cnn", trained=False)
    load_model("cnn")
    assert torch.equal(torch.rand(3), expected)


@pytest.mark.parametrize("name", ["resnet", "CNN", "", "vgg"])
def test_an_unknown_name_is_refused_with_the_names_there_are(name):
    ours = "cnn, cnn-scenes, cnn-photos, cnn-simclr, cnn-moco, vit, efficientnet"
    known = f"{ours}, resnet50, vit-base"
    with pytest.raises(ValueError, match=f"choose one of: {known}"):
        load_model(name)


def weights(change):
    """The bytes of a safetensors file, `change` having been made to its tensors."""
    path = utils.models.MODELS / "cnn-photos.safetensors"
    with safetensors.safe_open(path, framework="pt") as file:
        metadata = file.metadata()
        tensors = {key: file.get_tensor(key) for key in file.keys()}
    change(tensors, metadata)
    return safetensors.torch.save(tensors, metadata=metadata)


DAMAGE = {
    "missing": lambda path: path.unlink(),
    "empty": lambda path: path.write_bytes(b""),
    "cut to its first bytes": lambda path: path.write_bytes(path.read_bytes()[:20]),
    "cut in half": lambda path: path.write_bytes(path.read_bytes()[: path.stat().st_size // 2]),
    "one byte short": lambda path: path.write_bytes(path.read_bytes()[:-1]),
    "a pointer left by git-lfs": lambda path: path.write_bytes(b"version https://git-lfs\n" * 5),
    "a tensor missing": lambda path: path.write_bytes(weights(lambda t, m: t.pop("head.0.weight"))),
    "a tensor of another shape": lambda path: path.write_bytes(
        weights(lambda t, m: t.update({"head.0.weight": torch.zeros(3, 3).half()}))
    ),
    "another network's tensors": lambda path: path.write_bytes(
        weights(lambda t, m: (t.clear(), t.update({"fc.weight": torch.zeros(3).half()})))
    ),
    "no shape": lambda path: path.write_bytes(weights(lambda t, m: m.pop("shape"))),
    "a shape that is no JSON": lambda path: path.write_bytes(
        weights(lambda t, m: m.update(shape="{dim"))
    ),
}


@pytest.mark.parametrize("kind", DAMAGE)
def test_missing_or_damaged_weights_are_named_with_the_way_to_restore_them(shipped, kind):
    DAMAGE[kind](utils.models.MODELS / "cnn-photos.safetensors")
    with pytest.raises(
        ModelUnavailable, match=r"cnn-photos\.safetensors .*git.*recipes\.cnn_photos"
    ):
        load_model("cnn-photos")
    assert load_model("cnn").source == "shipped"


def test_without_its_head_a_network_answers_with_its_averaged_maps(shipped):
    photos = load_model("cnn-photos", device="cpu")
    bare = without_head(photos, 48)
    assert bare.dim == photos.module.widths[-1] and not bare.module.training
    x = bare.preprocess(pictures(size=64))
    assert x.shape == (3, 3, 48, 48)
    with torch.inference_mode():
        expected = F.normalize(photos.module.maps(x).mean((2, 3)), dim=1)
        torch.testing.assert_close(bare.module(x), expected)
        bare.module.stages[0][0].weight.zero_()  # a copy: its teacher keeps what it knows
        assert photos.module.stages[0][0].weight.any()
    with pytest.raises(ValueError, match="is no compact CNN"):
        without_head(load_model("resnet50", trained=False), 48)


@pytest.fixture
def heads(shipped):
    """Heads on the trunk of `cnn`, saved as they ship."""
    torch.manual_seed(0)
    modules = {task: Headed(load_model("cnn", device="cpu").module, 7) for task in HEADED}
    for module in modules.values():
        module.train()(torch.randn(40, 3, 32, 32))  # gives its norm something to remember
        module.eval()
    save_heads(modules, utils.models.MODELS / "cnn-heads.safetensors")
    return modules


@pytest.mark.parametrize("task", HEADED)
def test_a_head_answers_as_the_one_it_was_saved_from(heads, task):
    loaded = load_model("cnn", task=task, device="cpu")
    assert (loaded.name, loaded.dim, loaded.source) == (f"cnn-scenes ({task})", 7, "shipped")
    x = loaded.preprocess(pictures())
    with torch.inference_mode():
        expected, found = heads[task](x), loaded.module(x)
    torch.testing.assert_close(found, expected, atol=5e-3, rtol=0)
    torch.testing.assert_close(found.norm(dim=1), torch.ones(3))
    assert loaded.digest != load_model("cnn", device="cpu").digest


def test_for_things_the_network_itself_was_trained_and_no_head_is_read(shipped):
    x = torch.randn(2, 3, 48, 48)
    plain, asked = (load_model("cnn", task=task, device="cpu") for task in (None, "thing"))
    with torch.inference_mode():
        torch.testing.assert_close(asked.module(x), plain.module(x))


def test_the_heads_ship_without_their_trunk(heads):
    with safetensors.safe_open(utils.models.MODELS / "cnn-heads.safetensors", "pt") as file:
        assert sorted(file.keys()) == sorted(f"{task}.{name}" for task in HEADED for name in HEAD)


def test_a_head_reads_the_mean_and_the_spread_of_every_stage(heads):
    head, x = heads["artist"], torch.randn(4, 3, 32, 32)
    with torch.inference_mode():
        maps, seen = F.gelu(head.trunk.whiten(x)), []
        for stage in head.trunk.stages:
            maps = stage(maps)
            flat = maps.flatten(2)
            seen += [flat.mean(2), ((flat - flat.mean(2, keepdim=True)) ** 2).sum(2)
                     .div(flat.shape[2] - 1).sqrt()]  # fmt: skip
        norm, linear = head.head
        numbers = (torch.cat(seen, 1) - norm.running_mean) / (norm.running_var + norm.eps).sqrt()
        expected = F.normalize(numbers @ linear.weight.T, dim=1)
        torch.testing.assert_close(head(x), expected, atol=1e-4, rtol=1e-4)


def test_training_a_head_leaves_its_trunk_as_it_was(shipped):
    head = Headed(load_model("cnn", device="cpu").module, 7).train()
    before = {name: value.clone() for name, value in head.trunk.state_dict().items()}
    learning = [p for p in head.parameters() if p.requires_grad]
    optimizer = torch.optim.SGD(learning, 0.1)
    head(torch.randn(8, 3, 32, 32))[:, 0].sum().backward()
    optimizer.step()
    assert sum(p.numel() for p in learning) == head.head[1].weight.numel()
    for name, value in head.trunk.state_dict().items():
        assert torch.equal(value, before[name]), name
    assert head.training and not head.trunk.training


@pytest.mark.parametrize(
    "name, task, trained", [("cnn", "colour", True), ("cnn-photos", "thing", True),
                            ("cnn", "thing", False)],
)  # fmt: skip
def test_a_task_without_a_head_is_refused_with_the_tasks_there_are(heads, name, task, trained):
    with pytest.raises(ValueError, match=r"was not trained for .* for thing, category, art"):
        load_model(name, task=task, trained=trained)


@pytest.mark.parametrize("kind", ["missing", "empty", "cut in half"])
def test_damaged_heads_are_named_with_the_way_to_restore_them(heads, kind):
    DAMAGE[kind](utils.models.MODELS / "cnn-heads.safetensors")
    with pytest.raises(ModelUnavailable, match=r"cnn-heads\.safetensors .*git.*recipes\.heads"):
        load_model("cnn", task="artist")
    assert load_model("cnn").source == "shipped"


def test_resnet50_without_a_network_fails_with_one_sentence(tmp_path, monkeypatch, no_network):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    with pytest.raises(
        ModelUnavailable, match=r"ResNet-50 is not on this machine.*load_model\('cnn'\)"
    ) as caught:
        load_model("resnet50")
    assert str(tmp_path) in str(caught.value) and "\n" not in str(caught.value)
    assert not list(tmp_path.rglob("*.pth"))


def test_no_proxy_alone_is_no_proxy(monkeypatch, no_network):
    monkeypatch.setenv("no_proxy", "localhost")
    with pytest.raises(ModelUnavailable, match=r"It is not on this machine and a\.example"):
        require_reachable("https://a.example/x", "It", "or not")


def test_the_hub_is_asked_where_hf_endpoint_names_it(monkeypatch, no_network, tmp_path):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://mirror.example:8080")
    with pytest.raises(ModelUnavailable, match=r"mirror\.example cannot be reached"):
        kept_from_hub("some/model", "or not")


@pytest.fixture(scope="module")
def resnet_home(tmp_path_factory):
    """A TORCH_HOME that holds ResNet-50 with random weights, in torchvision's format and name."""
    home = tmp_path_factory.mktemp("torch")
    folder = home / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    torch.manual_seed(3)
    network = resnet50(weights=None).eval()
    torch.save(network.state_dict(), folder / ResNet50_Weights.IMAGENET1K_V2.url.split("/")[-1])
    yield home, network
    shutil.rmtree(home)  # 100 MB


def test_a_downloaded_resnet50_is_loaded_without_a_network(
    resnet_home, monkeypatch, no_network, caches
):
    home, network = resnet_home
    monkeypatch.setenv("TORCH_HOME", str(home))
    loaded = load_model("resnet50", device="cpu")
    assert (loaded.name, loaded.dim, loaded.source) == ("resnet50", 2048, "downloaded")
    images = pictures(1, 48)
    found = embed(loaded, images.numpy(), cache=False)
    assert found.shape == (1, 2048)
    network.fc = torch.nn.Identity()
    x = F.interpolate(images.permute(0, 3, 1, 2) / 255, (224, 224), mode="bilinear", antialias=True)
    mean, std = torch.tensor([[0.485, 0.456, 0.406], [0.229, 0.224, 0.225]]).view(2, 3, 1, 1)
    with torch.inference_mode():
        expected = F.normalize(network((x - mean) / std), dim=1)
    np.testing.assert_allclose(found, expected, atol=1e-4)


@pytest.mark.parametrize(
    "content",
    [b"", b"<html>", b"PK\x03\x04" + bytes(50)],
    ids=["empty", "a web page", "cut short"],
)
def test_a_damaged_resnet50_is_named_with_what_to_do(tmp_path, monkeypatch, no_network, content):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    path = tmp_path / "hub/checkpoints" / ResNet50_Weights.IMAGENET1K_V2.url.split("/")[-1]
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    with pytest.raises(ModelUnavailable, match=path.name):
        load_model("resnet50")


def test_a_digest_names_the_weights_and_the_model(make_model):
    assert make_model(0).digest == make_model(0).digest
    assert len({make_model(0).digest, make_model(1).digest, make_model(0, "other").digest}) == 3


def test_a_digest_changes_with_the_weights(make_model):
    model = make_model(0)
    before = model.digest
    with torch.no_grad():
        model.module.head[0].weight += 0.1
    assert model.digest != before


def test_feature_maps_are_what_the_network_computes_on_its_way(model):
    images = pictures(5).numpy()
    maps = feature_maps(model, images, ["whiten", "stages.2", "pool"], batch_size=2)
    with torch.inference_mode():
        x = model.module.whiten(model.preprocess(torch.from_numpy(images)))
        last = model.module.stages(F.gelu(x))
    np.testing.assert_allclose(maps["whiten"], x, atol=1e-5)
    np.testing.assert_allclose(maps["stages.2"], last, atol=1e-5)
    np.testing.assert_allclose(maps["pool"], last.mean((2, 3)), atol=1e-5)
    assert not any(part._forward_hooks for part in model.module.modules())


def test_feature_maps_are_those_before_a_later_layer_works_in_place(model):
    parts = [torch.nn.Conv2d(3, 4, 3), torch.nn.ReLU(inplace=True), torch.nn.Flatten()]
    model = Embedder("mine", 4, "random", model.preprocess, torch.nn.Sequential(*parts))
    maps = feature_maps(model, pictures(2).numpy(), ["0", "1"])
    assert maps["0"].min() < 0 and maps["1"].min() == 0


def test_a_layer_that_answers_with_several_things_is_named(model):
    class Two(torch.nn.Module):
        def forward(self, x):
            return x, x

    model = Embedder(
        "mine", 4, "random", model.preprocess, torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), Two())
    )
    with pytest.raises(ValueError, match="'1' answers with tuple"):
        feature_maps(model, pictures(1).numpy(), ["1"])


def test_a_layer_that_is_not_there_is_named_with_those_that_are(model):
    with pytest.raises(ValueError, match=r"no layer 'stages.9'; it has whiten, stages"):
        feature_maps(model, pictures(1).numpy(), ["stages.9"])


def test_no_hook_is_left_behind_when_the_network_fails(model):
    model.module.stages[2] = torch.nn.Conv2d(99, 1, 1)
    with pytest.raises(RuntimeError):
        feature_maps(model, pictures(1).numpy(), ["whiten"])
    assert not any(part._forward_hooks for part in model.module.modules())
