/** What the reference model keeps of everything that happened. */
import type { Message, What } from './message.js';
import type { ModelProgram } from './program.js';
import type { Place } from './totals.js';

export interface ModelAccount {
  id: string;
  currency: number;
  limit: number;
  status: 'open' | 'frozen' | 'closed';
  /** Owed, by kind; positive = the cardholder owes. */
  owes: { purchases: number; cash: number; fees: number; interest: number; credit: number };
}

export interface ModelCard {
  account: ModelAccount;
  status: 'inactive' | 'active' | 'paused' | 'lost' | 'stolen' | 'closed' | 'expired';
  /** The network's list: a cause of its own. */
  listed?: 'paused' | 'expired';
  /** YYMM. */
  expiry: number;
  createdMs: number;
  /** PINs that failed since the last one that was right, or since the card was unblocked. */
  failedPins: number;
}

/** A network token: a number of its own that stands for a card. */
export interface ModelToken {
  card: string;
  status: ModelCard['status'];
  listed?: 'paused' | 'expired';
  expiry: number;
}

export interface Hold {
  account: ModelAccount;
  first: number;
  authorized: number;
  remaining: number;
  cleared: number;
  expiresMs: number;
  refund: boolean;
}

/** What single messages have charged for one authorization; a refund has negative parts. */
export interface Charged {
  purchases: number;
  cash: number;
  fee: number;
  credit: number;
  /** What the network has given back of what a dispute had given the cardholder already: from 0 down. */
  loss: number;
}

/** What ended disputes have left to the cardholder, of all and by the part that was disputed, and what of the fee with it. */
export interface Kept {
  amount: number;
  fee: number;
  ofPart: Map<number, number>;
}

export interface Entry {
  sequence: number;
  atMs: number;
  what: What | 'roll-back' | 'expiry' | 'other';
  message?: Message;
  /** Name of the card; the token that the message came by. */
  card: string;
  token?: ModelToken | undefined;
  /** Where the message came from, and on which business date. */
  place?: Place;
  /** Reversal: what it posted back. */
  postedBack?: 'credit' | 'debit';
  /** Reversal, roll-back: what was posted before, and what stays, in the account's currency. */
  charges?: [before: number, after: number];
  /** The program when the message came. */
  program?: ModelProgram;
  response: string;
  /** DE38: six digits of ours, or what the network gave. */
  code?: string;
  /** Approved in the account's currency. */
  approved: number;
  /** Answer to a repeat that was refused (94, 68). */
  refusedRepeat: boolean;
  tombstone: boolean;
  /** The authorization that it belongs to, when that is another entry. */
  original?: Entry;
  /** Reversal: the increment or the part that it takes back. */
  takesBack?: Entry;
  /** What an increment added to the hold, or a part to what is posted. */
  added: number;
  /** Advice: the change that it tells of. */
  tells?: Entry;
  /** Advice: it told of an increment, a replacement or a part. */
  toldChange: boolean;
  /** Advice: it was not only recorded. */
  isDecided?: boolean;
  /** Advice: it told the final amount. */
  completes: boolean;
  /** The reversal that came before it. */
  reversedBefore?: Entry;
  /** Reversal: of all of the authorization. */
  full: boolean;
  /** What is charged for the authorization since then, where that has changed, in the account's currency. */
  chargedAfter?: number;
  /** A clearing record charged so much for its `original`, or took so much back (negative). Only auditors tell it. */
  presents?: { amount: number; isLast: boolean };
  /** Advice of what may be counted, roll-back: what stands posted with it in the acquirer's currency, when that is not what stood. */
  counts?: { stands?: number };
  /** Reversal of a part: what it takes back in the acquirer's money. */
  partBack?: number;
  /** It posted something. */
  posted: boolean;
  /** Advice in stand-in: it told what had been decided already, and posted nothing. */
  isKnown?: boolean;
  balances?: { ledger: number; available: number };
}

export interface Answer {
  response: string;
  /** Sequence of the record behind the answer. */
  sequence: number;
  repeated: boolean;
  hasCode: boolean;
  partialAmount?: number;
  ledger?: number;
  available?: number;
}

export const HOUR = 3_600_000;
export const DAY = 24 * HOUR;

export const approves = (response: string): boolean => response === '00' || response === '10' || response === '85';

export const NOTHING: Charged = { purchases: 0, cash: 0, fee: 0, credit: 0, loss: 0 };

/** What the network charges, or has given where it is negative. */
export const netOf = ({ purchases, cash, credit, loss }: Charged): number => purchases + cash + credit + loss;

export const isRequest = (what: Entry['what']): boolean =>
  ['debit', 'increment', 'replacement', 'credit', 'verification', 'inquiry'].includes(what);

/** An increment of nothing we know is decided as a new authorization. */
export const asNew = (what: What): What => (what === 'increment' || what === 'replacement' ? 'debit' : what);

export const isNoChange = ({ what, toldChange }: Entry): boolean =>
  what !== 'increment' && what !== 'replacement' && !toldChange;

/** Money was approved, by us or by the network. */
export const approved = (e: Entry): boolean => approves(e.response) && (e.what !== 'advice' || e.approved > 0);
