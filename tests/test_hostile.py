"""Hostile input: whatever a file holds, the answer is a checked table or one clear message, and nothing is left behind."""

import ast
import contextlib
import io
import os
import signal
import sys
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

import pillprocess as pp
from pillprocess import cli
from pillprocess.evidence.tables import EvidenceError, embedded_folder
from pillprocess.participants.table import ParticipantError
from pillprocess.published import datasets
from pillprocess.published.datasets import DatasetError
from tests.evidence.folders import OUTCOMES, small_folder

FUZZ = settings(max_examples=40, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
FEWER = settings(FUZZ, max_examples=12)
PACKAGE = Path(pp.__file__).parent


# ------------------------------------------------------------------------------------------------- participants

N = 24
ROLES = {"treatment": "arm", "reference": "placebo", "mediators": "m", "outcome": "y", "baseline": "y0"}


def people() -> str:
    rng = np.random.default_rng(0)
    values = rng.normal(size=(N, 3)).round(3)
    table = pd.DataFrame(values, columns=["m", "y", "y0"]).assign(arm=np.tile(["placebo", "drug"], N // 2))
    return table.to_csv(index=False, lineterminator="\n")


def row(number: int, text: str) -> bytes:
    """The table with another line."""
    lines = people().splitlines()
    lines[number - 1] = text
    return ("\n".join(lines) + "\n").encode()


def load(path: Path, **roles: object) -> pp.Participants:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # small arms
        return pp.load_participants(path, **(ROLES | roles))


REFUSED = {
    "latin-1": (people().replace("drug", "dröge").encode("latin-1"), "row 3: the file is not UTF-8 text (byte 0xf6)"),
    "control character": (row(4, "1,2,3,dr\x1b[2Jug"), r"row 4: the file holds the control character \x1b, which no label"),
    "turned direction": (row(4, "1,2,3,dr\u202eug"), r"row 4: the file holds the control character \u202e"),
    "NUL": (people().replace("drug", "dr\0ug", 1).encode(), "holds NUL bytes"),
    "empty": (b"", "the file is empty"),
    "blank lines": (b"\n\n \n", "the file is empty"),
    "bytes": (bytes(range(1, 256)) * 20, "is not UTF-8 text"),
    "header only": (people().splitlines()[0].encode(), "the table has no rows"),
    "duplicate header": (people().replace("m,y,y0", "m,y,y").encode(), "row 1: the header has 'y' 2 times"),
    "nameless column": (people().replace("m,y,y0,arm", "m,,,arm").encode(), "row 1: the header has '' 2 times"),
    "a cell too many": (row(4, "1,2,3,drug,5"), "the header has 4 cells, but not so row 4 (5)"),
    "a cell too few": (row(4, "1,2,drug"), "the header has 4 cells, but not so row 4 (3)"),
    "one cell more in every row": (people().replace("\n", ",1\n").replace("arm,1", "arm").encode(), "but not so row 2 (5)"),
    "open quotation mark": (row(4, '"1,2,3,drug'), "row 4: cannot be read as CSV from here on (unexpected end of data)"),
    "very long cell": (row(4, f"1,2,3,{'x' * 200_000}"), "row 4: cannot be read as CSV from here on (field larger than"),
    "thousands": (row(4, '"1,234.5",2,3,drug'), "column 'm': row 4 ('1,234.5') is not a number"),
    "formula": (row(4, "=cmd(),2,3,drug"), "column 'm': row 4 ('=cmd()') is not a number"),
    "date": (row(4, "1,2024-03-04,3,drug"), "column 'y': row 4 ('2024-03-04') is not a number"),
    "spreadsheet error": (row(4, "#N/A,2,3,drug"), "column 'm': row 4 ('#N/A') is not a number"),
    "word": (row(4, "None,2,3,drug"), "column 'm': row 4 ('None') is not a number"),
    "inf": (row(4, "inf,2,3,drug"), "column 'm': row 4 (inf) is not a number of at most 1e+12"),
    "1e308": (row(4, "1e308,2,3,drug"), "column 'm': row 4 (1e+308) is not a number of at most 1e+12"),
    "1e999": (row(4, "1,-1e999,3,drug"), "column 'y': row 4 (-inf) is not a number"),
    "word in a covariate": (row(4, "1,2,abc,drug"), "column 'y0': row 4 ('abc') is not a number"),
    "decimal comma": (row(4, '"1,5",2,3,drug'), "column 'm': row 4 ('1,5') is not a number"),
    "after a line break in a cell": (row(4, '1,2,3,"dr\nug"\nx,2,3,drug'), "column 'm': row 6 ('x') is not a number"),
    "missing treatment": (row(4, "1,2,3,"), "column 'arm': missing on row 4"),
}  # fmt: skip


@pytest.mark.parametrize(("content", "message"), REFUSED.values(), ids=REFUSED)
def test_a_table_that_cannot_be_meant_is_refused_in_words(tmp_path, content, message):
    path = tmp_path / "trial.csv"
    path.write_bytes(content)
    with pytest.raises(ParticipantError) as caught:
        load(path)
    assert message in str(caught.value)
    assert "in trial.csv; nothing was fitted" in str(caught.value)
    assert len(str(caught.value)) < 2000


ACCEPTED = {
    "utf-16": people().encode("utf-16"),
    "semicolons": people().replace(",", ";").encode(),
    "decimal commas": people().replace(",", ";").replace(".", ",").encode(),
    "tabs": people().replace(",", "\t").encode(),
    "bars in UTF-16": people().replace(",", "|").encode("utf-16"),
    "byte order mark": b"\xef\xbb\xbf" + people().encode(),
    "windows line ends": people().replace("\n", "\r\n").encode(),
    "old line ends": people().replace("\n", "\r").encode(),
    "no last line end": people().strip().encode(),
    "blank lines": b"\n\n" + people().replace("\n", "\n\n").encode() + b"  \n",
    "empty columns of a spreadsheet": people().replace("\n", ",,,\n").encode(),
    "empty rows of a spreadsheet": people().encode() + b",,,\n" * 5,
    "quotation marks": people().replace("drug", '"drug"').encode(),
}


@pytest.mark.parametrize("content", ACCEPTED.values(), ids=ACCEPTED)
def test_a_table_that_can_only_mean_one_thing_is_read(tmp_path, content):
    path = tmp_path / "trial.csv"
    path.write_bytes(content)
    plain = tmp_path / "plain.csv"
    plain.write_text(people())
    found, expected = load(path), load(plain)
    for name in ("outcome", "mediators", "covariates", "treatment", "arm"):
        one, other = getattr(found, name), getattr(expected, name)
        assert one.to_numpy().tolist() == other.to_numpy().tolist(), name


def test_a_missing_file_and_a_folder_are_said_so(tmp_path):
    with pytest.raises(ParticipantError, match="in none.csv; nothing was fitted:\nthere is no such file"):
        load(tmp_path / "none.csv")
    with pytest.raises(ParticipantError, match="is a folder; give the file that holds the table"):
        load(tmp_path)


def test_a_link_to_a_table_is_followed_and_a_broken_one_is_said_so(tmp_path):
    (tmp_path / "trial.csv").write_text(people())
    (tmp_path / "link.csv").symlink_to(tmp_path / "trial.csv")
    (tmp_path / "broken.csv").symlink_to(tmp_path / "nowhere")
    (tmp_path / "loop.csv").symlink_to("loop.csv")
    assert len(load(tmp_path / "link.csv")) == N
    for name in ("broken.csv", "loop.csv"):
        with pytest.raises(ParticipantError, match="there is no such file"):
            load(tmp_path / name)


def test_what_blank_means_is_kept_apart_from_words(tmp_path):
    path = tmp_path / "trial.csv"
    path.write_bytes(row(4, "NA,2,3,drug"))
    assert load(path).outcome.notna().all()
    assert load(path).mediators["m"].isna().sum() == 1
    path.write_text(people().replace("placebo", "None"))
    assert load(path, reference="None").reference == "None", "an arm may be called None"


def test_a_column_of_identifiers_or_dates_is_no_arm_and_no_factor():
    n = 300
    table = pd.DataFrame({"arm": np.tile(["a", "b"], n // 2), "m": np.arange(n) % 7.0, "y": np.arange(n) % 5.0})
    table["visit"] = [f"2024-{i:03d}" for i in range(n)]
    roles = {"mediators": "m", "outcome": "y"}
    with pytest.raises(
        ParticipantError, match=r"the treatment has 300 levels \(.* and 290 more\); is it another column"
    ):
        pp.load_participants(table, treatment="visit", reference="2024-000", **roles)
    with pytest.raises(ParticipantError, match="300 different words on 300 rows .* cannot be levels of a factor"):
        pp.load_participants(table, treatment="arm", reference="a", covariates=["visit"], **roles)


def test_many_repeated_participants_are_counted_not_all_named():
    n = 20_000
    table = pd.DataFrame({"arm": np.tile(["a", "b"], n // 2), "m": np.arange(n) % 7.0, "y": np.arange(n) % 5.0})
    table["id"] = np.arange(n) // 2
    with pytest.raises(ParticipantError, match="column 'id': 9980 more participants have several rows") as caught:
        pp.load_participants(table, treatment="arm", reference="a", mediators="m", outcome="y", id="id")
    assert len(caught.value.problems) == 22
    assert "9980" not in caught.value.problems[-1]
    assert "10000 people had several arms: a crossover" in caught.value.problems[-1]


def test_values_that_are_only_rounding_error_are_refused_and_single_ones_are_not():
    table = pd.read_csv(io.StringIO(people()))
    for column, message in (
        ("m", "column 'm': every value is below 1e-12"),
        ("y0", "covariate 'y0': every value is below"),
    ):
        with pytest.raises(ParticipantError, match=message):
            load(table.assign(**{column: table[column] * 1e-15}))
    table.loc[3, "m"] = 0.1 + 0.2 - 0.3
    assert load(table).mediators["m"].iloc[3] == 0.1 + 0.2 - 0.3


def test_float32_columns_become_double_precision():
    table = pd.read_csv(io.StringIO(people())).astype({"m": "float32", "y": "float32", "y0": "float32"})
    found = load(table)
    parts = (found.outcome.to_frame(), found.mediators, found.covariates, found.treatment)
    assert {str(t) for part in parts for t in part.dtypes} == {"float64"}


CELL = st.one_of(
    st.text(max_size=12),
    st.sampled_from(
        [
            "",
            "NA",
            "nan",
            "-inf",
            "1e308",
            "1e-308",
            "=1+1",
            '"',
            ",",
            "\n",
            "\r",
            "\x00",
            "1,5",
            "٣",
            "0x10",
            "-",
            "drug",
        ]
    ),
    st.floats().map(str),
)


@FUZZ
@given(cells=st.dictionaries(st.tuples(st.integers(0, N), st.integers(0, 3)), CELL, max_size=6))
@example(cells={(0, 0): "y"})
@example(cells={(1, 3): "x" * 131_073})
def test_any_cell_gives_participants_or_a_list_of_problems(tmp_path, cells):
    lines = [line.split(",") for line in people().splitlines()]
    for (i, k), cell in cells.items():
        lines[i][k] = cell
    check_table(tmp_path, "\n".join(",".join(line) for line in lines).encode("utf-8", "replace"))


@FUZZ
@given(
    content=st.one_of(
        st.binary(max_size=300), st.text(alphabet='my0,;\t"\n\r 1drugplacebo\x00é', max_size=300).map(str.encode)
    )
)
def test_any_bytes_give_participants_or_a_list_of_problems(tmp_path, content):
    check_table(tmp_path, content)


def check_table(folder: Path, content: bytes) -> None:
    path = folder / "trial.csv"
    path.write_bytes(content)
    with contextlib.suppress(ParticipantError):
        found = load(path)
        assert np.isfinite(found.outcome.dropna()).all()
        assert np.isfinite(found.mediators.fillna(0).to_numpy()).all()
        assert found.treatment.isin([0.0, 1.0]).all(axis=None)


# ----------------------------------------------------------------------------------------------------- evidence


def check_folder(folder: Path) -> None:
    """Either a list of problems, or a finite model, or a refusal in words."""
    problems = pp.evidence_problems(folder)
    if len(problems):
        with pytest.raises(EvidenceError, match="nothing was fitted"):
            pp.load_evidence(folder)
        return
    try:
        arms = pp.arm_changes(pp.load_evidence(folder))
        design = pp.decomposition_design(arms)
    except ValueError:
        return
    assert np.isfinite(design["y"]).all()
    assert np.isfinite(design["covariance"]).all()


def test_the_small_folder_is_sound(tmp_path):
    assert pp.evidence_problems(small_folder(tmp_path / "e")).empty
    check_folder(tmp_path / "e")


@FEWER
@given(
    table=st.sampled_from(["trials", "arms", "outcomes"]),
    changes=st.dictionaries(st.tuples(st.integers(0, 3), st.integers(0, 13)), CELL, min_size=1, max_size=4),
)
@example(table="outcomes", changes={(1, 6): "-1"})
@example(table="outcomes", changes={(1, 12): "1e308"})
@example(table="outcomes", changes={(1, 9): "1e-308"})
@example(table="arms", changes={(1, 5): "1e308", (1, 11): "1e308"})
def test_any_cell_of_the_evidence_gives_a_model_or_a_list_of_problems(tmp_path, table, changes):
    folder = small_folder(tmp_path / "e")
    lines = [line.split(",") for line in (folder / f"{table}.csv").read_text(encoding="utf-8").splitlines()]
    for (i, k), cell in changes.items():
        lines[i][k % len(lines[i])] = cell
    (folder / f"{table}.csv").write_bytes("\n".join(",".join(line) for line in lines).encode("utf-8", "replace"))
    check_folder(folder)


@FEWER
@given(
    content=st.one_of(
        st.binary(max_size=200), st.text(alphabet='trial_id,;\t"\n\r 1\x00é', max_size=200).map(str.encode)
    )
)
def test_any_bytes_as_a_table_give_a_list_of_problems(tmp_path, content):
    folder = small_folder(tmp_path / "e")
    (folder / "arms.csv").write_bytes(content)
    assert len(pp.evidence_problems(folder)) > 0


FIGURES = {
    ("outcomes", "change_sd", "1e10"): "impossible on MADRS",
    ("outcomes", "change_sd", "1e-10"): "no standard deviation is that small; is the cell mistyped",
    ("outcomes", "n", "-1"): "a number of people must be whole and at least 1",
    ("outcomes", "n", "1e15"): "no study measures this; is the cell mistyped",
    ("outcomes", "post_mean", "=cmd()"): "post_mean = =cmd(); not a number",
    ("outcomes", "post_mean", "2024-03-04"): "post_mean = 2024-03-04; not a number",
    ("outcomes", "post_mean", "1e999"): "not a number",
    ("arms", "dose_mg_equiv", "1e5"): "more than 60 mg; is the unit right",
}


@pytest.mark.parametrize(("table", "column", "cell"), FIGURES)
def test_figures_that_cannot_be_are_named_with_their_place(tmp_path, table, column, cell):
    folder = small_folder(tmp_path / "e")
    path = folder / f"{table}.csv"
    rows = pd.read_csv(path, dtype=str)
    rows.loc[0, column] = cell
    rows.to_csv(path, index=False)
    with pytest.raises(EvidenceError) as caught:
        pp.load_evidence(folder)
    assert FIGURES[table, column, cell] in str(caught.value)
    assert f"{table}.csv row 2, trial 'one'" in str(caught.value)


@pytest.mark.parametrize(
    ("dose", "message"),
    [
        ("-25", "a reference dose must be > 0"),
        ("0", "must be > 0"),
        ("1e-6", "is the unit right"),
        ("1e4", "is the unit right"),
    ],
)
def test_a_reference_dose_that_would_turn_or_inflate_every_effect_is_refused(tmp_path, dose, message):
    folder = small_folder(tmp_path / "e")
    rows = pd.read_csv(embedded_folder() / "reference_doses.csv", dtype=str)
    rows.loc[rows["drug"] == "psilocybin", "dose"] = dose
    rows.to_csv(folder / "reference_doses.csv", index=False)
    with pytest.raises(EvidenceError, match=message):
        pp.load_evidence(folder)


def test_ten_thousand_trials_are_read_and_checked(tmp_path):
    folder = small_folder(tmp_path / "e", tuple(f"trial {i}" for i in range(10_000)))
    evidence = pp.load_evidence(folder)
    assert len(evidence.trials) == 10_000
    assert pp.evidence_counts(evidence)["arms"].sum() == 20_000


def test_folders_and_broken_links_in_place_of_tables_are_absent_tables(tmp_path):
    folder = small_folder(tmp_path / "e")
    (folder / "arms.csv").unlink()
    (folder / "arms.csv").mkdir()
    (folder / "outcomes.csv").unlink()
    (folder / "outcomes.csv").symlink_to("outcomes.csv")
    problems = pp.evidence_problems(folder)["problem"].tolist()
    assert sum("has no such file" in problem for problem in problems) == 2


# ------------------------------------------------------------------------------------------------ public data files

FETCHERS = {
    "pacutes.csv": datasets.fetch_microdose,
    "participants.tsv": datasets.fetch_ketamine_crossover,
    "participants.csv": datasets.fetch_psiconnect,
    "jobs.csv": datasets.fetch_jobs,
    "scores.csv": datasets.fetch_psilodep2,
}
HEADERS = {
    "pacutes.csv": (
        "trial_id,test_name,value,sss,expectation,n_micro_months,n_macro_exp,tp,condition,guess,age,sex"
        ",psychiatric_past,drug,dose"
    ),
    "participants.tsv": "participant_id\tBMI\tage\tsex\tgroup\tinfusion_1\tinfusion_2",
    "participants.csv": "participant_id,dose_mg_per_kg,MEQ30_MEAN,DASS_DEPRESSION_change",
    "jobs.csv": "treat,job_seek,depress1,depress2",
    "scores.csv": "patient_id,score_bsl,score_chg,edu,ill_dur,psi,esc,sss,modtas,ta,trt,scale,tp,score,age,sex",
}
BAD_FILES = {
    "empty": b"", "header": None, "bytes": bytes(range(256)), "utf-16": "a,b\n1,2\n".encode("utf-16"), "ragged": b"a,b\n1,2,3,4\n1\n",
    "open quotation mark": b'a,b\n"1,2\n', "other columns": b"a,b\n1,2\n",
}  # fmt: skip


@pytest.mark.parametrize("bad", BAD_FILES)
@pytest.mark.parametrize("name", FETCHERS)
def test_a_public_file_that_is_not_what_was_expected_is_said_so(tmp_path, name, bad):
    cells = 1 + max(HEADERS[name].count(s) for s in ",\t")
    separator = "\t" if name.endswith("tsv") else ","
    wrong_cells = f"{HEADERS[name]}\n{separator.join(['7'] * cells)}\n".encode()
    content = BAD_FILES[bad] if bad != "header" else wrong_cells
    (tmp_path / name).write_bytes(content)
    (tmp_path / "phenotype.tsv").write_text(
        "participant_id\tsession_id\tMADRS_Total\tHAMD_Bech\tHAM17_Total\n7\t7\t7\t7\t7\n"
    )
    if bad == "header" and name in ("participants.csv", "jobs.csv"):
        assert len(FETCHERS[name](folder=tmp_path)) == 1, "every number is possible there"
        return
    with pytest.raises(DatasetError, match=f"{name.split('.')[0]}|phenotype"):
        FETCHERS[name](folder=tmp_path)


# ------------------------------------------------------------------------------------------------- command line


def run(*arguments: object) -> tuple[int, str, str]:
    """Run the command line in this process; anything but a clean exit is an error of the test."""
    out, err = io.StringIO(), io.StringIO()
    before, handler = sys.argv, signal.getsignal(signal.SIGTERM)
    sys.argv = ["pillprocess", *map(str, arguments)]
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            cli.main()
        status = 0
    except SystemExit as end:
        status = int(end.code or 0)
    finally:
        sys.argv = before
        signal.signal(signal.SIGTERM, handler)
    return status, out.getvalue(), err.getvalue()


def everything(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() if p.is_file() else b"" for p in folder.rglob("*")}


def test_commands_refuse_bad_evidence_in_one_message(tmp_path):
    folder = small_folder(tmp_path / "e")
    (folder / "outcomes.csv").write_bytes(b"\xff\xfe" + OUTCOMES.encode("utf-16-le"))
    before = everything(tmp_path)
    out = tmp_path / "new" / "results"
    for command in (
        ("evidence", folder), ("decompose", "--evidence", folder), ("compare", "--evidence", folder),
        ("reproduce", "--evidence", folder, "--out", out), ("evidence", folder / "trials.csv"), ("evidence", tmp_path / "nowhere"),
        ("reproduce", "nonsense"), ("reproduce", "expectancy", "--data", folder),
    ):  # fmt: skip
        status, said, complaint = run(*command)
        assert status == 1, command
        assert said == ""
        assert complaint.startswith("pillprocess: "), complaint
        assert "Traceback" not in complaint
    assert everything(tmp_path) == before


def test_wrong_usage_ends_with_status_2():
    for command in (("decompose", "--seed", "-1"), ("evidence", "--colour"), ("mediate",), ("fly",)):
        status, _, complaint = run(*command)
        assert status == 2, command
        assert "Traceback" not in complaint


def test_mediate_refuses_bad_tables_and_bad_places_and_overwrites_nothing(tmp_path):
    trial = tmp_path / "trial.csv"
    trial.write_text(people())
    (tmp_path / "nul.csv").write_text(people().replace("1", "\0", 1))
    (tmp_path / "file").write_text("a file")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.docx").write_text("years of work")
    (tmp_path / "link").symlink_to(tmp_path / "full")
    roles = ("--treatment", "arm", "--reference", "placebo", "--mediator", "m", "--outcome", "y", "--quiet")
    before = everything(tmp_path)
    for source, out, message in (
        ("none.csv", "a/b/new", "there is no such file"),
        ("full", "new", "is a folder; give the file"),
        ("nul.csv", "new", "holds NUL bytes"),
        ("trial.csv", "file", "is not a folder; nothing was written"),
        ("trial.csv", "link", "is not a folder; nothing was written"),
        ("trial.csv", "full", "No run wrote thesis.docx"),
        ("trial.csv", "file/results", "cannot write beside"),
        ("trial.csv", "x" * 300, "cannot write beside"),
    ):
        status, said, complaint = run("mediate", tmp_path / source, *roles, "--out", tmp_path / out)
        assert (status, said) == (1, ""), (source, out, complaint)
        assert message in complaint
        assert "Traceback" not in complaint
        assert everything(tmp_path) == before, (source, out)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="the superuser may write everywhere")
def test_a_folder_without_permission_is_said_so(tmp_path):
    (tmp_path / "locked").mkdir(mode=0o500)
    status, _, complaint = run(
        "reproduce", "--evidence", small_folder(tmp_path / "e"), "--out", tmp_path / "locked" / "out"
    )
    assert status == 1
    assert "cannot write beside" in complaint


def test_errors_of_arithmetic_and_memory_end_in_a_message_too(monkeypatch):
    for error in (
        ZeroDivisionError("division by zero"),
        MemoryError("Unable to allocate 8 GiB"),
        OverflowError("too large"),
    ):
        monkeypatch.setattr(cli, "app", lambda error=error: (_ for _ in ()).throw(error))
        status, _, complaint = run()
        assert status == 1
        assert complaint == f"pillprocess: {error}\n"


# -------------------------------------------------------------------------------------------------------- what is run


def test_nothing_in_the_package_runs_what_it_reads():
    forbidden = {"pickle", "marshal", "shelve", "dill", "joblib", "cloudpickle"}
    pipes = PACKAGE / "inference" / "beside.py"  # speaks with a process that it began itself, through pipes of its own
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import | ast.ImportFrom):
                names = {alias.name for alias in node.names} | {getattr(node, "module", "") or ""}
                allowed = {"pickle"} if path == pipes else set()
                assert not (forbidden - allowed) & {name.split(".")[0] for name in names}, path
            if path == pipes and isinstance(node, ast.Call):
                call = ast.unparse(node)
                assert not call.startswith("open("), call
                known = ("pickle.load(back)", "pickle.load(sys.stdin.buffer)", "pickle.loads(pickle.dumps(error))")
                assert not call.startswith(("pickle.load", "pickle.Unpickler")) or call in known, call
            if isinstance(node, ast.Call):
                called = ast.unparse(node.func)
                assert called not in ("eval", "exec", "compile", "__import__"), path
                assert not called.endswith(("read_pickle", ".query", "np.load", "os.system", "Markup")), path
                assert not any(k.arg == "shell" for k in node.keywords), path
    for template in PACKAGE.rglob("templates/**/*.html"):
        text = template.read_text(encoding="utf-8")
        assert "|safe" not in text.replace(" ", "")
        assert "autoescape" not in text
