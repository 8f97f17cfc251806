"""Models ranked by pointwise scores: the numbers of ArviZ's comparison, and its warning where many models are compared."""

import arviz_stats
import numpy as np
import pandas as pd
import pytest
import xarray as xr

from pillprocess.comparison.ranking import ranking


def scores(n_model, *, n_unit=60, step=0.05, lead=0.0, seed=0):
    rng = np.random.default_rng(seed)
    unit = rng.normal(-1, 1, n_unit)
    table = {f"m{k}": pd.Series(unit + 0.4 * rng.normal(size=n_unit) - step * k) for k in range(n_model)}
    return table | {"m0": table["m0"] + lead}


def by_arviz(table):
    """What arviz_stats.compare says of the same scores."""
    results = {
        name: arviz_stats.ELPDDataLOO(
            elpd=float(score.sum()), se=1.0, p=np.nan, n_samples=0, n_data_points=len(score), scale="log",
            warning=False, good_k=0.7, elpd_i=xr.DataArray(score.to_numpy(), dims="unit"),
        )
        for name, score in table.items()
    }  # fmt: skip
    return arviz_stats.compare(results, method="stacking", round_to="none").rename(columns={"dse": "se_diff"})


@pytest.mark.parametrize(("n_model", "seed"), [(2, 1), (5, 2), (11, 3)])
def test_models_are_ranked_as_arviz_ranks_them(n_model, seed):
    table = scores(n_model, seed=seed)
    found, expected = ranking(table), by_arviz(table)
    assert found.index.tolist() == expected.index.tolist()
    columns = ["rank", "elpd", "elpd_diff", "se_diff", "p_worse"]
    assert found[columns].to_numpy() == pytest.approx(expected[columns].to_numpy(), rel=1e-10, nan_ok=True)
    assert found["weight"].to_numpy() == pytest.approx(expected["weight"].to_numpy(), abs=1e-6)


def test_the_weights_predict_better_than_any_one_model():
    table = scores(4)
    weight = ranking(table)["weight"]
    mixture = np.log(sum(weight[name] * np.exp(score) for name, score in table.items())).sum()
    assert mixture >= max(score.sum() for score in table.values())


def test_the_best_of_many_models_is_doubted_where_arviz_doubts_it():
    alike = scores(14, step=0.0)
    with pytest.warns(
        UserWarning, match="the best of 14 models leads by no more than the best of as many would by chance"
    ):
        ranking(alike)
    with pytest.warns(UserWarning, match="potentially due to chance"):
        by_arviz(alike)
    clear = scores(14, step=0.0, lead=2.0)
    assert ranking(clear).index[0] == by_arviz(clear).index[0] == "m0"
