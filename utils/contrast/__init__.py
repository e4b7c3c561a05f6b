"""Learning without labels: two views of a picture are alike, all other pictures are not."""

from utils.contrast.losses import alike, info_nce, nt_xent
from utils.contrast.moco import MoCo, Projected, Queue, TwoViews, with_projection
from utils.contrast.views import ViewPairs, Views, as_pictures, blur, colour, crop, flip

__all__ = [
    "MoCo",
    "Projected",
    "Queue",
    "TwoViews",
    "ViewPairs",
    "Views",
    "alike",
    "as_pictures",
    "blur",
    "colour",
    "crop",
    "flip",
    "info_nce",
    "nt_xent",
    "with_projection",
]
