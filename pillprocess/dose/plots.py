"""The effect by dose: a panel for each drug, its curve with a band, the arms as points, and the experience's own curve below it."""

from typing import TYPE_CHECKING

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr

from pillprocess.dose.response import dose_effects
from pillprocess.output.tables import interval_table
from pillprocess.output.visual_style import (
    DRUG_COLOURS,
    DRUG_MARKERS,
    GREY,
    INK,
    LARGE,
    NARROW,
    NORMAL,
    SMALL,
    Width,
    figure_size,
    in_drawn_order,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

DOSE_GRID = tuple(np.linspace(0, 1.5, 46).round(3))


def plot_dose_response(
    idata: xr.DataTree,
    experience: xr.DataTree | None = None,
    *,
    drug: str | None = None,
    width: Width = "two_column",
    title: str = "",
) -> "Axes":
    """Draw each drug's effect by dose, in the setting that most of its trials used, with the arms of trials as points.

    A point is a difference of two doses of a trial (a thin line where its control had a low dose), its size the square root of people;
    a dashed line is the acute experience, scaled to the effect at the reference dose.

    Parameters
    ----------
    idata
        Result of :func:`pillprocess.fit_dose_response`.
    experience
        Result of :func:`pillprocess.fit_experience_dose`.
    drug
        Draw this drug alone; by default a panel for each.
    width, title
        As in :func:`pillprocess.plot_forest`.

    Returns
    -------
    Axes of the first panel.

    Raises
    ------
    ValueError
        The fit has no such drug.
    """
    data = idata["constant_data"].dataset.to_dataframe()
    drugs = in_drawn_order(data["drug"])
    if drug is not None and drug not in drugs:
        raise ValueError(f"drug = {drug!r}; the dose curves are of {', '.join(drugs)}")
    drugs = drugs if drug is None else [drug]
    curves = interval_table(dose_effects(idata, doses=DOSE_GRID))
    narrow = figure_size(width, 70)[0] * 25.4 < NARROW
    columns = 1 if narrow else min(3, len(drugs))
    lines = -(-len(drugs) // columns)
    figure = plt.figure(figsize=figure_size(width, 48 * lines + 12), dpi=150, layout="constrained")
    axes = np.atleast_1d(figure.subplots(lines, columns, sharey=True, squeeze=False)).ravel()
    lowest = min(-1.6, float(np.quantile(data["y"], 0.03)) - 0.1)
    for ax, shown in zip(axes, drugs, strict=False):
        own = data[data["drug"] == shown]
        setting = float(own.groupby("therapy")["trial"].nunique().idxmax())
        curve = curves[(curves["drug"] == shown) & (curves["therapy"] == setting)]
        ax.fill_between(curve["dose"], curve["ci_low"], curve["ci_high"], color=DRUG_COLOURS[shown], alpha=0.18, lw=0)
        ax.plot(curve["dose"], curve["mean"], color=DRUG_COLOURS[shown], lw=1.4)
        for row in own.itertuples():
            y = max(row.y, lowest)
            if row.dose_reference > 0:
                ax.plot([row.dose_reference, row.dose_arm], [y, y], color=INK, lw=0.4, alpha=0.6)
            size = 1.4 + 0.16 * np.sqrt(row.n if row.n > 0 else 20)
            fill = INK if row.y < lowest else "white"
            ax.plot(row.dose_arm, y, DRUG_MARKERS[shown], ms=size, mfc=fill, mec=INK, mew=0.5, clip_on=False, zorder=3)
        if experience is not None and shown in experience["posterior"].dataset["drug"].to_numpy():
            acute = (
                dose_effects(experience, doses=DOSE_GRID, therapy=(0.0,))
                .sel(drug=shown)
                .mean(("chain", "draw"))
                .to_numpy()
                .ravel()
            )
            at_one = np.interp(1.0, DOSE_GRID, acute)
            ax.plot(
                DOSE_GRID,
                acute / at_one * np.interp(1.0, curve["dose"], curve["mean"]),
                color=GREY,
                lw=1.0,
                ls=(0, (3, 2)),
            )
            ax.annotate(
                "dashed: acute experience",
                (0.98, 0.97),
                xycoords="axes fraction",
                ha="right",
                va="top",
                fontsize=SMALL,
                color=GREY,
            )
        ax.axhline(0, color=INK, lw=0.6)
        ax.set_xlim(-0.03, 1.55)
        ax.set_ylim(lowest, 0.8)
        ax.tick_params(labelsize=SMALL, length=2, pad=2)
        ax.spines[["top", "right"]].set_visible(False)
        ax.set_xlabel("dose (1 = reference dose)", fontsize=SMALL, labelpad=2)
        ax.set_title(f"{shown} (k = {own['trial'].nunique()} trials)", fontsize=NORMAL, loc="left", fontweight="bold")
    for ax in axes[len(drugs) :]:
        ax.set_visible(False)
    for ax in axes[: len(drugs) : columns]:
        ax.set_ylabel("effect against control\n(reference SDs; lower favours drug)", fontsize=SMALL)
    if title:
        figure.suptitle(title, fontsize=LARGE, x=0.01, ha="left", fontweight="bold")
    return axes[0]
