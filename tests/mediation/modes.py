"""The posterior mode of a mediation model, without its sampler."""

from collections.abc import Sequence

import numpy as np
import pymc as pm
from scipy import optimize

from tests.mediation.test_model import STABLE


def posterior_mode(model: pm.Model, names: Sequence[str]) -> list[float]:
    """Values of scalar variables where the density of the free ones, on their unbounded scale without Jacobian, is largest."""
    start = model.initial_point()
    reported = model.replace_rvs_by_values([model[name] for name in names])
    compiled = model.compile_fn(
        [model.logp(jacobian=False), *reported], inputs=model.value_vars, mode=STABLE, on_unused_input="ignore"
    )
    shapes = [(v.name, np.shape(start[v.name])) for v in model.value_vars]
    ends = np.cumsum([0, *(int(np.prod(s)) for _, s in shapes)])

    def at(x: np.ndarray) -> list[np.ndarray]:
        return compiled({n: x[i:j].reshape(s) for (n, s), i, j in zip(shapes, ends[:-1], ends[1:], strict=True)})

    x0 = np.concatenate([np.ravel(start[n]) for n, _ in shapes])
    best = optimize.minimize(lambda x: -float(at(x)[0]), x0, method="BFGS", options={"gtol": 0.1}).x
    return [float(np.squeeze(u)) for u in at(best)[1:]]
