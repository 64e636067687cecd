/**
 * The domain's part of a verification: rebuilds one shard after the other by the fold that the engine itself uses, and
 * checks at the end of each what must hold between its tables.
 *
 *   per entry     its legs sum to zero (the fold asserts it)
 *   per account   held = what remains on its open holds
 *   per currency  debits = credits; memo 9100 = held amounts, 9199 = their contra; every component of the accounts = its control account
 *   per row       what separate code sums up from the records' legs alone (verify-books.ts)
 *   per card      its number is in the vault (presence and shape of the row: no key is needed, nothing is decrypted)
 */
import { applyEvent, applyMessage } from '../domain/apply.js';
import type { MessageEvent, PlainEvent } from '../domain/events.js';
import { COMPONENTS, component, Gl } from '../domain/ledger/chart.js';
import { ShardState } from '../domain/shard-state.js';
import { HoldfastError } from '../errors.js';
import { type Anchor, anchorCorrupt } from '../journal/anchor.js';
import type { Digest } from '../journal/types.js';
import type { VerifyFold } from '../journal/verify.js';
import type { Fingerprint } from '../vault/fingerprint.js';
import { restoreState, TrialBalance } from './anchor-state.js';
import { BooksOfRecords } from './verify-books.js';

/** Looks a card's number up in the vault: what is wrong with its row, undefined when it is there and whole. */
export type PanDefect = (fingerprint: Fingerprint) => string | undefined;

/** Turnovers, minor units. */
export interface Turnover {
  debits: bigint;
  credits: bigint;
}

export class DomainFold implements VerifyFold {
  /** Over all finished shards, by ISO 4217 numeric. Every account of the chart takes part, the memo pair too. */
  readonly currencies = new Map<number, Turnover>();
  accounts = 0;
  cards = 0;
  holdsOpen = 0;
  readonly #panDefect: PanDefect;
  #state = new ShardState(0);
  #books = new BooksOfRecords();
  readonly #restored = new TrialBalance();

  constructor(panDefect: PanDefect) {
    this.#panDefect = panDefect;
  }

  restore(shard: number, anchor: Anchor): void {
    const state = this.state(shard);
    restoreState(state, anchor);
    this.#books.restore(state);
    state.ledger.forEach((currency, account, debit, credit) => {
      this.#restored.add(currency, account, debit, credit);
    });
  }

  finishAnchor({ path, document }: Anchor): void {
    const restored = this.#restored.list();
    if (JSON.stringify(restored) !== JSON.stringify(document.balances))
      throw anchorCorrupt(path, 'its trial balance is not that of its states');
  }

  applyMessage(shard: number, event: MessageEvent): void {
    applyMessage(this.state(shard), event);
    this.#books.addMessage(event, violation(shard, event.sequence));
  }

  applyEvent(shard: number, event: PlainEvent): void {
    applyEvent(this.state(shard), event);
    this.#books.addEvent(event, violation(shard, event.sequence));
  }

  digest(shard: number): Digest {
    return this.state(shard).digest;
  }

  finish(shard: number, sequence: number): void {
    const state = this.state(shard);
    const violated = violation(shard, sequence);
    checkHolds(state, violated);
    checkLedger(state, violated);
    this.#books.compare(state, violated);
    this.#checkCards(state, violated);
    this.#add(state);
    this.begin(shard + 1);
  }

  /** Begins a shard with nothing. */
  begin(shard: number): void {
    this.#state = new ShardState(shard);
    this.#books = new BooksOfRecords();
  }

  totals(): Turnover {
    const sum: Turnover = { debits: 0n, credits: 0n };
    for (const { debits, credits } of this.currencies.values()) {
      sum.debits += debits;
      sum.credits += credits;
    }
    return sum;
  }

  /** The state of the shard under way: one at a time, so that a verification needs the memory of one shard. */
  state(shard: number): ShardState {
    if (this.#state.shard !== shard) this.begin(shard);
    return this.#state;
  }

  #checkCards({ cards }: ShardState, violated: Violated): void {
    for (let slot = 0; slot < cards.count; slot++) {
      if (!cards.exists(slot)) continue;
      const [f0, f1, f2] = [cards.fingerprint(slot, 0), cards.fingerprint(slot, 1), cards.fingerprint(slot, 2)];
      const defect = this.#panDefect({ f0, f1, f2 });
      if (defect !== undefined) {
        const place = `card slot ${slot} (newest record ${cards.newest(slot)})`;
        throw violated(`the vault row of ${place} ${defect}`);
      }
    }
  }

  #add(state: ShardState): void {
    this.accounts += state.accounts.rows;
    this.cards += state.cards.rows;
    this.holdsOpen += state.holdsOpen;
    state.ledger.forEach((currency, _glAccount, debit, credit) => {
      const sums = this.currencies.get(currency) ?? { debits: 0n, credits: 0n };
      sums.debits += debit;
      sums.credits += credit;
      this.currencies.set(currency, sums);
    });
  }
}

export type Violated = (what: string) => HoldfastError;

const violation =
  (shard: number, sequence: number): Violated =>
  (what) =>
    new HoldfastError(
      'invariant_violated',
      `shard ${shard}, after sequence ${sequence}: ${what}`,
      'keep the directory as it is and report it',
    );

function checkHolds({ accounts, holds }: ShardState, violated: Violated): void {
  const remaining = new Float64Array(accounts.count);
  for (let slot = 0; slot < holds.slots; slot++) {
    if (holds.sequence(slot) === 0) continue;
    // One of which nothing remains (cleared, or a refund) waits for its end as long as something stays authorized.
    if (holds.remaining(slot) < 0 || holds.authorized(slot) <= 0)
      throw violated(`nothing stays authorized of the open hold of sequence ${holds.sequence(slot)}`);
    remaining[holds.account(slot)]! += holds.remaining(slot);
  }
  for (let slot = 0; slot < accounts.count; slot++) {
    if (!accounts.exists(slot) || accounts.held(slot) === remaining[slot]) continue;
    throw violated(`account ${accounts.id(slot)} holds ${accounts.held(slot)}, its open holds ${remaining[slot]}`);
  }
}

/** Every balance of the ledger that the accounts know as well, per currency. Sums over accounts may exceed 2^53. */
function checkLedger(state: ShardState, violated: Violated): void {
  const fromAccounts = accountBalances(state);
  const fromLedger = new Map<string, bigint>();
  const difference = new Map<number, bigint>();
  state.ledger.forEach((currency, glAccount, debit, credit) => {
    difference.set(currency, (difference.get(currency) ?? 0n) + debit - credit);
    if (glAccount === Gl.holds || glAccount === Gl.holdsContra || component(glAccount) >= 0) {
      const place = `${currency} ${glAccount}`;
      fromLedger.set(place, (fromLedger.get(place) ?? 0n) + debit - credit);
    }
  });
  for (const [currency, amount] of difference) {
    if (amount !== 0n) throw violated(`debits and credits of currency ${currency} differ by ${amount}`);
  }
  for (const place of new Set([...fromAccounts.keys(), ...fromLedger.keys()])) {
    const accounts = fromAccounts.get(place) ?? 0n;
    const ledger = fromLedger.get(place) ?? 0n;
    if (accounts !== ledger)
      throw violated(`the accounts have ${accounts}, the ledger ${ledger} (currency and chart account ${place})`);
  }
}

function accountBalances({ accounts }: ShardState): Map<string, bigint> {
  const sums = new Map<string, bigint>();
  const add = (place: string, amount: number): void => {
    if (amount !== 0) sums.set(place, (sums.get(place) ?? 0n) + BigInt(amount));
  };
  for (let slot = 0; slot < accounts.count; slot++) {
    if (!accounts.exists(slot)) continue;
    const currency = accounts.currency(slot);
    add(`${currency} ${Gl.holds}`, accounts.held(slot));
    add(`${currency} ${Gl.holdsContra}`, -accounts.held(slot));
    COMPONENTS.forEach((glAccount, which) => {
      add(`${currency} ${glAccount}`, accounts.component(slot, which));
    });
  }
  return sums;
}
