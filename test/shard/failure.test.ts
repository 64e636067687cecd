import { describe, expect, it, vi } from 'vitest';
import { EventKind } from '#src/domain/codes.js';
import type { Fields } from '#src/iso8583/message.js';
import { DelayedLane } from '#src/journal/lanes.js';
import { JournalReader } from '#src/journal/reader.js';
import { UNKNOWN_ADVICES_PER_SECOND, UNKNOWN_CARDS_PER_SECOND } from '#src/limits.js';
import { ShardState } from '#src/ring/control-block.js';
import { ReplyKind } from '#src/ring/kinds.js';
import { LogicalShard } from '#src/shard/logical-shard.js';
import { ShardCounter } from '#src/shard-instruments.js';
import { MemoryStore } from '#src/store/memory-store.js';
import { Harness, purchase } from './harness.js';

const POISON = '000000066600';

function poison(stan: number): ReturnType<typeof purchase> {
  return purchase(stan, 100, { 37: POISON });
}

describe('a shard that throws', () => {
  it('neither logs nor journals a card number that the error quotes', () => {
    const journal = new MemoryStore();
    const h = new Harness({ journal });
    const card = h.open(0, 1);
    const throws = vi.spyOn(LogicalShard.prototype, 'handleWire').mockImplementationOnce(() => {
      throw new Error('cannot decide 9999990000000019 at all');
    });
    expect(h.ask(card, purchase(1, 100))[39]).toBe('96');
    throws.mockRestore();
    for (let i = 0; i < 5; i++) h.turn();
    const texts: string[] = [];
    const scan = JournalReader.ofStore(journal, 'memory').scan(0, 1);
    scan.onEvent = (event) => event.kind === EventKind.poison && texts.push(event.error);
    while (scan.step(100));
    expect(texts).toEqual(['Error: cannot decide 999999******0019 at all']);
    expect(h.logs.join('\n')).toContain('cannot decide 999999******0019 at all');
    expect(h.logs.join('\n')).not.toContain('9999990000000019');
  });

  it('answers 96, keeps what it had decided in the same turn, and comes back while others serve', () => {
    const h = new Harness({ faults: { throwRrn: POISON } });
    const bad = h.open(0, 1);
    const good = h.open(1, 1);
    const before = h.send(bad, purchase(1, 250));
    const poisoned = h.send(bad, poison(2));
    const after = h.send(bad, purchase(3, 100));
    const elsewhere = h.send(good, purchase(4, 70));
    h.turn();
    expect(h.answers.get(before)?.fields[39]).toBe('00');
    expect(h.answers.get(poisoned)?.fields[39]).toBe('96');
    expect(h.answers.get(after)?.fields[39]).toBe('91');
    expect(h.answers.get(elsewhere)?.fields[39]).toBe('00');
    for (let i = 0; i < 5; i++) h.turn();
    expect(h.control.shardState(0)).toBe(ShardState.up);
    expect(h.balances(0, bad.account).held).toBe(250);
    expect(h.ask(bad, purchase(3, 100))[39]).toBe('00');
    expect(h.balances(0, bad.account).held).toBe(350);
    expect(h.logs.join('\n')).toContain('a shard stopped');
  });

  it('answers the same message 96 from then on without stopping, also after a restart', () => {
    const journal = new MemoryStore();
    const h = new Harness({ journal, faults: { throwRrn: POISON } });
    const card = h.open(0, 1);
    h.ask(card, poison(2));
    for (let i = 0; i < 5; i++) h.turn();
    expect(h.ask(card, poison(2))[39]).toBe('96');
    expect(h.control.shardState(0)).toBe(ShardState.up);
    const again = new Harness({ journal, faults: { throwRrn: POISON } });
    expect(again.ask(card, poison(2))[39]).toBe('96');
    expect(again.control.shardState(0)).toBe(ShardState.up);
    expect(again.ask(card, purchase(5, 10))[39]).toBe('00');
  });

  it('stays down after three stops within a minute; the others go on', () => {
    const h = new Harness({ faults: { throwRrn: POISON } });
    const bad = h.open(0, 1);
    const good = h.open(1, 1);
    for (let stan = 10; stan < 13; stan++) {
      h.ask(bad, poison(stan));
      for (let i = 0; i < 5; i++) h.turn();
    }
    expect(h.control.shardState(0)).toBe(ShardState.down);
    expect(h.ask(bad, purchase(1, 10))[39]).toBe('91');
    expect(h.ask(good, purchase(1, 10))[39]).toBe('00');
  });

  it('that stays down answers the roll-backs it can never do, those that wait already and those that still come', () => {
    const h = new Harness({ faults: { throwRrn: POISON } });
    const card = h.open(0, 1);
    const tokens = [1, 2, 3].map((stan) => h.send(card, purchase(stan, 100)));
    h.turn();
    const sequences = tokens.map((token) => h.answers.get(token)!.sequence);
    for (const stan of [10, 11]) {
      h.ask(card, poison(stan));
      for (let i = 0; i < 5; i++) h.turn();
    }
    // One waits in the shard for the turn that stops it for good, one comes while it is down.
    h.send(card, poison(12));
    const inTheTurn = h.notDelivered(0, sequences[0]!);
    h.turn();
    const later = h.notDelivered(0, sequences[1]!);
    h.turn();
    expect(h.control.shardState(0)).toBe(ShardState.down);
    for (const [token, sequence] of [
      [inTheTurn, sequences[0]],
      [later, sequences[1]],
    ])
      expect(h.answers.get(token!)).toMatchObject({ kind: ReplyKind.dropped, flag: 0, sequence });
    expect(h.logs.filter((line) => line.includes('its hold stays until it is reversed'))).toHaveLength(2);
    h.stop();
    h.turn();
    expect(h.host.finished).toBe(true);
    // The holds are there at the next start, and the reversals that the network sends release them.
    const next = new Harness({ journal: h.journal });
    expect(next.balances(0, card.account).held).toBe(300);
  });

  it('keeps its roll-backs when the upkeep stops it, and does them when it is back', () => {
    const h = new Harness();
    const card = h.open(0, 1);
    const token = h.send(card, purchase(1, 250));
    h.turn();
    const shard = h.shard(0);
    shard.postpone({ client: 0, token: 77, sequence: h.answers.get(token)!.sequence });
    shard.rollBack = () => {
      throw new Error('planted');
    };
    for (let i = 0; i < 5; i++) h.turn();
    expect(h.control.shardState(0)).toBe(ShardState.up);
    expect(h.answers.get(77)).toMatchObject({ kind: ReplyKind.rolledBack, flag: 1 });
    expect(h.balances(0, card.account).held).toBe(0);
  });

  it('undoes an undelivered approval only when it is back', () => {
    const h = new Harness({ faults: { throwRrn: POISON } });
    const card = h.open(0, 1);
    const token = h.send(card, purchase(1, 250));
    h.turn();
    const { sequence } = h.answers.get(token)!;
    h.send(card, poison(2));
    const rollBack = h.notDelivered(0, sequence);
    h.turn();
    expect(h.answers.has(rollBack)).toBe(false);
    for (let i = 0; i < 5; i++) h.turn();
    expect(h.answers.get(rollBack)?.flag).toBe(1);
    expect(h.balances(0, card.account).held).toBe(0);
  });
});

describe('a roll-back that is given up', () => {
  it('goes back with the sequence of its approval when the shard is down for good', () => {
    const h = new Harness({ faults: { throwRrn: POISON } });
    const card = h.open(0, 1);
    const token = h.send(card, purchase(1, 250));
    h.turn();
    const { sequence } = h.answers.get(token)!;
    for (let stan = 10; stan < 13; stan++) {
      h.ask(card, poison(stan));
      for (let i = 0; i < 5; i++) h.turn();
    }
    const rollBack = h.notDelivered(0, sequence);
    h.turn();
    expect(h.answers.get(rollBack)).toMatchObject({ kind: ReplyKind.dropped, sequence });
  });

  it('goes back with the sequence of its approval when it threw again after the rebuild', () => {
    const h = new Harness();
    const card = h.open(0, 1);
    const token = h.send(card, purchase(1, 250));
    h.turn();
    const { sequence } = h.answers.get(token)!;
    const throws = vi.spyOn(LogicalShard.prototype, 'rollBack').mockImplementation(() => {
      throw new Error('planted');
    });
    try {
      const rollBack = h.notDelivered(0, sequence);
      for (let i = 0; i < 6; i++) h.turn();
      expect(h.answers.get(rollBack)).toMatchObject({ kind: ReplyKind.dropped, sequence });
    } finally {
      throws.mockRestore();
    }
    expect(h.control.shardState(0)).toBe(ShardState.up);
    expect(h.logs.join('\n')).toContain('a roll-back failed twice');
    expect(h.balances(0, card.account).held).toBe(250);
  });
});

describe('what throws behind a record', () => {
  it('leaves a whole record with its own digest: the shard comes back, and so does the next start', () => {
    const journal = new MemoryStore();
    const h = new Harness({ journal });
    const before = h.open(0, 1);
    const insert = h.directory.insert.bind(h.directory);
    let failures = 1;
    h.directory.insert = (...card) => {
      if (failures-- > 0) throw new Error('planted: the directory is full');
      insert(...card);
    };
    expect(() => h.open(0, 2)).toThrow('shard_unavailable');
    for (let i = 0; i < 5; i++) h.turn();
    expect(h.control.shardState(0)).toBe(ShardState.up);
    expect(h.ask(before, purchase(1, 100))[39]).toBe('00');
    const after = new Harness({ journal });
    expect(after.balances(0, before.account).held).toBe(100);
    expect(after.directory.find(2, 2, 3)).toBe(1);
  });

  it('of the upkeep between two turns stops that shard only, and it is rebuilt', () => {
    const h = new Harness();
    const bad = h.open(0, 1);
    const good = h.open(1, 1);
    const shard = h.shard(0);
    shard.maintain = () => {
      throw new Error('planted: a damaged segment');
    };
    expect(h.ask(good, purchase(1, 100))[39]).toBe('00');
    for (let i = 0; i < 5; i++) h.turn();
    expect(h.control.shardState(0)).toBe(ShardState.up);
    expect(h.ask(bad, purchase(1, 100))[39]).toBe('00');
  });
});

describe('a request that is refused', () => {
  it('is given back when even its refusal cannot be written: the thread goes on', () => {
    const h = new Harness({ faults: { throwRrn: POISON } });
    const card = h.open(0, 1);
    const good = h.open(1, 1);
    h.shard(0).refuse = () => {
      throw new Error('planted: no refusal');
    };
    const tokens = [h.send(card, poison(1)), h.send(card, purchase(2, 10))];
    h.turn();
    for (const token of tokens) expect(h.answers.get(token)?.kind).toBe(ReplyKind.dropped);
    expect(h.ask(good, purchase(3, 10))[39]).toBe('00');
  });
});

describe('a stop', () => {
  const counted = (h: Harness): number[] => {
    const counts: number[] = [];
    const scan = JournalReader.ofStore(h.journal, 'memory').scan(0, 1);
    scan.onEvent = (event) => {
      if (event.kind === EventKind.unknownCardCount) counts.push(event.count);
    };
    while (scan.step(1000));
    return counts;
  };

  it('records the unknown cards of the second that is under way', () => {
    const h = new Harness();
    for (let n = 0; n < UNKNOWN_CARDS_PER_SECOND + 7; n++) h.send(undefined, purchase(n, 100));
    h.turn();
    expect(counted(h)).toEqual([]);
    h.stop();
    h.turn();
    expect(h.host.finished).toBe(true);
    expect(counted(h)).toEqual([7]);
    h.turn();
    expect(counted(h)).toEqual([7]);
  });

  it('leaves no count behind in a shard that was rebuilt', () => {
    const h = new Harness({ faults: { throwRrn: POISON } });
    const card = h.open(0, 1);
    for (let n = 0; n < UNKNOWN_CARDS_PER_SECOND + 5; n++) h.send(undefined, purchase(n, 100));
    h.send(card, poison(1));
    for (let i = 0; i < 6; i++) h.turn();
    expect(h.control.shardState(0)).toBe(ShardState.up);
    expect(counted(h)).toEqual([5]);
  });

  it('waits until what it recorded last is durable', () => {
    const clock = { ms: 0 };
    const h = new Harness({ lane: (inner) => new DelayedLane(inner, { now: () => clock.ms, delayMs: 5 }) });
    for (let n = 0; n < UNKNOWN_CARDS_PER_SECOND + 1; n++) h.send(undefined, purchase(n, 100));
    h.turn();
    clock.ms += 5;
    h.turn();
    h.stop();
    h.turn();
    expect(h.host.finished).toBe(false);
    clock.ms += 5;
    h.turn();
    expect(h.host.finished).toBe(true);
  });
});

describe('a lane that acknowledges late', () => {
  it('holds every reply, read and decline back until its sequence is durable', () => {
    const clock = { ms: 0 };
    const h = new Harness({ lane: (inner) => new DelayedLane(inner, { now: () => clock.ms, delayMs: 5 }) });
    const settle = (): void => {
      h.turn();
      clock.ms += 5;
      h.turn();
    };
    const openToken = h.sendCommand(0, {
      op: 'create_account',
      id: 'late',
      program: 0,
      currency: 986,
      creditLimit: 100,
      type: 1,
    });
    h.turn();
    expect(h.results.has(openToken)).toBe(false);
    clock.ms += 4;
    h.turn();
    expect(h.results.has(openToken)).toBe(false);
    clock.ms += 1;
    h.turn();
    expect(h.results.get(openToken)?.ok).toBe(true);
    const card = h.sendCommand(0, {
      op: 'create_card',
      account: 'late',
      fingerprint: [1, 2, 3],
      bin: 999999,
      last4: 18,
      panLength: 16,
      expiry: 2912,
      cardSequence: 1,
      serviceCode: 201,
      status: 2,
      replacesSlot: -1,
    });
    settle();
    expect(h.results.get(card)?.ok).toBe(true);
    const slot = { shard: 0, slot: 0 };
    const approved = h.send(slot, purchase(1, 60));
    const declined = h.send(slot, purchase(2, 60));
    const read = h.sendRead(0, { op: 'account', id: 'late' });
    h.turn();
    expect([approved, declined].some((token) => h.answers.has(token)) || h.results.has(read)).toBe(false);
    clock.ms += 5;
    h.turn();
    expect(h.answers.get(approved)?.fields[39]).toBe('00');
    expect(h.answers.get(declined)?.fields[39]).toBe('51');
    expect(h.results.get(read)).toMatchObject({ ok: true, account: { held: 60 } });
    // A repeat saw the original, so it too waits for what the shard had appended meanwhile.
    const other = h.send(slot, purchase(3, 10));
    const repeat = h.send(slot, purchase(1, 60, { 0: '0101' }));
    h.turn();
    expect(h.answers.has(repeat)).toBe(false);
    settle();
    expect(h.answers.get(repeat)?.fields[38]).toBe(h.answers.get(approved)?.fields[38]);
    expect(h.answers.get(other)?.fields[39]).toBe('00');
  });
});

describe('a commit that fails', () => {
  it('ends the turn with the error and releases nothing', () => {
    const journal = new MemoryStore();
    const h = new Harness({ journal });
    const card = h.open(0, 1);
    journal.faults.failCommit = journal.commits + 1;
    const token = h.send(card, purchase(1, 10));
    expect(() => h.turn()).toThrow(/commit/);
    expect(h.answers.has(token)).toBe(false);
  });
});

describe('advices of unknown cards', () => {
  it('are journaled up to a rate; the others get 91, leave nothing behind, and come again', () => {
    const h = new Harness();
    const advice = (n: number): Fields => purchase(n, 100, { 0: '0120', 48: '8401S' });
    const ask = (count: number, from: number): string[] => {
      const tokens = Array.from({ length: count }, (_, i) => h.send(undefined, advice(from + i)));
      h.turn();
      return tokens.map((token) => h.answers.get(token)!.fields[39]!);
    };
    const codes = ask(UNKNOWN_ADVICES_PER_SECOND + 5, 1);
    expect(codes.filter((code) => code === '00')).toHaveLength(UNKNOWN_ADVICES_PER_SECOND);
    expect(codes.slice(-5)).toEqual(['91', '91', '91', '91', '91']);
    expect(h.shard(0).journal.sequence).toBe(UNKNOWN_ADVICES_PER_SECOND);
    expect(h.context.ports.instruments.counter(ShardCounter.shedAdvice)).toBe(5);
    // A repeat of one that was accepted takes nothing of the rate, and known cards are not concerned.
    expect(ask(1, 1)).toEqual(['00']);
    expect(h.ask(h.open(0, 1), advice(900))[39]).toBe('00');
    h.advance(1000);
    expect(ask(5, UNKNOWN_ADVICES_PER_SECOND + 1)).toEqual(['00', '00', '00', '00', '00']);
  });
});
