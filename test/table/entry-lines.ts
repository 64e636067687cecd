/**
 * Lines of a scenario about entries on command. Amounts are minor units, `sub` is <network>/<day>/<cycle>, the currency is BRL:
 *
 *   fee A 500 ref=F                  waive <line>              return <line of a payment> fee=0
 *   payout A 300 ref=R               chargeoff A ref=C         recover A 100 ref=V        (payout: of the credit balance)
 *   networkfee 90 sub=.. ref=N       settle 58 owed=60 rounding=2 sub=.. ref=S            (below zero: the other way)
 *   dispute A 400 ref=D              step <line of the dispute> chargeback amount=400 interchange=4 sub=..
 *
 * `entry <line>` asks for the legs of what that line recorded, records apart by `;`; `trial` for every balance of the book that is
 * not zero, memo accounts too.
 */
import { EventKind } from '#src/domain/codes.js';
import type { Change } from '#src/domain/commands.js';
import type { EntryLeg, PlainEvent } from '#src/domain/events.js';
import type { DisputeStep } from '#src/domain/ledger/dispute-steps.js';
import { subAccount } from '#src/domain/ledger/sub-account.js';
import type { ShardState } from '#src/domain/shard-state.js';
import { legsText } from './clearing-lines.js';

const BRL = 986;

/** @param sequenceOf first record of a line @returns undefined when the line is of another kind */
export function entryCommand(
  what: string,
  words: readonly string[],
  options: ReadonlyMap<string, string>,
  sequenceOf: (line: string) => number,
): Change | undefined {
  const [name = '', step = ''] = words;
  const number = (key: string): number => Number(options.get(key) ?? 0);
  const reference = options.get('ref') ?? '';
  const onAccount = { account: name, amount: Number(words[1]), currency: BRL, reference };
  const sub = (): number => {
    const [network = 0, day = 0, cycle = 0] = (options.get('sub') ?? '').split('/').map(Number);
    return subAccount({ network, day, cycle });
  };
  switch (what) {
    case 'fee':
      return { op: 'fee', ...onAccount, note: '' };
    case 'waive':
      return { op: 'waive_fee', sequence: sequenceOf(name), note: '' };
    case 'return':
      return { op: 'return_payment', sequence: sequenceOf(name), fee: number('fee'), note: '' };
    case 'payout':
      return { op: 'refund_credit', ...onAccount };
    case 'chargeoff':
      return { op: 'charge_off', account: name, reference, note: '' };
    case 'recover':
      return { op: 'recovery', ...onAccount };
    case 'networkfee':
      return { op: 'network_fee', sub: sub(), currency: BRL, amount: Number(name), reference, note: '' };
    case 'settle': {
      const limits = { owed: number('owed'), roundingMax: number('rounding') };
      return { op: 'settlement', sub: sub(), currency: BRL, amount: Number(name), ...limits, reference };
    }
    case 'dispute':
      return { op: 'open_dispute', ...onAccount, relatedSequence: sequenceOf(options.get('of') ?? ''), note: '' };
    case 'step': {
      const taken = { sequence: sequenceOf(name), step: step as DisputeStep, note: '' };
      if (!options.has('sub')) return { op: 'dispute_step', ...taken };
      const settled = { sub: sub(), currency: BRL, amount: number('amount'), interchange: number('interchange') };
      return { op: 'dispute_step', ...taken, settled };
    }
    default:
      return undefined;
  }
}

/** Legs of records that have some, records apart by `;`. */
export function entriesText(events: readonly PlainEvent[]): string {
  const texts = events.flatMap((event) => {
    if (event.kind === EventKind.payment) {
      const { currency, postings } = event;
      return [legsText({ legs: postings.map((posting): EntryLeg => ({ ...posting, currency, sub: 0 })) })];
    }
    return 'legs' in event ? [legsText(event)] : [];
  });
  return texts.length === 0 ? 'none' : texts.join('; ');
}

/** Balances of the book, D positive, as legs are written. */
export function trialText({ ledger }: ShardState): string {
  const legs: EntryLeg[] = [];
  ledger.forEach((currency, glAccount, debit, credit, sub) => {
    if (debit !== credit) legs.push({ glAccount, currency, sub, amount: Number(debit - credit) });
  });
  const order = (a: EntryLeg, b: EntryLeg): number =>
    b.currency - a.currency || a.glAccount - b.glAccount || a.sub - b.sub;
  return legsText({ legs: legs.sort(order) });
}
