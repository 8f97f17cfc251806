"""Planning: speed, the closed form against nested Monte Carlo, and the review's designs ranked under three priors.

Run with ``uv run python benchmarks/planning.py [SYNTHESIS.nc]``; the fit of the synthesis is ``posterior/synthesis.nc`` of a results
folder. CPU seconds are of one process.
"""

import sys
import time
from dataclasses import replace
from itertools import product

import numpy as np
import pandas as pd

import pillprocess as pp
from pillprocess.decomposition.model import decomposition_design
from pillprocess.gaussian.marginals import linear_summary
from pillprocess.planning.closed_form import after
from pillprocess.planning.knowledge import knowledge_of
from pillprocess.planning.new_rows import arm_noise, estimand_weights, new_rows
from pillprocess.planning.regression import posterior_after, probability_below
from pillprocess.planning.simulated_results import draw_noise, draws_of, estimand_draws, expected_arms, statistics_of
from pillprocess.rows.contrasts import model_rows
from tests.conftest import make_arm_row
from tests.planning.cases import planned_rows, small_evidence

SIZES = (10, 15, 20, 25, 30, 40, 50, 60, 75, 100, 125, 150, 200, 250, 300, 400, 500, 650, 800, 1000)


def thirty_designs() -> list[pp.PlannedTrial]:
    """The library for three drugs."""
    return [
        replace(trial, name=f"{drug}: {name}") for drug in ("psilocybin", "ketamine", "MDMA")
        for name, trial in pp.named_designs(drug).items()
    ]  # fmt: skip


def nested(replications: int, *, per_arm: float = 40.0, seed: int = 1) -> pd.DataFrame:
    """Expected posterior SD and assurance by refitting the tables with each simulated trial in them, and in closed form."""
    rows, terms = small_evidence(make_arm_row), pp.HYPOTHESES["mediated"]
    design = decomposition_design(rows, terms=terms)
    given = {"drug": "psilocybin", "n": 40}
    equal = given | {"belief": "equal"}
    arms = {"awake": equal, "asleep": equal | {"experience": 0.0}, "placebo": {"drug": "placebo", "n": 40}}
    trial = pp.trial_design("new", arms)
    asked = ["experience", "drug"]
    known = knowledge_of(design, nodes=1000)
    planned, noise = new_rows(trial, known), None
    noise = arm_noise(trial, planned, known, per_arm=per_arm, outcome_sd=1.0, bias_sd=0.0)
    weights = np.array([estimand_weights(trial, e, known) for e in asked])
    combinations = {
        e: {n: w for n, w in zip(known.parameter, own, strict=True) if w} for e, own in zip(asked, weights, strict=True)
    }
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(replications):
        k = rng.choice(len(known.weight), p=known.weight / known.weight.sum())
        theta = rng.multivariate_normal(known.mean[k], known.covariance[k], method="eigh")
        y = rng.multivariate_normal(planned.loading @ theta, noise[k])
        extra = planned_rows(
            trial, y, make_arm_row, se=[1 / n**0.5 for n in trial.completers(per_arm)], believed=known.believed
        )
        after = linear_summary(
            decomposition_design(pd.concat([rows, extra], ignore_index=True), terms=terms), combinations
        )
        found.append(after[["sd", "p_below"]].to_numpy())
    draws = np.array(found)
    decided = np.maximum(draws[:, :, 1], 1 - draws[:, :, 1]) > 0.975
    closed = pp.expected_information(pp.fit(design, seed=1), [trial], estimands=asked, sizes=(per_arm,), draws=4096)
    return pd.DataFrame(
        {
            "estimand": asked, "closed_sd": closed["sd_after"], "nested_sd": np.sqrt((draws[:, :, 0] ** 2).mean(axis=0)),
            "nested_sd_error": (draws[:, :, 0] ** 2).std(axis=0) / np.sqrt(replications) / 2 / np.sqrt((draws[:, :, 0] ** 2).mean(axis=0)),
            "closed_assurance": closed["assurance"], "nested_assurance": decided.mean(axis=0),
            "nested_assurance_error": np.sqrt(decided.mean(axis=0) * (1 - decided.mean(axis=0)) / replications),
        }
    )  # fmt: skip


def ranking(idata, designs, **changed: float) -> pd.DataFrame:
    """Rank at 200 people and size for 80 %, of what tells whether the experience carries the effect."""
    asked = {
        t.name: [e for e in ("mediated", "accounts") if pp.design_ledger([t], estimands=[e])["compared"].item()]
        for t in designs
    }
    table = pp.expected_information(idata, designs, estimands=asked, sizes=(*SIZES, np.inf), draws=1024, **changed)
    sizes = pp.sizes_needed(table).set_index(["estimand", "design"])[["n_80", "n_80_low", "n_80_high", "n_90", "limit"]]
    ranks = pp.rank_designs(table).set_index(["estimand", "design"])[
        ["rank", "reduction", "assurance", "assurance_low", "assurance_high"]
    ]
    return ranks.join(sizes).round(3)


def against_importance(fit) -> pd.DataFrame:
    """Regression on the draws of a synthesis against weighing all draws by the density of each result, outcomes alone measured."""
    known, rows = draws_of(fit), []
    for name, n in product(
        ("experience removed, belief equalised", "drug x anaesthesia", "2x2 drug x therapy"), (30, 100)
    ):
        trial = replace(pp.named_designs()[name], measured=("outcome",))
        found = statistics_of(trial, known, draw_noise(trial, known.size, 1), per_arm=n, outcome_sd=1.0, bias_sd=0.0)
        change, _, _ = expected_arms(trial, known)
        x, h = (
            np.array([float(v) for v in values])
            for values in ([a.given for a in trial.arms], [bool(a.therapy) for a in trial.arms])
        )
        contrast = np.hstack([-np.ones((len(x) - 1, 1)), np.eye(len(x) - 1)])
        spread = known.get("tau")[:, None, None] ** 2 * np.outer(x, x) + known.get("tau_therapy")[
            :, None, None
        ] ** 2 * np.outer(h, h)
        white = np.linalg.inv(
            np.linalg.cholesky(contrast @ (spread + np.diag(1 / np.array(trial.completers(n)))) @ contrast.T)
        )
        constant = np.log(np.diagonal(white, axis1=1, axis2=2)).sum(axis=1)
        for estimand in ("experience", "mediated", "drug:therapy", "drug"):
            target = estimand_draws(trial, estimand, known)
            mean, variance = posterior_after(target[:, None], found)
            below, level = probability_below(mean, variance)[:, 0], 0.95 if estimand == "mediated" else 0.975
            nested = []
            for i in range(0, known.size, 12):
                z = np.einsum("kab,kb->ka", white, found[i] - change[:, 1:] + change[:, :1])
                weight = np.exp(constant - 0.5 * (z**2).sum(axis=1) - (constant - 0.5 * (z**2).sum(axis=1)).max())
                weight[i] = 0
                weight /= weight.sum()
                nested.append((weight @ target**2 - (weight @ target) ** 2, weight @ (target < 0)))
            squares, chances = np.array(nested).T
            rows.append(
                {
                    "design": name, "n": n, "estimand": estimand, "sd": variance.mean() ** 0.5, "nested_sd": squares.mean() ** 0.5,
                    "assurance": (np.maximum(below, 1 - below) > level).mean(),
                    "nested_assurance": (np.maximum(chances, 1 - chances) > level).mean(),
                }
            )  # fmt: skip
    return pd.DataFrame(rows)


def other_worlds(design, *, draws: int = 4000, seed: int = 1) -> pd.DataFrame:
    """Coverage and chance to decide where the new trial is not of the kind that the plan takes it to be."""
    known, rng, rows = knowledge_of(design), np.random.default_rng(seed), []
    worlds = {
        "as planned": {}, "interaction differs between trials, SD .2": {"interaction": 0.2}, "each arm off by N(0, .1)": {"arm": 0.1},
        "each arm off by N(0, .2)": {"arm": 0.2}, "planned with that bias": {"arm": 0.2, "planned": 0.2},
    }  # fmt: skip
    for (name, estimand), (world, own) in product(
        (("2x2 drug x therapy", "drug:therapy"), ("experience removed, belief equalised", "experience")), worlds.items()
    ):
        trial = pp.named_designs()[name]
        planned = new_rows(trial, known)
        noise = arm_noise(trial, planned, known, per_arm=200.0, outcome_sd=1.0, bias_sd=own.get("planned", 0.0))
        true = arm_noise(trial, planned, known, per_arm=200.0, outcome_sd=1.0, bias_sd=own.get("arm", 0.0))
        both = np.array([arm.given * bool(arm.therapy) for arm in trial.arms])
        true = true + own.get("interaction", 0.0) ** 2 * np.outer(both, both)
        node = rng.choice(len(known.weight), draws, p=known.weight / known.weight.sum())
        root = [np.linalg.cholesky(m + 1e-12 * np.eye(m.shape[1])) for m in (known.covariance, true)]
        theta = known.mean[node] + np.einsum(
            "kab,kb->ka", root[0][node], rng.standard_normal((draws, len(known.parameter)))
        )
        y = theta @ planned.loading.T + np.einsum(
            "kab,kb->ka", root[1][node], rng.standard_normal((draws, len(trial.arms)))
        )
        weights = estimand_weights(trial, estimand, known)[None]
        parts = [after(known, planned.loading, noise, weights, part) for part in np.array_split(y, 20)]
        mean, variance, below = (np.concatenate([part[i] for part in parts])[:, 0] for i in range(3))
        inside = np.abs(theta @ weights[0] - mean) < 1.96 * np.sqrt(variance)
        rows.append(
            {
                "design": name,
                "world": world,
                "covered": inside.mean(),
                "decided": (np.maximum(below, 1 - below) > 0.975).mean(),
            }
        )
    return pd.DataFrame(rows)


def main() -> None:
    pd.set_option("display.width", 220, "display.max_columns", 20, "display.max_rows", 200)
    arms, differences = model_rows(pp.load_evidence())
    terms = pp.HYPOTHESES["mediated"]
    idata = pp.fit(pp.decomposition_design(arms, differences, terms=terms), seed=1)
    began = time.process_time()
    table = pp.expected_information(idata, thirty_designs(), sizes=SIZES)
    print(
        f"decomposition, 30 designs x 20 sizes, all they compare ({len(table)} rows): {time.process_time() - began:.1f} s CPU"
    )
    if len(sys.argv) > 1:
        fit = pp.load_fit(sys.argv[1])
        began = time.process_time()
        table = pp.expected_information(fit, thirty_designs(), sizes=SIZES)
        print(f"synthesis, 30 designs x 20 sizes ({len(table)} rows): {time.process_time() - began:.1f} s CPU")
        print(against_importance(fit).round(3).to_string(index=False))
    began = time.process_time()
    print(
        nested(300).round(3).to_string(index=False),
        f"\nnested Monte Carlo, 300 refits: {time.process_time() - began:.0f} s CPU",
    )
    for drug in ("psilocybin", "ketamine"):
        designs = list(pp.named_designs(drug).values())
        for scale in (0.5, 1.0, 2.0):
            print(f"\n{drug}, priors x {scale:g}\n{ranking(idata, designs, prior_scale=scale).to_string()}")
        free = pp.fit(pp.decomposition_design(arms, differences, terms=terms - {"expectancy"}), seed=1)
        print(f"\n{drug}, without belief in the model\n{ranking(free, designs).to_string()}")


if __name__ == "__main__":
    main()
