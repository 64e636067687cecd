import { describe, expect, it } from 'vitest';
import { AccountType } from '#src/domain/codes.js';
import type { CommandResult } from '#src/domain/commands.js';
import type { PostPayment } from '#src/domain/entry-commands.js';
import type { IdempotencyTag } from '#src/domain/party-commands.js';
import { MemoryStore } from '#src/store/memory-store.js';
import { Harness } from './harness.js';

const bytes = (seed: number): Uint8Array => Uint8Array.from({ length: 32 }, (_, i) => (seed * 31 + i * 7) & 0xff);
const tag = (key: number, body = 1): IdempotencyTag => ({ keyHash: bytes(key), bodyHash: bytes(100 + body) });
const claim = (idempotency: IdempotencyTag) => ({ op: 'claim_key', idempotency }) as const;
const keep = (idempotency: IdempotencyTag, text: string) =>
  ({ op: 'keep_answer', idempotency, answer: Buffer.from(text) }) as const;
const claimed = (result: CommandResult) => (result.ok && 'claim' in result ? result.claim : result);
const text = (answer: Uint8Array | undefined): string => Buffer.from(answer ?? []).toString();

describe('a claim', () => {
  it('is one per key: of two in one turn the first has it', () => {
    const h = new Harness();
    const tokens = [tag(1, 1), tag(1, 2), tag(1, 1), tag(2, 2)].map((one) => h.sendCommand(0, claim(one)));
    h.turn();
    const results = tokens.map((token) => claimed(h.results.get(token) as CommandResult));
    expect(results).toMatchObject([
      { known: false },
      { ok: false, code: 'idempotency_mismatch' },
      { known: true },
      { known: false },
    ]);
  });

  it('says when it was made, in this process and in the next', () => {
    const h = new Harness();
    const first = claimed(h.command(0, claim(tag(1))));
    h.advance(5000);
    expect(claimed(h.command(0, claim(tag(1))))).toEqual({ ...first, known: true });
    const next = new Harness({ journal: h.journal });
    expect(claimed(next.command(0, claim(tag(1))))).toEqual({ ...first, known: true });
    expect(claimed(next.command(0, claim(tag(1, 2))))).toMatchObject({ code: 'idempotency_mismatch' });
    expect(claimed(next.command(1, claim(tag(1, 2))))).toMatchObject({ known: false });
  });

  it('is answered when it is durable, and lost with its frame', () => {
    const journal = new MemoryStore();
    const h = new Harness({ journal });
    journal.faults = { failCommit: 1 };
    const token = h.sendCommand(0, claim(tag(1)));
    expect(() => h.turn()).toThrow(/commit/);
    expect(h.results.has(token)).toBe(false);
    journal.crash();
    journal.faults = {};
    expect(claimed(new Harness({ journal }).command(0, claim(tag(1, 2))))).toMatchObject({ known: false });
  });
});

describe('an answer', () => {
  it('comes with the claim, and the first one stays', () => {
    const h = new Harness();
    h.command(0, claim(tag(1)));
    h.command(0, keep(tag(1), 'first'));
    h.command(0, keep(tag(1), 'second'));
    h.command(0, claim(tag(2)));
    for (const harness of [h, new Harness({ journal: h.journal })]) {
      const one = claimed(harness.command(0, claim(tag(1))));
      expect(text('answer' in one ? one.answer : undefined)).toBe('first');
      expect(claimed(harness.command(0, claim(tag(2))))).not.toHaveProperty('answer');
    }
  });
});

describe('an outcome', () => {
  it('stands apart from claim and answer of the same key in the same shard', () => {
    const h = new Harness();
    h.command(0, {
      op: 'create_account',
      id: 'a',
      program: 0,
      currency: 986,
      creditLimit: 1,
      type: AccountType.credit,
    });
    const payment: PostPayment = { op: 'payment', account: 'a', amount: 5, currency: 986, reference: 'r' };
    const keyed = { ...payment, idempotency: tag(1) };
    h.command(0, claim(tag(1)));
    h.command(0, keep(tag(1), 'an answer'));
    expect(h.read(0, { op: 'outcome', idempotency: tag(1) })).toEqual({ ok: true, outcome: null });
    const paid = h.command(0, keyed);
    for (const harness of [h, new Harness({ journal: h.journal })]) {
      expect(harness.read(0, { op: 'outcome', idempotency: tag(1) })).toEqual({
        ok: true,
        outcome: { ...paid, replayed: true },
      });
      expect(harness.command(0, keyed)).toEqual({ ...paid, replayed: true });
      expect(harness.command(0, { ...payment, idempotency: tag(1, 2) })).toMatchObject({
        code: 'idempotency_mismatch',
      });
      expect(harness.balances(0, 'a').posted).toBe(-5);
    }
  });

  it('is not kept of a refusal, which has no effect that it could stand beside', () => {
    const h = new Harness();
    const payment = {
      op: 'payment',
      account: 'a',
      amount: 5,
      currency: 986,
      reference: 'r',
      idempotency: tag(1),
    } as const;
    expect(h.command(0, payment)).toMatchObject({ code: 'account_not_found' });
    expect(h.read(0, { op: 'outcome', idempotency: tag(1) })).toEqual({ ok: true, outcome: null });
  });
});
