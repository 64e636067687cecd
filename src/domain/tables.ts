/**
 * Numbers of the state's tables and of the fields that enter the digest. Part of the checkpoint's and the journal's
 * format: never change or reuse one, only add.
 */
export const Table = {
  account: 1,
  card: 2,
  /** Open holds, by the sequence of their authorization. */
  hold: 3,
  /** Turnovers of the ledger, by currency * 10000 + chart account. */
  ledger: 4,
  /** References of payments, by their place in the set. */
  reference: 5,
  /** Idempotency keys of the API, by their place in the set. */
  idempotency: 6,
  /** Counters of the shard: one row, key 0. */
  counters: 7,
  /** Messages that stopped the shard, by their place in the set. */
  poison: 8,
  /** Snapshots of programs, by the program's index. */
  program: 9,
  /** Controls of cards and accounts, by owner (velocity/counter-changes.ts). */
  controls: 10,
  /** Velocity counters, by owner. */
  velocity: 11,
  /** Statistics of rules, by program and revision (rule-stats.ts). */
  ruleStats: 12,
  /** Totals of acquirers by business date, by their place in the table (totals-table.ts). */
  totals: 13,
  /** Sealed reference values of PINs, by card slot (pin-table.ts). */
  pin: 14,
} as const;
export type Table = (typeof Table)[keyof typeof Table];
