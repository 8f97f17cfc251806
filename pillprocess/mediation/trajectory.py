r"""What goes through a mediator that was measured in every session, with what changed in between as common causes.

In a trial of several sessions the experience of each, :math:`M_1 \dots M_K`, stands between earlier and later symptoms: early change
:math:`L_k` after session k follows from treatment and :math:`M_1 \dots M_k`, and affects both later experience and the outcome. Natural
effects through the experience are then not identified, whatever is measured. Interventional ones are: with G(t') a whole trajectory
:math:`(M_1, \dots, M_K)` drawn from those that treatment t' brings, given the covariates,

.. math::
    oe &= E[Y(1, G(1))] - E[Y(0, G(0))] = ide + iie \\
    ide &= E[Y(1, G(0))] - E[Y(0, G(0))], \qquad iie = E[Y(1, G(1))] - E[Y(1, G(0))]

by the mediational g-formula (VanderWeele & Tchetgen Tchetgen 2017, doi:10.1111/rssb.12194): :math:`L_k` takes the values that treatment t
and the drawn :math:`M_1 \dots M_k` bring. iie is the sum of what each session adds as the means of :math:`M_1, M_2, \dots` are moved one
after the other from those of the reference to those of the treatment (``session``). The effect on an earlier assessment of the outcome,
one of the :math:`L_k`, follows from the same fit (``visits``).

It is assumed that nothing unmeasured affects a session's experience and later change, given treatment, covariates and everything
measured before that session; that :math:`L_k` and later sessions depend on earlier ones in the same way in both arms; and that all but
the outcome are Gaussian. A trait that colours every session's experience and the outcome breaks the first, early change that is not
among the mediators does too.
"""

from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np
import xarray as xr

from pillprocess.mediation.choices import Of
from pillprocess.mediation.course import course_problems
from pillprocess.mediation.draws import coefficients, compared_pair, profiles, stack
from pillprocess.mediation.effects import TRANSFORMS, Scale, asked_problems, compared_of
from pillprocess.mediation.interventional import direct_slopes, drawn, mean_outcome
from pillprocess.mediation.pairs import of_pair


def trajectory_effects(
    idata: xr.DataTree,
    *,
    mediators: Sequence[str],
    visits: Sequence[str] = (),
    at: Mapping[str, float] | None = None,
    arm: str | None = None,
    scale: Scale = "difference",
    of: Of | None = None,
    reference: str | None = None,
) -> xr.Dataset:
    """Compute the interventional effects through the course of a mediator over sessions, on the outcome and on earlier visits.

    Parameters
    ----------
    idata
        Fit of `mediation` to mediators of one trial with ``order``: the sessions' experience and what was measured between them, as they
        followed one another.
    mediators
        Those whose course is drawn as a whole, such as the experience of every session. The others are common causes of later ones.
    visits
        Others that are earlier assessments of the outcome, on its scale, to have the effects on them too.
    at, arm, scale, of, reference
        As in `natural_effects`; with ``visits`` the effects are differences of means.

    Returns
    -------
    Dataset of draws with dims chain, draw and visit (``visits`` and the outcome): ``oe`` (overall), ``ide``, ``iie``, and ``session``
    (dim mediator), the parts of iie. In a linear model oe is te. The attribute ``between`` names the other mediators.

    Raises
    ------
    ValueError
        Mediators without an order, several trials or clusters, or names that the fit does not have.

    Examples
    --------
    >>> course = ["insight_1", "madrs_1", "insight_2", "madrs_2"]
    >>> people = pp.load_participants(
    ...     "trial.csv", treatment="arm", reference="placebo", mediators=course, outcome="madrs_6", baseline="madrs_0"
    ... )  # doctest: +SKIP
    >>> idata = pp.fit(pp.mediation(people, order=course), seed=1)  # doctest: +SKIP
    >>> effects = pp.trajectory_effects(idata, mediators=course[::2], visits=course[1::2])  # doctest: +SKIP
    >>> pp.effect_table(effects)  # doctest: +SKIP
    """
    arm, reference = compared_pair(idata, arm, reference)
    posterior, data = idata["posterior"].dataset, idata["constant_data"].dataset
    if problems := fit_problems(posterior, data, list(mediators), list(visits)) or asked_problems(data, scale, of):
        raise ValueError(problems[0])
    base = str(data["level"].to_numpy()[0])
    k = of_pair(lambda level: coefficients(idata, level, of=of), arm, reference, base)
    if visits and (scale != "difference" or not k.linear):
        raise ValueError(
            f"visits = {list(visits)}: earlier visits are Gaussian, so effects on them are differences of means; this outcome is "
            f"{k.family_outcome}, on the scale {scale}. Leave visits out, or fit a gaussian outcome"
        )
    X, weight, _ = profiles(idata, at, linear=k.linear and not k.moderated)
    names = [str(q) for q in data["mediator"].to_numpy()]
    moved, seen = (np.sort([names.index(m) for m in chosen]).astype(int) for chosen in (mediators, visits))
    D, on, K = direct_slopes(posterior, k), TRANSFORMS[scale], len(moved)

    def means(t: float, active: int) -> np.ndarray:
        """Mean outcome of every visit, (draw, visit), with the first ``active`` sessions' means those of the treatment."""
        M = drawn(k, D, X, moved, t=t, t_m=np.arange(K) < active)
        earlier = [np.einsum("sn,n->s", M.mean[:, :, q], weight) for q in seen]
        return np.stack([*earlier, on(mean_outcome(k, M, X, weight, t=t))], axis=1)

    steps = [means(1, active) for active in range(K + 1)]
    start = means(0, 0)
    effects = {"oe": steps[-1] - start, "ide": steps[0] - start, "iie": steps[-1] - steps[0]}
    labels = [*(names[q] for q in seen), str(data["outcome"].to_numpy()[0])]
    parts = np.stack([after - before for before, after in pairwise(steps)], axis=2)
    later = np.append(seen, len(names))[:, None] < moved
    parts[:, later] = 0.0  # a visit before a session, but for rounding
    sessions = {"visit": labels, "mediator": [names[q] for q in moved]}
    found = stack(idata, effects, "posterior", visit=labels).merge(
        stack(idata, {"session": parts}, "posterior", **sessions)
    )
    what, value = next(iter(compared_of(data, of).items()), ("", 0.0))
    between = [name for q, name in enumerate(names) if q not in moved]
    return found.assign_attrs(
        arm=arm, reference=reference, scale=scale, of=what, of_value=float(value), between=between
    )


def fit_problems(posterior: xr.Dataset, data: xr.Dataset, mediators: list[str], visits: list[str]) -> list[str]:
    """Fits whose mediators have no order in time, and names that they do not have."""
    names = [str(q) for q in data["mediator"].to_numpy()]
    if "trial" in posterior.dims or "group_members" in data:
        return ["effects through a course over sessions are computed for one trial without clusters"]
    parts = f" with visits {', '.join(visits)}" if visits else ""
    return course_problems([*mediators, *visits] if mediators else [], names, ordered="d" in posterior, parts=parts)
