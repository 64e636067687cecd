/**
 * A damaged fingerprint segment in a running shard: no message is set aside for it, nothing is decided from what is left of
 * the index, and when the segments are built anew the shard answers as if nothing had happened.
 */
import { describe, expect, it } from 'vitest';
import { keysOfEvent } from '#src/domain/index-keys.js';
import { JournalReader } from '#src/journal/reader.js';
import { blockKey, catalogKey, metaKey, segmentOfKey } from '#src/journal/segment-format.js';
import { SegmentIndexer } from '#src/journal/segment-indexer.js';
import { ShardState } from '#src/ring/control-block.js';
import { ReplyKind } from '#src/ring/kinds.js';
import { ShardCounter } from '#src/shard-instruments.js';
import { MemoryStore } from '#src/store/memory-store.js';
import { damage } from '../journal/index-support.js';
import { Harness, purchase } from './harness.js';

/** The building task, stepped by hand. */
function builder(h: Harness): { build(): void } {
  const { segments, board, keys, keyCheck } = h.context.ports;
  const indexer = new SegmentIndexer(
    JournalReader.ofStore(h.journal, 'memory'),
    segments,
    (event, visit) => keysOfEvent(event, keys, visit),
    { shards: h.shards, board, keyCheck },
  );
  return {
    build() {
      while (indexer.round(h.wallMs, true));
      for (let i = 0; i < 5; i++) h.turn();
    },
  };
}

/** Damages every block of the shard. */
function strike(h: Harness, shard: number): void {
  const { segments } = h.context.ports;
  const struck: Uint8Array[] = [];
  segments.scan({ start: blockKey(shard, 0, 0), end: blockKey(shard + 1, 0, 0) }, (key) => {
    struck.push(new Uint8Array(key));
    return true;
  });
  expect(struck.map(segmentOfKey).length).toBeGreaterThan(0);
  for (const key of struck) damage(segments, key);
}

const repeat = { 0: '0101' };

/** An approval of shard 0 and a record behind it, in segments and forgotten by the memory. */
function prepared(journal = new MemoryStore()) {
  const h = new Harness({ journal });
  const card = h.open(0, 1);
  const other = h.open(1, 1);
  const token = h.send(card, purchase(1, 250));
  h.turn();
  const first = h.answers.get(token)!;
  h.ask(card, purchase(9, 0));
  h.ask(other, purchase(2, 30));
  const task = builder(h);
  task.build();
  expect(h.shard(0).index.coveredAfter).toBe(h.shard(0).journal.sequence);
  return { h, card, other, first, task, journal };
}

describe('a damaged segment in a running shard', () => {
  it('costs 91 until it is built anew; nothing is set aside and no repeat is decided again', () => {
    const { h, card, other, first, task, journal } = prepared();
    strike(h, 0);
    expect(h.ask(card, purchase(1, 250, repeat))[39]).toBe('91');
    expect(h.control.shardState(0)).toBe(ShardState.up);
    // New work would be looked up in an index that lacks the past.
    expect(h.ask(card, purchase(3, 10))[39]).toBe('91');
    expect(h.ask(other, purchase(4, 10))[39]).toBe('00');
    expect(h.context.ports.instruments.counter(ShardCounter.shedIncomplete)).toBe(2);
    // Commands and reads of the state need no index; a search does.
    expect(h.command(0, { op: 'update_account', id: card.account, creditLimit: 400_000 }).ok).toBe(true);
    expect(h.balances(0, card.account).held).toBe(250);
    expect(h.read(0, { op: 'index', high: 1, limit: 10 })).toEqual({ ok: false, code: 'shard_unavailable' });

    task.build();
    const again = h.ask(card, purchase(1, 250, repeat));
    expect([again[39], again[38]]).toEqual(['00', first.fields[38]]);
    expect(h.ask(card, purchase(3, 10))[39]).toBe('00');
    expect(h.balances(0, card.account).held).toBe(260);
    expect(h.shard(0).state.poisons.count).toBe(0);
    expect(h.logs.filter((line) => line.includes('stopped'))).toEqual([]);
    expect(h.logs.map((line) => line.split(' {')[0])).toEqual([
      'error the fingerprint segments of a shard are damaged; they are built anew from the journal',
      'warn the index of a shard is incomplete: new work is answered 91 until its segments are built',
      'info the index of a shard is complete again',
    ]);
    // Nor is it after a restart.
    const after = new Harness({ journal });
    expect(after.ask(card, purchase(1, 250, repeat))[38]).toBe(first.fields[38]);
  });

  it('holds a roll-back of before until the index can tell whether it was done, and does later ones at once', () => {
    const { h, card, first, task } = prepared();
    const late = h.send(card, purchase(5, 40));
    h.turn();
    strike(h, 0);
    expect(h.ask(card, purchase(1, 250, repeat))[39]).toBe('91');
    const old = h.notDelivered(0, first.sequence);
    const recent = h.notDelivered(0, h.answers.get(late)!.sequence);
    h.turn();
    h.turn();
    expect([h.answers.has(old), h.answers.get(recent)]).toEqual([false, expect.objectContaining({ flag: 1 })]);
    expect(h.balances(0, card.account).held).toBe(250);
    task.build();
    expect(h.answers.get(old)).toMatchObject({ kind: ReplyKind.rolledBack, flag: 1, sequence: first.sequence });
    expect(h.balances(0, card.account).held).toBe(0);
    expect(h.control.shardState(0)).toBe(ShardState.up);
  });

  it('met by a search answers it as unavailable', () => {
    const { h, task } = prepared();
    strike(h, 0);
    const { keys } = h.context.ports;
    const read = { op: 'index', high: keys.rrnHigh(purchase(1, 1)[37]!), limit: 10 } as const;
    expect(h.read(0, read)).toEqual({ ok: false, code: 'shard_unavailable' });
    task.build();
    expect(h.read(0, read)).toMatchObject({ ok: true, sequences: [expect.any(Number)] });
  });

  it('found in the upkeep between two turns stops no shard', () => {
    const { h, card, task } = prepared();
    h.ask(card, purchase(6, 10));
    const { segments, board } = h.context.ports;
    damage(segments, catalogKey(0));
    board.setVersion(0, board.version(0) + 1);
    h.turn();
    expect(h.control.shardState(0)).toBe(ShardState.up);
    expect(h.ask(card, purchase(7, 10))[39]).toBe('91');
    task.build();
    expect(h.ask(card, purchase(7, 10))[39]).toBe('00');
  });

  it('is met by the rebuild of a shard without ending the process', () => {
    const { h, card, first, task } = prepared();
    damage(h.context.ports.segments, metaKey(0, 1));
    const shard = h.shard(0);
    shard.maintain = () => {
      throw new Error('planted');
    };
    for (let i = 0; i < 5; i++) h.turn();
    expect(h.control.shardState(0)).toBe(ShardState.up);
    expect(h.ask(card, purchase(1, 250, repeat))[38]).toBe(first.fields[38]);
    task.build();
    expect(h.ask(card, purchase(1, 250, repeat))[38]).toBe(first.fields[38]);
  });
});
