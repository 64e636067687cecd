/** PostgreSQL at the job: one PL/pgSQL function per authorization, alone in its transaction or a hundred in one. */
import { mkdirSync } from 'node:fs';
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
import { arrayOf, int8, Oid, PostgresConnection } from './postgres-wire.js';
import { folderWith, handOver, postgresFolders, runAs, ServerProcess, unprivileged } from './server-process.js';

const PROGRAMS = ['initdb', 'postgres'];
const USER = 'holdfast';
const DATABASE = 'postgres';
/** Settings that are not the server's defaults; fsync, synchronous_commit and full_page_writes are named because they matter. */
const SETTINGS: readonly string[] = [
  ...['listen_addresses=', 'fsync=on', 'synchronous_commit=on', 'full_page_writes=on', 'max_connections=80'],
  ...['shared_buffers=512MB', 'max_wal_size=4GB', 'checkpoint_timeout=30min'],
];

/**
 * The account's row is locked before the key is looked up, so two of one key are one after the other (READ COMMITTED: each statement
 * of the function sees what was committed before it). Half of an account's page stays free: an update then touches no index.
 */
const SCHEMA = `
CREATE TABLE accounts (
  id int PRIMARY KEY, credit_limit bigint NOT NULL, posted bigint NOT NULL, held bigint NOT NULL
) WITH (fillfactor = 50);
CREATE TABLE cards (pan bigint PRIMARY KEY, account int NOT NULL REFERENCES accounts);
CREATE TABLE authorizations (
  key uuid PRIMARY KEY, account int, amount bigint NOT NULL, at_ms bigint NOT NULL, answer int NOT NULL
);
CREATE FUNCTION authorize(k uuid, p bigint, money bigint, now_ms bigint) RETURNS int LANGUAGE plpgsql AS $$
DECLARE
  account_id int;
  available bigint;
  result int;
BEGIN
  SELECT a.id, a.credit_limit - a.posted - a.held INTO account_id, available
    FROM cards c JOIN accounts a ON a.id = c.account WHERE c.pan = p FOR UPDATE OF a;
  SELECT z.answer INTO result FROM authorizations z WHERE z.key = k AND z.at_ms > now_ms - ${WINDOW_MS};
  IF FOUND THEN
    RETURN result;
  END IF;
  IF account_id IS NULL THEN
    result := ${PeerResponse.unknownCard * PACKED};
  ELSIF available >= money THEN
    UPDATE accounts SET held = held + money WHERE id = account_id;
    result := ${PeerResponse.approved * PACKED} + floor(random() * ${PACKED});
  ELSE
    result := ${PeerResponse.shortOfFunds * PACKED};
  END IF;
  INSERT INTO authorizations VALUES (k, account_id, money, now_ms, result)
    ON CONFLICT (key) DO UPDATE SET account = account_id, amount = money, at_ms = now_ms, answer = result;
  RETURN result;
END $$;`;

const ONE = 'SELECT authorize($1, $2, $3, $4)';
/** A row of the arrays after the other, in their order: the function is volatile. */
const MANY = 'SELECT authorize(k, p, money, $4) FROM unnest($1, $2, $3) AS t (k, p, money)';

/** @param batch 1, or authorizations per transaction */
export function postgresCase(name: string, batch: number): PeerCase {
  return {
    ...{ name, batch, inFlight: batch, connections: batch === 1 ? 16 : 4, ownCards: batch > 1 },
    title: batch === 1 ? 'PostgreSQL, one function call per transaction' : `PostgreSQL, ${batch} calls per transaction`,
    target: batch === 1 ? 20 : 3,
    note:
      'PL/pgSQL, synchronous_commit on, prepared, binary, Unix socket, 512 MB of buffers, no checkpoint within a run; in batches each ' +
      'connection has cards of its own, so that no transaction waits for the rows of another',
    missing: () => (folderOfPrograms() === undefined ? 'apt-get install postgresql' : undefined),
    start: (folder) => startPostgres(folder, batch),
  };
}

const folderOfPrograms = (): string | undefined => folderWith(PROGRAMS, postgresFolders());

async function startPostgres(folder: string, batch: number): Promise<Peer> {
  const user = unprivileged('postgres');
  handOver(folder, user);
  const data = join(folder, 'data');
  const programs = folderOfPrograms()!;
  const flags = ['-D', data, '-U', USER, '-A', 'trust', '-E', 'UTF8', '--locale=C', '--no-sync', '--no-instructions'];
  mkdirSync(data);
  handOver(data, user);
  runAs(user, folder, join(programs, 'initdb'), flags);
  const server = await ServerProcess.start({
    program: join(programs, 'postgres'),
    args: (sockets) => ['-D', data, '-k', sockets, ...SETTINGS.flatMap((setting) => ['-c', setting])],
    ...{ folder, user, stopSignal: 'SIGQUIT' },
    isReady: async (sockets) => {
      try {
        const connection = await open(sockets);
        connection.close();
        return true;
      } catch {
        return false; // not yet: the caller asks again, and gives up in time
      }
    },
  });
  try {
    const admin = await open(server.sockets);
    await admin.query(SCHEMA);
    return new PostgresPeer(server, admin, batch);
  } catch (error) {
    await server.stop();
    throw error;
  }
}

const open = (sockets: string): Promise<PostgresConnection> =>
  PostgresConnection.open(join(sockets, '.s.PGSQL.5432'), USER, DATABASE);

class PostgresPeer implements Peer {
  readonly #server: ServerProcess;
  readonly #admin: PostgresConnection;
  readonly #batch: number;

  constructor(server: ServerProcess, admin: PostgresConnection, batch: number) {
    this.#server = server;
    this.#admin = admin;
    this.#batch = batch;
  }

  async connect(): Promise<PeerLink> {
    const connection = await open(this.#server.sockets);
    if (this.#batch === 1) {
      await connection.prepare(ONE, [Oid.uuid, Oid.int8, Oid.int8, Oid.int8]);
      return new OneByOne(connection);
    }
    await connection.prepare(MANY, [Oid.uuidArray, Oid.int8Array, Oid.int8Array, Oid.int8]);
    return new Batches(connection);
  }

  async createCards(pans: readonly string[], creditLimit: number): Promise<void> {
    const cards = pans.map((pan, i) => `(${pan},${i})`).join(',');
    await this.#admin.query(
      `INSERT INTO accounts SELECT i, ${creditLimit}, 0, 0 FROM generate_series(0, ${pans.length - 1}) i;
       INSERT INTO cards VALUES ${cards};`,
    );
    // Not the table of authorizations: one that was looked at while empty is read from end to end by the plans made then.
    await this.#admin.query('VACUUM ANALYZE accounts, cards');
  }

  async held(): Promise<Float64Array> {
    return Float64Array.from(await this.#admin.query('SELECT held FROM accounts ORDER BY id'), Number);
  }

  cpuSeconds(): number | undefined {
    return this.#server.cpuSeconds();
  }

  async stop(): Promise<void> {
    this.#admin.close();
    await this.#server.stop();
  }
}

class OneByOne implements PeerLink {
  readonly #connection: PostgresConnection;
  onAnswers: (answers: readonly PeerAnswer[]) => void = () => undefined;
  onFailure: (error: Error) => void = () => undefined;

  constructor(connection: PostgresConnection) {
    this.#connection = connection;
    connection.onRows = (rows) => this.onAnswers(rows.map((row) => answerOf(row.readInt32BE(0))));
    connection.onFailure = (error) => this.onFailure(error);
  }

  submit(requests: readonly PeerRequest[]): void {
    for (const { key, pan, amount, timeMs } of requests)
      this.#connection.execute([key, int8(BigInt(pan)), int8(BigInt(amount)), int8(BigInt(timeMs))]);
  }

  close(): void {
    this.#connection.close();
  }
}

/** Sorted by card, so that two transactions never wait for each other; answers go back in the order of the requests. */
class Batches implements PeerLink {
  readonly #connection: PostgresConnection;
  /** Of each batch under way: places of its requests in the order in which they were sent. */
  readonly #orders: number[][] = [];
  onAnswers: (answers: readonly PeerAnswer[]) => void = () => undefined;
  onFailure: (error: Error) => void = () => undefined;

  constructor(connection: PostgresConnection) {
    this.#connection = connection;
    connection.onRows = (rows) => {
      const order = this.#orders.shift()!;
      const answers: PeerAnswer[] = [];
      order.forEach((place, i) => {
        answers[place] = answerOf(rows[i]!.readInt32BE(0));
      });
      this.onAnswers(answers);
    };
    connection.onFailure = (error) => this.onFailure(error);
  }

  submit(requests: readonly PeerRequest[]): void {
    const order = requests.map((_, i) => i);
    // Stable, so two messages of one card stay in their order.
    order.sort((a, b) => (requests[a]!.pan < requests[b]!.pan ? -1 : requests[a]!.pan > requests[b]!.pan ? 1 : 0));
    this.#orders.push(order);
    const sorted = order.map((place) => requests[place]!);
    this.#connection.execute([
      arrayOf(
        Oid.uuid,
        sorted.map(({ key }) => key),
      ),
      arrayOf(
        Oid.int8,
        sorted.map(({ pan }) => int8(BigInt(pan))),
      ),
      arrayOf(
        Oid.int8,
        sorted.map(({ amount }) => int8(BigInt(amount))),
      ),
      int8(BigInt(sorted[0]!.timeMs)),
    ]);
  }

  close(): void {
    this.#connection.close();
  }
}
