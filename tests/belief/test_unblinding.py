"""Belief as a mediator and expectancy as a moderator: densities, effects, refusals, and recovery on simulated trials."""

import numpy as np
import pandas as pd
import pymc as pm
import pytest
import xarray as xr
from scipy import stats

from pillprocess.belief import person_effects
from pillprocess.belief.coding import check_belief, code_guess, is_unsure
from pillprocess.belief.estimands import belief_bounds, belief_effects
from pillprocess.belief.expectancy import expectancy_moderation, moderation_effects
from pillprocess.belief.unblinding import unblinding
from pillprocess.inference.fit import check_fit, fit
from pillprocess.participants.table import Participants, load_participants

PEOPLE = 20
GUESS = {"belief": "guess", "belief_timing": "endpoint"}


def simulate(
    n: int, *, c: float, b: float, a: float = 1.2, d: float = 0.0, visits: int = 1, seed: int = 1
) -> pd.DataFrame:
    """Rows of people in two arms; belief rises by ``a`` (probit) with the drug and by ``d`` per SD of the outcome."""
    rng = np.random.default_rng(seed)
    person = np.repeat(np.arange(n), visits)
    drug = rng.integers(0, 2, n * visits) if visits > 1 else np.arange(n) % 2
    shared = 0.6 * rng.normal(size=n)[person]
    noise = rng.normal(size=n * visits)
    if d:
        y = c * drug + shared + noise
        guess = (-0.5 + a * drug + d * y + rng.normal(size=n * visits)) > 0
    else:
        guess = (-0.5 + a * drug + 0.5 * rng.normal(size=n)[person] + rng.normal(size=n * visits)) > 0
        y = c * drug + b * guess + shared + noise
    return pd.DataFrame(
        {"id": person, "arm": np.where(drug, "drug", "placebo"), "guess": guess.astype(float), "y": 10 * y}
    )


def loaded(table: pd.DataFrame, **roles: object) -> Participants:
    usual = {
        "treatment": "arm",
        "reference": "placebo",
        "outcome": "y",
        "mediators": ["guess"],
        "repeated_rows": "modelled",
    }
    return load_participants(table, **(usual | roles))


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    rows = simulate(PEOPLE, c=-0.4, b=-0.8, visits=3)
    rng = np.random.default_rng(4)
    return rows.assign(
        age=rng.normal(40, 10, len(rows)), meq=rng.normal(50, 9, len(rows)) + 5 * (rows["arm"] == "drug")
    )


def density(model: pm.Model) -> tuple[float, dict[str, np.ndarray]]:
    """Log likelihood and values of all free variables at a random point."""
    rng = np.random.default_rng(3)
    point = {name: value + 0.3 * rng.normal(size=np.shape(value)) for name, value in model.initial_point().items()}
    variables = [*model.free_RVs, *model.deterministics]
    outputs = [model.logp(vars=[*model.observed_RVs, *model.potentials]), *model.replace_rvs_by_values(variables)]
    options = {"mode": "FAST_COMPILE", "on_unused_input": "ignore", "point_fn": True}
    values = model.compile_fn(outputs, inputs=model.value_vars, **options)(point)
    return float(values[0]), dict(zip([v.name for v in variables], values[1:], strict=True))


@pytest.mark.parametrize("order", ["belief_first", "outcome_first"])
@pytest.mark.parametrize("experience", [False, True])
def test_the_density_is_that_of_the_docstring(
    table: pd.DataFrame, order: str, experience: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(person_effects, "NODES", 101)
    people = loaded(table, mediators=["guess", "meq"] if experience else ["guess"], covariates=["age"])
    value, v = density(unblinding(people, **GUESS, person=table["id"], order=order))
    within = table.groupby("arm")
    sd = {k: np.sqrt((within[k].var() * (within[k].count() - 1)).sum() / (len(table) - 2)) for k in ("y", "meq")}
    Y = ((table["y"] - table["y"].mean()) / sd["y"]).to_numpy()
    S = ((table["meq"] - table["meq"].mean()) / sd["meq"]).to_numpy() * experience
    X = ((table["age"] - table["age"].mean()) / table["age"].std()).to_numpy()
    B, T = table["guess"].to_numpy(), (table["arm"] == "drug").to_numpy(float)
    size = 3 if experience else 2
    R = np.eye(size)
    R[np.triu_indices(size, 1)] = v["correlation"]
    G = (R + R.T - np.eye(size)) * np.outer(v["tau"], v["tau"])
    belief = v["alpha_belief_raw"] + v["a_belief_raw"][0] * T + v["gamma_belief_raw"][0] * X
    outcome = v["alpha_outcome_raw"] + v["c_raw"][0] * T + v["gamma_outcome_raw"][0] * X
    if experience:
        mean = v["alpha_experience_raw"] + v["a_experience_raw"][0] * T + v["gamma_experience_raw"][0] * X
        belief = belief + v["d_experience_raw"] * S
        outcome = outcome + (v["b_experience_raw"] + v["theta_experience_raw"][0] * T) * S
    if order == "belief_first":
        outcome = outcome + (v["b_raw"] + v["theta_raw"][0] * T) * (B - B.mean())
        np.testing.assert_allclose(v["b"], v["b_raw"] * sd["y"])
    else:
        belief = belief + v["d_outcome_raw"] * Y
    residuals = [S - mean, Y - outcome] if experience else [Y - outcome]
    sigmas = [v["sigma_experience_raw"], v["sigma_raw"]] if experience else [v["sigma_raw"]]
    belief = belief * np.sqrt(1 + v["tau"][0] ** 2)
    expected = 0.0
    for who in range(PEOPLE):
        here = (table["id"] == who).to_numpy()
        n = here.sum()
        r = np.concatenate([residual[here] for residual in residuals])
        covariance = np.kron(G[1:, 1:], np.ones((n, n))) + np.diag(np.repeat(np.square(sigmas), n))
        pull = np.linalg.solve(covariance, np.repeat(G[1:, 0], n))
        centre, spread = pull @ r, np.sqrt(G[0, 0] - pull @ np.repeat(G[1:, 0], n))
        grid = centre + spread * np.linspace(-9, 9, 4001)
        chance = stats.norm.cdf((2 * B[here] - 1)[:, None] * (belief[here][:, None] + grid)).prod(0)
        average = np.trapezoid(chance * stats.norm.pdf(grid, centre, spread), grid)
        expected += stats.multivariate_normal.logpdf(r, cov=covariance) + np.log(average)
    assert value == pytest.approx(expected, rel=1e-7)


@pytest.mark.parametrize("order", ["belief_first", "outcome_first"])
def test_a_guess_that_is_missing_is_averaged_over(order: str) -> None:
    rows = simulate(40, c=-0.4, b=-0.8)
    silent = rows.index < 7
    people = loaded(rows.assign(guess=rows["guess"].mask(silent)))
    value, v = density(unblinding(people, **GUESS, order=order))
    within = rows.groupby("arm")["y"]
    Y = ((rows["y"] - rows["y"].mean()) / np.sqrt((within.var() * (within.count() - 1)).sum() / 38)).to_numpy()
    T, B = (rows["arm"] == "drug").to_numpy(float), rows["guess"].to_numpy()
    centre = B[~silent].mean()
    belief = v["alpha_belief_raw"] + v["a_belief_raw"][0] * T + v.get("d_outcome_raw", 0.0) * Y
    slope = v["b_raw"] + v["theta_raw"][0] * T if order == "belief_first" else 0 * T
    chance = {b: stats.norm.cdf((2 * b - 1) * belief) for b in (0, 1)}
    mean = v["alpha_outcome_raw"] + v["c_raw"][0] * T
    like = {b: stats.norm.pdf(Y, mean + slope * (b - centre), v["sigma_raw"]) for b in (0, 1)}
    each = np.where(B == 1, chance[1] * like[1], chance[0] * like[0])
    either = chance[0] * like[0] + chance[1] * like[1] if order == "belief_first" else like[0]
    assert value == pytest.approx(np.log(np.where(silent, either, each)).sum(), rel=1e-9)


def test_the_quadrature_over_people_is_exact_enough(table: pd.DataFrame, monkeypatch: pytest.MonkeyPatch) -> None:
    value, _ = density(unblinding(loaded(table), **GUESS, person=table["id"]))
    monkeypatch.setattr(person_effects, "NODES", 101)
    assert value == pytest.approx(density(unblinding(loaded(table), **GUESS, person=table["id"]))[0], abs=0.01)


def test_without_repeats_there_are_no_person_effects() -> None:
    model = unblinding(loaded(simulate(40, c=0, b=-1)), **GUESS, interaction=False)
    assert set(model.named_vars) >= {"c", "b", "sigma"}
    assert not {"tau", "theta_raw", "u_raw"} & set(model.named_vars)
    assert all(model.named_vars_to_dims.get(v.name) for v in model.observed_RVs)


COEFFICIENTS = {
    "alpha_belief": -0.4, "a_belief": 0.7, "gamma_belief": 0.3, "d_experience": 0.5, "alpha_experience": -0.2, "a_experience": 0.9,
    "gamma_experience": 0.4, "sigma_experience": 0.8, "alpha_outcome": 0.1, "c": -0.3, "gamma_outcome": -0.2, "b_experience": -0.5,
    "theta_experience": 0.2, "sigma": 0.9,
}  # fmt: skip


def fitted(order: str, coefficients: dict[str, float], *, people: bool, covariate: bool) -> xr.DataTree:
    """A fit with one draw, written by hand."""
    dims = {"c": "arm", "a_belief": "arm", "a_experience": "arm", "theta": "arm", "theta_experience": "arm"}
    values = {}
    for name, value in coefficients.items():
        dim = "covariate" if name.startswith("gamma") else dims.get(name)
        if name.startswith("gamma") and not covariate:
            continue
        values[f"{name}_raw"] = (("chain", "draw", dim), [[[value]]]) if dim else (("chain", "draw"), [[value]])
    coords = {"chain": [0], "draw": [0], "arm": ["drug"], "covariate": ["x"] if covariate else []}
    if people:
        equations = ["guess"] + (["meq"] if "a_experience" in coefficients else []) + ["y"]
        pairs = [f"{p} ~ {q}" for k, p in enumerate(equations) for q in equations[k + 1 :]]
        values |= {
            "tau": (("chain", "draw", "equation"), [[[0.7, 0.5, 0.6]]]),
            "correlation": (("chain", "draw", "equation_pair"), [[[-0.2, 0.4, 0.3]]]),
        }
        coords |= {"equation": equations, "equation_pair": pairs}
    profiles, weight = (np.array([[-1.0], [2.0]]), [2 / 3, 1 / 3]) if covariate else (np.zeros((1, 0)), [1.0])
    constant = xr.Dataset(
        {
            "profile_covariates": (("profile", "covariate"), profiles), "profile_weight": ("profile", weight),
            "outcome_sd": 10.0, "belief_mean": 0.5, "outcome_first": int(order == "outcome_first"),
        },
        coords={"covariate": coords["covariate"]},
    )  # fmt: skip
    return xr.DataTree.from_dict({"/posterior": xr.Dataset(values, coords=coords), "/constant_data": constant})


def test_effects_of_one_row_per_person_by_hand() -> None:
    idata = fitted(
        "belief_first", {"alpha_belief": -0.5, "a_belief": 1.0, "alpha_outcome": 0.0, "c": -0.2, "b": -0.6, "theta": -0.1,
                         "sigma": 1.0}, people=False, covariate=False,
    )  # fmt: skip
    effects = belief_effects(idata)
    p0, p1 = stats.norm.cdf(-0.5), stats.norm.cdf(0.5)
    through, rest = -7.0 * (p1 - p0), -2.0 - 1.0 * (p0 - 0.5)
    assert effects["through_belief"].item() == pytest.approx(through)
    assert effects["not_through_belief"].item() == pytest.approx(rest)
    assert effects["te"].item() == pytest.approx(through + rest)
    assert effects["belief_difference"].item() == pytest.approx(p1 - p0)
    assert "through_experience" not in effects


@pytest.mark.parametrize("order", ["belief_first", "outcome_first"])
def test_effects_are_those_of_simulated_interventions(order: str) -> None:
    """Two million people drawn from the equations, each treatment set by hand."""
    own = {"b": -0.6, "theta": -0.3} if order == "belief_first" else {"d_outcome": -0.8}
    k = COEFFICIENTS | own
    effects = belief_effects(fitted(order, k, people=True, covariate=True))
    rng = np.random.default_rng(8)
    n = 2_000_000
    R = np.array([[1, 0.3, -0.2], [0.3, 1, 0.4], [-0.2, 0.4, 1]])
    u = rng.normal(size=(n, 3)) @ (np.linalg.cholesky(R) * np.array([0.5, 0.6, 0.7])[:, None]).T
    x = np.where(rng.random(n) < 2 / 3, -1.0, 2.0)
    e_s, e_y, e_b = rng.normal(size=(3, n))

    def experience(t: int) -> np.ndarray:
        return (
            k["alpha_experience"]
            + k["a_experience"] * t
            + k["gamma_experience"] * x
            + u[:, 0]
            + k["sigma_experience"] * e_s
        )

    def outcome(t: int, S: np.ndarray, B: np.ndarray) -> np.ndarray:
        slope = k.get("b", 0) + k.get("theta", 0) * t
        mean = k["alpha_outcome"] + k["c"] * t + (k["b_experience"] + k["theta_experience"] * t) * S + slope * (B - 0.5)
        return mean + k["gamma_outcome"] * x + u[:, 1] + k["sigma"] * e_y

    def belief(t: int, S: np.ndarray, Y: np.ndarray) -> np.ndarray:
        mean = (
            k["alpha_belief"]
            + k["a_belief"] * t
            + k["d_experience"] * S
            + k["gamma_belief"] * x
            + k.get("d_outcome", 0) * Y
        )
        return (np.sqrt(1 + 0.7**2) * mean + u[:, 2] + e_b > 0).astype(float)

    S0, S1, none = experience(0), experience(1), np.full(n, 0.5)
    if order == "belief_first":
        B0, B1 = belief(0, S0, none), belief(1, S1, none)
        te = (outcome(1, S1, B1) - outcome(0, S0, B0)).mean()
        through_belief = (outcome(1, S1, B1) - outcome(1, S1, B0)).mean()
        through_experience = (outcome(1, S1, B0) - outcome(1, S0, B0)).mean()
    else:
        Y0, Y1 = outcome(0, S0, none), outcome(1, S1, none)
        B0, B1 = belief(0, S0, Y0), belief(1, S1, Y1)
        te, through_belief, through_experience = (Y1 - Y0).mean(), 0.0, (Y1 - outcome(1, S0, none)).mean()
        share = (B1 - belief(1, S1, Y0)).mean()
        assert effects["belief_through_outcome"].item() == pytest.approx(share, abs=2e-3)
    expected = {
        "te": te, "through_belief": through_belief, "not_through_belief": te - through_belief,
        "through_experience": through_experience, "direct": te - through_belief - through_experience,
        "through_belief_or_experience": through_belief + through_experience,
    }  # fmt: skip
    for name, value in expected.items():
        assert effects[name].item() == pytest.approx(10 * value, abs=0.02), name
    assert effects["belief_difference"].item() == pytest.approx((B1 - B0).mean(), abs=2e-3)


def test_bounds_put_both_orders_in_one_table() -> None:
    plain = {"alpha_belief": -0.5, "a_belief": 1.0, "alpha_outcome": 0.0, "c": -0.2, "sigma": 1.0}
    one = fitted("belief_first", plain | {"b": -0.6}, people=False, covariate=False)
    other = fitted("outcome_first", plain | {"d_outcome": -0.5}, people=False, covariate=False)
    for idata in (one, other):
        idata["posterior"] = xr.DataTree(
            xr.concat([idata["posterior"].dataset] * 8, dim="draw").assign_coords(draw=range(8))
        )
    with np.errstate(invalid="ignore"):
        table = belief_bounds({"belief_first": one, "outcome_first": other}).set_index(["order", "estimand"])
    assert table.loc[("outcome_first", "through_belief"), "mean"] == 0
    assert table.loc[("belief_first", "through_belief"), "mean"] == pytest.approx(-6 * 0.3829, abs=1e-3)
    assert table["joint_correlation"].isna().all()


def test_bounds_say_how_the_split_between_belief_and_experience_is_correlated() -> None:
    """Draws whose b falls as b_S rises: what is taken from one part is given to the other."""
    drawn = []
    for shift in np.linspace(-0.3, 0.3, 8):
        moved = COEFFICIENTS | {"b": -0.6 + shift, "theta": 0.0, "theta_experience": 0.0, "b_experience": -0.5 - shift}
        drawn.append(fitted("belief_first", moved, people=True, covariate=True))
    idata = drawn[0].copy()
    posterior = xr.concat([d["posterior"].dataset for d in drawn], dim="draw").assign_coords(draw=range(8))
    idata["posterior"] = xr.DataTree(posterior)
    table = belief_bounds({"belief_first": idata}).set_index("estimand")
    np.testing.assert_allclose(table["joint_correlation"], -1)
    joint = table.loc["through_belief_or_experience", "mean"]
    assert joint == pytest.approx(table.loc["through_belief", "mean"] + table.loc["through_experience", "mean"])


def test_effects_of_another_model_are_refused() -> None:
    with pytest.raises(ValueError, match=r"not of unblinding\(...\)"):
        belief_effects(xr.DataTree())


def test_an_arm_that_is_not_there_is_refused() -> None:
    idata = fitted(
        "belief_first", {"alpha_belief": 0, "a_belief": 1, "c": 0, "b": 1, "sigma": 1}, people=False, covariate=False
    )
    with pytest.raises(ValueError, match="arm = 'lsd': name one of the active arms, drug"):
        belief_effects(idata, arm="lsd")


def test_a_guess_measured_after_dosing_is_refused_as_a_baseline_covariate(table: pd.DataFrame) -> None:
    people = loaded(table, mediators=["meq"], covariates=["guess"])
    with pytest.raises(ValueError, match=r"column 'guess' was measured after dosing \(endpoint\).*covariate biases"):
        unblinding(people, **GUESS)
    check_belief(people, belief="guess", timing="pre_dose")


def test_an_expectation_rated_before_dosing_is_refused_as_a_mediator(table: pd.DataFrame) -> None:
    with pytest.raises(ValueError, match=r"measured before dosing: it cannot carry an effect.*expectancy_moderation"):
        unblinding(loaded(table), belief="guess", belief_timing="pre_dose")


@pytest.mark.parametrize(
    ("belief", "timing", "message"),
    [("guess", "later", "timing = 'later'; it must be one of pre_dose, post_dose, endpoint"),
     ("belief", "endpoint", "column 'belief' is neither mediator nor covariate")],
)  # fmt: skip
def test_unknown_timing_or_column_is_refused(table: pd.DataFrame, belief: str, timing: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        check_belief(loaded(table), belief=belief, timing=timing)


def test_every_problem_of_the_rows_is_listed(table: pd.DataFrame) -> None:
    rows = table.assign(guess=table["guess"] * 2, trial=np.arange(len(table)) // 30, cadss=table["meq"] ** 2)
    rows.loc[0, "y"] = np.nan
    people = loaded(rows, mediators=["guess", "meq", "cadss"], trial="trial")
    with pytest.raises(ValueError, match="no model was built") as error:
        unblinding(people, **GUESS, order="both", person=table["id"].iloc[:5])
    for part in (
        "order = 'both'", "column 'y': 1 rows are missing", "belief 'guess' holds 2; it must be 0 or 1",
        "one experience; got meq, cadss", "2 trials", "person must name somebody for every row",
    ):  # fmt: skip
        assert part in str(error.value)


def test_guesses_are_coded_by_the_arm_they_name() -> None:
    guess = pd.Series(["psilocybin", "niacin", None, "psilocybin"], name="guess")
    coded = code_guess(guess, active="psilocybin", reference="niacin")
    pd.testing.assert_series_equal(coded, pd.Series([1.0, 0.0, np.nan, 1.0], name="guess"))
    pd.testing.assert_series_equal(code_guess(coded, active="psilocybin", reference="niacin"), coded)


def test_a_guess_that_names_no_arm_is_reported() -> None:
    with pytest.raises(
        ValueError,
        match=r"column 'g': 'perhaps' name neither drug nor placebo; a guess is the label.*Nothing was fitted",
    ):
        code_guess(pd.Series(["drug", "perhaps"], name="g"), active=["drug"], reference="placebo")


def test_not_knowing_is_an_answer_and_no_guess() -> None:
    guess = pd.Series(["drug", "Don\N{RIGHT SINGLE QUOTATION MARK}t know", " unsure", None, "placebo"], name="g")
    assert is_unsure(guess).tolist() == [False, True, True, False, False]
    assert code_guess(guess, active="drug", reference="placebo").isna().tolist() == [False, True, True, True, False]


def test_booleans_are_guesses() -> None:
    assert code_guess(pd.Series([True, False]), active="drug", reference="placebo").tolist() == [1.0, 0.0]


def expecting(n: int = 60, *, h: float = -0.5, seed: int = 2) -> pd.DataFrame:
    """A trial with three scales, one of them reversed, in which expecting the drug to work makes it work more."""
    rng = np.random.default_rng(seed)
    drug, hope, other, u = np.arange(n) % 2, rng.normal(size=n), rng.normal(size=n), 0.7 * rng.normal(size=n)
    rows = []
    for scale, unit, sign in (("MADRS", 8.0, 1), ("BDI", 10.0, 1), ("WEMWBS", 9.0, -1)):
        before = rng.normal(size=n)
        y = -0.8 * drug + (0.1 + h * drug) * hope + 0.4 * before + u + 0.7 * rng.normal(size=n)
        rows.append(pd.DataFrame({
            "id": range(n), "scale": scale, "arm": np.where(drug, "drug", "placebo"), "y": 20 + sign * unit * y,
            "y0": 25 + sign * unit * before, "hope": 50 + 20 * hope, "other": 40 + 15 * other,
        }))  # fmt: skip
    return pd.concat(rows, ignore_index=True)


MODERATED = {
    "treatment": "arm", "reference": "placebo", "outcome": "y", "expectancy": ["hope", "other"], "expectancy_timing": "pre_dose",
    "scale": "scale", "person": "id", "baseline": "y0", "higher_is_better": ["WEMWBS"],
}  # fmt: skip


def test_the_moderation_density_is_that_of_the_docstring() -> None:
    rows = expecting(12).drop(index=[0, 30])
    value, v = density(expectancy_moderation(rows, **MODERATED))
    who = rows.drop_duplicates("id")
    scales, T = ["MADRS", "BDI", "WEMWBS"], (rows["arm"] == "drug").to_numpy(float)
    E = ((rows[["hope", "other"]] - who[["hope", "other"]].mean()) / who[["hope", "other"]].std()).to_numpy()
    residual = np.zeros(len(rows))
    for k, scale in enumerate(scales):
        here = (rows["scale"] == scale).to_numpy()
        sub, sign = rows[here], -1 if scale == "WEMWBS" else 1
        variance = sub.groupby("arm")["y"].agg(["var", "count"])
        sd = np.sqrt((variance["var"] * (variance["count"] - 1)).sum() / (len(sub) - 2))
        y, y0 = (sign * (sub[c] - sub[c].mean()) / sd for c in ("y", "y0"))
        mean = v["alpha_raw"][k] + v["c_scale"][k] * T[here] + v["beta"][k] * y0
        residual[here] = y - mean - (E[here] * (v["g_scale"][k] + v["h_scale"][k] * T[here, None])).sum(1)
    s, person = rows["scale"].map(scales.index).to_numpy(), rows["id"].to_numpy()
    covariance = np.diag(v["sigma"][s] ** 2) + v["tau_person"] ** 2 * np.equal.outer(person, person)
    assert value == pytest.approx(stats.multivariate_normal.logpdf(residual, cov=covariance), rel=1e-9)
    np.testing.assert_allclose(v["h_scale"], v["h"] + v["tau_h"] * v["h_scale_raw"])


def test_one_scale_has_no_pooling_and_no_person_effects() -> None:
    rows = expecting(12).query("scale == 'MADRS'")
    model = expectancy_moderation(rows, **(MODERATED | {"scale": None, "higher_is_better": (), "expectancy": "hope"}))
    assert not {"tau_c", "tau_h", "tau_person"} & set(model.named_vars)


def test_the_drug_effect_moves_with_expectancy() -> None:
    posterior = xr.Dataset(
        {"c": (("chain", "draw"), [[-0.5]]), "h": (("chain", "draw", "expectancy"), [[[-0.2]]]),
         "c_scale": (("chain", "draw", "scale"), [[[-0.4]]]), "h_scale": (("chain", "draw", "scale", "expectancy"), [[[[-0.3]]]])},
        coords={"expectancy": ["hope"], "scale": ["MADRS"]},
    )  # fmt: skip
    effects = moderation_effects(xr.DataTree.from_dict({"/posterior": posterior}))
    np.testing.assert_allclose(effects["drug_effect"].squeeze(), [-0.3, -0.5, -0.7])
    np.testing.assert_allclose(effects["drug_effect_by_scale"].sel(scale="MADRS").squeeze(), [-0.1, -0.4, -0.7])


def test_moderation_of_another_model_is_refused() -> None:
    with pytest.raises(ValueError, match=r"not of expectancy_moderation\(...\)"):
        moderation_effects(xr.DataTree.from_dict({"/posterior": xr.Dataset()}))


def test_a_guess_measured_after_dosing_cannot_moderate() -> None:
    with pytest.raises(
        ValueError, match=r"'hope', 'other' measured after dosing \(endpoint\) follow from the drug.*use unblinding"
    ):
        expectancy_moderation(expecting(12), **(MODERATED | {"expectancy_timing": "endpoint"}))


@pytest.mark.parametrize(
    ("change", "roles", "message"),
    [
        (lambda d: d.drop(columns="y0"), {}, "column 'y0' is not in the table, which has id, scale"),
        (lambda d: d.assign(y=d["y"].astype(object).where(d.index > 0, "high")), {}, "column 'y': 'high' is not a number"),
        (lambda d: d.assign(hope=d["hope"].where(d["id"] > 0)), {}, "column 'hope': 3 rows are missing"),
        (lambda d: d, {"reference": "niacin"}, "holds drug, placebo; two arms are compared, one of them the reference 'niacin'"),
        (lambda d: d, {"person": None}, "several scales and no person: name the column"),
        (lambda d: d, {"higher_is_better": ["QIDS"]}, "higher_is_better names QIDS; the scales are BDI, MADRS, WEMWBS"),
        (lambda d: pd.concat([d, d.iloc[:1]], ignore_index=True), {}, "1 rows repeat a person on a scale, the first is 0"),
        (lambda d: d.assign(hope=d["hope"] + (d["scale"] == "BDI")), {}, "column 'hope' changes within 12 people, the first is 0"),
    ],
)  # fmt: skip
def test_a_table_unfit_for_moderation_is_refused(change, roles: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        expectancy_moderation(change(expecting(12)), **(MODERATED | roles))


@pytest.mark.slow
def test_an_effect_that_is_all_belief_is_recovered() -> None:
    """150 people, three visits: the drug shifts belief, belief moves the outcome by -1 SD, the drug does nothing else."""
    rows = simulate(150, c=0.0, b=-1.0, visits=3, seed=11)
    idata = fit(unblinding(loaded(rows), **GUESS, person=rows["id"]), seed=1, draws=500, tune=500, target_accept=0.8)
    check_fit(idata, min_ess=200, max_r_hat=1.03)  # means to .07 posterior SDs
    effects = belief_effects(idata)
    shift = stats.norm.cdf(0.7 / np.sqrt(1.25)) - stats.norm.cdf(-0.5 / np.sqrt(1.25))
    for name, truth in (("through_belief", -10 * shift), ("not_through_belief", 0.0), ("te", -10 * shift)):
        assert abs(float(effects[name].mean()) - truth) < 2.5 * float(effects[name].std()), name
    assert float(effects["te"].quantile(0.975)) < 0
    assert float((effects["through_belief"] / effects["te"]).median()) > 0.6


@pytest.mark.slow
def test_a_guess_that_follows_improvement_is_recovered_and_the_wrong_order_overstates_belief() -> None:
    """The drug improves the outcome by 1 SD and people guess from that alone: belief carries nothing."""
    rows = simulate(400, c=-1.0, b=0.0, a=0.0, d=-1.0, seed=12)
    fits = {
        order: fit(unblinding(loaded(rows), **GUESS, order=order), seed=1, draws=400, tune=400)
        for order in ("outcome_first", "belief_first")
    }
    bounds = belief_bounds(fits).set_index(["order", "estimand"])
    for idata in fits.values():
        check_fit(idata)
    te = bounds.loc[("outcome_first", "te")]
    assert te["ci_low"] < -10.0 < te["ci_high"]
    explained = belief_effects(fits["outcome_first"])
    share = explained["belief_through_outcome"] / explained["belief_difference"]
    assert abs(float(share.mean()) - 1) < 2.5 * float(share.std())
    # The data fit either order; assuming belief acts makes it look a mediator of an effect that it only follows.
    assert bounds.loc[("belief_first", "through_belief"), "ci_high"] < 0
    assert bounds.loc[("belief_first", "te"), "mean"] == pytest.approx(te["mean"], abs=0.5)


@pytest.mark.slow
def test_drug_by_expectancy_is_recovered() -> None:
    idata = fit(expectancy_moderation(expecting(300), **MODERATED), seed=1, draws=500, tune=500, target_accept=0.95)
    check_fit(idata, min_ess=200, max_r_hat=1.03)  # means to .07 posterior SDs
    h = idata["posterior"].dataset["h"]
    unit = np.sqrt(0.4**2 + 0.7**2 + 0.7**2 + 0.35**2)
    for name, truth in (("hope", -0.5 / unit), ("other", 0.0)):
        draws = h.sel(expectancy=name)
        assert abs(float(draws.mean()) - truth) < 2.5 * float(draws.std()), name
    assert float(h.sel(expectancy="hope").quantile(0.975)) < 0
