/**
 * What a server does beside authorizations while it is killed: clearing files, imports, backups. Each has its own book: what was
 * begun, what was acknowledged, and what must be there once it has been finished after the kill.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { IpmFileWriter } from '#src/clearing/ipm/writer.js';
import { demoAccount, demoPan } from '#src/cli/demo-program.js';
import { openLmdbStore } from '#src/store/lmdb-store.js';
import { PanFingerprinter } from '#src/vault/fingerprint.js';
import { loadKeys } from '#src/vault/keys.js';
import { panOfNumber } from '#src/vault/pan.js';
import { PanVault } from '#src/vault/pan-vault.js';
import { built } from '../support/built.js';
import { presentment } from '../support/clearing-day.js';
import type { Client } from './client.js';
import { cleanEnvironment, type Server, sleep, verify } from './server.js';

/** Demo cards that no book of authorizations has: 7 n + 7. */
const clearingCard = (n: number): number => 7 * (1 + (n % 120));
const RECORDS = 120;
const ROWS = 300;
const DEMO_CARDS = 1000;

interface ClearingFile {
  readonly content: Uint8Array<ArrayBuffer>;
  readonly amounts: ReadonlyMap<number, number>;
  id: string;
  posted: boolean;
}

interface Import {
  readonly rows: string;
  readonly accounts: readonly string[];
  done: boolean;
}

type Json = Record<string, unknown>;

export class SideWork {
  readonly #folder: string;
  readonly #dataDir: string;
  readonly #files: ClearingFile[] = [];
  readonly #imports: Import[] = [];
  readonly #backups: { readonly target: string; readonly end: Promise<number | null> }[] = [];
  #recon = 0;
  #rotations = 0;
  #rotating = false;

  constructor(folder: string, dataDir: string) {
    this.#folder = folder;
    this.#dataDir = dataDir;
  }

  /** Whether the next start may go on with a rotation by itself, which adds to the journal. */
  get rotating(): boolean {
    return this.#rotating;
  }

  /** Sends a clearing file; resolves when it is received, posted, or the server is gone. @param until how far it is awaited */
  async clear(client: Client, until: 'received' | 'posted'): Promise<void> {
    const file = this.#newFile();
    this.#files.push(file);
    await this.#send(client, file);
    while (until === 'posted' && !file.posted && (await this.#look(client, file))) await sleep(5);
  }

  /** Begins a reconciliation. */
  async reconcile(client: Client): Promise<void> {
    const date = new Date().toISOString().slice(0, 10);
    const { status, text } = await client.post('/v1/recon/runs', { date });
    if (status === 0) return;
    const { id } = JSON.parse(text) as { id?: string };
    this.#recon++;
    while (id !== undefined) {
      const { status: state } = await client.get<Json>(`/v1/recon/runs/${id}`);
      if (state !== 'running') return;
      await sleep(5);
    }
  }

  /** Imports accounts and cards over the API. */
  async bulk(client: Client): Promise<void> {
    await this.#import(client, this.#newImport());
  }

  /** Imports them by the command. */
  async importFile(server: Server): Promise<void> {
    const one = this.#newImport();
    const file = join(this.#folder, `import-${this.#imports.length}.ndjson`);
    writeFileSync(file, one.rows);
    const { admin } = await server.ready;
    const token = join(this.#dataDir, 'admin.token');
    const child = this.#run('import', file, '--admin', admin, '--token-file', token);
    if ((await ended(child)) === 0) one.done = true;
    rmSync(file);
  }

  /** Begins a rotation of the key of card numbers or of fingerprints, one after the other, and waits for its end. */
  async rotate(client: Client): Promise<void> {
    const usage = this.#rotations % 2 === 0 ? 'fingerprint' : 'pan';
    this.#rotating = true;
    const { status, text } = await client.post('/v1/keys/rotations', { usage });
    if (status === 0) return;
    if (status !== 202) throw new Error(`a rotation was answered ${status}: ${text}`);
    this.#rotations++;
    await this.#rotated(client);
  }

  /** Awaits the end of the rotations that go on. Gives what is wrong. */
  async #rotated(client: Client): Promise<string[]> {
    for (;;) {
      const keys = await client.get<Record<string, Json | null>>('/v1/keys');
      const rotations = [keys.rotation, keys.fingerprint_rotation].filter((one) => one !== null && one !== undefined);
      const still = rotations.filter(({ status }) => status !== 'done' && status !== 'running');
      if (still.length > 0) return [`a rotation stands still: ${JSON.stringify(still)}`];
      if (rotations.every(({ status }) => status === 'done')) {
        this.#rotating = false;
        return [];
      }
      await sleep(5);
    }
  }

  /** Demo cards that cannot be read by the keys of the key file. Only while no server runs. */
  async lostCards(): Promise<string[]> {
    if (this.#rotations === 0) return [];
    const keys = loadKeys(`${this.#dataDir}.keys`, { create: false });
    const store = openLmdbStore(join(this.#dataDir, 'vault'), { readOnly: true });
    try {
      const vault = new PanVault(store, keys);
      // The rotation that was cut off has given some of the rows their new names.
      const prints = keys.fingerprintKeys.map(({ bytes }) => new PanFingerprinter(bytes));
      const isThere = (pan: string): boolean => prints.some((print) => vault.reveal(print.of(pan)) === pan);
      const pans = Array.from({ length: DEMO_CARDS }, (_, i) => demoPan(i + 1));
      return pans.flatMap((pan, i) => (isThere(pan) ? [] : [`card ${i + 1} is not readable`]));
    } finally {
      await store.close();
    }
  }

  /** Begins a backup of the directory, by the command: it goes on when the server is gone. */
  backup(): void {
    const target = join(this.#folder, `backup-${this.#backups.length}`);
    const child = this.#run('backup', target, '--data-dir', this.#dataDir, '--rate', '1MiB');
    this.#backups.push({ target, end: ended(child) });
  }

  #run(...args: string[]): ChildProcess {
    const main = fileURLToPath(built('cli/main.js'));
    return spawn(process.execPath, [main, ...args], { env: cleanEnvironment(), stdio: 'ignore' });
  }

  #newFile(): ClearingFile {
    const n = this.#files.length;
    const parts: Uint8Array[] = [];
    const date = new Date().toISOString().slice(2, 10).replaceAll('-', '');
    const fileId = `001${date}00009999901${String(n).padStart(5, '0')}`;
    const options = { encoding: 'ascii', blocked: false, mode: 'P', fileId } as const;
    const writer = new IpmFileWriter(options, (bytes) => parts.push(bytes.slice()));
    const amounts = new Map<number, number>();
    for (let i = 0; i < RECORDS; i++) {
      const card = clearingCard(n * 31 + i);
      const amount = 100 + ((n * RECORDS + i) % 900);
      amounts.set(card, (amounts.get(card) ?? 0) + amount);
      writer.write(presentment(n * RECORDS + i, card, amount));
    }
    writer.finish();
    return { content: Buffer.concat(parts), amounts, id: '', posted: false };
  }

  async #send(client: Client, file: ClearingFile): Promise<void> {
    const answer = await client.upload('/v1/clearing-files', 'application/octet-stream', file.content);
    if (answer.status === 0) return;
    const { id, status } = JSON.parse(answer.text) as { id: string; status: string };
    if (answer.status !== 202) throw new Error(`a clearing file was answered ${answer.status}: ${answer.text}`);
    file.id = id;
    if (status === 'duplicate') file.posted = true;
  }

  /** False when it is finished, or nobody answers. */
  async #look(client: Client, file: ClearingFile): Promise<boolean> {
    const row = await client.get<Json>(`/v1/clearing-files/${file.id}`);
    if (row.status === 'quarantined') throw new Error(`a clearing file was quarantined: ${JSON.stringify(row)}`);
    file.posted = row.status === 'posted' || row.status === 'duplicate';
    return !file.posted;
  }

  #newImport(): Import {
    const first = 2_000_000 + this.#imports.length * ROWS;
    const accounts = Array.from({ length: ROWS }, (_, i) => `crash-${first + i}`);
    const lines = accounts.map((id, i) =>
      JSON.stringify({
        account: { id, currency: 'BRL', credit_limit: 1000 },
        card: { pan: panOfNumber('999999', first + i), expiry: '3512', status: 'active' },
      }),
    );
    const one: Import = { rows: `${lines.join('\n')}\n`, accounts, done: false };
    this.#imports.push(one);
    return one;
  }

  async #import(client: Client, one: Import): Promise<string[]> {
    const { status, text } = await client.upload('/v1/bulk/accounts', 'application/x-ndjson', Buffer.from(one.rows));
    if (status === 0) return [];
    const { accounts, rejected, rejects } = JSON.parse(text) as {
      accounts: number;
      rejected: number;
      rejects: { code: string }[];
    };
    const found: string[] = [];
    if (status !== 200 || accounts + rejected !== ROWS)
      found.push(`an import was answered ${status}: ${text.slice(0, 500)}`);
    for (const { code } of rejects)
      if (code !== 'card_exists' && code !== 'account_exists') found.push(`a row of an import was refused: ${code}`);
    one.done = true;
    return found;
  }

  /** Finishes what a kill had ended, as its owner would: by doing it again. Gives what is wrong. */
  async settle(client: Client): Promise<string[]> {
    const found: string[] = [];
    for (const file of this.#files) {
      if (file.posted) continue;
      await this.#send(client, file);
      while (!file.posted && (await this.#look(client, file))) await sleep(10);
    }
    found.push(...(await this.#rotated(client)));
    for (const one of this.#imports) if (!one.done) found.push(...(await this.#import(client, one)));
    for (const { target, end } of this.#backups.splice(0))
      found.push(...(await this.#backupDefects(target, await end)));
    return found;
  }

  /** The server was killed beside it: what it copied is whole all the same. */
  async #backupDefects(target: string, status: number | null): Promise<string[]> {
    const { code, text } = await verify(join(target, 'data'));
    rmSync(target, { recursive: true, force: true });
    if (status !== 0 || code !== 0) return [`a backup beside a kill ended with ${status}, its verification: ${text}`];
    return [];
  }

  /** What the accounts of clearing and imports show that was not acknowledged so. Only after `settle`. */
  async differences(client: Client, all: boolean): Promise<string[]> {
    const found: string[] = [];
    const sums = new Map<number, number>();
    for (const { amounts } of this.#files)
      for (const [card, amount] of amounts) sums.set(card, (sums.get(card) ?? 0) + amount);
    const cards = [...sums];
    for (const [card, sum] of all ? cards : cards.slice(-20)) {
      const { balances } = await client.get<{ balances: { posted: number } }>(`/v1/accounts/${demoAccount(card)}`);
      if (balances.posted !== sum) found.push(`card ${card}: ${balances.posted} are posted, files have ${sum}`);
    }
    for (const { accounts } of all ? this.#imports : this.#imports.slice(-2)) {
      const picked = all ? accounts : [accounts[0]!, accounts[ROWS - 1]!];
      for (const id of picked) {
        const { data } = await client.get<{ data: unknown[] }>(`/v1/cards?account=${id}`);
        if (data.length !== 1) found.push(`account ${id} of an import has ${data.length} cards`);
      }
    }
    const spool = readdirSync(join(this.#dataDir, 'spool'));
    if (spool.length > 0) found.push(`the spool keeps ${spool.join(', ')}`);
    return found;
  }

  get told(): object {
    const { length: files } = this.#files;
    return { files, imports: this.#imports.length, recon: this.#recon, rotations: this.#rotations };
  }
}

function ended(child: ChildProcess): Promise<number | null> {
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
}
