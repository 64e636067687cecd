/** What issuers write: programs, controls with their windows, rules, and backtests of them. */

/** Rules of all programs, drafts and retired ones included: a row and its newest text in the control thread, 4 096 x 16 KiB =
 * 64 MiB at the very worst, 2 MiB with texts of 500 characters. */
export const RULES_MAX = 4096;

/** Revisions of a program of which a shard keeps statistics of rules. All programs together have RULES_MAX rules, so at the very
 * worst 256 x (4 096 x 16 bytes + 1 000 x 200) are 68 MB per shard; a program of 10 rules has 92 kB. */
export const RULE_STATS_REVISIONS_MAX = 256;

/** Rows of statistics of rules in one read of a shard: 32 revisions x 128 rules x 2 numbers of 9 bytes are 74 KB. */
export const REVISION_STATS_PER_READ = 32;

/** Revisions of programs whose rules the control thread remembers by their places: 1 024 x 128 x 100 bytes are 13 MB at worst. */
export const PROGRAM_RULES_KEPT_MAX = 1024;

/** Backtests that are kept in memory, the newest of all rules, and the differing decisions that each lists: 8 x 5 000 x 200
 * bytes are 8 MB. */
export const BACKTESTS_KEPT_MAX = 8;
export const BACKTEST_DECISIONS_MAX = 5000;

/** Cards whose account and controls a backtest remembers: 20 000 x 500 bytes are 10 MB; one that was forgotten is read again. The
 * texts of their controls, which may have 32 KiB each, have a bound of their own in characters. */
export const BACKTEST_CARDS_KEPT_MAX = 20_000;
export const BACKTEST_CONTROLS_TEXT_MAX = 16 * 2 ** 20;

/** Different controls that a backtest keeps compiled per policy and level: 1 024 x 7 kB x 2 levels x 2 policies are 28 MB. */
export const BACKTEST_CONTROLS_COMPILED_MAX = 1024;

/** How many times longer a backtest rests than it worked: it takes a fifth of a core. And the longest rest, ms: work is measured by
 * the wall clock, as that of the segments' builder. Measured on two cores with a load of 15: 7 000 records/s, rests included. */
export const BACKTEST_REST_FACTOR = 4;
export const BACKTEST_REST_MS_MAX = 50;

/** Largest priority of a rule: room between the ones that an operator thinks of. */
export const RULE_PRIORITY_MAX = 1_000_000;

/** Text of a decision rule in characters: 500 merchants of 15 characters in quotes are 9 500; a rule for people is below 500. */
export const RULE_TEXT_LENGTH_MAX = 16_384;

/** Levels of brackets, operators and negations in a rule: a hand-written one has 5; every recursion over rules is this deep. */
export const RULE_DEPTH_MAX = 24;

/** Items of one list of a rule: a look-up among 500 sorted texts compares 10 of them. Longer lists belong into a control. */
export const RULE_LIST_MAX = 500;

/** Cost of one rule, in units of one comparison of two numbers, 2 to 5 ns: 256 are about 1 us in the worst case, and room
 * for 40 comparisons of texts or 250 of numbers. */
export const RULE_COST_MAX = 256;

/** Rules evaluated for one message, shadow rules included, and their cost together: 128 rules of 32 units are 4 096 units or
 * some 15 us per message in the worst case, more than the rest of the engine spends on it. 25 usual rules (bench/rules.bench.ts) cost 119. */
export const RULES_PER_SET_MAX = 128;
export const RULE_SET_COST_MAX = 4096;

/** Velocity windows that the rules of one message can read: 64 windows x 2 counters x 8 bytes, one buffer per shard. */
export const RULE_WINDOWS_MAX = 64;

/** Name of a velocity window in a rule, and name of a reason, in characters: both stand in lists and traces. */
export const RULE_WINDOW_NAME_MAX = 40;
export const RULE_REASON_LENGTH_MAX = 40;

/** Velocity windows of one controls object, and cash windows: more than anybody was seen to need; a check reads them all. */
export const CONTROL_WINDOWS_MAX = 16;
export const CONTROL_CASH_WINDOWS_MAX = 8;

/** Merchant category codes, countries or merchants in one list of a controls object: every country there is (249) fits. */
export const CONTROL_LIST_MAX = 256;

/** Counters kept per card or account: the windows of its controls (one list may be the program's) and 8 of earlier ones that
 * are not past yet. */
export const VELOCITY_ROW_COUNTERS_MAX = CONTROL_WINDOWS_MAX + CONTROL_CASH_WINDOWS_MAX + 8;

/** Bytes of a row of counters: version 1, sequence 8, head 8, and per counter key 7, head 1, bucket number 5, mask 2 and 16
 * buckets of an amount (7) and a count (4). Rows of 10 windows in use have 200 to 600. */
export const VELOCITY_ROW_BYTES_MAX = 17 + VELOCITY_ROW_COUNTERS_MAX * (15 + 16 * 11);

/** Snapshot of a program in a shard, UTF-8: 128 rules of 500 characters are 64 KiB, hold life and other tables some KiB more;
 * a quarter of a command. */
export const PROGRAM_SNAPSHOT_BYTES_MAX = 256 * 1024;

/** Controls of one card or account as JSON, UTF-8: 24 windows of 200 characters and three full lists are some 12 KiB. */
export const CONTROLS_TEXT_BYTES_MAX = 32 * 1024;

/** Different controls of cards, and of accounts, that a thread keeps compiled per program. Measured: 3 kB with two windows, 7 kB with
 * ten, so 200 to 460 MB. Beyond that all are dropped and compiled again when they are asked for, at 0.15 to 0.3 ms each. */
export const CONTROLS_COMPILED_MAX = 65_536;

/** Rows of a hold-life table: the built-in one has 9; every row that does not fit costs a message some 5 ns. */
export const HOLD_LIFE_ROWS_MAX = 64;

/** Longest hold life in days: MATCHABLE_MS counts 31. */
export const HOLD_LIFE_DAYS_MAX = 31;

/** Category groups of a program beside the built-in ones: one list of a controls object could not name more anyway. */
export const PROGRAM_MCC_GROUPS_MAX = 256;

/** Time in ms between two tries to hand programs to shards that were out of service: a rebuild takes seconds. */
export const PROGRAM_RETRY_MS = 1000;
