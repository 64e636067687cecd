/** All endpoints, in the order of the reference page. */
import type { ControlContext } from '../context.js';
import type { Retention } from '../journal/retention.js';
import { assertRoles } from '../roles.js';
import type { Route } from '../route.js';
import { approval } from '../schemas-approvals.js';
import { accountRoutes } from './accounts.js';
import { aliasRoutes } from './aliases.js';
import { approvalRoutes } from './approvals.js';
import { auditRoutes } from './audit.js';
import { authorizationRoutes } from './authorizations.js';
import { backtestRoutes } from './backtests.js';
import { backupRoutes } from './backups.js';
import { bulkRoutes } from './bulk.js';
import { cardNumberRoutes } from './card-number.js';
import { cardRoutes } from './cards.js';
import { clearingFileRoutes } from './clearing-files.js';
import { clockRoutes } from './clock.js';
import { disputeRoutes } from './disputes.js';
import { docRoutes } from './docs.js';
import { entryRoutes } from './entries.js';
import { eventRoutes } from './events.js';
import { healthRoutes } from './health.js';
import { holdRoutes } from './holds.js';
import { journalRoutes } from './journal.js';
import { type KeyRotations, keyRoutes } from './keys.js';
import { ledgerRoutes } from './ledger.js';
import { linkRoutes } from './links.js';
import { outgoingFileRoutes } from './outgoing-files.js';
import { paymentRoutes } from './payments.js';
import { programRoutes } from './programs.js';
import { reconRoutes } from './recon.js';
import { ruleRoutes } from './rules.js';
import { settlementRoutes } from './settlements.js';
import { simulateRoutes } from './simulate.js';
import { simulateExpiryRoutes } from './simulate-expiry.js';
import { statementRoutes } from './statements.js';
import { suspenseRoutes } from './suspense.js';
import { tokenRoutes } from './tokens.js';
import { traceRoutes } from './traces.js';
import { type WebhookServices, webhookRoutes } from './webhooks.js';

/** What routes share beside the context. */
export interface Services extends WebhookServices {
  /** Absent where the journal lies in no folders (tests). */
  readonly retention?: Retention;
  /** Absent where there is no key file (tests). */
  readonly rotations?: KeyRotations;
}

export function allRoutes(context: ControlContext, services: Services): Route[] {
  const routes = withApprovals([
    ...programRoutes(context),
    ...ruleRoutes(context),
    ...backtestRoutes(context),
    ...accountRoutes(context),
    ...cardRoutes(context),
    ...cardNumberRoutes(context),
    ...aliasRoutes(context),
    ...bulkRoutes(context),
    ...authorizationRoutes(context),
    ...paymentRoutes(context),
    ...ledgerRoutes(context),
    ...clearingFileRoutes(context),
    ...suspenseRoutes(context),
    ...reconRoutes(context),
    ...entryRoutes(context),
    ...settlementRoutes(context),
    ...disputeRoutes(context),
    ...outgoingFileRoutes(context),
    ...statementRoutes(context),
    ...eventRoutes(services.feed),
    ...webhookRoutes(context, services),
    ...simulateRoutes(context),
    ...simulateExpiryRoutes(context),
    ...holdRoutes(context),
    ...journalRoutes(services.retention),
    ...keyRoutes(services.rotations),
    ...tokenRoutes(context),
    ...approvalRoutes(context),
    ...auditRoutes(context),
    ...linkRoutes(context),
    ...clockRoutes(context),
    ...traceRoutes(context),
    ...backupRoutes(context),
    ...healthRoutes(context),
  ]);
  assertRoles(routes);
  context.approvals.serve(context, routes);
  return [...routes, ...docRoutes(context, routes)];
}

/** Calls that a second person may have to confirm answer 202 then. */
function withApprovals(routes: readonly Route[]): Route[] {
  const proposed = { 202: { description: 'It waits for a second person (setting `approvals`)', schema: approval } };
  return routes.map((one) =>
    one.approval === undefined
      ? one
      : { ...one, answers: { ...one.answers, ...proposed }, errors: [...(one.errors ?? []), 'capacity_exceeded'] },
  );
}
