/**
 * Chargebacks as an issuer sends them: 1442 records of an IPM file, first chargebacks in full (450) or of a part (453), and what
 * takes one back (PDS0025). What they say of the transaction is what its presentment said.
 */
import type { ClearingInput } from '../../domain/clearing/input.js';
import { type Settlement, settlementOf } from '../../domain/ledger/sub-account.js';
import { mulDivHalfUp } from '../../domain/money.js';
import { emptyRecord, type SettlementKey } from '../record.js';
import type { IpmData } from './writer.js';

/** A chargeback, or what takes one back. Amounts are minor units, from 1. */
export interface ChargebackOut {
  /** Digits in clear. */
  readonly pan: string;
  /** The presentment, as the ledger keeps it. */
  readonly presented: ClearingInput;
  /** What was charged for it, and how much of that is charged back, in the currency of the account. */
  readonly charged: number;
  readonly amount: number;
  /** What the network settles, in the currency of the settlement. */
  readonly settled: number;
  readonly settledCurrency: number;
  /** Sub-account of the settlement; 0 for none. */
  readonly sub: number;
  /** DE25, four digits. */
  readonly reasonCode: string;
  /** Day of the chargeback that this takes back, days since 1970-01-01; -1: it is one. */
  readonly takesBack: number;
}

/** The record without its number. */
export function chargebackData(out: ChargebackOut): IpmData {
  const { presented, charged, amount, settled, settledCurrency, sub } = out;
  const isFull = amount === charged;
  const part = isFull ? presented.amount : Math.max(1, mulDivHalfUp(presented.amount, amount, charged));
  const isSettled = presented.settlementCurrency >= 0;
  return {
    ...emptyRecord,
    kind: isFull ? 'chargeback_full' : 'chargeback_partial',
    pan: out.pan,
    processingCode: String(presented.processingCode).padStart(6, '0'),
    transactionType: Math.floor(presented.processingCode / 10_000),
    ...{ amount: part, currency: presented.currency, settlementAmount: settled, settlementCurrency: settledCurrency },
    originalAmount: presented.amount,
    originalCurrency: presented.currency,
    originalSettlementAmount: isSettled ? presented.settlementAmount : 0,
    originalSettlementCurrency: isSettled ? presented.settlementCurrency : 0,
    ...{ localDay: presented.localDay, localSeconds: presented.localSeconds, mcc: presented.mcc },
    ...{ reasonCode: out.reasonCode, arn: presented.arn, acquirer: presented.acquirer },
    ...{ rrn: presented.rrn, approvalCode: presented.approvalCode, terminal: presented.terminal },
    ...{ merchant: presented.acceptor, merchantName: presented.acceptorName.slice(0, NAME_LENGTH) },
    networkId: presented.networkId,
    lifeCycle: presented.networkId === '' ? '' : '1',
    reversal: out.takesBack >= 0,
    originalDay: out.takesBack,
    settlement: sub === 0 ? undefined : settlementKey(settlementOf(sub)),
  };
}

/** DE43: the name stands before the city. */
const NAME_LENGTH = 22;

/** The transfer agent, account and service are the network's to fill in. */
const settlementKey = ({ day, cycle }: Settlement): SettlementKey => ({
  ...{ transferAgent: '', account: '', level: '', serviceId: '', fxClass: '' },
  ...{ reconciliationDay: day, reconciliationCycle: cycle, settlementDay: day, settlementCycle: cycle },
});
