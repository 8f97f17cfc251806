"""Removing and splitting evidence, with a stand-in for the sampler whose answers are known."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from pillprocess.synthesis.conflict import _judged, conflict, without_each_kind
from pillprocess.synthesis.kinds import KINDS, has_kind, without, without_rows

KEPT = ["placebo-controlled outcomes", "dose comparisons", "blocked experience"]


def small_items():
    """Three trials of ketamine, one of each kind, and a correlation."""
    n = 3
    return xr.Dataset(
        {
            "row_kind": ("row", np.array(KEPT)), "whitener": (("row", "row_other"), np.eye(n)), "association_kept": ("association", [1.0]),
            "score_extra": ("score", np.zeros(0)), "guess_n": ("guess", np.zeros(0, int)), "guess_correct": ("guess", np.zeros(0, int)),
            "count_n": ("count", np.array([9])), "count_responders": ("count", np.array([4])), "person_kept": ("person_arm", np.zeros(0)),
            "outcome_sd": 2.0,
        },
        coords={"trial": ("row", ["a", "b", "c"]), "study_drug": ("row", ["ketamine"] * n)}, attrs={"settings": "{}"},
    )  # fmt: skip


def fit_with(direct, zeta=-0.5, b=-0.1, n=400):
    ones = np.ones((1, n))
    spread = np.linspace(-0.02, 0.02, n)[None]
    drug = lambda values: (("chain", "draw", "drug"), np.asarray(values)[..., None])  # noqa: E731
    dimension = lambda values: (("chain", "draw", "dimension"), np.asarray(values)[..., None])  # noqa: E731
    posterior = xr.Dataset(
        {
            "direct": drug(direct + spread), "interaction": drug(0 * ones), "a": drug(2 * ones), "b": dimension(b + spread / 10),
            "zeta": dimension(zeta + spread), **{k: (("chain", "draw"), 0 * ones) for k in ("g_0", "g_drug", "g_experience", "g_placebo")},
            "tau": (("chain", "draw"), ones), "tau_belief": (("chain", "draw"), ones),
        },
        coords={"drug": ["ketamine"], "dimension": ["dissociative"]},
    )  # fmt: skip
    return xr.DataTree.from_dict({"/posterior": posterior, "/constant_data": small_items()})


def outcome_kinds(items):
    kept = items["whitener"].to_numpy().any(axis=1)
    return [kind for kind, keep in zip(KEPT, kept, strict=True) if keep]


def test_each_kind_that_is_there_is_removed_once_and_the_shift_is_in_posterior_sds():
    seen = []

    def refit(items, **_):
        seen.append((outcome_kinds(items), float(items["association_kept"].sum()), int(items["count_n"].sum())))
        return fit_with(-0.3, b=-0.2)

    whole = fit_with(-0.3)
    table = without_each_kind(whole, seed=1, refit=refit)
    assert table["without"].tolist() == ["nothing", *KEPT, "response counts", "experience-outcome associations"]
    assert seen[0] == (KEPT[1:], 1.0, 9)
    assert seen[3] == (KEPT, 1.0, 0)
    assert seen[4] == (KEPT, 0.0, 9)
    sd = float((2 * whole["posterior"]["b"]).std(ddof=1))
    assert table["shift"].tolist() == pytest.approx([0.0] + [-0.2 / sd] * 5, rel=1e-6)


def test_each_kind_alone_is_asked_and_disagreement_is_said():
    def refit(items, *, terms, **_):
        assert "experience" not in terms
        (kind,) = outcome_kinds(items)
        return fit_with(
            {"placebo-controlled outcomes": -1.8, "dose comparisons": -0.2, "blocked experience": 0.0}[kind]
        )

    table = conflict(fit_with(-0.3), seed=1, refit=refit).set_index(["question", "other"])
    within = 2 * np.tanh(-0.5)
    slope = table.loc[("slope", "placebo-controlled outcomes")]
    assert slope["one_mean"] == pytest.approx(within, abs=1e-3)
    assert slope["other_mean"] == pytest.approx(-0.9)
    assert table.loc[("slope", "dose comparisons"), "verdict"] == "they disagree"
    blocked = table.loc[("blocked", "placebo-controlled outcomes")]
    assert blocked["difference_mean"] == pytest.approx(1.8)
    assert blocked["p"] == 0
    same = conflict(fit_with(-0.3), seed=1, refit=lambda *_, **__: fit_with(0.0, zeta=0.0))
    assert set(same["verdict"]) == {"no disagreement seen"}


def test_a_small_p_among_many_comparisons_is_a_hint_and_no_disagreement():
    table = _judged(pd.DataFrame({"p": [0.04, 0.3, 0.9, 0.02]}))
    assert table["p_corrected"].tolist() == pytest.approx(
        [0.12, 0.6, 0.9, 0.08]
    )  # Holm 1979: .02 x 4, .04 x 3, .3 x 2, .9
    assert table["verdict"].tolist() == [
        "a hint of disagreement",
        *["no disagreement seen"] * 2,
        "a hint of disagreement",
    ]
    assert _judged(pd.DataFrame({"p": [0.04, 0.3, 0.9, 0.01]}))["verdict"].tolist()[3] == "they disagree"


def test_removing_evidence_keeps_the_shapes():
    items = small_items()
    for kind in KINDS:
        assert without(items, kind).sizes == items.sizes
    assert not without_rows(items, np.array([False, True, False]))["whitener"].to_numpy()[1].any()
    assert [kind for kind in KINDS if has_kind(items, kind)] == [
        *KEPT,
        "response counts",
        "experience-outcome associations",
    ]
    with pytest.raises(
        ValueError, match="kind = 'hearsay'; it must be one of placebo-controlled outcomes, dose comparisons"
    ):
        without(items, "hearsay")
