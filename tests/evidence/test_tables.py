import hashlib
import pickle
from pathlib import Path

import pandas as pd
import pytest

from pillprocess.evidence import tables
from pillprocess.evidence.schema import SCHEMAS
from pillprocess.evidence.tables import (
    Evidence,
    EvidenceError,
    describe_problem,
    embedded_folder,
    evidence_counts,
    evidence_problems,
    load_evidence,
)

URL = "https://doi.org/10.1000/example"

TABLES = {
    "trials.csv": [
        "trial_id,design,blinding,condition,population,n_randomised,randomised_until,counted_in,include,exclude_reason,published,"
        "retracted,source_url,my_column",
        f"smith2020,parallel,double,MDD,patients,60,30,,1,,1,0,{URL},=1+1",
        f"jones2021,single_arm,open,PTSD,patients,,,,1,,,0,{URL},",
        f"lost2019,parallel,double,MDD,patients,30,,smith2020,0,pooled,0,0,{URL},",
    ],
    "arms.csv": [
        "trial_id,arm_id,role,drug,study_drug,dose,dose_unit,dose_max,route,dose_mg_equiv,dose_mg_per_kg,therapy,n,"
        "n_basis,same_people_as,include_arm,exclude_arm_reason,source_url",
        f"smith2020,high,active,psilocybin,psilocybin,25,mg,,oral,25,,1,20,,,1,,{URL}",
        f"smith2020,placebo,inert_placebo,placebo,psilocybin,,,,oral,0,,1,20,,,1,,{URL}",
        f"smith2020,waiting,waitlist,none,psilocybin,,,,,0,,0,20,,,1,,{URL}",
        f"smith2020,margin,active,psilocybin,psilocybin,25,mg,,oral,25,,1,40,,,0,pooled arms,{URL}",
        f"jones2021,mdma,single_arm,MDMA,MDMA,125,mg,,oral,125,,1,12,,,1,,{URL}",
        f"lost2019,ket,active,ketamine,ketamine,0.5,mg/kg,,iv,,0.5,0,30,,,0,,{URL}",
    ],
    "outcomes.csv": [
        "trial_id,arm_id,instrument,construct,primary,time_days,timepoint,n,baseline_mean,baseline_sd,post_mean,post_sd,"
        "change_mean,change_sd,change_se,change_ci_low,change_ci_high,responders,remitters,response_pct,n_events,include,source_url",
        f"smith2020,high,MADRS,depression,1,21,,20,30,6,15,9,-15,9,,,,12,8,,,1,{URL}",
        f"smith2020,placebo,MADRS,depression,1,21,,20,30,6.5,24,9,-6,8,,,,4,2,,,1,{URL}",
        f"smith2020,waiting,MADRS,depression,1,21,,20,31,6,29,9,,,,,,1,0,,,1,{URL}",
        f"smith2020,high,QIDS-SR16,depression,0,21,,20,16,4,9,5,,,,,,,,60,,1,{URL}",
        f"jones2021,mdma,CAPS-5,ptsd,1,60,,12,45,8,20,13,-25,12,,-32,-18,,,,,1,{URL}",
        f"lost2019,ket,MADRS,depression,1,1,,30,33,5,20,9,,,,,,,,,,0,{URL}",
    ],
    "contrasts.csv": [
        "trial_id,arm_id,reference_arm_id,level,instrument,construct,effect_type,estimate,ci_low,ci_high,se,p,direction,"
        "include,source_url",
        f"smith2020,high,placebo,between_arm,MADRS,depression,mean_difference,-9,-14,-4,2.5,0.001,negative_favours_arm,1,{URL}",
        f"smith2020,high,placebo,between_arm,MADRS,depression,odds_ratio,6,1.5,24,0.7,,above_1_favours_arm,1,{URL}",
        f"jones2021,mdma,own_baseline,within_arm,CAPS-5,ptsd,mean_change,-25,,,,,negative_is_improvement,1,{URL}",
    ],
    "risk_of_bias.csv": [
        "trial_id,domain,present,value,source_url",
        f"smith2020,blind_failed,1,0.9,{URL}",
        f"smith2020,sponsor,0,,{URL}",
    ],
    "subjective.csv": [
        "trial_id,arm_id,drug,instrument,dimension,value_type,n,mean,sd,scale_min,scale_max,include,source_url",
        f"smith2020,high,psilocybin,MEQ30,mystical,score,20,3.1,1.2,0,5,1,{URL}",
        f"smith2020,high,psilocybin,floating,dissociative,percent_of_people,20,60,,,,1,{URL}",
    ],
    "associations.csv": [
        "trial_id,arm_id,predictor_instrument,predictor_dimension,outcome_instrument,outcome_metric,n,statistic,estimate,"
        "positive_means,origin,include,source_url,notes",
        f"smith2020,high,MEQ30,mystical,MADRS,change,20,r,-0.5,worse_symptoms,published,1,{URL},",
        f"smith2020,all,MEQ30,mystical,QIDS-SR16,change,,r,-0.4,worse_symptoms,published,1,{URL},n not printed",
    ],
    "expectancy.csv": [
        "trial_id,arm_id,measure,timing,n,count,value,scale_min,scale_max,source_url",
        f"smith2020,high,participant_guess_correct_pct,endpoint,20,18,90,,,{URL}",
        f"smith2020,placebo,expectancy_score,pre_dose,20,,60,0,100,{URL}",
    ],
    "scale_bridge.csv": ["source,drug,n,scale_a,scale_b,r,source_url", f"lab,LSD,16,MEQ30,EDI,0.5,{URL}"],
}  # fmt: skip


def write(folder: Path, tables: dict[str, list[str]]) -> Path:
    folder.mkdir(exist_ok=True)
    for name, lines in tables.items():
        (folder / name).write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A small folder of tables without a problem."""
    return write(tmp_path / "tables", TABLES)


def set_cells(folder: Path, place: str, **cells: str) -> None:
    """Set cells of one line, as an editor would: place is 'arms.csv 3'."""
    name, line = place.split()
    lines = (folder / name).read_text(encoding="utf-8").splitlines()
    row = dict(zip(lines[0].split(","), lines[int(line) - 1].split(","), strict=True))
    assert set(cells) <= set(row)
    lines[int(line) - 1] = ",".join(f'"{cell}"' if "," in cell else cell for cell in (row | cells).values())
    (folder / name).write_text("\n".join(lines) + "\n", encoding="utf-8")


def said(folder: Path) -> list[str]:
    return [describe_problem(row) for row in evidence_problems(folder).to_dict("records")]


SMITH = "trial 'smith2020'"
HIGH = f"{SMITH}, arm 'high'"
PLACEBO = f"{SMITH}, arm 'placebo'"
WAITING = f"{SMITH}, arm 'waiting'"
MDMA = "trial 'jones2021', arm 'mdma'"

ONE_PROBLEM = [
    # cells that are no numbers
    ("arms.csv 2", {"n": "12,5"}, f"{HIGH}: n = 12,5; not a number; a decimal comma? write a decimal point"),
    ("arms.csv 2", {"n": "NaN"}, f"{HIGH}: n = NaN; not a number; leave the cell empty where nothing was reported"),
    ("arms.csv 2", {"n": "n/a"}, f"{HIGH}: n = n/a; not a number; leave the cell empty where nothing was reported"),
    ("arms.csv 2", {"n": "-inf"}, f"{HIGH}: n = -inf; not a number"),
    ("arms.csv 2", {"n": "1e999"}, f"{HIGH}: n = 1e999; not a number"),
    ("arms.csv 2", {"n": "=10+10"}, f"{HIGH}: n = =10+10; not a number"),
    ("arms.csv 2", {"n": "about " + "20" * 40}, f"{HIGH}: n = about {'20' * 25}2...; not a number"),
    ("outcomes.csv 2", {"change_mean": "−15"}, f"{HIGH}: change_mean = −15; not a number; a typographic minus? write a hyphen"),
    ("contrasts.csv 2", {"p": "<0.001"}, f"{HIGH}: p = <0.001; not a number; the sign belongs in p_op"),
    # blanks, words, marks, limits, sources
    ("arms.csv 2", {"role": ""}, f"{HIGH}: role = blank; every row needs one"),
    ("contrasts.csv 2", {"direction": ""}, f"{HIGH}: direction = blank; every row needs one"),
    ("trials.csv 2", {"design": ""}, f"{SMITH}: design = blank; an included trial needs its design"),
    ("trials.csv 2", {"blinding": "Double"}, f"{SMITH}: blinding = Double; must be one of double, single, open"),
    ("arms.csv 2", {"therapy": "2"}, f"{HIGH}: therapy = 2; must be 0 or 1"),
    ("contrasts.csv 2", {"p": "1.2"}, f"{HIGH}: p = 1.2; must lie between 0 and 1"),
    ("outcomes.csv 5", {"response_pct": "160"}, f"{HIGH}: response_pct = 160; must lie between 0 and 100"),
    ("outcomes.csv 2", {"source_url": ""}, f"{HIGH}: source_url = blank; a row with figures needs its source"),
    # references
    ("contrasts.csv 2", {"trial_id": "smyth2020"}, "trial 'smyth2020', arm 'high': trial_id = smyth2020; no such trial in trials.csv"),
    ("subjective.csv 2", {"arm_id": "low"}, f"{SMITH}, arm 'low': arm_id = low; the trial has no such arm in arms.csv"),
    ("contrasts.csv 2", {"reference_arm_id": "pbo"}, f"{HIGH}: reference_arm_id = pbo; the trial has no such arm in arms.csv"),
    ("outcomes.csv 5", {"instrument": "QIDS-99"}, f"{HIGH}: instrument = QIDS-99; unknown; describe it in instruments.csv"),
    # inclusion
    ("trials.csv 4", {"exclude_reason": ""}, "trial 'lost2019': exclude_reason = blank; include = 0 needs a reason"),
    ("trials.csv 2", {"exclude_reason": "odd"}, f"{SMITH}: exclude_reason = odd; a reason to exclude, but include = 1"),
    ("trials.csv 2", {"published": "2"}, f"{SMITH}: published = 2; must be 0 or 1"),
    ("arms.csv 2", {"n_basis": "completers"}, f"{HIGH}: n_basis = completers; must be one of treated, analysed, ratio"),
    ("risk_of_bias.csv 2", {"domain": "vibes"}, "trial 'smith2020': domain = vibes; must be one of waiting_list, open_label, "
        "blind_failed, sponsor, early_stopping, attrition, registration, allegiance, rob2_randomisation, rob2_deviations, "
        "rob2_missing_data, rob2_measurement, rob2_selection"),
    ("risk_of_bias.csv 3", {"present": ""}, "trial 'smith2020': present = blank; every row needs one"),
    ("risk_of_bias.csv 2", {"value": "90"}, "trial 'smith2020': value = 90; must lie between 0 and 1"),
    ("risk_of_bias.csv 3", {"trial_id": "roe1999"}, "trial 'roe1999': trial_id = roe1999; no such trial in trials.csv"),
    # who is counted
    ("trials.csv 2", {"counted_in": "jones2021;roe1999"}, f"{SMITH}: counted_in = jones2021;roe1999; not among trials.csv: roe1999"),
    ("trials.csv 4", {"counted_in": "lost2019"}, "trial 'lost2019': counted_in = lost2019; names itself"),
    ("arms.csv 3", {"same_people_as": "mdma"},
        f"{SMITH}, arm 'placebo': same_people_as = mdma; not among this trial's arms: mdma"),
    ("arms.csv 3", {"same_people_as": "placebo"}, f"{SMITH}, arm 'placebo': same_people_as = placebo; names itself"),
    ("trials.csv 3", {"randomised_until": "-1"}, "trial 'jones2021': randomised_until = -1; a day is not negative"),
    ("outcomes.csv 2", {"time_days": "42"}, f"{HIGH}: time_days = 42; a primary row, but the trial is randomised_until = 30"),
    ("outcomes.csv 2", {"n_events": "11"}, f"{HIGH}: responders = 12; more than the row's n = 11"),
    ("outcomes.csv 2", {"n_events": "0.5", "responders": "", "remitters": ""},
        f"{HIGH}: n_events = 0.5; a number of people must be whole and at least 1"),
    ("trials.csv 3", {"retracted": "1"}, "trial 'jones2021': include = 1; retracted = 1, so include must be 0"),
    ("arms.csv 5", {"exclude_arm_reason": ""},
        f"{SMITH}, arm 'margin': exclude_arm_reason = blank; include_arm = 0 needs a reason"),
    ("arms.csv 7", {"include_arm": "1"}, "trial 'lost2019', arm 'ket': include_arm = 1; the trial has include = 0 in trials.csv"),
    ("outcomes.csv 7", {"include": "1"},
        "trial 'lost2019', arm 'ket': include = 1; the trial or the arm is excluded in its own table"),
    ("outcomes.csv 5", {"arm_id": "margin"},
        f"{SMITH}, arm 'margin': include = 1; the trial or the arm is excluded in its own table"),
    ("trials.csv 3", {"design": "parallel"}, "trial 'jones2021': design = parallel; the trial compares arms, but fewer than two "
        "are included; add the other arm, or write single_arm"),
    # drugs and doses
    ("arms.csv 2", {"drug": "psilocibin"}, f"{HIGH}: drug = psilocibin; in an active arm it must be one of psilocybin, LSD, MDMA, "
        "ketamine, esketamine, deuterated_psilocin, ayahuasca, mixed_psychedelic_microdose"),
    ("arms.csv 3", {"drug": "psilocybin"},
        f"{PLACEBO}: drug = psilocybin; a study drug cannot be a placebo; is the role low_dose or active?"),
    ("arms.csv 3", {"drug": "Placebo"}, f"{PLACEBO}: drug = Placebo; is it placebo?"),
    ("arms.csv 4", {"drug": "placebo"}, f"{WAITING}: drug = placebo; a waiting list is given no drug: write none"),
    ("arms.csv 2", {"dose_unit": "", "dose_mg_equiv": ""},
        f"{HIGH}: dose = 25; a dose needs its dose_unit"),
    ("arms.csv 2", {"dose": "", "dose_mg_equiv": ""},
        f"{HIGH}: dose_unit = mg; a unit needs its dose; leave both empty where the dose is not known"),
    ("arms.csv 2", {"dose_max": "-1", "dose": "", "dose_unit": ""}, f"{HIGH}: dose_max = -1; a dose cannot be negative"),
    ("arms.csv 4", {"dose": "5", "dose_unit": "mg"},
        f"{WAITING}: dose = 5; a waiting list, no drug or placebo has no dose; leave it empty, or 0"),
    ("arms.csv 2", {"dose_max": "20"}, f"{HIGH}: dose_max = 20; less than the dose"),
    ("arms.csv 6", {"dose": "1000", "dose_mg_equiv": "1000"}, f"{MDMA}: dose_mg_equiv = 1000; more than 250 mg; is the unit right?"),
    ("arms.csv 7", {"dose": "50", "dose_mg_per_kg": "50"},
        "trial 'lost2019', arm 'ket': dose_mg_per_kg = 50; more than 3 mg/kg; is the unit right?"),
    ("arms.csv 2", {"route": ""}, f"{HIGH}: route = blank; a dose needs its route"),
    ("arms.csv 2", {"dose_mg_equiv": ""}, f"{HIGH}: dose_mg_equiv = blank; 25 mg of psilocybin is 25 here"),
    ("arms.csv 2", {"dose": "0.3", "dose_unit": "mg/kg"}, f"{HIGH}: dose_mg_equiv = 25; 0.3 mg/kg of psilocybin is 21 here"),
    ("arms.csv 7", {"dose_mg_per_kg": ""}, "trial 'lost2019', arm 'ket': dose_mg_per_kg = blank; 0.5 mg/kg of ketamine is 0.5 here"),
    # SDs, standard errors, people
    ("outcomes.csv 4", {"post_sd": "-2.3"}, f"{WAITING}: post_sd = -2.3; a standard deviation must be > 0"),
    ("outcomes.csv 4", {"baseline_sd": "0"}, f"{WAITING}: baseline_sd = 0; a standard deviation must be > 0"),
    ("contrasts.csv 2", {"se": "0"}, f"{HIGH}: se = 0; a standard error must be > 0"),
    ("outcomes.csv 4", {"change_sd": "2", "n": "4"}, f"{WAITING}: change_sd = 2; with these baseline_sd and post_sd it lies "
        "between 3 and 15"),
    ("arms.csv 2", {"n": "0"}, f"{HIGH}: n = 0; a number of people must be whole and at least 1"),
    ("arms.csv 2", {"n": "19.5"}, f"{HIGH}: n = 19.5; a number of people must be whole and at least 1"),
    ("trials.csv 2", {"n_randomised": "-60"}, f"{SMITH}: n_randomised = -60; a number of people must be whole and at least 1"),
    ("outcomes.csv 2", {"responders": "21"}, f"{HIGH}: responders = 21; more than the row's n = 20"),
    ("outcomes.csv 2", {"remitters": "7.5"}, f"{HIGH}: remitters = 7.5; a count must be whole and not negative"),
    ("expectancy.csv 2", {"value": "0.9"}, f"{HIGH}: value = 0.9; a percentage; 18 of 20 is 90"),
    ("expectancy.csv 2", {"count": "22"}, f"{HIGH}: count = 22; more than the row's n = 20"),
    # ranges and changes
    ("outcomes.csv 4", {"baseline_mean": "-31"}, f"{WAITING}: baseline_mean = -31; impossible on MADRS, which runs from 0 to 60"),
    ("outcomes.csv 5", {"post_mean": "31.9"}, f"{HIGH}: post_mean = 31.9; impossible on QIDS-SR16, which runs from 0 to 27"),
    ("outcomes.csv 5", {"change_mean": "-29", "baseline_mean": ""},
        f"{HIGH}: change_mean = -29; impossible on QIDS-SR16, which runs from 0 to 27"),
    ("outcomes.csv 5", {"post_sd": "29.2"}, f"{HIGH}: post_sd = 29.2; impossible on QIDS-SR16, which runs from 0 to 27"),
    ("outcomes.csv 2", {"change_mean": "15"}, f"{HIGH}: change_mean = 15; post_mean - baseline_mean is -15; change is post - baseline"),
    ("outcomes.csv 2", {"change_sd": "19"}, f"{HIGH}: change_sd = 19; with these baseline_sd and post_sd it lies between 3 and 15"),
    ("outcomes.csv 5", {"construct": "anxiety"}, f"{HIGH}: construct = anxiety; the instrument measures depression"),
    # intervals, contrasts, correlations, scores
    ("contrasts.csv 2", {"ci_low": "-4", "ci_high": "-14"}, f"{HIGH}: ci_low = -4; above ci_high = -14"),
    ("contrasts.csv 2", {"estimate": "-3"}, f"{HIGH}: estimate = -3; outside its interval, -14 to -4"),
    ("contrasts.csv 2", {"estimate": "-3", "ci_low": ""}, f"{HIGH}: estimate = -3; outside its interval, blank to -4"),
    ("outcomes.csv 6", {"change_ci_high": "-26"}, f"{MDMA}: change_mean = -25; outside its interval, -32 to -26"),
    ("contrasts.csv 2", {"reference_arm_id": "high"}, f"{HIGH}: reference_arm_id = high; an arm cannot be its own reference"),
    ("contrasts.csv 4", {"level": "between_arm"},
        f"{MDMA}: level = between_arm; within_arm goes with own_baseline, between_arm with another arm"),
    ("contrasts.csv 2", {"direction": "above_1_favours_arm"},
        f"{HIGH}: direction = above_1_favours_arm; a mean difference favours an arm by its sign, not above or below 1"),
    ("contrasts.csv 3", {"direction": "positive_favours_arm"},
        f"{HIGH}: direction = positive_favours_arm; an odds ratio favours an arm above or below 1, not by its sign"),
    ("contrasts.csv 2", {"estimate": "-95", "ci_low": "-99", "ci_high": "-91"},
        f"{HIGH}: estimate = -95; impossible on MADRS, which runs from 0 to 60"),
    ("contrasts.csv 3", {"estimate": "-6", "ci_low": ""}, f"{HIGH}: estimate = -6; a ratio must be > 0"),
    ("associations.csv 2", {"estimate": "-50"}, f"{HIGH}: estimate = -50; a correlation must lie between -1 and 1"),
    ("associations.csv 2", {"n": ""}, f"{HIGH}: n = blank; a correlation needs its n, or a note that says why n is not known"),
    ("scale_bridge.csv 2", {"r": "1.5"}, "r = 1.5; a correlation must lie between -1 and 1"),
    ("subjective.csv 2", {"mean": "62"}, f"{HIGH}: mean = 62; outside its scale, 0 to 5"),
    ("subjective.csv 2", {"scale_max": "0", "mean": "0"}, f"{HIGH}: scale_max = 0; must be above scale_min"),
    ("subjective.csv 3", {"mean": "160"}, f"{HIGH}: mean = 160; a percentage must lie between 0 and 100"),
    ("expectancy.csv 3", {"value": "101"}, f"{PLACEBO}: value = 101; outside its scale, 0 to 100"),
    ("expectancy.csv 2", {"value": "-90"}, f"{HIGH}: value = -90; a percentage must lie between 0 and 100"),
]  # fmt: skip


@pytest.mark.parametrize(("place", "cells", "text"), ONE_PROBLEM)
def test_a_bad_cell_is_the_one_problem_reported_and_with_its_place(
    folder: Path, place: str, cells: dict[str, str], text: str
) -> None:
    set_cells(folder, place, **cells)
    file, line = place.split()
    start = f"{file} row {line}, " if text.startswith("trial ") else f"{file} row {line}: "
    with pytest.raises(EvidenceError, match=r"^1 problem in the evidence tables; nothing was fitted:\n") as caught:
        load_evidence(folder)
    assert str(caught.value).splitlines()[1].startswith(start + text)


def test_a_sound_folder_has_no_problem_and_is_loaded(folder: Path) -> None:
    assert said(folder) == []
    evidence = load_evidence(folder)
    assert len(evidence.trials) == 3
    assert evidence.folder == folder
    assert evidence.arms["n"].tolist() == [20, 20, 20, 40, 12, 30]


def test_unknown_columns_are_kept_as_text(folder: Path) -> None:
    assert load_evidence(folder).trials["my_column"].tolist()[0] == "=1+1"


def test_blanks_are_missing_and_marks_are_whole_numbers(folder: Path) -> None:
    evidence = load_evidence(folder)
    assert evidence.trials["include"].dtype == "int64"
    assert evidence.arms["dose"].isna().tolist() == [False, True, True, False, False, False]
    assert evidence.trials["exclude_reason"].isna().tolist() == [True, True, False]
    assert evidence.trials["n_randomised"].isna().tolist() == [False, True, False]


def test_absent_tables_and_columns_are_empty_and_instruments_are_the_embedded_ones(folder: Path) -> None:
    evidence = load_evidence(folder)
    assert evidence.mediation.empty
    assert evidence.mediation["indirect_effect"].dtype == float
    assert evidence.arms["therapy_hours_total"].isna().all()
    assert evidence.instruments.equals(load_evidence().instruments)
    assert evidence.reference_doses.equals(load_evidence().reference_doses)


def test_a_folder_may_bring_its_own_instruments(folder: Path) -> None:
    lines = ["instrument,construct,higher_is_worse,range_min,range_max,reference_sd"]
    lines += ["MADRS,depression,1,0,60,9", "QIDS-SR16,depression,1,0,27,5", "CAPS-5,ptsd,1,0,80,"]
    write(folder, {"instruments.csv": lines})
    assert load_evidence(folder).instruments["reference_sd"].tolist()[:2] == [9, 5]
    set_cells(folder, "instruments.csv 3", range_max="0")
    set_cells(folder, "instruments.csv 4", instrument="MADRS")
    problems = said(folder)
    assert "instruments.csv row 3: range_max = 0; must be above range_min" in problems
    assert (
        "instruments.csv row 4: has the same instrument as row 2; they differ in construct depression and ptsd, "
        in str(problems)
    )
    assert "outcomes.csv row 6, trial 'jones2021', arm 'mdma': instrument = CAPS-5; unknown" in str(problems)


def test_many_problems_are_reported_at_once(folder: Path) -> None:
    set_cells(folder, "arms.csv 2", n="0", dose_unit="")
    set_cells(folder, "arms.csv 4", therapy="yes")
    set_cells(folder, "outcomes.csv 4", post_sd="-2.3", n="NaN")
    set_cells(folder, "contrasts.csv 2", trial_id="nobody", estimate="1,5")
    (folder / "expectancy.csv").unlink()
    (folder / "trials.csv").write_bytes((folder / "trials.csv").read_bytes().replace(b"parallel", b"Parallel", 1))
    assert said(folder) == [
        f"arms.csv row 2, {HIGH}: dose = 25; a dose needs its dose_unit",
        f"arms.csv row 2, {HIGH}: n = 0; a number of people must be whole and at least 1",
        f"arms.csv row 4, {WAITING}: therapy = yes; not a number",
        "contrasts.csv row 2, trial 'nobody', arm 'high': estimate = 1,5; not a number; a decimal comma? write a decimal point",
        "contrasts.csv row 2, trial 'nobody', arm 'high': trial_id = nobody; no such trial in trials.csv",
        f"outcomes.csv row 4, {WAITING}: n = NaN; not a number; leave the cell empty where nothing was reported",
        f"outcomes.csv row 4, {WAITING}: post_sd = -2.3; a standard deviation must be > 0",
        f"trials.csv row 2, {SMITH}: design = Parallel; must be one of parallel, crossover, single_arm, open_label_parallel, "
        "dose_comparison, case_series",
    ]  # fmt: skip
    with pytest.raises(EvidenceError, match="8 problems in the evidence tables; nothing was fitted:") as caught:
        load_evidence(folder)
    assert caught.value.problems["column"].tolist()[:3] == ["dose", "n", "therapy"]
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)


def test_a_repeated_row_names_both_lines_and_what_differs(folder: Path) -> None:
    tables = {name: list(lines) for name, lines in TABLES.items()}
    tables["arms.csv"].append(tables["arms.csv"][2])
    tables["outcomes.csv"].append(tables["outcomes.csv"][4].replace("21,", "21.0,", 1).replace(",60,", ",55,"))
    write(folder, tables)
    assert said(folder) == [
        f"arms.csv row 8, {PLACEBO}: has the same trial_id, arm_id as row 3; they are equal; keep one",
        f"outcomes.csv row 8, {HIGH}: has the same trial_id, arm_id, instrument, time_days as row 5; "
        "they differ in response_pct 60 and 55; keep one",
    ]


def test_the_same_figures_under_two_arms_are_reported(folder: Path) -> None:
    set_cells(folder, "outcomes.csv 3", baseline_sd="6", post_mean="15", change_mean="-15", change_sd="9")
    text = "another arm of the trial has the same n, means and SDs; is one arm entered twice?"
    assert said(folder) == [
        f"outcomes.csv row 3, {PLACEBO}: change_mean = -15; {text}",
        f"outcomes.csv row 3, {PLACEBO}: post_mean = 15; {text}",
    ]


def test_primary_rows_are_one_per_arm_and_of_one_instrument(folder: Path) -> None:
    set_cells(folder, "outcomes.csv 5", primary="1")
    one = "instrument = {}; the primary rows of a trial must use one instrument"
    assert said(folder) == [
        f"outcomes.csv row 2, {HIGH}: {one.format('MADRS')}",
        f"outcomes.csv row 3, {PLACEBO}: {one.format('MADRS')}",
        f"outcomes.csv row 4, {WAITING}: {one.format('MADRS')}",
        f"outcomes.csv row 5, {HIGH}: {one.format('QIDS-SR16')}",
        f"outcomes.csv row 5, {HIGH}: primary = 1; the arm has a primary row already; at most one row of an arm is primary",
    ]


def test_every_active_control_is_accepted_as_a_comparator(folder: Path) -> None:
    set_cells(folder, "arms.csv 3", role="active_placebo", drug="modafinil")
    assert said(folder) == []


def test_a_semicolon_file_with_decimal_commas_is_reported_cell_by_cell(folder: Path) -> None:
    text = (folder / "arms.csv").read_text().replace(",", ";").replace(";0.5;", ";0,5;")
    (folder / "arms.csv").write_text(text)
    ket = "trial 'lost2019', arm 'ket'"
    comma = "= 0,5; not a number; a decimal comma? write a decimal point"
    assert said(folder) == [
        "arms.csv row 1: has semicolons between its cells; write commas, and decimal points in numbers",
        f"arms.csv row 7, {ket}: dose {comma}",
        f"arms.csv row 7, {ket}: dose_mg_per_kg {comma}",
    ]


def test_a_tab_separated_file_is_reported(folder: Path) -> None:
    (folder / "arms.csv").write_text((folder / "arms.csv").read_text().replace(",", "\t"))
    assert said(folder) == ["arms.csv row 1: has tabs between its cells; write commas, and decimal points in numbers"]


def test_a_row_with_an_unquoted_comma_is_reported(folder: Path) -> None:
    text = (folder / "outcomes.csv").read_text()
    (folder / "outcomes.csv").write_text(text.replace(",60,,1,", ",6,0,,1,"))
    assert said(folder) == [
        "outcomes.csv row 5: has 24 cells where the header has 23; text that holds a comma needs quotation marks, and "
        "numbers a decimal point"
    ]


def test_a_short_row_is_reported(folder: Path) -> None:
    with (folder / "subjective.csv").open("a") as file:
        file.write("smith2020,high\n")
    assert said(folder) == [
        "subjective.csv row 4: has 2 cells where the header has 13; text that holds a comma needs quotation marks, and "
        "numbers a decimal point"
    ]


def test_a_byte_order_mark_blank_lines_and_windows_line_ends_are_accepted(folder: Path) -> None:
    content = (
        (folder / "arms.csv").read_bytes().replace(b"\n", b"\r\n").replace(b"\r\nsmith2020,pl", b"\r\n\r\nsmith2020,pl")
    )
    (folder / "arms.csv").write_bytes(b"\xef\xbb\xbf" + content + b",,,\r\n")
    assert said(folder) == []


def test_rows_are_lines_of_the_file_even_after_cells_of_several_lines(folder: Path) -> None:
    set_cells(folder, "trials.csv 4", condition="mdd")
    text = (folder / "trials.csv").read_text().replace("=1+1", '"a note\nof three\nlines"')
    (folder / "trials.csv").write_text(text)
    [only] = said(folder)
    assert only.startswith("trials.csv row 6, trial 'lost2019': condition = mdd; must be one of MDD, ")


def test_empty_columns_left_by_a_spreadsheet_are_ignored(folder: Path) -> None:
    lines = [f"{line},," for line in TABLES["arms.csv"]]
    write(folder, {"arms.csv": lines})
    assert said(folder) == []


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ("trial_id\nmüller2020\n".encode("cp1252"), "trials.csv row 2: is not UTF-8 text (byte 0xfc); save it as 'CSV UTF-8'"),
        ("trial_id\nmüller2020\n".encode("utf-16"), "trials.csv: holds NUL bytes, so it is no plain text (UTF-16, or a renamed "
            "spreadsheet?); save it as 'CSV UTF-8'"),
        (b"", "trials.csv: is empty"),
        (b"\n\n", "trials.csv: is empty"),
        ((TABLES["trials.csv"][0] + "\n").encode(), "trials.csv: has a header and no rows"),
    ],
)  # fmt: skip
def test_a_file_that_cannot_be_read_is_the_one_problem_reported(folder: Path, content: bytes, text: str) -> None:
    (folder / "trials.csv").write_bytes(content)
    assert said(folder) == [text]


def test_a_stray_quotation_mark_is_reported_with_its_line(folder: Path) -> None:
    with (folder / "subjective.csv").open("a") as file:
        file.write('smith2020,"high\n')
    [only] = said(folder)
    assert only.startswith("subjective.csv row 4: cannot be read as CSV from here on (unexpected end of data)")


def test_missing_repeated_and_misspelt_columns_are_reported(folder: Path) -> None:
    header = TABLES["outcomes.csv"][0]
    for old, new in (
        ("construct", "my_words"),
        ("response_pct", "include"),
        ("post_sd", "Post SD"),
        ("change_se", "chnage_se"),
    ):
        header = header.replace(old, new)
    write(folder, {"outcomes.csv": [header, *TABLES["outcomes.csv"][1:]]})
    assert [line for line in said(folder) if "outcomes.csv row 1" in line] == [
        "outcomes.csv row 1: has no column 'change_se' but a column 'chnage_se'; rename it, or give it a name less alike",
        "outcomes.csv row 1: lacks the required column 'construct'",
        "outcomes.csv row 1: has the column 'include' 2 times",
        "outcomes.csv row 1: has no column 'post_sd' but a column 'Post SD'; rename it, or give it a name less alike",
    ]


def test_a_missing_key_column_is_the_one_problem_reported(folder: Path) -> None:
    write(folder, {"arms.csv": [TABLES["arms.csv"][0].replace("arm_id", "x", 1), *TABLES["arms.csv"][1:]]})
    assert said(folder) == ["arms.csv row 1: lacks the required column 'arm_id'"]


def test_two_columns_without_a_name_are_reported(folder: Path) -> None:
    lines = [line.replace(",", ",,,", 1) for line in TABLES["scale_bridge.csv"]]
    write(folder, {"scale_bridge.csv": lines})
    assert said(folder) == ["scale_bridge.csv row 1: has a column without a name 2 times"]


def test_missing_files_are_reported_together(tmp_path: Path) -> None:
    assert said(tmp_path) == [
        f"arms.csv: the folder {tmp_path} has no such file",
        f"outcomes.csv: the folder {tmp_path} has no such file, and no contrasts.csv",
        f"trials.csv: the folder {tmp_path} has no such file",
    ]
    with pytest.raises(
        EvidenceError, match=r"3 problems in the evidence tables; nothing was fitted:\narms\.csv: the folder"
    ):
        load_evidence(tmp_path)


def test_a_folder_that_does_not_exist_or_is_a_file_is_reported(folder: Path) -> None:
    assert said(folder / "nowhere") == [f"{folder / 'nowhere'}: the folder does not exist"]
    assert said(folder / "arms.csv") == [f"{folder / 'arms.csv'}: is a file; give the folder that holds the tables"]


def test_a_misspelt_file_name_is_reported(folder: Path) -> None:
    (folder / "contrasts.csv").rename(folder / "contrast.csv")
    (folder / "notes_of_mine.csv").write_text("a\n1\n")
    assert said(folder) == ["contrast.csv: is not read; is it contrasts.csv?"]


def test_the_checksum_covers_the_bytes_of_the_files_read(folder: Path) -> None:
    digest = hashlib.sha256()
    for name in sorted([*TABLES, "instruments.csv", "reference_doses.csv", "drugs.csv"]):
        path = folder / name if name in TABLES else embedded_folder() / name
        digest.update(name.encode() + b"\0" + path.read_bytes())
    before = load_evidence(folder).checksum
    assert before == digest.hexdigest()
    set_cells(folder, "arms.csv 2", n="21")
    assert load_evidence(folder).checksum != before


def test_evidence_describes_itself_in_a_line(folder: Path) -> None:
    shown = repr(load_evidence(folder))
    assert shown.startswith("Evidence(trials: 3, arms: 6, outcomes: 6, ")
    assert len(shown) < 500


def test_people_are_counted_once_per_trial_and_drug(folder: Path) -> None:
    counts = evidence_counts(load_evidence(folder)).set_index(["population", "drug", "condition"])
    assert counts.loc[("patients", "psilocybin", "MDD")].to_dict() == {
        "trials": 1, "arms": 3, "people": 60, "outcome_rows": 4,
    }  # fmt: skip
    assert counts.loc[("patients", "MDMA", "PTSD")].to_dict() == {
        "trials": 1, "arms": 1, "people": 12, "outcome_rows": 1,
    }  # fmt: skip
    assert len(counts) == 2


def test_people_of_a_crossover_without_n_randomised_are_those_of_its_largest_arm(folder: Path) -> None:
    set_cells(folder, "trials.csv 2", design="crossover", n_randomised="")
    set_cells(folder, "arms.csv 3", n="19")
    assert evidence_counts(load_evidence(folder)).set_index("drug")["people"].to_dict() == {
        "MDMA": 12,
        "psilocybin": 20,
    }


def test_tables_inside_the_installed_package_come_before_those_of_a_clone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "pillprocess"
    package.mkdir()
    monkeypatch.setattr(tables, "__file__", str(package / "evidence" / "tables.py"))
    assert embedded_folder() == tmp_path / "data"
    (package / "data").mkdir()
    assert embedded_folder() == package / "data"


def test_every_table_is_a_field_of_the_evidence() -> None:
    assert set(SCHEMAS) | {"folder", "checksum"} == set(Evidence.__dataclass_fields__)


def test_a_control_character_is_named_with_its_line_and_not_printed(folder: Path) -> None:
    set_cells(folder, "arms.csv 2", n="\x1b[31m")
    assert said(folder)[0] == (
        "arms.csv row 2: holds the control character \\x1b, which no label or number has; remove it"
    )


def test_the_embedded_evidence_has_no_problem() -> None:
    assert said(embedded_folder()) == []


EMBEDDED = set(SCHEMAS) - {"vocabulary"}
"""The tables of the embedded evidence, which brings no words of its own."""


def test_the_embedded_evidence_is_the_default() -> None:
    evidence = load_evidence()
    assert evidence.folder == embedded_folder()
    assert all(len(getattr(evidence, name)) for name in EMBEDDED)
    assert evidence_problems().empty
    counts = evidence_counts(evidence)
    included = evidence.trials[evidence.trials["include"] == 1]
    drugs = evidence.arms[evidence.arms["include_arm"] == 1].groupby("trial_id")["study_drug"].nunique()
    assert counts["trials"].sum() == drugs[drugs.index.isin(included["trial_id"])].sum()
    assert counts["outcome_rows"].sum() == (evidence.outcomes["include"] == 1).sum()


@pytest.mark.parametrize("name", sorted(EMBEDDED - {"instruments", "drugs", "editions"}))
def test_every_embedded_figure_has_an_address_or_doi(name: str) -> None:
    table = getattr(load_evidence(), name)
    schema = SCHEMAS[name]
    figures = table[[c for c in schema.figures if c not in ("year", "seed_ref")]].notna().any(axis=1)
    rows = table[figures | (len(schema.figures) == 0)]
    source = rows["source" if name == "doubts" else "source_url"].fillna("")
    without = rows[~source.str.contains(r"https?://|10\.\d{4,}/")]
    assert without[schema.key.split()].to_dict("records") == []


def test_the_embedded_columns_are_all_described_in_the_schema() -> None:
    for name in EMBEDDED:
        schema = SCHEMAS[name]
        header = pd.read_csv(embedded_folder() / f"{name}.csv", nrows=0).columns
        assert set(header) == set(schema.columns), name
