/**
 * Verification of a data directory: reads nothing but the journal, from the first record, and rebuilds every shard from it.
 *
 *   per frame    checksum, shard, continuity of sequences, hash of the frame before, digest of the rebuilt state
 *   per entry    its legs sum to zero (the fold asserts it)
 *   per account  held = what remains on its open holds
 *   per currency debits = credits; memo 9100 = held amounts; receivables and credit balances = posted balances
 *
 * It works offline and beside a running server: a scan ends at the newest commit that it meets.
 */
import { createHash } from 'node:crypto';
import { postedComponent } from '../domain/account-table.js';
import { applyEvent, applyMessage } from '../domain/apply.js';
import { CHART, MEMO_HOLDS } from '../domain/ledger-totals.js';
import { ShardState } from '../domain/shard-state.js';
import { HoldfastError } from '../errors.js';
import { type FrameHeader, frameHash } from '../journal/frame.js';
import { JournalReader } from '../journal/reader.js';
import type { JournalScan } from '../journal/scan.js';
import { directoryPaths, readDirectoryDocument } from '../store/data-directory.js';

/** Records between two reports of progress, about a tenth of a second. */
const STEP_RECORDS = 50_000;

const NO_HASH = new Uint8Array(32);

export interface ShardReport {
  shard: number;
  /** Last sequence; 0 for an empty shard. */
  sequence: number;
  /** SHA-256 of the last frame, hex. */
  hash: string;
}

/** Turnovers in minor units, as decimal text: they may exceed 2^53. */
export interface CurrencyReport {
  /** ISO 4217 numeric. */
  currency: number;
  debits: string;
  credits: string;
}

export interface VerifyReport {
  records: number;
  /** SHA-256 over the hashes of the shard heads in order, hex. */
  head: string;
  debits: string;
  credits: string;
  currencies: CurrencyReport[];
  accounts: number;
  cards: number;
  holds_open: number;
  shards: ShardReport[];
}

interface Books {
  debits: bigint;
  credits: bigint;
}

/**
 * @throws HoldfastError `chain_broken`, `frame_corrupt`, `record_unreadable`, `digest_mismatch`, `invariant_violated` (76),
 * or a code of the data directory (73)
 */
export async function verifyDirectory(dataDir: string, onProgress: (records: number) => void): Promise<VerifyReport> {
  const { shards } = readDirectoryDocument(dataDir);
  const reader = JournalReader.open(directoryPaths(dataDir).journal, { readOnly: true });
  try {
    return verifyJournal(reader, shards, onProgress);
  } finally {
    await reader.close();
  }
}

/** Verifies the journal behind a reader. Errors as `verifyDirectory`. */
export function verifyJournal(
  reader: JournalReader,
  shards: number,
  onProgress: (records: number) => void,
): VerifyReport {
  const books = new Map<number, Books>();
  const head = createHash('sha256');
  const reports: ShardReport[] = [];
  const totals = { records: 0, accounts: 0, cards: 0, holds_open: 0 };
  for (let shard = 0; shard < shards; shard++) {
    const { state, report, hash } = verifyShard(reader, shard, (records) => onProgress(totals.records + records));
    addBooks(books, state);
    head.update(hash);
    reports.push(report);
    totals.records += report.sequence;
    totals.accounts += state.accounts.rows;
    totals.cards += state.cards.rows;
    totals.holds_open += state.holdsOpen;
  }
  const currencies = [...books].sort(([a], [b]) => a - b);
  return {
    ...totals,
    head: head.digest('hex'),
    debits: String(currencies.reduce((sum, [, { debits }]) => sum + debits, 0n)),
    credits: String(currencies.reduce((sum, [, { credits }]) => sum + credits, 0n)),
    currencies: currencies.map(([currency, { debits, credits }]) => ({
      currency,
      debits: String(debits),
      credits: String(credits),
    })),
    shards: reports,
  };
}

function verifyShard(
  reader: JournalReader,
  shard: number,
  onProgress: (records: number) => void,
): { state: ShardState; report: ShardReport; hash: Uint8Array } {
  const state = new ShardState(shard);
  const scan = reader.scan(shard, 1);
  let sequence = 0;
  scan.onMessage = (event) => {
    sequence = event.sequence;
    applyMessage(state, event);
  };
  scan.onEvent = (event) => {
    sequence = event.sequence;
    applyEvent(state, event);
  };
  let frames = 0;
  scan.onFrame = (header) => {
    if (frames++ === 0 && header.firstSequence !== 1) {
      throw new HoldfastError(
        'chain_broken',
        `shard ${shard} begins at sequence ${header.firstSequence}, not at 1`,
        'restore the journal folder from a backup',
      );
    }
    checkDigest(state, header);
  };
  while (step(scan, shard, () => sequence)) onProgress(scan.records);
  checkHolds(state);
  checkLedger(state);
  const hash = sequence === 0 ? NO_HASH : frameHash(scan.cursor.bytes);
  return { state, report: { shard, sequence, hash: Buffer.from(hash).toString('hex') }, hash };
}

/** One step of the scan; a record that the fold cannot take is named by its sequence. */
function step(scan: JournalScan, shard: number, sequence: () => number): boolean {
  try {
    return scan.step(STEP_RECORDS);
  } catch (error) {
    if (error instanceof HoldfastError && error.code !== 'invariant_violated') throw error;
    const what = (error as Error).message;
    throw new HoldfastError(
      error instanceof HoldfastError ? error.code : 'record_unreadable',
      `shard ${shard}, sequence ${sequence()}: ${what}`,
      'keep the directory as it is and restore a backup elsewhere',
      { cause: error },
    );
  }
}

function checkDigest(state: ShardState, header: FrameHeader): void {
  const { high, low } = state.digest;
  if (high === header.digestHigh && low === header.digestLow) return;
  throw new HoldfastError(
    'digest_mismatch',
    `shard ${state.shard}: the state after sequence ${header.lastSequence} is not the one the frame was written with`,
    'keep the directory as it is and report it with the engine version that wrote it',
  );
}

function violated(state: ShardState, what: string): HoldfastError {
  return new HoldfastError(
    'invariant_violated',
    `shard ${state.shard}: ${what}`,
    'keep the directory as it is and report it',
  );
}

function checkHolds(state: ShardState): void {
  const { accounts, holds } = state;
  const remaining = new Float64Array(accounts.count);
  for (let slot = 0; slot < holds.slots; slot++) {
    if (holds.sequence[slot] === 0) continue;
    if (holds.remaining[slot]! <= 0)
      throw violated(state, `the open hold of sequence ${holds.sequence[slot]} holds nothing`);
    remaining[holds.account[slot]!]! += holds.remaining[slot]!;
  }
  for (let slot = 0; slot < accounts.count; slot++) {
    if (!accounts.exists(slot) || accounts.held[slot] === remaining[slot]) continue;
    throw violated(
      state,
      `account ${accounts.id(slot)} holds ${accounts.held[slot]}, its open holds ${remaining[slot]}`,
    );
  }
}

/** Every balance of the ledger that the accounts know as well, per currency. */
function checkLedger(state: ShardState): void {
  const fromAccounts = accountBalances(state);
  const fromLedger = new Map<string, number>();
  const difference = new Map<number, number>();
  state.ledger.forEach((currency, glAccount, debit, credit) => {
    difference.set(currency, (difference.get(currency) ?? 0) + debit - credit);
    if (glAccount === MEMO_HOLDS || postedComponent(glAccount) >= 0)
      fromLedger.set(`${currency} ${glAccount}`, debit - credit);
  });
  for (const [currency, amount] of difference) {
    if (amount !== 0) throw violated(state, `debits and credits of currency ${currency} differ by ${amount}`);
  }
  for (const place of new Set([...fromAccounts.keys(), ...fromLedger.keys()])) {
    const accounts = fromAccounts.get(place) ?? 0;
    const ledger = fromLedger.get(place) ?? 0;
    if (accounts !== ledger) {
      throw violated(
        state,
        `the accounts have ${accounts}, the ledger ${ledger} (currency and chart account ${place})`,
      );
    }
  }
}

function accountBalances(state: ShardState): Map<string, number> {
  const { accounts } = state;
  const sums = new Map<string, number>();
  const add = (place: string, amount: number): void => {
    if (amount !== 0) sums.set(place, (sums.get(place) ?? 0) + amount);
  };
  const components = CHART.filter((glAccount) => postedComponent(glAccount) >= 0);
  for (let slot = 0; slot < accounts.count; slot++) {
    if (!accounts.exists(slot)) continue;
    const currency = accounts.currency[slot]!;
    add(`${currency} ${MEMO_HOLDS}`, accounts.held[slot]!);
    for (const glAccount of components) {
      add(`${currency} ${glAccount}`, accounts.component(slot, postedComponent(glAccount)));
    }
  }
  return sums;
}

function addBooks(books: Map<number, Books>, state: ShardState): void {
  state.ledger.forEach((currency, _glAccount, debit, credit) => {
    const sums = books.get(currency) ?? { debits: 0n, credits: 0n };
    sums.debits += BigInt(debit);
    sums.credits += BigInt(credit);
    books.set(currency, sums);
  });
}
