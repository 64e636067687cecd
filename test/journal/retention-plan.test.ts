import { describe, expect, it } from 'vitest';
import { type FolderExtent, planDrop } from '#src/journal/retention-plan.js';

const NOW = 1_000;

/** `shards`: `number:first-last ...` */
function folder(name: string, toMs: number, shards: string, more: Partial<FolderExtent> = {}): FolderExtent {
  const extents = shards.split(' ').map((text) => {
    const [shard, first, last] = text.split(/[:-]/).map(Number) as [number, number, number];
    return { shard, first, last };
  });
  return { name, closed: true, toMs, shards: extents, ...more };
}

const why = (plan: ReturnType<typeof planDrop>): Record<string, string> =>
  Object.fromEntries(plan.kept.map(({ name, why }) => [name, why]));

describe('what may be dropped', () => {
  it('is what is closed and old; the cut is the end of what goes', () => {
    const folders = [
      folder('a1', 100, '0:1-40 1:1-7'),
      folder('a2', 900, '0:41-90'),
      folder('a3', NOW, '0:91-95 1:8-9', { closed: false }),
    ];
    const plan = planDrop(folders, [0, 0], 500, []);
    expect(plan.folders).toEqual(['a1']);
    expect(plan.cuts).toEqual([40, 7]);
    expect(why(plan)).toEqual({ a2: 'it has records that are too young', a3: 'records are appended to it' });
    expect(planDrop(folders, [0, 0], 901, []).cuts).toEqual([90, 7]);
    expect(planDrop(folders, [0, 0], 900, []).folders).toEqual(['a1']);
  });

  it('keeps what something needs, and says what', () => {
    const folders = [folder('a1', 1, '0:1-40'), folder('a2', 2, '0:41-90')];
    const bounds = [
      { by: 'webhooks', through: [90] },
      { by: 'the checkpoint', through: [89] },
    ];
    const plan = planDrop(folders, [0], 500, bounds);
    expect(plan.folders).toEqual(['a1']);
    expect(why(plan)).toEqual({ a2: 'it is needed: the checkpoint' });
    expect(planDrop(folders, [0], 500, [{ by: 'webhooks', through: [39] }]).folders).toEqual([]);
    expect(planDrop(folders, [0], 500, [{ by: 'webhooks', through: [] }]).folders).toEqual([]);
  });

  it('leaves no hole where a shard has lived in several lanes', () => {
    // Shard 3 went from lane a to lane b and back; the folder of b stays, so nothing above it may go, and what rests on it.
    const folders = [
      folder('a1', 1, '3:1-400'),
      folder('a2', 2, '3:401-900'),
      folder('a3', 4, '3:2001-2100 5:1-5'),
      folder('a4', 5, '5:6-9'),
      folder('b1', 3, '3:901-2000', { stays: 'it was not exported' }),
    ];
    const plan = planDrop(folders, [], 500, []);
    expect(plan.folders).toEqual(['a1', 'a2']);
    expect(plan.cuts[3]).toBe(900);
    expect(why(plan)).toEqual({
      a3: 'older records of its shards are in b1, which stays',
      a4: 'older records of its shards are in a3, which stays',
      b1: 'it was not exported',
    });
  });

  it('never moves a cut back', () => {
    const plan = planDrop([folder('a7', 1, '0:51-60')], [50, 77], 500, []);
    expect(plan.cuts).toEqual([60, 77]);
    expect(planDrop([], [50, 77], 500, []).cuts).toEqual([50, 77]);
  });
});
