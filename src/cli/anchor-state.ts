/** The state of an anchor in a shard's tables, and out of them: for what reads a journal whose old part was dropped. */
import { ShardState } from '../domain/shard-state.js';
import type { Table } from '../domain/tables.js';
import { HoldfastError } from '../errors.js';
import type { Anchor, AnchorBalance } from '../journal/anchor.js';
import type { StateWriter } from '../journal/anchor-writer.js';

/**
 * Takes the state of the shard that an anchor has into an empty one.
 * @throws HoldfastError `anchor_corrupt`, `digest_mismatch` when it is not the state that the last dropped frame was written with
 */
export function restoreState(state: ShardState, anchor: Anchor): void {
  const head = anchor.head(state.shard);
  if (head === undefined) return;
  anchor.load(state.shard, (table, key, entry) => {
    state.readEntry(table as Table, key, entry, 0, entry.length);
  });
  const { high, low } = state.digest;
  if (high >>> 0 === head.digest.high && low >>> 0 === head.digest.low) return;
  throw new HoldfastError(
    'digest_mismatch',
    `shard ${state.shard}: the state in ${anchor.path} is not the one of sequence ${head.sequence}`,
    'the anchor cannot be believed: verify with the exported folders (--with), or restore the directory from a backup',
  );
}

/** The state of a shard after the last record that an anchor dropped; an empty one without. */
export function stateBehind(shard: number, anchor: Anchor | undefined): ShardState {
  const state = new ShardState(shard);
  if (anchor !== undefined) restoreState(state, anchor);
  return state;
}

/**
 * Writes every entry of a state: those that changed since it was restored, and the others as the anchor before has them.
 * @param before the anchor that the state was restored from; undefined when it was folded from the first record
 */
export function writeState(state: ShardState, writer: StateWriter, before: Anchor | undefined): void {
  const changed = new Map<number, Set<number>>();
  let buffer = new Uint8Array(1 << 16);
  state.takeDirty(Number.MAX_SAFE_INTEGER, (table, key) => {
    const room = state.entryBytes(table, key);
    if (buffer.length < room) buffer = new Uint8Array(room * 2);
    writer.add(table, key, buffer.subarray(0, state.writeEntry(table, key, buffer, 0)));
    if (before === undefined) return;
    const keys = changed.get(table) ?? new Set<number>();
    changed.set(table, keys.add(key));
  });
  before?.load(state.shard, (table, key, entry) => {
    if (changed.get(table)?.has(key) !== true) writer.add(table, key, entry);
  });
}

/** Turnovers by currency and chart account, added up over shards and sub-accounts. */
export class TrialBalance {
  readonly #rows = new Map<number, { debits: bigint; credits: bigint }>();

  add(currency: number, account: number, debits: bigint, credits: bigint): void {
    const key = currency * 10_000 + account;
    const row = this.#rows.get(key) ?? { debits: 0n, credits: 0n };
    this.#rows.set(key, { debits: row.debits + debits, credits: row.credits + credits });
  }

  /** By currency and account, ascending. */
  list(): AnchorBalance[] {
    return [...this.#rows]
      .sort(([a], [b]) => a - b)
      .map(([key, { debits, credits }]) => ({
        currency: Math.floor(key / 10_000),
        account: key % 10_000,
        debits: String(debits),
        credits: String(credits),
      }));
  }
}
