"""The headline decomposition by the closed form and by the sampler, and a random-effects pool by metafor where R has it.

Run with ``uv run python benchmarks/routes.py``. Wall seconds, the smallest of three (sampler: one) after the data are
loaded, and the ratio to the closed form's fit, all from one run: the machine's speed cancels in the ratio.
"""

import shutil
import subprocess
import time
from collections.abc import Callable

import nutpie

import pillprocess as pp
from pillprocess.gaussian.fit import integrate


def seconds(action: Callable[[], object], times: int = 3) -> float:
    best = float("inf")
    for _ in range(times):
        start = time.perf_counter()
        action()
        best = min(best, time.perf_counter() - start)
    return best


evidence = pp.load_evidence()
arms = pp.arm_changes(evidence)
contrasts = pp.contrasts(evidence, besides=arms)
design = pp.decomposition_design(arms, contrasts)
model = pp.gaussian_model(design)
results = {
    "closed form: posterior on its grid": seconds(lambda: integrate(design)),
    "closed form: fit with 4,000 draws": seconds(lambda: pp.fit(design, seed=1)),
    "closed form: leave each trial out": seconds(lambda: pp.loto_exact(design)),
    "closed form: six hypotheses, each trial left out": seconds(
        lambda: pp.compare(
            {n: pp.fit(pp.decomposition_design(arms, contrasts, terms=t), seed=1) for n, t in pp.HYPOTHESES.items()}
        )
    ),
}
start = time.perf_counter()
compiled = nutpie.compile_pymc_model(model)
results["sampler: compile"] = time.perf_counter() - start
results["sampler: 4,000 draws"] = seconds(
    lambda: nutpie.sample(compiled, draws=1000, tune=1000, chains=4, seed=1, target_accept=0.95, progress_bar=False),
    times=1,
)
unit = results["closed form: fit with 4,000 draws"]
for name, value in results.items():
    print(f"{name:52s} {value:8.3f} s   {value / unit:8.1f} x")

if shutil.which("Rscript") is None:
    print("metafor, rstan: skipped, Rscript is not installed")
else:
    code = "suppressMessages(library(metafor)); d <- escalc('SMD', m1i=1:9/9, sd1i=1, n1i=20, m2i=0, sd2i=1, n2i=20);"
    code += "t <- system.time(for (i in 1:20) rma(yi, vi, data=d, test='knha'))[['elapsed']]/20; cat(t)"
    done = subprocess.run(["Rscript", "-e", code], capture_output=True, text=True, check=False)
    if done.returncode:
        print("metafor: skipped, the R package is not installed")
    else:
        print(
            f"{'metafor: one pool of 9 trials (one number)':52s} {float(done.stdout):8.3f} s   {float(done.stdout) / unit:8.1f} x"
        )
