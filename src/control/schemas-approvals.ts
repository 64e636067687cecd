/** Shapes of approvals. */
import { z } from 'zod';
import { timestamp } from './schemas.js';

export const approvalStatuses = ['open', 'confirmed', 'rejected', 'expired', 'done'] as const;

const actor = z.object({ token: z.string(), name: z.string(), role: z.string() });

export const approval = z
  .object({
    object: z.literal('approval'),
    id: z.string(),
    status: z.enum(approvalStatuses).describe('confirmed: the call has not answered yet.'),
    operation: z.string().describe('operationId of the proposed call.'),
    path: z.string(),
    body: z.unknown().describe('As it was sent; null without one.'),
    proposed_by: actor,
    proposed_at: timestamp,
    reason: z.string().describe('Header X-Reason of the proposal; empty without.'),
    expires_at: timestamp,
    decided_by: actor.nullable(),
    decided_at: timestamp.nullable(),
    decision_reason: z.string().nullable(),
    answer: z
      .object({ status: z.int(), body: z.unknown() })
      .nullable()
      .describe('Of the proposed call, once it was made; a refusal is a problem document.'),
  })
  .meta({ id: 'Approval' });
