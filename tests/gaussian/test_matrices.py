import pickle
import tracemalloc

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from scipy.sparse import csr_array

import pillprocess as pp
from pillprocess.gaussian import design as design_module
from pillprocess.gaussian import draws, matrices
from pillprocess.gaussian.design_checks import DesignError, check_design
from pillprocess.gaussian.held_out import loto_exact
from pillprocess.gaussian.matrices import diagonal_blocks, nonzeros, rows_by, stored
from pillprocess.gaussian.normal_equations import assemble


@pytest.fixture
def kept_without_zeros(monkeypatch):
    """Every design is large, and a few numbers are read at once."""
    monkeypatch.setattr(matrices, "LARGEST_DENSE", 0)
    for module in (matrices, design_module, draws):
        monkeypatch.setattr(module, "AT_ONCE", 40)


@pytest.fixture(scope="module")
def tables():
    """A few trials' arms and differences."""
    evidence = pp.load_evidence()
    arms = pp.arm_changes(evidence)
    contrasts = pp.contrasts(evidence, besides=arms)
    few = ["back2024", "carhartharris2021", "davis2021", "goodwin2022", "raison2023"]
    return arms[arms["trial"].isin(few)], contrasts[contrasts["trial"].isin(contrasts["trial"].unique()[:4])]


def rows_of(n_trial):
    """Trials of two arms by arithmetic: enough of them for a covariance that would fill the memory of a small machine."""
    trial, arm = np.repeat(np.arange(n_trial), 2), np.tile(np.arange(2.0), n_trial)
    zero = dict.fromkeys(("therapy", "waitlist", "comparator", "expectancy", "experience"), 0.0)
    words = {
        "kind": "arm",
        "reference_arm": "",
        "unit": "sd",
        "condition": "MDD",
        "construct": "depression",
        "instrument": "MADRS",
    }
    return xr.Dataset(
        {
            "trial": ("row", [f"trial {j}" for j in trial]),
            "label": ("row", [f"trial {j}: {k:g}" for j, k in zip(trial, arm, strict=True)]),
            "arm": ("row", [f"{k:g}" for k in arm]),
            "role": ("row", np.where(arm == 0, "inert_placebo", "active")),
            "y": ("row", -0.5 - 0.6 * arm + 0.1 * np.sin(trial)),
            "se": ("row", 0.2 + 0.01 * (trial % 5)),
            "dose": ("row", arm),
        }
    ).to_dataframe().assign(study_drug="LSD", drug_given="LSD", expectancy_from="", **words, **zero)  # fmt: skip


def test_a_matrix_without_its_zeros_reads_like_the_ordinary_one(kept_without_zeros):
    rng = np.random.default_rng(1)
    dense = rng.normal(size=(7, 5)) * (rng.random((7, 5)) < 0.4)
    dense[2, 3] = np.nan
    labels = {"row": list("abcdefg"), "column": np.arange(5)}
    lazy = xr.DataArray(stored(csr_array(dense)), dims=("row", "column"), coords=labels)
    plain = xr.DataArray(dense, dims=("row", "column"), coords=labels)
    turned = {"row": [6, 0, 3], "column": [4, 1]}
    for pick in ({"row": 2}, {"column": 3}, {"row": 1, "column": 2}, {"row": slice(None, None, -1)}, turned):
        xr.testing.assert_identical(lazy.isel(pick), plain.isel(pick))
        xr.testing.assert_identical(lazy.isel(turned).isel(row=[1, 1]), plain.isel(turned).isel(row=[1, 1]))
    xr.testing.assert_identical(lazy.sel(row="c"), plain.sel(row="c"))
    xr.testing.assert_identical(pickle.loads(pickle.dumps(lazy)) * 2, plain * 2)
    np.testing.assert_array_equal(nonzeros(lazy).toarray(), dense)
    assert nonzeros(plain).nnz == np.count_nonzero(dense)


def test_the_blocks_of_a_matrix_leave_out_what_lies_between_them():
    dense = np.arange(16.0).reshape(4, 4)
    groups = rows_by(["b", "a", "b", "c"])
    assert {name: rows.tolist() for name, rows in groups.items()} == {"b": [0, 2], "a": [1], "c": [3]}
    found = diagonal_blocks(csr_array(dense), list(groups.values()))
    assert [block.tolist() for block in found] == [[[0.0, 2.0], [8.0, 10.0]], [[5.0]], [[15.0]]]


def test_a_large_design_is_the_same_model_with_the_same_fit_and_the_same_faults(request, tables):
    plain = pp.decomposition_design(*tables)
    fit, scores = pp.fit(plain, seed=1, draws=50), loto_exact(plain)
    request.getfixturevalue("kept_without_zeros")
    large = pp.decomposition_design(*tables)
    xr.testing.assert_identical(large, plain)  # the data's hash among the attributes
    again = pp.fit(large, seed=1, draws=50)
    for group in fit.children:
        if group != "constant_data":
            xr.testing.assert_allclose(again[group].dataset, fit[group].dataset, rtol=1e-10)
    assert loto_exact(large)["elpd"].to_numpy() == pytest.approx(scores["elpd"].to_numpy(), abs=1e-10)
    turned = large.isel(row=slice(None, None, -1), row_=slice(None, None, -1))
    xr.testing.assert_allclose(pp.fit(turned, seed=1, draws=50)["posterior"].dataset, fit["posterior"].dataset)
    with pytest.raises(DesignError, match="covariance: not symmetric"):
        check_design(large.isel(row=slice(None, None, -1)))


def test_leaving_trials_out_of_a_large_design_reads_no_matrix_whole(kept_without_zeros, tables, monkeypatch):
    large, read = pp.decomposition_design(*tables), []
    part_of = matrices.WithoutZeros._part

    def recorded(self, key):
        part = part_of(self, key)
        read.append(part.size / (self.shape[0] * self.shape[1]))
        return part

    fit = pp.fit(large, seed=1, draws=10)
    monkeypatch.setattr(matrices.WithoutZeros, "_part", recorded)
    left_out, pulled = pp.loto_pit(large, nodes=40), pp.influence(fit)
    assert 0 < max(read) < 0.5
    monkeypatch.undo()
    plain = pp.decomposition_design(*tables)
    pd.testing.assert_frame_equal(left_out, pp.loto_pit(plain, nodes=40))
    pd.testing.assert_frame_equal(pulled, pp.influence(pp.fit(plain, seed=1, draws=10)))


def test_a_large_design_is_built_and_read_in_less_than_its_covariance_would_take(monkeypatch):
    monkeypatch.setattr(matrices, "LARGEST_DENSE", 2**16)
    for module in (matrices, design_module):
        monkeypatch.setattr(module, "AT_ONCE", 2**14)
    rows = rows_of(400)
    tracemalloc.start()
    try:
        system = assemble(pp.decomposition_design(rows, terms={"drug"}))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert len(system.trials) == 400
    assert peak < 8 * len(rows) ** 2, f"{peak / 1e6:.1f} MB"


def test_draws_by_row_that_would_fill_the_memory_are_made_when_they_are_asked_for(monkeypatch, tables):
    design = pp.decomposition_design(*tables)
    small = pp.fit(design, seed=1, draws=10)
    monkeypatch.setattr("pillprocess.gaussian.fit.ROW_DRAWS", 100)
    with pytest.warns(
        UserWarning, match=r"rows x 40 draws: log_likelihood, .* were not drawn; ask for them with by_row=True"
    ):
        large = pp.fit(design, seed=1, draws=10)
    assert set(small.children) - set(large.children) == {"log_likelihood", "posterior_predictive", "prior_predictive"}
    asked = pp.fit(design, seed=1, draws=10, by_row=True)
    assert set(asked.children) == set(small.children)
    for group in ("posterior", "log_likelihood_by_trial", "prior"):
        xr.testing.assert_identical(large[group].dataset, small[group].dataset)
