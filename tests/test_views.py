"""Views of pictures, against torchvision: by how much each was changed is read off the result."""

import math

import pytest
import torch
import torchvision.transforms.functional as tv

from utils.contrast import blur, colour, crop, flip

SIDE = 64


def crossing():
    """Where each pixel lies: red from the left, green from the top, in shares of the side."""
    at = ((torch.arange(SIDE) + 0.5) / SIDE).expand(SIDE, SIDE)
    return torch.stack([at, at.T, torch.zeros_like(at)])[None]


def test_a_flip_is_torchvisions_for_about_half_of_them():
    torch.manual_seed(0)
    x = torch.rand(200, 3, 5, 7)
    seen = flip(x)
    mirrored = (seen == tv.hflip(x)).flatten(1).all(1)
    assert torch.equal(seen[~mirrored], x[~mirrored])
    assert 70 < mirrored.sum() < 130


@pytest.mark.parametrize("smallest", [0.08, 0.2, 0.6])
def test_a_crop_is_a_box_within_the_picture_as_large_and_as_wide_as_promised(smallest):
    torch.manual_seed(0)
    size = 32
    seen = crop(crossing().repeat(500, 1, 1, 1), smallest, size)
    steps = (torch.arange(size) + 0.5) / size
    boxes = []
    for along, values in ((2, seen[:, 0]), (1, seen[:, 1])):
        line = values.mean(3 - along)  # the other way nothing changes
        assert torch.allclose(values, line.unsqueeze(3 - along).expand_as(values), atol=1e-5)
        middle = size // 2
        length = (line[:, middle] - line[:, middle - 1]) * size
        start = line[:, middle] - length * steps[middle]
        # beyond the middle of its last pixel a picture has nothing to read but that pixel
        read = (start[:, None] + length[:, None] * steps).clamp(0.5 / SIDE, 1 - 0.5 / SIDE)
        torch.testing.assert_close(line, read, atol=0.1 / SIDE, rtol=0)
        assert (start > -1e-4).all() and (start + length < 1 + 1e-4).all()
        assert start.min() < 0.05 and (start + length).max() > 0.95
        boxes.append(length)
    wide, high = boxes
    area, ratio = wide * high, wide / high
    assert area.min() > smallest - 1e-3 and area.min() < smallest + 0.1 and area.max() > 0.9
    assert 3 / 4 - 1e-3 < ratio.min() < 0.8 and 1.25 < ratio.max() < 4 / 3 + 1e-3


def test_brightness_and_contrast_are_torchvisions():
    # Grey and pale: turning the hue or the saturation does nothing, and nothing is cut off.
    x = (0.35 + 0.2 * crossing()[:, :1]).repeat(1, 3, 1, 1)
    strength, factors = 0.5, []
    torch.manual_seed(0)
    for seen in colour(x.repeat(300, 1, 1, 1), strength):
        bright = float(seen.mean() / x.mean())  # which contrast leaves as it is
        contrast = float(seen.std() / x.std()) / bright
        expected = tv.adjust_contrast(tv.adjust_brightness(x, bright), contrast)[0]
        torch.testing.assert_close(seen, expected, atol=1e-4, rtol=0)
        factors.append((bright, contrast))
    for found in zip(*factors, strict=True):  # SimCLR's .8, in proportion
        assert 1 - 0.8 * strength - 1e-3 < min(found) < 0.65
        assert 1.35 < max(found) < 1 + 0.8 * strength + 1e-3


# turns colours about the axis of grey when it is multiplied by a number of length 1
PLANE = torch.tensor([[2, -1, -1], [0, 3**0.5, -(3**0.5)]]) / 6**0.5


def about_grey(x):
    """Colours N×3 as complex numbers: how far from grey, and in which direction."""
    return torch.complex(*(x @ PLANE.T).T)


def test_saturation_is_torchvisions_and_hues_are_turned_alike_about_grey():
    greys, others = [[0.4] * 3, [0.5] * 3], [[0.5, 0.4, 0.4], [0.4, 0.5, 0.45], [0.4, 0.4, 0.55]]
    x, strength = torch.tensor(greys + others).T[None, :, None], 0.5
    mean, found, greyed = float(tv.rgb_to_grayscale(x).mean()), [], 0
    torch.manual_seed(0)
    for seen in colour(x.repeat(300, 1, 1, 1), strength):
        seen = seen[:, 0].T
        # what happened before is read off the grey pixels, which the rest leaves as they are
        slope = float(seen[1, 0] - seen[0, 0]) / 0.1
        bright = (float(seen[0, 0]) - 0.4 * slope + mean * slope) / mean
        before = tv.adjust_contrast(tv.adjust_brightness(x, bright), slope / bright)
        # turning about grey leaves a colour's sum: by it the saturation is known
        grey = 3 * tv.rgb_to_grayscale(before)[0, 0, 0, 4]
        factor = float((seen[4].sum() - grey) / (before[0, :, 0, 4].sum() - grey))
        expected = tv.adjust_saturation(before, max(factor, 0.0))[0, :, 0].T
        torch.testing.assert_close(seen.sum(1), expected.sum(1), atol=2e-3, rtol=0)
        if factor < 0.01:
            torch.testing.assert_close(seen, expected, atol=2e-3, rtol=0)
            greyed += 1
            continue
        turns = about_grey(seen[2:]) / about_grey(expected[2:])
        torch.testing.assert_close(turns.abs(), torch.ones(3), atol=0.02, rtol=0)
        torch.testing.assert_close(turns.angle(), turns.angle()[:1].expand(3), atol=0.02, rtol=0)
        found.append((factor, float(turns.angle().mean()) / (2 * math.pi)))
    assert 15 < greyed < 50  # SimCLR's fifth, in proportion
    factors, hues = zip(*found, strict=True)
    assert 0.59 < min(factors) < 0.65 and 1.35 < max(factors) < 1.41
    assert -0.102 < min(hues) < -0.09 and 0.09 < max(hues) < 0.102


def test_a_blur_is_torchvisions_for_about_half_of_them():
    x = torch.zeros(1, 3, 32, 32)
    x[:, :, 16, 16] = 1
    torch.manual_seed(0)
    spreads = []
    for seen in blur(x.repeat(200, 1, 1, 1), 0.5):
        line = seen[0].sum(0)
        if line[17] == 0:
            torch.testing.assert_close(seen, x[0])
            continue
        spread = (2 * math.log(line[16] / line[17])) ** -0.5
        torch.testing.assert_close(seen, tv.gaussian_blur(x, 9, spread)[0], atol=1e-4, rtol=0)
        spreads.append(spread)
    assert 70 < len(spreads) < 130
    assert 0.09 < min(spreads) < 0.3 and 1.8 < max(spreads) < 2.01
