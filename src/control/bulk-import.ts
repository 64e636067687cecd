/**
 * Bulk import: a stream of lines, each an account with at most one card, becomes commands of many rows.
 *
 *   bytes -> lines -> rows (validated, numbers fingerprinted and claimed)
 *         -> chunks of 1 024: one durable vault write
 *         -> queues per shard: commands of 256 rows, two in flight per shard
 *
 * Memory is bounded by one chunk, the queues and what is in flight, whatever the length of the stream. A row is refused
 * alone, with its line and reason; the rest goes on. Reading from the socket waits while the shards are busy.
 */
import { randomBytes } from 'node:crypto';
import { ControlLevel } from '../domain/controls/spec.js';
import type { ImportRows } from '../domain/party-commands.js';
import { BULK_CHUNK_ROWS, BULK_COMMAND_ROWS, BULK_IN_FLIGHT_PER_SHARD, BULK_REJECTS_LISTED } from '../limits.js';
import { maskDigits } from '../pan-mask.js';
import type { NumberNames } from '../vault/live-fingerprints.js';
import { claim, commandNames, panFields, panOfSeed, panProblem, release } from './card-numbers.js';
import type { ControlContext } from './context.js';
import { checkControls } from './controls.js';
import { base32of, derive } from './idempotency.js';
import { LineSplitter } from './lines.js';
import { ShardError } from './ports.js';
import { ApiError, pointer } from './problem.js';
import { accountFields } from './routes/accounts.js';
import { importRow } from './schemas.js';
import type { ProgramDefinition } from './system-log.js';
import { cardStatusOf, refusalDetail } from './views.js';

export interface ImportCounts {
  rows: number;
  accounts: number;
  cards: number;
  rejected: number;
  rejects: { row: number; line: number; code: string; detail: string }[];
}

type CommandRow = ImportRows['rows'][number];

interface PendingRow {
  line: number;
  shard: number;
  row: CommandRow;
  /** Set when the row creates a card. */
  card?: NumberNames & { pan: string };
}

const ISSUE_ATTEMPTS = 16;

export class BulkImport {
  readonly counts: ImportCounts = { rows: 0, accounts: 0, cards: 0, rejected: 0, rejects: [] };
  readonly #context: ControlContext;
  /** Seed of generated ids and numbers: the same key and line make the same ones. */
  readonly #seed: Uint8Array;
  #chunk: PendingRow[] = [];
  readonly #queues: PendingRow[][];
  readonly #inFlight: Set<Promise<void>>[];
  #failure: unknown;

  constructor(context: ControlContext, seed: Uint8Array = randomBytes(32)) {
    this.#context = context;
    this.#seed = seed;
    this.#queues = Array.from({ length: context.shards.shards }, () => []);
    this.#inFlight = Array.from({ length: context.shards.shards }, () => new Set());
  }

  /** Imports the whole stream. Throws when a shard fails; what was done before stays done. */
  async run(stream: AsyncIterable<Uint8Array>, onBytes?: (chunk: Uint8Array) => void): Promise<ImportCounts> {
    const ready: PendingRow[][] = [];
    const splitter = new LineSplitter(
      (bytes, line) => {
        this.#addLine(bytes, line);
        if (this.#chunk.length < BULK_CHUNK_ROWS) return;
        ready.push(this.#chunk);
        this.#chunk = [];
      },
      (line) => {
        this.counts.rows++;
        this.#reject(line, 'line_too_long', 'The line is longer than 8 192 bytes.');
      },
    );
    try {
      for await (const bytes of stream) {
        onBytes?.(bytes);
        splitter.push(bytes);
        for (const chunk of ready.splice(0)) await this.#store(chunk);
        if (this.#failure !== undefined) throw this.#failure;
      }
      splitter.end();
      for (const chunk of ready.splice(0)) await this.#store(chunk);
      await this.#store(this.#chunk);
      this.#chunk = [];
      for (let shard = 0; shard < this.#queues.length; shard++) await this.#send(shard, 1);
    } finally {
      await Promise.all(this.#inFlight.flatMap((set) => [...set]));
      this.#releaseUnsent([...ready.flat(), ...this.#chunk, ...this.#queues.flat()]);
    }
    if (this.#failure !== undefined) throw this.#failure;
    this.counts.rejects.sort((a, b) => a.line - b.line);
    return this.counts;
  }

  #addLine(bytes: Uint8Array, line: number): void {
    const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8').trim();
    if (text === '') return;
    this.counts.rows++;
    let value: unknown;
    try {
      value = JSON.parse(text);
    } catch {
      this.#reject(line, 'invalid_json', 'The line is not one JSON object.');
      return;
    }
    const parsed = importRow.safeParse(value);
    if (!parsed.success) {
      const issue = parsed.error.issues[0]!;
      const path = issue.code === 'unrecognized_keys' ? [...issue.path, issue.keys[0]!] : issue.path;
      const detail = issue.code === 'unrecognized_keys' ? 'unknown property' : issue.message;
      this.#reject(line, 'validation_failed', maskDigits(`${pointer(path)}: ${detail}`));
      return;
    }
    try {
      this.#chunk.push(this.#rowOf(parsed.data, line));
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      this.#reject(line, error.code, error.message);
    }
  }

  #rowOf(row: (typeof importRow)['_output'], line: number): PendingRow {
    const context = this.#context;
    const { program, ...fields } = accountFields(context, row.account, '/account');
    const id = row.account.id ?? `acct_${base32of(derive(context.keys.id, 'account', this.#seed, line))}`;
    const shard = context.placement(id);
    const account = { id, program: program.index, ...fields };
    if (row.card === undefined) return { line, shard, row: { account } };
    const place = { level: ControlLevel.card, program, pointer: '/card/controls' };
    const controls = checkControls(row.card.controls ?? null, place);
    const card = this.#numberFor(row.card.pan, program.program, shard, line);
    return {
      line,
      shard,
      card,
      row: {
        account,
        card: {
          ...commandNames(card),
          ...panFields(card.pan),
          expiry: Number(row.card.expiry),
          cardSequence: row.card.sequence,
          serviceCode: Number(row.card.service_code),
          status: cardStatusOf(row.card.status),
          replacesSlot: -1,
          ...controls,
        },
      },
    };
  }

  /** The number brought along or an issued one, claimed for this row. */
  #numberFor(
    brought: string | undefined,
    program: ProgramDefinition,
    shard: number,
    line: number,
  ): NumberNames & { pan: string } {
    const context = this.#context;
    if (brought !== undefined) {
      const problem = panProblem(program, brought);
      if (problem !== undefined) throw new ApiError('validation_failed', `/card/pan: ${problem}`);
      const names = context.fingerprinter.namesOf(brought);
      if (!claim(context, names, shard)) throw new ApiError('card_exists', refusalDetail('card_exists'));
      return { ...names, pan: brought };
    }
    const seed = derive(context.keys.id, 'bulk card', this.#seed, line);
    for (let round = 0; round < ISSUE_ATTEMPTS; round++) {
      const pan = panOfSeed(context, program.bins[0]!, seed, round);
      const names = context.fingerprinter.namesOf(pan);
      if (claim(context, names, shard)) return { ...names, pan };
    }
    throw new ApiError('capacity_exceeded', 'No free number was found: the BIN of the program is nearly full.');
  }

  /** Makes the chunk's card numbers durable, then hands its rows to the shards. */
  async #store(chunk: readonly PendingRow[]): Promise<void> {
    const cards = chunk.flatMap(({ card }) => (card === undefined ? [] : [card]));
    if (cards.length > 0) this.#context.vault.put(cards);
    for (const pending of chunk) this.#queues[pending.shard]!.push(pending);
    for (let shard = 0; shard < this.#queues.length; shard++) await this.#send(shard, BULK_COMMAND_ROWS);
    // One turn of the event loop per chunk: other requests come in between.
    await new Promise((resolve) => setImmediate(resolve));
  }

  /** Sends full commands of the shard's queue while it holds at least `least` rows; waits while two are in flight. */
  async #send(shard: number, least: number): Promise<void> {
    const queue = this.#queues[shard]!;
    const inFlight = this.#inFlight[shard]!;
    while (queue.length >= least) {
      while (inFlight.size >= BULK_IN_FLIGHT_PER_SHARD) await Promise.race(inFlight);
      if (this.#failure !== undefined) return;
      const rows = queue.splice(0, BULK_COMMAND_ROWS);
      const sent: Promise<void> = this.#command(shard, rows).finally(() => inFlight.delete(sent));
      inFlight.add(sent);
    }
  }

  /** Never rejects: a failure is kept and ends the import. */
  async #command(shard: number, rows: readonly PendingRow[]): Promise<void> {
    let outcomeKnown = true;
    try {
      const result = await this.#context.shards.command(shard, { op: 'import', rows: rows.map(({ row }) => row) });
      if (!result.ok) {
        for (const { line } of rows) this.#reject(line, result.code, refusalDetail(result.code));
        return;
      }
      if (!('imported' in result)) throw new TypeError('the shard answered no import');
      this.counts.accounts += result.imported.accounts;
      this.counts.cards += result.imported.cards;
      for (const { row, code } of result.imported.refused) this.#reject(rows[row]!.line, code, refusalDetail(code));
    } catch (error) {
      this.#failure ??= error;
      outcomeKnown = !(error instanceof ShardError && error.kind === 'timeout');
    } finally {
      for (const { card } of rows) if (card !== undefined) release(this.#context, card.fingerprint, outcomeKnown);
    }
  }

  #releaseUnsent(rows: readonly PendingRow[]): void {
    for (const { card } of rows) if (card !== undefined) release(this.#context, card.fingerprint, true);
  }

  #reject(line: number, code: string, detail: string): void {
    this.counts.rejected++;
    if (this.counts.rejects.length < BULK_REJECTS_LISTED) this.counts.rejects.push({ row: line, line, code, detail });
  }
}
