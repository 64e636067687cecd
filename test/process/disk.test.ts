/**
 * A disk that is nearly full: before a commit could fail for lack of space new work is answered 91 and readiness is red;
 * when space is back service goes on by itself. And a commit that fails all the same ends the process with 74.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { rmSync, statfsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { demoAccount } from '#src/cli/demo-program.js';
import { type IsoClient, purchase, repeat } from '../support/iso-client.js';
import { Server, temporaryFolder, until } from '../support/server.js';

const MIB = 2 ** 20;
/** The hog takes this much, and the reserve leaves two thirds of it: other users of the disk have room to move. */
const HOG_BYTES = 900 * MIB;

const folder = temporaryFolder('disk');
const hasTool = (name: string): boolean => spawnSync(name, ['--version']).error === undefined;

function freeBytes(): number {
  const { bavail, bsize } = statfsSync(folder);
  return bavail * bsize;
}

const codeOf = async (client: IsoClient, card: number): Promise<string> =>
  (await client.request(purchase({ card, amount: 10 })))[39]!;

describe('a nearly full disk', () => {
  test.skipIf(!hasTool('fallocate') || freeBytes() < 2 * HOG_BYTES)(
    'below the reserve: 91 and red; above it again: 00 and green, nothing lost',
    async () => {
      const reserve = Math.floor(freeBytes() - 600 * MIB);
      const hog = join(folder, 'hog');
      const dataDir = join(folder, 'data');
      const server = await Server.start({ dataDir, flags: ['--disk-reserve-bytes', String(reserve)] });
      const client = await server.connect();
      const original = purchase({ card: 1, amount: 500 });
      const first = await client.request(original);
      expect(first[39]).toBe('00');
      try {
        execFileSync('fallocate', ['-l', String(HOG_BYTES), hog]);
        await until('readiness is red', async () => (await server.get('/readyz')).status === 503);
        const { body } = await server.get('/readyz');
        expect(body.reasons).toEqual([{ check: 'disk', detail: expect.stringMatching(/reserve/) }]);
        expect(await codeOf(client, 2)).toBe('91');
        const network = { 0: '0800', 7: original[7]!, 11: '999999', 70: '301' };
        expect((await client.request(network))[39]).toBe('00');
        const payment = { account: demoAccount(1), amount: 1, currency: 'BRL', reference: 'full' };
        const refused = await server.api('POST', '/v1/payments', payment, { 'idempotency-key': 'full' });
        expect([refused.status, refused.body.code]).toEqual([503, 'disk_full']);
        expect(refused.headers.get('retry-after')).toBe('5');
        // What was there before is still there to be read.
        expect((await server.get(`/v1/accounts/${demoAccount(1)}`)).body.balances.held).toBe(500);
      } finally {
        rmSync(hog, { force: true });
      }
      await until('readiness is green', async () => (await server.get('/readyz')).status === 200);
      expect(await codeOf(client, 2)).toBe('00');
      expect((await client.request(repeat(original)))[38]).toBe(first[38]);
      expect((await server.get(`/v1/accounts/${demoAccount(1)}`)).body.balances.held).toBe(500);
      expect((await server.get(`/v1/accounts/${demoAccount(2)}`)).body.balances.held).toBe(10);
      expect(server.logged('disk space is back: service goes on')).toHaveLength(1);
      expect(await server.stop()).toEqual({ status: 0, signal: null });
    },
  );
});

describe('a commit that fails', () => {
  test.skipIf(!hasTool('prlimit'))('ends the process with 74; nothing that was answered is lost', async () => {
    const dataDir = join(folder, 'failing');
    const server = await Server.start({ dataDir });
    const client = await server.connect();
    let approved = 0;
    const one = async (): Promise<void> => {
      const reply = await client.request(purchase({ card: 7, amount: 1 }));
      if (reply[39] === '00') approved++;
      else throw new Error(`answered ${reply[39]}`);
    };
    for (let n = 0; n < 50; n++) await one();
    // From now on no file may grow: the next page at the end of the journal cannot be written.
    const lane = join(dataDir, 'journal');
    const largest = execFileSync('find', [lane, '-name', 'data.mdb'], { encoding: 'utf8' }).trim().split('\n')[0]!;
    execFileSync('prlimit', ['--pid', String(server.pid), `--fsize=${statSync(largest).size}`]);
    await expect(
      (async () => {
        for (let n = 0; n < 5000; n++) await one();
      })(),
    ).rejects.toThrow('the connection was closed');
    const exit = await server.end();
    expect(exit).toEqual({ status: 74, signal: null });
    expect(server.logged('fatal stop')[0]).toMatchObject({ level: 60, exit_status: 74 });

    const next = await Server.start({ dataDir });
    const { body } = await next.get(`/v1/accounts/${demoAccount(7)}`);
    // At most the one that was in flight is there without an answer.
    expect([approved, approved + 1]).toContain(body.balances.held);
    expect(await codeOf(await next.connect(), 7)).toBe('00');
    expect(await next.stop()).toEqual({ status: 0, signal: null });
  });
});
