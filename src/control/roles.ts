/**
 * What people may do, by role. A token has a role, or scopes (tokens.ts), which name kinds of calls and not duties. The table names
 * every call that needs a token, by its operationId: what is not in it may be called by nobody, and the server does not start
 * with a route that is missing. `admin` may call everything and is not repeated.
 */
import type { Route } from './route.js';
import type { TokenRow } from './system-state.js';

export const roles = [
  'viewer',
  'operator',
  'risk',
  'ledger',
  'recon',
  'auditor',
  'simulate',
  'key-custodian-a',
  'key-custodian-b',
  'admin',
] as const;
/**
 * viewer: reads · operator: accounts, cards, files, backups, clock, webhooks · risk: rules, backtests, the status of cards, whole card numbers · ledger:
 * money by hand · recon: reconciliation, clearing files, suspense · auditor: reads, the audit log, tokens without secrets · simulate: the
 * simulator · key-custodian-a, -b: keys only · admin: everything.
 */
export type Role = (typeof roles)[number];

const everyone: readonly Role[] = roles;
const readers: readonly Role[] = ['viewer', 'operator', 'risk', 'ledger', 'recon', 'auditor', 'simulate'];
const operators: readonly Role[] = ['operator'];
const overseers: readonly Role[] = ['operator', 'auditor'];
const adminOnly: readonly Role[] = [];
const custodians: readonly Role[] = ['key-custodian-a', 'key-custodian-b'];

/** Calls by the roles that may make them, beside `admin`. */
const allowed: readonly (readonly [readonly Role[], readonly string[]])[] = [
  [everyone, ['livez', 'readyz', 'version', 'metrics']],
  [
    readers,
    [
      ...['listPrograms', 'getProgram', 'listProgramRevisions', 'listRules', 'getRule', 'listRuleVersions'],
      ...['listBacktests', 'getBacktest', 'listBacktestDecisions', 'listAccounts', 'getAccount', 'getAccountVelocity'],
      ...['listCards', 'getCard', 'getCardVelocity', 'listAliases', 'getAlias'],
      ...['listAuthorizations', 'getAuthorization', 'explainAuthorization', 'getPayment', 'listEntries', 'getEntry'],
      ...['trialBalance', 'listClearingFiles', 'getClearingFile', 'listSuspense', 'getReconRun', 'listReconBreaks'],
      ...['getDispute', 'listDisputes', 'listOutgoingFiles', 'getOutgoingFile', 'listStatements', 'readEvents'],
      ...['holdsDue', 'listLinks', 'getClock', 'getTraces', 'listBackups', 'getBackup'],
    ],
  ],
  [
    operators,
    [
      ...['createAccount', 'updateAccount', 'createCard', 'unblockPin', 'createAlias', 'importAccounts'],
      ...['createWebhook', 'updateWebhook', 'removeWebhook', 'rotateWebhookSecret', 'replayWebhook'],
      ...['acceptClock', 'createBackup', 'profile'],
    ],
  ],
  [overseers, ['listWebhooks', 'getWebhook', 'listDeadLetters', 'getJournal', 'getJournalJob']],
  [
    ['operator', 'risk'],
    ['updateCard', 'updateAlias'],
  ],
  [['risk'], ['revealCardNumber', 'createRule', 'updateRule', 'createBacktest', 'deleteBacktest']],
  [
    ['ledger'],
    [
      ...['createPayment', 'chargeFee', 'waiveFee', 'returnPayment', 'refundCreditBalance', 'chargeOff', 'recover'],
      ...['settle', 'postNetworkFee', 'runAccrual'],
    ],
  ],
  [
    ['ledger', 'recon'],
    ['resolveSuspense', 'createDispute', 'stepDispute'],
  ],
  [
    ['operator', 'recon'],
    ['uploadClearingFile', 'createOutgoingFile', 'getOutgoingFileContent'],
  ],
  [
    [...readers, ...custodians],
    ['listApprovals', 'getApproval'],
  ],
  // Which of them it may decide, the proposed call says (approvals.ts).
  [
    ['operator', 'ledger', 'recon', ...custodians],
    ['confirmApproval', 'rejectApproval'],
  ],
  [['recon'], ['createReconRun', 'updateReconBreak']],
  [
    ['simulate'],
    [
      ...['simulateAuthorization', 'simulateIncrement', 'simulateAdvice', 'simulateRefund', 'simulateForcePost'],
      ...['simulateClearing', 'simulateReversal', 'simulateNetworkMessage', 'simulateExpiry'],
    ],
  ],
  [['auditor'], ['readAudit', 'listTokens']],
  [['key-custodian-a', 'key-custodian-b'], ['rotateKeys']],
  [['key-custodian-a', 'key-custodian-b', 'auditor'], ['getKeys']],
  [
    adminOnly,
    ['createProgram', 'updateProgram', 'exportJournal', 'dropJournal', 'createToken', 'rotateToken', 'revokeToken'],
  ],
];

const byCall: ReadonlyMap<string, readonly Role[]> = new Map(
  allowed.flatMap(([some, calls]) =>
    calls.map((call) => [call, roles.filter((role) => role === 'admin' || some.includes(role))]),
  ),
);

/** Roles that may call a route, in the order of `roles`; empty for a route that needs no token. */
export function rolesOf({ id, access }: Pick<Route, 'id' | 'access'>): readonly Role[] {
  return access === 'open' ? [] : (byCall.get(id) ?? []);
}

/** Why a token may not make a call; undefined when it may. */
export function forbids(route: Pick<Route, 'id' | 'access'>, { role, scopes }: TokenRow): string | undefined {
  const { access } = route;
  if (access === 'open') return undefined;
  const allowed = rolesOf(route);
  if (role !== undefined)
    return allowed.includes(role) ? undefined : `The role ${role} may not make this call: ${allowed.join(', ')} may.`;
  const needed = access === 'loopback' ? 'read' : access;
  if (scopes.includes(needed)) return undefined;
  return `This call needs a token with the scope ${needed}, or of a role: ${allowed.join(', ')}.`;
}

/** @throws TypeError for a route that no row of the table names, for a row without a route, and for a call in two rows */
export function assertRoles(routes: readonly Pick<Route, 'id' | 'access'>[]): void {
  const needed = routes.filter(({ access }) => access !== 'open').map(({ id }) => id);
  const named = allowed.flatMap(([, calls]) => calls);
  const missing = needed.filter((id) => !byCall.has(id));
  if (missing.length > 0) throw new TypeError(`roles.ts does not say who may call ${missing.join(', ')}`);
  const unknown = named.filter((id) => !needed.includes(id));
  if (unknown.length > 0) throw new TypeError(`roles.ts names calls that do not exist: ${unknown.join(', ')}`);
  if (new Set(named).size !== named.length) throw new TypeError('roles.ts names a call twice');
}
