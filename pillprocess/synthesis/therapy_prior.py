r"""What trials of psychotherapy by itself say about the therapy term, as a prior for it.

Each row of ``data/therapy_priors.csv`` pools randomised trials of psychotherapy against a control, by condition and
comparator, with :math:`g_j \sim N(\mu, se_j^2 + \tau^2)`, :math:`\mu \sim N(0, 10^2)`, :math:`\tau \sim N^+(1)`. The prior for
a new setting is :math:`N(\bar\mu, sd(\mu)^2 + \bar\tau^2)`: these are other patients, other therapies and longer courses than
the therapy of a drug trial, and mostly against a waiting list, so it is an option and not the default.
"""

from pathlib import Path

import numpy as np
import pandas as pd

from pillprocess.evidence.tables import embedded_folder
from pillprocess.gaussian.design import gaussian_design
from pillprocess.gaussian.marginals import linear_summary, scale_summary

COMPARATORS = {"Waitlist": "waitlist", "TAU": "treatment as usual", "Other": "other control"}
DISORDERS = {"Depression": "depression", "Generalized Anxiety Disorder": "anxiety"}


def therapy_prior(condition: str, comparator: str) -> pd.Series:
    """Return an informed prior for the therapy term.

    Parameters
    ----------
    condition
        ``"depression"``, ``"ptsd"`` or ``"anxiety"``.
    comparator
        ``"waitlist"``, ``"treatment as usual"``, ``"other control"`` or ``"any control"``, as far as the condition has it.

    Returns
    -------
    Series: ``prior_mean`` and ``prior_sd`` in SDs (negative is improvement), the ``prior_therapy`` of
    :func:`pillprocess.synthesis`; ``k``, ``mean``, ``se``, ``tau``, ``source`` and ``source_url``.

    Raises
    ------
    ValueError
        There is no such row.
    """
    table = pd.read_csv(embedded_folder() / "therapy_priors.csv")
    row = table[(table["condition"] == condition) & (table["comparator"] == comparator)]
    if row.empty:
        known = "; ".join(f"{c}, {k}" for c, k in table[["condition", "comparator"]].itertuples(index=False))
        raise ValueError(f"no psychotherapy trials of {condition!r} against {comparator!r}; there are: {known}")
    chosen = row.iloc[0]
    spread = float(np.hypot(chosen["se"], chosen["tau"]))
    return pd.concat([pd.Series({"prior_mean": chosen["mean"], "prior_sd": spread}), chosen])


def pool_psychotherapy(ptsd: Path, response: Path) -> pd.DataFrame:
    """Pool the public trials of psychotherapy; this made ``data/therapy_priors.csv``.

    Parameters
    ----------
    ptsd
        ``data.csv`` of the Metapsy database ptsd-psyctr (doi:10.5281/zenodo.10027042): Hedges g at post-test.
    response
        ``data.csv`` of the Metapsy database total-response (doi:10.5281/zenodo.8408317): responders by arm.

    Returns
    -------
    DataFrame: ``condition``, ``comparator``, ``k`` studies, ``mean``, ``se``, ``ci_low``, ``ci_high`` in SDs (negative is
    improvement) and ``tau``.
    """
    trauma = pd.read_csv(ptsd, sep=";", decimal=",", low_memory=False)
    trauma = pd.DataFrame(
        {
            "study": trauma["study"],
            "comparator": trauma["condition_arm2"].map(COMPARATORS),
            "y": -trauma[".g"],
            "se": trauma[".g_se"],
        }
    )
    counts = pd.read_csv(response, sep=";", decimal=",")
    cells = [
        counts["improved.ig"],
        counts["n.ig"] - counts["improved.ig"],
        counts["improved.cg"],
        counts["n.cg"] - counts["improved.cg"],
    ]
    a, b, c, d = (cell + 0.5 for cell in cells)
    latent = np.sqrt(3) / np.pi
    by_count = pd.DataFrame(
        {
            "study": counts["study"], "condition": counts["disorder"].map(DISORDERS), "y": -latent * np.log(a * d / (b * c)),
            "se": latent * np.sqrt(1 / a + 1 / b + 1 / c + 1 / d),
        }
    )  # fmt: skip
    rows = [_pooled(group, "ptsd", str(name)) for name, group in trauma.groupby("comparator", sort=False)]
    rows.append(_pooled(trauma, "ptsd", "any control"))
    rows += [_pooled(group, str(name), "any control") for name, group in by_count.groupby("condition", sort=False)]
    return pd.DataFrame(rows)


def _pooled(rows: pd.DataFrame, condition: str, comparator: str) -> dict[str, object]:
    """One study one row: its comparisons share people, so their mean keeps the error of one of them."""
    rows = rows.dropna(subset=["y", "se"])
    by_study = rows.groupby("study").agg(y=("y", "mean"), se=("se", lambda s: float(np.sqrt((s**2).mean()))))
    k = len(by_study)
    design = gaussian_design(
        by_study["y"], np.diag(by_study["se"] ** 2), trial=list(by_study.index), fixed=pd.DataFrame({"mu": np.ones(k)}),
        prior_sd={"mu": 10.0}, random=pd.DataFrame(np.eye(k), columns=pd.MultiIndex.from_product([["u"], ["study"], by_study.index])),
        effect_scale={"u": "tau"}, prior_scale={"tau": ("halfnormal", 1.0, np.nan)},
    )  # fmt: skip
    mu = linear_summary(design, {"mu": {"mu": 1.0}}).loc["mu"]
    tau = scale_summary(design).loc["tau"]
    return {
        "condition": condition, "comparator": comparator, "k": k, "mean": mu["mean"], "se": mu["sd"], "ci_low": mu["ci_low"],
        "ci_high": mu["ci_high"], "tau": tau["mean"],
    }  # fmt: skip
