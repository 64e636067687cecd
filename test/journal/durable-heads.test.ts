import { describe, expect, it } from 'vitest';
import { DurableHeads } from '#src/journal/durable-heads.js';
import { createSegmentBoard, SegmentBoard } from '#src/journal/segment-board.js';
import type { ShardHead } from '#src/journal/types.js';

const digest = { high: 0, low: 0 };

describe('durable heads', () => {
  const follow = (head: number) => {
    const board = new SegmentBoard(createSegmentBoard());
    let looks = 0;
    const reader = {
      head: (shard: number): ShardHead => {
        looks++;
        return { shard, epoch: 1, sequence: head, hash: new Uint8Array(32), digest: { high: 0, low: 0 } };
      },
    };
    return { board, heads: new DurableHeads(board, reader), looks: () => looks };
  };

  it('follow the word of the shard, and ask the journal once', () => {
    const { board, heads, looks } = follow(0);
    expect(heads.of(3)).toBe(0);
    for (const sequence of [1, 2, 1000, 2 ** 31 + 7, 2 ** 32 - 1, 2 ** 32, 2 ** 32 + 5, 2 ** 33 + 1]) {
      board.setDurable(3, sequence);
      expect(heads.of(3)).toBe(sequence);
    }
    expect(looks()).toBe(1);
  });

  it('begin at it, however far the journal is ahead', () => {
    for (const ahead of [1, 2 ** 31 - 1, 2 ** 31, 2 ** 32 - 1]) {
      const board = new SegmentBoard(createSegmentBoard());
      const head = 2 ** 33 + 17;
      const reader = {
        head: (shard: number): ShardHead => ({ shard, epoch: 1, sequence: head, hash: new Uint8Array(32), digest }),
      };
      board.setDurable(1, head - ahead);
      expect(new DurableHeads(board, reader).of(1), `${ahead}`).toBe(head - ahead);
    }
  });

  it('begin at what is acknowledged, not at what the journal holds', () => {
    for (const acknowledged of [0, 17, 2 ** 32 - 3, 2 ** 32, 2 ** 32 + 9]) {
      const { board, heads } = follow(acknowledged + 4);
      board.setDurable(0, acknowledged);
      expect(heads.of(0)).toBe(acknowledged);
    }
  });
});
