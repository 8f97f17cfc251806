"""The kinds of evidence in a synthesis, and items without one of them."""

import numpy as np
import xarray as xr

KINDS = (
    "placebo-controlled outcomes", "dose comparisons", "blocked experience", "therapy comparisons", "response counts",
    "acute scores", "experience-outcome associations", "treatment guesses", "participants",
)  # fmt: skip
"""The kinds of evidence, as removed in turn and named in tables."""

FLAT = 1e4
"""Standard error of an item that was removed."""


def without(items: xr.Dataset, kind: str) -> xr.Dataset:
    """Return the items with one kind of evidence removed; shapes stay as they are.

    Parameters
    ----------
    items
        From :func:`synthesis_items`.
    kind
        One of ``KINDS``, such as ``"acute scores"``.

    Returns
    -------
    Dataset of items.

    Raises
    ------
    ValueError
        The kind is not one of ``KINDS``.
    """
    if kind not in KINDS:
        raise ValueError(f"kind = {kind!r}; it must be one of {', '.join(KINDS)}")
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


def has_kind(items: xr.Dataset, kind: str) -> bool:
    """Whether the items hold any evidence of this kind."""
    sizes = {
        "acute scores": "score", "experience-outcome associations": "association", "treatment guesses": "guess",
        "response counts": "count", "participants": "person_arm",
    }  # fmt: skip
    return items.sizes[sizes[kind]] > 0 if kind in sizes else bool((items["row_kind"] == kind).any())
