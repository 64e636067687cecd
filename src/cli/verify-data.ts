/**
 * What `holdfast verify` reports about a data directory: the journal's own verification (journal/verify.ts) with the
 * domain's fold and the vault's rows put in. It works on a stopped directory and beside a running server: a scan ends at the
 * newest commit that it meets, and a card's number is durable before the record that names it, and under the name that it has there
 * until a later record has given the card another one.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { HoldfastError } from '../errors.js';
import { type VerifiedHead, verifyDirectory } from '../journal/verify.js';
import { type DirectoryPaths, directoryPaths } from '../store/data-directory.js';
import { storeDamaged } from '../store/lmdb-file.js';
import { openLmdbStore } from '../store/lmdb-store.js';
import type { Store } from '../store/port.js';
import { environmentDefect } from '../store/sound-environment.js';
import type { Fingerprint } from '../vault/fingerprint.js';
import { type KeyRotationState, panRowDefect, rowName, vaultRotation } from '../vault/pan-vault.js';
import { lastingEnvironments } from './sound-data.js';
import { DomainFold, type PanDefect } from './verify-fold.js';

/** Rows looked up between two snapshots of the vault, some milliseconds. */
const LOOKS_PER_SNAPSHOT = 4096;

/** Turnovers in minor units, as decimal text: they may exceed 2^53. */
export interface CurrencyReport {
  /** ISO 4217 numeric. */
  currency: number;
  debits: string;
  credits: string;
}

export interface VerifyReport {
  /** Of all shards, without the system journal, those that were dropped among them. */
  records: number;
  /** Records whose books were taken from the anchor; 0 when all were read. */
  dropped: number;
  /** SHA-256 over the hashes of the shard heads in order, hex. */
  head: string;
  /**
   * Everything ever debited and credited, minor units, over all shards, currencies and accounts of the chart, the memo pair
   * of the holds (9100, 9199) included: the sums over the currencies of `GET /v1/ledger/trial-balance`. They grow with
   * every hold that is placed or released and never shrink. Sums of several currencies mean nothing as money; `currencies`
   * has each.
   */
  debits: string;
  credits: string;
  currencies: CurrencyReport[];
  accounts: number;
  /** Cards, every one with its row in the vault. */
  cards: number;
  holds_open: number;
  shards: ({ shard: number } & VerifiedHead)[];
  system: VerifiedHead;
  audit: VerifiedHead;
}

/**
 * @param suspect is told what is damaged before it is read
 * @param exported folders to which dropped parts were exported: with them the verification begins at the first record
 * @throws HoldfastError `store_damaged`, `chain_broken`, `frame_corrupt`, `record_unreadable`, `digest_mismatch`, `invariant_violated` (76),
 * or a code of the data directory (73)
 */
export async function verifyData(
  dataDir: string,
  onProgress: (records: number) => void,
  suspect: (text: string) => Promise<void> = () => Promise.resolve(),
  exported: readonly string[] = [],
): Promise<VerifyReport> {
  const paths = directoryPaths(dataDir);
  // Before anything is mapped. The journal is read all the same: what is wrong there is told by its place.
  const damaged = await damagedEnvironment(paths);
  if (damaged !== undefined) await suspect(damaged.message);
  const vault = new VaultRows(paths.vault);
  if (damaged === undefined) vault.begin();
  const fold = new DomainFold(vault.defect);
  try {
    const result = await verifyDirectory(
      dataDir,
      ({ records }) => onProgress(records),
      () => fold,
      exported,
    );
    if (damaged !== undefined) throw damaged;
    return {
      records: result.records,
      dropped: result.dropped,
      head: result.head,
      debits: String(result.debits),
      credits: String(result.credits),
      currencies: [...fold.currencies]
        .sort(([a], [b]) => a - b)
        .map(([currency, { debits, credits }]) => ({ currency, debits: String(debits), credits: String(credits) })),
      accounts: fold.accounts,
      cards: fold.cards,
      holds_open: fold.holdsOpen,
      shards: result.shards.map((head, shard) => ({ shard, ...head })),
      system: result.system,
      audit: result.audit,
    };
  } finally {
    await vault.close();
  }
}

/** The first environment whose pages do not fit together. @throws HoldfastError `store_truncated` */
async function damagedEnvironment(paths: DirectoryPaths): Promise<HoldfastError | undefined> {
  for (const folder of lastingEnvironments(paths)) {
    const defect = await environmentDefect(folder);
    if (defect !== undefined) return storeDamaged(join(folder, 'data.mdb'), defect);
  }
  return undefined;
}

/**
 * The vault's rows, opened at the first question. A row that is not in the snapshot at hand is looked for again in a fresh
 * one: the server may have added it. A snapshot is never kept for long, because the server cannot reuse pages meanwhile.
 */
class VaultRows {
  readonly #folder: string;
  #store: Store | undefined;
  #looks = 0;
  /** The newest rotation of the fingerprint key when the verification began, as text. */
  #rotation: string | undefined;

  constructor(folder: string) {
    this.#folder = folder;
  }

  /** Before anything of the journal is read. */
  begin(): void {
    this.#rotation = JSON.stringify(this.#newestRotation());
  }

  readonly defect: PanDefect = (fingerprint) => {
    const store = this.#open();
    if (store === undefined) return `is missing: there is no vault in ${this.#folder}`;
    if (++this.#looks % LOOKS_PER_SNAPSHOT === 0) store.refresh();
    try {
      if (panRowDefect(store, fingerprint) === undefined) return undefined;
      store.refresh();
      return this.#isRenamed(fingerprint) ? undefined : panRowDefect(store, fingerprint);
    } catch (error) {
      return `cannot be read: ${error instanceof Error ? error.message : error}`;
    }
  };

  /**
   * True when a rotation of the fingerprint key has passed the row since the verification began: the card has another fingerprint by
   * now, in a record behind those that are verified, and the row has that name.
   */
  #isRenamed(fingerprint: Fingerprint): boolean {
    const newest = this.#newestRotation();
    if (newest === undefined || JSON.stringify(newest) === this.#rotation) return false;
    return newest.finishedMs !== 0 || rowName(fingerprint) <= newest.at;
  }

  #newestRotation(): KeyRotationState | undefined {
    const store = this.#open();
    return store === undefined ? undefined : vaultRotation(store, 'fingerprint');
  }

  #open(): Store | undefined {
    if (this.#store === undefined && existsSync(join(this.#folder, 'data.mdb')))
      this.#store = openLmdbStore(this.#folder, { readOnly: true });
    return this.#store;
  }

  async close(): Promise<void> {
    await this.#store?.close();
  }
}
