"""What the evidence tables hold: columns, keys, vocabularies.

``data/README.md`` says what each column means.
"""

from pillprocess.evidence.table_schema import TableSchema

CONTROL_DRUGS = (
    "placebo none niacin nicotinamide midazolam diphenhydramine lorazepam remifentanil methylphenidate escitalopram"
    " quetiapine ECT"
)
CONSTRUCTS = "depression anxiety ptsd alcohol tobacco cocaine other"
DOSE_UNITS = "mg mg/70kg mg/kg ug ng/ml"
ROUTES = "oral iv im sc intranasal"
BLINDING = "double single open"
DIMENSIONS = "mystical dissociative ego_dissolution challenging emotional_breakthrough prosocial intensity visual persisting_effects"
P_OPERATORS = "= < > <="

BIAS_DOMAINS = (
    "waiting_list open_label blind_failed sponsor early_stopping attrition registration allegiance rob2_randomisation"
    " rob2_deviations rob2_missing_data rob2_measurement rob2_selection"
)

SCHEMAS = {
    "trials": TableSchema(
        key="trial_id",
        required="trial_id design condition population include source_url",
        filled="trial_id condition population include",
        text="citation doi registry study_drugs exclude_reason flag overlaps_with counted_in source_url notes",
        numbers="seed_ref year n_randomised randomised_until",
        flags="include published retracted",
        words={
            "design": "parallel crossover single_arm open_label_parallel dose_comparison case_series",
            "blinding": BLINDING,
            "condition": "MDD TRD bipolar_depression cancer_distress PTSD AUD tobacco anxiety OCD cocaine other",
            "population": "patients healthy",
            "use": "efficacy efficacy_contrast_only efficacy_limited process_only acute_only none",
        },
    ),
    "arms": TableSchema(
        key="trial_id arm_id",
        required="trial_id arm_id role drug study_drug dose dose_unit route therapy n include_arm source_url",
        filled="trial_id arm_id role drug study_drug include_arm",
        text="drug dose_text therapy_hours_source same_people_as exclude_arm_reason source_url notes",
        numbers=(
            "dose dose_max dose_mg_equiv dose_mg_per_kg n_doses therapy_hours_prep therapy_hours_dosing"
            " therapy_hours_integration therapy_hours_total therapy_hours_nondrug n"
        ),
        flags="therapy therapy_hours_includes_dosing awake include_arm",
        words={
            "role": "active inert_placebo active_placebo low_dose comparator waitlist single_arm",
            "study_drug": "",
            "dose_unit": DOSE_UNITS,
            "route": ROUTES,
            "psychotherapy": "none support nondirective CBT MET ACT MDMA_AT mindfulness exposure psychotherapy"
            " education computer_training not_reported",
            "expected_blind": BLINDING,
            "comparator_type": "none waitlist inert_placebo active_placebo low_dose active_drug same_drug",
            "n_basis": "treated analysed ratio",
        },
    ),
    "outcomes": TableSchema(
        key="trial_id arm_id instrument time_days timepoint",
        required="trial_id arm_id instrument construct primary time_days n include source_url",
        filled="trial_id arm_id instrument construct primary include",
        text="timepoint source_url notes",
        numbers=(
            "time_days days_from_last_dose n n_events baseline_mean baseline_sd post_mean post_sd change_mean change_sd change_se"
            " change_ci_low"
            " change_ci_high responders remitters change_sd_derived"
        ),
        percents="response_pct remission_pct",
        flags="primary usable include",
        words={
            "construct": CONSTRUCTS,
            "usable_basis": "change pre_post post_only counts mean_without_sd_or_n percent_only baseline_only",
            "sd_source": "change_sd change_se change_ci post_sd",
            "evidence_quality": "published computed_from_ipd back_calculated digitised secondary press",
        },
    ),
    "instruments": TableSchema(
        key="instrument",
        required="instrument construct higher_is_worse range_min range_max reference_sd",
        filled="instrument construct higher_is_worse",
        text="full_name range_basis",
        numbers=(
            "range_min range_max reference_sd reference_sd_n_arms reference_sd_n baseline_sd baseline_sd_n_arms"
            " baseline_sd_n change_sd change_sd_n_arms change_sd_n n_trials"
        ),
        flags="higher_is_worse",
        words={"construct": CONSTRUCTS, "kind": "scale event quantity", "rater": "clinician self biomarker"},
    ),
    "reference_doses": TableSchema(
        key="drug route dose_column",
        required="drug route dose dose_unit dose_column source_url",
        filled="drug route dose dose_unit dose_column",
        text="drug route dose_unit source_url notes",
        numbers="dose",
        words={"dose_column": "dose dose_mg_equiv dose_mg_per_kg"},
    ),
    "drugs": TableSchema(
        key="drug",
        required="drug experience",
        filled="drug",
        text="drug scores_of notes",
        words={"experience": DIMENSIONS, "experience_also": DIMENSIONS, "score_route": ROUTES},
    ),
    "contrasts": TableSchema(
        key="trial_id arm_id reference_arm_id instrument outcome_type time_days timepoint effect_type basis subgroup",
        required="trial_id arm_id reference_arm_id level instrument construct effect_type estimate direction include"
        " source_url",
        filled="trial_id arm_id reference_arm_id level instrument construct effect_type direction include",
        text="timepoint subgroup source_url notes",
        numbers="time_days estimate ci_low ci_high se",
        shares="p",
        flags="primary include",
        words={
            "level": "between_arm within_arm",
            "construct": CONSTRUCTS,
            "outcome_type": "continuous response remission relapse abstinence",
            "effect_type": "mean_difference cohen_d hedges_g odds_ratio risk_ratio hazard_ratio risk_difference"
            " standardized_beta mean_change",
            "p_op": P_OPERATORS,
            "direction": "negative_favours_arm positive_favours_arm above_1_favours_arm below_1_favours_arm"
            " negative_is_improvement not_stated",
            "basis": "published computed_endpoint computed_change computed_counts press",
        },
    ),
    "subjective": TableSchema(
        key="trial_id arm_id instrument time_note value_type",
        required="trial_id arm_id drug instrument dimension value_type n mean sd include source_url",
        filled="trial_id arm_id instrument dimension value_type include",
        text="drug time_note source_url notes",
        numbers="dose dose_mg_equiv dose_mg_per_kg n mean sd scale_min scale_max sd_fraction",
        shares="mean_fraction",
        percents="percent_complete_mystical",
        flags="include",
        words={
            "dose_unit": DOSE_UNITS,
            "population": "patients healthy",
            "dimension": DIMENSIONS,
            "value_type": "score percent_of_people percent_of_administrations hours difference_from_placebo"
            " percent_complete_mystical",
        },
    ),
    "associations": TableSchema(
        key="trial_id arm_id label predictor_instrument outcome_instrument outcome_metric time_days statistic origin",
        required=(
            "trial_id arm_id predictor_instrument predictor_dimension outcome_instrument outcome_metric n statistic"
            " estimate positive_means origin include source_url"
        ),
        filled="trial_id arm_id predictor_instrument outcome_instrument statistic origin include",
        text="label adjusted_for source_url notes",
        numbers="time_days n estimate ci_low ci_high se",
        shares="p",
        flags="significant include",
        words={
            "predictor_dimension": "mystical dissociative ego_dissolution challenging emotional_breakthrough insight"
            " visual intensity psychotomimetic alliance expectancy suggestibility absorption openness self_experience"
            " self_compassion brain memory dose pooled",
            "outcome_metric": "score change percent_change reduction response acute_effect",
            "statistic": "r beta b b_per_sd R2 interaction_p group_mean_change latent_variable_p studies_significant"
            " vote_count direction_only",
            "p_op": P_OPERATORS,
            "positive_means": "worse_symptoms improvement stronger_acute_effect not_stated not_applicable no_estimate",
            "origin": "published author_model_output computed_from_ipd pooled review_count",
        },
    ),
    "expectancy": TableSchema(
        key="trial_id arm_id measure timing label",
        required="trial_id arm_id measure timing n value source_url",
        filled="trial_id arm_id measure timing",
        text="label value_text source_url notes",
        numbers="n count value sd scale_min scale_max",
        words={
            "measure": "participant_guess_correct_pct participant_guess_active_pct therapist_guess_correct_pct"
            " rater_guess_correct_pct expectancy_score suggestibility_SSS absorption_MODTAS therapeutic_alliance"
            " therapeutic_alliance_change_d refused_second_dose_pct remote_vs_site_rater_predictive_value_pct"
            " trials_with_blind_assessment_pct trials_with_poor_masking_pct",
            "timing": "pre_dose post_dose endpoint prep_to_1wk_post not_stated",
            "source_type": "published secondary press computed_from_ipd",
        },
    ),
    "mediation": TableSchema(
        key="trial_id treatment mediator_instrument outcome_instrument time_days adjusted_for origin",
        required="trial_id treatment mediator_instrument outcome_instrument n indirect_effect origin include"
        " source_url",
        filled="trial_id treatment mediator_instrument outcome_instrument origin include",
        text="method source_url notes",
        numbers=(
            "time_days n a_path b_path direct_effect indirect_effect indirect_ci_low indirect_ci_high total_effect"
            " percent_mediated"
        ),
        flags="include",
        words={
            "mediator_dimension": "mystical ego_dissolution dissociative emotional_breakthrough self_compassion"
            " self_experience psychological_flexibility brain alliance other",
            "result": "significant not_significant association_only not_reported",
            "origin": "published computed_from_ipd",
        },
    ),
    "therapy": TableSchema(
        key="trial_id row",
        required="trial_id arm_id row source_url",
        filled="trial_id arm_id row",
        text="arm_id arm_text model range_text comparison source_url notes",
        numbers=(
            "prep_sessions dosing_sessions integration_sessions prep_hours dosing_hours integration_hours"
            " nondrug_hours total_hours"
        ),
    ),
    "acute_contrasts": TableSchema(
        key="trial_id arm_id reference_arm_id instrument",
        required="trial_id arm_id reference_arm_id instrument n statistic t source_url",
        filled="trial_id arm_id reference_arm_id instrument",
        text="dimension design source_url notes",
        numbers="n t dz",
        shares="p",
        words={"statistic": "t_paired t_independent"},
    ),
    "scale_bridge": TableSchema(
        key="source drug scale_a scale_b",
        required="source drug scale_a scale_b r source_url",
        filled="source drug scale_a scale_b",
        text="source_url notes",
        numbers="n r ci_low ci_high",
    ),
    "pooled_effects": TableSchema(
        key="meta_id comparison effect_type",
        required="meta_id comparison effect_type estimate direction source_url",
        filled="meta_id comparison effect_type direction",
        text="citation model source_url notes",
        numbers="estimate ci_low ci_high k n",
        shares="p",
        percents="i2",
        flags="retracted",
        words={
            "p_op": P_OPERATORS,
            "direction": "negative_favours_active positive_favours_active above_1_favours_active"
            " positive_is_improvement negative_is_improvement not_applicable see_notes",
        },
    ),
    "risk_of_bias": TableSchema(
        key="trial_id domain",
        required="trial_id domain present source_url",
        filled="trial_id domain present source_url",
        text="detail source_url notes",
        shares="value",
        flags="present",
        words={"domain": BIAS_DOMAINS, "rating": "low some_concerns high"},
    ),
    "doubts": TableSchema(
        key="trial_id doubt",
        required="trial_id doubt effect source",
        filled="trial_id doubt source",
        text="doubt effect source",
    ),
    "editions": TableSchema(
        key="version",
        required="version last_search",
        filled="version last_search",
        text="version last_search searched changes",
    ),
    "vocabulary": TableSchema(
        key="column word",
        required="column word meaning",
        filled="column word meaning",
        text="column word meaning",
    ),
    "preclinical": TableSchema(
        key="drug level effect",
        required="drug level effect direction source_url",
        filled="drug level effect direction source_url",
        text="direction seed_refs source_url",
        words={"drug": "ketamine psilocybin MDMA LSD esketamine", "level": "cellular circuit behavioural"},
    ),
}

REQUIRED_TABLES = ("trials", "arms")
"""Tables a folder must have, with rows; and outcomes or contrasts beside them."""

OPEN_WORDS = {"study_drug": "drug", "route": "route", "score_route": "route", "dose_unit": "dose_unit"}
"""Columns whose words a folder extends by its reference doses, and the column of them that holds the words."""

EMBEDDED_IF_ABSENT = ("instruments", "reference_doses", "drugs")
"""Tables taken from the embedded evidence where a folder has none."""
