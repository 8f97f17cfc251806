"""Was the blind kept? Indices from counts of treatment guesses, and a description of outcomes by guess."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import xarray as xr

from pillprocess.evidence.tables import Evidence
from pillprocess.output.tables import COLUMNS, effect_table

DESCRIPTION = "description: outcomes reweighted by a post-treatment guess; not an effect of the drug"

GUESSERS = {
    "participant_guess_correct_pct": "participant",
    "therapist_guess_correct_pct": "therapist",
    "rater_guess_correct_pct": "rater",
}
"""Measures of ``expectancy.csv`` that say how many guessed right, and who guessed."""


def bang_index(
    counts: pd.DataFrame, *, seed: int, draws: int = 1000, chains: int = 4, prior_count: float = 0.5
) -> xr.DataArray:
    r"""Draw Bang's blinding index of each arm from its posterior.

    .. math:: \mathrm{BI}_k = p_{k,\mathrm{correct}} - p_{k,\mathrm{wrong}}, \qquad
        p_k \sim \mathrm{Dirichlet}(n_k + \mathrm{prior\_count})

    It is 1 when everybody in the arm knew, 0 when guesses were like tosses of a coin, -1 when everybody named the other arm.

    Parameters
    ----------
    counts
        One row per arm, indexed by arm, with columns ``correct``, ``wrong`` and, where not knowing was a permitted answer,
        ``unsure``; without that column guesses were forced and the Dirichlet is a Beta.
    seed, draws, chains
        Seed and number of independent draws.
    prior_count
        Pseudo-count of each answer; 0.5 is Jeffreys' prior, 1 the uniform.

    Returns
    -------
    DataArray (chain, draw, arm).

    Raises
    ------
    ValueError
        Counts that are absent, negative, not whole, or all zero.

    References
    ----------
    Bang, Ni & Davis 2004, doi:10.1016/j.cct.2003.10.016.

    Examples
    --------
    >>> import pillprocess as pp
    >>> import pandas as pd
    >>> counts = pd.DataFrame({"correct": [30, 12], "wrong": [5, 13]}, index=["drug", "placebo"])
    >>> float(pp.bang_index(counts, seed=1).sel(arm="drug").mean().round(1))
    0.7
    """
    p = _answers(counts, seed=seed, shape=(chains, draws), prior_count=prior_count)
    return (p.sel(answer="correct", drop=True) - p.sel(answer="wrong", drop=True)).rename("bang_index")


def james_index(
    counts: pd.DataFrame, *, seed: int, draws: int = 1000, chains: int = 4, prior_count: float = 0.5
) -> xr.DataArray:
    r"""Draw James' blinding index of a two-arm trial from its posterior.

    .. math:: \mathrm{BI} = \tfrac12 \{1 + p_u + (1 - p_u) K\}, \qquad K = \frac{w - w_0}{w_0}

    with :math:`p_u` the share who do not know, and, among those who guessed, w the share who guessed wrong and
    :math:`w_0` that share if guess and arm were independent with the same margins. It is 0 when everybody guessed right,
    0.5 when guesses were random, 1 when nobody knew. Arms keep their observed sizes; their answers are independent
    Dirichlets, as in :func:`bang_index`.

    Parameters
    ----------
    counts, seed, draws, chains, prior_count
        As for :func:`bang_index`, with two arms.

    Returns
    -------
    DataArray (chain, draw).

    Raises
    ------
    ValueError
        Not two arms, or counts that :func:`bang_index` would refuse.

    References
    ----------
    James et al. 1996, doi:10.1002/(SICI)1097-0258(19960715)15:13<1421::AID-SIM266>3.0.CO;2-H.
    """
    if len(counts) != 2:
        raise ValueError(
            f"James' index compares two arms; the counts have {len(counts)}: {', '.join(map(str, counts.index))}"
        )
    p = _answers(counts, seed=seed, shape=(chains, draws), prior_count=prior_count)
    share = counts.sum(axis=1).to_numpy(float) / counts.to_numpy(float).sum()
    joint = p.transpose("chain", "draw", "arm", "answer").to_numpy() * share[:, None]
    answer = list(p["answer"].to_numpy())
    right, wrong = joint[..., answer.index("correct")], joint[..., answer.index("wrong")]
    guessed = (right + wrong).sum(-1)
    in_first = (right + wrong)[..., 0] / guessed
    named_first = (right[..., 0] + wrong[..., 1]) / guessed
    w = wrong.sum(-1) / guessed
    w0 = in_first * (1 - named_first) + (1 - in_first) * named_first
    index = 0.5 * (2 - guessed + guessed * (w - w0) / w0)
    return xr.DataArray(
        index, dims=("chain", "draw"), coords={"chain": p["chain"], "draw": p["draw"]}, name="james_index"
    )


def _answers(counts: pd.DataFrame, *, seed: int, shape: tuple[int, int], prior_count: float) -> xr.DataArray:
    """Dirichlet draws of the shares of answers, (chain, draw, arm, answer)."""
    absent = [c for c in ("correct", "wrong") if c not in counts.columns]
    unknown = [str(c) for c in counts.columns if c not in ("correct", "wrong", "unsure")]
    if absent or unknown:
        raise ValueError(f"counts need columns correct, wrong and perhaps unsure; absent: {absent}, unknown: {unknown}")
    values = counts.to_numpy(float)
    bad = ~((values >= 0) & (values == np.floor(values))).all(axis=1) | ~(values.sum(axis=1) > 0)
    if bad.any():
        rows = "; ".join(f"arm {arm!r}: {dict(row)}" for arm, row in counts[bad].iterrows())
        raise ValueError(f"guesses are counts of people, whole and not all 0: {rows}")
    rng = np.random.default_rng(seed)
    p = np.stack([rng.dirichlet(row + prior_count, size=shape) for row in values], axis=2)
    coords = {
        "chain": range(shape[0]),
        "draw": range(shape[1]),
        "arm": list(counts.index),
        "answer": list(counts.columns),
    }
    return xr.DataArray(p, dims=("chain", "draw", "arm", "answer"), coords=coords)


def blinding_table(evidence: Evidence, *, seed: int = 1, prior_count: float = 0.5) -> pd.DataFrame:
    """Tabulate how many guessed their treatment right, and what that says about the blind, for every trial that reports it.

    Where arms were pooled at the source the index is that of the pooled answers: 0 is then the toss of a coin, but an
    overall preference for one guess cannot be told from knowledge. James' index needs both arms of a trial. None of these
    sources counts people who did not know. Where several guesses come from one person (see ``notes``) intervals are too
    narrow.

    Parameters
    ----------
    evidence
        The tables; ``expectancy`` holds the guesses.
    seed
        Seed of the posterior draws.
    prior_count
        Pseudo-count of each answer.

    Returns
    -------
    DataFrame, one row per count: ``trial``, ``arm``, ``arms`` (one arm, arms pooled, both arms), ``guesser``, ``timing``,
    ``label``, ``n``, ``correct``, ``wrong``, ``counts_from``, ``index`` (Bang, James, or blank where there is no n),
    ``mean``, ``sd``, ``ci_low``, ``ci_high``, ``p_below``, ``ess``, ``source_type``, ``notes``.
    """
    rows = evidence.expectancy[evidence.expectancy["measure"].isin(GUESSERS)].reset_index(drop=True)
    table = pd.DataFrame(
        {
            "trial": rows["trial_id"], "arm": rows["arm_id"],
            "arms": np.where(rows["arm_id"] == "all", "arms pooled", "one arm"),
            "guesser": rows["measure"].map(GUESSERS), "timing": rows["timing"], "label": rows["label"].fillna(""),
        }
    )  # fmt: skip
    table = table.join(_counts(rows)).join(rows[["source_type", "notes"]])
    known = table.index[table["correct"].notna()]
    table["index"] = pd.Series("Bang", index=known).reindex(table.index, fill_value="")
    estimates = []
    if len(known):
        bang = bang_index(table.loc[known, ["correct", "wrong"]], seed=seed, prior_count=prior_count)
        estimates.append(effect_table(bang).set_index("arm"))
    arms = evidence.arms[evidence.arms["include_arm"] == 1]
    whole = pd.MultiIndex.from_frame(table[["trial", "arm"]]).isin(
        pd.MultiIndex.from_frame(arms[["trial_id", "arm_id"]])
    )
    for _, pair in table[whole & table["correct"].notna()].groupby(["trial", "guesser", "timing", "label"]):
        if len(pair) == 2:
            james = james_index(pair.set_index("arm")[["correct", "wrong"]], seed=seed, prior_count=prior_count)
            row = len(table)
            both = {"arm": " + ".join(pair["arm"]), "arms": "both arms", "index": "James"} | dict(
                pair[["n", "correct", "wrong"]].sum()
            )
            table.loc[row] = pair.iloc[0].to_dict() | both
            estimates.append(effect_table(james).set_axis([row]))
    table = table.join(pd.concat(estimates) if estimates else pd.DataFrame(columns=COLUMNS, dtype=float))
    first = [c for c in table.columns if c not in ("source_type", "notes")]
    return table[[*first, "source_type", "notes"]].sort_values(["trial", "guesser"], kind="stable", ignore_index=True)


def _counts(rows: pd.DataFrame) -> pd.DataFrame:
    """Guesses that were right and wrong: the reported count, else percent of n, rounded to whole guesses."""
    from_percent = (rows["n"] * rows["value"] / 100).round()
    correct = rows["count"].fillna(from_percent).where(rows["n"].notna())
    source = np.select(
        [rows["n"].isna(), rows["count"].notna(), from_percent.notna()],
        ["none: n is not reported", "reported", "percent of n, rounded"],
        default="none: neither count nor percent is reported",
    )
    return pd.DataFrame({"n": rows["n"], "correct": correct, "wrong": rows["n"] - correct, "counts_from": source})


def correct_guess_rate_curve(
    people: pd.DataFrame,
    *,
    treatment: str,
    active: str,
    guess: str,
    outcome: str,
    person: str | None = None,
    rates: Sequence[float] = tuple(np.round(np.linspace(0, 1, 21), 2)),
) -> pd.DataFrame:
    r"""Describe the difference between arms had the same share q guessed right in both.

    .. math:: d(q) = \{q\,\bar y_{11} + (1 - q)\,\bar y_{10}\} - \{q\,\bar y_{00} + (1 - q)\,\bar y_{01}\}

    with :math:`\bar y_{tg}` the mean outcome of treatment t and guess g (1 = active). This is a description, not the effect
    of the drug without unblinding: the guess follows from the drug, the experience and early improvement, so the people in a
    cell are selected by them. `unblinding` asks the causal question.

    Parameters
    ----------
    people
        One row per guess.
    treatment, guess
        Columns holding arm labels; everything that is not ``active`` is the control or a guess of it.
    active
        Label of the active arm.
    outcome
        Column of outcomes.
    person
        Column of participant labels, where one person has several rows; standard errors then allow for that.
    rates
        Correct-guess rates q.

    Returns
    -------
    DataFrame with ``correct_guess_rate``, ``difference``, ``se``, ``ci_low``, ``ci_high``, ``observed`` (1 in the last row,
    the difference of the arms' raw means at the observed rate) and ``kind``, which says that it is a description.

    Raises
    ------
    ValueError
        Missing cells, or no rows with some combination of treatment and guess.

    References
    ----------
    Szigeti et al. 2023, doi:10.1038/s41598-023-34938-7.
    """
    columns = [treatment, guess, outcome] + ([person] if person else [])
    missing = people[columns].isna().sum()
    if missing.any():
        raise ValueError(
            f"missing cells: {missing[missing > 0].to_dict()}; leave these rows out before describing them"
        )
    given, guessed = (people[treatment] == active).to_numpy(), (people[guess] == active).to_numpy()
    y = people[outcome].to_numpy(float)
    cells = {(t, g): np.equal(given, t) & np.equal(guessed, g) for t in (True, False) for g in (True, False)}
    said = {True: "active", False: "control"}
    empty = [f"treatment {said[t]}, guess {said[g]}" for (t, g), rows in cells.items() if not rows.any()]
    if empty:
        raise ValueError(f"nobody has {'; nor '.join(empty)}: the curve needs all four combinations")
    mean = {cell: y[rows].mean() for cell, rows in cells.items()}
    groups = pd.factorize(people[person])[0] if person else np.arange(len(people))

    def row(rate: float, weights: dict[tuple[bool, bool], float], observed: int) -> dict[str, object]:
        difference = sum(w * mean[cell] for cell, w in weights.items())
        influence = sum(w / cells[c].sum() * cells[c] * (y - mean[c]) for c, w in weights.items())
        se = float(np.sqrt((np.bincount(groups, influence) ** 2).sum()))
        low, high = difference - 1.959964 * se, difference + 1.959964 * se
        return {
            "correct_guess_rate": rate,
            "difference": difference,
            "se": se,
            "ci_low": low,
            "ci_high": high,
            "observed": observed,
        }

    table = [
        row(q, {(True, True): q, (True, False): 1 - q, (False, False): -q, (False, True): -(1 - q)}, 0) for q in rates
    ]
    seen = {cell: (1 if cell[0] else -1) * rows.sum() / np.equal(given, cell[0]).sum() for cell, rows in cells.items()}
    table.append(row(float((given == guessed).mean()), seen, 1))
    return pd.DataFrame(table).assign(kind=DESCRIPTION)
