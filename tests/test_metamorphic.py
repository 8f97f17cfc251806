"""What must not change the answer does not; what must change it in a known way does. Cases are drawn by hypothesis."""

import warnings

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import pillprocess as pp
from pillprocess.gaussian.fit import integrate
from pillprocess.gaussian.marginals import linear_summary
from tests.conftest import TERMS, make_arm_row

FEW = settings(max_examples=4, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
TERM_NAMES = ("delta", "kappa", "psi")

# The lattice over the heterogeneity SDs starts where rounding puts it; its own accuracy is four digits.
SAME = {"rel": 2e-4, "abs": 2e-4}


def evidence_of_six_trials(seed: int, *, therapy_within: bool = True) -> pd.DataFrame:
    """Simulated arms: two drugs, three arms in the first trial, therapy varied within the last."""
    rng = np.random.default_rng(seed)
    rows = []
    for j in range(6):
        drug = ("psilocybin", "MDMA")[j % 2]
        doses = (0.0, 0.4, 1.0) if j == 0 else (0.0, 1.0)
        for k, dose in enumerate(doses):
            therapy = float(j > 2) if j < 5 or not therapy_within else float(k)
            y = -0.5 - 0.6 * dose - 0.2 * dose * therapy + rng.normal(0, 0.2)
            cells = {"dose": dose, "therapy": therapy, "study_drug": drug, "drug_given": drug}
            rows.append(make_arm_row(f"t{j}", f"arm {k}", y, rng.uniform(0.1, 0.3), **cells))
    return pd.DataFrame(rows)


def terms_of(arms: pd.DataFrame, contrasts: pd.DataFrame | None = None, **options: object) -> pd.DataFrame:
    """Posterior of the pooled terms and of the drugs' deviations, in closed form."""
    design = pp.decomposition_design(arms, contrasts, **options)
    wanted = [*TERM_NAMES, *(f"v[{d}]" for d in ("psilocybin", "MDMA"))]
    return linear_summary(design, {name: {name: 1.0} for name in wanted})


def same(a: pd.DataFrame, b: pd.DataFrame) -> None:
    for column in ("mean", "sd", "ci_low", "ci_high"):
        assert a[column].to_numpy() == pytest.approx(b[column].to_numpy(), **SAME), column


@FEW
@given(seed=st.integers(0, 1000), order=st.permutations(range(13)))
def test_the_order_of_the_rows_does_not_matter(seed, order):
    arms = evidence_of_six_trials(seed)
    same(terms_of(arms), terms_of(arms.iloc[list(order)]))


@FEW
@given(seed=st.integers(0, 1000), names=st.lists(st.text(min_size=1, max_size=20), min_size=6, max_size=6, unique=True))
def test_what_trials_and_arms_are_called_does_not_matter(seed, names):
    arms = evidence_of_six_trials(seed)
    trial = arms["trial"].map(dict(zip(sorted(set(arms["trial"])), names, strict=True)))
    renamed = arms.assign(trial=trial, arm=names[0], label=[f"{name}{i}" for i, name in enumerate(trial)])
    same(terms_of(arms), terms_of(renamed))


@FEW
@given(seed=st.integers(0, 1000), factor=st.floats(0.01, 1000))
def test_the_unit_of_the_outcome_only_changes_the_unit_of_the_answer(seed, factor):
    arms = evidence_of_six_trials(seed)
    priors = {
        "prior_drug_sd": 0.7, "prior_therapy_sd": 0.7, "prior_course_sd": 5.0, "prior_waitlist_sd": 0.7,
        "prior_comparator_sd": 0.7, "prior_interaction_sd": 0.35, "prior_free_baseline_sd": 10.0, "prior_tau_sd": 0.5,
    }  # fmt: skip
    scaled = arms.assign(y=factor * arms["y"], se=factor * arms["se"])
    table = terms_of(scaled, **{name: factor * value for name, value in priors.items()})
    same(terms_of(arms), table[["mean", "sd", "ci_low", "ci_high"]] / factor)


@FEW
@given(seed=st.integers(0, 1000), split=st.integers(0, 12), share=st.floats(0.1, 0.9), gap=st.floats(-0.5, 0.5))
def test_an_arm_reported_as_two_halves_says_what_the_whole_arm_says(seed, split, share, gap):
    arms = evidence_of_six_trials(seed)
    whole = arms.iloc[[split]]
    se = whole["se"].iloc[0] / np.sqrt([share, 1 - share])
    y = whole["y"].iloc[0] + gap * np.array([1 - share, -share])
    halves = pd.concat([whole.assign(y=y[i], se=se[i], label=f"half {i}", arm=f"half {i}") for i in (0, 1)])
    same(terms_of(arms), terms_of(pd.concat([arms.drop(arms.index[split]), halves], ignore_index=True)))


@FEW
@given(seed=st.integers(0, 1000), n=st.integers(2, 8))
def test_participants_say_what_their_means_say(seed, n):
    # Within-arm SD known, so that a participant is a row with that SD and the arm's mean is sufficient.
    rng = np.random.default_rng(seed)
    arms = evidence_of_six_trials(seed)
    people = arms.loc[arms.index.repeat(n)].reset_index(drop=True)
    noise = rng.normal(size=(len(arms), n))
    noise -= noise.mean(axis=1, keepdims=True)
    people["y"] += noise.ravel()
    people["se"] *= np.sqrt(n)
    people["label"] += [f" person {i}" for i in range(len(people))]
    same(terms_of(arms), terms_of(people))


@FEW
@given(seed=st.integers(0, 1000), chosen=st.lists(st.integers(1, 5), min_size=1, max_size=4, unique=True))
def test_a_difference_of_two_arms_says_what_the_arms_say_when_only_differences_speak(seed, chosen):
    arms = evidence_of_six_trials(seed)
    trials = [f"t{j}" for j in chosen]
    kept, pairs = arms[~arms["trial"].isin(trials)], arms[arms["trial"].isin(trials)]
    control, active = pairs.iloc[::2].reset_index(drop=True), pairs.iloc[1::2].reset_index(drop=True)
    contrasts = active.assign(
        kind="contrast", reference_arm=control["arm"], y=active["y"] - control["y"], se=np.hypot(active["se"], control["se"]),
        n_arm=20.0, n_reference=20.0, **{f"reference_{term}": control[term] for term in TERMS},
    )  # fmt: skip
    # A baseline is free when its prior is far wider than the differences; 1000 SDs leave a millionth of its information.
    options = {"baseline": "free", "prior_free_baseline_sd": 1000.0}
    same(terms_of(arms, **options), terms_of(kept, contrasts, **options))


@FEW
@given(seed=st.integers(0, 1000), y=st.floats(-5, 5))
def test_a_trial_that_says_nothing_changes_nothing(seed, y):
    arms = evidence_of_six_trials(seed)
    cells = {"study_drug": "psilocybin", "drug_given": "psilocybin", "therapy": 1.0}
    silent = [make_arm_row("silent", f"arm {k}", y, 1e4, dose=float(k), **cells) for k in (0, 1)]
    same(terms_of(arms), terms_of(pd.concat([arms, pd.DataFrame(silent)], ignore_index=True)))


def test_the_marginal_likelihood_does_not_depend_on_the_order_of_the_rows():
    arms = evidence_of_six_trials(3)
    forwards, backwards = (
        integrate(pp.decomposition_design(a)).log_marginal_likelihood for a in (arms, arms.iloc[::-1])
    )
    assert forwards == pytest.approx(backwards, abs=3e-4)


def outcome_rows(build_evidence, *, higher_is_worse: int, scale: float, shift: float) -> pd.DataFrame:
    """One trial on an instrument whose points are mirrored, stretched and shifted."""
    sign = 1 if higher_is_worse else -1
    means = {"drug": (31.0, 18.0), "placebo": (30.0, 25.0)}
    outcomes = [
        {
            "trial_id": "t", "arm_id": arm, "instrument": "scale", "baseline_mean": shift + sign * scale * before,
            "post_mean": shift + sign * scale * after, "change_sd": scale * 8.0,
        }
        for arm, (before, after) in means.items()
    ]  # fmt: skip
    evidence = build_evidence(
        trials=[{"trial_id": "t"}],
        arms=[
            {"trial_id": "t", "arm_id": "drug", "role": "active", "drug": "psilocybin", "dose_mg_equiv": 25.0},
            {"trial_id": "t", "arm_id": "placebo", "role": "inert_placebo", "drug": "placebo"},
        ],
        outcomes=outcomes,
        instruments=[{"instrument": "scale", "reference_sd": scale * 10.0, "higher_is_worse": higher_is_worse}],
    )
    return pp.arm_changes(evidence, correlation=0.5)


@FEW
@given(higher_is_worse=st.integers(0, 1), scale=st.floats(0.01, 100), shift=st.floats(-50, 50))
def test_direction_unit_and_origin_of_an_instrument_do_not_matter(build_evidence, higher_is_worse, scale, shift):
    plain = outcome_rows(build_evidence, higher_is_worse=1, scale=1.0, shift=0.0)
    other = outcome_rows(build_evidence, higher_is_worse=higher_is_worse, scale=scale, shift=shift)
    assert plain["y"].tolist() == pytest.approx([-1.3, -0.5], rel=1e-12)
    assert other["y"].tolist() == pytest.approx(plain["y"].tolist(), rel=1e-9)
    assert other["se"].tolist() == pytest.approx(plain["se"].tolist(), rel=1e-12)


CODINGS = {
    "text": lambda t: pd.Series(np.where(t, "drug", "placebo")),
    "categories": lambda t: pd.Series(np.where(t, "drug", "placebo"), dtype="category"),
    "numbers": lambda t: pd.Series(t),
    "decimals": lambda t: pd.Series(t, dtype=float),
    "marks": lambda t: pd.Series(t == 1),
    "digits": lambda t: pd.Series(t).astype(str),
    "blanks around": lambda t: pd.Series(np.where(t, " drug", "placebo ")),
}


@FEW
@given(treated=st.lists(st.integers(0, 1), min_size=30, max_size=30).filter(lambda t: 5 < sum(t) < 25), data=st.data())
def test_how_the_treatment_is_coded_does_not_matter(treated, data):
    rng = np.random.default_rng(sum(treated))
    t = np.array(treated)
    table = pd.DataFrame({"m": rng.normal(size=30), "y": rng.normal(size=30)})
    order = data.draw(st.permutations(range(30)))
    for name, code in CODINGS.items():
        coded = table.assign(arm=code(t))
        reference = "placebo" if name in ("text", "categories", "blanks around") else None
        for one in (coded, coded.iloc[list(order)]):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", UserWarning)  # small arms
                people = pp.load_participants(one, treatment="arm", reference=reference, mediators="m", outcome="y")
            assert people.treatment.iloc[:, 0].sort_index().tolist() == t.tolist(), name
            assert people.outcome.sort_index().tolist() == table["y"].tolist()
