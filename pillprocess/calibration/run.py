"""What ``pillprocess calibrate`` does: run, judge, write."""

import os
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path

import matplotlib.pyplot as plt
import pandas as pd

from pillprocess.calibration.bands import calibration_note, check_calibration
from pillprocess.calibration.plot import plot_calibration
from pillprocess.calibration.ranks import calibrate
from pillprocess.output.visual_style import house_style


def run_calibrate(
    model: str, *, replications: int, seed: int, out: Path, executor: str, progress: bool
) -> tuple[pd.DataFrame, str]:
    """Calibrate a model and write ranks, verdicts and figure beside the journal in ``out/MODEL``.

    Returns
    -------
    Verdict of every quantity, and the sentence that weighs them together.

    Raises
    ------
    ValueError, ResultsError
        As `calibrate`; or Dask is not installed.
    """
    folder = out / model
    with executor_called(executor) as pool, _progress(progress) as step:
        ranks = calibrate(model, replications=replications, seed=seed, folder=folder, executor=pool, step=step)
    verdicts = check_calibration(ranks)
    _write(folder / "ranks.csv", lambda path: ranks.to_csv(path, index=False, lineterminator="\n"))
    _write(folder / "verdicts.csv", lambda path: verdicts.to_csv(path, index=False, lineterminator="\n"))
    with house_style():
        figure = plot_calibration(ranks)
        _write(folder / "calibration.png", lambda path: figure.savefig(path, format="png"))
        plt.close(figure)
    return verdicts, calibration_note(verdicts)


def run_power(*, datasets: int, seed: int, out: Path) -> pd.DataFrame:
    """Simulate evidence of the embedded tables' shape in every world, fit it, and write the table to ``out/power``.

    Returns
    -------
    DataFrame as :func:`pillprocess.power_table`, which holds the committed one.
    """
    from pillprocess.calibration.worlds import fit_worlds, power
    from pillprocess.evidence.tables import load_evidence
    from pillprocess.synthesis.items import synthesis_items

    folder = out / "power"
    table = power(fit_worlds(synthesis_items(load_evidence()), datasets=datasets, seed=seed, folder=folder)).round(4)
    _write(folder / "power.csv", lambda path: table.to_csv(path, index=False, lineterminator="\n"))
    return table


@contextmanager
def executor_called(name: str) -> Iterator[Executor | None]:
    """Executor of that name: ``serial`` (None), ``process`` (a process per core) or ``dask`` (a local cluster).

    Raises
    ------
    ValueError
        Unknown name, or Dask is not installed.
    """
    if name == "serial":
        yield None
    elif name == "process":
        with ProcessPoolExecutor(mp_context=get_context("spawn")) as pool:
            yield pool
    elif name == "dask":
        try:
            from distributed import Client
        except ImportError as error:
            raise ValueError(
                "executor 'dask' needs Dask: pip install 'pillprocess[distributed]'; nothing was run"
            ) from error
        with (
            Client(processes=True, threads_per_worker=1, dashboard_address=None) as client,
            client.get_executor() as pool,
        ):
            yield pool
    else:
        raise ValueError(f"executor = {name!r}; it must be serial, process or dask; nothing was run")


@contextmanager
def _progress(shown: bool) -> Iterator[Callable[[int, int], None] | None]:
    """A bar on standard error."""
    if not shown:
        yield None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True)) as bar:
        task = bar.add_task("making the model ready", total=None)

        def step(done: int, total: int) -> None:
            bar.update(task, completed=done, total=total, description="replications")

        yield step


def _write(path: Path, write: Callable[[Path], None]) -> None:
    """Write a file under another name first, so that it is there whole or not at all."""
    part = path.with_name(f".{path.name}.partial")
    write(part)
    os.replace(part, path)
