r"""Whether this body of evidence could tell the accounts apart: evidence of its shape, simulated under stated truths, and fitted.

In every world the drug's whole effect is the same, and so is the within-arm association of
experience and improvement; they differ in what causes what. ``carried``: all of the effect runs through the experience, and the
association is the causal slope (:math:`b_d = T_d / a_d`, :math:`\delta_d = 0`). ``epiphenomenon``: none does, and all of the
association is bias (:math:`b_d = 0`, :math:`\delta_d = T_d`). The evidence is drawn with NumPy, not by the model that is fitted:
the same trials, arms, doses, people, scales, guesses and missing figures.
"""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr
from scipy.special import ndtr

from pillprocess.synthesis.compiled import Refit, compile_synthesis
from pillprocess.synthesis.data import TRIAL_SDS, course_columns, experiences_of_items, sd_of_effect
from pillprocess.synthesis.draws import expected_rows
from pillprocess.synthesis.effects import mediated_share, path_effects, usual_therapy

WORLDS = {"carried": "all of the drug's effect runs through the experience", "epiphenomenon": "none of it does"}
"""Worlds, and what is true in them."""

WHOLE = {"psilocybin": -0.7, "LSD": -0.7, "MDMA": -0.7, "ketamine": -0.5, "esketamine": -0.3}
"""Each drug's whole effect without belief, in reference SDs, near what its trials found."""

RAISED = {"psilocybin": 2.9, "LSD": 2.4, "MDMA": 1.2, "ketamine": 2.1, "esketamine": 2.0}
"""How far each drug raises its experience, in SDs."""

FIRST = {"mystical": "psilocybin", "prosocial": "MDMA", "dissociative": "ketamine"}
"""The drug whose slope each dimension's association has."""

SCALARS = {
    "tau": 0.33, "tau_mu": 0.38, "tau_therapy": 0.2, "tau_waitlist": 0.2, "tau_a": 0.5, "tau_zeta": 0.2, "tau_belief": 0.65,
    "psi": -0.1, "epsilon": -0.25, "omega": 0.2, "chi": -0.4, "g_0": -0.8, "g_placebo": 0.3, "g_drug": -0.5, "g_experience": 1.3,
}  # fmt: skip
LOADING = 0.8


def world(items: xr.Dataset, name: str) -> xr.Dataset:
    """Return the parameters of a world (chain = 1, draw = 1), as a posterior group holds them.

    Raises
    ------
    ValueError
        There is no such world.
    """
    if name not in WORLDS:
        raise ValueError(f"world = {name!r}; it must be one of {', '.join(WORLDS)}")
    drugs = sorted({*items["arm_drug"].to_numpy(), *items["score_path"].to_numpy()})
    whole, a = np.array([WHOLE[d] for d in drugs]), np.array([RAISED[d] for d in drugs])
    carried = float(name == "carried")
    dimensions = list(dict.fromkeys(experiences_of_items(items)[d] for d in drugs))
    association = [WHOLE[FIRST[q]] / RAISED[FIRST[q]] / float(items["outcome_sd"]) for q in dimensions]
    columns = course_columns(items)
    vectors = {
        "direct": ("drug", (1 - carried) * whole), "interaction": ("drug", 0 * whole), "a": ("drug", a), "b": ("drug", carried * whole / a),
        "zeta": ("dimension", np.arctanh(association)), "mu": ("course", np.full(int(columns.sum()), -0.9)),
        "loading": ("instrument", np.full(items.sizes["instrument"], LOADING)),
    }  # fmt: skip
    scalars = {k: ((), v) for k, v in SCALARS.items()}
    coords = {
        "drug": drugs, "dimension": dimensions, "instrument": items["instrument"].to_numpy(),
        "course": items["coefficient_label"].to_numpy()[columns],
    }  # fmt: skip
    return xr.Dataset(vectors | scalars, coords=coords).expand_dims(chain=1, draw=1)


def simulate_world(truth: xr.Dataset, items: xr.Dataset, rng: np.random.Generator) -> xr.Dataset:
    """Draw evidence of these items' shape from a world's parameters."""
    p = truth.isel(chain=0, draw=0)
    scalar = {name: float(p[name]) for name in SCALARS}
    sds = np.array([scalar[name] for name in TRIAL_SDS.values()])[sd_of_effect(items)]
    own = items["effect_loading"].to_numpy() @ (sds * rng.standard_normal(len(sds)))
    theta = expected_rows(truth, items).isel(chain=0, draw=0).to_numpy()
    new = {
        "y": ("row", theta + own + np.linalg.cholesky(items["covariance"].to_numpy()) @ rng.standard_normal(len(theta)))
    }
    new |= {"score_d": ("score", _scores(p, items, scalar["tau_a"], rng))}
    bridge = np.full(items.sizes["bridge"], np.arctanh(LOADING**2))
    new |= {"bridge_z": ("bridge", bridge + items["bridge_se"].to_numpy() * rng.standard_normal(len(bridge)))}
    z = np.arctanh(
        LOADING * np.tanh(p["zeta"].sel(dimension=xr.DataArray(items["association_dimension"].to_numpy())).to_numpy())
    )
    se = items["association_se"].to_numpy()
    z = z + np.hypot(se, scalar["tau_zeta"]) * rng.standard_normal(len(z))
    told = items["association_told"].to_numpy() == 1
    new |= {"association_z": ("association", np.where(told, 0.0, z))}
    new |= {"association_significant": ("association", np.where(told, np.abs(z) > 1.959964 * se, 0).astype(float))}
    return items.assign(new | _counts(p, items, scalar, rng))


def _scores(p: xr.Dataset, items: xr.Dataset, tau_a: float, rng: np.random.Generator) -> np.ndarray:
    """A study's own experience, one error per arm's people, one per scale."""
    study = np.char.add(
        np.char.add(items["score_study"].to_numpy().astype(str), ": "), items["score_path"].to_numpy().astype(str)
    )
    _, of_study = np.unique(study, return_inverse=True)
    _, of_arm = np.unique(items["score_arm"].to_numpy(), return_inverse=True)
    n = items["score_n"].to_numpy()
    raised = p["a"].sel(drug=xr.DataArray(items["score_path"].to_numpy())).to_numpy()
    raised = raised + tau_a * rng.standard_normal(of_study.max() + 1)[of_study]
    latent = items["score_dose"].to_numpy() * raised + rng.standard_normal(of_arm.max() + 1)[of_arm] / np.sqrt(n)
    sd = np.sqrt((1 - LOADING**2) / n + items["score_se"].to_numpy() ** 2)
    return LOADING * latent + sd * rng.standard_normal(len(n))


def _counts(
    p: xr.Dataset, items: xr.Dataset, s: dict[str, float], rng: np.random.Generator
) -> dict[str, tuple[str, np.ndarray]]:
    """Guesses and responders."""
    dose, awake = items["arm_dose"].to_numpy(), items["arm_awake"].to_numpy()
    where = {str(drug): i for i, drug in enumerate(p["drug"].to_numpy())}
    of = [
        where.get(str(drug), -1) for drug in items["arm_drug"].to_numpy()
    ]  # other drugs raise nothing that is modelled
    arm_of = {name: np.append(p[name].to_numpy(), 0.0)[of] for name in ("a", "b", "direct")}
    S = arm_of["a"] * dose * awake
    probit = (
        s["g_0"] + s["g_placebo"] * items["arm_active_placebo"].to_numpy() + s["g_drug"] * dose + s["g_experience"] * S
    )
    weight = items["guess_arm"].to_numpy()
    share = ndtr(probit + s["tau_belief"] * rng.standard_normal((len(weight), 1)))
    correct = np.clip(items["guess_constant"].to_numpy() + (weight * share).sum(axis=1), 0, 1)
    guesses = rng.binomial(items["guess_n"].to_numpy(), correct)
    blind, known = ndtr(probit / np.sqrt(1 + s["tau_belief"] ** 2)), items["arm_known"].to_numpy()
    belief = known * items["arm_active"].to_numpy() + (1 - known) * blind
    therapy = items["arm_therapy"].to_numpy()
    change = arm_of["direct"] * dose + arm_of["b"] * S + s["psi"] * therapy + s["epsilon"] * belief
    change = change + s["omega"] * items["arm_waitlist"].to_numpy() + s["chi"] * items["arm_comparator"].to_numpy()
    _, trial = np.unique(items["count_trial_of"].to_numpy(), return_inverse=True)
    member = items["count_arm"].to_numpy()
    k = trial.max() + 1 if len(trial) else 0
    own = s["tau"] * rng.standard_normal(k)[trial] * (member @ dose) + s["tau_therapy"] * rng.standard_normal(k)[
        trial
    ] * (member @ therapy)
    responding = ndtr((-0.5 - member @ change - own) / float(items["outcome_sd"]))
    responders = rng.binomial(items["count_n"].to_numpy(), responding)
    return {"guess_correct": ("guess", guesses), "count_responders": ("count", responders)}


def fit_worlds(
    items: xr.Dataset,
    *,
    datasets: int,
    seed: int,
    folder: Path,
    refit: Refit | None = None,
    worlds: tuple[str, ...] = tuple(WORLDS),
) -> pd.DataFrame:
    """Simulate and fit each world so many times; one line of ``worlds.jsonl`` per fit, on disk before the next begins.

    Parameters
    ----------
    items
        The evidence whose shape is kept.
    datasets
        Data sets per world. A run that was stopped goes on where it was.
    seed
        Data set i of a world draws from ``SeedSequence(seed, spawn_key=(world, i))``.
    folder
        Where the lines are kept.
    refit
        From :func:`pillprocess.compile_synthesis`.
    worlds
        Which worlds.

    Returns
    -------
    DataFrame, one row per world, data set, drug: truth, mean and interval of the effect ``experience``, ``total`` and
    ``direct``, ``p_most``, and ``divergences``.
    """
    from pillprocess.synthesis.model import synthesis

    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "worlds.jsonl"
    lines = [json.loads(line) for line in path.read_text().splitlines()] if path.is_file() else []
    done = {(line["world"], line["dataset"]) for line in lines}
    wanted = [(w, i) for i in range(datasets) for w in worlds if (w, i) not in done]
    again = (refit or compile_synthesis(synthesis(items))) if wanted else None
    for name, i in wanted:
        rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(list(WORLDS).index(name), i)))
        truth = world(items, name)
        assert again is not None  # compiled where anything is wanted
        fit = again(simulate_world(truth, items, rng), seed=i + 1, draws=400, tune=400, chains=2, target_accept=0.9)
        rows = [row | {"world": name, "dataset": i} for row in _rows(truth, fit, items)]
        with path.open("a") as file:
            file.write("".join(json.dumps(row) + "\n" for row in rows))
        lines += rows
    return pd.DataFrame(lines)


def _rows(truth: xr.Dataset, fit: xr.DataTree, items: xr.Dataset) -> list[dict[str, object]]:
    setting = usual_therapy(items)
    amounts = tuple(sorted(set(setting.values())))
    effects, true = path_effects(fit, therapy=amounts), path_effects(truth, therapy=amounts).isel(chain=0, draw=0)
    most = mediated_share(fit, therapy=amounts).set_index(["drug", "therapy"])["p_most"]
    rows = []
    for drug, therapy in setting.items():
        at, row = {"drug": drug, "therapy": therapy}, {"drug": drug, "p_most": float(most[(drug, therapy)])}
        for path in ("experience", "total", "direct"):
            values = effects[path].sel(at).to_numpy().ravel()
            low, high = np.quantile(values, [0.025, 0.975])
            row |= {path: float(values.mean()), f"{path}_low": float(low), f"{path}_high": float(high)}
            row[f"{path}_true"] = float(true[path].sel(at))
        rows.append(row | {"divergences": int(fit["sample_stats"]["diverging"].sum())})
    return rows


def power(fits: pd.DataFrame) -> pd.DataFrame:
    """Summarise the fits of worlds: coverage and width of each drug's effect through the experience, and whether it was told.

    Parameters
    ----------
    fits
        From :func:`fit_worlds`.

    Returns
    -------
    DataFrame, one row per world and drug: ``world``, ``truth``, ``drug``, ``datasets``, ``covered`` (share of 95 % intervals that
    hold the true effect through the experience) with its Monte Carlo error ``covered_se``, ``width`` (median), ``total_covered``,
    and ``above``, ``below``: in how many P(more than half runs through the experience) was above .95 or below .05.
    """
    rows = []
    for (name, drug), group in fits.groupby(["world", "drug"], sort=False):
        n = len(group)
        inside = {
            path: float(group[f"{path}_true"].between(group[f"{path}_low"], group[f"{path}_high"]).mean())
            for path in ("experience", "total")
        }
        rows.append(
            {
                "world": name, "truth": WORLDS[name], "drug": drug, "datasets": n, "covered": inside["experience"],
                "covered_se": (inside["experience"] * (1 - inside["experience"]) / n) ** 0.5,
                "width": float((group["experience_high"] - group["experience_low"]).median()), "total_covered": inside["total"],
                "above": int((group["p_most"] > 0.95).sum()), "below": int((group["p_most"] < 0.05).sum()),
            }
        )  # fmt: skip
    return pd.DataFrame(rows)
