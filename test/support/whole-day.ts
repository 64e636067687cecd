/**
 * A whole day of a server by its own commands: load, the network's file with its plan of breaks, posting, reconciliation; and what
 * the books are afterwards.
 */
import { readFileSync } from 'node:fs';
import { expect } from 'vitest';
import type { DayPlan } from '#src/clearing/box/shares.js';
import { type Json, type Ran, run, type Server } from './server.js';

const DAY_MS = 86_400_000;

/** The date of a server that was started with `atNoon`, and days after it. */
const today = Math.floor(Date.now() / DAY_MS);
export const dateAfter = (days: number): string => new Date((today + days) * DAY_MS).toISOString().slice(0, 10);

/** Environment of a server whose shards begin at noon, so many days after today: no test is cut in two by midnight. */
export function atNoon(days = 0): Record<string, string> {
  return { HOLDFAST_FAULT_WALL: String((today + days) * DAY_MS + DAY_MS / 2 - Date.now()) };
}

/** Flags by which a command finds a server. */
export const apiOf = (server: Server): string[] => [
  ...['--admin', `http://${server.ready.admin}`],
  ...['--token-file', `${server.dataDir}/admin.token`],
];

/** A command that must end well. */
export async function must(args: readonly string[]): Promise<Ran> {
  const ran = await run(args);
  expect([args[0], ran.status, ran.err.slice(0, 2000)]).toEqual([args[0], 0, '']);
  return ran;
}

/** So many messages by the load test, of which every eleventh is a reversal; its own proof of the money must hold. */
export async function load(server: Server, messages: number, accounts = 1000): Promise<void> {
  const much = ['-n', String(messages), '--accounts', String(accounts)];
  const how = [...much, '--closed', '-c', '4', '-p', '64', '--mix', 'auth:100,reversal:10'];
  const ran = await run(['loadtest', `iso8583+tcp://${server.tcp}`, ...how, '--verify', '--quiet', ...apiOf(server)]);
  expect([ran.status, ran.out.match(/^verify.*$/m)?.[0] ?? ran.out]).toEqual([0, expect.stringContaining('verify')]);
}

/** The network's file for the open authorizations of a date. */
export async function networkDay(server: Server, date: string, out: string, more: readonly string[]): Promise<DayPlan> {
  const plan = `${out}.plan`;
  const { dataDir } = server;
  await must(['network-day', '--data-dir', dataDir, '--date', date, '--out', out, '--plan', plan, ...more]);
  return JSON.parse(readFileSync(plan, 'utf8')) as DayPlan;
}

/** Posts a file. */
export async function clear(server: Server, file: string): Promise<Json> {
  const { out } = await must(['clear', file, '--wait', '--json', ...apiOf(server)]);
  return JSON.parse(out) as Json;
}

/** A report, as far as it is read here. */
export interface Report {
  readonly breaks: readonly {
    readonly type: string;
    readonly file: string | null;
    readonly record: number | null;
    readonly authorization: string | null;
    readonly amount: number;
  }[];
  readonly open: readonly { readonly currency: string; readonly count: number }[];
  readonly books: { readonly balance: boolean; readonly currencies: Json[] };
  readonly settlements: Json[];
}

/** Reconciles as of a date. @returns the report and its text */
export async function recon(server: Server, date: string): Promise<{ report: Report; text: string }> {
  const { out } = await must(['recon', '--date', date, '--json', ...apiOf(server)]);
  return { report: JSON.parse(out) as Report, text: out };
}

/** Types whose break names its authorization. */
const named = new Set(['authorized_not_cleared', 'late_presentment', 'amount_mismatch', 'currency_mismatch']);

/** Breaks that were found, one line each, sorted. */
export const foundLines = ({ breaks }: Report): string[] =>
  breaks
    .map(({ type, file, record, authorization, amount }) =>
      [type, record === null ? '' : file, record ?? 0, named.has(type) ? authorization : '', amount].join(' '),
    )
    .sort();

/** Breaks that were planted, in the same words. */
export const plantedLines = (plans: readonly DayPlan[]): string[] =>
  plans
    .flatMap(({ fileId, breaks }) =>
      breaks.map(({ type, record, authorization, amount }) =>
        [type, record === 0 ? '' : fileId, record, named.has(type) ? authorization : '', amount].join(' '),
      ),
    )
    .sort();

/** Debits less credits of the whole book, by currency. */
export async function trialBalance(server: Server): Promise<Json> {
  const { body } = await server.get('/v1/ledger/trial-balance');
  return body;
}

/** Pays a settlement with what is due and `more`. @param state of a report */
export async function pay(server: Server, state: Json, more = 0): Promise<void> {
  const { settlement_date, cycle, currency, due } = state;
  const { status, text } = await server.api(
    'POST',
    '/v1/settlements',
    {
      ...{ network: state.network, settlement_date, cycle, currency },
      ...{ amount: Number(due) + more, reference: `S${settlement_date}${cycle}` },
    },
    { 'idempotency-key': `pay-${settlement_date}-${cycle}` },
  );
  expect([status, text]).toEqual([201, text]);
}
