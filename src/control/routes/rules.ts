/** Decision rules: kept in the system journal; the active and the shadow ones are a part of their program's snapshot. */

import { randomBytes } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import { z } from 'zod';
import { RULES_MAX } from '../../limits.js';
import type { ControlContext } from '../context.js';
import { base32of, derive, type Idempotency } from '../idempotency.js';
import { listAnswer, listQuery, pageOf } from '../list.js';
import { outcomeRecord } from '../once.js';
import { ApiError } from '../problem.js';
import { type Answer, type Route, route } from '../route.js';
import { shardRead } from '../route-errors.js';
import { assertRuleSet, checkedText } from '../rule-check.js';
import { ruleObject, versionObject } from '../rule-objects.js';
import { ruleStatistics } from '../rule-statistics.js';
import { chosenId, listOf } from '../schemas.js';
import * as schemas from '../schemas-rules.js';
import type { RuleRecord } from '../system-log.js';
import type { ProgramRow } from '../system-state.js';

const idParams = z.object({ id: chosenId });

export function ruleRoutes(context: ControlContext): Route[] {
  return [
    route({
      id: 'createRule',
      method: 'POST',
      path: '/v1/rules',
      tag: 'rules',
      summary: 'Create a rule of a program',
      description:
        'A draft decides nothing. A rule that is created as `shadow` or `active` is answered when every shard in service has it. A text that is no rule is refused with line and column, a tree with a pointer.',
      access: 'admin',
      idempotency: 'system',
      body: schemas.ruleCreate,
      errors: ['program_not_found', 'capacity_exceeded', 'outcome_unknown'],
      answers: { 201: { description: 'The rule', schema: schemas.rule } },
      handle({ body, idempotency }) {
        const program = context.system.program(body.program);
        if (program === undefined)
          throw new ApiError('program_not_found', 'There is no program with this id.', { param: '/program' });
        if (context.system.rules.count >= RULES_MAX)
          throw new ApiError('capacity_exceeded', `There are ${RULES_MAX} rules already, retired ones included.`);
        const nowMs = context.nowMs();
        const rule: RuleRecord = {
          type: 'rule',
          id: newRuleId(context, idempotency),
          program: program.program.id,
          name: body.name,
          state: body.state,
          priority: body.priority,
          version: 1,
          text: checkedText(body, program),
          createdMs: nowMs,
          versionMs: nowMs,
          atMs: nowMs,
        };
        return writeRule(context, program, rule, { status: 201, param: '/state', idempotency });
      },
    }),
    route({
      id: 'listRules',
      method: 'GET',
      path: '/v1/rules',
      tag: 'rules',
      summary: 'List rules, newest first',
      access: 'read',
      idempotency: 'none',
      query: listQuery({ program: chosenId.optional(), state: schemas.ruleState.optional() }),
      answers: { 200: { description: 'A page of rules', schema: listOf(schemas.rule, 'RuleList') } },
      handle({ query }) {
        const { program, state } = query;
        const rules = context.system.rules.all.filter(
          (rule) => rule.program === (program ?? rule.program) && rule.state === (state ?? rule.state),
        );
        const page = pageOf(rules, query);
        return listAnswer(page.items.map(ruleObject), page.hasMore);
      },
    }),
    route({
      id: 'getRule',
      method: 'GET',
      path: '/v1/rules/{id}',
      tag: 'rules',
      summary: 'Read a rule with its statistics',
      access: 'read',
      idempotency: 'none',
      params: idParams,
      errors: shardRead,
      answers: { 200: { description: 'The rule', schema: schemas.rule } },
      async handle({ params }) {
        const rule = requireRule(context, params.id);
        return { status: 200, body: { ...ruleObject(rule), statistics: await ruleStatistics(context, rule) } };
      },
    }),
    route({
      id: 'listRuleVersions',
      method: 'GET',
      path: '/v1/rules/{id}/versions',
      tag: 'rules',
      summary: 'List all versions of a rule, newest first',
      description: 'The cursors are numbers of versions.',
      access: 'read',
      idempotency: 'none',
      params: idParams,
      query: listQuery({}),
      answers: { 200: { description: 'A page of versions', schema: listOf(schemas.ruleVersion, 'RuleVersionList') } },
      handle({ params, query }) {
        const rule = requireRule(context, params.id);
        const versions = Array.from({ length: rule.version }, (_, i) => ({ id: String(i + 1), version: i + 1 }));
        const page = pageOf(versions, query);
        return listAnswer(
          page.items.map(({ version }) => versionObject(context.system.rules.version(rule.id, version)!)),
          page.hasMore,
        );
      },
    }),
    route({
      id: 'updateRule',
      method: 'PATCH',
      path: '/v1/rules/{id}',
      tag: 'rules',
      summary: 'Change a rule or its state',
      description:
        'A new text is a new version; earlier ones stay readable. Any state may follow any other, but a retired rule stays retired. What changes the decisions is answered when every shard in service decides with it.',
      access: 'admin',
      idempotency: 'system',
      params: idParams,
      body: schemas.ruleUpdate,
      errors: ['rule_retired', 'outcome_unknown'],
      answers: { 200: { description: 'The rule', schema: schemas.rule } },
      handle({ params, body, idempotency }) {
        const rule = requireRule(context, params.id);
        if (rule.state === 'retired')
          throw new ApiError('rule_retired', 'A retired rule stays as it is: create another one.');
        const program = context.system.program(rule.program)!;
        const nowMs = context.nowMs();
        const next: RuleRecord = {
          ...rule,
          name: body.name === undefined ? rule.name : body.name,
          state: body.state ?? rule.state,
          priority: body.priority ?? rule.priority,
          ...newVersion(rule, body, program, nowMs),
          atMs: nowMs,
        };
        const param = body.text !== undefined ? '/text' : body.json !== undefined ? '/json' : '/state';
        return writeRule(context, program, next, { status: 200, param, idempotency });
      },
    }),
  ];
}

type Body = z.output<typeof schemas.ruleUpdate>;

/** The same text is no new version. A rule that begins to be asked is checked against the program as it is now. */
function newVersion(
  rule: RuleRecord,
  { text, json, state = rule.state }: Body,
  program: ProgramRow,
  nowMs: number,
): Partial<RuleRecord> {
  if (text === undefined && json === undefined) {
    if (!isAsked(rule.state) && isAsked(state)) checkedText({ text: rule.text }, program);
    return {};
  }
  const written = checkedText({ text, json }, program);
  return written === rule.text ? {} : { text: written, version: rule.version + 1, versionMs: nowMs };
}

function isAsked(state: RuleRecord['state']): boolean {
  return state === 'shadow' || state === 'active';
}

export function requireRule(context: ControlContext, id: string): RuleRecord {
  const rule = context.system.rules.rule(id);
  if (rule === undefined) throw new ApiError('not_found', 'There is no rule with this id.');
  return rule;
}

function newRuleId(context: ControlContext, idempotency: Idempotency | undefined): string {
  const bytes = idempotency === undefined ? randomBytes(17) : derive(context.keys.id, 'rule', idempotency.tag.keyHash);
  return `rule_${base32of(bytes)}`;
}

interface RuleWrite {
  readonly status: number;
  /** What is to blame when the rules of the program are too many. */
  readonly param: string;
  readonly idempotency: Idempotency | undefined;
}

/** Durable in the system journal first, with the program's next revision when its decisions change; then in every shard. */
async function writeRule(
  context: ControlContext,
  { program }: ProgramRow,
  rule: RuleRecord,
  { status, param, idempotency }: RuleWrite,
): Promise<Answer> {
  const { system } = context;
  const asked = system.rules.evaluated(program.id, rule);
  const isSame = isDeepStrictEqual(asked, system.rules.evaluated(program.id));
  if (!isSame) assertRuleSet(asked, param);
  const revision = isSame ? [] : [system.programRecord(program, rule.atMs, asked)];
  const body = ruleObject(rule);
  system.write([rule, ...revision, ...outcomeRecord(idempotency, status, body, rule.atMs)]);
  if (!isSame) await context.programs.send();
  return { status, body };
}
