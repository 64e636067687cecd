/**
 * What the elements of an authorization counted in velocity windows, and what of it still stands. Each element that added to
 * the authorization counted at its own time, so when the authorized total falls, the newest elements give back first, each to
 * the windows that it counted in.
 *
 * An element that raised the total from `start` by some amount stands with what of that range is below the total, and what it
 * has given back does not come again: a later increment may take the same range of the total, but it counted on its own. So
 * it is with its use, which goes back when nothing is left, once, though the network may restore the authorization.
 */
import { changesTotal } from './clearing/history.js';
import { EventKind } from './codes.js';
import { grown } from './columns.js';
import type { MessageEvent, PlainEvent } from './events.js';
import type { History } from './history.js';
import type { IndexKeys } from './index-keys.js';
import { CounterChanges } from './velocity/counter-changes.js';
import { giveBack } from './velocity/give-back.js';
import type { VelocityTable } from './velocity/velocity-table.js';

const unpacked = new CounterChanges();

/** What the element at a sequence counted: a message, or a clearing record above what was authorized. */
function countedBy(history: History, sequence: number): CounterChanges {
  const plain = history.readEvent(sequence);
  if (plain === undefined) return history.read(sequence).changes;
  unpacked.clear();
  if (plain.kind === EventKind.clearingPosted) unpacked.unpack(plain.changes, 0, plain.changes.length);
  return unpacked;
}

export class CountedElements {
  #count = 0;
  #sequence = new Float64Array(16);
  #start = new Float64Array(16);
  #stands = new Float64Array(16);
  /** 1 while its use counts: until nothing of the authorization was left. */
  #used = new Float64Array(16);
  #total = 0;

  /** Takes the elements of the authorization at `root`, oldest first. */
  read(history: History, keys: IndexKeys, root: number): this {
    this.#count = 0;
    this.#total = 0;
    this.#takeMessage(history.read(root), root);
    keys.elementsKey(root);
    const found = history.find(keys.high, keys.low);
    for (let i = 0; i < found.count; i++) {
      const at = found.sequences[i]!;
      if (i > 0 && found.sequences[i - 1] === at) continue;
      const plain = history.readEvent(at);
      if (plain !== undefined) this.#takePlain(plain, root);
      else {
        const event = history.read(at);
        if (event.originalSequence === root) this.#takeMessage(event, at);
      }
    }
    return this;
  }

  /**
   * Adds to `out` what is given back when the authorized total becomes `total`, minor units.
   * @param undone nothing stays and nothing was cleared: uses go back too
   */
  giveBack(history: History, table: VelocityTable, total: number, undone: boolean, out: CounterChanges): void {
    for (let i = this.#count - 1; i >= 0; i--) {
      const before = this.#stands[i]!;
      const after = Math.min(before, Math.max(0, total - this.#start[i]!));
      const unused = undone && this.#used[i] === 1;
      if (before === after && !unused) continue;
      const sequence = this.#sequence[i]!;
      giveBack(table, countedBy(history, sequence), sequence, before, after, unused, out);
    }
    out.sort();
  }

  #takeMessage(event: MessageEvent, sequence: number): void {
    if (changesTotal(event)) this.#become(event.authorizedAfter, sequence);
  }

  #takePlain(event: PlainEvent, root: number): void {
    const isRollBack = event.kind === EventKind.notDelivered && event.authorizationSequence === root;
    const isExpiry = event.kind === EventKind.holdExpired && event.originalSequence === root;
    const isCleared = event.kind === EventKind.clearingPosted && event.originalSequence === root;
    if (isRollBack || isExpiry || isCleared) this.#become(event.authorizedAfter, event.sequence);
  }

  /** The authorized total after one element. */
  #become(total: number, sequence: number): void {
    if (total > this.#total) this.#add(sequence, this.#total, total - this.#total);
    else {
      for (let i = 0; i < this.#count; i++) {
        this.#stands[i] = Math.min(this.#stands[i]!, Math.max(0, total - this.#start[i]!));
        if (total === 0) this.#used[i] = 0;
      }
    }
    this.#total = total;
  }

  #add(sequence: number, start: number, amount: number): void {
    const at = this.#count++;
    if (at === this.#sequence.length) {
      this.#sequence = grown(this.#sequence, at * 2);
      this.#start = grown(this.#start, at * 2);
      this.#stands = grown(this.#stands, at * 2);
      this.#used = grown(this.#used, at * 2);
    }
    this.#sequence[at] = sequence;
    this.#start[at] = start;
    this.#stands[at] = amount;
    this.#used[at] = 1;
  }
}
