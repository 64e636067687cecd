/** Mark-up and cash fee of what is disputed: whatever parts of it are won, lost and withdrawn, they go back as for a reversal of as much. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { AccountType, CardStatus } from '#src/domain/codes.js';
import type { Change } from '#src/domain/commands.js';
import type { DisputeStep } from '#src/domain/ledger/dispute-steps.js';
import { defaultTables, Policy } from '#src/domain/program/policy.js';
import { clearingInput } from '../table/clearing-lines.js';
import { Book } from './book.js';

const NOW_MS = Date.UTC(2026, 4, 20, 12);
const [BRL, USD] = [986, 840];
const known = { card: 0, fingerprint: [0, 0, 0] as const };

/** Steps to an end of a dispute; a second presentment is of a part. */
const lives: readonly (readonly DisputeStep[])[] = [
  ['chargeback', 'win'],
  ['write_off'],
  ['lose'],
  ['withdraw'],
  ['chargeback', 'second_presentment', 'lose'],
  ['chargeback', 'second_presentment', 'write_off'],
  ['chargeback', 'chargeback_reversal', 'withdraw'],
];

const plan = fc.record({
  isCash: fc.boolean(),
  amount: fc.integer({ min: 1, max: 100_000 }),
  markup: fc.integer({ min: 0, max: 1000 }),
  flat: fc.integer({ min: 0, max: 500 }),
  points: fc.integer({ min: 0, max: 1000 }),
  paid: fc.integer({ min: 0, max: 150_000 }),
  disputes: fc.array(
    fc.record({
      // Per mille of the payment, and of the dispute.
      part: fc.integer({ min: 0, max: 999 }),
      again: fc.integer({ min: 0, max: 999 }),
      life: fc.constantFrom(...lives),
    }),
    { maxLength: 5 },
  ),
});

function policyOf(flat: number, basisPoints: number, markupBasisPoints: number): Policy {
  const { cashFee, clearing, ...tables } = defaultTables;
  return new Policy(1, {
    ...tables,
    cashFee: { ...cashFee, flat, basisPoints },
    clearing: { ...clearing, markupBasisPoints },
  });
}

function bookOf(policy: Policy): Book {
  const book = new Book(policy);
  const account = { id: 'A', program: 1, currency: BRL, creditLimit: 100_000_000, type: AccountType.credit };
  book.command({ op: 'create_account', ...account }, NOW_MS);
  const card = { account: 'A', fingerprint: [1, 1, 1] as const, bin: 999_999, last4: 1, panLength: 16, expiry: 2912 };
  const more = { cardSequence: 1, serviceCode: 201, status: CardStatus.active, replacesSlot: -1 };
  book.command({ op: 'create_card', ...card, ...more }, NOW_MS);
  return book;
}

/** Balance over all sub-accounts, D positive, in reais. */
function balance(book: Book, gl: number): number {
  let sum = 0n;
  book.state.ledger.forEach((currency, glAccount, debit, credit) => {
    if (glAccount === gl && currency === BRL) sum += debit - credit;
  });
  return Number(sum);
}

test('what a cardholder keeps of disputes goes back with its mark-up and fee, and no more of them than there was', () => {
  fc.assert(
    fc.property(plan, ({ isCash, amount, markup, flat, points, paid, disputes }) => {
      const policy = policyOf(flat, points, markup);
      const book = bookOf(policy);
      const run = (change: Change): number => {
        const result = book.command(change, NOW_MS);
        expect(result).toMatchObject({ ok: true });
        return (result as { sequence: number }).sequence;
      };
      const input = clearingInput({
        ...{ record: 1, arn: 'P', amount: 100, currency: USD, processingCode: isCash ? 10_000 : 0 },
        ...{ billingAmount: amount, billingCurrency: BRL, settlementAmount: 100, settlementCurrency: USD },
      });
      const { sequence: relatedSequence } = book.clearing('F', { ...known, input }, NOW_MS);
      const [markups, fees] = [0 - balance(book, 4400), 0 - balance(book, 4300)];
      expect(markups).toBe(Math.floor((amount * markup + 5000) / 10_000));
      if (paid > 0) run({ op: 'payment', account: 'A', amount: paid, currency: BRL, reference: 'p' });
      let [left, kept] = [amount, 0];
      for (const [n, { part, again, life }] of disputes.entries()) {
        const disputed = Math.min(left, 1 + Math.floor((part * amount) / 1000));
        if (disputed === 0) break;
        const open = { op: 'open_dispute', account: 'A', amount: disputed, currency: BRL, reference: `d${n}` } as const;
        const sequence = run({ ...open, relatedSequence, note: '' });
        const back = Math.min(disputed, 1 + Math.floor((again * disputed) / 1000));
        for (const step of life) {
          const settled = { sub: 16, currency: USD, amount: 50, interchange: 0 };
          const isSettled = step === 'chargeback' || step === 'second_presentment' || step === 'chargeback_reversal';
          run({
            ...{ op: 'dispute_step', sequence, step, note: '', ...(isSettled ? { settled } : {}) },
            ...(step === 'second_presentment' ? { amount: back } : {}),
          });
        }
        const end = life.at(-1);
        if (end !== 'withdraw') left -= disputed;
        if (end === 'win' || end === 'write_off') kept += disputed;
        else if (life.includes('second_presentment')) kept += disputed - back;
        // After each of them, not only at the end.
        const feeOf = (of: number): number => policy.cashFee(of);
        const feeBack = !isCash ? 0 : kept === amount ? fees : feeOf(amount) - feeOf(amount - kept);
        const markupBack = Number((BigInt(markups) * BigInt(kept) * 2n + BigInt(amount)) / (2n * BigInt(amount)));
        expect([0 - balance(book, 4400), 0 - balance(book, 4300)]).toEqual([markups - markupBack, fees - feeBack]);
        const owed = amount + markups + fees - paid - kept - markupBack - feeBack;
        expect(book.state.accounts.posted(0)).toBe(owed);
        expect(balance(book, 1200)).toBe(0);
      }
      // What the merchant takes back after all takes back what is left of both.
      book.clearing('F', { ...known, input: { ...input, record: 2, reversal: 1 } }, NOW_MS);
      expect([balance(book, 4400), balance(book, 4300)]).toEqual([0, 0]);
      // And gives nothing back that a dispute has given.
      expect(book.state.accounts.posted(0)).toBe(0 - paid + 0);
      book.restart();
    }),
  );
});
