"""Maps and clusters, against scikit-learn and brute force, and what is written to disk."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import manifold
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA
from sklearn.metrics import adjusted_rand_score

from utils import maps
from utils.embedder import ModelUnavailable
from utils.images import load_images
from utils.maps import (
    cluster,
    load_maps,
    moved,
    neighbours_kept,
    odd_ones,
    organise,
    project,
    save_maps,
    trustworthiness,
)


def blobs(groups=4, each=15, d=8, seed=0, spread=0.3):
    rng = np.random.default_rng(seed)
    centres = 3 * rng.normal(size=(groups, d))
    labels = np.arange(groups * each) % groups
    return (centres[labels] + spread * rng.normal(size=(len(labels), d))).astype(np.float32), labels


def test_pca_is_scikit_learns_up_to_the_sign():
    vectors, _ = blobs()
    theirs = PCA(2).fit_transform(vectors)
    np.testing.assert_allclose(np.abs(project(vectors, "pca")), np.abs(theirs), atol=1e-4)


@pytest.mark.parametrize("method", maps.METHODS)
def test_a_map_keeps_clear_groups_together_and_a_seed_repeats_it(method):
    vectors, labels = blobs()
    xy = project(vectors, method)
    assert xy.shape == (60, 2) and xy.dtype == np.float32
    np.testing.assert_allclose(xy.mean(axis=0), 0, atol=1e-3)
    assert adjusted_rand_score(labels, cluster(xy, 4)[0]) > 0.9
    np.testing.assert_array_equal(xy, project(vectors, method))


def test_options_go_to_the_library():
    vectors, _ = blobs()
    wide, narrow = (project(vectors, "umap", min_dist=d, n_neighbors=10) for d in (0.99, 0.0))
    assert not np.allclose(wide, narrow)
    with pytest.raises(TypeError, match="n_neighbours"):
        project(vectors, "umap", n_neighbours=3)


@pytest.mark.parametrize("method", maps.METHODS)
def test_four_pictures_can_be_drawn_and_three_cannot(method):
    assert project(np.eye(4), method).shape == (4, 2)
    with pytest.raises(ValueError, match="at least 4 pictures, but there are 3"):
        project(np.eye(3), method)


def test_one_vector_many_times_has_no_tsne_and_ends_no_process():
    with pytest.raises(ValueError, match="All vectors are the same"):
        project(np.ones((20, 8)), "tsne")


def test_an_unknown_map_is_refused_with_the_names_there_are():
    with pytest.raises(ValueError, match="choose one of: pca, tsne, umap"):
        project(np.eye(5), "mds")
    with pytest.raises(ValueError, match="NaN or infinity"):
        project(np.full((5, 2), np.nan), "pca")


def test_trustworthiness_is_scikit_learns_and_samples_large_sets(monkeypatch):
    vectors, _ = blobs()
    xy = np.random.default_rng(1).normal(size=(60, 2))
    expected = manifold.trustworthiness(vectors, xy, n_neighbors=5)
    assert trustworthiness(vectors, xy, 5) == pytest.approx(expected)
    monkeypatch.setattr(maps, "SAMPLE", 40)
    assert 0 < trustworthiness(vectors, xy, 5) != pytest.approx(expected)
    with pytest.raises(ValueError, match="below half of the 40 points, but is 20"):
        trustworthiness(vectors, xy, 20)


@given(seed=st.integers(0, 50), k=st.integers(1, 8))
def test_neighbours_kept_is_the_share_that_brute_force_counts(seed, k):
    rng = np.random.default_rng(seed)
    vectors, xy = rng.normal(size=(12, 4)), rng.normal(size=(12, 2))

    def near(points, i):
        apart = np.linalg.norm(points - points[i], axis=1)
        apart[i] = np.inf
        return set(np.argsort(apart)[:k])

    expected = np.mean([len(near(vectors, i) & near(xy, i)) / k for i in range(12)])
    assert neighbours_kept(vectors, xy, k) == pytest.approx(expected)
    assert neighbours_kept(xy, xy, k) == 1


def test_a_map_of_other_vectors_is_refused():
    for measure in (neighbours_kept, trustworthiness):
        with pytest.raises(ValueError, match=r"has shape \(60, 2\), not \(59, 2\)"):
            measure(blobs()[0], np.zeros((59, 2)))


def test_clusters_are_k_means_and_the_largest_comes_first():
    vectors, _ = blobs(groups=5, each=9, spread=2)
    clusters, centres = cluster(vectors, 5)
    theirs = KMeans(5, n_init=4, random_state=0).fit(vectors)
    assert adjusted_rand_score(theirs.labels_, clusters) == 1
    size = np.bincount(clusters)
    assert (size[:-1] >= size[1:]).all() and clusters.dtype == np.int64
    for c in range(5):
        np.testing.assert_allclose(centres[c], vectors[clusters == c].mean(axis=0), atol=1e-4)


def test_large_sets_go_in_batches_and_come_out_alike(monkeypatch):
    vectors, labels = blobs(each=200)
    monkeypatch.setattr(maps, "MANY", 100)
    assert adjusted_rand_score(labels, cluster(vectors, 4)[0]) > 0.99


@pytest.mark.parametrize("k", [0, -1, 61])
def test_k_out_of_range_is_refused(k):
    with pytest.raises(ValueError, match=f"from 1 to 60, the different vectors, but is {k}"):
        cluster(blobs()[0], k)


def test_copies_of_one_vector_are_one_cluster_and_not_two():
    same = np.ones((8, 3))
    assert cluster(same, 1)[0].tolist() == [0] * 8
    with pytest.raises(ValueError, match="from 1 to 1, the different vectors, but is 2"):
        cluster(same, 2)


def test_the_odd_one_is_farthest_from_the_centre_of_its_own_cluster():
    vectors, _ = blobs()
    vectors[17] += 1.5
    clusters, centres = cluster(vectors, 4)
    apart = odd_ones(vectors, clusters, centres)
    assert apart.shape == (60,) and apart.argmax() == 17
    np.testing.assert_allclose(apart[3], np.linalg.norm(vectors[3] - centres[clusters[3]]))


@pytest.fixture
def photos(tmp_path):
    """Six files, two of one name in different folders."""
    folder = tmp_path / "photos"
    for i, name in enumerate(["a.png", "b.png", "c.png", "trip/a.png", "trip/x y.png", "é.png"]):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(bytes([i]) * 10)
    return folder


IDS = ["a.png", "b.png", "c.png", "trip/a.png", "trip/x y.png", "é.png"]
CLUSTERS = np.array([0, 0, 1, 0, 1, 2])


def contents(folder):
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*.png")}


def test_organise_copies_each_picture_once_and_leaves_the_originals(photos, tmp_path):
    before = contents(photos)
    copies = organise(photos, IDS, CLUSTERS, tmp_path / "sorted")
    assert contents(photos) == before
    assert [path.read_bytes() for path in copies] == [before[id] for id in IDS]
    assert [path.parent.name for path in copies] == [f"cluster {c:02d}" for c in CLUSTERS]
    assert len(contents(tmp_path / "sorted")) == 6


def test_organise_takes_names_for_the_clusters(photos, tmp_path):
    organise(photos, IDS, CLUSTERS, tmp_path / "sorted", ["lions", "pizza", "other"])
    assert sorted(path.name for path in (tmp_path / "sorted").iterdir()) == [
        "lions", "other", "pizza",
    ]  # fmt: skip


def test_organise_leaves_nothing_behind_when_a_picture_is_gone(photos, tmp_path):
    (photos / "trip" / "x y.png").unlink()
    with pytest.raises(FileNotFoundError, match="x y"):
        organise(photos, IDS, CLUSTERS, tmp_path / "sorted")
    assert [path.name for path in tmp_path.iterdir()] == ["photos"]


def test_organise_never_writes_into_what_is_there_or_among_the_originals(photos, tmp_path):
    (tmp_path / "sorted").mkdir()
    with pytest.raises(FileExistsError, match="is there already; nothing was copied"):
        organise(photos, IDS, CLUSTERS, tmp_path / "sorted")
    with pytest.raises(ValueError, match="among the originals"):
        organise(photos, IDS, CLUSTERS, photos / "sorted")
    for names in (["a", "a", "b"], ["a", "../b", "c"], ["a", "b/c", "d"]):
        with pytest.raises(ValueError, match="plain names of folders"):
            organise(photos, IDS, CLUSTERS, tmp_path / "new", names)
    with pytest.raises(ValueError, match="6 pictures need as many clusters"):
        organise(photos, IDS, CLUSTERS[:5], tmp_path / "new")
    with pytest.raises(ValueError, match="these 3 names, but there are 6 and 2"):
        organise(photos, IDS, CLUSTERS, tmp_path / "new", ["a", "b"])
    with pytest.raises(ValueError, match="cluster of −1 has no folder"):
        organise(photos, IDS, CLUSTERS - 1, tmp_path / "new")
    with pytest.raises(ValueError, match="plain names of folders"):
        organise(photos, IDS, CLUSTERS, tmp_path / "new", ["..", "b", "c"])
    assert not (tmp_path / "new").exists()


def test_organise_keeps_two_pictures_whose_names_become_one(photos, tmp_path):
    (photos / "trip · a.png").write_bytes(b"another")
    copies = organise(photos, ["trip/a.png", "trip · a.png"], [0, 0], tmp_path / "sorted")
    assert [path.read_bytes() for path in copies] == [bytes([3]) * 10, b"another"]


def test_no_pictures_are_organised_into_an_empty_folder(photos, tmp_path):
    assert organise(photos, [], [], tmp_path / "sorted") == []
    assert list((tmp_path / "sorted").iterdir()) == []


def test_maps_come_back_as_they_were_saved(tmp_path, monkeypatch):
    monkeypatch.setattr(maps, "MODELS", tmp_path)
    rng = np.random.default_rng(0)
    kept = {(n, d): rng.normal(size=(7, 2)) for n in (2, 15) for d in (0.0, 0.25)}
    save_maps(tmp_path / "some.npz", kept)
    loaded = load_maps("some")
    assert list(loaded) == list(kept)
    for pair, xy in kept.items():
        np.testing.assert_allclose(loaded[pair], xy, atol=2e-3)
    (tmp_path / "some.npz").write_bytes(b"no zip")
    for name in ("some", "none"):
        with pytest.raises(ModelUnavailable, match=r"restore them with git.*recipes\.maps"):
            load_maps(name)


def test_the_shipped_maps_are_of_the_test_drawings():
    shipped = load_maps()
    assert len(shipped) == 25
    n = len(load_images("emoji", "test"))
    assert all(xy.shape == (n, 2) and np.isfinite(xy).all() for xy in shipped.values())


def test_a_map_that_is_only_turned_and_grown_has_not_moved():
    xy = np.random.default_rng(0).normal(size=(50, 2))
    turned = 3 * xy @ np.array([[0.0, 1.0], [-1.0, 0.0]]) + 5
    assert moved(xy, turned) == pytest.approx(0, abs=1e-9)
    assert moved(xy, xy * [1, -1]) == pytest.approx(0, abs=1e-9)
    assert moved(xy, xy[::-1]) > 0.5
    with pytest.raises(ValueError, match="shape"):
        moved(xy, xy[1:])
