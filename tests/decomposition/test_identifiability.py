"""The ledger on toy designs whose answers can be read off."""

import itertools

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import pillprocess as pp
from pillprocess.decomposition.information import shares_at
from pillprocess.decomposition.within_trials import within_trial_evidence

KETAMINE = {"study_drug": "ketamine", "drug_given": "ketamine"}


def toy(arm_row, *trials, contrasts=None, terms=pp.HEADLINE, baseline="exchangeable"):
    """Design of trials given as {name: [terms of each arm]}."""
    rows = [
        arm_row(name, f"arm{i}", -0.5 * i, 0.25, **arm)
        for trial in trials
        for name, arms in trial.items()
        for i, arm in enumerate(arms)
    ]
    return pp.decomposition_design(pd.DataFrame(rows), contrasts, terms=terms, baseline=baseline)


DRUG_AMID_THERAPY = {"amid": [{"dose": 1.0, "therapy": 1.0}, {"therapy": 1.0}]}
DRUG_ALONE = {"alone": [{"dose": 1.0}, {}]}
FACTORIAL = {"factorial": [{"dose": 1.0, "therapy": 1.0}, {"dose": 1.0}, {"therapy": 1.0}, {}]}
AGAINST_WAITLIST = {"waiting": [{"dose": 1.0, "therapy": 1.0}, {"waitlist": 1.0}]}
UNCONTROLLED = {"open": [{"dose": 1.0, "therapy": 1.0}]}


def evidence(design):
    table = within_trial_evidence(design).set_index("variable")
    return {v: (table.loc[v, "trials"], table.loc[v, "unconfounded"]) for v in table.index}


def test_a_drug_randomised_alone_is_clean_and_therapy_around_it_is_not_randomised(arm_row):
    design = toy(arm_row, DRUG_AMID_THERAPY, DRUG_ALONE, terms={"drug", "therapy"})
    assert evidence(design) == {"psi": ([], []), "delta": (["amid", "alone"], ["amid", "alone"])}


def test_amid_therapy_the_drug_and_its_interaction_come_only_together(arm_row):
    design = toy(arm_row, DRUG_AMID_THERAPY, DRUG_ALONE)
    assert evidence(design) == {"psi": ([], []), "delta": (["amid", "alone"], ["alone"]), "kappa": (["amid"], [])}


def test_a_factorial_trial_separates_drug_therapy_and_interaction(arm_row):
    everything = (["factorial"], ["factorial"])
    assert evidence(toy(arm_row, FACTORIAL)) == dict.fromkeys(("psi", "delta", "kappa"), everything)


def test_against_a_waiting_list_everything_comes_together(arm_row):
    together = (["waiting"], [])
    assert evidence(toy(arm_row, AGAINST_WAITLIST)) == dict.fromkeys(("omega", "psi", "delta", "kappa"), together)


def test_an_uncontrolled_trial_contrasts_nothing(arm_row):
    design = toy(arm_row, UNCONTROLLED, DRUG_ALONE)
    assert evidence(design)["kappa"] == ([], [])
    assert evidence(design)["delta"] == (["alone"], ["alone"])


def test_differences_count_as_they_are(arm_row, contrast_row):
    with_therapy = [
        contrast_row("both", "drug", "placebo", -1, 0.3, dose=1.0, therapy=1.0, reference={"therapy": 1.0}),
        contrast_row("therapy", "therapy", "education", -1, 0.3, dose=1.0, therapy=1.0, reference={"dose": 1.0}),
        contrast_row("grid", "drug+therapy", "none", -1, 0.3, dose=1.0, therapy=1.0),
        contrast_row("grid", "drug", "none", -1, 0.3, dose=1.0),
    ]
    design = toy(arm_row, DRUG_ALONE, contrasts=pd.DataFrame(with_therapy))
    assert evidence(design) == {
        "delta": (["alone", "both", "grid"], ["alone", "grid"]),
        "psi": (["therapy", "grid"], []),
        "kappa": (["both", "therapy", "grid"], []),
    }


PATTERNS = np.array(list(itertools.product([1.0, -1.0], repeat=3))).T.reshape(3, 2, 4)
"""Three sets of 2 x 4 draws of 1 and -1 that are exactly uncorrelated."""


def fit_of(design, **draws):
    posterior = xr.Dataset({name: (("chain", "draw"), values) for name, values in draws.items()})
    return xr.DataTree.from_dict({"/posterior": posterior, "/constant_data": design})


def test_contraction_compares_the_posterior_variance_with_the_prior_variance(arm_row):
    design = toy(arm_row, FACTORIAL)
    draws = {"psi": 0.25 * PATTERNS[0] + 0.5, "delta": 0.125 * PATTERNS[1] - 1.0, "kappa": 0.35 * PATTERNS[2]}
    table = pp.contraction(fit_of(design, **draws)).set_index("variable")
    assert table["parameter"].to_dict() == {
        "psi": "therapy (psi)", "delta": "drug with its unblinding (delta)", "kappa": "drug x therapy (kappa)",
    }  # fmt: skip
    assert table["prior_sd"].to_dict() == {"psi": 0.7, "delta": 0.7, "kappa": 0.35}
    assert table.loc["psi", ["prior_low", "prior_high"]].tolist() == [-1.96 * 0.7, 1.96 * 0.7]
    assert table["mean"].to_dict() == {"psi": 0.5, "delta": -1.0, "kappa": 0.0}
    sd = {"psi": 0.25, "delta": 0.125, "kappa": 0.35}
    for name, value in sd.items():
        expected = 1 - value**2 * 8 / 7 / table.loc[name, "prior_sd"] ** 2
        assert table.loc[name, "contraction"] == pytest.approx(expected, rel=1e-12)


def test_without_belief_the_drug_is_the_drug_with_its_unblinding_and_with_it_the_drug(arm_row):
    with_belief = toy(arm_row, FACTORIAL, terms=pp.HEADLINE | {"expectancy"})
    draws = dict(zip(("psi", "delta", "kappa", "epsilon"), [*PATTERNS, PATTERNS[0]], strict=True))
    assert "drug (delta)" in set(pp.contraction(fit_of(with_belief, **draws))["parameter"])


def test_trial_and_construct_baselines_are_no_pooled_terms(arm_row):
    design = toy(arm_row, FACTORIAL, baseline="free", terms={"drug"})
    assert pp.contraction(fit_of(design, delta=PATTERNS[0]))["variable"].tolist() == ["delta"]


def test_correlations_are_listed_strongest_first(arm_row):
    design = toy(arm_row, FACTORIAL)
    draws = {
        "psi": PATTERNS[0],
        "delta": -0.6 * PATTERNS[0] + 0.8 * PATTERNS[1],
        "kappa": 0.28 * PATTERNS[0] + 0.96 * PATTERNS[2],
    }
    table = pp.posterior_correlations(fit_of(design, **draws))
    assert list(zip(table["term"], table["other_term"], strict=True)) == [
        ("therapy", "drug"), ("therapy", "drug x therapy"), ("drug", "drug x therapy"),
    ]  # fmt: skip
    np.testing.assert_allclose(table["correlation"], [-0.6, 0.28, -0.6 * 0.28], rtol=1e-12)


def test_a_model_of_one_pooled_term_has_no_correlations_and_one_of_none_has_no_ledger(arm_row):
    design = toy(arm_row, FACTORIAL, terms={"drug"})
    assert pp.posterior_correlations(fit_of(design, delta=PATTERNS[0])).empty
    (row,) = pp.identifiability(pp.fit(design, seed=1)).to_dict("records")
    assert row["entangled_with"] == ""
    nothing = pp.fit(toy(arm_row, FACTORIAL, terms=set()), seed=1)
    assert pp.contraction(nothing).empty
    assert pp.posterior_correlations(nothing).empty
    assert pp.identifiability(nothing).empty


def ledger(design):
    return pp.identifiability(pp.fit(design, seed=1)).set_index("term")


ALONE, BETWEEN = "randomised within trials", "between-trial comparison of randomised contrasts"


def test_the_ledger_names_the_evidence_and_its_trials(arm_row):
    table = ledger(toy(arm_row, DRUG_AMID_THERAPY, DRUG_ALONE, AGAINST_WAITLIST, UNCONTROLLED))
    # four small trials: whatever they compared, most of what is known of each term is its prior
    assert set(table["evidence"]) == {"prior, mostly"}
    assert table["trials"].to_dict() == {
        "waiting list": "waiting", "therapy": "waiting", "drug": "alone, amid, waiting", "drug x therapy": "amid, waiting",
    }  # fmt: skip
    assert table["unconfounded"].to_dict() == {"waiting list": "", "therapy": "", "drug": "alone", "drug x therapy": ""}
    assert table["n_trials"].tolist() == [1, 1, 3, 2]
    assert table["n_unconfounded"].tolist() == [0, 0, 1, 0]
    assert table.loc["drug", "carried_by"].startswith("alone ")
    assert table.loc["waiting list", "carried_by"].startswith("waiting ")


def copies(n, *trials):
    """The same trials n times, under other names."""
    return [{f"{name}{i}": arms for name, arms in trial.items()} for trial in trials for i in range(n)]


SHARES = ["share_isolated", "share_contrasts", "share_between", "share_prior"]


def test_with_many_trials_the_evidence_is_what_they_compared(arm_row):
    table = ledger(toy(arm_row, *copies(12, DRUG_AMID_THERAPY, DRUG_ALONE)))
    assert table["evidence"].to_dict() == {
        "therapy": "between trials only",
        "drug": ALONE,
        "drug x therapy": BETWEEN,
    }
    np.testing.assert_allclose(table[SHARES].sum(axis=1), 1, rtol=1e-12)
    factorial = ledger(toy(arm_row, *copies(12, FACTORIAL)))
    assert set(factorial["evidence"]) == {ALONE}
    assert (factorial["share_isolated"] > 0.6).all()


def test_shares_of_information_are_precisions_written_out(arm_row):
    rows = [arm_row(f"t{j}", a, -0.5, 0.3, dose=d) for j in range(5) for a, d in (("drug", 1.0), ("pill", 0.0))]
    design = pp.decomposition_design(pd.DataFrame(rows), terms={"drug"}, prior_drug_sd=0.7)
    variance = np.array([{"tau": 0.04, "tau_drug": 0.01, "tau_mu": 0.09}[s] for s in design["effect_scale"].to_numpy()])
    (shares,) = shares_at(design, variance)[SHARES].to_numpy()
    # five differences, their drug's own mean around that of all drugs: all isolate the drug
    isolated = 1 / ((2 * 0.3**2 + 0.04) / 5 + 0.01)
    # with exchangeable baselines the arms' levels add what the differences do not use
    X, Z = design["X"].to_numpy(), design["Z"].to_numpy()
    within = np.linalg.inv(design["covariance"].to_numpy() + (Z * variance) @ Z.T)
    flat = np.linalg.inv(X.T @ within @ X)
    total = 1 / np.linalg.inv(X.T @ within @ X + np.diag(design["prior_sd"].to_numpy() ** -2.0))[1, 1]
    between = 1 / flat[1, 1] - isolated
    np.testing.assert_allclose(shares, [isolated / total, 0, between / total, 1 - 1 / flat[1, 1] / total], atol=1e-9)


def test_one_tiny_factorial_trial_does_not_flip_a_verdict(arm_row):
    tables = pp.load_evidence()
    arms = pp.arm_changes(tables)
    differences = pp.contrasts(tables, besides=arms)
    tiny = [
        arm_row("tiny", f"{d}{t}", -0.9, 3**-0.5, dose=float(d), therapy=float(t), expectancy=0.5, experience=0.0)
        for d, t in itertools.product((0, 1), repeat=2)
    ]
    before, after = (
        pp.identifiability(pp.fit(pp.decomposition_design(rows, differences), seed=1, draws=250)).set_index("term")
        for rows in (arms, pd.concat([arms, pd.DataFrame(tiny)], ignore_index=True))
    )
    assert before["evidence"].to_dict() == after["evidence"].to_dict()
    first = [table["verdict"].str.split(";").str[0].to_dict() for table in (before, after)]
    assert first[0] == first[1]
    assert 0 < after.loc["therapy", "share_isolated"] < 0.06
    assert before.loc["therapy", "tau_trials"] == before.loc["waiting list", "tau_trials"]
    assert after.loc["therapy", "tau_trials"] == before.loc["therapy", "tau_trials"] + 1
    assert before.loc["drug", "tau_prior"] == "halfnormal(0.5)"


@pytest.mark.parametrize(
    ("baseline", "evidence", "verdict"),
    [
        ("exchangeable", "between trials only", "rests on differences between trials"),
        ("free", "prior only", "the prior answers: the data say almost nothing"),
    ],
)
def test_a_term_that_is_constant_in_every_trial_speaks_only_between_trials(arm_row, baseline, evidence, verdict):
    design = toy(
        arm_row,
        DRUG_AMID_THERAPY,
        DRUG_ALONE,
        {"more": [{"therapy": 1.0}, {"dose": 0.5, "therapy": 1.0}]},
        baseline=baseline,
    )
    row = ledger(design).loc["therapy"]
    assert (row["evidence"], row["n_trials"]) == (evidence, 0)
    assert row["verdict"].startswith(verdict)


def trial_of_many(arm_row, se, n):
    rows = [
        arm_row(f"t{j}", a, y, se, dose=d) for j in range(n) for a, y, d in (("drug", -1.0, 1.0), ("pill", -0.5, 0.0))
    ]
    return pp.decomposition_design(pd.DataFrame(rows), terms={"drug"}, prior_tau_sd=0.05)


@pytest.mark.parametrize(
    ("se", "n", "verdict"),
    [
        (0.02, 4, "well informed by randomised contrasts"),
        (0.4, 1, "partly informed by randomised contrasts"),
        (3.0, 1, "the prior answers: the data say almost nothing"),
    ],
)
def test_the_verdict_follows_what_was_learned(arm_row, se, n, verdict):
    assert ledger(trial_of_many(arm_row, se, n)).loc["drug", "verdict"].startswith(verdict)


def test_a_prior_that_speaks_is_named_in_the_verdict(arm_row):
    table = ledger(trial_of_many(arm_row, 0.4, 1))
    assert table.loc["drug", "prior_sensitivity"] > 0.1
    assert "the prior speaks" in table.loc["drug", "verdict"]
    sharp = ledger(trial_of_many(arm_row, 0.02, 4))
    assert sharp.loc["drug", "prior_sensitivity"] < 0.1
    assert "the prior speaks" not in sharp.loc["drug", "verdict"]


def test_each_drug_is_told_what_its_own_trials_identify(arm_row):
    other = {
        "ket": [{"dose": 1.0, **KETAMINE}, KETAMINE],
        "ketamid": [{"dose": 1.0, "therapy": 1.0, **KETAMINE}, {"therapy": 1.0, **KETAMINE}],
    }
    idata = pp.fit(toy(arm_row, DRUG_AMID_THERAPY, other), seed=1)
    table = pp.drug_identifiability(idata).set_index(["drug", "quantity"])
    carried = "carried over from other drugs"
    assert table["evidence"].to_dict() == {
        ("ketamine", "alone"): ALONE,
        ("ketamine", "with therapy"): ALONE,
        ("ketamine", "difference made by therapy"): BETWEEN,
        ("psilocybin", "alone"): carried,
        ("psilocybin", "with therapy"): ALONE,
        ("psilocybin", "difference made by therapy"): carried,
    }
    assert table.loc[("ketamine", "alone"), "trials"] == "ket"
    effects = pp.relative_effects(idata).mean(("chain", "draw"))
    for drug in ("ketamine", "psilocybin"):
        alone, together = (float(effects.sel(drug=drug, therapy=amount)) for amount in (0, 1))
        assert table.loc[(drug, "alone"), "mean"] == pytest.approx(alone, abs=1e-12)
        assert table.loc[(drug, "with therapy"), "mean"] == pytest.approx(together, abs=1e-12)
        assert table.loc[(drug, "difference made by therapy"), "mean"] == pytest.approx(together - alone, abs=1e-12)


def test_without_the_interaction_there_is_no_ledger_by_drug(arm_row):
    idata = pp.fit(toy(arm_row, DRUG_ALONE, terms={"drug"}), seed=1)
    with pytest.raises(ValueError, match="has no drug:therapy term"):
        pp.drug_identifiability(idata)


@pytest.mark.parametrize("table", [pp.contraction, pp.posterior_correlations, pp.identifiability])
def test_a_fit_without_a_design_is_refused(table):
    bare = xr.DataTree.from_dict({"/posterior": xr.Dataset({"delta": (("chain", "draw"), PATTERNS[0])})})
    with pytest.raises(ValueError, match="this fit carries no design"):
        table(bare)


def test_in_the_evidence_the_drug_is_randomised_alone_and_therapy_hardly_ever():
    found = pp.load_evidence()
    arms = pp.arm_changes(found)
    table = within_trial_evidence(pp.decomposition_design(arms, pp.contrasts(found, besides=arms))).set_index(
        "variable"
    )
    assert {"murrough2013", "popova2019", "robison2025"} <= set(table.loc["delta", "unconfounded"])
    assert "goodwin2022" not in table.loc["delta", "unconfounded"]
    assert {"davis2021", "grabski2022"} <= set(table.loc["psi", "trials"])
    assert len(table.loc["psi", "trials"]) <= 6


def test_in_the_evidence_therapy_in_psilocybin_and_mdma_trials_rests_on_differences_between_trials():
    found = pp.load_evidence()
    arms = pp.arm_changes(found)
    idata = pp.fit(pp.decomposition_design(arms, pp.contrasts(found, besides=arms)), seed=1)
    table = pp.identifiability(idata).set_index("term")
    assert table.loc["drug", "evidence"] == ALONE
    for term in ("therapy", "drug x therapy"):
        assert table.loc[term, "n_unconfounded"] == 0
        assert "rests on differences between trials" in table.loc[term, "verdict"]
    # waiting lists, a factorial trial and an add-on trial
    assert table.loc["therapy", "trials"] == "davis2021, grabski2022, rosenblat2024, wilkinson2021"
    drugs = pp.drug_identifiability(idata).set_index(["drug", "quantity"])["evidence"]
    for drug in ("psilocybin", "MDMA"):
        assert drugs[drug, "with therapy"] == ALONE
        assert drugs[drug, "alone"] == drugs[drug, "difference made by therapy"] == "carried over from other drugs"
