/**
 * What a control may find, as data: which kind it is, what is answered (DE39), and the figures for the explanation. The
 * numbers of kinds are meant for records: never change or reuse one, only add.
 */
import { responseCode } from '../codes.js';
import { ControlLevel } from './spec.js';

export const ControlKind = {
  channel: 1,
  country: 2,
  mcc: 3,
  merchant: 4,
  perTransaction: 5,
  amountVelocity: 6,
  countVelocity: 7,
  declineVelocity: 8,
  cashPerTransaction: 9,
  cashAmountVelocity: 10,
  cashCountVelocity: 11,
} as const;
export type ControlKind = (typeof ControlKind)[keyof typeof ControlKind];

/** DE39 by kind, as two ASCII bytes. */
export type ControlResponses = Readonly<Record<ControlKind, number>>;

const NOT_PERMITTED_TO_CARDHOLDER = responseCode('57');
const NOT_PERMITTED_TO_TERMINAL = responseCode('58');
const AMOUNT_LIMIT = responseCode('61');
const RESTRICTED = responseCode('62');
const COUNT_LIMIT = responseCode('65');

export const defaultControlResponses: ControlResponses = {
  [ControlKind.channel]: NOT_PERMITTED_TO_CARDHOLDER,
  [ControlKind.country]: RESTRICTED,
  [ControlKind.mcc]: NOT_PERMITTED_TO_CARDHOLDER,
  [ControlKind.merchant]: NOT_PERMITTED_TO_TERMINAL,
  [ControlKind.perTransaction]: AMOUNT_LIMIT,
  [ControlKind.amountVelocity]: AMOUNT_LIMIT,
  [ControlKind.countVelocity]: COUNT_LIMIT,
  [ControlKind.declineVelocity]: COUNT_LIMIT,
  [ControlKind.cashPerTransaction]: AMOUNT_LIMIT,
  [ControlKind.cashAmountVelocity]: AMOUNT_LIMIT,
  [ControlKind.cashCountVelocity]: COUNT_LIMIT,
};

/** Why a control refused, in the words of the API's `decline_reason`. */
export const controlReasons: Readonly<Record<ControlKind, string>> = {
  [ControlKind.channel]: 'channel_denied',
  [ControlKind.country]: 'country_denied',
  [ControlKind.mcc]: 'mcc_denied',
  [ControlKind.merchant]: 'merchant_denied',
  [ControlKind.perTransaction]: 'transaction_limit',
  [ControlKind.amountVelocity]: 'velocity_amount',
  [ControlKind.countVelocity]: 'velocity_count',
  [ControlKind.declineVelocity]: 'velocity_declines',
  [ControlKind.cashPerTransaction]: 'cash_transaction_limit',
  [ControlKind.cashAmountVelocity]: 'cash_velocity_amount',
  [ControlKind.cashCountVelocity]: 'cash_velocity_count',
};

/** The control that refused a request; reused. */
export class ControlVerdict {
  /** 0 when every control passed: the other members mean nothing then. */
  kind: ControlKind | 0 = 0;
  /** DE39 as two ASCII bytes. */
  response = 0;
  /** Whose controls: the card's or the account's. */
  level: ControlLevel = ControlLevel.card;
  /** Where they were written: there, or in the program as a default. */
  source: ControlLevel = ControlLevel.card;
  /** Place in the list of windows; of other kinds -1 for an allow list, -2 for a deny list, 0 for a limit. */
  index = 0;
  /** Minor units or a number of approvals or declines; 0 for lists. Refused: `before + attempted > limit`. */
  limit = 0;
  before = 0;
  attempted = 0;
}

export const NOT_IN_ALLOW_LIST = -1;
export const IN_DENY_LIST = -2;

/** JSON pointer of the control in the object at `verdict.source`. For explanations. */
export function controlPointer({ kind, index }: Pick<ControlVerdict, 'kind' | 'index'>): string {
  const half = index === NOT_IN_ALLOW_LIST ? 'allow' : 'deny';
  switch (kind) {
    case ControlKind.channel:
      return `/channels/${half}`;
    case ControlKind.country:
      return `/countries/${half}`;
    case ControlKind.mcc:
      return `/mcc/${half}`;
    case ControlKind.merchant:
      return `/merchants/${half}`;
    case ControlKind.perTransaction:
      return '/per_transaction';
    case ControlKind.cashPerTransaction:
      return '/cash/per_transaction';
    case ControlKind.amountVelocity:
    case ControlKind.countVelocity:
    case ControlKind.declineVelocity:
      return `/velocity/${index}`;
    case ControlKind.cashAmountVelocity:
    case ControlKind.cashCountVelocity:
      return `/cash/velocity/${index}`;
    case 0:
      return '';
  }
}
