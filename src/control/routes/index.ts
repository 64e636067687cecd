/** All endpoints, in the order of the reference page. */
import type { ControlContext } from '../context.js';
import type { Route } from '../route.js';
import { accountRoutes } from './accounts.js';
import { authorizationRoutes } from './authorizations.js';
import { backtestRoutes } from './backtests.js';
import { bulkRoutes } from './bulk.js';
import { cardRoutes } from './cards.js';
import { clockRoutes } from './clock.js';
import { docRoutes } from './docs.js';
import { healthRoutes } from './health.js';
import { holdRoutes } from './holds.js';
import { ledgerRoutes } from './ledger.js';
import { paymentRoutes } from './payments.js';
import { programRoutes, tokenRoutes } from './programs.js';
import { ruleRoutes } from './rules.js';
import { simulateRoutes } from './simulate.js';
import { simulateExpiryRoutes } from './simulate-expiry.js';

export function allRoutes(context: ControlContext): Route[] {
  const routes = [
    ...programRoutes(context),
    ...ruleRoutes(context),
    ...backtestRoutes(context),
    ...accountRoutes(context),
    ...cardRoutes(context),
    ...bulkRoutes(context),
    ...authorizationRoutes(context),
    ...paymentRoutes(context),
    ...ledgerRoutes(context),
    ...simulateRoutes(context),
    ...simulateExpiryRoutes(context),
    ...holdRoutes(context),
    ...tokenRoutes(context),
    ...clockRoutes(context),
    ...healthRoutes(context),
  ];
  return [...routes, ...docRoutes(context, routes)];
}
