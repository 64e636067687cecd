import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { runTask } from '#src/cli/reading-process.js';
import { verifyData } from '#src/cli/verify-data.js';
import { HoldfastError } from '#src/errors.js';
import { directoryPaths } from '#src/store/data-directory.js';
import { built } from '../support/built.js';
import { type Tamper, writeDirectory } from './directory.js';
import { fakeTerminal, say } from './fake-terminal.js';

let folder = '';
let data = '';
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'holdfast-data-'));
  data = join(folder, 'data');
  await writeDirectory(data);
});
afterAll(() => rmSync(folder, { recursive: true }));

function jsonLines(text: string) {
  return text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
}

/** The one data file of the journal. */
function dataFile(dir: string): string {
  const [lane] = readdirSync(join(dir, 'journal'));
  return join(dir, 'journal', lane!, 'data.mdb');
}

describe('verify', () => {
  test('a sound directory', async () => {
    const { status, out, err } = await say(['verify', '--data-dir', data]);
    expect(err).toBe('');
    expect(status).toBe(0);
    const heads = jsonLines((await say(['inspect', 'stats', '--data-dir', data])).out).slice(0, 4);
    const head = createHash('sha256');
    for (const { hash } of heads) head.update(Buffer.from(hash, 'hex'));
    // Per shard: 1 250 held, 600 released, 500 paid; three shards.
    expect(out).toBe(`verify ok records=21 head=${head.digest('hex')} debits=7050 credits=7050\n`);
  });

  test('--json tells every shard and currency', async () => {
    const report = JSON.parse((await say(['verify', '--data-dir', data, '--json'])).out);
    expect(report).toMatchObject({
      ok: true,
      records: 21,
      accounts: 3,
      cards: 3,
      holds_open: 6,
      currencies: [{ currency: 986, debits: '7050', credits: '7050' }],
    });
    expect(report.shards.map(({ sequence }: { sequence: number }) => sequence)).toEqual([0, 7, 7, 7]);
    expect(report.shards[0].hash).toBe('0'.repeat(64));
    expect(report.system).toEqual({ sequence: 2, hash: expect.stringMatching(/^[0-9a-f]{64}$/) });
  });

  test.each([
    ['digest', { digest: 1 }, 'shard 1: the state after the frame of sequences 3 to 7 has another digest'],
    ['limit', { limit: 1 }, 'shard 1: the state after the frame of sequences 1 to 2 has another digest'],
    ['orphan', { orphan: true }, 'shard 1, after sequence 7: account acct-1 holds 650, its open holds 1250'],
    ['currency', { currency: 840 }, 'shard 1, after sequence 7: the accounts have -500, the ledger 0 (currency and'],
    ['pan', { unknownPan: 2 }, 'shard 2, after sequence 7: the vault row of card slot 0 (newest record 6) is missing'],
    ['row', { brokenPan: 3, unknownPan: 3 }, 'shard 3, after sequence 7: the vault row of card slot 0'],
    ['system', { noSystem: true }, 'the system journal is missing'],
  ] as [string, Tamper, string][])(
    '%s tampered with: 76 and one line that names the place',
    async (name, tamper, text) => {
      const other = join(folder, `tampered-${name}`);
      await writeDirectory(other, tamper);
      const { status, out, err } = await say(['verify', '--data-dir', other]);
      expect([status, out]).toEqual([76, '']);
      expect(err).toContain(text);
      expect(err.trimEnd().split('\n')).toHaveLength(1);
    },
  );

  test('an entry out of balance cannot even be written by the fold', async () => {
    await expect(writeDirectory(join(folder, 'credit'), { credit: 1 })).rejects.toThrow('out of balance');
  });

  test('flipped bytes in the journal: 76', async () => {
    const other = join(folder, 'flipped');
    await writeDirectory(other);
    const path = dataFile(other);
    const bytes = readFileSync(path);
    const at = bytes.lastIndexOf('acct-2');
    expect(at).toBeGreaterThan(0);
    bytes[at + 5] = bytes[at + 5]! ^ 1;
    writeFileSync(path, bytes);
    const { status, err } = await say(['verify', '--data-dir', other]);
    expect(status).toBe(76);
    expect(err).toContain('shard 2');
  });

  test('a flipped byte in the system journal: 76, although no shard is touched', async () => {
    const other = join(folder, 'system');
    await writeDirectory(other);
    const path = join(directoryPaths(other).system, 'data.mdb');
    const bytes = readFileSync(path);
    const at = bytes.lastIndexOf('two');
    bytes[at] = bytes[at]! ^ 1;
    writeFileSync(path, bytes);
    const { status, err } = await say(['verify', '--data-dir', other]);
    expect(status).toBe(76);
    expect(err).toMatch(/^holdfast: the frame at shard 65535 sequence 2 in .*system is damaged/);
  });

  test('a vault that is gone: 76', async () => {
    const other = join(folder, 'vault');
    await writeDirectory(other);
    rmSync(directoryPaths(other).vault, { recursive: true });
    const { status, err } = await say(['verify', '--data-dir', other]);
    expect(status).toBe(76);
    expect(err).toContain('there is no vault in');
  });

  test.each([
    ['vault', /^holdfast: shard 1, after sequence 7: the vault row of card slot 0 .* cannot be read: MDB_/],
    ['system', /^holdfast: reading the system journal in .* failed: MDB_/],
    ['journal', /^holdfast: .*MDB_/],
  ] as const)(
    'pages of the %s that LMDB cannot make sense of: a status of its own, no internal error',
    async (name, line) => {
      const other = join(folder, `pages-${name}`);
      await writeDirectory(other);
      const path = name === 'journal' ? dataFile(other) : join(directoryPaths(other)[name], 'data.mdb');
      const bytes = readFileSync(path);
      // The kind of every page behind the two meta pages becomes "overflow": no tree begins with one.
      for (let page = 2 * 4096; page < bytes.length; page += 4096) bytes.writeUInt16LE(4, page + 18);
      writeFileSync(path, bytes);
      const { status, err } = await say(['verify', '--data-dir', other]);
      expect([76, 73]).toContain(status);
      expect(err).toMatch(line);
      expect(err.trimEnd().split('\n')).toHaveLength(1);
    },
  );

  test('a truncated data file is a diagnosis, not a crash', async () => {
    const other = join(folder, 'truncated');
    await writeDirectory(other);
    truncateSync(dataFile(other), 4096 * 3);
    const { status, err } = await say(['verify', '--data-dir', other]);
    expect(status).toBe(73);
    expect(err).toMatch(/^holdfast: .*\. Next: /);
  });

  test('no data directory: 73', async () => {
    const { status, err } = await say(['verify', '--data-dir', join(folder, 'nowhere')]);
    expect(status).toBe(73);
    expect(err).toContain('no Holdfast data directory');
  });

  test('beside a rotation of fingerprints a card may have another name by now, when the rotation has passed it', async () => {
    for (const at of ['000000010000000200000003', '000000010000000200000002']) {
      const other = join(folder, `rotated-${at}`);
      await writeDirectory(other, { unknownPan: 1 });
      const rotation = JSON.stringify({ key: 'k', startedMs: 1, finishedMs: 0, rows: 1, at });
      let rotated = false;
      // Another process, as the server is one. A row that it adds, of shard 1, makes the verification look at what is there now; the row of
      // shard 3, whose card is looked at last, it takes away.
      const rotate = (): void => {
        if (rotated) return;
        rotated = true;
        const program = `const { openLmdbStore } = await import(${JSON.stringify(built('store/lmdb-store.js'))});
          const store = openLmdbStore(${JSON.stringify(directoryPaths(other).vault)});
          const row = Buffer.from(store.get(Buffer.from('70000000010000000200000002', 'hex')));
          store.commit((writer) => {
            writer.put(Buffer.from('70000000010000000200000001', 'hex'), row);
            writer.remove(Buffer.from('70000000010000000200000003', 'hex'));
            writer.put(Buffer.from('f'), Buffer.from(${JSON.stringify(rotation)}));
          });
          await store.close();`;
        execFileSync(process.execPath, ['--input-type=module', '-e', program]);
      };
      const report = await verifyData(other, rotate).catch((error: unknown) => error);
      if (at.endsWith('3')) expect(report).toMatchObject({ cards: 3 });
      else expect(String(report)).toContain('is missing');
      // Once it is told at the beginning, a row that is not there is missing.
      await expect(verifyData(other, () => undefined)).rejects.toThrow('is missing');
    }
  });

  test('a data file that is cut under the reader kills the child, not the command', async () => {
    const other = join(folder, 'cut');
    await writeDirectory(other);
    // The real verification; after the first shard only the meta pages are left of the journal's file.
    const task = join(folder, 'cut.mjs');
    writeFileSync(
      task,
      `import { truncateSync } from 'node:fs';
       import { verifyData } from ${JSON.stringify(built('cli/verify-data.js'))};
       await verifyData(process.argv[2], () => truncateSync(${JSON.stringify(dataFile(other))}, 8192));
       process.disconnect();`,
    );
    const failure = await runTask('verify', task, [other], fakeTerminal()).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(HoldfastError);
    expect((failure as HoldfastError).code).toBe('store_truncated');
    expect((failure as HoldfastError).message).toContain('stopped by SIGBUS');
  });

  test.each([
    ['SIGBUS', 'store_truncated', 'stopped by SIGBUS'],
    ['SIGSEGV', 'store_truncated', 'stopped by SIGSEGV'],
    ['SIGKILL', 'internal', 'ended with SIGKILL'],
  ] as const)('a reader killed by %s is told as %s', async (signal, code, text) => {
    const task = join(folder, `${signal}.mjs`);
    writeFileSync(
      task,
      `process.send({ kind: 'progress', records: 5 }, () => process.kill(process.pid, '${signal}'));`,
    );
    const failure = await runTask('verify', task, ['x'], fakeTerminal()).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(HoldfastError);
    expect((failure as HoldfastError).code).toBe(code);
    expect((failure as HoldfastError).message).toContain(text);
    expect((failure as HoldfastError).message).toContain('after about 5 records');
  });
});

describe('inspect', () => {
  test('journal: records in words, masked, in order', async () => {
    const { status, out } = await say(['inspect', 'journal', '--data-dir', data, '--shard', '2']);
    expect(status).toBe(0);
    const records = jsonLines(out);
    expect(records.map(({ sequence, kind }) => [sequence, kind])).toEqual([
      [1, 'account_created'],
      [2, 'card_created'],
      [3, 'message'],
      [4, 'message'],
      [5, 'payment'],
      [6, 'message'],
      [7, 'account_updated'],
    ]);
    expect(records[0]).toEqual({
      shard: 2,
      sequence: 1,
      time: '2026-11-22T12:00:00.000Z',
      kind: 'account_created',
      account_slot: 0,
      id: 'acct-2',
      program: 0,
      currency: 986,
      credit_limit: 500000,
      type: 'credit',
    });
    expect(records[1]).toMatchObject({ masked_pan: '999999******0014', status: 'active' });
    expect(records[1]).not.toHaveProperty('fingerprint');
    expect(records[1]).not.toHaveProperty('expiry');
    expect(records[2]).toMatchObject({
      element: 'authorization',
      response_code: '00',
      approval_code: '000017',
      hold_delta: 1000,
      verdicts: { format: 'pass', funds: 'pass' },
      input: { dialect: 'iso87-bcd', mti: '0100', stan: '000042', rrn: '632600000001', amount: 1000, currency: '986' },
    });
    expect(records[2].input).not.toHaveProperty('expiry');
    expect(records[4]).toMatchObject({
      reference: 'pix-1',
      postings: [
        { gl_account: 1500, amount: 500 },
        { gl_account: 1100, amount: -500 },
      ],
    });
    expect(records[5]).toMatchObject({ element: 'reversal', original_sequence: 3, input: { replacement_amount: 400 } });
    expect(records[6]).toMatchObject({ status: 'frozen' });
  });

  test('journal: where to begin, how much, which kind', async () => {
    const some = ['inspect', 'journal', '--data-dir', data];
    expect(
      jsonLines((await say([...some, '--shard', '1', '--from', '5', '--limit', '2'])).out).map(
        ({ sequence }) => sequence,
      ),
    ).toEqual([5, 6]);
    expect(jsonLines((await say([...some, '--kind', 'payment'])).out).map(({ shard }) => shard)).toEqual([1, 2, 3]);
    expect((await say([...some, '--shard', '4'])).status).toBe(64);
    expect(await say([...some, '--kind', 'payments'])).toMatchObject({
      status: 64,
      out: '',
      err: expect.stringMatching(
        /^holdfast: no kind payments \(did you mean payment\?\)\. Next: one of account_created, /,
      ),
    });
    expect((await say([...some, '--shard', '0'])).out).toBe('');
  });

  test('stats: heads and totals', async () => {
    const { out } = await say(['inspect', 'stats', '--data-dir', data]);
    const rows = jsonLines(out);
    expect(rows).toHaveLength(5);
    expect(rows[1]).toMatchObject({ shard: 1, epoch: 1, sequence: 7 });
    expect(rows[4]).toMatchObject({ directory: { shards: 4 }, records: 21 });
  });

  test('the built program works on a directory', () => {
    const main = new URL('../../dist/cli/main.js', import.meta.url);
    const out = execFileSync(process.execPath, [main.pathname, 'verify', '--data-dir', data], { encoding: 'utf8' });
    expect(out).toMatch(/^verify ok records=21 /);
  });
});
