r"""Terms that trials of other treatments randomised: therapy and belief, let into the decomposition as far as they travel.

What those trials say, :math:`N(m, s^2)`, may be off here by a transport deviation with mean square :math:`t^2`. Together with the
term's own prior :math:`N(0, p^2)` that is a normal prior of precision :math:`1 / (s^2 + t^2) + 1 / p^2`, which the closed form and
the sampler take alike. The synthesis learns the deviation; here it is integrated out as normal.
"""

from collections.abc import Mapping

import numpy as np

INFORMED = {"therapy": "psi", "belief": "epsilon"}
"""Terms that outside evidence may inform, and their coefficients. The course is no single coefficient: see the synthesis."""

TERM_OF = {"therapy": "therapy", "belief": "expectancy"}


def informed_priors(
    informed: Mapping[str, tuple[float, float]] | None,
    terms: frozenset[str] | set[str],
    transport_sd: float,
    prior_sd: Mapping[str, float],
) -> dict[str, tuple[float, float]]:
    """Return mean and SD of each term's prior, by term: what was randomised elsewhere times the term's own prior.

    Parameters
    ----------
    informed
        Mean and SD by name, as :func:`pillprocess.outside_evidence` gives them.
    terms
        The model's terms.
    transport_sd
        Root mean square of the difference between a term here and elsewhere, in SDs.
    prior_sd
        SD of each term's own zero-mean prior.

    Raises
    ------
    ValueError
        An unknown name, a term the model lacks, or an SD that is not positive; all at once.
    """
    told, problems = dict(informed or {}), []
    if unknown := sorted(set(told) - set(INFORMED)):
        problems.append(
            f"informed names {', '.join(unknown)}; trials elsewhere inform {' and '.join(INFORMED)} of the decomposition"
        )
    problems += [
        f"informed[{name!r}]: the terms lack {TERM_OF[name]!r}, which it speaks of"
        for name in told
        if name in TERM_OF and TERM_OF[name] not in terms
    ]
    problems += [
        f"informed[{name!r}] has standard deviation {sd:g}; it must be > 0"
        for name, (_, sd) in told.items()
        if not sd > 0
    ]
    if told and not 0 <= transport_sd < np.inf:
        problems.append(f"prior_transport_sd = {transport_sd:g}; it must be at least 0")
    if problems:
        raise ValueError("nothing was fitted:\n" + "\n".join(problems))
    priors = {}
    for name, own in prior_sd.items():
        mean, sd = told.get(name, (0.0, np.inf))
        outside = 1 / (sd**2 + transport_sd**2)
        precision = outside + own**-2.0
        priors[name] = (float(outside * mean / precision), float(precision**-0.5))
    return priors


def told_elsewhere(
    informed: Mapping[str, tuple[float, float]] | None, transport_sd: float, prior_sd: Mapping[str, float]
) -> list[str]:
    """Return the coefficients whose prior is more than half what was randomised elsewhere."""
    return [
        INFORMED[name]
        for name, (_, sd) in (informed or {}).items()
        if 1 / (sd**2 + transport_sd**2) > prior_sd[name] ** -2.0
    ]
