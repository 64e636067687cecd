/** The sweep of holds that are due: through the real host, turn by turn, with both clocks moved by hand. */
import { describe, expect, it, vi } from 'vitest';
import { EventKind } from '#src/domain/codes.js';
import type { HoldExpired } from '#src/domain/events.js';
import { JournalReader } from '#src/journal/reader.js';
import { EXPIRIES_PER_TURN } from '#src/limits.js';
import { ShardState } from '#src/ring/control-block.js';
import { ShardCounter } from '#src/shard-instruments.js';
import type { MemoryStore } from '#src/store/memory-store.js';
import { Harness, purchase } from './harness.js';

const DAY = 86_400_000;
const HOUR = 3_600_000;
/** A fuel pump's hold ends after 2 days, one with the card present after 5, one by electronic commerce after 10. */
const fuel = (stan: number, amount: number) => purchase(stan, amount, { 18: '5542' });
const online = (stan: number, amount: number) => purchase(stan, amount, { 22: '812' });

/** Every expiry of the journal, by shard and in its order. */
function expiries(h: { journal: MemoryStore; shards: number }): (HoldExpired & { shard: number })[] {
  const found: (HoldExpired & { shard: number })[] = [];
  const reader = JournalReader.ofStore(h.journal, 'memory');
  for (let shard = 0; shard < h.shards; shard++) {
    const scan = reader.scan(shard, 1);
    scan.onEvent = (event) => {
      if (event.kind === EventKind.holdExpired) found.push({ ...event, shard });
    };
    while (scan.step(1000));
  }
  return found;
}

const expiredCount = (h: Harness): number => h.context.ports.instruments.counter(ShardCounter.holdsExpired);

function turns(h: Harness, count: number): void {
  for (let i = 0; i < count; i++) h.turn();
}

describe('a hold that is due', () => {
  it('is released in an idle shard, with a record of what it released and what stays authorized', () => {
    const h = new Harness();
    const card = h.open(1, 1);
    h.ask(card, purchase(1, 700));
    h.ask(card, online(2, 300));
    h.advance(5 * DAY);
    turns(h, 3);
    expect(h.balances(1, card.account).held).toBe(300);
    const [one, ...more] = expiries(h);
    expect(more).toEqual([]);
    expect(one).toMatchObject({ shard: 1, authorizedAfter: 0, holdDelta: -700, originalSequence: 3, accountSlot: 0 });
    expect([one!.previousOfAccount, one!.previousOfCard]).toEqual([4, 4]);
    expect(one!.timeMs).toBeGreaterThanOrEqual(h.wallMs - 10);
    expect(expiredCount(h)).toBe(1);
    expect(h.shard(1).state.holdsOpen).toBe(1);
    expect(h.logs).toEqual([]);
  });

  it('is not released a millisecond too early, and is at its very end', () => {
    const h = new Harness();
    const card = h.open(0, 1);
    h.ask(card, purchase(1, 700));
    h.advance(5 * DAY - 1);
    turns(h, 3);
    expect(h.balances(0, card.account).held).toBe(700);
    h.advance(1);
    turns(h, 2);
    expect(h.balances(0, card.account).held).toBe(0);
  });

  it('goes in the order of ends, then of authorizations', () => {
    const h = new Harness({ shards: 1 });
    const card = h.open(0, 1);
    for (let stan = 1; stan <= 60; stan++) {
      h.ask(card, [purchase, fuel, online][stan % 3]!(stan, stan));
      if (stan % 10 === 0) h.advance(1);
    }
    h.advance(30 * DAY);
    turns(h, 5);
    const order = expiries(h);
    expect(order.length).toBe(60);
    const lives = new Map<number, number>();
    for (let stan = 1; stan <= 60; stan++)
      lives.set(stan + 2, [5, 2, 10][stan % 3]! * DAY + Math.floor((stan - 1) / 10));
    const expected = [...lives].sort(([a, endA], [b, endB]) => endA - endB || a - b).map(([sequence]) => sequence);
    expect(order.map(({ originalSequence }) => originalSequence)).toEqual(expected);
  });

  it('keeps its authorization matchable: a late reversal is accepted with nothing to release', () => {
    const h = new Harness();
    const card = h.open(0, 1);
    h.ask(card, purchase(7, 500));
    h.advance(6 * DAY);
    turns(h, 3);
    const reversal = purchase(8, 500, {
      0: '0400',
      37: '000000000800',
      90: `0100000007061512000000000123456${'0'.repeat(11)}`,
    });
    delete reversal[63];
    expect(h.ask(card, reversal)[39]).toBe('00');
    expect(h.balances(0, card.account).held).toBe(0);
    const reader = JournalReader.ofStore(h.journal, 'memory');
    const scan = reader.scan(0, reader.head(0).sequence);
    const seen: [number, number, number][] = [];
    scan.onMessage = (event) => seen.push([event.originalSequence, event.holdDelta, event.tombstone]);
    while (scan.step(10));
    expect(seen).toEqual([[3, 0, 0]]);
  });

  it('gives back what it counted in velocity windows, and only then', () => {
    const h = new Harness({ shards: 1 });
    const card = h.open(0, 1);
    const controls = JSON.stringify({ velocity: [{ window: 'lifetime', amount: 1000, count: 1 }] });
    expect(h.command(0, { op: 'update_card', cardSlot: card.slot, controls }).ok).toBe(true);
    expect(h.ask(card, purchase(1, 700))[39]).toBe('00');
    expect(h.ask(card, purchase(2, 100))[39]).toBe('65');
    h.advance(6 * DAY);
    turns(h, 3);
    const [ended] = expiries(h);
    expect(ended!.changes.length).toBeGreaterThan(0);
    expect(h.ask(card, purchase(3, 1000))[39]).toBe('00');
    expect(h.ask(card, purchase(4, 1))[39]).toBe('61');
    const after = new Harness({ shards: 1, journal: h.journal, wallMs: h.wallMs });
    expect(after.shard(0).digest).toEqual(h.shard(0).digest);
    // A card without windows has nothing to give back, and nothing old is read for it.
    const other = h.open(0, 2);
    h.ask(other, purchase(5, 700));
    h.advance(6 * DAY);
    turns(h, 3);
    expect(expiries(h).at(-1)!.changes.length).toBe(0);
  });

  it('leaves a repeat of its approval what it was', () => {
    const h = new Harness();
    const card = h.open(0, 1);
    const first = h.ask(card, purchase(7, 500));
    expect(h.command(0, { op: 'expire_hold', sequence: 3 })).toMatchObject({ ok: true });
    const again = h.ask(card, purchase(7, 500, { 0: '0101' }));
    expect([again[39], again[38]]).toEqual(['00', first[38]]);
    expect(h.balances(0, card.account).held).toBe(0);
  });

  it('releases what a partial reversal left', () => {
    const h = new Harness();
    const card = h.open(0, 1);
    h.ask(card, purchase(7, 500));
    const reversal = purchase(8, 500, {
      0: '0400',
      37: '000000000800',
      90: `0100000007061512000000000123456${'0'.repeat(11)}`,
      95: `000000000200${'0'.repeat(30)}`,
    });
    delete reversal[63];
    h.ask(card, reversal);
    expect(h.balances(0, card.account).held).toBe(200);
    h.advance(6 * DAY);
    turns(h, 3);
    expect(expiries(h)).toMatchObject([{ holdDelta: -200, authorizedAfter: 0 }]);
    expect(h.balances(0, card.account).held).toBe(0);
  });
});

describe('the sweep', () => {
  it(`ends at most ${EXPIRIES_PER_TURN} holds per shard and turn, and asks for the next turn at once`, () => {
    const h = new Harness({ shards: 2 });
    for (const shard of [0, 1]) {
      const card = h.open(shard, 1);
      for (let stan = 1; stan <= 200; stan++) h.send(card, purchase(stan, 1));
    }
    h.turn();
    h.advance(6 * DAY);
    const waits: number[] = [];
    const counts: number[] = [];
    for (let i = 0; i < 4; i++) {
      waits.push(h.host.turn());
      counts.push(expiredCount(h));
    }
    expect(counts).toEqual([256, 400, 400, 400]);
    expect(waits.slice(0, 2)).toEqual([0, 0]);
    expect(waits[3]).toBeGreaterThan(0);
    expect(expiries(h).length).toBe(400);
  });

  it('stops when its time in the turn is over, and begins with another shard in the next', () => {
    const h = new Harness({ shards: 2 });
    for (const shard of [0, 1]) {
      const card = h.open(shard, 1);
      for (let stan = 1; stan <= 40; stan++) h.send(card, purchase(stan, 1));
    }
    h.turn();
    h.advance(6 * DAY);
    // Every look at the clock finds it 100 us later: 0.25 ms are over at the third.
    const { ports } = h.context;
    const slow = new Harness({ journal: h.journal, shards: 2, wallMs: h.wallMs });
    expect(ports.instruments.counter(ShardCounter.holdsExpired)).toBe(0);
    slow.stepUs = 100;
    const perShard = (): number[] => [0, 1].map((shard) => slow.shard(shard).state.holdsOpen);
    slow.turn();
    const first = perShard();
    slow.turn();
    expect(first).toEqual([37, 40]);
    expect(perShard()).toEqual([37, 37]);
  });

  it('waits while the disk is nearly full, and goes on after that', () => {
    const h = new Harness();
    const card = h.open(0, 1);
    h.ask(card, purchase(1, 700));
    h.control.refuse = true;
    h.advance(6 * DAY);
    turns(h, 5);
    expect(h.balances(0, card.account).held).toBe(700);
    h.control.refuse = false;
    turns(h, 3);
    expect(h.balances(0, card.account).held).toBe(0);
  });

  it("leaves the second half of a shard's index to its messages", () => {
    const h = new Harness();
    const cards = [h.open(0, 1), h.open(1, 1)];
    for (const card of cards) h.ask(card, purchase(1, 700));
    const half = vi.spyOn(h.shard(0).index, 'halfFull', 'get').mockReturnValue(true);
    h.advance(6 * DAY);
    turns(h, 3);
    expect(cards.map((card) => h.balances(card.shard, card.account).held)).toEqual([700, 0]);
    half.mockRestore();
    turns(h, 3);
    expect(cards.map((card) => h.balances(card.shard, card.account).held)).toEqual([0, 0]);
  });

  it('ends nothing more once a stop was asked for', () => {
    const h = new Harness();
    const card = h.open(0, 1);
    h.ask(card, purchase(1, 700));
    h.stop();
    h.advance(6 * DAY);
    turns(h, 5);
    expect(h.host.finished).toBe(true);
    expect(expiries(h)).toEqual([]);
  });

  it('costs a shard that throws its own service, not that of the others', () => {
    const h = new Harness();
    const cards = [h.open(0, 1), h.open(1, 1)];
    for (const card of cards) h.ask(card, purchase(1, 700));
    const broken = h.shard(0).state;
    const credit = broken.accounts.addHeld.bind(broken.accounts);
    let failures = 1;
    broken.accounts.addHeld = (slot, amount) => {
      if (amount < 0 && failures-- > 0) throw new Error('planted');
      credit(slot, amount);
    };
    h.advance(6 * DAY);
    turns(h, 10);
    expect(h.logs.join('\n')).toContain('planted');
    expect(h.control.shardState(0)).toBe(ShardState.up);
    for (const card of cards) expect(h.balances(card.shard, card.account).held).toBe(0);
    expect(expiries(h).map(({ shard }) => shard)).toEqual([0, 1]);
  });
});

describe('clocks that differ', () => {
  const opened = (): { h: Harness; held: () => number } => {
    const h = new Harness();
    const card = h.open(0, 1);
    h.ask(card, purchase(1, 700));
    return { h, held: () => h.balances(0, card.account).held };
  };

  it('pause the sweep, loudly, until they agree again', () => {
    const { h, held } = opened();
    h.wallMs += 6 * DAY;
    turns(h, 5);
    expect(held()).toBe(700);
    expect(h.context.clockPaused).toBe(true);
    expect(h.control.clockDifference(0)).toBe(6 * 86_400);
    expect(h.logs.filter((line) => line.startsWith('error the wall clock and the monotonic clock differ')).length).toBe(
      1,
    );
    h.wallMs -= 6 * DAY;
    turns(h, 5);
    expect(h.context.clockPaused).toBe(false);
    expect(h.control.clockDifference(0)).toBe(0);
    expect(h.logs.at(-1)).toContain('the clocks agree');
    expect(held()).toBe(700);
  });

  it('pause it for a wall clock that was set back as well', () => {
    const { h, held } = opened();
    h.wallMs -= HOUR;
    turns(h, 2);
    expect(h.control.clockDifference(1)).toBe(-3600);
    h.advance(6 * DAY);
    turns(h, 5);
    expect(held()).toBe(700);
  });

  it('are taken for right when an operator says so: once, and not for the next jump', () => {
    const { h, held } = opened();
    h.wallMs += DAY;
    turns(h, 2);
    h.control.acceptClock();
    turns(h, 2);
    expect(h.context.clockPaused).toBe(false);
    expect(held()).toBe(700);
    h.wallMs += 6 * DAY;
    turns(h, 3);
    expect(held()).toBe(700);
  });

  it('are one again in the turn that sees the word of an operator: what ended in the leap is released, and recorded then', () => {
    const { h, held } = opened();
    h.wallMs += 8 * DAY;
    turns(h, 3);
    expect([h.context.nowMs < h.wallMs - 7 * DAY, held()]).toEqual([true, 700]);
    h.control.acceptClock();
    h.turn();
    expect(h.context.nowMs).toBe(h.wallMs);
    turns(h, 2);
    expect(held()).toBe(0);
    expect(expiries(h).map(({ timeMs }) => timeMs)).toEqual([h.wallMs]);
    expect(new Harness({ journal: h.journal, wallMs: h.wallMs }).shard(0).digest).toEqual(h.shard(0).digest);
  });

  it('still decide messages, and the journal never goes back in time', () => {
    const { h } = opened();
    const card = h.open(1, 5);
    let stan = 100;
    for (const jump of [HOUR, -2 * HOUR, 3 * DAY, -5 * DAY, 1000, 40 * DAY]) {
      h.wallMs += jump;
      h.us += 50_000;
      expect(h.ask(card, purchase(stan++, 1))[39]).toBe('00');
    }
    const reader = JournalReader.ofStore(h.journal, 'memory');
    const times: number[] = [];
    const scan = reader.scan(1, 1);
    scan.onMessage = ({ timeMs }) => times.push(timeMs);
    scan.onEvent = ({ timeMs }) => times.push(timeMs);
    while (scan.step(100));
    expect(times.length).toBe(8);
    expect(times).toEqual([...times].sort((a, b) => a - b));
    expect(reader.head(1).wallMs).toBe(times.at(-1));
  });
});

describe('a restart', () => {
  it('ends what came due while the engine was down, in order, and says so after more than a day', () => {
    const h = new Harness();
    const card = h.open(0, 1);
    for (const [stan, make] of [online, purchase, fuel].entries()) h.ask(card, make(stan + 1, 100 * (stan + 1)));
    const after = new Harness({ journal: h.journal, wallMs: h.wallMs + 6 * DAY });
    expect(after.logs.filter((line) => line.startsWith('warn'))).toEqual([
      'warn the last record is more than a day old: holds that ended meanwhile are counted, then released {"hours":144}',
      'warn holds due at the start {"shard":0,"currency":986,"holds":2,"amount":"500"}',
    ]);
    expect(after.balances(0, card.account).held).toBe(600);
    turns(after, 3);
    expect(after.balances(0, card.account).held).toBe(100);
    expect(expiries(after).map(({ originalSequence }) => originalSequence)).toEqual([5, 4]);
    expect(after.context.clockPaused).toBe(false);
  });

  it('says nothing after less than a day', () => {
    const h = new Harness();
    h.ask(h.open(0, 1), purchase(1, 100));
    expect(new Harness({ journal: h.journal, wallMs: h.wallMs + DAY }).logs).toEqual([]);
  });

  it('behind a wall clock that was set back says that shard time stands still', () => {
    const h = new Harness();
    h.ask(h.open(0, 1), purchase(1, 100));
    const after = new Harness({ journal: h.journal, wallMs: h.wallMs - HOUR });
    expect(after.logs).toEqual([
      'error the last record is ahead of the wall clock: shard time stands still until then {"ahead_s":3600}',
    ]);
  });

  it('in the middle of a sweep loses nothing and ends nothing twice', () => {
    const build = (): { h: Harness; accounts: { shard: number; account: string }[] } => {
      const h = new Harness({ shards: 2 });
      const accounts = [0, 1].map((shard) => h.open(shard, 1));
      for (const card of accounts) for (let stan = 1; stan <= 300; stan++) h.send(card, purchase(stan, stan));
      turns(h, 2);
      return { h, accounts };
    };
    // Every commit of the sweep in turn is the last: not written, written but not seen, or lost by a lying disk.
    for (const fault of ['failCommit', 'failAfterApplied', 'crash'] as const) {
      for (let commit = 1; commit <= 3; commit++) {
        const { h, accounts } = build();
        h.advance(6 * DAY);
        if (fault === 'crash') turns(h, commit);
        else {
          h.journal.faults = { [fault]: h.journal.commits + commit };
          expect(() => turns(h, 10)).toThrow(/commit/);
        }
        h.journal.crash();
        const after = new Harness({ shards: 2, journal: h.journal, wallMs: h.wallMs });
        turns(after, 10);
        const ended = expiries(after);
        const keys = new Set(ended.map(({ shard, originalSequence }) => `${shard}/${originalSequence}`));
        expect([ended.length, keys.size]).toEqual([600, 600]);
        expect(ended.reduce((sum, { holdDelta }) => sum + holdDelta, 0)).toBe(-2 * ((300 * 301) / 2));
        for (const { shard, account } of accounts) expect(after.balances(shard, account).held).toBe(0);
        expect(after.shard(0).state.holdsOpen + after.shard(1).state.holdsOpen).toBe(0);
        const again = new Harness({ shards: 2, journal: h.journal, wallMs: h.wallMs });
        for (const shard of [0, 1]) expect(again.shard(shard).digest).toEqual(after.shard(shard).digest);
      }
    }
  });
});

describe('the dry run', () => {
  it('counts what is due until a time, per currency, and changes nothing', () => {
    const h = new Harness({ shards: 1 });
    const card = h.open(0, 1);
    h.ask(card, purchase(1, 700));
    h.ask(card, fuel(2, 300));
    h.ask(card, online(3, 1000));
    const digest = { ...h.shard(0).digest };
    const due = (days: number) => h.read(0, { op: 'holds_due', untilMs: h.wallMs + days * DAY, from: 0 });
    expect(due(1)).toEqual({ ok: true, due: [], next: -1 });
    expect(due(5)).toEqual({ ok: true, due: [{ currency: 986, count: 2, amount: '1000' }], next: -1 });
    expect(due(30)).toEqual({ ok: true, due: [{ currency: 986, count: 3, amount: '2000' }], next: -1 });
    expect(h.shard(0).digest).toEqual(digest);
    expect(expiries(h)).toEqual([]);
  });

  it('goes over a large table in parts', () => {
    const h = new Harness({ shards: 1 });
    const card = h.open(0, 1);
    for (let stan = 1; stan <= 5000; stan++) {
      h.send(card, purchase(stan, 1));
      if (stan % 500 === 0) h.turn();
    }
    const first = h.read(0, { op: 'holds_due', untilMs: h.wallMs + 9 * DAY, from: 0 });
    expect(first).toEqual({ ok: true, due: [{ currency: 986, count: 4096, amount: '4096' }], next: 4096 });
    expect(h.read(0, { op: 'holds_due', untilMs: h.wallMs + 9 * DAY, from: 4096 })).toEqual({
      ok: true,
      due: [{ currency: 986, count: 904, amount: '904' }],
      next: -1,
    });
  });
});

describe('the expiry of the simulator', () => {
  it('is the same record, before its time; there is none without an open hold', () => {
    const h = new Harness();
    const card = h.open(0, 1);
    h.ask(card, purchase(1, 700));
    expect(h.command(0, { op: 'expire_hold', sequence: 3 })).toMatchObject({ ok: true, sequence: 4 });
    expect(h.balances(0, card.account).held).toBe(0);
    expect(expiries(h)).toMatchObject([{ originalSequence: 3, holdDelta: -700 }]);
    expect(h.command(0, { op: 'expire_hold', sequence: 3 })).toMatchObject({ ok: false, code: 'hold_not_open' });
    expect(h.command(0, { op: 'expire_hold', sequence: 99 })).toMatchObject({ ok: false, code: 'hold_not_open' });
  });
});
