"""CPU time of a cold shell: importing the package, --help, the evidence checks, one decomposition, the hypotheses compared.

Run with ``uv run python benchmarks/cold_start.py``. Each command runs five times in a process of its own; the median
user + system time is printed, with its ratio to an empty Python in the same run.
"""

import resource
import subprocess
import sys
from statistics import median

COMMANDS = {
    "python -c pass": [sys.executable, "-c", "pass"],
    "import pillprocess": [sys.executable, "-c", "import pillprocess"],
    "pillprocess --help": [sys.executable, "-m", "pillprocess", "--help"],
    "pillprocess evidence": [sys.executable, "-m", "pillprocess", "evidence"],
    "pillprocess decompose": [sys.executable, "-m", "pillprocess", "decompose"],
    "... decompose --json": [sys.executable, "-m", "pillprocess", "decompose", "--json"],
    "... compare --json": [sys.executable, "-m", "pillprocess", "compare", "--json"],
}


def cpu_seconds(command: list[str]) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


empty = median(cpu_seconds(COMMANDS["python -c pass"]) for _ in range(5))
for name, command in COMMANDS.items():
    seconds = median(cpu_seconds(command) for _ in range(5))
    print(f"{name:24s} {seconds:6.2f} s CPU   {seconds / empty:6.1f} x an empty Python")
