/** Amounts, balances, and the daily accrual. */

/** Largest amount of one message or command in minor units: DE4 has 12 digits. */
export const AMOUNT_MAX = 999_999_999_999;

/** Largest credit limit in minor units, and the largest credit balance that a payment may leave. Together they keep an account
 * far below 2^53 (9e15): what is available is at most 1e14 + 1e15, and so is what can be held. A payment beyond it is refused,
 * because a checked addition that fails would stop the shard. */
export const CREDIT_LIMIT_MAX = 100_000_000_000_000;
export const CREDIT_BALANCE_MAX = 1_000_000_000_000_000;

/** Days that the daily accrual catches up with in one run. */
export const ACCRUAL_DAYS_BEHIND_MAX = 31;

/** Accounts of a slice of the daily accrual: at most 128 x 3 records of 100 bytes. What that takes from a shard's turn has not been measured. */
export const ACCRUAL_SLICE_ACCOUNTS = 128;

/** How long one request for an accrual works, ms; the rest is for the next one. Below what proxies wait, 30 s. */
export const ACCRUAL_REQUEST_MS = 15_000;

/** Largest difference of a network's settlement that may be posted as rounding, minor units: nobody calls more than that tiny. */
export const SETTLEMENT_ROUNDING_MAX = 1000;

/** What a clearing record may bring an account to, owed or in credit, minor units: beyond it goes to suspense, because a checked
 * addition that fails would stop the shard. Far above CREDIT_LIMIT_MAX and CREDIT_BALANCE_MAX, far below 2^53. */
export const CLEARED_BALANCE_MAX = 4_000_000_000_000_000;

/** Records of an account that are looked at to tell what was paid of its statement: at an estimated 5 us each 50 ms of a shard, once a month. */
export const CYCLE_RECORDS_MAX = 10_000;

/** Records that a slice of the daily accrual looks at before it ends: at an estimated 5 us each 5 ms of a shard's turn. */
export const ACCRUAL_READS_MAX = 1000;
