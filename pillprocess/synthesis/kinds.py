"""The kinds of evidence in a synthesis, and items without one of them."""

import numpy as np
import pandas as pd
import xarray as xr

BETWEEN_DRUGS = "comparison between drugs"
"""What other drugs' effects say of a drug's: removed by pooling nothing, not from the items."""

KINDS = (
    "placebo-controlled outcomes", "dose comparisons", "blocked experience", "therapy comparisons", "response counts",
    "acute scores", "experience-outcome associations", "treatment guesses", "participants", BETWEEN_DRUGS,
)  # fmt: skip
"""The kinds of evidence, as removed in turn and named in tables."""

FLAT = 1e4
"""Standard error of an item that was removed."""

NOT_LEFT_OUT = -1e6
"""Log weight of a trial that no part of the mixture leaves out."""


def without(items: xr.Dataset, kind: str) -> xr.Dataset:
    """Return the items with one kind of evidence removed; shapes stay as they are.

    Parameters
    ----------
    items
        From :func:`synthesis_items`.
    kind
        One of ``KINDS``, such as ``"acute scores"``, except the comparison between drugs, which is no item.

    Returns
    -------
    Dataset of items.

    Raises
    ------
    ValueError
        The kind is not one of ``KINDS``.
    """
    if kind not in KINDS or kind == BETWEEN_DRUGS:
        known = ", ".join(k for k in KINDS if k != BETWEEN_DRUGS)
        raise ValueError(f"kind = {kind!r}; it must be one of {known}; pooling=0 removes the comparison between drugs")
    items = items.copy()
    if kind == "acute scores":
        return items.assign(score_extra=items["score_extra"] * 0 + FLAT)
    if kind == "experience-outcome associations":
        return items.assign(association_kept=items["association_kept"] * 0)
    if kind == "treatment guesses":
        return items.assign(guess_n=items["guess_n"] * 0, guess_correct=items["guess_correct"] * 0)
    if kind == "response counts":
        return items.assign(count_n=items["count_n"] * 0, count_responders=items["count_responders"] * 0)
    if kind == "participants":
        return items.assign(person_kept=items["person_kept"] * 0)
    return without_rows(items, items["row_kind"].to_numpy() == kind)


def without_rows(items: xr.Dataset, gone: np.ndarray) -> xr.Dataset:
    """Return the items without the outcome rows of whole trials, a mask over ``row``: their whitened residuals are 0."""
    whitener = items["whitener"].to_numpy().copy()
    whitener[gone] = 0
    return items.assign(whitener=(("row", "row_other"), whitener))


def without_each(items: xr.Dataset, elpd: "pd.Series[float]") -> xr.Dataset:
    r"""Return items whose posterior is the mixture of the posteriors without the outcomes of each of some trials.

    .. math:: q(\theta) \propto p(\theta \mid y) \sum_i c_i / p(y_i \mid \theta)

    Parameters
    ----------
    items
        From :func:`synthesis_items`.
    elpd
        By trial, about the log density of its outcomes given all others: with it as :math:`\log c_i` every trial weighs about the same.

    References
    ----------
    Silva & Zanella 2024, doi:10.1080/01621459.2023.2257893.
    """
    trial, log_whitener = items["trial"].to_numpy(), np.log(np.diagonal(items["whitener"].to_numpy()))
    names = list(dict.fromkeys(trial))
    weight = [elpd[t] - log_whitener[trial == t].sum() if t in elpd.index else NOT_LEFT_OUT for t in names]
    return items.assign(left_out=("outcome_trial", np.array(weight)))


def only_drug(items: xr.Dataset, drug: str) -> xr.Dataset:
    """Return the items that trials of one drug brought; shapes stay as they are.

    Parameters
    ----------
    items
        From :func:`synthesis_items`.
    drug
        Its name; trials that gave it in any arm are its own.

    Returns
    -------
    Dataset of items.
    """
    own = set(items["arm_trial"].to_numpy()[items["arm_drug"].to_numpy() == drug])

    def given(trials: np.ndarray) -> np.ndarray:
        return np.isin(trials, list(own)).astype(int)

    guess_trial = np.array([label.rsplit(": ", 1)[0] for label in items["guess"].to_numpy()], str)
    guessed, counted = given(guess_trial), given(items["count_trial_of"].to_numpy())
    scored, associated = items["score_path"].to_numpy() == drug, items["association_drug"].to_numpy() == drug
    n, correct, people, responders = (
        items[c].to_numpy() for c in ("guess_n", "guess_correct", "count_n", "count_responders")
    )
    changed = {
        "guess_n": ("guess", n * guessed), "guess_correct": ("guess", correct * guessed),
        "count_n": ("count", people * counted), "count_responders": ("count", responders * counted),
        "score_extra": ("score", items["score_extra"].to_numpy() + FLAT * ~scored),
        "association_kept": ("association", items["association_kept"].to_numpy() * associated),
        "person_kept": ("person_arm", items["person_kept"].to_numpy() * (items["person_drug"].to_numpy() == drug)),
    }  # fmt: skip
    return without_rows(items.assign(changed), given(items["trial"].to_numpy()) == 0)


def has_kind(items: xr.Dataset, kind: str) -> bool:
    """Whether the items hold any evidence of this kind."""
    sizes = {
        "acute scores": "score", "experience-outcome associations": "association", "treatment guesses": "guess",
        "response counts": "count", "participants": "person_arm",
    }  # fmt: skip
    if kind == BETWEEN_DRUGS:
        return len(set(items["study_drug"].to_numpy())) > 1
    return items.sizes[sizes[kind]] > 0 if kind in sizes else bool((items["row_kind"] == kind).any())
