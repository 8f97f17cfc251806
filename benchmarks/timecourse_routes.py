"""Do the quadrature and the sampler agree on the time course and on the dose-response, on the embedded evidence?

``python benchmarks/timecourse_routes.py`` fits both models by both routes and prints, for each parameter, the difference of the means
over the posterior SD, and the ratio of the SDs; NUTS has 2 chains of 1,500 draws.
"""

import time

import numpy as np
import pandas as pd

import pillprocess as pp


def compare(exact, sampled, names):
    lines = []
    for name in names:
        log = name in ("half_life", "half_maximal", "tau")
        first, second = (one["posterior"].dataset[name] for one in (exact, sampled))
        for drug in first["drug"].to_numpy() if "drug" in first.dims else [""]:
            a, b = ((x.sel(drug=drug) if drug else x).to_numpy().ravel() for x in (first, second))
            a, b = (np.log(x) if log else x for x in (a, b))
            lines.append((f"{'log ' if log else ''}{name}", drug, (a.mean() - b.mean()) / b.std(), a.std() / b.std()))
    return pd.DataFrame(lines, columns=["parameter", "drug", "difference in SDs", "ratio of SDs"])


def main() -> None:
    evidence = pp.load_evidence()
    rows = pp.time_rows(evidence)
    arms = pp.arm_changes(evidence)
    primary = pd.concat([arms, pp.contrasts(evidence, besides=arms)], ignore_index=True)
    for model, exact, names in (
        (
            pp.time_course(rows),
            pp.fit_time_course(rows, seed=1, draws=8000),
            ("delta", "half_life", "rho", "tau", "eta"),
        ),
        (
            pp.dose_response(primary),
            pp.fit_dose_response(primary, seed=1, draws=8000),
            ("delta", "half_maximal", "tau"),
        ),
    ):
        started = time.process_time()
        sampled = pp.fit(model, seed=1, draws=1500, chains=2)
        print(f"sampler: {time.process_time() - started:.0f} s of CPU")
        print(compare(exact, sampled, names).round(2).to_string(index=False), flush=True)


if __name__ == "__main__":
    main()
