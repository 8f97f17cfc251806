"""An effect in a setting that no trial tried is the prior pushed through, and every table says so."""

import json

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

import pillprocess as pp
from pillprocess.cli import app
from pillprocess.decomposition.settings import CARRIED, OWN, PRIOR

KETAMINE = {"study_drug": "ketamine", "drug_given": "ketamine"}


def trials(arm_row, *, amid=True):
    """Four trials of ketamine without therapy, and, if wanted, four of psilocybin with therapy in both arms."""
    rows = []
    for j in range(4):
        rows += [
            arm_row(f"k{j}", a, y, 0.2, dose=d, **KETAMINE) for a, y, d in (("drug", -1.4, 1.0), ("pill", -0.8, 0.0))
        ]
        if amid:
            held = {"therapy": 1.0}
            rows += [
                arm_row(f"p{j}", a, y, 0.2, dose=d, **held) for a, y, d in (("drug", -1.9, 1.0), ("pill", -1.0, 0.0))
            ]
    return pd.DataFrame(rows)


def test_without_any_therapy_the_effect_with_therapy_is_the_prior_pushed_through(arm_row):
    idata = pp.fit(pp.decomposition_design(trials(arm_row, amid=False)), seed=1)
    table = pp.effect_table(pp.relative_effects(idata)).set_index("therapy")
    assert table["trials"].to_dict() == {0.0: 4, 1.0: 0}
    assert table["evidence"].to_dict() == {0.0: OWN, 1.0: PRIOR}
    posterior = idata["posterior"].dataset
    # kappa ~ N(0, .35) and w / 2 with the posterior of tau_drug, added to what is known of the drug alone
    variance = table.loc[0.0, "sd"] ** 2 + 0.35**2 + float((posterior["tau_drug"] ** 2).mean()) / 4
    assert table.loc[1.0, "sd"] == pytest.approx(np.sqrt(variance), rel=0.05)
    assert table.loc[1.0, "mean"] == pytest.approx(table.loc[0.0, "mean"], abs=0.03)


def test_a_setting_that_only_other_drugs_tried_is_carried_over_from_them(arm_row):
    idata = pp.fit(pp.decomposition_design(trials(arm_row)), seed=1)
    for draws in (pp.relative_effects(idata), pp.predictive_effects(idata, seed=1)):
        table = pp.effect_table(draws).set_index(["drug", "therapy"])
        assert table["evidence"].to_dict() == {
            ("ketamine", 0.0): OWN, ("ketamine", 1.0): CARRIED, ("psilocybin", 0.0): CARRIED, ("psilocybin", 1.0): OWN,
        }  # fmt: skip
        assert table["trials"].tolist() == [4, 0, 0, 4]


def test_an_uncontrolled_trial_tries_no_setting(arm_row):
    alone = [arm_row("open", "drug", -2.0, 0.3, dose=1.0, therapy=1.0, **KETAMINE)]
    rows = pd.concat([trials(arm_row, amid=False), pd.DataFrame(alone)], ignore_index=True)
    effect = pp.relative_effects(pp.fit(pp.decomposition_design(rows), seed=1, draws=100))
    assert effect["trials"].sel(drug="ketamine").to_numpy().tolist() == [4, 0]


def test_the_forest_says_what_is_carried_over(arm_row):
    idata = pp.fit(pp.decomposition_design(trials(arm_row)), seed=1, draws=100)
    ticks = [t.get_text() for t in pp.plot_forest(pp.effect_table(pp.relative_effects(idata))).get_yticklabels()]
    assert ticks.count("with therapy (carried over)") == ticks.count("alone (carried over)") == 1


def test_a_folder_without_any_therapy_is_decomposed_and_says_what_no_trial_tried(shared):
    folder = str(shared("faults/n2_folder_without_therapy"))
    arguments = ["decompose", "--evidence", folder, "--quiet"]
    printed = CliRunner().invoke(app, arguments)
    assert printed.exit_code == 0, printed.output
    assert PRIOR in printed.stdout
    rows = json.loads(CliRunner().invoke(app, [*arguments, "--json"]).stdout)["drug_effects"]
    (carried,) = [r for r in rows if r["therapy"] == 1]
    assert (carried["trials"], carried["evidence"]) == (0, PRIOR)
    assert carried["ci_low"] < -1.3 < 0.05 < carried["ci_high"]
