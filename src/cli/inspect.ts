/**
 * `holdfast inspect journal|stats` read the data directory itself, beside a running server or without one;
 * `inspect account|card|hold|expiry`, and `sweep --dry-run`, ask a running server. One JSON object per line.
 */
import type { Command } from 'commander';
import { snakeCase } from '../domain/code-names.js';
import { EventKind } from '../domain/codes.js';
import { HoldfastError } from '../errors.js';
import { SHARDS_MAX } from '../limits.js';
import { maskJson } from '../pan-mask.js';
import { hint } from '../suggest.js';
import { addApiOptions, apiClient, type Json } from './api-client.js';
import { newCommand, type Run, setAction, wholeNumber } from './command.js';
import { eventObject, messageObject } from './record-json.js';

const RECORDS_DEFAULT = 100;
const KINDS: readonly string[] = Object.keys(EventKind).map(snakeCase);

export function addInspect(program: Command, run: Run): void {
  const inspect = newCommand(program, 'inspect', 'look at records, shards, accounts, cards and holds as JSON lines', [
    'inspect journal --shard 3 --from 1000 --limit 10',
    'inspect account demo-0001',
  ]);
  addJournal(inspect, run);
  addStats(inspect, run);
  addObject(inspect, run, 'account <id>', 'an account, then its newest entries', accountObjects);
  addObject(inspect, run, 'card <id>', 'a card, masked', async (get, id) => [await get(`/v1/cards/${id}`)]);
  addObject(
    inspect,
    run,
    'hold <authorization>',
    'the hold of an authorization, then every element and what it did to it',
    holdObjects,
  );
  addExpiry(inspect, run);
}

function addExpiry(inspect: Command, run: Run): void {
  const text =
    'holds that would expire until a time, per shard and currency, then in all; nothing is changed (asks a running server)';
  const command = newCommand(inspect, 'expiry', text, [
    'inspect expiry',
    'inspect expiry --until 2026-12-24T00:00:00Z',
  ]);
  setDueHolds(command, run);
}

/** The sweep itself needs no command: every turn of a shard has its part of it (decision 0015). */
export function addSweep(program: Command, run: Run): void {
  const command = newCommand(
    program,
    'sweep',
    'what the sweep of expired holds is about to do (the server sweeps by itself, all the time)',
    ['sweep --dry-run', 'sweep --dry-run --until 2026-12-24T00:00:00Z'],
  ).requiredOption('--dry-run', 'only count, as inspect expiry does; there is no other form');
  setDueHolds(command, run);
}

function setDueHolds(command: Command, run: Run): void {
  command
    .option('--until <time>', 'RFC 3339, inclusive (now)')
    .option('--json', 'JSON lines (the only form of this command)');
  addApiOptions(command);
  setAction(command, run, async (options) => {
    const until = options.until as string | undefined;
    const query = until === undefined ? '' : `?until=${encodeURIComponent(until)}`;
    const answer = await apiClient(options, run.terminal).get(`/v1/holds/due${query}`);
    for (const row of answer.shards as Json[]) run.terminal.out(JSON.stringify(row));
    const { until: counted, paused, totals } = answer;
    run.terminal.out(JSON.stringify({ until: counted, paused, totals }));
    return undefined;
  });
}

function addDataDir(command: Command): Command {
  return command
    .option('--data-dir <path>', 'data directory', './data')
    .option('--json', 'JSON lines (the only form of this command)');
}

function addJournal(inspect: Command, run: Run): void {
  const command = newCommand(inspect, 'journal', 'records of the journal, verified as they are read', [
    'inspect journal --data-dir /var/lib/holdfast --limit 20',
    'inspect journal --shard 3 --from 1000 --kind message',
  ])
    .option('--shard <n>', 'one shard instead of all', wholeNumber(0, SHARDS_MAX - 1))
    .option(
      '--from <sequence>',
      'first sequence (the first one that is there)',
      wholeNumber(1, Number.MAX_SAFE_INTEGER),
    )
    .option('--limit <n>', `most records (${RECORDS_DEFAULT})`, wholeNumber(1, Number.MAX_SAFE_INTEGER))
    .option('--kind <name>', 'only records of this kind, such as message or account_created');
  addDataDir(command);
  setAction(command, run, async (options) => {
    const only = options.kind as string | undefined;
    if (only !== undefined && !KINDS.includes(only))
      throw new HoldfastError('usage', `no kind ${only}${hint(only, KINDS)}`, `one of ${KINDS.join(', ')}`);
    let left = (options.limit as number | undefined) ?? RECORDS_DEFAULT;
    const print = (object: Json): void => {
      if (left === 0 || (only !== undefined && object.kind !== only)) return;
      left--;
      run.terminal.out(JSON.stringify(maskJson(object)));
    };
    await withJournal(String(options.dataDir), (reader, shards) => {
      for (const shard of chosen(options.shard as number | undefined, shards)) {
        const scan = reader.scan(shard, (options.from as number | undefined) ?? reader.floor(shard) + 1);
        scan.onMessage = (event) => print(messageObject(shard, event));
        scan.onEvent = (event) => print(eventObject(shard, event));
        while (left > 0 && scan.step(1));
      }
    });
    return undefined;
  });
}

function chosen(shard: number | undefined, shards: number): number[] {
  if (shard === undefined) return Array.from({ length: shards }, (_, index) => index);
  if (shard >= shards)
    throw new HoldfastError('usage', `no shard ${shard}`, `the directory has shards 0 to ${shards - 1}`);
  return [shard];
}

function addStats(inspect: Command, run: Run): void {
  const command = newCommand(inspect, 'stats', 'where each shard of a data directory stands, then the totals', [
    'inspect stats --data-dir /var/lib/holdfast',
  ]);
  addDataDir(command);
  setAction(command, run, async (options) => {
    await withJournal(String(options.dataDir), (reader, shards, document) => {
      const heads = reader.heads(shards);
      for (const { shard, epoch, sequence, hash, digest } of heads) {
        const digestText = [digest.high, digest.low].map((word) => word.toString(16).padStart(8, '0')).join('');
        run.terminal.out(
          JSON.stringify({ shard, epoch, sequence, hash: Buffer.from(hash).toString('hex'), digest: digestText }),
        );
      }
      const records = heads.reduce((sum, { sequence }) => sum + sequence, 0);
      run.terminal.out(JSON.stringify({ directory: document, records }));
    });
    return undefined;
  });
}

type Reader = import('../journal/reader.js').JournalReader;

/** Opens the journal read-only for the time of `work`. The store is loaded only now: most commands never need it. */
async function withJournal(
  dataDir: string,
  work: (reader: Reader, shards: number, document: object) => void,
): Promise<void> {
  const { directoryPaths, readDirectoryDocument } = await import('../store/data-directory.js');
  const { JournalReader } = await import('../journal/reader.js');
  const document = readDirectoryDocument(dataDir);
  const reader = JournalReader.open(directoryPaths(dataDir).journal, { readOnly: true });
  try {
    work(reader, document.shards, document);
  } finally {
    await reader.close();
  }
}

type Get = (path: string) => Promise<Json>;

function addObject(
  inspect: Command,
  run: Run,
  usage: string,
  text: string,
  load: (get: Get, id: string) => Promise<unknown[]>,
): void {
  const name = usage.split(' ')[0]!;
  const command = newCommand(inspect, usage, `${text} (asks a running server)`, [
    `inspect ${name} ${examples[name]}`,
  ]).option('--json', 'JSON lines (the only form of this command)');
  addApiOptions(command);
  setAction(command, run, async (options, [id]) => {
    const client = apiClient(options, run.terminal);
    for (const object of await load((path) => client.get(path), encodeURIComponent(id!))) {
      run.terminal.out(JSON.stringify(maskJson(object)));
    }
    return undefined;
  });
}

const examples: Record<string, string> = { account: 'demo-0001', card: 'card_4w7k...', hold: 'auth_4w7k...' };

async function accountObjects(get: Get, id: string): Promise<unknown[]> {
  const account = await get(`/v1/accounts/${id}`);
  const entries = await get(`/v1/accounts/${id}/entries?limit=100`);
  return [account, ...((entries.data as unknown[] | undefined) ?? [])];
}

async function holdObjects(get: Get, id: string): Promise<unknown[]> {
  const authorization = await get(`/v1/authorizations/${id}`);
  const hold = authorization.hold;
  if (hold === undefined || hold === null) {
    throw new HoldfastError(
      'not_found',
      'the authorization has no open hold',
      'see `holdfast explain` for what became of it',
    );
  }
  const { id: authorizationId, status, totals, elements } = authorization;
  return [{ authorization: authorizationId, status, hold, totals }, ...(elements as unknown[])];
}
