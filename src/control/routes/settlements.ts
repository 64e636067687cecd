/** What is settled with networks, and their fees: entries of no account. Their shard is that of their reference. */

import { Gl } from '../../domain/ledger/chart.js';
import { subAccount } from '../../domain/ledger/sub-account.js';
import type { ControlContext } from '../context.js';
import { currencyOfCode } from '../currencies.js';
import { ledgerTotals } from '../entry-object.js';
import { dayOf } from '../legs.js';
import { type Route, route } from '../route.js';
import { entry } from '../schemas-authorizations.js';
import * as shapes from '../schemas-entries.js';
import { done, entryAt, entryWrite, run } from './entries.js';

const networkWrite = [...entryWrite, 'currency_mismatch', 'reference_exists'] as const;

export function settlementRoutes(context: ControlContext): Route[] {
  return [
    route({
      id: 'settle',
      method: 'POST',
      path: '/v1/settlements',
      tag: 'ledger',
      summary: 'Post what a network took or paid for a settlement',
      description:
        'The sub-account of network, date, cycle and currency must be at zero afterwards: `remaining` says what is not.',
      access: 'write',
      idempotency: 'shard',
      approval: 'settlements',
      body: shapes.settlementCreate,
      errors: networkWrite,
      answers: { 201: { description: 'The settlement', schema: shapes.settled } },
      async handle({ body, idempotency }) {
        const { amount, reference, rounding_limit: roundingMax } = body;
        const sub = subOf(body);
        const currency = currencyOfCode(body.currency)!;
        const owed = await owedTo(context, sub, currency);
        const command = { op: 'settlement', sub, currency, amount, owed, roundingMax, reference } as const;
        const shard = context.placement(reference);
        const { sequence, remaining = 0, replayed } = done(await run(context, shard, command, idempotency));
        const posted = await entryAt(context, shard, sequence, null);
        return { status: 201, body: { object: 'settlement', entry: posted, remaining }, replayed: replayed === true };
      },
    }),
    route({
      id: 'postNetworkFee',
      method: 'POST',
      path: '/v1/network-fees',
      tag: 'ledger',
      summary: 'Post a fee that a network takes or gives',
      access: 'write',
      idempotency: 'shard',
      approval: 'settlements',
      body: shapes.networkFeeCreate,
      errors: networkWrite,
      answers: { 201: { description: 'The entry', schema: entry } },
      async handle({ body, idempotency }) {
        const { amount, reference, note = '' } = body;
        const currency = currencyOfCode(body.currency)!;
        const command = { op: 'network_fee', sub: subOf(body), currency, amount, reference, note } as const;
        const shard = context.placement(reference);
        const { sequence, replayed } = done(await run(context, shard, command, idempotency));
        return { status: 201, body: await entryAt(context, shard, sequence, null), replayed: replayed === true };
      },
    }),
  ];
}

/** @param of without network and date: 0, what names no settlement */
export function subOf(of: {
  network?: number | undefined;
  settlement_date?: string | undefined;
  cycle: number;
}): number {
  const { network, settlement_date: date, cycle } = of;
  return network === undefined || date === undefined ? 0 : subAccount({ network, day: dayOf(date), cycle });
}

/** What we owe on a sub-account, over all shards, minor units; below zero the network owes us. Postings beside it may be missing. */
async function owedTo(context: ControlContext, sub: number, currency: number): Promise<number> {
  let owed = 0n;
  for (const row of await ledgerTotals(context)) {
    if (row.sub !== sub || row.currency !== currency || row.glAccount !== Gl.network) continue;
    owed += BigInt(row.credit) - BigInt(row.debit);
  }
  return Number(owed);
}
