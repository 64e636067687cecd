/**
 * SQLite at the job, in this process: a write-ahead log that is flushed at each commit. The library is Node's own where it has one
 * (22.5 and newer), else better-sqlite3 if somebody installed it; both have the calls used here.
 */
import { createRequire } from 'node:module';
import { join } from 'node:path';
import {
  type Peer,
  type PeerAnswer,
  type PeerCase,
  type PeerLink,
  type PeerRequest,
  PeerResponse,
  WINDOW_MS,
} from './job.js';
import { answerOf, PACKED } from './packed-answer.js';

interface Statement {
  get(...values: readonly (number | bigint | Buffer)[]): unknown;
  all(...values: readonly (number | bigint | Buffer)[]): unknown[];
  run(...values: readonly (number | bigint | Buffer | null)[]): unknown;
}

interface Database {
  exec(sql: string): unknown;
  prepare(sql: string): Statement;
  close(): unknown;
}

type Opener = new (file: string) => Database;

const BUSY_MS = 5000;
const SCHEMA = `
CREATE TABLE accounts (id INTEGER PRIMARY KEY, credit_limit INTEGER NOT NULL, posted INTEGER NOT NULL, held INTEGER NOT NULL);
CREATE TABLE cards (pan INTEGER PRIMARY KEY, account INTEGER NOT NULL REFERENCES accounts);
CREATE TABLE authorizations (
  key BLOB PRIMARY KEY, account INTEGER, amount INTEGER NOT NULL, at_ms INTEGER NOT NULL, answer INTEGER NOT NULL
) WITHOUT ROWID;`;

/** @param batch 1, or authorizations per transaction */
export function sqliteCase(name: string, batch: number): PeerCase {
  return {
    ...{ name, batch, inFlight: batch, connections: 1 },
    title:
      batch === 1
        ? 'SQLite, WAL, synchronous=FULL, one per transaction'
        : `SQLite, WAL, synchronous=FULL, ${batch} per transaction`,
    ...(batch === 1 ? { target: 25 } : {}),
    note: 'in the process of its client, prepared statements, one writer',
    missing: () => (opener() === undefined ? 'npm install --no-save better-sqlite3@12, or Node 22.5' : undefined),
    start: async (folder) => new SqlitePeer(opener()!, join(folder, 'peer.sqlite')),
  };
}

function opener(): Opener | undefined {
  const require = createRequire(import.meta.url);
  try {
    return (require('node:sqlite') as { DatabaseSync: Opener }).DatabaseSync;
  } catch {
    // a Node without it
  }
  try {
    return require('better-sqlite3') as Opener;
  } catch {
    return undefined; // the case says what to install
  }
}

class SqlitePeer implements Peer {
  readonly #open: () => Database;
  readonly #admin: Database;

  constructor(opener: Opener, file: string) {
    this.#open = () => {
      const database = new opener(file);
      database.exec(`PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA busy_timeout = ${BUSY_MS};`);
      return database;
    };
    this.#admin = this.#open();
    this.#admin.exec(SCHEMA);
  }

  async connect(): Promise<PeerLink> {
    return new SqliteLink(this.#open());
  }

  async createCards(pans: readonly string[], creditLimit: number): Promise<void> {
    const account = this.#admin.prepare('INSERT INTO accounts VALUES (?, ?, 0, 0)');
    const card = this.#admin.prepare('INSERT INTO cards VALUES (?, ?)');
    this.#admin.exec('BEGIN');
    pans.forEach((pan, i) => {
      account.run(i, creditLimit);
      card.run(BigInt(pan), i);
    });
    this.#admin.exec('COMMIT');
  }

  async held(): Promise<Float64Array> {
    const rows = this.#admin.prepare('SELECT held FROM accounts ORDER BY id').all() as { held: number }[];
    return Float64Array.from(rows, ({ held }) => held);
  }

  cpuSeconds(): undefined {
    return undefined;
  }

  async stop(): Promise<void> {
    this.#admin.close();
  }
}

class SqliteLink implements PeerLink {
  readonly #database: Database;
  readonly #stored: Statement;
  readonly #account: Statement;
  readonly #hold: Statement;
  readonly #store: Statement;
  readonly #begin: Statement;
  readonly #commit: Statement;
  onAnswers: (answers: readonly PeerAnswer[]) => void = () => undefined;
  onFailure: (error: Error) => void = () => undefined;

  constructor(database: Database) {
    this.#database = database;
    this.#stored = database.prepare('SELECT answer FROM authorizations WHERE key = ? AND at_ms > ?');
    this.#account = database.prepare(
      'SELECT id, credit_limit - posted - held AS available FROM accounts WHERE id = (SELECT account FROM cards WHERE pan = ?)',
    );
    this.#hold = database.prepare('UPDATE accounts SET held = held + ? WHERE id = ?');
    this.#store = database.prepare('REPLACE INTO authorizations VALUES (?, ?, ?, ?, ?)');
    this.#begin = database.prepare('BEGIN IMMEDIATE');
    this.#commit = database.prepare('COMMIT');
  }

  submit(requests: readonly PeerRequest[]): void {
    let answers: PeerAnswer[];
    try {
      this.#begin.run();
      answers = requests.map((request) => answerOf(this.#authorize(request)));
      this.#commit.run();
    } catch (error) {
      this.onFailure(error as Error);
      return;
    }
    // Not from within `submit`, as no other peer answers: the caller may submit the next from there.
    queueMicrotask(() => this.onAnswers(answers));
  }

  #authorize({ key, pan, amount, timeMs }: PeerRequest): number {
    const stored = this.#stored.get(key, timeMs - WINDOW_MS) as { answer: number } | undefined;
    if (stored !== undefined) return stored.answer;
    const account = this.#account.get(BigInt(pan)) as { id: number; available: number } | undefined;
    let answer = PeerResponse.unknownCard * PACKED;
    if (account !== undefined) {
      if (account.available >= amount) {
        this.#hold.run(amount, account.id);
        answer = PeerResponse.approved * PACKED + Math.floor(Math.random() * PACKED);
      } else {
        answer = PeerResponse.shortOfFunds * PACKED;
      }
    }
    this.#store.run(key, account?.id ?? null, amount, timeMs, answer);
    return answer;
  }

  close(): void {
    this.#database.close();
  }
}
