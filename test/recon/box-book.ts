/** A day from authorizations over a generated file to posted books, in memory: what reconciliation reads, and the plan of breaks. */
import { type BoxAuthorization, type BoxDay, writeDay } from '#src/clearing/box/day.js';
import type { DayPlan } from '#src/clearing/box/shares.js';
import { clearingInput, isPosted } from '#src/clearing/posting.js';
import { clearingRecords, readClearing } from '#src/clearing/reader.js';
import { type ClearingRecord, copyRecord } from '#src/clearing/record.js';
import { direction } from '#src/clearing/totals.js';
import { standingOf } from '#src/control/recon/standing-books.js';
import { AccountType, CardStatus, EventKind } from '#src/domain/codes.js';
import type { MessageEvent, PlainEvent } from '#src/domain/events.js';
import { settlementOf } from '#src/domain/ledger/sub-account.js';
import { MessageInput, Text } from '#src/domain/message.js';
import type { LedgerTotal } from '#src/domain/reads.js';
import type { SettlementName } from '#src/recon/breaks.js';
import type { FileFacts, UnpostedRecord } from '#src/recon/files.js';
import { Reconciliation, type ReconReport } from '#src/recon/report.js';
import { panOfNumber } from '#src/vault/pan.js';
import { Book } from '../domain/book.js';

export const DAY = 20_783;
export const BRL = 986;
export const DAY_MS = 86_400_000;
const CARDS = 50;
const shape = { encoding: 'ascii', blocked: false, mode: 'T' } as const;

/** Card of a number of the box; -1 for a number that nobody has. */
const cards = new Map(Array.from({ length: CARDS }, (_, n) => [panOfNumber('999999', n + 1), n]));

export function bookWithCards(): Book {
  const book = new Book();
  const nowMs = DAY * DAY_MS;
  for (const n of cards.values()) {
    const id = `A${n}`;
    const account = { id, program: 1, currency: BRL, creditLimit: 900_000_000, type: AccountType.credit };
    book.command({ op: 'create_account', ...account }, nowMs);
    const card = { account: id, fingerprint: [1, 1, n] as const, bin: 999_999, last4: n, panLength: 16, expiry: 2912 };
    const more = { cardSequence: 1, serviceCode: 201, status: CardStatus.active, replacesSlot: -1 };
    book.command({ op: 'create_card', ...card, ...more }, nowMs);
  }
  return book;
}

/** So many approved purchases of a day; every other one is found by its network id, the rest by RRN or approval code. */
export function authorize(book: Book, count: number, day = DAY): BoxAuthorization[] {
  return Array.from({ length: count }, (_, n) => {
    const timeMs = day * DAY_MS + n * 10;
    const card = n % CARDS;
    const amount = 1000 + (n % 977);
    const mcc = n % 3 === 0 ? 5812 : 5411;
    const texts = {
      rrn: n % 4 === 1 ? '' : String(day * 100_000 + n).padStart(12, '0'),
      networkId: n % 2 === 0 ? `BOX${day}${String(n).padStart(7, '0')}` : '',
      terminal: 'TERM0001',
      merchant: 'MERCHANT0000001',
    };
    const input = new MessageInput();
    const transmission = 1_126_000_000 + Math.floor(n / 3600) * 10_000 + (Math.floor(n / 60) % 60) * 100 + (n % 60);
    Object.assign(input, {
      mti: 100,
      processingCode: 0,
      amount,
      currency: BRL,
      transmission,
      stan: n % 1_000_000,
      mcc,
    });
    // A message needs an RRN; a file may leave it out.
    input.setText(Text.rrn, String(day * 100_000 + n).padStart(12, '0'));
    input.setText(Text.terminal, texts.terminal);
    input.setText(Text.acceptor, texts.merchant);
    input.setText(Text.networkId, texts.networkId);
    const { response, approvalCode, sequence } = book.message(input, card, timeMs);
    if (response !== '00') throw new Error(`authorization ${n} was answered ${response}`);
    return {
      ...{ id: `0-${sequence}`, pan: panOfNumber('999999', card + 1), amount, currency: BRL },
      ...{ billingAmount: amount, billingCurrency: BRL, processingCode: 0, mcc, timeMs, approvalCode },
      ...{ ...texts, acquirer: '999901', merchantName: 'HOLDFAST TEST SHOP' },
    };
  });
}

/** Makes the file of a day. */
export function fileOf(day: BoxDay): { bytes: Buffer; plan: DayPlan } {
  const parts: Uint8Array[] = [];
  const plan = writeDay(day, shape, (bytes) => parts.push(bytes.slice()));
  return { bytes: Buffer.concat(parts), plan };
}

/** Posts a file to the book, and gives what a registry of files would tell of it. */
export async function postFile(book: Book, bytes: Buffer, nowMs: number): Promise<FileFacts> {
  const reading = { format: 'ipm', ...shape } as const;
  const report = await readClearing([bytes], reading);
  const name = report.fileId;
  const facts = { id: `file_${name}`, name, findings: report.findings.map(({ code }) => code) };
  const sums = report.settlements.map(({ key, currency, debits, credits, earned }) => ({
    ...{ network: 1, day: key!.settlementDay, cycle: key!.settlementCycle, currency },
    ...{ debits, credits, earned },
  }));
  const common = { ...facts, day: Math.floor(nowMs / DAY_MS), sums };
  if (!report.accepted) return { ...common, state: 'quarantined', totals: [], totalsLeftOut: 0, unposted: [] };
  const records: ClearingRecord[] = [];
  for await (const record of clearingRecords([bytes], reading)) records.push(copyRecord(record));
  const unposted: UnpostedRecord[] = [];
  for (const record of records.filter(({ kind }) => isPosted(kind))) {
    const input = clearingInput(record, 'ipm');
    const card = cards.get(record.pan) ?? -1;
    const fingerprint = [7, 7, record.recordNumber] as const;
    const { outcome, flags } = book.clearing(name, { card, fingerprint, input }, nowMs);
    if (outcome !== 'duplicate' && outcome !== 'invalid') continue;
    unposted.push({
      ...{ record: record.recordNumber, why: outcome, otherAmount: flags !== 0 },
      ...{ amount: record.billingAmount, currency: record.billingCurrency },
      settlement: { ...settlementOf(input.sub), currency: record.settlementCurrency },
      settled: direction(record) * record.settlementAmount,
    });
  }
  const totals = records.flatMap(({ kind, totals: row, settlement, settlementCurrency: currency }) => {
    if (kind !== 'financial_position' || row === undefined) return [];
    const [netAmount, netTotal] = [BigInt(row.netAmount), BigInt(row.netTotal)];
    const place: SettlementName = {
      ...{ network: 1, day: settlement!.settlementDay, cycle: settlement!.settlementCycle, currency },
    };
    return [{ ...place, fileId: row.fileId, netAmount, netTotal }];
  });
  return { ...common, state: 'posted', totals, totalsLeftOut: 0, unposted };
}

/** The ledger as a shard tells it. */
export function ledgerRows(book: Book): LedgerTotal[] {
  const rows: LedgerTotal[] = [];
  book.state.ledger.forEach((currency, glAccount, debit, credit, sub) => {
    rows.push({ currency, glAccount, sub, debit: String(debit), credit: String(credit) });
  });
  return rows;
}

/** Reconciles the book as of a day. @param from records that are not read any more */
export function reconcile(
  book: Book,
  files: readonly FileFacts[],
  day: number,
  breaksMax?: number,
  unfinished: string[] = [],
  from = 0,
): ReconReport {
  const { events } = book.history;
  const since = day - 60;
  const standing = standingOf(ledgerRows(book));
  const run = new Reconciliation(
    { day, since, spans: [{ shard: 0, from: 1, to: events.length }], files, unfinished, waiting: [], standing },
    breaksMax,
  );
  const shard = run.shard(0);
  for (const event of events.slice(from)) {
    if (event.kind === EventKind.message) shard.message(event as MessageEvent);
    else shard.event(event as PlainEvent);
  }
  run.finishShard(shard);
  return run.finish();
}
