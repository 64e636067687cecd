/**
 * What an operator can get wrong, or find broken, before a server starts: every case ends with its own exit status and one
 * line on stderr that says what, where and what to do next. Nothing starts half, nothing is repaired in silence.
 */
import {
  chmodSync,
  chownSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { purchase } from '../support/iso-client.js';
import { type Ran, run, Server, serveArguments, temporaryFolder } from '../support/server.js';

const root = temporaryFolder('operators');
/** A directory with cards and a few authorizations, stopped properly; cases work on copies. */
const original = join(root, 'original');
let copies = 0;

beforeAll(async () => {
  const server = await Server.start({ dataDir: original });
  const client = await server.connect();
  for (let card = 1; card <= 40; card++) expect((await client.request(purchase({ card })))[39]).toBe('00');
  expect(await server.stop()).toEqual({ status: 0, signal: null });
});

function copyOfData(): string {
  const dataDir = join(root, `copy-${++copies}`);
  cpSync(original, dataDir, {
    recursive: true,
    filter: (path) => !path.endsWith('/lock') && !path.endsWith('/ballast'),
  });
  cpSync(`${original}.keys`, `${dataDir}.keys`);
  return dataDir;
}

function serve(dataDir: string, ...flags: string[]): Promise<Ran> {
  return run(serveArguments({ dataDir, demo: false, flags }));
}

/** The one line that the command ended with. Log lines of the engine before it are JSON. */
function lastWords(ran: Ran): string[] {
  expect(ran.out).toBe('');
  return ran.err.split('\n').filter((line) => line !== '' && !line.startsWith('{'));
}

/** Exit status, and exactly one line, which matches. */
function refused(ran: Ran, status: number, line: RegExp): void {
  expect({ status: ran.status, signal: ran.signal, lines: lastWords(ran) }).toEqual({
    status,
    signal: null,
    lines: [expect.stringMatching(line)],
  });
}

function filesBelow(folder: string, name: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith(name))
    .map((path) => join(folder, path));
}

describe('the command line and its files', () => {
  test('an unknown flag, with a suggestion', async () => {
    refused(
      await run(['serve', '--tcp-prt', '1']),
      64,
      /^holdfast: .*--tcp-prt.*--tcp-port.*Next: holdfast serve --help$/,
    );
  });

  test('a configuration file that is missing, is no YAML, or has an unknown key', async () => {
    const file = join(root, 'bad.yaml');
    const dataDir = join(root, 'never');
    refused(await serve(dataDir, '--config', file), 64, /^holdfast: .*bad\.yaml.*Next: /);
    writeFileSync(file, 'tcp-port: [1\n');
    const broken = await serve(dataDir, '--config', file);
    expect(broken.status).toBe(64);
    expect(lastWords(broken)[0]).toMatch(/bad\.yaml/);
    writeFileSync(file, 'tcp-prot: 1\n');
    refused(await serve(dataDir, '--config', file), 64, /unknown key "tcp-prot".*tcp-port.*bad\.yaml:1.*Next: /);
    expect(existsSync(dataDir)).toBe(false);
  });

  test('an unknown environment variable', async () => {
    const ran = await run(['serve', '--data-dir', join(root, 'never')], { HOLDFAST_TCP_PROT: '1' });
    refused(ran, 64, /unknown environment variable.*HOLDFAST_TCP_PORT.*HOLDFAST_TCP_PROT.*Next: /);
  });
});

describe('the data directory', () => {
  test('a second server on the same directory is refused at once, the first one goes on', async () => {
    const dataDir = copyOfData();
    const first = await Server.start({ dataDir, demo: false });
    refused(await serve(dataDir), 73, new RegExp(`^holdfast: .*${dataDir}.*${first.pid}?.*Next: `));
    const client = await first.connect();
    expect((await client.request(purchase({ card: 1 })))[39]).toBe('00');
    expect(await first.stop()).toEqual({ status: 0, signal: null });
  });

  test('a newer format', async () => {
    const dataDir = copyOfData();
    const path = join(dataDir, 'holdfast.json');
    // Which release made the directory is what the next person wants to know.
    const made = JSON.parse(readFileSync(path, 'utf8')) as { engine: string };
    expect(made.engine).toBe((JSON.parse(readFileSync('package.json', 'utf8')) as { version: string }).version);
    writeFileSync(path, JSON.stringify({ ...JSON.parse(readFileSync(path, 'utf8')), format: 99, engine: '7.0.0' }));
    refused(await serve(dataDir), 73, /holdfast\.json has format 99.*Next: .*7\.0\.0/);
  });

  test('a document that is no JSON', async () => {
    const dataDir = copyOfData();
    writeFileSync(join(dataDir, 'holdfast.json'), '{');
    refused(await serve(dataDir), 73, /holdfast\.json is not JSON.*Next: restore it/);
  });

  test('data without its document', async () => {
    const dataDir = copyOfData();
    rmSync(join(dataDir, 'holdfast.json'));
    refused(await serve(dataDir), 73, /has data in \w+\/ but no holdfast\.json.*Next: restore holdfast\.json/);
  });

  test('another number of shards than it was created with', async () => {
    refused(await serve(copyOfData(), '--shards', '8'), 64, /created with 16 shards, not 8.*Next: .*--shards 16/);
  });

  test('somebody else’s folder', async () => {
    const dataDir = join(root, 'foreign');
    mkdirSync(join(dataDir, 'photos'), { recursive: true });
    refused(await serve(dataDir), 73, /in use for something else \(it holds photos\/\).*Next: /);
    expect(readdirSync(dataDir)).toEqual(['photos']);
  });

  test('a folder with somebody else’s files', async () => {
    const dataDir = join(root, 'documents');
    mkdirSync(dataDir);
    writeFileSync(join(dataDir, 'thesis.tex'), 'text');
    refused(await serve(dataDir), 73, /in use for something else \(it holds thesis\.tex\).*Next: /);
    expect(readdirSync(dataDir)).toEqual(['thesis.tex']);
    expect(existsSync(`${dataDir}.keys`)).toBe(false);
  });

  test('a path that cannot be made', async () => {
    const file = join(root, 'file');
    writeFileSync(file, '');
    refused(await serve(join(file, 'data')), 73, /cannot use .*file\/data.*Next: /);
  });

  test.skipIf(process.getuid?.() === 0)('a folder that may not be written', async () => {
    const dataDir = copyOfData();
    chmodSync(dataDir, 0o500);
    try {
      refused(await serve(dataDir), 73, /Next: /);
    } finally {
      chmodSync(dataDir, 0o700);
    }
  });

  test.skipIf(process.getuid?.() !== 0)('a folder of another user (run as nobody)', async () => {
    const dataDir = copyOfData();
    chmodSync(root, 0o755);
    chownSync(`${dataDir}.keys`, 65534, 65534);
    const asNobody = (): Promise<Ran> => run(serveArguments({ dataDir, demo: false }), {}, '/', 65534);
    refused(await asNobody(), 73, /Next: /);
    // Readable, but nothing in it can be written.
    for (const path of [
      dataDir,
      ...readdirSync(dataDir, { recursive: true, encoding: 'utf8' }).map((p) => join(dataDir, p)),
    ]) {
      chmodSync(path, statSync(path).isDirectory() ? 0o755 : 0o644);
    }
    refused(await asNobody(), 73, /Next: /);
  });
});

describe('the key file', () => {
  const cases: [string, (keys: string) => unknown, RegExp][] = [
    ['readable by the group', (keys) => chmodSync(keys, 0o640), /has mode 0640.*Next: run: chmod 600 /],
    ['no file', (keys) => [rmSync(keys), mkdirSync(keys)], /no regular file.*Next: /],
    [
      'malformed',
      (keys) => writeFileSync(keys, '{"format":1'),
      /malformed: not JSON.*Next: restore it from its backup/,
    ],
    [
      'with a damaged key',
      (keys) => writeFileSync(keys, readFileSync(keys, 'utf8').replace(/"kcv": "../, '"kcv": "zz')),
      /does not match its key check value.*Next: restore it from its backup/,
    ],
    [
      'of another directory',
      (keys) =>
        writeFileSync(keys, readFileSync(keys, 'utf8').replace(/"directory": "[^"]*"/, '"directory": "another one"')),
      /belongs to data directory another one, not to .*Next: point --key-file at/,
    ],
    [
      'missing beside existing data',
      (keys) => rmSync(keys),
      /is missing, and the data cannot be used without it.*Next: /,
    ],
  ];
  test.each(cases)('%s', async (_what, damage, line) => {
    const dataDir = copyOfData();
    damage(`${dataDir}.keys`);
    const ran = await serve(dataDir);
    refused(ran, 73, line);
    // Whatever it says, it never shows a key.
    const secrets = [...readFileSync(`${original}.keys`, 'utf8').matchAll(/"key": "([^"]+)"/g)].map(
      (match) => match[1]!,
    );
    expect(secrets.length).toBeGreaterThanOrEqual(5);
    for (const secret of secrets) expect(ran.err).not.toContain(secret);
  });
});

describe('a key file without its data', () => {
  test('the start refuses, leaves no directory, and what it says to a fresh start works', async () => {
    const dataDir = join(root, 'lost', 'data');
    mkdirSync(join(root, 'lost'));
    cpSync(`${original}.keys`, `${dataDir}.keys`);
    const ran = await serve(dataDir);
    refused(ran, 73, /has no data. Next: if that data is lost .* keep the key file.* to begin afresh .*: mv /);
    expect(readdirSync(join(root, 'lost'))).toEqual(['data.keys']);

    const [, from, to] = /: mv (\S+) (\S+)$/.exec(lastWords(ran)[0]!)!;
    renameSync(from!, to!);
    const server = await Server.start({ dataDir, demo: false });
    expect(await server.stop()).toEqual({ status: 0, signal: null });
    expect(readFileSync(to!)).toEqual(readFileSync(`${original}.keys`));
  });

  test('and with the data back in its place the next start goes on', async () => {
    const dataDir = copyOfData();
    const away = `${dataDir}.away`;
    renameSync(dataDir, away);
    refused(await serve(dataDir), 73, /restore the data directory from its backup/);
    renameSync(away, dataDir);
    const server = await Server.start({ dataDir, demo: false });
    expect(await server.stop()).toEqual({ status: 0, signal: null });
  });

  test.each([
    ['open to others', (keys: string) => chmodSync(keys, 0o640)],
    ['malformed', (keys: string) => writeFileSync(keys, '{', { mode: 0o600 })],
  ])('%s: no directory is left either', async (what, damage) => {
    const folder = join(root, `no data, ${what}`);
    mkdirSync(folder);
    cpSync(`${original}.keys`, join(folder, 'data.keys'));
    damage(join(folder, 'data.keys'));
    refused(await serve(join(folder, 'data')), 73, /key file .*Next: /);
    expect(readdirSync(folder)).toEqual(['data.keys']);
  });
});

describe('ports', () => {
  test.each(['--tcp-port', '--ws-port', '--admin-port'])('%s is taken', async (flag) => {
    const squatter = createServer();
    await new Promise<void>((resolve) => squatter.listen(0, '127.0.0.1', resolve));
    const { port } = squatter.address() as { port: number };
    try {
      const ran = await serve(copyOfData(), flag, String(port));
      refused(ran, 69, new RegExp(`127\\.0\\.0\\.1:${port}.*another process listens there.*Next: .*${flag}`));
    } finally {
      squatter.close();
    }
  });
});

describe('a damaged journal', () => {
  /** The places of every copy of every frame in an LMDB file, by shard. */
  function frames(bytes: Buffer): { at: number; shard: number; first: number; last: number }[] {
    const found = [];
    for (let at = bytes.indexOf('HFJ1'); at >= 0; at = bytes.indexOf('HFJ1', at + 4)) {
      const first = Number(bytes.readBigUInt64BE(at + 16));
      const last = Number(bytes.readBigUInt64BE(at + 24));
      found.push({ at, shard: bytes.readUInt16BE(at + 6), first, last });
    }
    return found;
  }

  test('cut short: refused before it is mapped, no SIGBUS', async () => {
    const dataDir = copyOfData();
    const [lane] = filesBelow(join(dataDir, 'journal'), 'data.mdb');
    truncateSync(lane!, Math.floor(statSync(lane!).size / 2 / 4096) * 4096);
    refused(await serve(dataDir), 73, /data\.mdb is damaged or cut short: .*Next: restore the directory from a backup/);
  });

  test('a flipped bit in a shard’s last frame: 76, naming shard and sequence', async () => {
    const dataDir = copyOfData();
    const [lane] = filesBelow(join(dataDir, 'journal'), 'data.mdb');
    const bytes = readFileSync(lane!);
    const all = frames(bytes);
    const newest = all.reduce((best, frame) => (frame.last > best.last ? frame : best));
    for (const copy of all) if (copy.shard === newest.shard && copy.last === newest.last) bytes[copy.at + 100]! ^= 4;
    writeFileSync(lane!, bytes);
    refused(
      await serve(dataDir),
      76,
      new RegExp(`shard ${newest.shard}[ ,:].*sequence ${newest.first}.*Next: .*(verify|backup)`),
    );
  });

  test('a flipped bit further back: the start needs it no more, verify names it', async () => {
    const dataDir = copyOfData();
    const [lane] = filesBelow(join(dataDir, 'journal'), 'data.mdb');
    const bytes = readFileSync(lane!);
    const all = frames(bytes);
    const oldest = all.find(
      (frame) => frame.first === 1 && all.some((other) => other.shard === frame.shard && other.first > frame.last),
    )!;
    for (const copy of all) if (copy.shard === oldest.shard && copy.first === 1) bytes[copy.at + 100]! ^= 4;
    writeFileSync(lane!, bytes);
    const verified = await run(['verify', '--data-dir', dataDir]);
    refused(verified, 76, new RegExp(`shard ${oldest.shard}[ ,:].*sequence 1.*Next: `));
  });
});
