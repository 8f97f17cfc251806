"""Figures and path tables of a mediation analysis, on fits written by hand."""

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import xarray as xr

from pillprocess.mediation.effects import compute_effects
from pillprocess.mediation.model import mediation
from pillprocess.mediation.paths import estimate_text, mediation_paths
from pillprocess.mediation.plot_sensitivity import plot_r2_contours, plot_sensitivity
from pillprocess.mediation.plots import (
    plot_effects,
    plot_mediation,
    plot_overlap,
)
from pillprocess.mediation.sensitivity import mediation_sensitivity, r2_contours
from pillprocess.output.tables import effect_table
from pillprocess.participants.codebook import Codebook, ColumnCodes
from pillprocess.participants.table import load_participants
from tests.mediation.trees import tree


@pytest.fixture(autouse=True)
def off_screen():
    backend = mpl.get_backend()
    mpl.use("Agg")
    yield
    plt.close("all")
    mpl.use(backend)


def people(mediators=("belief", "meq30"), binary=False):
    rng = np.random.default_rng(1)
    n = 60
    table = pd.DataFrame({"arm": np.where(np.arange(n) % 2, "psilocybin", "placebo"), "age": rng.normal(40, 9, n)})
    for q, name in enumerate(mediators):
        table[name] = 10.0 * q + 4 * (table["arm"] == "psilocybin") + rng.normal(size=n)
    table["madrs"] = rng.normal(20, 5, n)
    if binary:
        table["madrs"] = (table["madrs"] > 20).astype(int)
    arbitrary = Codebook(columns={"meq30": ColumnCodes(instrument="none")})
    return load_participants(
        table, treatment="arm", reference="placebo", outcome="madrs", mediators=list(mediators), covariates=["age"],
        codebook=arbitrary,
    )  # fmt: skip


def fitted(mediators=("belief", "meq30"), draws=200, binary=False, **arguments) -> xr.DataTree:
    data = people(mediators, binary)
    model = mediation(data, **arguments)
    rng = np.random.default_rng(2)
    values = {}
    for variable in model.deterministics:
        shape = tuple(len(model.coords[d]) for d in model.named_vars_to_dims.get(variable.name, ()))
        values[variable.name] = -0.5 + 0.05 * rng.normal(size=(draws, *shape))
    for name in ("sigma_m", "sigma_y"):
        if name in values:
            values[name] = np.abs(values[name])
    return tree(model, values)


def texts(ax) -> list[str]:
    ax.figure.canvas.draw()
    return [t.get_text() for t in ax.findobj(mpl.text.Text) if t.get_text()]


def test_paths_list_every_arrow_with_the_slopes_in_both_arms():
    idata = fitted(order=["belief", "meq30"])
    table = mediation_paths(idata)
    assert list(zip(table["start"], table["end"], table["kind"], table["given"], strict=True)) == [
        ("psilocybin v placebo", "belief", "a", ""),
        ("belief", "madrs", "b", "placebo"),
        ("belief", "madrs", "b", "psilocybin"),
        ("psilocybin v placebo", "meq30", "a", ""),
        ("meq30", "madrs", "b", "placebo"),
        ("meq30", "madrs", "b", "psilocybin"),
        ("belief", "meq30", "d", ""),
        ("psilocybin v placebo", "madrs", "direct", ""),
    ]
    p = idata["posterior"].dataset
    assert table["mean"][0] == pytest.approx(p["a"].sel(mediator="belief").mean().item())
    active = p["b"].sel(mediator="meq30") + p["theta"].sel(mediator="meq30", arm="psilocybin")
    assert table["mean"][5] == pytest.approx(active.mean().item())
    assert table["mean"][6] == pytest.approx(p["d"].mean().item())
    assert table["mean"][7] == pytest.approx(compute_effects(idata)["pnde"].mean().item())


def test_parallel_mediators_have_a_correlation_and_one_slope_without_interaction():
    table = mediation_paths(fitted(interaction=False))
    assert table["kind"].tolist() == ["a", "b", "a", "b", "correlation", "direct"]


def test_a_binary_outcome_has_slopes_on_its_link_and_a_direct_effect_on_the_risk():
    table = mediation_paths(fitted(("meq30",), binary=True, family_outcome="probit"))
    assert table["unit"].tolist() == ["data", "probit", "probit", "risk"]


def test_estimates_are_printed_to_the_second_digit_of_their_sd():
    row = {"mean": -3.8727, "sd": 0.877, "ci_low": -5.5849, "ci_high": -0.001}
    assert estimate_text(row) == "-3.87 [-5.58, 0.00]"
    assert estimate_text(row | {"sd": 14.2}) == "-4 [-6, 0]"
    assert estimate_text(row | {"mean": np.nan, "sd": np.nan}) == "undefined"


@pytest.mark.parametrize("order", [None, ["belief", "meq30"]], ids=["parallel", "ordered"])
def test_the_path_diagram_names_every_node_and_prints_every_estimate(order, save_figure):
    idata = fitted(order=order)
    effects = effect_table(compute_effects(idata))
    paths = mediation_paths(idata)
    ax = plot_mediation(paths, effects=effects)
    shown = texts(ax)
    slopes = [
        estimate_text(row) for row in paths[paths["start"].eq("meq30") & paths["kind"].eq("b")].to_dict("records")
    ]
    assert f"in placebo: {slopes[0]}\nin psilocybin: {slopes[1]}" in shown
    assert {"psilocybin v placebo", "belief", "meq30", "madrs"} <= set(shown)
    assert any(t.startswith("total ") and "indirect (tnie)" in t for t in shown)
    assert any(t.startswith("r = ") for t in shown) == (order is None)
    save_figure(ax)


def test_of_many_mediators_only_arrows_past_one_leave_their_estimates_to_the_table(save_figure):
    names = ["insight_1", "madrs_1", "insight_2", "madrs_2", "insight_3"]
    ends = [("drug v placebo", m, "a") for m in names] + [(m, "madrs_6", "b") for m in names]
    ends += [(one, later, "d") for i, one in enumerate(names) for later in names[i + 1 :]]
    paths = pd.DataFrame([*ends, ("drug v placebo", "madrs_6", "direct")], columns=["start", "end", "kind"])
    paths = paths.assign(given="", unit="data", mean=np.arange(1.0, len(paths) + 1), sd=0.5, ci_low=-1.0, ci_high=30.0)
    ax = plot_mediation(paths)
    past = [names.index(e) - names.index(s) > 1 if k == "d" else False for s, e, k in ends] + [False]
    labels = [("direct " if row["kind"] == "direct" else "") + estimate_text(row) for row in paths.to_dict("records")]
    assert sum(past) == 6
    assert [label in texts(ax) for label in labels] == [not p for p in past]
    assert "arrows past a mediator: estimates in the table of coefficients" in texts(ax)
    save_figure(ax)
    narrow = texts(plot_mediation(paths, width="one_column"))
    assert [label in narrow for label in labels] == [label == labels[-1] for label in labels]
    assert "other arrows: estimates in the table of coefficients" in narrow


def test_the_sensitivity_curve_shows_mean_band_tipping_and_benchmarks(save_figure):
    sensitivity = mediation_sensitivity(fitted(("meq30",)))
    ax = plot_sensitivity(sensitivity, unit="MADRS points")
    np.testing.assert_allclose(ax.lines[0].get_ydata(), sensitivity["tnie"].mean(("chain", "draw")))
    bar = sensitivity["rho_tipping"].quantile([0.025, 0.975]).to_numpy()
    np.testing.assert_allclose(ax.lines[2].get_xdata(), bar)
    assert "age" in texts(ax)
    assert "indirect effect\n(MADRS points)" in texts(ax)
    ways = {True: "down is improvement", False: "up is improvement"}
    for higher_is_worse, words in ways.items():
        assert words in plot_sensitivity(sensitivity, higher_is_worse=higher_is_worse).get_ylabel()
    save_figure(ax)


def test_contours_are_drawn_in_the_direction_that_brings_the_effect_to_zero(save_figure):
    contours = r2_contours(mediation_sensitivity(fitted(("meq30",))))
    ax = plot_r2_contours(contours, unit="MADRS points")
    assert "mean indirect effect (MADRS points); bold: 0;" in ax.get_title(loc="left")
    crossing = [
        d for d in ("same", "opposite") if contours.sel(direction=d).min() < 0 < contours.sel(direction=d).max()
    ]
    assert ax.get_title(loc="left").endswith({"same": "the same way", "opposite": "opposite ways"}[crossing[0]])
    assert len(ax.collections) == 2
    assert ax.get_aspect() == 1.0  # both axes are shares
    other = plot_r2_contours(contours, direction={"same": "opposite", "opposite": "same"}[crossing[0]])
    assert len(other.collections) == 1
    save_figure(ax)


def test_overlap_says_how_far_the_arms_lie_apart(save_figure):
    data = people()
    ax = plot_overlap(data, mediator="meq30")
    own = data.mediators["meq30"][data.arm == "psilocybin"]
    away = abs(own.mean() - data.mediators["meq30"][data.arm == "placebo"].mean()) / own.std()
    assert f"psilocybin: {away:.1f} SDs from placebo" in texts(ax)
    assert {"placebo (n = 30)", "psilocybin (n = 30)"} <= set(texts(ax))
    save_figure(ax)
    with pytest.raises(ValueError, match="mediator = 'asc': the mediators are belief, meq30"):
        plot_overlap(data, mediator="asc")


def test_a_dose_has_one_distribution():
    table = pd.DataFrame({"mg": np.tile([0.0, 10.0, 25.0], 12), "m": np.arange(36.0), "y": np.arange(36.0) * 7 % 17})
    dose = load_participants(
        table, treatment="mg", treatment_kind="dose", reference=0, active=25, outcome="y", mediators="m"
    )
    assert "all (n = 36)" in texts(plot_overlap(dose))


@pytest.mark.parametrize("higher_is_worse", [True, False])
def test_effects_say_which_side_is_improvement(higher_is_worse, save_figure):
    table = pd.DataFrame(
        {"parameter": ["te", "tnie"], "mean": [-4.0, -2.0], "ci_low": [-6.0, -3.5], "ci_high": [-2.0, -0.5],
         "prior_low": [-20.0, -15.0], "prior_high": [20.0, 5.0], "contraction": [0.98, 0.9971]}
    )  # fmt: skip
    ax = plot_effects(table, higher_is_worse=higher_is_worse)
    assert ("← improvement" if higher_is_worse else "← worsening") in texts(ax)
    assert {"98 % learned", "> 99 % learned"} <= set(texts(ax))
    assert [line.get_marker() for line in ax.lines if line.get_marker() in ("<", ">")] == ["<", ">", "<"]
    assert [t.get_text() for t in ax.get_legend().get_texts()] == ["prior", "total", "direct", "indirect"]
    assert [t.get_text() for t in ax.get_yticklabels()] == ["te", "tnie"]
    save_figure(ax)
