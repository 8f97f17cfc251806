"""The items of the reporting guidelines, in short words, with the section of the report that answers each."""

from importlib.resources import files

import pandas as pd


def checklists() -> pd.DataFrame:
    """Return every item in short words: ``guideline``, ``item``, ``asks``, ``section`` of the report, and ``open``, why it may be empty.

    BARG: Kruschke 2021, doi:10.1038/s41562-021-01177-7. PRISMA-NMA: Hutton et al. 2015, doi:10.7326/M14-2385. AGReMA: Lee et al. 2021,
    doi:10.1001/jama.2021.14075.
    """
    with (files("pillprocess.review") / "checklists.csv").open(encoding="utf-8") as file:
        return pd.read_csv(file, dtype=str, keep_default_na=False)
