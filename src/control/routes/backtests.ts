/** Backtests of rules: what recorded requests would have been answered, before anything goes live. */
import { z } from 'zod';
import type { Backtest, DifferingDecision } from '../backtest.js';
import { differenceKinds } from '../backtest-judge.js';
import type { ControlContext } from '../context.js';
import { listAnswer, listQuery, pageOf } from '../list.js';
import { ApiError } from '../problem.js';
import { type Route, route } from '../route.js';
import { shardRead } from '../route-errors.js';
import { checkedText } from '../rule-check.js';
import { chosenId, listOf } from '../schemas.js';
import * as schemas from '../schemas-backtests.js';
import type { RuleRecord } from '../system-log.js';
import { refused, time } from '../views.js';
import { requireRule } from './rules.js';

const ruleParams = z.object({ id: chosenId });
const params = z.object({ id: chosenId, number: z.string().regex(/^[1-9]\d{0,8}$/) });

export function backtestRoutes(context: ControlContext): Route[] {
  return [
    route({
      id: 'createBacktest',
      method: 'POST',
      path: '/v1/rules/{id}/backtests',
      tag: 'rules',
      summary: 'Ask what a rule would have changed in a period',
      description:
        'Judges every recorded request of the period as if the rule had been active, each by itself: balances and windows are those of the record, and nothing follows from a decision that differs. One backtest runs at a time; results live as long as the process.',
      access: 'admin',
      idempotency: 'answer',
      params: ruleParams,
      body: schemas.backtestCreate,
      errors: ['backtest_running', 'account_not_found', ...shardRead],
      answers: { 202: { description: 'The backtest, which runs now', schema: schemas.backtest } },
      async handle({ params: { id }, body }) {
        const rule = requireRule(context, id);
        const span = {
          sinceMs: body.since,
          untilMs: Math.min(body.until, context.nowMs()),
          account: body.account === undefined ? undefined : await placeOf(context, body.account),
        };
        return {
          status: 202,
          body: backtestObject(context.backtests.start(context, tested(context, rule, body), span)),
        };
      },
    }),
    route({
      id: 'listBacktests',
      method: 'GET',
      path: '/v1/rules/{id}/backtests',
      tag: 'rules',
      summary: 'List the backtests of a rule, newest first',
      access: 'read',
      idempotency: 'none',
      params: ruleParams,
      query: listQuery({}),
      answers: { 200: { description: 'A page of backtests', schema: listOf(schemas.backtest, 'BacktestList') } },
      handle({ params: { id }, query }) {
        const rows = context.backtests.of(requireRule(context, id).id);
        const page = pageOf(
          rows.map((backtest) => ({ id: String(backtest.number), backtest })),
          query,
        );
        return listAnswer(
          page.items.map(({ backtest }) => backtestObject(backtest)),
          page.hasMore,
        );
      },
    }),
    route({
      id: 'getBacktest',
      method: 'GET',
      path: '/v1/rules/{id}/backtests/{number}',
      tag: 'rules',
      summary: 'Read a backtest with its progress and its result',
      access: 'read',
      idempotency: 'none',
      params,
      answers: { 200: { description: 'The backtest', schema: schemas.backtest } },
      handle: ({ params: place }) => ({ status: 200, body: backtestObject(requireBacktest(context, place)) }),
    }),
    route({
      id: 'listBacktestDecisions',
      method: 'GET',
      path: '/v1/rules/{id}/backtests/{number}/decisions',
      tag: 'rules',
      summary: 'List the decisions that would have been others',
      description:
        'Of a backtest that still runs, those found so far. The order is that of the search, newest found first.',
      access: 'read',
      idempotency: 'none',
      params,
      query: listQuery({ kind: z.enum(differenceKinds).optional() }),
      answers: {
        200: { description: 'A page of decisions', schema: listOf(schemas.backtestDecision, 'BacktestDecisionList') },
      },
      handle({ params: place, query }) {
        const { decisions } = requireBacktest(context, place);
        const { kind } = query;
        const page = pageOf(
          kind === undefined ? decisions : decisions.filter((decision) => decision.kind === kind),
          query,
        );
        return listAnswer(page.items.map(decisionObject), page.hasMore);
      },
    }),
    route({
      id: 'deleteBacktest',
      method: 'DELETE',
      path: '/v1/rules/{id}/backtests/{number}',
      tag: 'rules',
      summary: 'Stop a backtest, if it runs, and forget it',
      access: 'admin',
      idempotency: 'none',
      params,
      answers: { 204: { description: 'Forgotten' } },
      async handle({ params: place }) {
        await context.backtests.remove(requireBacktest(context, place));
        return { status: 204 };
      },
    }),
  ];
}

/** The rule itself, or with another text in its place. */
function tested(context: ControlContext, rule: RuleRecord, { text, json }: z.output<typeof schemas.backtestCreate>) {
  if (text === undefined && json === undefined) return rule;
  return { ...rule, text: checkedText({ text, json }, context.system.program(rule.program)!) };
}

async function placeOf(context: ControlContext, id: string) {
  const shard = context.placement(id);
  const result = await context.shards.read(shard, { op: 'account', id });
  if (!result.ok) throw refused(result, { param: '/account' });
  if (!('account' in result)) throw new TypeError('the shard answered no account');
  return { id, shard, slot: result.account.slot };
}

function requireBacktest(context: ControlContext, { id, number }: z.output<typeof params>): Backtest {
  const found = context.backtests.of(requireRule(context, id).id).find((one) => one.number === Number(number));
  if (found === undefined) throw new ApiError('not_found', 'There is no such backtest, or not any more.');
  return found;
}

function backtestObject(backtest: Backtest): Record<string, unknown> {
  const { rule, number, status, span, records, read, evaluated, windowsUnknown, sums, decisions } = backtest;
  const counts = differenceKinds.map((kind) => [
    kind,
    {
      count: sums[kind].count,
      amounts: Array.from(sums[kind].amounts, ([currency, amount]) => ({ currency, amount: String(amount) })),
    },
  ]);
  const differing = differenceKinds.reduce((sum, kind) => sum + sums[kind].count, 0);
  return {
    object: 'backtest',
    rule: rule.id,
    number,
    version: rule.version,
    text: rule.text,
    status,
    since: time(span.sinceMs),
    until: time(span.untilMs),
    account: span.account?.id ?? null,
    progress: { records, read, percent: records === 0 ? 100 : Math.floor((read * 100) / records) },
    result: {
      evaluated,
      ...Object.fromEntries(counts),
      windows_unknown: windowsUnknown,
      decisions_listed: decisions.length,
      decisions_left_out: differing - decisions.length,
    },
    basis: schemas.BASIS,
    created_at: time(backtest.createdMs),
    finished_at: status === 'running' ? null : time(backtest.finishedMs),
  };
}

function decisionObject({ timeMs, ...decision }: DifferingDecision): Record<string, unknown> {
  return { object: 'backtest_decision', ...decision, created_at: time(timeMs) };
}
