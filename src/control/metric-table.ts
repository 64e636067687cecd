import type { MetricTable } from './metrics-page.js';

/** Every metric of the engine, with its labels; docs/reference/metrics.md lists the same. */
export const metricNames: MetricTable = {
  holdfast_authorizations_total: {
    type: 'counter',
    labels: ['mti', 'result'],
    help: 'Answers by message type and result: approved, partial, declined; of what is not ours to decide accepted, refused.',
  },
  holdfast_declines_total: { type: 'counter', labels: ['reason'], help: 'Declined and refused messages by reason.' },
  holdfast_responses_total: { type: 'counter', labels: ['code'], help: 'Answers by DE39.' },
  holdfast_stage_duration_seconds: {
    type: 'histogram',
    labels: ['stage', 'shard'],
    help: 'Time of each stage; decode, decide and encode are those of timed messages: the first four of a turn and one in 16.',
  },
  holdfast_authorization_duration_seconds: {
    type: 'histogram',
    labels: [],
    help: 'Last byte read to reply handed to the socket.',
  },
  holdfast_shard_queue_depth: {
    type: 'gauge',
    labels: ['shard'],
    help: 'Bytes that wait in the request rings of the thread.',
  },
  holdfast_journal_commit_duration_seconds: {
    type: 'histogram',
    labels: ['shard'],
    help: 'Time of a commit with its flush to the disk.',
  },
  holdfast_journal_batch_records: { type: 'histogram', labels: [], help: 'Records per commit.' },
  holdfast_connections: { type: 'gauge', labels: ['transport', 'state'], help: 'Connections of the listeners.' },
  holdfast_shed_total: {
    type: 'counter',
    labels: ['cause'],
    help: 'Requests answered 91 by the listeners and by the shards.',
  },
  holdfast_parked_messages: {
    type: 'gauge',
    labels: [],
    help: 'Messages that wait for a device of card cryptography.',
  },
  holdfast_parked_total: { type: 'counter', labels: [], help: 'Messages that were parked for a device.' },
  holdfast_parked_timeouts_total: {
    type: 'counter',
    labels: [],
    help: 'Parked messages that were decided without the answer of a device.',
  },
  holdfast_hsm_connections: { type: 'gauge', labels: ['device'], help: 'Connections to the device that are up.' },
  holdfast_hsm_connections_lost_total: { type: 'counter', labels: ['device'], help: 'Connections that ended.' },
  holdfast_hsm_breaker_open: {
    type: 'gauge',
    labels: ['device'],
    help: '1 while the device is not asked because its latest answers failed.',
  },
  holdfast_hsm_breaker_opened_total: { type: 'counter', labels: ['device'], help: 'Times that its breaker opened.' },
  holdfast_hsm_in_flight: { type: 'gauge', labels: ['device'], help: 'Commands under way at the device.' },
  holdfast_hsm_commands_total: {
    type: 'counter',
    labels: ['device', 'outcome'],
    help: 'Commands by outcome: answered, timeout, and late for answers that came after their time-out.',
  },
  holdfast_repeats_total: { type: 'counter', labels: [], help: 'Repeats answered from the first decision.' },
  holdfast_set_aside_total: {
    type: 'counter',
    labels: [],
    help: 'Requests refused (96) because they once stopped their shard.',
  },
  holdfast_outcomes_uncounted_total: {
    type: 'counter',
    labels: [],
    help: 'Answers that the counters by type, result and reason left out, because their table was full.',
  },
  holdfast_link_errors_total: { type: 'counter', labels: ['kind'], help: 'Errors of peers and of replies.' },
  holdfast_link_business_date_seconds: {
    type: 'gauge',
    labels: ['link'],
    help: "Begin (UTC) of the link's business date, seconds since 1970; 0 before its first cutover.",
  },
  holdfast_tls_certificate_expiry_seconds: {
    type: 'gauge',
    labels: ['listener'],
    help: 'End of the certificate in use, seconds since 1970; listener is the name of a link, or admin.',
  },
  holdfast_tls_reloads_total: {
    type: 'counter',
    labels: ['listener', 'result'],
    help: 'New TLS files that were found: taken, or refused, when those before stay.',
  },
  holdfast_accounts: { type: 'gauge', labels: [], help: 'Accounts of all shards.' },
  holdfast_cards: { type: 'gauge', labels: [], help: 'Cards of all shards.' },
  holdfast_holds_open: { type: 'gauge', labels: [], help: 'Open holds of all shards.' },
  holdfast_holds_expired_total: {
    type: 'counter',
    labels: [],
    help: 'Holds that came to their end and were released.',
  },
  holdfast_clock_paused: {
    type: 'gauge',
    labels: [],
    help: '1 while wall and monotonic clock differ by more than 5 s: hold expiry and window roll-over wait.',
  },
  holdfast_clock_difference_seconds: {
    type: 'gauge',
    labels: [],
    help: 'Wall clock minus monotonic clock while they differ by more than 5 s, worst shard; else 0.',
  },
  holdfast_shards: { type: 'gauge', labels: [], help: 'Logical shards of the data directory.' },
  holdfast_shards_answering: { type: 'gauge', labels: [], help: 'Shards that answered this scrape.' },
  holdfast_thread_memory_bytes: {
    type: 'gauge',
    labels: ['thread', 'kind'],
    help: 'JavaScript memory of the threads main, control and shard-<n>: heap in use, and external (buffers outside of it).',
  },
  holdfast_gc_pause_seconds: {
    type: 'histogram',
    labels: ['thread', 'kind'],
    help: 'Pauses of the thread by its garbage collector: minor, major, incremental (steps of a major one), weak (callbacks).',
  },
  holdfast_loop_delay_seconds: {
    type: 'histogram',
    labels: ['thread'],
    help: 'How long the thread was not to be had: turns of a shard thread; lateness of a timer of 20 ms in main and control.',
  },
  holdfast_thread_busy_seconds_total: {
    type: 'counter',
    labels: ['thread'],
    help: 'Time that the thread was at work, not waiting; its rate is the share of its time.',
  },
  holdfast_shard_rebuilds_total: {
    type: 'counter',
    labels: [],
    help: 'Times that a shard stopped and was rebuilt from the journal.',
  },
  holdfast_shards_refusing: {
    type: 'gauge',
    labels: ['cause'],
    help: 'Shards that answer new work 91 because of their index.',
  },
  holdfast_segment_discards_total: {
    type: 'counter',
    labels: [],
    help: 'Times that the fingerprint segments of a shard were discarded, to be built anew.',
  },
  holdfast_background_task_up: {
    type: 'gauge',
    labels: ['task'],
    help: '1 while the background task runs, 0 when it has ended for good.',
  },
  holdfast_background_task_restarts_total: {
    type: 'counter',
    labels: ['task'],
    help: 'Times that the background task failed and was started again.',
  },
  holdfast_disk_free_bytes: { type: 'gauge', labels: [], help: 'Free space of the data directory.' },
  holdfast_disk_reserve_bytes: {
    type: 'gauge',
    labels: [],
    help: 'Free space below which new work is answered 91.',
  },
  holdfast_log_lines_dropped_total: {
    type: 'counter',
    labels: [],
    help: 'Lines of the log that were dropped because nobody read stderr in time.',
  },
  holdfast_ledger_imbalance: {
    type: 'gauge',
    labels: [],
    help: 'Debits minus credits over the book, absolute, all currencies. Anything but 0 is an incident.',
  },
  holdfast_clearing_records_total: {
    type: 'counter',
    labels: ['outcome'],
    help: 'Records of clearing files by outcome: posted, already (posted before the file was taken up again), duplicate, invalid, refused (by its shard, for good).',
  },
  holdfast_clearing_files: {
    type: 'gauge',
    labels: ['state'],
    help: 'Clearing files by state: received and posting are under way; posted, duplicate, quarantined are finished.',
  },
  holdfast_clearing_stalled_files: {
    type: 'gauge',
    labels: [],
    help: 'Clearing files that do not go on: their progress has the reason.',
  },
  holdfast_clearing_waiting_seconds: {
    type: 'gauge',
    labels: [],
    help: 'How long ago the oldest clearing file came that is neither posted nor refused; 0 when there is none.',
  },
  holdfast_recon_newest_run_seconds: {
    type: 'gauge',
    labels: [],
    help: 'When the newest reconciliation was done, in seconds since 1970; 0 when there has been none.',
  },
  holdfast_recon_runs_failed_total: {
    type: 'counter',
    labels: [],
    help: 'Reconciliations that failed.',
  },
  holdfast_key_rotation_progress_ratio: {
    type: 'gauge',
    labels: ['usage'],
    help: 'Share of the card numbers that the newest rotation of the key has behind it; 1 when it is done, or there was none.',
  },
  holdfast_key_rotation_stalled: {
    type: 'gauge',
    labels: ['usage'],
    help: '1 while a rotation of the key stands still until the next start: the log and /v1/keys say why.',
  },
  holdfast_recon_breaks: {
    type: 'gauge',
    labels: ['type', 'age'],
    help: 'Reconciliation breaks of the newest run that are not resolved, by type and age in days.',
  },
  holdfast_search_lag_records: {
    type: 'gauge',
    labels: [],
    help: 'Durable records that the fingerprint segments do not hold yet, worst shard.',
  },
  holdfast_api_wrong_tokens_total: {
    type: 'counter',
    labels: ['status'],
    help: 'Requests to the HTTP API with a wrong bearer token, by the status of the answer (401, 429).',
  },
  holdfast_event_listeners: {
    type: 'gauge',
    labels: [],
    help: 'Clients that hold a stream of events or a long poll.',
  },
  holdfast_webhooks: { type: 'gauge', labels: ['state'], help: 'Webhooks, enabled and disabled.' },
  holdfast_webhook_deliveries_total: {
    type: 'counter',
    labels: ['result'],
    help: 'Attempts by result: delivered, failed (tried again later), dead (failed and given up).',
  },
  holdfast_webhook_lag_records: {
    type: 'gauge',
    labels: [],
    help: 'Durable records that the slowest enabled webhook has not come to.',
  },
  holdfast_webhook_waiting: {
    type: 'gauge',
    labels: [],
    help: 'Events that wait for another attempt, or behind one of their account.',
  },
  holdfast_webhook_dead_letters: { type: 'gauge', labels: [], help: 'Dead letters of the enabled webhooks.' },
  holdfast_build_info: { type: 'gauge', labels: ['version', 'node'], help: 'Always 1.' },
};
