/**
 * A backtest under way: reads the records of a period, shard by shard, and has each judged. It runs in the control thread
 * and rests four times as long as it works (50 ms at most), so authorizations and other requests do not feel it.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { MessageEvent } from '../domain/events.js';
import {
  BACKTEST_CARDS_KEPT_MAX,
  BACKTEST_CONTROLS_TEXT_MAX,
  BACKTEST_DECISIONS_MAX,
  BACKTEST_REST_FACTOR,
  BACKTEST_REST_MS_MAX,
  LIST_SCAN_SLICE,
} from '../limits.js';
import { BacktestJudge, type CardFacts, type Difference, type DifferenceKind } from './backtest-judge.js';
import type { ControlContext } from './context.js';
import { currencyCode } from './currencies.js';
import { firstFrom, headOf } from './history.js';
import { eventId } from './ids.js';
import type { RuleRecord } from './system-log.js';
import { refused } from './views.js';

export interface BacktestSpan {
  /** ms since 1970 UTC; `until` itself does not belong to it. */
  readonly sinceMs: number;
  readonly untilMs: number;
  /** Only this account. */
  readonly account: { readonly id: string; readonly shard: number; readonly slot: number } | undefined;
}

/** A decision that would have been another. */
export interface DifferingDecision extends Difference {
  /** Of the element: an authorization may have several. */
  readonly id: string;
  readonly authorization: string;
  readonly account: string;
  readonly currency: string;
  readonly timeMs: number;
}

interface Sum {
  count: number;
  /** Minor units by currency. */
  readonly amounts: Map<string, bigint>;
}

/** Sequences of one shard, the last one included. */
interface Part {
  readonly shard: number;
  readonly first: number;
  readonly last: number;
}

/** Cards that were read, the oldest forgotten first. */
export class KnownCards {
  readonly #cards = new Map<string, CardFacts>();
  readonly #cardsMax: number;
  readonly #textMax: number;
  /** Characters of their controls. */
  #text = 0;

  constructor(cardsMax = BACKTEST_CARDS_KEPT_MAX, textMax = BACKTEST_CONTROLS_TEXT_MAX) {
    this.#cardsMax = cardsMax;
    this.#textMax = textMax;
  }

  of(shard: number, slot: number): CardFacts | undefined {
    return this.#cards.get(`${shard}/${slot}`);
  }

  add(shard: number, slot: number, facts: CardFacts): void {
    this.#cards.set(`${shard}/${slot}`, facts);
    this.#text += textOf(facts);
    for (const [key, oldest] of this.#cards) {
      if (this.#cards.size <= this.#cardsMax && this.#text <= this.#textMax) return;
      this.#cards.delete(key);
      this.#text -= textOf(oldest);
    }
  }
}

function textOf({ card, account }: CardFacts): number {
  return (card.controls?.length ?? 0) + (account.controls?.length ?? 0);
}

export class Backtest {
  readonly rule: RuleRecord;
  readonly number: number;
  readonly span: BacktestSpan;
  readonly createdMs: number;
  status: 'running' | 'done' | 'failed' = 'running';
  finishedMs = 0;
  /** Records in the period, and how many of them have been read. */
  records = 0;
  read = 0;
  evaluated = 0;
  windowsUnknown = 0;
  readonly sums: Readonly<Record<DifferenceKind, Sum>> = {
    would_decline: { count: 0, amounts: new Map() },
    would_no_longer_decline: { count: 0, amounts: new Map() },
    would_decline_otherwise: { count: 0, amounts: new Map() },
  };
  /** The first of them, at most BACKTEST_DECISIONS_MAX. */
  readonly decisions: DifferingDecision[] = [];
  readonly #context: ControlContext;
  readonly #judge: BacktestJudge;
  readonly #message = new MessageEvent();
  readonly #cards = new KnownCards();
  #cancelled = false;

  constructor(context: ControlContext, rule: RuleRecord, number: number, span: BacktestSpan) {
    this.#context = context;
    this.rule = rule;
    this.number = number;
    this.span = span;
    this.createdMs = context.nowMs();
    this.#judge = new BacktestJudge(context, rule);
  }

  /** It ends at the next record, without a result. */
  cancel(): void {
    this.#cancelled = true;
  }

  /** Resolves at the end or after `cancel`. @throws whatever stops it: the reader of the journal, a shard */
  async run(): Promise<void> {
    const parts = this.#parts();
    this.records = parts.reduce((sum, { first, last }) => sum + last - first + 1, 0);
    let slice = 0;
    let startedMs = performance.now();
    for (const { shard, first, last } of parts) {
      for (let sequence = first; sequence <= last && !this.#cancelled; sequence++) {
        await this.#take(shard, sequence);
        this.read++;
        if (++slice % LIST_SCAN_SLICE > 0) continue;
        await sleep(Math.min(BACKTEST_REST_MS_MAX, (performance.now() - startedMs) * BACKTEST_REST_FACTOR));
        startedMs = performance.now();
      }
    }
  }

  #parts(): Part[] {
    const { sinceMs, untilMs, account } = this.span;
    const shards =
      account === undefined ? Array.from({ length: this.#context.shards.shards }, (_, i) => i) : [account.shard];
    return shards.map((shard) => {
      const { sequence } = headOf(this.#context, shard);
      const first = firstFrom(this.#context, shard, sequence, sinceMs);
      return { shard, first, last: firstFrom(this.#context, shard, sequence, untilMs) - 1 };
    });
  }

  async #take(shard: number, sequence: number): Promise<void> {
    const message = this.#message;
    if (!this.#context.journal.readMessage(shard, sequence, message) || message.cardSlot < 0) return;
    if (this.span.account !== undefined && message.accountSlot !== this.span.account.slot) return;
    const known = this.#cards.of(shard, message.cardSlot);
    const now = known ?? (await this.#readCard(shard, message.cardSlot));
    if (this.#context.system.programAt(now.account.program)?.program.id !== this.rule.program) return;
    const { evaluated, windowUnknown, difference } = this.#judge.judge(message, now);
    if (evaluated) this.evaluated++;
    if (windowUnknown) this.windowsUnknown++;
    if (difference !== undefined) this.#add(shard, message, now, difference);
  }

  async #readCard(shard: number, slot: number): Promise<CardFacts> {
    const result = await this.#context.shards.read(shard, { op: 'card', slot });
    if (!result.ok) throw refused(result);
    if (!('card' in result)) throw new TypeError('the shard answered no card');
    const facts = { card: result.card, account: result.accountView };
    this.#cards.add(shard, slot, facts);
    return facts;
  }

  #add(shard: number, message: MessageEvent, { account }: CardFacts, difference: Difference): void {
    const currency = currencyCode(account.currency);
    const sum = this.sums[difference.kind];
    sum.count++;
    sum.amounts.set(currency, (sum.amounts.get(currency) ?? 0n) + BigInt(difference.amount ?? 0));
    if (this.decisions.length >= BACKTEST_DECISIONS_MAX) return;
    const { sequence, originalSequence, timeMs } = message;
    this.decisions.push({
      ...difference,
      id: eventId(this.#context, 'elem', shard, sequence),
      authorization: this.#context.ids.encode('auth', shard, originalSequence > 0 ? originalSequence : sequence),
      account: account.id,
      currency,
      timeMs,
    });
  }
}
