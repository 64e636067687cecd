import { mkdtempSync, readdirSync, rmSync, truncateSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { replayData } from '#src/cli/replay-data.js';
import { readDirectoryDocument } from '#src/store/data-directory.js';
import { loadKeys } from '#src/vault/keys.js';
import { PublicIds } from '#src/vault/public-ids.js';
import { writeDirectory } from './directory.js';
import { say } from './fake-terminal.js';

let folder = '';
let data = '';
let keyFile = '';
let ids: PublicIds;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'holdfast-replay-'));
  data = join(folder, 'data');
  await writeDirectory(data);
  keyFile = join(data, 'keys.json');
  ids = new PublicIds(loadKeys(keyFile, { create: false }).idKey.bytes);
});
afterAll(() => rmSync(folder, { recursive: true }));

const replay = (...args: string[]) => say(['replay', '--data-dir', data, ...args]);
const report = async (...args: string[]) => JSON.parse((await replay(...args, '--json')).out);

describe('replay', () => {
  test('for people, a list or a group of nothing is said to be none', async () => {
    const { status, out } = await replay('--until', '1-1-2');
    expect(status).toBe(0);
    expect(out).toContain('\n  balances_by_component: none\n');
    expect(out).not.toMatch(/: *\n(?! {3})/);
  });

  test('an account as it was after each record', async () => {
    const seen: unknown[][] = [];
    for (let sequence = 1; sequence <= 7; sequence++) {
      const told = await replayData(data, { until: `2-1-${sequence}` }, () => undefined);
      const { account, cards, holds } = JSON.parse(JSON.stringify(told));
      const { posted, held, available } = account.balances;
      const open = holds.map(({ sequence, remaining }: Record<string, number>) => `${sequence}:${remaining}`);
      seen.push([sequence, account.status, posted, held, available, cards.length, open.join(' ')]);
    }
    expect(seen).toEqual([
      [1, 'open', 0, 0, 500_000, 0, ''],
      [2, 'open', 0, 0, 500_000, 1, ''],
      [3, 'open', 0, 1000, 499_000, 1, '3:1000'],
      [4, 'open', 0, 1250, 498_750, 1, '3:1000 4:250'],
      [5, 'open', -500, 1250, 499_250, 1, '3:1000 4:250'],
      [6, 'open', -500, 650, 499_850, 1, '3:400 4:250'],
      [7, 'frozen', -500, 650, 499_850, 1, '3:400 4:250'],
    ]);
  });

  test('everything that it tells, with the ids of the API when there are keys', async () => {
    const told = await report('--until', '2-1-6', '--key-file', keyFile);
    const card = { id: ids.encode('card', 2, 0), slot: 0 };
    expect(told).toEqual({
      object: 'replay',
      position: '2-1-6',
      time: '2026-11-22T12:00:03.000Z',
      account: {
        id: 'acct-2',
        program: { index: 0, id: null, revision: null },
        currency: 'BRL',
        type: 'credit',
        status: 'open',
        credit_limit: 500_000,
        balances: { posted: -500, held: 650, available: 499_850 },
        balances_by_component: { 1100: -500 },
        controls: null,
        program_controls: null,
        created_at: '2026-11-22T12:00:00.000Z',
      },
      cards: [
        {
          ...card,
          masked_pan: '999999******0014',
          status: 'active',
          replaces: null,
          pin_tries_used: 0,
          controls: null,
          aliases: [],
        },
      ],
      holds: [
        {
          authorization: ids.encode('auth', 2, 3),
          sequence: 3,
          card_slot: 0,
          original: 1000,
          authorized: 400,
          remaining: 400,
          refund: false,
          expires_at: '2026-11-23T12:00:00.000Z',
        },
        expect.objectContaining({ authorization: ids.encode('auth', 2, 4), remaining: 250 }),
      ],
      counters: [],
    });
    const { cards, holds } = await report('--until', '2-1-6');
    expect([cards[0].id, holds[0].authorization]).toEqual([null, null]);
  });

  test('a time includes what was recorded in its last millisecond', async () => {
    const id = 'acct-of-nobody';
    const account = ['--card', ids.encode('card', 3, 0), '--key-file', keyFile];
    const at = async (time: string) => (await report('--until', time, ...account)).position;
    expect(await at('2026-11-22T12:00:00Z')).toBe('3-1-2');
    expect(await at('2026-11-22T12:00:01.999Z')).toBe('3-1-4');
    expect(await at('2026-11-22T09:00:02-03:00')).toBe('3-1-5');
    expect(await at('2027-01-01T00:00:00Z')).toBe('3-1-7');
    // A date is all of its day, and no position of a shard 2026.
    expect(await at('2026-11-22')).toBe('3-1-7');
    const dayBefore = await replay('--until', '2026-11-21', ...account);
    expect([dayBefore.status, dayBefore.err]).toEqual([65, expect.stringContaining('before its first record')]);
    const before = await replay('--until', '2026-11-22T11:59:59Z', ...account);
    expect([before.status, before.err]).toEqual([65, expect.stringContaining('before its first record')]);
    const nobody = await replay('--until', '2027-01-01T00:00:00Z', '--account', id);
    expect([nobody.status, nobody.out]).toEqual([65, '']);
    expect(nobody.err).toMatch(/^holdfast: account acct-of-nobody is not in shard \d.*\. Next: check the id/);
  });

  test('for people: the account first, then what belongs to it', async () => {
    const { out, err } = await replay('--until', '1-1-3');
    expect(err).toBe('');
    expect(out.split('\n')[0]).toBe('account=acct-1 position=1-1-3 time=2026-11-22T12:00:01.000Z');
    expect(out).toContain('\n  balances: posted=0 held=1000 available=499000\n');
    expect(out).toContain('sequence=3 card_slot=0 original=1000 authorized=1000 remaining=1000');
    expect(out).toContain('\n  counters: none\n');
  });

  test.each([
    [
      'a position beyond the head',
      ['--until', '2-1-8'],
      65,
      'there is no position 2-1-8: shard 2 goes from sequence 1 to 7',
    ],
    ['an epoch beyond the head', ['--until', '2-2-7'], 65, 'there is no position 2-2-7'],
    ['an epoch before that of the record', ['--until', '2-0-7'], 65, 'that record was written in epoch 1'],
    ['sequence 0', ['--until', '2-1-0'], 65, 'there is no position 2-1-0'],
    ['a shard that is not there', ['--until', '4-1-1'], 65, 'there is no shard 4'],
    ['neither position nor time', ['--until', 'yesterday'], 64, '--until: neither a position nor a time: yesterday'],
    ['a date that is none', ['--until', '2026-02-30'], 64, '--until: neither a position nor a time: 2026-02-30'],
    ['a day that is none', ['--until', '2026-02-30T00:00:00Z'], 64, 'neither a position nor a time'],
    ['a time alone', ['--until', '2027-01-01T00:00:00Z'], 64, 'a time alone names no account'],
    ['both', ['--until', '2-1-7', '--account', 'a', '--card', 'b'], 64, 'exclude each other'],
    ['no moment', [], 64, "required option '--until"],
    ['a card without keys', ['--until', '2-1-7', '--card', 'card_x'], 73, 'key file'],
  ])('%s', async (_name, args, status, text) => {
    const said = await replay(...args);
    expect([said.status, said.out]).toEqual([status, '']);
    expect(said.err).toContain(text);
    expect(said.err.trimEnd().split('\n')).toHaveLength(1);
  });

  test('an account of another shard than the position', async () => {
    const { shards } = readDirectoryDocument(data);
    const refused = async (shard: number) => (await replay('--until', `${shard}-1-1`, '--account', 'some')).err;
    const errors = await Promise.all(Array.from({ length: shards }, (_, shard) => refused(shard)));
    expect(errors.filter((text) => text.includes('the position in shard'))).toHaveLength(shards - 1);
  });

  test('a frame that was tampered with before the moment: 76; behind it nothing is checked', async () => {
    const other = join(folder, 'tampered');
    await writeDirectory(other, { digest: 1 });
    const until = (sequence: number) => say(['replay', '--data-dir', other, '--until', `1-1-${sequence}`]);
    expect((await until(2)).status).toBe(0);
    const { status, err } = await until(7);
    expect([status, err]).toEqual([
      76,
      expect.stringContaining('shard 1: the state after the frame of sequences 3 to 7'),
    ]);
  });

  test('a data file that is cut off: a diagnosis', async () => {
    const other = join(folder, 'cut');
    await writeDirectory(other);
    const [lane] = readdirSync(join(other, 'journal'));
    truncateSync(join(other, 'journal', lane!, 'data.mdb'), 4096 * 3);
    expect((await say(['replay', '--data-dir', other, '--until', '1-1-1'])).status).toBe(73);
  });
});
