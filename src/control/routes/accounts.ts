/** Accounts: create, read, list, change. */
import { randomBytes } from 'node:crypto';
import { z } from 'zod';
import type { CommandResult } from '../../domain/commands.js';
import { ControlLevel } from '../../domain/controls/spec.js';
import type { AccountView, CreateAccount, UpdateAccount } from '../../domain/party-commands.js';
import type { ControlContext } from '../context.js';
import { checkControls, patchControls } from '../controls.js';
import { currencyOfCode } from '../currencies.js';
import { base32of, derive, type Idempotency } from '../idempotency.js';
import { effectiveControls, type Limits, readLimits, velocityObject } from '../limits-object.js';
import { listAnswer, listQuery } from '../list.js';
import { listRows, wholeTable, withControls } from '../list-rows.js';
import { ApiError } from '../problem.js';
import { type Answer, type Route, route } from '../route.js';
import { shardRead, shardWrite } from '../route-errors.js';
import * as schemas from '../schemas.js';
import { expandQuery, velocity } from '../schemas-controls.js';
import { type ProgramRow, SANDBOX_PROGRAM } from '../system-state.js';
import { accountObject, accountStatusOf, accountTypeOf, refused } from '../views.js';

const idParams = z.object({ id: schemas.chosenId });

export function accountRoutes(context: ControlContext): Route[] {
  return [
    route({
      id: 'createAccount',
      method: 'POST',
      path: '/v1/accounts',
      tag: 'accounts',
      summary: 'Create an account',
      access: 'write',
      idempotency: 'shard',
      body: schemas.accountCreate,
      errors: [...shardWrite, 'program_not_found', 'currency_mismatch', 'account_exists', 'amount_out_of_range'],
      answers: { 201: { description: 'The account', schema: schemas.account } },
      async handle({ body, idempotency }) {
        const { program, ...fields } = accountFields(context, body);
        const id = body.id ?? newAccountId(context, idempotency);
        const result = await context.shards.command(context.placement(id), {
          op: 'create_account',
          id,
          program: program.index,
          ...fields,
          ...(idempotency === undefined ? {} : { idempotency: idempotency.tag }),
        });
        return accountAnswer(context, result, 201, '/id');
      },
    }),
    route({
      id: 'listAccounts',
      method: 'GET',
      path: '/v1/accounts',
      tag: 'accounts',
      summary: 'List accounts, newest first',
      access: 'read',
      idempotency: 'none',
      query: listQuery({}),
      errors: [...shardRead],
      answers: { 200: { description: 'A page of accounts', schema: schemas.listOf(schemas.account, 'AccountList') } },
      async handle({ query }) {
        const page = await listRows<AccountView>(context.shards, query, {
          ...wholeTable(async (shard, before, limit) => {
            const result = await context.shards.read(shard, { op: 'accounts', before, limit });
            if (!result.ok) throw refused(result);
            return 'accounts' in result ? result.accounts : [];
          }),
          locate: async (id) => {
            const view = await readAccount(context, id);
            return view === undefined ? undefined : { shard: context.placement(id), row: view };
          },
        });
        const items = await withControls(page.items, ({ row }) => requireAccount(context, row.id));
        return listAnswer(
          items.map(({ row }) => accountObject(context, row)),
          page.hasMore,
        );
      },
    }),
    route({
      id: 'getAccount',
      method: 'GET',
      path: '/v1/accounts/{id}',
      tag: 'accounts',
      summary: 'Read an account with its balances',
      access: 'read',
      idempotency: 'none',
      params: idParams,
      query: expandQuery,
      errors: [...shardRead],
      answers: { 200: { description: 'The account', schema: schemas.account } },
      async handle({ params, query }) {
        if (query.expand === undefined)
          return { status: 200, body: accountObject(context, await requireAccount(context, params.id)) };
        const limits = await accountLimits(context, params.id);
        const effective = { effective_controls: effectiveControls(context, limits) };
        return { status: 200, body: { ...accountObject(context, limits.account), ...effective } };
      },
    }),
    route({
      id: 'getAccountVelocity',
      method: 'GET',
      path: '/v1/accounts/{id}/velocity',
      tag: 'accounts',
      summary: 'Velocity windows of an account, over all its cards, with what they hold',
      access: 'read',
      idempotency: 'none',
      params: idParams,
      errors: [...shardRead],
      answers: { 200: { description: 'The windows', schema: velocity } },
      async handle({ params }) {
        return { status: 200, body: velocityObject(context, await accountLimits(context, params.id)) };
      },
    }),
    route({
      id: 'updateAccount',
      method: 'PATCH',
      path: '/v1/accounts/{id}',
      tag: 'accounts',
      summary: 'Change credit limit, status or controls',
      access: 'write',
      idempotency: 'shard',
      params: idParams,
      body: schemas.accountUpdate,
      errors: [...shardWrite, 'account_closed', 'amount_out_of_range'],
      answers: { 200: { description: 'The account after the change', schema: schemas.account } },
      async handle({ params, body, idempotency }) {
        const { id } = params;
        const shard = context.placement(id);
        const command: UpdateAccount = {
          op: 'update_account',
          id,
          ...(body.credit_limit === undefined ? {} : { creditLimit: body.credit_limit }),
          ...(body.status === undefined ? {} : { status: accountStatusOf(body.status) }),
          ...(idempotency === undefined ? {} : { idempotency: idempotency.tag }),
        };
        if (body.controls === undefined)
          return accountAnswer(context, await context.shards.command(shard, command), 200);
        const result = await patchControls(context, {
          ...{ shard, object: `account/${id}`, level: ControlLevel.account, changes: body.controls, key: idempotency },
          read: () => requireAccount(context, id),
          write: (controls) => context.shards.command(shard, { ...command, ...controls }),
        });
        return accountAnswer(context, result, 200);
      },
    }),
  ];
}

function accountAnswer(context: ControlContext, result: CommandResult, status: number, param?: string): Answer {
  if (!result.ok) throw refused(result, param === undefined ? { path: true } : { param });
  if (!('account' in result) || result.account === undefined) throw new TypeError('the shard answered no account');
  return { status, body: accountObject(context, result.account), replayed: result.replayed === true };
}

function accountLimits(context: ControlContext, id: string): Promise<Limits> {
  return readLimits(context, context.placement(id), { op: 'account_limits', id });
}

/** The shard's row of an account; undefined when there is none. */
export async function readAccount(context: ControlContext, id: string): Promise<AccountView | undefined> {
  const result = await context.shards.read(context.placement(id), { op: 'account', id });
  if (result.ok) {
    if (!('account' in result)) throw new TypeError('the shard answered no account');
    return result.account;
  }
  if (result.code === 'account_not_found') return undefined;
  throw refused(result);
}

export async function requireAccount(context: ControlContext, id: string): Promise<AccountView> {
  const view = await readAccount(context, id);
  if (view === undefined) throw new ApiError('not_found', 'There is no account with this id.');
  return view;
}

export function newAccountId(context: ControlContext, idempotency: Idempotency | undefined): string {
  const bytes =
    idempotency === undefined ? randomBytes(17) : derive(context.keys.id, 'account', idempotency.tag.keyHash);
  return `acct_${base32of(bytes)}`;
}

/**
 * Program, currency, type and controls of a new account, with the program's defaults; a live program keeps to its currency.
 * @param at JSON pointer to the account in the request
 */
export function accountFields(
  context: ControlContext,
  body: z.output<typeof schemas.accountCreate>,
  at = '',
): { program: ProgramRow } & Pick<
  CreateAccount,
  'currency' | 'creditLimit' | 'type' | 'controls' | 'controlsRevision'
> {
  const program = context.system.program(body.program ?? SANDBOX_PROGRAM);
  if (program === undefined)
    throw new ApiError('program_not_found', 'There is no program with this id.', { param: '/program' });
  const code = body.currency ?? program.program.currency;
  if (!program.program.sandbox && code !== program.program.currency)
    throw new ApiError('currency_mismatch', `Accounts of this program are kept in ${program.program.currency}.`, {
      param: '/currency',
    });
  return {
    program,
    currency: currencyOfCode(code)!,
    creditLimit: body.credit_limit,
    type: accountTypeOf(body.type ?? program.program.product),
    ...checkControls(body.controls ?? null, {
      ...{ level: ControlLevel.account, program, pointer: `${at}/controls` },
    }),
  };
}
