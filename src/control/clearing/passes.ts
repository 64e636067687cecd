/**
 * The two passes over a spooled clearing file, each in a thread of its own (clearing-task.ts): the first holds the whole file
 * against its rules, the second makes what the shards post of it. A card number becomes a fingerprint and a slot here and goes
 * no further; what leaves are entries whose texts are masked.
 */
import { clearingInput, collectedFee, isOnlyCounted, isPosted } from '../../clearing/posting.js';
import { openClearing, type ReadOptions } from '../../clearing/reader.js';
import type { ClearingRecord } from '../../clearing/record.js';
import { reportJson } from '../../clearing/report-json.js';
import { direction } from '../../clearing/totals.js';
import type { ClearingEntry } from '../../domain/clearing/input.js';
import { currencyLetters } from '../../domain/currencies.js';
import type { NetworkFee } from '../../domain/entry-commands.js';
import { shardOfAccount, shardOfFingerprint } from '../../journal/placement.js';
import { CLEARING_BATCH_RECORDS, CLEARING_POSITIONS_MAX } from '../../limits.js';
import { maskPans } from '../../pan-mask.js';
import { findNamed, type LiveFingerprints, type NumberNames } from '../../vault/live-fingerprints.js';
import { maskedClearing } from '../masked-clearing.js';
import type { DirectoryPort } from '../ports.js';

/** Characters of a fee's text that are kept, as of the note of any entry. */
const NOTE_LENGTH_MAX = 200;

/** A row of the network's own totals (1644/685, 688). Days are dates; amounts positive: credit to us. */
export interface ClearingPosition {
  record: number;
  file_id: string;
  messages: string;
  processing_code: string;
  reversal: boolean;
  settlement_date: string | null;
  settlement_cycle: number | null;
  currency: string | null;
  net_amount: number;
  net_fee: number;
  net_total: number;
  count: number | null;
}

/** What the first pass found. */
export interface CheckedFile {
  readonly report: ReturnType<typeof reportJson>;
  /** Records that are posted, and those that are only counted, by kind. */
  readonly postings: number;
  readonly notPosted: Readonly<Record<string, number>>;
  /** The first CLEARING_POSITIONS_MAX, to be shown. */
  readonly positions: readonly ClearingPosition[];
  readonly positionsLeftOut: number;
  /** What all 685 rows add up to, of CLEARING_POSITIONS_MAX files and settlements, and how many rows are of others. Later releases only. */
  readonly positionSums?: readonly PositionSum[];
  readonly unsummedPositions?: number;
  /** What the records that are only counted add to what we owe, by settlement; minor units. Later releases only. */
  readonly notPostedOwed?: readonly NotPostedOwed[];
}

/** Rows of the network's totals (1644/685) of one file and one settlement. Sums as decimal text, positive: credit to us. */
export interface PositionSum {
  readonly file_id: string;
  readonly settlement_date: string | null;
  readonly settlement_cycle: number | null;
  readonly currency: string | null;
  readonly net_amount: string;
  readonly net_total: string;
}

export interface NotPostedOwed {
  settlement_date: string | null;
  settlement_cycle: number | null;
  currency: string | null;
  owed: number;
}

/** How far a pass has come. */
export type PassProgress = (bytes: number) => Promise<void> | undefined;

/** Reads all of a file. @throws what the source throws */
export async function checkFile(
  source: AsyncIterable<Uint8Array>,
  options: ReadOptions,
  progress: PassProgress,
): Promise<CheckedFile> {
  const reader = openClearing(options);
  const notPosted: Record<string, number> = {};
  const positions: ClearingPosition[] = [];
  const sums = new PositionSums();
  const owed = new Map<string, NotPostedOwed>();
  let postings = 0;
  let positionsLeftOut = 0;
  let bytes = 0;
  for await (const chunk of source) {
    reader.push(chunk);
    while (reader.next()) {
      if (!reader.readable) continue;
      const { kind } = reader.record;
      if (isPosted(kind)) postings++;
      else if (kind === 'fee_collection') {
        postings++;
        // An entry of the ledger, and no clearing record that a reconciliation would find.
        addOwed(owed, reader.record);
      } else if (isOnlyCounted(kind)) {
        notPosted[kind] = (notPosted[kind] ?? 0) + 1;
        addOwed(owed, reader.record);
      } else if (kind === 'financial_position' || kind === 'settlement_position') {
        if (positions.length < CLEARING_POSITIONS_MAX) positions.push(positionOf(reader.record));
        else positionsLeftOut++;
        sums.add(reader.record);
      }
    }
    bytes += chunk.length;
    await progress(bytes);
  }
  const notPostedOwed = [...owed.values()];
  const summed = { positionSums: sums.list, unsummedPositions: sums.leftOut };
  const report = reportJson(reader.finish());
  return { report, postings, notPosted, positions, positionsLeftOut, ...summed, notPostedOwed };
}

/** A file has one for each file that its rows sum up and each settlement, which are few, unless somebody makes them many. */
class PositionSums {
  leftOut = 0;
  readonly #sums = new Map<
    string,
    { place: ReturnType<typeof placeOf>; fileId: string; amount: bigint; total: bigint }
  >();

  add(record: ClearingRecord): void {
    const { totals } = record;
    // A 688 row, which names no messages, sums up 685 rows.
    if (totals === undefined || totals.messages === '') return;
    const place = placeOf(record);
    const name = JSON.stringify([totals.fileId, place]);
    let sum = this.#sums.get(name);
    if (sum === undefined) {
      if (this.#sums.size === CLEARING_POSITIONS_MAX) {
        this.leftOut++;
        return;
      }
      sum = { place, fileId: totals.fileId, amount: 0n, total: 0n };
      this.#sums.set(name, sum);
    }
    sum.amount += BigInt(totals.netAmount);
    sum.total += BigInt(totals.netTotal);
  }

  get list(): PositionSum[] {
    return [...this.#sums.values()].map(({ place, fileId, amount, total }) => ({
      ...{ file_id: fileId, ...place },
      ...{ net_amount: String(amount), net_total: String(total) },
    }));
  }
}

function addOwed(sums: Map<string, NotPostedOwed>, record: ClearingRecord): void {
  if (record.settlementAmount < 0) return;
  const place = placeOf(record);
  const name = JSON.stringify(place);
  const sum = sums.get(name) ?? { ...place, owed: 0 };
  sum.owed += direction(record) * record.settlementAmount;
  sums.set(name, sum);
}

function placeOf({ settlement, settlementCurrency }: ClearingRecord): Omit<NotPostedOwed, 'owed'> {
  const day = settlement?.settlementDay ?? -1;
  const cycle = settlement?.settlementCycle ?? -1;
  return {
    settlement_date: day < 0 ? null : new Date(day * 86_400_000).toISOString().slice(0, 10),
    settlement_cycle: cycle < 0 ? null : cycle,
    currency: settlementCurrency < 0 ? null : (currencyLetters(settlementCurrency) ?? String(settlementCurrency)),
  };
}

function positionOf(record: ClearingRecord): ClearingPosition {
  const { totals } = record;
  return {
    record: record.recordNumber,
    file_id: totals?.fileId ?? '',
    messages: totals?.messages ?? '',
    processing_code: totals?.processingCode ?? '',
    reversal: totals?.reversalFlag === 'R',
    ...placeOf(record),
    net_amount: totals?.netAmount ?? 0,
    net_fee: totals?.netFee ?? 0,
    net_total: totals?.netTotal ?? 0,
    count: totals === undefined || totals.count < 0 ? null : totals.count,
  };
}

/** Entries for one shard, in the order of the file. */
export interface ClearingBatch {
  readonly shard: number;
  readonly records: ClearingEntry[];
  /** In place of records: a fee between the network and us. */
  readonly fee?: NetworkFee;
}

export interface Routing {
  readonly fingerprinter: Pick<LiveFingerprints, 'namesOf'>;
  readonly directory: Pick<DirectoryPort, 'find'>;
  readonly shards: number;
  /** Names the file to the shards; with the number of a record it is unique. */
  readonly file: string;
  readonly cards: CardsInTime;
}

/** By shard, slots of cards: a card with this slot or a later one came after that moment. */
export interface CardsInTime {
  /** The first file began that may have records of unknown numbers in suspense: cards that came later may be meant by them. */
  readonly known: readonly number[];
  /** This pass began: cards that came later are unknown to all of it, so that the records of a number go one way. */
  readonly now: readonly number[];
}

/**
 * Makes the batches of a file that the first pass accepted. `send` waits while too many are under way.
 * @throws what the source and `send` throw
 */
export async function makeBatches(
  source: AsyncIterable<Uint8Array>,
  options: ReadOptions,
  routing: Routing,
  send: (batch: ClearingBatch) => Promise<void> | undefined,
): Promise<void> {
  const reader = openClearing(options);
  let waiting: ClearingEntry[][] = Array.from({ length: routing.shards }, () => []);
  for await (const chunk of source) {
    reader.push(chunk);
    while (reader.next()) {
      if (!reader.readable) continue;
      if (reader.record.kind === 'fee_collection') await send(feeOf(reader.record, options, routing));
      if (!isPosted(reader.record.kind)) continue;
      const { shard, entry } = entryOf(reader.record, options, routing);
      const records = waiting[shard]!;
      records.push(entry);
      if (records.length < CLEARING_BATCH_RECORDS) continue;
      waiting[shard] = [];
      await send({ shard, records });
    }
  }
  const rest = waiting;
  waiting = [];
  for (const [shard, records] of rest.entries()) if (records.length > 0) await send({ shard, records });
}

/** A fee is an entry of no account: its shard is that of its reference, which says where it comes from. */
function feeOf(record: ClearingRecord, { format }: ReadOptions, { shards, file }: Routing): ClearingBatch {
  const { text, ...fee } = collectedFee(record, format);
  const reference = `${file}/${record.recordNumber}`;
  const note = maskPans(text).slice(0, NOTE_LENGTH_MAX);
  const command: NetworkFee = { op: 'network_fee', ...fee, reference, note };
  return { shard: shardOfAccount(reference, shards), records: [], fee: command };
}

/** Where the record goes, by its card as the ingress would find it, and what goes there. */
function entryOf(
  record: ClearingRecord,
  { format }: ReadOptions,
  { fingerprinter, directory, shards, cards }: Routing,
): { shard: number; entry: ClearingEntry } {
  const { pan } = record;
  const input = maskedClearing(pan, clearingInput(record, format));
  // A number that cannot be one of ours, which only an accepted file of another profile could hold, is nobody's.
  const names = /^\d{1,19}$/.test(pan)
    ? fingerprinter.namesOf(pan)
    : { fingerprint: { f0: 0, f1: 0, f2: 0 }, formers: [] };
  const place = findNamed(directory, names);
  const { f0, f1, f2 } = names.fingerprint;
  const home = place >>> 24;
  const card = place & 0xffffff;
  const fingerprint = [f0, f1, f2] as const;
  if (place < 0 || card >= cards.now[home]!)
    return { shard: shardOfFingerprint(f0, shards), entry: { card: -1, fingerprint, input, ...before(names) } };
  const entry = { card, fingerprint, input };
  return { shard: home, entry: card < cards.known[home]! ? entry : { ...entry, late: true, ...before(names) } };
}

/** Under which an earlier file may have posted the record to suspense: nothing, unless the fingerprint key was ever rotated. */
function before({ formers }: NumberNames): Pick<ClearingEntry, 'formerly'> {
  return formers.length === 0 ? {} : { formerly: formers.map(({ f0, f1, f2 }) => [f0, f1, f2] as const) };
}
