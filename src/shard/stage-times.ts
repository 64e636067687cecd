/**
 * How long the stages of recently sampled messages took, for `explain`. Kept in memory only: times are no part of what was
 * decided, so they are in no record and in no digest, and they are gone with the process.
 *
 * A ring of columns: sequences rise, the oldest entry is overwritten. The time of the commit is known later than the rest and
 * is filled in for every entry that waits for it.
 */
import type { StageTimesView } from '../domain/reads.js';
import { STAGE_TIMES_KEPT } from '../limits.js';

const QUEUE = 0;
const DECODE = 1;
const DECIDE = 2;
const ENCODE = 3;
const JOURNAL = 4;
const STAGES = 5;

export class StageTimes {
  readonly #sequences = new Float64Array(STAGE_TIMES_KEPT);
  /** Microseconds, `STAGES` words per entry. */
  readonly #us = new Uint32Array(STAGE_TIMES_KEPT * STAGES);
  /** Nothing at or below this sequence was ever sampled here: it is of an earlier process, or before a rebuild. */
  readonly #begin: number;
  #added = 0;
  /** Entries whose commit is over. */
  #committed = 0;

  /** @param begin last sequence of the shard's journal at this start. */
  constructor(begin: number) {
    this.#begin = begin;
  }

  /** Takes the times of one message in, microseconds; sequences rise. */
  add(sequence: number, queue: number, decode: number, decide: number, encode: number): void {
    const place = this.#added % STAGE_TIMES_KEPT;
    const at = place * STAGES;
    this.#sequences[place] = sequence;
    // A message that came after the turn had read its clock did not wait.
    this.#us[at + QUEUE] = Math.max(0, queue);
    this.#us[at + DECODE] = decode;
    this.#us[at + DECIDE] = decide;
    this.#us[at + ENCODE] = encode;
    this.#us[at + JOURNAL] = 0;
    this.#added++;
  }

  /** Everything taken in so far was committed, in this time. */
  commit(journal: number): void {
    if (this.#committed === this.#added) return;
    const from = Math.max(this.#committed, this.#added - STAGE_TIMES_KEPT);
    for (let entry = from; entry < this.#added; entry++)
      this.#us[(entry % STAGE_TIMES_KEPT) * STAGES + JOURNAL] = journal;
    this.#committed = this.#added;
  }

  /** Times of the message at the sequence, or why there are none. */
  of(sequence: number): StageTimesView {
    const oldest = Math.max(0, this.#added - STAGE_TIMES_KEPT);
    for (let entry = this.#added - 1; entry >= oldest; entry--) {
      const place = entry % STAGE_TIMES_KEPT;
      const found = this.#sequences[place]!;
      if (found > sequence) continue;
      return found === sequence ? this.#view(place * STAGES) : 'not_sampled';
    }
    // Behind the end of the ring: forgotten, or never met by this process.
    return oldest > 0 || sequence <= this.#begin ? 'not_kept' : 'not_sampled';
  }

  #view(at: number): StageTimesView {
    const us = this.#us;
    return {
      queue: us[at + QUEUE]!,
      decode: us[at + DECODE]!,
      decide: us[at + DECIDE]!,
      encode: us[at + ENCODE]!,
      journal: us[at + JOURNAL]!,
    };
  }
}
