/**
 * The books of a shard once more, from the legs of its records alone: no table of the engine, no fold, only sums. A verification
 * holds them against what the fold has, so that neither an error of the ledger's tables nor one of an account's components can hide
 * behind the other.
 *
 *   per record    debits = credits, in every currency
 *   per row       turnovers of every (currency, chart account, sub-account)
 *   per account   the balance of every component
 *   references    as many as entries that have one: none was posted twice
 */
import { EventKind } from '../domain/codes.js';
import type { EntryLeg, MessageEvent, PlainEvent, Posting } from '../domain/events.js';
import { COMPONENTS, component, Gl } from '../domain/ledger/chart.js';
import type { ShardState } from '../domain/shard-state.js';
import type { Violated } from './verify-fold.js';

interface Row {
  debit: bigint;
  credit: bigint;
}

const rowName = (currency: number, glAccount: number, sub: number): string => `${currency} ${glAccount} ${sub}`;

export class BooksOfRecords {
  readonly #rows = new Map<string, Row>();
  /** ISO 4217 numeric by account slot. */
  readonly #currency: number[] = [];
  /** By account slot: a balance per component. */
  readonly #accounts: bigint[][] = [];
  #named = 0;

  /** Begins with the books of the dropped part: the state that an anchor has was held against its records when they went. */
  restore({ accounts, ledger, references }: ShardState): void {
    ledger.forEach((currency, glAccount, debit, credit, sub) => {
      this.#rows.set(rowName(currency, glAccount, sub), { debit, credit });
    });
    for (let slot = 0; slot < accounts.count; slot++) {
      if (!accounts.exists(slot)) continue;
      this.#currency[slot] = accounts.currency(slot);
      this.#accounts[slot] = COMPONENTS.map((_, which) => BigInt(accounts.component(slot, which)));
    }
    this.#named = references.count;
  }

  addMessage(event: MessageEvent, violated: Violated): void {
    const { accountSlot, holdDelta, postings, sequence } = event;
    if (accountSlot < 0) return;
    if (holdDelta === 0 && postings.count === 0) return;
    this.#add(sequence, accountSlot, holdDelta, postings.toList(), violated);
  }

  addEvent(event: PlainEvent, violated: Violated): void {
    if (event.kind === EventKind.accountCreated) this.#currency[event.accountSlot] = event.currency;
    const effect = effectOf(event);
    if (effect === undefined) return;
    if (effect.isNamed) this.#named++;
    this.#add(event.sequence, effect.accountSlot, effect.holdDelta, effect.legs, violated);
  }

  /** @throws what `violated` makes of the first difference to the state of the fold */
  compare(state: ShardState, violated: Violated): void {
    const seen = new Set<string>();
    state.ledger.forEach((currency, glAccount, debit, credit, sub) => {
      const name = rowName(currency, glAccount, sub);
      seen.add(name);
      const row = this.#rows.get(name) ?? { debit: 0n, credit: 0n };
      if (row.debit === debit && row.credit === credit) return;
      const ours = `debits of ${debit} and credits of ${credit}`;
      throw violated(`the ledger has ${ours}, the records ${row.debit} and ${row.credit} (row ${name})`);
    });
    for (const name of this.#rows.keys()) {
      if (!seen.has(name)) throw violated(`the ledger has no row ${name}, the records have`);
    }
    for (let slot = 0; slot < state.accounts.count; slot++) {
      if (state.accounts.exists(slot)) this.#compareAccount(state, slot, violated);
    }
    if (state.references.count !== this.#named) {
      throw violated(`${this.#named} entries have a reference, and ${state.references.count} references are known`);
    }
  }

  #compareAccount({ accounts }: ShardState, slot: number, violated: Violated): void {
    COMPONENTS.forEach((glAccount, which) => {
      const fromRecords = this.#accounts[slot]?.[which] ?? 0n;
      const kept = accounts.component(slot, which);
      if (fromRecords === BigInt(kept)) return;
      throw violated(`account ${accounts.id(slot)} has ${kept} on ${glAccount}, its records ${fromRecords}`);
    });
  }

  #add(
    sequence: number,
    slot: number,
    holdDelta: number,
    legs: readonly (Posting | EntryLeg)[],
    violated: Violated,
  ): void {
    const own = this.#currency[slot] ?? 0;
    const sums = new Map<number, bigint>();
    for (const leg of legs) {
      const amount = BigInt(leg.amount);
      const currency = 'currency' in leg ? leg.currency : own;
      sums.set(currency, (sums.get(currency) ?? 0n) + amount);
      this.#turn(rowName(currency, leg.glAccount, 'sub' in leg ? leg.sub : 0), amount);
      const which = component(leg.glAccount);
      if (which < 0) continue;
      if (slot < 0 || currency !== own) {
        throw violated(
          `the record at ${sequence} posts to ${leg.glAccount} in currency ${currency}, not of its account`,
        );
      }
      const parts = this.#accounts[slot] ?? COMPONENTS.map(() => 0n);
      this.#accounts[slot] = parts;
      parts[which] = parts[which]! + amount;
    }
    for (const [currency, sum] of sums) {
      if (sum !== 0n) throw violated(`the record at ${sequence} is out of balance by ${sum} in currency ${currency}`);
    }
    if (holdDelta === 0) return;
    this.#turn(rowName(own, Gl.holds, 0), BigInt(holdDelta));
    this.#turn(rowName(own, Gl.holdsContra, 0), BigInt(-holdDelta));
  }

  #turn(name: string, amount: bigint): void {
    const row = this.#rows.get(name) ?? { debit: 0n, credit: 0n };
    this.#rows.set(name, row);
    if (amount > 0n) row.debit += amount;
    else row.credit -= amount;
  }
}

interface Effect {
  accountSlot: number;
  holdDelta: number;
  legs: readonly (Posting | EntryLeg)[];
  /** True when a reference names it. */
  isNamed: boolean;
}

/** What a record does to the books; undefined when nothing. */
function effectOf(event: PlainEvent): Effect | undefined {
  switch (event.kind) {
    case EventKind.payment:
      return { accountSlot: event.accountSlot, holdDelta: 0, legs: event.postings, isNamed: true };
    case EventKind.entryPosted:
      return { accountSlot: event.accountSlot, holdDelta: 0, legs: event.legs, isNamed: event.reference !== '' };
    case EventKind.clearingPosted:
      return {
        accountSlot: event.accountSlot,
        holdDelta: event.holdDelta,
        legs: event.legs,
        isNamed: event.disputeSequence > 0,
      };
    case EventKind.notDelivered: {
      const { accountSlot, holdDelta, postings } = event;
      return { accountSlot, holdDelta, legs: postings, isNamed: false };
    }
    case EventKind.holdExpired:
      return { accountSlot: event.accountSlot, holdDelta: event.holdDelta, legs: [], isNamed: false };
    case EventKind.accountCreated:
    case EventKind.accountUpdated:
    case EventKind.cardCreated:
    case EventKind.cardUpdated:
    case EventKind.controlsSet:
    case EventKind.pinReferenceSet:
    case EventKind.fingerprintChanged:
    case EventKind.idempotency:
    case EventKind.poison:
    case EventKind.programApplied:
    case EventKind.accrualMarked:
    case EventKind.statementClosed:
    case EventKind.totalsCompared:
    case EventKind.unknownCardCount:
      return undefined;
  }
}
