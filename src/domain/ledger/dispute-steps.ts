/**
 * The life of a dispute. It begins with the provisional credit; every later step is an entry that names the sequence of that one as
 * its reference, so that each step is taken once and where a dispute stands is seen by which steps there are.
 *
 *   open ── chargeback ──> charged_back ── second presentment ──> presented_again
 *    │                       │      │                                  │
 *    ├─> withdrawn          won     └── chargeback reversal            ├─> lost
 *    ├─> lost                                  v                       └─> written_off
 *    └─> written_off                   chargeback_reversed ──> withdrawn, lost, written_off
 */
import { entryHash } from '../key-hash.js';
import type { KeySet } from '../key-set.js';
import { EntryKind } from './entry-kinds.js';

/** Steps behind the provisional credit, by their names in the API. */
export const disputeSteps = {
  chargeback: EntryKind.chargeback,
  chargeback_reversal: EntryKind.chargebackTakenBack,
  second_presentment: EntryKind.chargebackReversed,
  withdraw: EntryKind.provisionalCreditReversed,
  win: EntryKind.disputeWon,
  lose: EntryKind.disputeLostByCardholder,
  write_off: EntryKind.disputeWrittenOff,
} as const;
export type DisputeStep = keyof typeof disputeSteps;

export const disputeStatuses = [
  'open',
  'charged_back',
  'chargeback_reversed',
  'presented_again',
  'withdrawn',
  'won',
  'lost',
  'written_off',
] as const;
export type DisputeStatus = (typeof disputeStatuses)[number];

const next: Readonly<Record<DisputeStatus, readonly DisputeStep[]>> = {
  open: ['chargeback', 'withdraw', 'lose', 'write_off'],
  charged_back: ['second_presentment', 'win', 'chargeback_reversal'],
  chargeback_reversed: ['withdraw', 'lose', 'write_off'],
  // Won when the second presentment was taken back.
  presented_again: ['lose', 'write_off', 'win'],
  withdrawn: [],
  won: [],
  lost: [],
  written_off: [],
};

const reached: Readonly<Record<DisputeStep, DisputeStatus>> = {
  chargeback: 'charged_back',
  chargeback_reversal: 'chargeback_reversed',
  second_presentment: 'presented_again',
  withdraw: 'withdrawn',
  win: 'won',
  lose: 'lost',
  write_off: 'written_off',
};

/** Steps that the network settles. */
export const isSettledStep = (step: DisputeStep): boolean =>
  step === 'chargeback' || step === 'chargeback_reversal' || step === 'second_presentment';

export const allowsStep = (status: DisputeStatus, step: DisputeStep): boolean => next[status].includes(step);

/** A step that was taken, and the sequence of its entry. */
export interface StepTaken {
  readonly step: DisputeStep;
  readonly sequence: number;
}

/** Steps taken in the dispute that begins at the sequence, in the order in which they were taken. */
export function stepsOf(references: KeySet, accountSlot: number, dispute: number): StepTaken[] {
  const taken: StepTaken[] = [];
  for (const [step, entry] of Object.entries(disputeSteps)) {
    const { high, low } = entryHash({ entry, accountSlot, reference: String(dispute) });
    const sequence = references.find(high, low);
    if (sequence > 0) taken.push({ step: step as DisputeStep, sequence });
  }
  return taken.sort((a, b) => a.sequence - b.sequence);
}

export function statusAfter(taken: readonly StepTaken[]): DisputeStatus {
  const last = taken.at(-1);
  return last === undefined ? 'open' : reached[last.step];
}
