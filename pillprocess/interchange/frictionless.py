"""An evidence folder as a Frictionless data package: its tables as they are, and a schema with units that is made from the one in code.

The descriptor follows the Data Package standard, version 2.0 (datapackage.org). ``unit`` is a property of this project's own.
"""

import csv
import io
import json
from pathlib import Path
from typing import Any

import pandas as pd

from pillprocess.evidence.csv_text import decode
from pillprocess.evidence.edition import edition_of
from pillprocess.evidence.files import problem
from pillprocess.evidence.schema import EMBEDDED_IF_ABSENT, OPEN_WORDS, SCHEMAS
from pillprocess.evidence.tables import Evidence, embedded_folder
from pillprocess.interchange.units import unit_of

PROFILE = "https://datapackage.org/profiles/2.0/datapackage.json"
RESOURCE = "https://datapackage.org/profiles/2.0/dataresource.json"
SCHEMA = "https://datapackage.org/profiles/2.0/tableschema.json"
DIALECT = {"delimiter": ",", "quoteChar": '"', "doubleQuote": True, "header": True}
OF_ARMS = ("outcomes",)


def table_schema(table: str, header: list[str], own: dict[str, list[str]]) -> dict[str, Any]:
    """The Table Schema of one table.

    Parameters
    ----------
    table
        Its name, such as ``"outcomes"``.
    header
        Columns of the file, in order; what the package does not know is a string.
    own
        Words that the folder brings itself, by column.

    Returns
    -------
    Mapping with ``fields`` (name, type, unit, constraints), ``missingValues``, keys and, between the tables of the package, foreign keys.
    """
    schema = SCHEMAS[table]
    key = [column for column in schema.key.split() if column in header]
    filled = set(schema.filled.split())
    fields = []
    for column in header:
        constraints: dict[str, Any] = {"required": True} if column in filled else {}
        field: dict[str, Any] = {"name": column, "type": "string"}
        if column in schema.figures:
            field |= {"type": "number", "unit": unit_of(table, column)}
            top = 1 if column in schema.shares.split() else 100 if column in schema.percents.split() else None
            constraints |= {} if top is None else {"minimum": 0, "maximum": top}
        elif column in schema.numeric:
            field["type"] = "integer"
            constraints["enum"] = [0, 1]
        elif column in schema.words:
            constraints["enum"] = list(dict.fromkeys([*schema.words[column].split(), *own.get(column, [])]))
        fields.append(field | ({"constraints": constraints} if constraints else {}))
    described: dict[str, Any] = {"$schema": SCHEMA, "fields": fields, "missingValues": [""]}
    described["primaryKey" if set(key) <= filled else "uniqueKeys"] = key if set(key) <= filled else [key]
    links = []
    if table != "trials" and "trial_id" in header and table not in ("pooled_effects",):
        links.append({"fields": ["trial_id"], "reference": {"resource": "trials", "fields": ["trial_id"]}})
    if table in OF_ARMS:
        both = ["trial_id", "arm_id"]
        links.append({"fields": both, "reference": {"resource": "arms", "fields": both}})
    if table in ("outcomes", "contrasts"):
        links.append({"fields": ["instrument"], "reference": {"resource": "instruments", "fields": ["instrument"]}})
    return described | ({"foreignKeys": links} if links else {})


def write_package(evidence: Evidence, folder: Path) -> None:
    """Write the tables, byte by byte, and their descriptor ``datapackage.json`` into a new folder.

    Raises
    ------
    ValueError
        The folder is there already and not empty.
    """
    if folder.exists() and any(folder.iterdir()):
        raise ValueError(f"{folder} is not empty; give a new folder, so that nothing is overwritten")
    folder.mkdir(parents=True, exist_ok=True)
    own = words_of(evidence)
    resources = []
    for table in SCHEMAS:
        source = evidence.folder / f"{table}.csv"
        if not source.is_file() and table in EMBEDDED_IF_ABSENT:
            source = embedded_folder() / f"{table}.csv"
        if not source.is_file():
            continue
        content = source.read_bytes()
        (folder / f"{table}.csv").write_bytes(content)
        names = [name.strip() for name in next(csv.reader(io.StringIO(decode(content)[0].lstrip(), newline="")))]
        resources.append(
            {
                "$schema": RESOURCE, "name": table, "type": "table", "path": f"{table}.csv", "format": "csv", "mediatype": "text/csv",
                "encoding": "utf-8", "dialect": DIALECT, "schema": table_schema(table, names, own),
            }
        )  # fmt: skip
    edition = edition_of(evidence)
    package: dict[str, Any] = {
        "$schema": PROFILE, "name": "pillprocess-evidence", "title": "Evidence on the pill and the process",
        "description": f"Published figures of trials, with the address each was read at; {edition}. An empty cell means not reported.",
    }  # fmt: skip
    package |= {"version": edition.version} if edition.version else {}
    text = json.dumps(package | {"resources": resources}, indent=1, ensure_ascii=False)
    (folder / "datapackage.json").write_text(text + "\n", encoding="utf-8")


def words_of(evidence: Evidence) -> dict[str, list[str]]:
    """Words that the evidence brings itself, by column."""
    words = {column: list(evidence.reference_doses[source].dropna().unique()) for column, source in OPEN_WORDS.items()}
    words["study_drug"] = list(dict.fromkeys([*evidence.drugs["drug"], *words["study_drug"]]))
    for column, word in evidence.vocabulary[["column", "word"]].itertuples(index=False):
        for name in (column, "experience", "experience_also") if column == "dimension" else (column,):
            words.setdefault(str(name), []).append(str(word))
    return words


def read_package(source: Path) -> tuple[dict[str, bytes], list[pd.DataFrame]]:
    """Read the tables of a data package that the evidence knows by name, and list what cannot be read.

    Parameters
    ----------
    source
        ``datapackage.json``, or the folder that holds it.
    """
    file = source / "datapackage.json" if source.is_dir() else source
    try:
        resources = json.loads(file.read_text(encoding="utf-8"))["resources"]
    except (OSError, json.JSONDecodeError, KeyError, TypeError, UnicodeDecodeError) as error:
        return {}, [problem(file.name, f"is no descriptor of a data package ({type(error).__name__}: {error})")]
    found, problems = {}, []
    for resource in resources:
        name, path = str(resource.get("name", "")), resource.get("path")
        if name not in SCHEMAS:
            problems.append(
                problem(file.name, f"the resource {name!r} is none of the evidence tables: {', '.join(SCHEMAS)}")
            )
            continue
        place = (file.parent / str(path)).resolve()
        if not isinstance(path, str) or not place.is_relative_to(file.parent.resolve()):
            problems.append(problem(file.name, f"the path {path!r} of {name} must be one file inside the package"))
        elif not place.is_file():
            problems.append(problem(file.name, f"{name}: there is no file {path}"))
        else:
            found[name] = place.read_bytes()
    return found, problems
