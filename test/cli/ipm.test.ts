import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import type { IpmData } from '#src/clearing/ipm/writer.js';
import { ipmFile, purchase, someRecords } from '../clearing/files.js';
import { say } from './fake-terminal.js';

const folder = mkdtempSync(join(tmpdir(), 'holdfast-ipm-'));
afterAll(() => rmSync(folder, { recursive: true }));

function saved(name: string, bytes: Uint8Array | string): string {
  const path = join(folder, name);
  writeFileSync(path, bytes);
  return path;
}

const good = saved('good.ipm', ipmFile(someRecords, 'cp500', true));
const pan = '9999990000000014';
const secret = '9F2608A1B2C3D4E5F60718';
const chip: IpmData = {
  ...purchase,
  elements: { 55: Buffer.from(secret, 'hex').toString('latin1'), 72: `CARD ${pan} AND 9999 9900 0000 0014` },
  pds: { 777: `X${pan}Y1234567890123456` },
};
const withChip = saved('chip.ipm', ipmFile([chip]));

describe('ipm describe', () => {
  test('tells every record of a file that it has recognized', async () => {
    const { status, out, err } = await say(['ipm', 'describe', good]);
    expect({ status, err }).toEqual({ status: 0, err: '' });
    const heads = out.split('\n').filter((line) => line.startsWith('record '));
    expect(heads.map((line) => line.replace(/^.*: /, ''))).toEqual([
      '1644/697 header',
      '1240/200 first presentment',
      '1240/200 first presentment',
      '1240/200 first presentment',
      '1442/450 chargeback full',
      '1740/700 fee collection',
      '1644/685 financial position',
      '1644/695 trailer',
    ]);
    expect(out).toContain('DE4          Amount, transaction                        000000004200');
    expect(out).toMatch(/PDS0159 {6}Settlement data .*\n.*transfer_agent/);
  });

  test('shows one record alone, as JSON too', async () => {
    const { out } = await say(['ipm', 'describe', good, '--record', '3', '--json']);
    const described = JSON.parse(out) as { record: number; fields: { field: string; value: string }[] };
    expect(described).toMatchObject({ record: 3, type: '1240/200', kind: 'first_presentment' });
    expect(described.fields.find(({ field }) => field === 'DE3')?.value).toBe('200000');
  });

  test('a record that the file does not have is an error', async () => {
    expect((await say(['ipm', 'describe', good, '--record', '8'])).status).toBe(0);
    const { status, out, err } = await say(['ipm', 'describe', good, '--record', '9']);
    expect([status, out]).toEqual([64, '']);
    expect(err).toContain(`--record 9: ${good} has 8 records. Next: name one of 1 to 8`);
  });

  test('no card number and no chip data', async () => {
    for (const more of [[], ['--json']]) {
      const { status, out } = await say(['ipm', 'describe', withChip, ...more]);
      expect(status).toBe(0);
      expect(out).toContain('999999******0014');
      expect(out).toContain('(hidden)');
      expect(out.replaceAll(/[ -]/g, '')).not.toContain(pan.slice(0, 12));
      expect(out.toUpperCase()).not.toContain('A1B2C3');
      expect(out).not.toContain('1234567890123456');
      expect(out).not.toContain('9900 0000');
    }
  });

  test('of a broken file tells what can be read, and what is wrong', async () => {
    const file = ipmFile();
    const cut = saved('cut.ipm', file.subarray(0, file.length - 30));
    const { status, out, err } = await say(['ipm', 'describe', cut]);
    expect(status).toBe(65);
    expect(out).toContain('fee collection');
    expect(err).toContain('error record_truncated: record 8');
  });

  test('a CTF file', async () => {
    const line = (text: string) => `${text.padEnd(168)}\n`;
    const sale = `05009999990000000014000   29999996328000000000017000000001124000000004536840   000000004200978SHOP`;
    const file = saved('day.ctf', line('9099999926329') + line(sale) + line('0507CHIPDATA') + line('9200999999'));
    const { status, out } = await say(['ipm', 'describe', file]);
    expect(status).toBe(65); // its trailer counts nothing
    expect(out).toContain('TCR0 5-20    account number                             999999******0014');
    expect(out).toContain('TCR7         not in the profile                         (hidden)');
    expect(out).not.toContain('CHIPDATA');
    expect((await say(['ipm', 'check', file, '--encoding', 'cp500'])).status).toBe(64);
  });
});

describe('ipm check', () => {
  test('accepts, with the sums', async () => {
    const { status, out, err } = await say(['ipm', 'check', good, '--mode', 'T']);
    expect({ status, err }).toEqual({ status: 0, err: '' });
    expect(out).toMatch(
      /^accepted: ipm 1, cp500, 1014-byte blocks\nfile id 0012611250000009999901001, mode T, 8 records\n/,
    );
    expect(out).toContain('sums EUR: transaction 13600, settlement 0, billing 0');
    expect(out).toContain('settlement 2026-11-26 cycle 3, USD: 5 records, debits 7036, credits 10152');
  });

  test('refuses with 65 and the code, as JSON too', async () => {
    const { status, out, err } = await say(['ipm', 'check', good, '--mode', 'P']);
    expect(status).toBe(65);
    expect(out).toContain('refused: ');
    expect(out).toContain('error mode_mismatch: record 1, byte 0, PDS0122');
    expect(err).toContain('1 error, first mode_mismatch');
    const json = await say(['ipm', 'check', good, '--mode', 'P', '--json']);
    expect(json.status).toBe(65);
    expect(JSON.parse(json.out)).toMatchObject({
      accepted: false,
      records: 8,
      amount_sum: 16_100,
      settlements: [{ settlement_date: '2026-11-26', currency: 'USD', debits: 7036, credits: 10_152 }],
      findings: [{ code: 'mode_mismatch', record: 1, offset: 0, field: 'PDS0122' }],
    });
  });

  test('options overrule what the file looks like', async () => {
    const { status, err } = await say(['ipm', 'check', good, '--encoding', 'ascii', '--blocked', 'true']);
    expect(status).toBe(65);
    expect(err).toContain('first ebcdic_as_ascii');
    expect((await say(['ipm', 'check', good, '--blocked', 'false'])).err).toContain('first blocked_as_unblocked');
    expect(
      (await say(['ipm', 'check', good, '--encoding', 'cp037', '--blocked', 'true', '--format', 'ipm'])).status,
    ).toBe(0);
  });

  test('what is no file, and no option', async () => {
    expect(await say(['ipm', 'check', join(folder, 'none')])).toMatchObject({ status: 65 });
    expect((await say(['ipm', 'check', folder])).err).toContain('is no file');
    expect((await say(['ipm', 'check', good, '--encoding', 'latin2'])).status).toBe(64);
    expect((await say(['ipm', 'check', saved('empty', '')])).err).toContain('first empty_file');
  });
});
