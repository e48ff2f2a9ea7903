//! What every backend of the store must do. A backend is a line in `support::Backend` and one more `contract!` below.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test says so by failing")]

mod apply;
mod concurrency;
mod credentials;
mod definitions;
mod identities;
mod keys;
mod once;
mod orgs;
mod pools;
mod recorder;
mod restart;
mod support;
mod usage;
mod usage_naive;
mod usage_property;
mod usage_views;

/// Runs each function of the suite on a fresh store of the backend.
macro_rules! contract {
    ($backend:ident: $($module:ident { $($test:ident),+ $(,)? })+) => {
        mod $backend {
            $(mod $module {
                $(#[tokio::test]
                async fn $test() {
                    crate::$module::$test(crate::support::Bench::open(crate::support::Backend::$backend).await).await;
                })+
            })+
        }
    };
}

contract! { sqlite:
    orgs {
        an_organisation_is_made_changed_and_deleted,
        names_plans_and_custom_limits_are_checked,
        lists_page_and_search,
        history_is_kept_as_dated_facts,
        the_audit_log_tells_who_did_what,
    }
    keys {
        a_key_is_shown_once_and_found_by_its_hash,
        a_revoked_key_and_a_deleted_organisation_are_refused_at_once,
        wishes_are_checked,
        lists_page_and_tell_revoked_ones,
    }
    identities {
        who_came_before_is_known_whatever_their_address_is_now,
        an_account_of_the_same_address_is_theirs_only_where_it_was_shown,
        an_account_is_made_for_whom_the_mode_admits,
        an_invitation_is_taken_up_by_coming,
        one_is_linked_by_whoever_is_logged_in_and_taken_away_but_for_the_last_way,
        what_is_handed_out_sealed_comes_back_whole_or_not_at_all,
    }
    once {
        an_answer_outlives_a_restart_and_is_kept_sealed_for_a_day,
        what_was_done_before_a_crash_is_not_done_again_though_its_answer_is_lost,
        what_was_begun_and_not_done_before_a_crash_is_done,
        one_at_a_time_and_nothing_else_under_the_same_key,
    }
    definitions {
        a_models_life,
        a_plans_life,
        a_providers_life,
        faults_are_told_all_at_once_and_old_ones_do_not_block,
        what_the_file_manages_stays_the_files,
    }
    credentials {
        they_are_kept_but_never_told,
        several_take_their_turns_in_their_order,
        one_is_added_and_one_removed,
        what_was_found_leaves_what_was_added,
        what_is_no_list_of_credentials_is_refused,
    }
    apply {
        a_diff_says_what_changes_and_a_second_run_changes_nothing,
        a_dry_run_changes_nothing,
        pruning_spares_what_is_in_use_and_what_was_found,
        missing_ones_are_added_and_others_left,
        all_or_nothing,
    }
    pools {
        a_pool_refuses_at_its_limit_and_explains,
        a_plan_change_is_in_force_at_once_and_history_stays,
        what_is_in_progress_feels_a_change_of_plan,
        custom_limits_hold_from_until_without_a_timer,
        a_keys_own_limits_are_pools_too,
        shadow_pools_count_and_never_refuse,
        views_show_untouched_pools,
        what_is_idle_is_given_back,
    }
    recorder {
        everything_queued_is_written,
        what_is_recorded_shows_without_being_asked_for,
        a_request_counts_once,
        a_flood_of_refusals_is_bounded,
        what_limits_that_only_record_would_refuse_is_counted_apart,
        closing_writes_everything,
    }
    usage {
        totals_are_exact_at_any_bound,
        groups_and_buckets,
        days_follow_the_time_zone,
        too_much_is_refused_with_advice,
        a_deleted_organisations_usage_is_kept,
        few_groups_and_the_span_before,
        a_day_s_spend_is_told_by_provider_and_plan,
        a_request_s_story_is_told,
    }
    usage_views {
        limits_are_told_as_they_were,
        why_something_was_refused,
        lists_of_requests_are_checked,
    }
    restart {
        a_reopened_store_is_the_same,
        a_second_server_is_kept_out,
        work_goes_on_when_the_caller_leaves,
    }
    concurrency {
        concurrent_writes_all_count,
        readers_see_whole_states,
    }
}
