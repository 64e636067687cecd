/** Clearing records in a shard: posted in batches, once, whatever is sent again. */
import { describe, expect, it } from 'vitest';
import { ClearingFlag, MatchRung } from '#src/domain/clearing/codes.js';
import type { ClearingAnswer, ClearingEntry, ClearingInput } from '#src/domain/clearing/input.js';
import { EventKind } from '#src/domain/codes.js';
import type { CommandResult } from '#src/domain/commands.js';
import { JournalReader } from '#src/journal/reader.js';
import { CLEARING_COMMAND_RECORDS_MAX, CLEARING_TURN_US } from '#src/limits.js';
import { RequestKind } from '#src/ring/kinds.js';
import { clearingInput } from '../table/clearing-lines.js';
import { Harness, purchase } from './harness.js';

const entry = (over: Partial<ClearingInput>, card = 0): ClearingEntry => ({
  card,
  fingerprint: [0, 0, 0],
  input: clearingInput({ billingAmount: over.amount ?? 0, billingCurrency: 986, ...over }),
});

const clearedOf = (result: CommandResult): ClearingAnswer[] => {
  if (!result.ok || !('cleared' in result)) throw new Error(JSON.stringify(result));
  return result.cleared;
};
const outcomes = (result: CommandResult): string[] => clearedOf(result).map(({ outcome }) => outcome);

/** A card with three approved purchases of 100, 200 and 300, named by network ids N1 to N3. */
function played(): Harness {
  const h = new Harness({ shards: 1 });
  const card = h.open(0, 1);
  for (const n of [1, 2, 3]) expect(h.ask(card, purchase(n, n * 100, { 63: `N${n}` }))[39]).toBe('00');
  return h;
}

const batch = [1, 2, 3].map((n) => entry({ record: n, amount: n * 100, networkId: `N${n}`, arn: `ARN${n}` }));

describe('the command of a batch', () => {
  it('posts each record and answers one by one', () => {
    const h = played();
    const cleared = clearedOf(h.command(0, { op: 'clear', file: 'F1', records: batch }));
    expect(cleared.map(({ outcome, rung, flags }) => [outcome, rung, flags])).toEqual(
      batch.map(() => ['posted', MatchRung.networkId, 0]),
    );
    const reader = JournalReader.ofStore(h.journal, 'memory');
    for (const [i, { sequence }] of cleared.entries()) {
      const event = reader.readEvent(0, sequence);
      expect(event).toMatchObject({ kind: EventKind.clearingPosted, file: 'F1', input: { record: i + 1 } });
    }
    const { accounts } = h.shard(0).state;
    expect([accounts.posted(0), accounts.held(0)]).toEqual([600, 0]);
  });

  it('sent again posts nothing, in the same process and after a restart', () => {
    const h = played();
    const first = clearedOf(h.command(0, { op: 'clear', file: 'F1', records: batch }));
    const { sequence } = h.shard(0).journal;
    for (const harness of [h, new Harness({ shards: 1, journal: h.journal, wallMs: h.wallMs })]) {
      const again = clearedOf(harness.command(0, { op: 'clear', file: 'F1', records: batch }));
      expect(again).toEqual(first.map((answer) => ({ ...answer, outcome: 'already' })));
      expect(harness.shard(0).journal.sequence).toBe(sequence);
      expect(outcomes(harness.command(0, { op: 'clear', file: 'F2', records: batch }))).toEqual(
        batch.map(() => 'duplicate'),
      );
      expect(harness.shard(0).journal.sequence).toBe(sequence);
    }
  });

  it('cut anywhere gives the same books', () => {
    const whole = played();
    whole.command(0, { op: 'clear', file: 'F1', records: batch });
    for (const cut of [1, 2]) {
      const h = played();
      h.command(0, { op: 'clear', file: 'F1', records: batch.slice(0, cut) });
      const rest = h.command(0, { op: 'clear', file: 'F1', records: batch });
      expect(outcomes(rest)).toEqual(batch.map((_, i) => (i < cut ? 'already' : 'posted')));
      expect(h.shard(0).digest).toEqual(whole.shard(0).digest);
    }
  });

  it('finds the same thing twice in one batch, before anything of it is in the journal', () => {
    const h = played();
    const twice = [batch[0]!, entry({ record: 9, amount: 100, networkId: 'N1', arn: 'ARN1' })];
    expect(outcomes(h.command(0, { op: 'clear', file: 'F1', records: twice }))).toEqual(['posted', 'duplicate']);
  });

  it('of an unknown card goes to suspense, once', () => {
    const h = played();
    const records = [{ ...entry({ record: 1, amount: 50, arn: 'X' }, -1), fingerprint: [1, 2, 3] as const }];
    expect(outcomes(h.command(0, { op: 'clear', file: 'F1', records }))).toEqual(['posted']);
    expect(outcomes(h.command(0, { op: 'clear', file: 'F1', records }))).toEqual(['already']);
    const other = [{ ...records[0]!, fingerprint: [1, 2, 4] as const }];
    expect(outcomes(h.command(0, { op: 'clear', file: 'F2', records: other }))).toEqual(['posted']);
  });

  it('of a card that was unknown finds what is in suspense under its number', () => {
    const h = played();
    const unknown = (over: Partial<ClearingInput>) => ({ ...entry(over, -1), fingerprint: [1, 2, 3] as const });
    const ask = (file: string, over: Partial<ClearingInput>) =>
      outcomes(
        h.command(0, { op: 'clear', file, records: [{ ...unknown(over), card: 0, late: true }], asUnknown: true }),
      );
    h.command(0, { op: 'clear', file: 'F1', records: [unknown({ record: 1, amount: 50, arn: 'X' })] });
    h.command(0, { op: 'clear', file: 'F1', records: [unknown({ record: 2, amount: 60 })] });
    const { sequence } = h.shard(0).journal;
    expect(ask('F1', { record: 1, amount: 50, arn: 'X' })).toEqual(['already']);
    expect(ask('F1', { record: 2, amount: 60 })).toEqual(['already']);
    expect(ask('F2', { record: 1, amount: 50, arn: 'X' })).toEqual(['duplicate']);
    expect(ask('F2', { record: 2, amount: 60 })).toEqual(['elsewhere']);
    expect(ask('F2', { record: 3, amount: 50, arn: 'Y' })).toEqual(['elsewhere']);
    expect(ask('F2', { record: 4, amount: 50, arn: 'Y', reversal: 1 })).toEqual(['elsewhere']);
    expect(ask('F2', { record: 5, amount: 50, arn: 'X', processingCode: 200_000 })).toEqual(['elsewhere']);
    expect(h.shard(0).journal.sequence).toBe(sequence);
    expect(ask('F2', { record: 6, amount: 50, arn: 'X', reversal: 1 })).toEqual(['posted']);
    expect(JournalReader.ofStore(h.journal, 'memory').readEvent(0, sequence + 1)).toMatchObject({
      ...{ kind: EventKind.clearingPosted, cardSlot: -1, flags: ClearingFlag.unknownCard, posted: 0 },
    });
    expect(h.shard(0).state.accounts.posted(0)).toBe(0);
  });

  it('that stopped the shard is refused by name from then on, and its other records post', () => {
    const h = new Harness({ shards: 1, faults: { throwRrn: '000000000666' } });
    h.open(0, 1);
    const bad = entry({ record: 2, amount: 100, arn: 'B', rrn: '000000000666' });
    const records = [entry({ record: 1, amount: 100, arn: 'A' }), bad];
    expect(h.command(0, { op: 'clear', file: 'F1', records })).toMatchObject({ ok: false, code: 'shard_unavailable' });
    for (let i = 0; i < 5; i++) h.turn();
    expect(h.command(0, { op: 'clear', file: 'F1', records })).toMatchObject({ ok: false, code: 'set_aside' });
    expect(outcomes(h.command(0, { op: 'clear', file: 'F1', records: records.slice(0, 1) }))).toHaveLength(1);
    expect(h.shard(0).state.accounts.posted(0)).toBe(100);
  });

  it('with a value that cannot be posts the others', () => {
    const h = played();
    const bad = entry({ record: 2, amount: 1e15, networkId: 'N2' });
    const [first, second] = clearedOf(h.command(0, { op: 'clear', file: 'F1', records: [batch[0]!, bad] }));
    expect([first?.outcome, second]).toEqual([
      'posted',
      { outcome: 'invalid', sequence: 0, rung: 0, flags: 0, field: 'amount' },
    ]);
  });

  describe('takes a part of the turn', () => {
    const many = Array.from({ length: 40 }, (_, i) => entry({ record: i + 1, amount: 1, arn: `A${i}` }));
    const clear = { op: 'clear', file: 'F1', records: many } as const;
    const sentFor = (h: Harness): number => {
      const { length } = outcomes(h.command(0, clear));
      return length;
    };
    const timed = (): Harness => {
      const h = played();
      // A look at the clock follows each record.
      h.stepUs = CLEARING_TURN_US / 10;
      return h;
    };

    it('all that it needs while nobody waits', () => {
      expect(sentFor(timed())).toBe(many.length);
    });

    it('a bounded time while a message waits for its end, and all commands of the turn together', () => {
      const h = timed();
      const card = { shard: 0, slot: 0 };
      const message = h.send(card, purchase(9, 1));
      const tokens = [h.sendCommand(0, clear), h.sendCommand(0, { ...clear, file: 'F2' })];
      h.turn();
      expect(h.answers.get(message)?.fields[39]).toBe('00');
      expect(tokens.map((token) => outcomes(h.results.get(token) as CommandResult).length)).toEqual([10, 1]);
    });

    it('a bounded time while another client has a request, and goes on where it stopped', () => {
      const h = timed();
      h.others.push(RequestKind.notDelivered, 0, 0, 1, 0, h.us, 0, new Uint8Array(0));
      const token = h.sendCommand(0, clear);
      h.turn();
      const first = outcomes(h.results.get(token) as CommandResult);
      const rest = outcomes(h.command(0, { ...clear, records: many.slice(first.length) }));
      expect([first.length, rest.length]).toEqual([10, 30]);
      expect(new Set([...first, ...rest])).toEqual(new Set(['posted']));
    });
  });

  it('with too many records is refused whole', () => {
    const h = played();
    const records = new Array<ClearingEntry>(CLEARING_COMMAND_RECORDS_MAX + 1).fill(batch[0]!);
    expect(h.command(0, { op: 'clear', file: 'F1', records })).toMatchObject({ ok: false, code: 'capacity_exceeded' });
  });
});
