import type { DescribedMessage } from '#src/iso8583/describe.js';

type Total = 'authorized' | 'incremented' | 'reversed' | 'expired' | 'cleared' | 'refunded' | 'held';

interface IsoMessage {
  readonly hex: string;
  readonly dialect: string;
  readonly decoded: DescribedMessage;
}

interface Window {
  readonly amount: { readonly used: number };
  readonly [member: string]: unknown;
}

interface Leg {
  readonly account: string;
  readonly debit: number;
  readonly credit: number;
  readonly currency?: string;
  readonly settlement?: { readonly network: number; readonly settlement_date: string; readonly cycle: number };
}

/** The rows of a list. A test that reads one of the first which is not there fails at what it reads of it. */
type Rows = [Answer, Answer, Answer, ...Answer[]];

/**
 * The JSON of an answer as tests read it: the members that they look into have their type, and any other is `unknown`, good
 * for a comparison with a literal. Whether a member is there is what the comparison is for.
 */
export interface Answer {
  readonly id: string;
  readonly object: string;
  readonly code: string;
  readonly detail: string;
  readonly status: string;
  readonly account: string;
  readonly token: string;
  readonly next_cursor: string;
  readonly revision: number;
  readonly version: number;
  readonly created_at: string;
  readonly amount: number;
  readonly position: string;
  readonly recorded_at: string;
  readonly balances: { readonly posted: number; readonly held: number; readonly available: number };
  readonly totals: Readonly<Record<Total, number>>;
  /** Rows of a list; of an event its object. */
  readonly data: Rows & Answer;
  readonly before: Answer;
  readonly elements: Rows;
  readonly verdicts: Rows;
  readonly counters: Rows;
  readonly errors: Rows;
  readonly currencies: Rows;
  readonly accounts: Rows;
  /** The object in the answers of the simulator, its id in others. */
  readonly authorization: Answer & string;
  readonly journal: Answer;
  readonly card: string;
  readonly pan: string;
  readonly iso: { readonly request: IsoMessage; readonly reply: IsoMessage };
  readonly network: {
    readonly stan: string;
    readonly rrn: string;
    readonly processing_code: string;
    readonly transmission: string;
    readonly transmitted_at: string;
  };
  readonly windows: [Window, ...Window[]];
  readonly rejects: Rows;
  readonly shards: Rows;
  readonly postings: Leg[];
  readonly entry: Answer;
  readonly fee: Answer;
  readonly entries: Rows;
  readonly sub_accounts: Rows;
  readonly balance: number;
  readonly previous_balance: number;
  readonly payments: number;
  readonly transactions: number;
  readonly fees: number;
  readonly interest: number;
  readonly adjustments: number;
  readonly clearing: Answer;
  readonly currency: string;
  readonly progress: Answer;
  readonly result: Answer;
  readonly would_decline: { readonly count: number };
  readonly json: Answer;
  readonly cost: number;
  readonly deliveries: {
    readonly lag_records: number;
    readonly waiting: number;
    readonly dead_letters: number;
    readonly last_status: number | null;
    readonly last_error: string | null;
  };
  readonly event: Answer;
  readonly pin: { readonly blocked: boolean; readonly set: boolean };
  readonly hold: { readonly remaining: number } | null;
  readonly element: string;
  readonly decline_reason: string;
  readonly line: number;
  readonly warnings: Rows;
  readonly secret: string;
  readonly effective_tables: Answer;
  readonly stan: string;
  readonly when: string;
  readonly outcome: Answer;
  readonly text: string;
  readonly type: string;
  readonly kind: string;
  readonly step: string;
  readonly verdict: string;
  readonly pointer: string;
  readonly number: number;
  readonly balance_after: number;
  readonly remaining: number;
  readonly response_code: string;
  readonly has_more: boolean;
  readonly after: object;
  readonly [member: string]: unknown;
}
