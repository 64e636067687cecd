/** What waits for a second person: the list, and the decision. */
import { z } from 'zod';
import { approvalObject } from '../approvals.js';
import { reasonOf } from '../audit/audit-log.js';
import type { ControlContext } from '../context.js';
import { listAnswer, listQuery, pageOf } from '../list.js';
import { type Route, route } from '../route.js';
import { journalRead, shardWrite } from '../route-errors.js';
import { listOf } from '../schemas.js';
import { approval, approvalStatuses } from '../schemas-approvals.js';

const params = z.object({ id: z.string().max(64) });

export function approvalRoutes(context: ControlContext): Route[] {
  const { approvals } = context;
  return [
    route({
      id: 'listApprovals',
      method: 'GET',
      path: '/v1/approvals',
      tag: 'approvals',
      summary: 'List what was proposed to a second person, newest first',
      access: 'read',
      idempotency: 'none',
      query: listQuery({ status: z.enum([...approvalStatuses, 'any']).default('open') }),
      answers: { 200: { description: 'A page of approvals', schema: listOf(approval, 'ApprovalList') } },
      handle({ query, token }) {
        const nowMs = context.nowMs();
        const objects = approvals
          .rows(token)
          .map((row) => approvalObject(row, nowMs) as { readonly id: string; readonly status: string })
          .filter(({ status }) => query.status === 'any' || status === query.status);
        const page = pageOf(objects, query);
        return listAnswer(page.items, page.hasMore);
      },
    }),
    route({
      id: 'getApproval',
      method: 'GET',
      path: '/v1/approvals/{id}',
      tag: 'approvals',
      summary: 'Read an approval',
      access: 'read',
      idempotency: 'none',
      params,
      answers: { 200: { description: 'The approval', schema: approval } },
      handle({ params: { id }, token }) {
        return { status: 200, body: approvalObject(approvals.required(id, token), context.nowMs()) };
      },
    }),
    route({
      id: 'confirmApproval',
      method: 'POST',
      path: '/v1/approvals/{id}/confirm',
      tag: 'approvals',
      summary: 'Confirm what somebody else has proposed, and do it',
      description:
        'By another token of another name, which may make the proposed call itself. It is made once, however often this is sent; `answer` is what it answered, also when that is a refusal. After a 5xx it stays confirmed and is made as soon as it can be.',
      access: 'write',
      idempotency: 'answer',
      params,
      errors: [...shardWrite, ...journalRead, 'approval_closed', 'not_supported'],
      answers: { 200: { description: 'The approval', schema: approval } },
      async handle({ params: { id }, token, header }) {
        const row = await approvals.confirm(id, token, reasonOf(header));
        return { status: 200, body: approvalObject(row, context.nowMs()) };
      },
    }),
    route({
      id: 'rejectApproval',
      method: 'POST',
      path: '/v1/approvals/{id}/reject',
      tag: 'approvals',
      summary: 'Reject what was proposed, or take it back',
      access: 'write',
      idempotency: 'answer',
      params,
      errors: ['approval_closed', 'not_supported'],
      answers: { 200: { description: 'The approval', schema: approval } },
      handle({ params: { id }, token, header }) {
        return { status: 200, body: approvalObject(approvals.reject(id, token, reasonOf(header)), context.nowMs()) };
      },
    }),
  ];
}
