"""Effects that SAS gives for the Mayo clinic's trial of D-penicillamine, from coefficients fitted to the same people by maximum likelihood.

The mediation macro of Valeri & VanderWeele (2013, doi:10.1037/a0031034), as its output is kept with R's regmedint
(https://github.com/kaz-yos/regmedint, tests/reference_results, commit 4e0a73c): treatment 2 against 1, with bilirubin or whether it
is high as mediator, with interaction, at an age of 50, male, stage 2, cde at a mediator of 1. SAS prints five digits, and its
mediator's variance is the unbiased one. The coefficients were found with other code than the package's. Of the macro's kinds of outcome
Cox's model and the log-binomial ("loglinear") have no family here; case-control samples neither.
"""

import numpy as np
import pandas as pd
import pytest

from pillprocess.mediation.effects import natural_effects
from pillprocess.mediation.four_way import rare_outcome_effects
from pillprocess.mediation.model import mediation
from pillprocess.participants.table import load_participants
from tests.mediation.trees import tree

EFFECTS = ("cde", "pnde", "pnie", "tnde", "tnie", "te")
BILIRUBIN = [-1.9385464254, 0.6072257298, 0.0241948805, -0.6158320684, 1.2616376327]
HIGH_BILIRUBIN = [-1.7014104869, -0.1711686612, -0.0138612415, 1.3304556558, 0.7464048723]
"""Intercept, treatment, age, male, stage."""
VARIANCE = 20.0016222922

# kind of mediator, of outcome: coefficients (intercept, treatment, mediator, product, age, male, stage), shape, effects by SAS
CASES = {
    ("gaussian", "gaussian"): (
        [2299.6436918875, -243.3197577905, 35.7176876203, 45.3609991697, -7.5901744052, 207.6406725607, -10.331345917], None,
        [-197.959, -189.855, 21.689, -162.311, 49.233, -140.622],
    ),
    ("gaussian", "logit"): (
        [-3.4264781994, -0.1609409285, 0.1175254638, -0.0421235288, -0.0122633427, -1.3055272385, 0.9433125842], None,
        [0.81623, 0.74687, 1.07397, 0.72801, 1.04685, 0.78186],
    ),
    ("gaussian", "poisson"): (
        [-6.8031285588, -0.2087780371, 0.1049653318, -0.0121140576, 0.0453759161, -0.1741297155, 0.7247161774], None,
        [0.80180, 0.78112, 1.06581, 0.77540, 1.05800, 0.82643],
    ),
    ("gaussian", "negative_binomial"): (
        [-6.8076454808, -0.2079490754, 0.1052501137, -0.0121609111, 0.0453915579, -0.1705805282, 0.7250891409], 67.319010537,
        [0.80243, 0.78161, 1.06600, 0.77586, 1.05815, 0.82706],
    ),
    ("gaussian", "exponential"): (
        [11.0217950082, 0.1686957053, -0.1160441251, -0.0004602647, -0.008854329, -0.4847318816, -0.5906089542], 1.0,
        [1.18322, 1.18438, 0.93196, 1.18405, 0.93170, 1.10349],
    ),
    ("gaussian", "weibull"): (
        [10.1322454779, 0.1570535656, -0.0880711514, -0.0086594132, -0.005640457, -0.3413627901, -0.4552437842], 1.4918562329,
        [1.15997, 1.17686, 0.94793, 1.17069, 0.94295, 1.10973],
    ),
    ("logit", "gaussian"): (
        [2088.091041777, -52.7331643169, 607.5279427824, 42.0409565868, -4.4332091387, -15.4117775752, -49.1555930714], None,
        [-10.6922, -27.2739, -25.2326, -29.0200, -26.9786, -54.2525],
    ),
    ("logit", "logit"): (
        [-3.8316741471, -0.2491053727, 1.0699641586, 0.0587877775, -0.0062808464, -1.6284775227, 0.9176569405], None,
        [0.82670, 0.81808, 0.96317, 0.81681, 0.96167, 0.78672],
    ),
    ("logit", "poisson"): (
        [-7.302082831, -0.2100524558, 0.8591546266, 0.049331157, 0.0510301416, -0.5869298151, 0.7907392435], None,
        [0.85153, 0.84267, 0.96901, 0.84142, 0.96758, 0.81535],
    ),
    ("logit", "negative_binomial"): (
        [-7.3469954562, -0.1779946385, 0.8612326108, 0.0713581724, 0.0505439669, -0.511871097, 0.8018476768], 2.1598825977,
        [0.89885, 0.88549, 0.96895, 0.88361, 0.96689, 0.85617],
    ),
    ("logit", "exponential"): (
        [11.6436403868, 0.0236220066, -1.4669729783, 0.1043942219, -0.0178096212, -0.0250637916, -0.5161641779], 1.0,
        [1.13657, 1.05337, 1.05983, 1.04980, 1.05624, 1.11261],
    ),
    ("logit", "weibull"): (
        [10.7314157059, 0.0162949839, -1.1571349263, 0.1252398347, -0.0134465023, -0.0030424451, -0.4104826289], 1.4081461233,
        [1.15204, 1.06058, 1.04869, 1.05564, 1.04381, 1.10704],
    ),
}  # fmt: skip


def stand_in(family_mediator: str, family_outcome: str):
    """A model with the columns of the trial, of made-up people; its numbers are replaced."""
    rng = np.random.default_rng(1)
    n = 40
    table = pd.DataFrame({"trt": 1 + np.arange(n) % 2, "age": rng.normal(50, 9, n), "male": np.arange(n) // 2 % 2})
    table = table.assign(stage=rng.integers(1, 5, n), bili=rng.gamma(2, 2, n), event=rng.integers(0, 2, n))
    table["bili"] = (table["bili"] > 3).astype(float) if family_mediator == "logit" else table["bili"]
    y = {"gaussian": rng.normal(size=n), "logit": rng.integers(0, 2, n)}
    table["y"] = y.get(family_outcome, rng.integers(1, 5, n)).astype(float)
    timed = family_outcome in ("exponential", "weibull")
    people = load_participants(
        table, treatment="trt", reference=1, outcome="y", mediators="bili", covariates=["age", "male", "stage"],
        event="event" if timed else None, higher_is_worse=False, repeated_rows="different people",
    )  # fmt: skip
    return mediation(people, family_mediator=family_mediator, family_outcome=family_outcome)


@pytest.mark.filterwarnings("ignore:.*(it extrapolates|beyond the longest time seen):UserWarning")
@pytest.mark.parametrize(("family_mediator", "family_outcome"), CASES, ids=[" and ".join(k) for k in CASES])
def test_conditional_effects_are_those_of_sas(family_mediator, family_outcome):
    (start, treatment, slope, product, *covariates), shape, sas = CASES[family_mediator, family_outcome]
    of_m = HIGH_BILIRUBIN if family_mediator == "logit" else BILIRUBIN
    draws = {
        "alpha_m": [[of_m[0]]], "a": [[[of_m[1]]]], "gamma_m": [[of_m[2:]]], "alpha_y": [start], "c": [[treatment]], "b": [[slope]],
        "theta": [[[product]]], "gamma_y": [covariates], "sigma_y": [1.0],
    }  # fmt: skip
    draws |= {} if family_mediator == "logit" else {"sigma_m": [[np.sqrt(VARIANCE)]]}
    name = "size_y" if family_outcome == "negative_binomial" else "shape_y"
    idata = tree(stand_in(family_mediator, family_outcome), draws | ({} if shape is None else {name: [shape]}))
    at = {"age": 50, "male": 1, "stage": 2}
    if family_outcome == "logit":
        effects = rare_outcome_effects(idata, m=1, at=at)
    elif family_outcome == "gaussian":
        effects = natural_effects(idata, m=1, at=at)
    elif family_outcome in ("exponential", "weibull"):
        effects = natural_effects(idata, m=1, at=at, of={"up_to": np.inf}, scale="log_time_ratio")
    else:
        effects = natural_effects(idata, m=1, at=at, scale="log_rate_ratio")
    found = np.array([float(effects[name][0, 0]) for name in EFFECTS])
    found = found if family_outcome == "gaussian" else np.exp(found)
    tolerance = 6e-4 if family_outcome == "gaussian" else 2e-5  # the digits that SAS prints
    assert found == pytest.approx(sas, abs=tolerance)
