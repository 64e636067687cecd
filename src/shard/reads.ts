/**
 * Reads of the control plane. An answer waits for the durability of everything the shard had appended when it was made:
 * `queueResult` queues it behind the shard's last sequence.
 */
import { pack, unpack } from 'msgpackr';
import { countDue } from '../domain/due-holds.js';
import { entryHash } from '../domain/key-hash.js';
import { stepsOf } from '../domain/ledger/dispute-steps.js';
import type { Read, ReadResult, ShardStats } from '../domain/reads.js';
import { suspenseAt, suspenseState } from '../domain/suspense.js';
import { accountRow, accountView, cardRow, cardView, ledgerTotals } from '../domain/views.js';
import { DUE_ROWS_PER_READ, HOLD_ROWS_PER_READ, REVISION_STATS_PER_READ } from '../limits.js';
import { unlessDropped } from './commands.js';
import { totalsOf } from './compare.js';
import { earlierOutcome } from './idempotency.js';
import type { LogicalShard } from './logical-shard.js';
import type { WireEntry } from './parking.js';
import type { ThreadContext } from './thread-context.js';

/** Answers the read of the current ring entry, at the times of the turn. */
export function handleRead(
  shard: LogicalShard,
  durable: number,
  client: number,
  entry: WireEntry,
  { nowMs, windowLagMs }: Pick<ThreadContext, 'nowMs' | 'windowLagMs'>,
): void {
  const payload = entry.bytes.slice(entry.payloadAt, entry.payloadAt + entry.payloadLength);
  const read = unpack(payload) as Read;
  const result = unlessDropped(shard, () => answer(shard, durable, nowMs, nowMs - windowLagMs, read));
  shard.queueResult(client, entry.token, pack(result));
}

/** @param nowMs shard time, ms since 1970 UTC @param windowMs time of velocity windows */
function answer(shard: LogicalShard, durable: number, nowMs: number, windowMs: number, read: Read): ReadResult {
  const { accounts, cards, holds } = shard.state;
  switch (read.op) {
    case 'account': {
      const slot = accounts.find(read.id);
      return slot < 0
        ? { ok: false, code: 'account_not_found' }
        : { ok: true, account: accountView(shard.state, slot) };
    }
    case 'account_slot':
      if (!accounts.exists(read.slot)) return { ok: false, code: 'account_not_found' };
      return { ok: true, account: accountView(shard.state, read.slot) };
    case 'card': {
      if (!cards.exists(read.slot)) return { ok: false, code: 'card_not_found' };
      const card = cardView(shard.state, read.slot);
      return { ok: true, card, accountView: accountView(shard.state, cards.account(read.slot)) };
    }
    case 'cards_of_account': {
      const slot = accounts.find(read.id);
      if (slot < 0) return { ok: false, code: 'account_not_found' };
      return { ok: true, cards: shard.state.cardsOf(slot).map((card) => cardRow(shard.state, card)) };
    }
    case 'card_limits':
      if (!cards.exists(read.slot)) return { ok: false, code: 'card_not_found' };
      if (cards.isAlias(read.slot)) return { ok: false, code: 'not_a_card' };
      return {
        ok: true,
        limits: shard.limits.ofCard(read.slot, windowMs),
        ofCard: cardView(shard.state, read.slot),
        ofAccount: accountView(shard.state, cards.account(read.slot)),
      };
    case 'account_limits': {
      const slot = accounts.find(read.id);
      if (slot < 0) return { ok: false, code: 'account_not_found' };
      return { ok: true, limits: shard.limits.ofAccount(slot, windowMs), ofAccount: accountView(shard.state, slot) };
    }
    case 'aliases':
      if (!cards.exists(read.cardSlot)) return { ok: false, code: 'card_not_found' };
      return { ok: true, cards: aliasesOf(shard, read.cardSlot).map((slot) => cardRow(shard.state, slot)) };
    case 'accounts':
      return { ok: true, accounts: slotsBelow(accounts.count, read).map((slot) => accountRow(shard.state, slot)) };
    case 'cards':
      return { ok: true, cards: cardsBelow(shard, read).map((slot) => cardRow(shard.state, slot)) };
    case 'index':
      // An incomplete index would leave out what it does not know.
      if (shard.index.incomplete) return { ok: false, code: 'shard_unavailable' };
      return { ok: true, sequences: searchIndex(shard, read) };
    case 'hold': {
      const slot = holds.find(read.sequence);
      if (slot < 0) return { ok: true, remaining: 0, original: 0, expiresMs: 0 };
      return {
        ok: true,
        remaining: holds.remaining(slot),
        original: holds.original(slot),
        expiresMs: holds.expiresMs(slot),
      };
    }
    case 'oldest_hold': {
      const { oldest, next } = oldestHold(holds, read.from);
      return { ok: true, oldestHold: oldest, next };
    }
    case 'holds_due':
      return { ok: true, ...countDue(shard.state, read.untilMs, read.from, DUE_ROWS_PER_READ) };
    case 'stage_times':
      return { ok: true, stageTimes: shard.stageTimes.of(read.sequence) };
    case 'outcome':
      return { ok: true, outcome: earlierOutcome(shard, read.idempotency) ?? null };
    case 'programs':
      return { ok: true, programs: programRevisions(shard) };
    case 'dispute':
      return { ok: true, steps: stepsOf(shard.state.references, read.accountSlot, read.sequence) };
    case 'suspense': {
      if (shard.index.incomplete) return { ok: false, code: 'shard_unavailable' };
      const items = read.sequences.flatMap((sequence) => suspenseAt(shard.decisions, sequence) ?? []);
      return { ok: true, suspense: items.map((item) => suspenseState(shard.decisions, item)) };
    }
    case 'entry': {
      const { high, low } = entryHash(read);
      const sequence = shard.state.references.find(high, low);
      return { ok: true, sequences: sequence > 0 ? [sequence] : [] };
    }
    case 'acquirer_totals':
      return { ok: true, values: totalsOf(shard, read, nowMs) };
    case 'rule_stats':
      return { ok: true, ruleStats: shard.state.ruleStats.of(read.program, read.after, REVISION_STATS_PER_READ) };
    case 'totals':
      return { ok: true, totals: ledgerTotals(shard.state), sequence: shard.journal.sequence };
    case 'stats':
      return { ok: true, stats: stats(shard, durable) };
  }
}

/** Lowest sequence of an authorization with an open hold, 0 for none, among HOLD_ROWS_PER_READ rows; -1 for `next` at the end. */
function oldestHold(holds: LogicalShard['state']['holds'], from: number): { oldest: number; next: number } {
  const end = Math.min(holds.slots, from + HOLD_ROWS_PER_READ);
  let oldest = 0;
  for (let slot = from; slot < end; slot++) {
    const sequence = holds.sequence(slot);
    if (sequence > 0 && (oldest === 0 || sequence < oldest)) oldest = sequence;
  }
  return { oldest, next: end < holds.slots ? end : -1 };
}

/** Network tokens are few and younger than their card: a look at every younger row. */
function aliasesOf({ state: { cards } }: LogicalShard, cardSlot: number): number[] {
  const slots: number[] = [];
  for (let slot = cardSlot + 1; slot < cards.count; slot++) if (cards.aliasOf(slot) === cardSlot) slots.push(slot);
  return slots;
}

/** Slots of cards below `before`, newest first, without network tokens. */
function cardsBelow({ state: { cards } }: LogicalShard, read: { before: number; limit: number }): number[] {
  const slots: number[] = [];
  const from = read.before < 0 ? cards.count : Math.min(cards.count, read.before);
  for (let slot = from - 1; slot >= 0 && slots.length < read.limit; slot--) {
    if (!cards.isAlias(slot)) slots.push(slot);
  }
  return slots;
}

/** Slots below `before`, newest first. */
function slotsBelow(count: number, read: { before: number; limit: number }): number[] {
  const slots: number[] = [];
  const from = read.before < 0 ? count : Math.min(count, read.before);
  for (let slot = from - 1; slot >= 0 && slots.length < read.limit; slot--) slots.push(slot);
  return slots;
}

function searchIndex(shard: LogicalShard, read: { high: number; low?: number; limit: number }): number[] {
  if (read.low === undefined) {
    const found = shard.index.findPrefix(read.high, read.limit);
    return Array.from(found.sequences.subarray(0, found.count));
  }
  const found = shard.index.find(read.high, read.low);
  return Array.from(found.sequences.subarray(0, found.count)).reverse().slice(0, read.limit);
}

function stats(shard: LogicalShard, durable: number): ShardStats {
  const index = shard.index.stats();
  return {
    shard: shard.number,
    sequence: shard.journal.sequence,
    durable,
    accounts: shard.state.accounts.count,
    cards: shard.state.cards.count,
    holdsOpen: shard.state.holdsOpen,
    recentKeys: index.recentEntries,
    indexedThrough: index.completeThrough,
    tombstones: shard.state.tombstones,
    memoryBytes: shard.state.memoryBytes + index.recentBytes + index.segmentBytes,
  };
}

function programRevisions(shard: LogicalShard): { program: number; revision: number }[] {
  const programs: { program: number; revision: number }[] = [];
  shard.state.programs.forEach((program, revision) => {
    programs.push({ program, revision });
  });
  return programs;
}
