/** What every entry on command and of the daily accrual shares: what is checked, and how it becomes a record. */
import { CREDIT_BALANCE_MAX } from '../limits.js';
import { AccountStatus, EventKind } from './codes.js';
import type { CommandResult } from './commands.js';
import { type CommandContext, type Commit, refuse } from './commit.js';
import type { ChargeFee, OpenDispute, Recover, RefundCredit } from './entry-commands.js';
import type { Disputed, DisputeEnd, EntryLeg, EntryPosted, PlainEvent } from './events.js';
import { entryHash } from './key-hash.js';
import { component, Gl, postedChange } from './ledger/chart.js';
import type { EntryKind } from './ledger/entry-kinds.js';
import { amountText, isAmount } from './money.js';
import type { ShardState } from './shard-state.js';
import { accountView } from './views.js';

const DAY_MS = 86_400_000;

/** What makes one entry apart from another. */
export interface Draft {
  entry: EntryKind;
  accountSlot: number;
  reference: string;
  legs: EntryLeg[];
  cardSlot?: number;
  relatedSequence?: number;
  note?: string;
  carry?: number;
  disputed?: Disputed;
  ended?: DisputeEnd;
  /** Day that it counts for; today without. */
  day?: number;
}

/** Where entries are checked and posted for one command. */
export class Desk {
  readonly state: ShardState;
  /** What it was made of, for what looks at the past. */
  readonly context: CommandContext;
  readonly #nowMs: number;
  readonly #commit: Commit;

  constructor(context: CommandContext, nowMs: number, commit: Commit) {
    this.state = context.state;
    this.context = context;
    this.#nowMs = nowMs;
    this.#commit = commit;
  }

  /** The record at the sequence, where it is none of a message and was not dropped. */
  record(sequence: number): PlainEvent | undefined {
    if (sequence <= this.context.history.floor) return undefined;
    return this.context.history.readEvent(sequence);
  }

  /** The entry at the sequence, where it is of this kind. */
  entry(sequence: number, kind: EntryKind): EntryPosted | undefined {
    const event = this.record(sequence);
    return event?.kind === EventKind.entryPosted && event.entry === kind ? event : undefined;
  }

  isPosted(entry: EntryKind, accountSlot: number, reference: string): boolean {
    const { high, low } = entryHash({ entry, accountSlot, reference });
    return this.state.references.find(high, low) > 0;
  }

  /** The account that an amount is for, or why it cannot be. */
  accountFor(command: ChargeFee | RefundCredit | Recover | OpenDispute, entry: EntryKind): number | CommandResult {
    const { accounts } = this.state;
    const slot = accounts.find(command.account);
    if (slot < 0) return refuse('account_not_found', `there is no account ${command.account}`);
    if (command.currency !== accounts.currency(slot)) {
      return refuse('currency_mismatch', `account ${command.account} is kept in currency ${accounts.currency(slot)}`);
    }
    if (!isAmount(command.amount, 1)) {
      return refuse('amount_out_of_range', amountText('the amount', command.amount, 1));
    }
    if (this.isPosted(entry, slot, command.reference)) {
      return refuse('reference_exists', `account ${command.account} has such an entry with this reference`);
    }
    return slot;
  }

  /** Why the legs cannot be posted to the account: a balance would leave the range in which it can be kept. */
  outOfRange(accountSlot: number, legs: readonly EntryLeg[]): CommandResult | undefined {
    const { accounts } = this.state;
    const leaves = (balance: number): boolean => Math.abs(balance) > CREDIT_BALANCE_MAX;
    const balances = legs.map(({ glAccount, amount }) => {
      const which = component(glAccount);
      return which < 0 ? 0 : accounts.component(accountSlot, which) + amount;
    });
    balances.push(accounts.posted(accountSlot) + postedChange(legs));
    const out = balances.find(leaves);
    if (out === undefined) return undefined;
    return refuse(
      'amount_out_of_range',
      `a balance of the account would be ${out}; it may be ${CREDIT_BALANCE_MAX} minor units either way: post less`,
    );
  }

  post(draft: Draft): number {
    const { accounts, cards } = this.state;
    const { accountSlot, cardSlot = -1, relatedSequence = 0, note = '', carry = 0, ...rest } = draft;
    const event: EntryPosted = {
      kind: EventKind.entryPosted,
      sequence: 0,
      timeMs: this.#nowMs,
      ...rest,
      accountSlot,
      cardSlot,
      day: draft.day ?? Math.floor(this.#nowMs / DAY_MS),
      relatedSequence,
      note,
      carry,
      previousOfAccount: accountSlot < 0 ? 0 : accounts.newest(accountSlot),
      previousOfCard: cardSlot < 0 ? 0 : cards.newest(cardSlot),
    };
    this.#commit(event);
    return event.sequence;
  }

  close(accountSlot: number): void {
    const { accounts } = this.state;
    if (accounts.status(accountSlot) === AccountStatus.closed) return;
    this.#commit({
      kind: EventKind.accountUpdated,
      sequence: 0,
      timeMs: this.#nowMs,
      accountSlot,
      creditLimit: accounts.creditLimit(accountSlot),
      status: AccountStatus.closed,
      previousOfAccount: accounts.newest(accountSlot),
    });
  }

  /** Posts the entry of an account unless a balance would leave its range. */
  answer(draft: Draft): CommandResult {
    const { accountSlot, legs } = draft;
    return this.outOfRange(accountSlot, legs) ?? this.done(accountSlot, this.post(draft));
  }

  done(accountSlot: number, sequence: number): Extract<CommandResult, { balanceAfter?: number }> {
    const account = accountView(this.state, accountSlot);
    return { ok: true, sequence, account, balanceAfter: account.posted };
  }

  /** What was charged off of the account and has not been recovered. */
  chargedOff(accountSlot: number): number {
    return this.state.accounts.component(accountSlot, component(Gl.creditLoss));
  }
}
