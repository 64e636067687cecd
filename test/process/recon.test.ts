/** A whole day on the real server by its commands: authorizations, a network in a box, clearing, reconciliation. */
import { cpSync, existsSync, lstatSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { DayPlan } from '#src/clearing/box/shares.js';
import { openLmdbStore } from '#src/store/lmdb-store.js';
import { loadKeys } from '#src/vault/keys.js';
import { PanVault } from '#src/vault/pan-vault.js';
import { clearedPurchases } from '../support/clearing-day.js';
import { type Json, run, Server, temporaryFolder } from '../support/server.js';
import { apiOf, atNoon, clear, dateAfter, networkDay, pay, recon } from '../support/whole-day.js';

/** Every treatment that is seen on the day itself; what is missing is open until its hold ends. */
const SHARES = 'missing=0.05,unknownCard=0.05,alteredAmount=0.05,splits=0.1,duplicates=0.05,forced=0.05,refunds=0.05';

/** Takes every card number out of a data directory that no server has. */
async function emptyVault(dataDir: string): Promise<void> {
  const keys = loadKeys(`${dataDir}.keys`, { create: false });
  const store = openLmdbStore(join(dataDir, 'vault'));
  const vault = new PanVault(store, keys);
  const { rows } = vault.rowsAfter('', 10_000);
  const nothing = { key: keys.fingerprintKey.id, startedMs: 1, finishedMs: 1, rows: 0, at: '' };
  vault.noteFingerprints(
    nothing,
    rows.map(({ fingerprint }) => fingerprint),
  );
  await store.close();
}

test('the commands of a day find exactly what was planted', async () => {
  const server = await Server.start({ flags: ['--shards', '4'], environment: atNoon() });
  await clearedPurchases(server, 300);
  const folder = temporaryFolder('network');
  const file = join(folder, 'day.ipm');
  const planFile = join(folder, 'plan.json');
  const date = dateAfter(0);
  const made = ['network-day', '--data-dir', server.dataDir, '--date', date, '--seed', '5', '--shares', SHARES];
  const first = await run([...made, '--out', file, '--plan', planFile]);
  expect([first.status, first.err]).toEqual([0, '']);
  expect(statSync(file).mode & 0o777).toBe(0o600);
  const plan = JSON.parse(readFileSync(planFile, 'utf8')) as DayPlan;
  expect(plan.authorizations).toBe(300);
  // The same seed makes the same file, and no file is written over.
  const again = join(folder, 'again.ipm');
  expect((await run([...made, '--out', again])).status).toBe(0);
  expect(readFileSync(again).equals(readFileSync(file))).toBe(true);
  const place = async (out: string, ...more: string[]) => run([...made, '--out', out, ...more]);
  const there = await place(file);
  expect([there.status, there.err]).toEqual([64, expect.stringContaining('is there already. Next: name a file')]);
  const nowhere = await place(join(folder, 'none', 'day'));
  expect([nowhere.status, nowhere.err]).toEqual([64, expect.stringContaining('ENOENT')]);
  const noPlan = await place(join(folder, 'third.ipm'), '--plan', join(folder, 'none', 'plan'));
  expect([noPlan.status, noPlan.err]).toEqual([64, expect.stringContaining('--plan')]);
  // A card without its number would be missing in the file, and nobody would know.
  const damaged = join(folder, 'damaged');
  cpSync(server.dataDir, damaged, { recursive: true, filter: (path) => !lstatSync(path).isSocket() });
  cpSync(`${server.dataDir}.keys`, `${damaged}.keys`);
  await emptyVault(damaged);
  const lost = await run(['network-day', '--data-dir', damaged, '--date', date, '--out', join(folder, 'lost.ipm')]);
  expect([lost.status, lost.err]).toEqual([76, expect.stringContaining('the vault has no number for a card')]);
  // A day without authorizations makes no file.
  const none = join(folder, 'none.ipm');
  const empty = await run(['network-day', '--data-dir', server.dataDir, '--date', '2020-01-01', '--out', none]);
  expect([empty.status, empty.err]).toEqual([65, expect.stringContaining('there is none on 2020-01-01')]);
  expect(existsSync(none)).toBe(false);

  const api = apiOf(server);
  const cleared = await run(['clear', file, '--wait', '--json', ...api]);
  expect([cleared.status, JSON.parse(cleared.out).status]).toEqual([0, 'posted']);
  const { report } = await recon(server, date);
  const line = (type: string, record: number | null, amount: number): string => `${type} ${record} ${amount}`;
  const planted = plan.breaks
    .filter(({ type }) => type !== 'authorized_not_cleared')
    .map(({ type, record, amount }) => line(type, record, amount));
  expect(new Set(planted.map((text) => text.split(' ')[0])).size).toBe(4);
  expect(report.breaks.map(({ type, record, amount }) => line(type, record, amount)).sort()).toEqual(planted.sort());
  const open = plan.breaks.filter(({ type }) => type === 'authorized_not_cleared').length;
  expect(report.open).toMatchObject([{ currency: 'BRL', count: open }]);
  expect(report.books.currencies).toMatchObject([{ difference: 0 }]);
  expect(JSON.stringify(report)).not.toMatch(/999999\d{10}/);

  const csv = await run(['recon', '--date', date, '--csv', ...api]);
  expect(csv.out.trimEnd().split('\n').length).toBe(planted.length + 1);
  const text = await run(['recon', '--date', date, ...api]);
  expect(text.out).toContain(`${planted.length} breaks: recon_`);
  const metrics = await (await fetch(`http://${server.ready.admin}/metrics`)).text();
  const forced = plan.breaks.filter(({ type }) => type === 'cleared_without_authorization').length;
  expect(metrics).toContain(`holdfast_recon_breaks{type="cleared_without_authorization",age="0-1"} ${forced}`);

  // After a kill the newest report comes again from its inputs.
  await server.kill();
  const next = await Server.start({ dataDir: server.dataDir, environment: atNoon() });
  await expect
    .poll(async () => (await next.get('/v1/recon/breaks?limit=100')).body.data.length, { timeout: 20_000 })
    .toBe(Math.min(100, planted.length));
  await next.stop();
});

test('a day without breaks proves that the books balance, with its sums', async () => {
  const server = await Server.start({ flags: ['--shards', '4'], environment: atNoon() });
  await clearedPurchases(server, 60);
  const file = join(temporaryFolder('network'), 'day.ipm');
  const plan = await networkDay(server, dateAfter(0), file, ['--shares', 'splits=0.2,refunds=0.2,cash=0.1']);
  expect(plan.breaks).toEqual([]);
  expect(await clear(server, file)).toMatchObject({ status: 'posted', duplicates: 0, rejected: 0 });
  const unpaid = await recon(server, dateAfter(0));
  expect(unpaid.report.settlements.length).toBe(1);
  await pay(server, unpaid.report.settlements[0]!);

  // After the day of settlement, when it must be paid.
  const { report } = await recon(server, dateAfter(2));
  expect([report.breaks, report.open, report.books.balance]).toEqual([[], [], true]);
  const { currencies } = (await server.get('/v1/ledger/trial-balance')).body;
  const [{ debits, difference }] = report.books.currencies as [Json];
  expect([difference, currencies[0].difference]).toEqual([0, 0]);
  const [{ file: owed, posted, network_net, due, paid }] = report.settlements as [Json];
  expect([posted, network_net, paid]).toEqual([owed, owed, due]);
  const text = await run(['recon', '--date', dateAfter(2), ...apiOf(server)]);
  expect(text.out).toMatch(/^books balance: recon_\w+, report sha256 [0-9a-f]{64}$/m);
  expect(text.out).toContain(`BRL debits=${debits} credits=${debits} difference=0`);
  await server.stop();
});
