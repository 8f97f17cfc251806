"""The public names, by wing, in the order of the work: read this first."""

# evidence: the tables in data/, checked, and what they cover
from .evidence.add import add_trial as add_trial
from .evidence.coverage import evidence_map as evidence_map
from .evidence.drugs import drugs_of as drugs_of
from .evidence.edition import edition_of as edition_of
from .evidence.plot_coverage import plot_evidence_map as plot_evidence_map
from .evidence.tables import Evidence as Evidence
from .evidence.tables import evidence_counts as evidence_counts
from .evidence.tables import evidence_problems as evidence_problems
from .evidence.tables import evidence_questions as evidence_questions
from .evidence.tables import EvidenceError as EvidenceError
from .evidence.tables import load_evidence as load_evidence

# rows: published numbers to model rows
from .rows.acute_scores import acute_scores as acute_scores
from .rows.acute_scores import scores_set_aside as scores_set_aside
from .rows.arms import arm_changes as arm_changes
from .rows.arms import set_aside as set_aside
from .rows.associations import associations_set_aside as associations_set_aside
from .rows.associations import experience_correlations as experience_correlations
from .rows.bias_domains import risk_of_bias as risk_of_bias
from .rows.change_scores import pre_post_correlation as pre_post_correlation
from .rows.contrasts import contrasts as contrasts
from .rows.contrasts import contrasts_set_aside as contrasts_set_aside
from .rows.drug_contrasts import drug_contrasts as drug_contrasts
from .rows.drug_contrasts import drug_contrasts_set_aside as drug_contrasts_set_aside
from .rows.response_contrasts import response_arms as response_arms
from .rows.response_contrasts import response_contrasts as response_contrasts
from .rows.terms import HEADLINE as HEADLINE
from .rows.terms import HYPOTHESES as HYPOTHESES
from .rows.terms import TERMS as TERMS
from .rows.terms import with_belief_by_design as with_belief_by_design

# interchange: the evidence in the formats of others, and theirs read in
from .interchange.exchange import export_evidence as export_evidence
from .interchange.exchange import import_evidence as import_evidence

# decomposition: drug, therapy, expectancy and experience terms, pooled over trials: model, estimands, ledger, checks, figures
from .decomposition.belief_shares import belief_share_curve as belief_share_curve
from .decomposition.counts import decomposition_with_counts as decomposition_with_counts
from .decomposition.counts import response_model as response_model
from .decomposition.counts import response_rates as response_rates
from .decomposition.estimands import contributions as contributions
from .decomposition.estimands import heterogeneity as heterogeneity
from .decomposition.estimands import predictive_effects as predictive_effects
from .decomposition.estimands import relative_effects as relative_effects
from .decomposition.estimands import trial_effects as trial_effects
from .decomposition.forest import forest_table as forest_table
from .decomposition.identifiability import contraction as contraction
from .decomposition.identifiability import drug_identifiability as drug_identifiability
from .decomposition.identifiability import identifiability as identifiability
from .decomposition.identifiability import posterior_correlations as posterior_correlations
from .decomposition.influence import influence as influence
from .decomposition.influence import power_scaling as power_scaling
from .decomposition.left_out_check import check_pit as check_pit
from .decomposition.left_out_check import loto_pit as loto_pit
from .decomposition.model import decomposition as decomposition
from .decomposition.model import decomposition_design as decomposition_design
from .decomposition.plot_ledger import plot_identifiability as plot_identifiability
from .decomposition.plot_ledger import plot_influence as plot_influence
from .decomposition.multiverse import multiverse as multiverse
from .decomposition.plot_left_out import plot_loto_pit as plot_loto_pit
from .decomposition.plot_multiverse import plot_multiverse as plot_multiverse
from .decomposition.plot_network import plot_network as plot_network
from .decomposition.plots import plot_contributions as plot_contributions
from .decomposition.plot_forest import plot_forest as plot_forest
from .decomposition.plots import plot_predictive_check as plot_predictive_check
from .decomposition.plots import plot_prior_posterior as plot_prior_posterior
from .decomposition.predictive import new_trial_predictive as new_trial_predictive
from .decomposition.predictive import predictive_check as predictive_check
from .decomposition.predictive import prior_predictive as prior_predictive
from .decomposition.response_table import counted_alone as counted_alone
from .decomposition.response_table import response_table as response_table
from .decomposition.therapy_effects import therapy_effects as therapy_effects
from .decomposition.therapy_types import therapy_types as therapy_types
from .decomposition.shares import not_drug_share as not_drug_share
from .decomposition.dose_curves import dose_averaged_share as dose_averaged_share

# bias: what small, selected and open trials add to an effect
from .bias.averaging import bias_adjusted as bias_adjusted
from .bias.averaging import BiasAdjusted as BiasAdjusted
from .bias.contrast_rows import read_contrasts as read_contrasts
from .bias.funnel import funnel_table as funnel_table
from .bias.funnel import plot_funnel as plot_funnel
from .bias.funnel import plot_funnels as plot_funnels
from .bias.moderators import bias_moderators as bias_moderators
from .bias.regressions import small_study_estimates as small_study_estimates
from .bias.selection import selection_model as selection_model

# timecourse: how long the drug effect lasts
from .timecourse.estimands import area_under_curve as area_under_curve
from .timecourse.estimands import days_above as days_above
from .timecourse.estimands import half_life as half_life
from .timecourse.estimands import half_life_table as half_life_table
from .timecourse.estimands import time_effects as time_effects
from .timecourse.fit import compare_shapes as compare_shapes
from .timecourse.fit import fit_time_course as fit_time_course
from .timecourse.ledger import time_ledger as time_ledger
from .timecourse.model import time_course as time_course
from .timecourse.model import time_course_design as time_course_design
from .timecourse.plots import plot_time_course as plot_time_course
from .timecourse.plots import time_curve_table as time_curve_table
from .timecourse.plots import time_points as time_points
from .timecourse.relapse import relapse_predictions as relapse_predictions
from .timecourse.relapse import relapse_rows as relapse_rows
from .timecourse.relapse import relapse_set_aside as relapse_set_aside
from .timecourse.relapse_readings import relapse_readings as relapse_readings
from .timecourse.rows import time_contrasts as time_contrasts
from .timecourse.rows import time_rows as time_rows
from .timecourse.rows import time_set_aside as time_set_aside

# dose: how much of the drug, and how much experience, does what
from .dose.compare import compare_dose_shapes as compare_dose_shapes
from .dose.experience import dose_shares as dose_shares
from .dose.experience import fit_experience_dose as fit_experience_dose
from .dose.plots import plot_dose_response as plot_dose_response
from .dose.response import dose_effects as dose_effects
from .dose.response import dose_response as dose_response
from .dose.response import fit_dose_response as fit_dose_response

# gaussian: the closed form, for any Gaussian linear hierarchical design
from .gaussian.design_checks import DesignError as DesignError
from .gaussian.design import gaussian_design as gaussian_design
from .gaussian.fit import fit_exact as fit_exact
from .gaussian.fit import integrate as integrate
from .gaussian.held_out import leave_one_trial_out as leave_one_trial_out
from .gaussian.held_out import loro_exact as loro_exact
from .gaussian.held_out import loto_exact as loto_exact
from .gaussian.marginals import linear_summary as linear_summary
from .gaussian.marginals import scale_summary as scale_summary
from .gaussian.model import gaussian_model as gaussian_model

# inference: one call to fit, one check that stops at a fit that cannot be trusted
from .inference.fit import check_fit as check_fit
from .inference.fit import ConvergenceError as ConvergenceError
from .inference.fit import fit as fit
from .inference.stored import FitFileError as FitFileError
from .inference.stored import load_fit as load_fit
from .inference.stored import save_fit as save_fit

# comparison: may these fits be compared, and which predicts better
from .comparison.bayes_factors import bayes_factor_curve as bayes_factor_curve
from .comparison.bayes_factors import bayes_factors as bayes_factors
from .comparison.comparability import ComparisonError as ComparisonError
from .comparison.compare import compare as compare
from .comparison.compare import comparison_note as comparison_note

# participants: a trial's own people
from .participants.arms import person_arms as person_arms
from .participants.checked import Participants as Participants
from .participants.codebook import Codebook as Codebook
from .participants.codebook import CodebookError as CodebookError
from .participants.codebook import ColumnCodes as ColumnCodes
from .participants.codebook import read_codebook as read_codebook
from .participants.crossover import Crossover as Crossover
from .participants.crossover import load_crossover as load_crossover
from .participants.description import describe_columns as describe_columns
from .participants.description import draft_codebook as draft_codebook
from .participants.followup import FollowUp as FollowUp
from .participants.followup import load_followup as load_followup
from .participants.reading import ParticipantError as ParticipantError
from .participants.reading import read_trial as read_trial
from .participants.table import load_participants as load_participants

# mediation: mediation in participants: model, effects, sensitivity, figures
from .mediation.baselines import impute_baselines as impute_baselines
from .mediation.between_clusters import cluster_variation as cluster_variation
from .mediation.between_clusters import natural_effects_by_cluster as natural_effects_by_cluster
from .mediation.between_clusters import visit_cluster_variation as visit_cluster_variation
from .mediation.crossover import crossover_mediation as crossover_mediation
from .mediation.dropout import tipping_point as tipping_point
from .mediation.dropout import tipping_table as tipping_table
from .mediation.effects import natural_effects as natural_effects
from .mediation.trial_effects import natural_effects_by_trial as natural_effects_by_trial
from .mediation.four_way import four_way as four_way
from .mediation.four_way import rare_outcome_effects as rare_outcome_effects
from .mediation.imputed import pool_imputed_estimates as pool_imputed_estimates
from .mediation.imputed import pool_imputed_fits as pool_imputed_fits
from .mediation.interventional import interventional_effects as interventional_effects
from .mediation.trajectory import trajectory_effects as trajectory_effects
from .mediation.trajectory_sensitivity import trajectory_sensitivity as trajectory_sensitivity
from .mediation.model import mediation as mediation
from .mediation.moderated import moderated_effects as moderated_effects
from .mediation.paths import mediation_paths as mediation_paths
from .mediation.plot_dropout import plot_tipping as plot_tipping
from .mediation.plot_sensitivity import plot_r2_contours as plot_r2_contours
from .mediation.plot_sensitivity import plot_sensitivity as plot_sensitivity
from .mediation.plots import plot_effects as plot_effects
from .mediation.plots import plot_mediation as plot_mediation
from .mediation.plots import plot_overlap as plot_overlap
from .mediation.repeated import repeated_mediation as repeated_mediation
from .mediation.repeated_effects import at_visit as at_visit
from .mediation.repeated_effects import repeated_effects as repeated_effects
from .mediation.sensitivity import mediation_sensitivity as mediation_sensitivity
from .mediation.sensitivity import r2_contours as r2_contours

# belief: guesses, blinding, unblinding as mediator, expectancy as moderator
from .belief.blinding import bang_index as bang_index
from .belief.blinding import blinding_table as blinding_table
from .belief.blinding import correct_guess_rate_curve as correct_guess_rate_curve
from .belief.blinding import james_index as james_index
from .belief.coding import check_belief as check_belief
from .belief.coding import code_guess as code_guess
from .belief.estimands import belief_bounds as belief_bounds
from .belief.estimands import belief_effects as belief_effects
from .belief.expectancy import expectancy_moderation as expectancy_moderation
from .belief.expectancy import moderation_effects as moderation_effects
from .belief.plots import plot_belief_bounds as plot_belief_bounds
from .belief.plots import plot_belief_split as plot_belief_split
from .belief.plots import plot_blinding as plot_blinding
from .belief.plots import plot_guess_rate as plot_guess_rate
from .belief.plots import plot_moderation as plot_moderation
from .belief.unblinding import unblinding as unblinding

# synthesis: every kind of evidence in one likelihood: do subjective effects mediate?
from .synthesis.causal_share import causal_shares as causal_shares
from .synthesis.causal_share import share_curve as share_curve
from .synthesis.compiled import compile_synthesis as compile_synthesis
from .synthesis.compiled import prior_of as prior_of
from .synthesis.conflict import conflict as conflict
from .synthesis.effects import mediated_share as mediated_share
from .synthesis.effects import path_effects as path_effects
from .synthesis.effects import path_table as path_table
from .synthesis.hypotheses import compare_synthesis as compare_synthesis
from .synthesis.items import synthesis_items as synthesis_items
from .synthesis.kinds import only_drug as only_drug
from .synthesis.kinds import without as without
from .synthesis.model import SYNTHESIS_HYPOTHESES as SYNTHESIS_HYPOTHESES
from .synthesis.model import synthesis as synthesis
from .synthesis.outside import belief_prior as belief_prior
from .synthesis.outside import course_prior as course_prior
from .synthesis.outside import informed_effects as informed_effects
from .synthesis.outside import outside_evidence as outside_evidence
from .synthesis.outside import transport_ledger as transport_ledger
from .synthesis.plots import plot_path_effects as plot_path_effects
from .synthesis.plots import plot_paths as plot_paths
from .synthesis.plots import plot_pooling as plot_pooling
from .synthesis.plots import plot_share_curve as plot_share_curve
from .synthesis.plots import plot_without as plot_without
from .synthesis.power import power_table as power_table
from .synthesis.removal import by_pooling as by_pooling
from .synthesis.removal import pooling_fits as pooling_fits
from .synthesis.removal import without_each_kind as without_each_kind
from .synthesis.therapy_prior import therapy_prior as therapy_prior

# planning: trials before they are run: what they compare, what they are expected to teach, how large they must be
from .planning.comparisons import design_ledger as design_ledger
from .planning.information import expected_information as expected_information
from .planning.people import simulate_trial as simulate_trial
from .planning.people import TrialTruth as TrialTruth
from .planning.mediation_power import mediation_power as mediation_power
from .planning.library import named_designs as named_designs
from .planning.plots import plot_assurance as plot_assurance
from .planning.ranking import rank_designs as rank_designs
from .planning.ranking import sizes_needed as sizes_needed
from .planning.regression import sample_information_value as sample_information_value
from .planning.trial_files import read_designs as read_designs
from .planning.trials import PlannedTrial as PlannedTrial
from .planning.trials import PlanningError as PlanningError
from .planning.trials import trial_design as trial_design

# published: published analyses reproduced from public data
from .published.dataset_files import DatasetError as DatasetError
from .published.datasets import fetch_jobs as fetch_jobs
from .published.datasets import fetch_ketamine_crossover as fetch_ketamine_crossover
from .published.datasets import fetch_microdose as fetch_microdose
from .published.datasets import fetch_psiconnect as fetch_psiconnect
from .published.datasets import fetch_psilodep2 as fetch_psilodep2
from .published.expectancy import reproduce_expectancy as reproduce_expectancy
from .published.mediation import correlation as correlation
from .published.random_intercept import random_intercept_reml as random_intercept_reml
from .published.unblinding import microdose_mediation as microdose_mediation

# calibration: do the intervals of every estimand cover as they say?
from .calibration.bands import calibration_note as calibration_note
from .calibration.bands import check_calibration as check_calibration
from .calibration.plot import plot_calibration as plot_calibration
from .calibration.ranks import calibrate as calibrate

# findings: for readers: effects in points and patients, how certain each is, and which trials each section counts
from .findings.certainty import certainty as certainty
from .findings.certainty import certainty_word as certainty_word
from .findings.claims import review_claims as review_claims
from .findings.scales import clinical_scales as clinical_scales
from .findings.scales import in_points as in_points
from .findings.summary import read_results as read_results
from .findings.summary import summary_of_findings as summary_of_findings
from .findings.trials import compared_trials as compared_trials
from .findings.trials import trial_counts as trial_counts
from .findings.what_if import what_if as what_if
from .findings.words import not_known as not_known

# manuscript: methods, results and checklists as a paper, filled from a results folder
from .manuscript.latex import to_latex as to_latex
from .manuscript.word import to_docx as to_docx

# review: what changed between two evidence bases, and the headline as the trials came in
from .review.cumulative import cumulative as cumulative
from .review.diff import evidence_changes as evidence_changes
from .review.diff import headline_changes as headline_changes
from .review.diff import headline_effects as headline_effects
from .review.plot_cumulative import plot_cumulative as plot_cumulative

# output: what every result shares
from .output.tables import effect_table as effect_table
from .output.visual_style import save_figure as save_figure

__version__: str
