"""Draws kept from one run to the next: the same answer, made once, and made again when anything differs."""

import numpy as np
import pytest
import xarray as xr

from pillprocess.inference import kept
from pillprocess.inference.kept import identity, keeping_draws, kept_draws

DESIGN = xr.Dataset(
    {"y": ("row", [0.1, -0.4]), "unit": ("row", np.array(["sd", "points"], object))},
    coords={"row": ["a", "b"]}, attrs={"outcome": "depression"},
)  # fmt: skip
HOW = {"seed": 1, "draws": 3, "target_accept": 0.9}


class Sampler:
    """Draws that say how often they were made."""

    def __init__(self):
        self.made = 0

    def __call__(self):
        self.made += 1
        draws = xr.Dataset({"mu": (("chain", "draw"), np.full((1, 3), float(self.made)))})
        stats = xr.Dataset({"diverging": (("chain", "draw"), np.zeros((1, 3), bool))})
        return xr.DataTree.from_dict({"/posterior": draws, "/sample_stats": stats})


@pytest.fixture
def sampler():
    return Sampler()


def test_the_same_draws_are_made_once_and_other_ones_are_made(tmp_path, sampler):
    with keeping_draws(tmp_path / "draws"):
        first = kept_draws(DESIGN, HOW, sampler)
        again = kept_draws(DESIGN.copy(deep=True), dict(HOW), sampler)
        assert sampler.made == 1
        for group in ("posterior", "sample_stats"):
            xr.testing.assert_identical(first[group].dataset, again[group].dataset)
        kept_draws(DESIGN, HOW | {"seed": 2}, sampler)
    assert sampler.made == 2
    assert len(list((tmp_path / "draws").iterdir())) == 2


def test_nothing_is_kept_unless_asked_for(tmp_path, sampler):
    kept_draws(DESIGN, HOW, sampler)
    with keeping_draws(None):
        kept_draws(DESIGN, HOW, sampler)
    assert sampler.made == 2
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "change",
    [
        lambda d: d.assign(y=("row", [0.1, -0.4 + 1e-15])),
        lambda d: d.assign(unit=("row", np.array(["sd", "point"], object))),
        lambda d: d.assign_coords(row=["a", "c"]),
        lambda d: d.assign_attrs(outcome="ptsd"),
        lambda d: d.rename(y="x"),
    ],
)
def test_whatever_the_model_is_built_from_is_in_the_name(change):
    assert identity(change(DESIGN), HOW) != identity(DESIGN, HOW)
    assert identity({"items": change(DESIGN)}, HOW) != identity({"items": DESIGN}, HOW)


def test_other_code_draws_again(monkeypatch):
    before = identity(DESIGN, HOW)
    monkeypatch.setattr(kept, "_code", lambda: "another version")
    assert identity(DESIGN, HOW) != before


def test_a_damaged_file_is_drawn_again_and_replaced(tmp_path, sampler):
    with keeping_draws(tmp_path):
        kept_draws(DESIGN, HOW, sampler)
        (path,) = tmp_path.glob("*.nc")
        path.write_bytes(path.read_bytes()[:-200])
        assert float(kept_draws(DESIGN, HOW, sampler)["posterior"]["mu"][0, 0]) == 2.0
        assert float(kept_draws(DESIGN, HOW, sampler)["posterior"]["mu"][0, 0]) == 2.0
    assert sampler.made == 2


def test_a_folder_that_takes_nothing_costs_a_warning_and_no_draws(tmp_path, sampler):
    (tmp_path / "draws").write_text("a file")
    with keeping_draws(tmp_path / "draws"), pytest.warns(UserWarning, match="draws could not be kept in .*draws again"):
        assert "mu" in kept_draws(DESIGN, HOW, sampler)["posterior"]


def test_what_was_used_longest_ago_goes_and_nothing_that_others_wrote(tmp_path, sampler, monkeypatch):
    (tmp_path / "mine.nc").write_bytes(b"0" * 10_000)
    with keeping_draws(tmp_path):
        kept_draws(DESIGN, HOW, sampler)
        size = next(p.stat().st_size for p in tmp_path.glob("*.nc") if p.name != "mine.nc")
        monkeypatch.setattr(kept, "ROOM", 2.5 * size)
        for seed in range(2, 6):
            kept_draws(DESIGN, HOW | {"seed": seed}, sampler)
    names = {p.name for p in tmp_path.iterdir()}
    assert "mine.nc" in names
    assert len(names) <= 3
    assert f"{identity(DESIGN, HOW | {'seed': 5})}.nc" in names
