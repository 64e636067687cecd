/**
 * What a decision may ask of the past: earlier messages by their keys, and the journaled event behind each. The shard
 * answers it from its recent index, the fingerprint segments and the journal; tests answer it from an array.
 */
import type { MessageEvent, PlainEvent } from './events.js';

/**
 * Kinds of index keys. A key is 64 bits as two unsigned 32-bit words: `high` = kind (3 bits) and 29 bits of what can be
 * searched for alone (the RRN, the STAN ...), `low` = 32 bits of what makes it exact (card and the rest). So one sorted
 * entry serves both the exact look-up and the search by prefix. Candidates are confirmed on the record.
 */
export const KeyKind = {
  /**
   * card + the acquirer's reference (DE31) of a clearing record, searchable by it; of one without, card + file + record. Disputes
   * by the record that they are about, and lists by their day (index-keys.ts), have a name there that no file has.
   */
  clearing: 0,
  /** card + DE11 + DE7, searchable by DE11. Duplicate check and reversal look-up. */
  stan: 1,
  /** card + DE37 + DE41, searchable by DE37. */
  rrn: 2,
  /** card + DE63, searchable by DE63. */
  networkId: 3,
  /** card + approval code, searchable by the code. */
  approval: 4,
  /** Elements (increments, reversals, advices, roll-backs, the expiry, clearing records) of the authorization at a sequence. */
  elements: 5,
  /** card + the acquirer's reference of a hold (DE48 tag 80), searchable by the reference. */
  holdReference: 6,
  /** link + acquirer + DE11 + DE7 of totals that were compared; no card. */
  comparison: 7,
} as const;
export type KeyKind = (typeof KeyKind)[keyof typeof KeyKind];

/** Sequences found under a key, oldest first. Reused by the next look-up of the same history. */
export interface Found {
  readonly count: number;
  readonly sequences: Float64Array;
}

export interface History {
  /** Records at or below this sequence are not in the journal any more (retention); `find` names none of them. 0: all are. */
  readonly floor: number;
  /**
   * All sequences kept under the key. An empty answer is definite: the index is complete.
   * @param sinceMs records older than this (shard time, ms since 1970 UTC) may be left out, which spares reading old
   * segments; the duplicate check passes the beginning of its window. Without it, all of them.
   */
  find(high: number, low: number, sinceMs?: number): Found;
  /** The message event at the sequence, decoded into a reused instance that the next `read` overwrites. */
  read(sequence: number): MessageEvent;
  /** True when the record at the sequence is a message event (an element may also be a roll-back). */
  isMessage(sequence: number): boolean;
  /** The record at the sequence when it is none of a message: a roll-back, an expiry; undefined for a message event. */
  readEvent(sequence: number): PlainEvent | undefined;
}

/** Sequences under the key that was made last, oldest first, each once: an index may hand one out twice. */
export function foundAt(history: History, key: { readonly high: number; readonly low: number }, sinceMs = 0): number[] {
  const { sequences, count } = history.find(key.high, key.low, sinceMs);
  return [...new Set(sequences.subarray(0, count))];
}
