import { describe, expect, it } from 'vitest';
import { RowCursor } from '#src/domain/columns.js';
import { StateDigest } from '#src/domain/digest.js';
import { Table } from '#src/domain/tables.js';
import { TextTable } from '#src/domain/text-table.js';
import { HoldfastError } from '#src/errors.js';

const TEXT_BYTES_MAX = 4096;
const controls = (limit: number): string =>
  JSON.stringify({ velocity: [{ window: 'day', amount: limit }] }).padEnd(1000);

function made(): { table: TextTable; digest: StateDigest } {
  const digest = new StateDigest();
  return { digest, table: new TextTable(digest, Table.controls, TEXT_BYTES_MAX) };
}

/** The table as it is read back from a checkpoint of all rows. */
function readBack(table: TextTable): ReturnType<typeof made> {
  const copy = made();
  const keys: number[] = [];
  table.forEach((key) => {
    keys.push(key);
  });
  for (const key of keys) {
    const length = table.rowBytes(key);
    const bytes = new Uint8Array(length);
    table.writeRow(key, new RowCursor().attach(bytes, 0));
    copy.table.readRow(key, new RowCursor().attach(bytes, 0), length);
  }
  return copy;
}

describe('texts of a shard', () => {
  it('are kept once for all rows that have the same', () => {
    const { table } = made();
    // Each text is an object of its own, as records and requests bring them.
    for (let key = 0; key < 2000; key++) table.set(key, controls(key % 2), 0, key + 1);
    expect(table.memoryBytes).toBeLessThan(2000 * 200 + 50_000);
    expect(table.text(7)).toBe(controls(1));
    const back = readBack(table).table;
    expect(back.memoryBytes).toBeLessThan(2000 * 200 + 50_000);
    expect(back.text(1998)).toBe(controls(0));
  });

  it('go with the last row that had them, and a row that changes leaves the others alone', () => {
    const { table } = made();
    for (let key = 0; key < 10; key++) table.set(key, controls(1), 0, key + 1);
    const before = table.memoryBytes;
    table.set(3, controls(2), 0, 11);
    expect([table.text(3), table.text(4)]).toEqual([controls(2), controls(1)]);
    expect(table.memoryBytes).toBe(before + 2000);
    for (let key = 0; key < 10; key++) table.set(key, controls(2), 0, 20 + key);
    expect(table.memoryBytes).toBe(before);
    for (let key = 0; key < 10; key++) table.set(key, '', 0, 40 + key);
    expect(table.memoryBytes).toBe(before - 2000);
    table.set(5, controls(2), 0, 60);
    expect(table.text(5)).toBe(controls(2));
  });

  it('give the same digest whichever way they came to be', () => {
    const one = made();
    for (let key = 0; key < 10; key++) one.table.set(key, controls(key), 0, key + 1);
    for (let key = 0; key < 10; key++) one.table.set(key, controls(0), 3, 20 + key);
    const other = made();
    for (let key = 9; key >= 0; key--) other.table.set(key, controls(0), 3, 20 + key);
    const back = readBack(one.table);
    for (const { digest } of [other, back]) {
      expect([digest.high, digest.low]).toEqual([one.digest.high, one.digest.low]);
    }
    expect([one.digest.high, one.digest.low]).not.toEqual([made().digest.high, made().digest.low]);
  });

  it('are not taken from an event that the row includes, nor beyond their bound', () => {
    const { table } = made();
    table.set(1, controls(1), 0, 10);
    table.set(1, controls(2), 0, 10);
    expect(table.text(1)).toBe(controls(1));
    expect(() => table.set(1, 'x'.repeat(TEXT_BYTES_MAX + 1), 0, 11)).toThrow(HoldfastError);
  });
});
