/** The audit log as the API shows it: oldest first, to be read on from where one was. */
import { z } from 'zod';
import { AUDIT_PAGE_MAX } from '../../limits.js';
import type { AuditRow } from '../audit/audit-log.js';
import type { ControlContext } from '../context.js';
import { type Route, route } from '../route.js';
import * as schemas from '../schemas.js';
import { time } from '../views.js';

const who = {
  token: z.string().describe('Id of the token.'),
  name: z.string().describe('Name of the token.'),
  role: z.string().describe('What the token may do.'),
};
const call = {
  ...who,
  operation: z.string().describe('operationId of the call.'),
  method: z.string(),
  route: z.string().describe('The path with its place-holders.'),
  target: z.string().describe('Id in the path; empty when there is none.'),
  reason: z.string().describe('Header X-Reason; empty without.'),
  request_id: z.string(),
  address: z.string().describe('Where the request came from.'),
  reveals: z.enum(['card_numbers', 'audit_log']).nullable().describe('What the call can hand out.'),
};
const place = { object: z.literal('audit_entry'), sequence: z.int(), at: schemas.timestamp };

const entry = z
  .discriminatedUnion('type', [
    z.object({ ...place, type: z.literal('action'), ...call }),
    z.object({ ...place, type: z.literal('denied'), ...call }),
    z.object({
      ...place,
      type: z.literal('outcome'),
      of: z.int().describe('Sequence of the action.'),
      status: z.int().describe('HTTP status of its answer.'),
      target: z.string().describe('Id of what it made or changed; empty when it has none.'),
    }),
    z.object({ ...place, type: z.literal('started'), engine: z.string() }),
    z.object({ ...place, type: z.literal('stopped'), engine: z.string() }),
  ])
  .meta({ id: 'AuditEntry' });

const auditList = z
  .object({
    object: z.literal('list'),
    data: z.array(entry),
    has_more: z.boolean(),
    next_cursor: z.int().describe('Value for `after` of the next page.'),
    head: z
      .object({ sequence: z.int(), hash: z.string() })
      .describe('Where the chain ends now, and its SHA-256: keep it elsewhere, a later log must contain it.'),
  })
  .meta({ id: 'AuditList' });

const wholeNumber = (max: number, from: number) =>
  z
    .string()
    .regex(/^\d{1,15}$/, 'a whole number')
    .transform(Number)
    .refine((value) => value >= from && value <= max, `a whole number from ${from} to ${max}`);

const query = z.strictObject({
  after: wholeNumber(Number.MAX_SAFE_INTEGER, 0)
    .default(0)
    .describe('Sequence behind which to go on.')
    .meta({ type: 'integer', minimum: 0, default: 0, pattern: undefined }),
  limit: wholeNumber(AUDIT_PAGE_MAX, 1)
    .default(100)
    .describe('Most entries of the answer.')
    .meta({ type: 'integer', minimum: 1, maximum: AUDIT_PAGE_MAX, default: 100, pattern: undefined }),
});

export function auditRoutes({ audit }: ControlContext): Route[] {
  return [
    route({
      id: 'readAudit',
      method: 'GET',
      path: '/v1/audit',
      tag: 'audit',
      summary: 'Read who did or saw what, oldest first',
      description:
        'Every call that changes something or shows card numbers, recorded before it did, and what became of it. Reading is recorded too, so the log of a reader never ends: go on with `after=<next_cursor>` while `has_more` is true.',
      access: 'admin',
      idempotency: 'none',
      reveals: 'audit_log',
      query,
      answers: { 200: { description: 'A page of the log', schema: auditList } },
      handle({ query: { after, limit } }) {
        const rows = audit.rows(after, limit + 1);
        const page = rows.slice(0, limit);
        const body = {
          object: 'list',
          data: page.map(entryObject),
          has_more: rows.length > limit,
          next_cursor: page.at(-1)?.sequence ?? after,
          head: audit.head(),
        };
        return { status: 200, body };
      },
    }),
  ];
}

function entryObject({ sequence, record }: AuditRow): z.input<typeof entry> {
  const at = { object: 'audit_entry', sequence, at: time(record.atMs) } as const;
  switch (record.type) {
    case 'action':
    case 'denied': {
      const { type, atMs: _atMs, request, reveals, ...rest } = record;
      return { ...at, type, ...rest, request_id: request, reveals: reveals === '' ? null : reveals };
    }
    case 'outcome':
      return { ...at, type: 'outcome', of: record.of, status: record.status, target: record.target };
    default:
      return { ...at, type: record.type, engine: record.engine };
  }
}
