/** Random entries on command, and accruals. */
import fc from 'fast-check';
import { EventKind } from '#src/domain/codes.js';
import type { Change } from '#src/domain/commands.js';
import type { OpenDispute } from '#src/domain/entry-commands.js';
import type { EntryPosted, MessageEvent, PlainEvent } from '#src/domain/events.js';
import { Gl, postedChange } from '#src/domain/ledger/chart.js';
import { type DisputeStep, disputeSteps } from '#src/domain/ledger/dispute-steps.js';
import { EntryKind } from '#src/domain/ledger/entry-kinds.js';
import { subAccount } from '#src/domain/ledger/sub-account.js';
import type { Recorded } from './book.js';

export const STEPS = Object.keys(disputeSteps) as DisputeStep[];

/** One entry: which, on which account, of how much, and how far back what it names is. */
export interface EntryOp {
  entry: Change['op'] | 'accrue';
  account: number;
  amount: number;
  back: number;
  step: DisputeStep;
  reference: number;
}

export const entryOp: fc.Arbitrary<EntryOp> = fc.record({
  entry: fc.constantFrom<EntryOp['entry'][]>(
    ...(['accrue', 'accrue'] as const),
    ...([
      'payment',
      'payment',
      'fee',
      'fee',
      'waive_fee',
      'return_payment',
      'refund_credit',
      'charge_off',
      'recovery',
    ] as const),
    ...([
      'settlement',
      'network_fee',
      'open_dispute',
      'open_dispute',
      ...Array<'dispute_step'>(14).fill('dispute_step'),
    ] as const),
  ),
  account: fc.integer({ min: 0, max: 1 }),
  amount: fc.integer({ min: 1, max: 3000 }),
  back: fc.integer({ min: 0, max: 2 }),
  // The way to a second presentment is the longest.
  step: fc.constantFrom(
    ...STEPS,
    ...Array<DisputeStep[]>(3)
      .fill(['chargeback', 'second_presentment', 'win', 'chargeback_reversal', 'chargeback_reversal', 'chargeback'])
      .flat(),
  ),
  reference: fc.integer({ min: 0, max: 40 }),
});
/** An account that entries are posted to. */
export interface EntryAccount {
  readonly account: string;
  /** ISO 4217 numeric. */
  readonly currency: number;
}

/** The newest record but `back` of a kind. */
function backOf(events: readonly Recorded[], back: number, fits: (event: PlainEvent) => boolean): number | undefined {
  const found = events.filter((event) => event.kind !== EventKind.message && fits(event as PlainEvent));
  return found.at(-1 - back)?.sequence;
}

/** The command of an operation; undefined for one that names a record that is not there. @param accounts two */
export function entryCommand(
  { entry, account, amount, back, step, reference: n }: EntryOp,
  accounts: readonly EntryAccount[],
  events: readonly Recorded[],
): Change | undefined {
  const of = accounts[account]!;
  const reference = `r${n}`;
  const sub = subAccount({ network: 1 + account, day: 20_000 + (n % 3), cycle: n % 2 });
  const isEntry = (kind: EntryKind) => (event: PlainEvent) =>
    event.kind === EventKind.entryPosted && event.entry === kind;
  const named = (kind: EntryKind): { sequence: number } | undefined => {
    const sequence = backOf(events, back, isEntry(kind));
    return sequence === undefined ? undefined : { sequence };
  };
  switch (entry) {
    case 'payment':
    case 'refund_credit':
    case 'recovery':
      return { op: entry, ...of, amount, reference };
    case 'fee':
      return { op: entry, ...of, amount, reference, note: '' };
    case 'charge_off':
      return { op: entry, account: of.account, reference, note: '' };
    case 'settlement':
      return {
        op: entry,
        sub,
        currency: of.currency,
        amount: amount - 1500 || 1,
        owed: n,
        roundingMax: n,
        reference,
      };
    case 'network_fee':
      return { op: entry, sub, currency: of.currency, amount: amount - 1500 || 1, reference, note: '' };
    case 'open_dispute':
      return disputeOf({ op: entry, ...of, amount, reference, relatedSequence: 0, note: '' }, account, back, events);
    case 'waive_fee': {
      const fee = named(EntryKind.fee);
      return fee && { op: entry, ...fee, note: '' };
    }
    case 'return_payment': {
      const sequence = backOf(events, back, (event) => event.kind === EventKind.payment);
      return sequence === undefined ? undefined : { op: entry, sequence, fee: n, note: '' };
    }
    case 'dispute_step': {
      const dispute = named(EntryKind.provisionalCredit);
      // Dollars are of no account here: the amount may be any.
      const settled = { sub, currency: 840, amount, interchange: Math.min(amount, n) };
      return dispute && { op: entry, ...dispute, step, settled, note: '' };
    }
    default:
      throw new TypeError(`${entry} is no entry`);
  }
}

/** Of a part of the newest fee but `back` of the account, which needs a few, or of what a message of it charged. */
function disputeOf(command: OpenDispute, account: number, back: number, events: readonly Recorded[]): Change {
  if (command.amount % 3 > 0) {
    const messages = events.filter(({ kind }) => kind === EventKind.message) as MessageEvent[];
    const posted = messages.filter((event) => event.accountSlot === account && chargedBy(event) > 0).at(-1 - back);
    if (posted !== undefined) {
      // All of it, as often as not.
      const charged = chargedBy(posted);
      const amount = command.amount % 2 === 0 ? charged : 1 + (command.amount % charged);
      return { ...command, amount, relatedSequence: posted.sequence };
    }
  }
  const fees = events.filter(
    (event) => event.kind === EventKind.entryPosted && event.entry === EntryKind.fee && event.accountSlot === account,
  ) as EntryPosted[];
  const charged = fees.at(-1 - back);
  // So that there is something next time.
  if (charged === undefined) return { ...command, op: 'fee', amount: command.amount + 100 };
  return { ...command, amount: 1 + (command.amount % postedChange(charged.legs)), relatedSequence: charged.sequence };
}

/** What a message charged without its fee. */
const chargedBy = ({ postings }: MessageEvent): number => postings.on(Gl.purchases) + postings.on(Gl.cash);
