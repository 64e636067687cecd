import { SegmentBuilder, type SegmentBuilderOptions } from '#src/journal/segment-builder.js';
import { EntryColumns } from '#src/journal/segment-sort.js';
import type { Store } from '#src/store/port.js';

export interface Entry {
  high: number;
  low: number;
  sequence: number;
}

/** Small bounds, so that a few hundred entries exercise several classes of segments. */
export const smallBounds = { fanIn: 3, class0Entries: 40, entriesMax: 100_000, graceMs: 1000, retentionMs: 1e9 };

export function builderOf(store: Store, shard = 0, options: SegmentBuilderOptions = smallBounds): SegmentBuilder {
  return new SegmentBuilder(store, shard, new EntryColumns(360_000), options);
}

/** Adds and publishes the entries as one segment; the record times are 1000 x sequence. */
export function publish(builder: SegmentBuilder, entries: readonly Entry[], through?: number): void {
  for (const { high, low, sequence } of entries) builder.add(high, low, sequence, sequence * 1000);
  builder.advance(through ?? entries[entries.length - 1]!.sequence);
  builder.publish();
}

/** One stored value with one bit turned; `at` below 0 counts from its end. */
export function damage(store: Store, key: Uint8Array, at = -2): void {
  const value = new Uint8Array(store.get(key)!);
  value[at < 0 ? value.length + at : at]! ^= 4;
  store.commit((writer) => writer.put(key, value));
}

/** The naive model: what a look-up must answer, oldest first. */
export function expected(entries: readonly Entry[], high: number, low: number): number[] {
  return entries.filter((entry) => entry.high === high && entry.low === low).map((entry) => entry.sequence);
}

/** Pseudo-random 32-bit words from a counter, the same in every run. */
export function word(i: number): number {
  let h = Math.imul(i + 1, 0x9e3779b1);
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}
