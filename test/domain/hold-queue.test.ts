/** The queue of holds by their end, against a sorted list, through everything that places, moves and ends holds. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { RowCursor } from '#src/domain/columns.js';
import { StateDigest } from '#src/domain/digest.js';
import { HoldQueue } from '#src/domain/hold-queue.js';
import { HoldFlag, HoldTable } from '#src/domain/hold-table.js';
import { BLOCK_ROWS, ROW_BYTES, Rows } from '#src/domain/rows.js';

/** Ends are few, so that many holds end at the same time and their sequence decides. */
const operation = fc.record({
  kind: fc.constantFrom('place', 'place', 'place', 'extend', 'reduce', 'close', 'expire', 'reload'),
  pick: fc.nat(1_000_000),
  end: fc.integer({ min: 1, max: 40 }),
});

interface Open {
  sequence: number;
  end: number;
}

class Tables {
  table = new HoldTable(new StateDigest());
  readonly open: Open[] = [];
  #sequence = 0;

  run({ kind, pick, end }: { kind: string; pick: number; end: number }): void {
    const { table, open } = this;
    if (kind === 'reload') {
      // One in ten: copying everything is slow.
      if (pick % 10 === 0) this.table = copyOf(table);
      return;
    }
    if (kind === 'place' || open.length === 0) {
      const sequence = ++this.#sequence;
      const refund = pick % 7 === 0;
      table.place(sequence, 1, 2, 100, refund ? 0 : 100, end, refund ? HoldFlag.refund : 0, sequence);
      open.push({ sequence, end });
      return;
    }
    const at = kind === 'expire' ? indexOfFirst(open) : pick % open.length;
    const one = open[at]!;
    const slot = table.find(one.sequence);
    if (kind === 'expire' || kind === 'close') {
      if (kind === 'expire') expect(table.earliest()).toBe(slot);
      table.close(slot);
      open.splice(at, 1);
    } else {
      const later = kind === 'extend' ? end : 0;
      table.change(slot, 100, 0, later, 0, ++this.#sequence);
      if (later > 0) one.end = later;
    }
  }

  /** Takes every hold out in order and compares with the sorted list. */
  drain(): void {
    const expected = [...this.open].sort(inOrder).map(({ sequence }) => sequence);
    const seen: number[] = [];
    for (let slot = this.table.earliest(); slot >= 0; slot = this.table.earliest()) {
      seen.push(this.table.sequence(slot));
      this.table.close(slot);
    }
    expect(seen).toEqual(expected);
  }
}

const inOrder = (a: Open, b: Open): number => a.end - b.end || a.sequence - b.sequence;

function indexOfFirst(open: readonly Open[]): number {
  let first = 0;
  for (let i = 1; i < open.length; i++) if (inOrder(open[i]!, open[first]!) < 0) first = i;
  return first;
}

/** What a recovery from the table's checkpoint has. */
function copyOf(table: HoldTable): HoldTable {
  const copy = new HoldTable(new StateDigest());
  const bytes = new Uint8Array(1 + BLOCK_ROWS * ROW_BYTES);
  const cursor = new RowCursor();
  for (let block = 0; table.writeBlock(block, cursor.attach(bytes, 0)); block++) {
    for (let row = 0; row < BLOCK_ROWS; row++)
      expect(bytes.subarray(1 + row * 64 + 56, 1 + row * 64 + 60)).toEqual(new Uint8Array(4));
    copy.readBlock(block, cursor.attach(bytes, 0));
  }
  return copy;
}

describe('the queue of holds', () => {
  it('has the order of a sorted list after any history, recoveries included', () => {
    let operations = 0;
    fc.assert(
      fc.property(fc.array(operation, { minLength: 50, maxLength: 400, size: 'max' }), (history) => {
        const tables = new Tables();
        for (const one of history) tables.run(one);
        operations += history.length;
        tables.drain();
      }),
      { numRuns: 60 },
    );
    expect(operations).toBeGreaterThan(5000);
  });

  it('holds over several chunks, ordered by the first question or before it', () => {
    const tables = new Tables();
    for (let i = 0; i < 10_000; i++) tables.run({ kind: 'place', pick: 1, end: 1 + ((i * 7919) % 1000) });
    for (let i = 0; i < 3000; i++)
      tables.run({ kind: i % 2 === 0 ? 'close' : 'extend', pick: i * 31, end: 1 + (i % 97) });
    tables.table.order();
    for (let i = 0; i < 500; i++) tables.run({ kind: 'expire', pick: 0, end: 0 });
    tables.drain();
  });

  it('names account and card of each hold, in slots that others had before', () => {
    const { table } = new Tables();
    for (const sequence of [1, 2, 3]) table.place(sequence, 10 + sequence, 20 + sequence, 100, 100, 5, 0, sequence);
    table.close(table.find(2));
    table.place(4, 14, 24, 100, 100, 5, 0, 4);
    const slots = [1, 3, 4].map((sequence) => table.find(sequence));
    expect(slots.map((slot) => [table.account(slot), table.card(slot)])).toEqual([
      [11, 21],
      [13, 23],
      [14, 24],
    ]);
  });

  it('is empty when nothing is open', () => {
    const { table } = new Tables();
    expect(table.earliest()).toBe(-1);
  });

  it('costs 4 bytes per slot', () => {
    const rows = new Rows();
    rows.reserve(2 * 4096 - 1);
    const queue = new HoldQueue(rows, { expires: 4, sequence: 0, place: 14 });
    for (let slot = 0; slot < 4096; slot++) queue.insert(slot);
    expect(queue.bytes).toBe(4096 * 4);
    queue.insert(4096);
    expect(queue.bytes).toBe(2 * 4096 * 4);
  });

  it('keeps what holds nothing in its order, and ends it by being closed', () => {
    const { table } = new Tables();
    table.place(1, 1, 2, 100, 0, 5, HoldFlag.refund, 1);
    table.change(table.find(1), 50, 0, 0, 0, 2);
    expect(table.count).toBe(1);
    table.close(table.earliest());
    expect([table.count, table.earliest()]).toEqual([0, -1]);
  });
});
