"""Summaries of hand-written draws."""

import arviz as az
import numpy as np
import pandas as pd
import pytest
import xarray as xr

import pillprocess as pp
from pillprocess.output.tables import COLUMNS


def draws(values, dims=(), **coords):
    return xr.DataArray(values, dims=("chain", "draw", *dims), coords=coords, name="effect")


def test_a_scalar_is_one_row_of_exact_summaries():
    values = np.array([[-3.0, -1.0, 0.0, 1.0], [-2.0, 2.0, 4.0, -1.0]])
    table = pp.effect_table(draws(values))
    assert list(table.columns) == COLUMNS
    (row,) = table.to_dict("records")
    assert row["mean"] == 0.0
    assert row["sd"] == np.sqrt(36 / 7)
    # the quantiles interpolate between the 8 sorted draws: positions .175 and 6.825 of 0..7
    assert row["ci_low"] == pytest.approx(-3 + 0.175, rel=1e-12)
    assert row["ci_high"] == pytest.approx(2 + 0.825 * 2, rel=1e-12)
    assert row["p_below"] == 0.5
    assert row["ess"] == az.ess(values)


def test_a_draw_of_exactly_zero_is_not_below_zero():
    assert pp.effect_table(draws(np.zeros((2, 4)) - [0, 0, 1, 1]))["p_below"].item() == 0.5


def test_every_other_dim_becomes_a_column_of_labels():
    values = np.arange(2 * 5 * 2 * 3, dtype=float).reshape(2, 5, 2, 3)
    array = draws(values, ("drug", "therapy"), drug=["LSD", "MDMA"], therapy=[0.0, 0.5, 1.0])
    table = pp.effect_table(array)
    assert list(table.columns) == ["drug", "therapy", *COLUMNS]
    assert table["drug"].tolist() == ["LSD"] * 3 + ["MDMA"] * 3
    assert table["therapy"].tolist() == [0.0, 0.5, 1.0] * 2
    np.testing.assert_allclose(table["mean"], values.mean((0, 1)).ravel(), rtol=1e-15)
    np.testing.assert_allclose(
        table["ess"], [az.ess(values[:, :, i, k]) for i in range(2) for k in range(3)], rtol=1e-12
    )


def test_the_order_of_the_dims_does_not_matter():
    values = np.arange(2 * 5 * 3, dtype=float).reshape(2, 5, 3)
    array = draws(values, ("drug",), drug=["LSD", "MDMA", "ketamine"])
    pd.testing.assert_frame_equal(pp.effect_table(array), pp.effect_table(array.transpose("drug", "draw", "chain")))


def test_coordinates_that_are_no_dims_are_left_out():
    array = draws(np.zeros((2, 4, 2)), ("row",), row=["a", "b"]).assign_coords(
        drug=("row", ["LSD", "MDMA"]), route="exact"
    )
    assert list(pp.effect_table(array).columns) == ["row", *COLUMNS]


def test_a_dataset_gives_a_row_per_variable_and_label():
    dataset = xr.Dataset(
        {"tau": draws(np.ones((2, 4))), "v": draws(np.zeros((2, 4, 2)), ("drug",), drug=["LSD", "MDMA"])}
    )
    table = pp.effect_table(dataset)
    assert list(table.columns) == ["estimand", "drug", *COLUMNS]
    assert table["estimand"].tolist() == ["tau", "v", "v"]
    assert table["drug"].tolist()[1:] == ["LSD", "MDMA"]
    assert table["mean"].tolist() == [1, 0, 0]


def test_nothing_to_summarise_is_an_empty_table():
    assert list(pp.effect_table(xr.Dataset()).columns) == ["estimand", *COLUMNS]
    assert len(pp.effect_table(draws(np.zeros((2, 4, 0)), ("drug",), drug=[]))) == 0


@pytest.mark.parametrize("level", [0.5, 0.89])
def test_the_interval_is_equal_tailed_at_the_level_asked_for(level):
    values = np.arange(1001, dtype=float).reshape(7, 143)
    table = pp.effect_table(draws(values), level=level)
    assert table["ci_low"].item() == pytest.approx(1000 * (1 - level) / 2, rel=1e-12)
    assert table["ci_high"].item() == pytest.approx(1000 * (1 + level) / 2, rel=1e-12)


@pytest.mark.parametrize("level", [0, 1, 95])
def test_a_level_outside_0_and_1_is_refused(level):
    with pytest.raises(ValueError, match=f"level = {level}; it must lie between 0 and 1"):
        pp.effect_table(draws(np.zeros((2, 4))), level=level)


@pytest.mark.parametrize(
    ("dims", "missing"), [(("chain",), "draw"), (("draw",), "chain"), (("row",), "chain and draw")]
)
def test_draws_that_were_averaged_already_are_refused(dims, missing):
    message = f"draws lack the dim {missing}; summarise before averaging over draws"
    with pytest.raises(ValueError, match=message):
        pp.effect_table(xr.DataArray(np.zeros(4), dims=dims))
