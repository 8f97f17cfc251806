"""Make tests/calibration/reference/MODEL.csv from a folder that ``pillprocess calibrate MODEL`` filled.

pillprocess calibrate mediation --replications 200 --seed 1 --out calibration
python tests/calibration/commit_ranks.py calibration/mediation
"""

import json
import sys
from pathlib import Path

from pillprocess.calibration.journal import JOURNAL
from pillprocess.calibration.ranks import rank_table

for folder in map(Path, sys.argv[1:]):
    header, *records = (json.loads(line) for line in (folder / JOURNAL).read_text().splitlines())
    ranks = rank_table(sorted(records, key=lambda r: r["replication"]))
    wide = ranks.pivot_table(index="replication", columns="quantity", values="rank")[list(records[0]["ranks"])].astype(
        int
    )
    by_replication = ranks.groupby("replication")
    wide["divergences"] = by_replication["divergences"].first()
    wide["lowest_ess"] = by_replication["ess"].min()
    command = f"pillprocess calibrate {header['model']} --replications {len(records)} --seed {header['seed']}"
    described = ", ".join(f"{k} {v}" for k, v in header.items() if k not in ("model", "seed"))
    text = f"# {command}\n# {described}\n{wide.to_csv(lineterminator='\n')}"
    (Path(__file__).parent / "reference" / f"{header['model']}.csv").write_text(text)
