"""Attacks on runs: kill -9 at random moments, a full disk, Ctrl-C in the sampler, runs side by side into one folder.

``python benchmarks/attacks.py kill`` (40 tries), ``full_disk`` (20), ``interrupt`` (10) or ``concurrent`` (20); a second argument
changes the number. A try survives if no file of the user's is lost or changed, no results are half-written, no message is a
traceback, and nothing crashes. Prints one line a try that failed, and the count.
"""

import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from pillprocess.output.results import results_folder
from pillprocess.output.written import not_written

TRIES = {"kill": 40, "full_disk": 20, "interrupt": 10, "concurrent": 20}
ROOT = Path(__file__).resolve().parents[1]

WRITE = """
import sys, warnings
from pathlib import Path
import numpy as np, pandas as pd, xarray as xr
import matplotlib; matplotlib.use("agg")
import matplotlib.pyplot as plt
from pillprocess import cli, save_fit
from pillprocess.output.results import results_folder, write_tables
from pillprocess.review.figures import save_figures
def run():
    with results_folder(Path(sys.argv[1]), {"run": sys.argv[2]}) as work:
        (work / "report.html").write_text(sys.argv[2] * 20_000)
        figure, ax = plt.subplots(); ax.plot(range(9)); save_figures({"a": figure}, work / "figures")
        write_tables({"t": pd.DataFrame({"run": [sys.argv[2]] * 9_000})}, work / "tables")
        (work / "posterior").mkdir()
        draws = xr.Dataset({"v": (("chain", "draw"), np.random.default_rng(0).normal(size=(4, 9_000)))})
        save_fit(xr.DataTree.from_dict({"/posterior": draws}), work / "posterior" / "a.nc")
cli.app = run
cli.main()
"""

SAMPLE = """
import os, random, signal, sys, threading, time
import pymc as pm, pillprocess as pp
with pm.Model(coords={"x": range(300)}) as model:
    s = pm.HalfNormal("s"); pm.Normal("v", 0, s, dims="x")
pp.fit(model, seed=1, draws=5, tune=5)
draw = random.Random(0)
for i in range(int(sys.argv[1])):
    threading.Timer(draw.uniform(2, 9), os.kill, (os.getpid(), signal.SIGINT)).start()
    try:
        idata = pp.fit(model, seed=1, draws=400_000, tune=400_000)
        print("a fit of", idata["posterior"].sizes, flush=True)
    except KeyboardInterrupt:
        print("interrupted", flush=True)
"""


def small_evidence(folder: Path) -> Path:
    sys.path.insert(0, str(ROOT))
    from tests.evidence.folders import small_folder

    return small_folder(folder, ("one", "two", "three", "four"))


def small_trial(path: Path) -> Path:
    draw = random.Random(1)
    rows = [f"{'drug' if i % 2 else 'placebo'},{draw.gauss(i % 2, 1):.3f},{draw.gauss(0, 1):.3f}" for i in range(60)]
    path.write_text("arm,m,y\n" + "\n".join(rows) + "\n")
    return path


def python(code: str, *arguments: object) -> list[str]:
    return [sys.executable, "-c", code, *map(str, arguments)]


def faults(out: Path, diary: Path, said: str) -> list[str]:
    """What a try broke."""
    found = [] if diary.read_text() == "years of work" else ["the user's file"]
    if out.exists() and not_written(out):
        found.append(f"half-written: {not_written(out)[:3]}")
    return found + (["traceback"] if "Traceback" in said else [])


def kill(tries: int, home: Path) -> int:
    evidence, trial, diary = small_evidence(home / "e"), small_trial(home / "t.csv"), home / "diary.txt"
    diary.write_text("years of work")
    roles = ["--treatment", "arm", "--reference", "placebo", "--mediator", "m", "--outcome", "y", "--quiet"]
    commands = [
        (["reproduce", "--no-synthesis", "--quiet", "--evidence", str(evidence), "--out", str(home / "r")], 60.0),
        (["mediate", str(trial), *roles, "--out", str(home / "m")], 60.0),
        (["calibrate", "decomposition", "--replications", "2", "--quiet", "--out", str(home / "c")], 20.0),
        (["decompose", "--evidence", str(evidence), "--quiet"], 6.0), (["compare", "--evidence", str(evidence), "--quiet"], 6.0),
        (["evidence", str(evidence)], 4.0), (python(WRITE, home / "w", "n"), 8.0), (python(WRITE, home / "w", "n"), 8.0),
    ]  # fmt: skip
    survived, draw = 0, random.Random(0)
    for i in range(tries):
        command, longest = commands[i % len(commands)]
        whole = command if command[0] == sys.executable else [sys.executable, "-m", "pillprocess", *command]
        with subprocess.Popen(whole, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as run:
            try:
                said = run.communicate(timeout=draw.uniform(0.1, longest))[1]
            except subprocess.TimeoutExpired:
                run.kill()
                said = run.communicate()[1]
        broken = [f for out in (home / "r", home / "m", home / "w") for f in faults(out, diary, said)]
        survived += not broken
        if broken:
            print(i, command[:2], broken, said[-300:])
    for out in (home / "r", home / "m", home / "w"):
        with results_folder(out, {}):
            pass
    left = sorted(p.name for p in home.iterdir() if p.name.startswith("."))
    print("left behind after the next run:", left or "nothing")
    return survived


def full_disk(tries: int, home: Path) -> int:
    survived, draw = 0, random.Random(0)
    for i in range(tries):
        disk = home / f"disk{i}"
        disk.mkdir()
        mount = ["mount", "-t", "tmpfs", "-o", f"size={draw.randrange(60, 900)}k", "tmpfs", str(disk)]
        subprocess.run(mount, check=True)
        try:
            diary, out = disk / "diary.txt", disk / "out"
            diary.write_text("years of work")
            first = subprocess.run(python(WRITE, out, "a"), capture_output=True, text=True, check=False)
            second = subprocess.run(python(WRITE, out, "b"), capture_output=True, text=True, check=False)
            broken = faults(out, diary, first.stderr + second.stderr)
            for done in (first, second):
                if done.returncode not in (0, 1) or (done.returncode and done.stderr.count("\n") != 1):
                    broken.append(f"exit {done.returncode}: {done.stderr[-300:]}")
            if first.returncode == 0 and not out.exists():
                broken.append("earlier results gone")
            left = {p.name for p in disk.iterdir()} - {"diary.txt", "out"}
            broken += [f"left: {left}"] if left else []
        finally:
            subprocess.run(["umount", str(disk)], check=True)
        survived += not broken
        print(i, (first.returncode, second.returncode), broken or "survived")
    return survived


def interrupt(tries: int, home: Path) -> int:
    done = subprocess.run(python(SAMPLE, tries), capture_output=True, text=True, check=False, cwd=home)
    if done.returncode:
        print(done.stderr[-500:])
    return done.stdout.split("\n").count("interrupted")


def concurrent(tries: int, home: Path) -> int:
    diary, out, survived, together = home / "diary.txt", home / "out", 0, 4
    diary.write_text("years of work")
    for _ in range(0, tries, together):
        runs = [subprocess.Popen(python(WRITE, out, i), stderr=subprocess.PIPE, text=True) for i in range(together)]
        while any(run.poll() is None for run in runs):
            time.sleep(0.01)
        for run in runs:
            broken = faults(out, diary, run.communicate()[1]) + ([f"exit {run.returncode}"] if run.returncode else [])
            survived += not broken
            if broken:
                print(broken)
        texts = {out.joinpath("report.html").read_text()[0], out.joinpath("tables/t.csv").read_text().split("\n")[1]}
        if len(texts) != 1 or {p.name for p in home.iterdir()} != {"diary.txt", "out"}:
            print("mixed or left:", texts, sorted(p.name for p in home.iterdir()))
            survived -= together
    return survived


if __name__ == "__main__":
    attack = sys.argv[1]
    number = int(sys.argv[2]) if len(sys.argv) > 2 else TRIES[attack]
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    os.environ |= {"MPLBACKEND": "Agg", "OPENBLAS_NUM_THREADS": "1"}
    place = Path(tempfile.mkdtemp(prefix="attacks-"))
    try:
        print(f"{attack}: {globals()[attack](number, place)} of {number} survived", flush=True)
    finally:
        shutil.rmtree(place, ignore_errors=True)
