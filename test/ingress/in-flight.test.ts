import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Connection } from '#src/ingress/connection.js';
import { InFlightTable, NO_TOKEN } from '#src/ingress/in-flight.js';

const connection = (id: number): Connection =>
  ({ id, began: () => undefined, ended: () => undefined }) as unknown as Connection;

describe('in-flight table', () => {
  it('behaves like a map from token to request, whatever the order of taking and freeing', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(99), { maxLength: 400 }), (steps) => {
        const table = new InFlightTable(16, 3);
        const model = new Map<number, { id: number; header: number[] }>();
        const gone: number[] = [];
        steps.forEach((step, id) => {
          if (step < 60) {
            const header = [id & 255, step, 7];
            const slot = table.take(connection(id), false, id, id + 5, Uint8Array.from(header));
            expect(slot < 0).toBe(model.size === 16);
            if (slot >= 0) model.set(table.tokenOf(slot), { id, header });
          } else {
            const token = [...model.keys()][step % Math.max(1, model.size)];
            if (token === undefined) return;
            table.free(table.slotOf(token));
            model.delete(token);
            gone.push(token);
          }
        });
        expect(table.used).toBe(model.size);
        for (const [token, { id, header }] of model) {
          const slot = table.slotOf(token);
          expect((table.connection[slot] as unknown as { id: number }).id).toBe(id);
          expect(table.deadlineUs[slot]).toBe(id + 5);
          expect([...table.headerOf(slot, 3)!]).toEqual(header);
        }
        for (const token of gone) expect(table.slotOf(token)).toBe(-1);
        expect(table.slotOf(NO_TOKEN)).toBe(-1);
      }),
    );
  });

  it('uses every slot before one again, and no token equals the one that means nobody', () => {
    const table = new InFlightTable(4, 0);
    const slots: number[] = [];
    for (let i = 0; i < 8; i++) {
      const slot = table.take(connection(i), false, 0, 0, undefined);
      slots.push(slot);
      table.free(slot);
    }
    expect(slots).toEqual([0, 1, 2, 3, 0, 1, 2, 3]);
    const full = new InFlightTable(65_536, 0);
    const tokens = new Set<number>();
    for (let i = 0; i < 65_536; i++) tokens.add(full.tokenOf(full.take(connection(i), false, 0, 0, undefined)));
    expect(tokens.size).toBe(65_536);
    expect(tokens.has(NO_TOKEN)).toBe(false);
    expect(full.take(connection(0), false, 0, 0, undefined)).toBe(-1);
  });

  it('freeing twice is a defect that stops', () => {
    const table = new InFlightTable(4, 0);
    const slot = table.take(connection(1), false, 0, 0, undefined);
    table.free(slot);
    expect(() => table.free(slot)).toThrow(/freed once/);
  });
});
