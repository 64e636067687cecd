/**
 * Writes and reads of the control plane and, of totals, of the ingress, as they cross the rings (msgpack). A command is validated for shape by the
 * control plane and for meaning by the shard; a refusal is a value with a code, never an exception.
 */
import type { ClearingAnswer, ClearingEntry } from './clearing/input.js';
import type { FieldValue } from './compare-totals.js';
import type { Accrue, AccruedSlice, EntryCommand, PostPayment } from './entry-commands.js';
import type {
  AccountView,
  CardView,
  ChangeFingerprints,
  CreateAccount,
  CreateAlias,
  CreateCard,
  IdempotencyTag,
  ImportRows,
  UpdateAccount,
  UpdateCard,
} from './party-commands.js';
import type { TotalsKey } from './totals.js';

/**
 * Binds an idempotency key to one body, in the shard that owns the key, before anything is done under it. A key that is
 * bound to another body is refused as `idempotency_mismatch`.
 */
export interface ClaimKey {
  op: 'claim_key';
  idempotency: IdempotencyTag;
}

/** Keeps the answer to a request that left no outcome beside an effect (a refusal, a simulation) in the key's shard. */
export interface KeepAnswer {
  op: 'keep_answer';
  idempotency: IdempotencyTag;
  answer: Uint8Array;
}

/** Ends the hold of the authorization at the sequence at once, before its time: the simulator. */
export interface ExpireHold {
  op: 'expire_hold';
  sequence: number;
}

/** The snapshot of a program as it is now (program/snapshot.ts). Ignored unless its revision is above the shard's. */
export interface ApplyProgram {
  op: 'apply_program';
  /** Index of the program in the system journal. */
  program: number;
  revision: number;
  text: string;
}

/** Compares what an acquirer says (0500, 0520) with the sum over the shards, and journals both. */
export interface CompareTotals extends TotalsKey {
  op: 'compare_totals';
  /** DE0, DE7 and DE11 of the message. */
  mti: number;
  transmission: number;
  stan: number;
  /** False when the message named no date: then its repeat is told by the rest. */
  dated: boolean;
  theirs: FieldValue[];
  /** A row of totals (totals-table.ts). */
  sums: number[];
}

/**
 * Records of a clearing file about cards of one shard (of unknown cards: where messages of that number go), in their order, at
 * most CLEARING_COMMAND_RECORDS_MAX. The answer may be about the first of them only, at least one: the shard leaves the rest
 * when its turn has no more time. Sent again it posts nothing twice, so what was cut off is simply sent again.
 */
export interface Clear {
  op: 'clear';
  /** Names the file, 1 to 64 characters: IPM PDS0105. With the number of a record it is unique. */
  file: string;
  records: ClearingEntry[];
  /**
   * The numbers were unknown until lately: what was posted to suspense under them is found, and what takes such a record back is
   * posted there too. Every other record answers `elsewhere`, and belongs to its card.
   */
  asUnknown?: boolean;
}

/** What decide-command.ts decides. */
export type Change =
  | CreateAccount
  | UpdateAccount
  | CreateCard
  | CreateAlias
  | UpdateCard
  | ImportRows
  | PostPayment
  | ChangeFingerprints
  | EntryCommand;

export type Command = Change | Clear | Accrue | ApplyProgram | ClaimKey | KeepAnswer | ExpireHold | CompareTotals;

export type Refusal =
  | 'account_exists'
  | 'account_not_found'
  | 'account_closed'
  | 'card_exists'
  | 'card_not_found'
  | 'card_status_final'
  | 'card_replaced'
  | 'not_a_card'
  | 'currency_mismatch'
  | 'reference_exists'
  | 'entry_not_found'
  | 'already_reversed'
  | 'balance_too_low'
  | 'nothing_owed'
  | 'account_charged_off'
  | 'dispute_step_refused'
  | 'given_back'
  | 'suspense_amount'
  | 'already_resolved'
  | 'day_out_of_range'
  | 'amount_out_of_range'
  | 'capacity_exceeded'
  | 'idempotency_mismatch'
  | 'hold_not_open'
  /** It needs a record that is not in the journal any more. */
  | 'dropped'
  /** It stopped the shard once, and is not tried again. */
  | 'set_aside'
  | 'shard_unavailable';

export type CommandResult =
  | {
      ok: true;
      sequence: number;
      replayed?: boolean;
      account?: AccountView;
      card?: CardView;
      balanceAfter?: number;
      /** Of the fee for a returned payment. */
      feeSequence?: number;
      /** What a settlement left on its sub-account, C positive. */
      remaining?: number;
    }
  | {
      ok: true;
      sequence: number;
      imported: { accounts: number; cards: number; refused: { row: number; code: Refusal }[] };
    }
  | { ok: true; sequence: number; accrued: AccruedSlice }
  | { ok: true; sequence: number; fingerprints: { changed: number; unknown: number } }
  | { ok: true; sequence: number; claim: KeyClaim }
  /** One answer per record, in their order. */
  | { ok: true; sequence: number; cleared: ClearingAnswer[] }
  | { ok: true; sequence: number; compared: { equal: boolean; day: number; ours: FieldValue[] } }
  | { ok: false; code: Refusal; detail?: string };

/** A claimed idempotency key. */
export interface KeyClaim {
  /** True when an earlier request claimed it: its effect may have happened. */
  known: boolean;
  /** Shard time of the claim, ms since 1970 UTC: the same in every repeat. */
  claimedMs: number;
  /** What `keep_answer` kept. */
  answer?: Uint8Array;
}
