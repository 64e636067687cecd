/**
 * Dual control: what one person asks for, another one confirms before it happens (decision on dual control).
 *
 *   call -> does the policy want a second person? -> proposal, durable -> 202
 *   confirm by another token of another name, who may make the call too -> confirmation, durable
 *        -> the call is made, under an idempotency key of the proposal -> its answer, durable
 *
 * A process that dies behind the confirmation finds it at its next start and makes the call then: the key says whether it was made
 * already, so it is made once. Any route can ask for this by naming its kind (`approval`, route.ts).
 */
import { HoldfastError } from '../errors.js';
import { APPROVAL_RETRY_MS, APPROVAL_TTL_MS } from '../limits.js';
import { type ApprovalRow, isOver } from './approval-book.js';
import type { ApprovalPolicy } from './approval-kinds.js';
import type { ControlContext } from './context.js';
import type { ClaimedKey, Idempotency } from './idempotency.js';
import { claimKey, once, outcomeRecord } from './once.js';
import { ApiError, problemDocument } from './problem.js';
import { randomName } from './random-name.js';
import { forbids } from './roles.js';
import type { Answer, Route } from './route.js';
import type { ApprovalDone, ApprovalProposal } from './system-log.js';
import type { TokenRow } from './system-state.js';
import { isValid, OIDC_ID_PREFIX, publicTokenId, rightsOf } from './tokens.js';
import { validate } from './validate.js';
import { time } from './views.js';

/** A call before it is made. */
export interface ProposedCall {
  readonly route: Route;
  readonly params: unknown;
  /** JSON text of what was read, so that nothing is kept that nobody has looked at; '' without a body. */
  readonly body: string;
  readonly path: string;
  readonly token: TokenRow | undefined;
  readonly reason: string;
}

export interface ApprovalsOptions {
  readonly policy: ApprovalPolicy;
  readonly log: { error(fields: object, text: string): void };
  /** A store failed: the process must end. */
  readonly onFatal: (error: HoldfastError) => void;
  /** For tests: is told of every step before the next one. */
  readonly reach?: (step: 'confirmed' | 'executed') => void;
}

export class Approvals {
  readonly #o: ApprovalsOptions;
  #context: ControlContext | undefined;
  readonly #routes = new Map<string, Route>();
  readonly #running = new Map<string, Promise<ApprovalRow>>();
  #timer: NodeJS.Timeout | undefined;
  #stopped = false;

  constructor(options: ApprovalsOptions) {
    this.#o = options;
  }

  /** Before the first call. @throws TypeError for a route whose repeats would not be found */
  serve(context: ControlContext, routes: readonly Route[]): void {
    this.#context = context;
    for (const route of routes) {
      if (route.approval === undefined) continue;
      if (route.idempotency === 'none' || route.idempotency === 'own')
        throw new TypeError(`${route.id} cannot be approved: nothing tells whether it was made already`);
      this.#routes.set(route.id, route);
    }
  }

  /** True when the call, with this validated body, has to be confirmed by somebody else. */
  wants({ approval }: Route, body: unknown): boolean {
    const { kinds, fromAmount } = this.#o.policy;
    if (approval === undefined || !kinds.includes(approval)) return false;
    const { amount } = (body ?? {}) as { amount?: unknown };
    return typeof amount !== 'number' || Math.abs(amount) >= fromAmount;
  }

  /** Keeps the call until somebody else decides. @throws ApiError `capacity_exceeded` */
  propose(call: ProposedCall, idempotency: Idempotency | undefined): Answer {
    const { system, nowMs } = this.#ready();
    const atMs = nowMs();
    system.approvals.assertRoom(atMs);
    const proposal: ApprovalProposal = {
      type: 'approval_proposed',
      id: `apr_${randomName()}`,
      operation: call.route.id,
      params: call.params as Record<string, string>,
      body: call.body,
      path: call.path,
      key: idempotency === undefined ? '' : idempotency.key,
      keyBody: idempotency === undefined ? '' : idempotency.body,
      ...actorOf(call.token),
      reason: call.reason,
      untilMs: atMs + APPROVAL_TTL_MS,
      atMs,
    };
    const object = approvalObject({ proposal, state: 'open', decision: undefined, done: undefined }, atMs);
    system.write([proposal, ...outcomeRecord(idempotency, 202, object, atMs)]);
    return { status: 202, body: object };
  }

  /** Those that a token may see, oldest first: keys are the business of their custodians, money is not. */
  rows(token: TokenRow | undefined): ApprovalRow[] {
    return this.#ready().system.approvals.rows.filter((row) => this.#sees(token, row));
  }

  /** @throws ApiError `not_found` */
  required(id: string, token: TokenRow | undefined): ApprovalRow {
    const row = this.#ready().system.approvals.row(id);
    if (row === undefined || !this.#sees(token, row)) throw new ApiError('not_found', 'There is no such approval.');
    return row;
  }

  /**
   * Confirms and makes the call; gives the row with its answer.
   * @throws ApiError `forbidden` for whoever proposed it, was made a token since or may not make the call, `approval_closed`; what stood in the way (5xx):
   * then it stays confirmed, and is made later
   */
  confirm(id: string, token: TokenRow | undefined, reason: string): Promise<ApprovalRow> {
    const { system, nowMs } = this.#ready();
    const row = this.required(id, token);
    this.#assertMay(row, token);
    const { proposal, state, decision } = row;
    const actor = actorOf(token);
    if (actor.token === proposal.token || sameName(actor.name, proposal.name))
      throw new ApiError('forbidden', 'Somebody else must confirm it: another token, of another name.');
    this.#assertStanding(row, token);
    // The answer of the first one was lost on its way.
    if (state === 'done' && decision?.token === actor.token) return Promise.resolve(row);
    if (state === 'open' && !isOver(row, nowMs())) {
      system.write([{ type: 'approval_decided', id, confirmed: true, ...actor, reason, atMs: nowMs() }]);
      this.#o.reach?.('confirmed');
    } else if (state !== 'confirmed') throw closed(row);
    return this.#execute(id);
  }

  /** Whoever proposed it may take it back, too. @throws ApiError `forbidden`, `approval_closed` */
  reject(id: string, token: TokenRow | undefined, reason: string): ApprovalRow {
    const { system, nowMs } = this.#ready();
    const row = this.required(id, token);
    this.#assertMay(row, token);
    if (row.state !== 'open' || isOver(row, nowMs())) throw closed(row);
    system.write([{ type: 'approval_decided', id, confirmed: false, ...actorOf(token), reason, atMs: nowMs() }]);
    return this.required(id, token);
  }

  /** Makes the calls that were confirmed and have no answer yet, now and until there are none. */
  start(): void {
    if (this.#stopped) return;
    const left = this.#ready().system.approvals.rows.filter(({ state }) => state === 'confirmed');
    void Promise.all(
      left.map(({ proposal }) =>
        this.#execute(proposal.id).catch((error: unknown) => {
          if (error instanceof HoldfastError && error.code === 'commit_failed') this.#o.onFatal(error);
          this.#o.log.error({ approval: proposal.id, err: error }, 'a confirmed call could not be made yet');
          this.#later();
        }),
      ),
    );
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#timer);
    await Promise.allSettled(this.#running.values());
  }

  #later(): void {
    clearTimeout(this.#timer);
    if (!this.#stopped) this.#timer = setTimeout(() => this.start(), APPROVAL_RETRY_MS).unref();
  }

  #ready(): ControlContext {
    if (this.#context === undefined) throw new TypeError('the approvals are not served yet');
    return this.#context;
  }

  #sees(token: TokenRow | undefined, { proposal }: ApprovalRow): boolean {
    const isCustodian = token?.role === 'key-custodian-a' || token?.role === 'key-custodian-b';
    return !isCustodian || this.#routes.get(proposal.operation)?.approval === 'keys';
  }

  /**
   * A person who is made for the purpose is no second one, and what somebody asked for who has no access any more is not done.
   * People of an identity provider are not known here before they come: neither is asked of them.
   * @throws ApiError `forbidden`, `approval_closed`
   */
  #assertStanding({ proposal, state }: ApprovalRow, token: TokenRow | undefined): void {
    const { system, nowMs } = this.#ready();
    if (state !== 'open') return;
    const own = token === undefined ? undefined : system.token(token.id);
    if (own !== undefined && own.createdMs > proposal.atMs)
      throw new ApiError(
        'forbidden',
        'The token was made after the proposal: another one must confirm it, or propose it anew.',
      );
    if (proposal.token.startsWith(publicTokenId(OIDC_ID_PREFIX))) return;
    const proposer = system.tokens.find(({ id }) => publicTokenId(id) === proposal.token);
    if (proposer === undefined || !isValid(proposer, nowMs()))
      throw new ApiError('approval_closed', `The token of ${proposal.name} is not valid any more; propose it anew.`);
  }

  #routeOf({ proposal }: ApprovalRow): Route {
    const route = this.#routes.get(proposal.operation);
    if (route === undefined) throw new ApiError('not_supported', 'This release does not know the call any more.');
    return route;
  }

  #assertMay(row: ApprovalRow, token: TokenRow | undefined): void {
    const why = token === undefined ? 'A token is needed.' : forbids(this.#routeOf(row), token);
    if (why !== undefined) throw new ApiError('forbidden', why);
  }

  /** One at a time for each approval; whoever comes while it runs gets the same answer. */
  #execute(id: string): Promise<ApprovalRow> {
    const known = this.#running.get(id);
    if (known !== undefined) return known;
    const run = this.#make(id).finally(() => this.#running.delete(id));
    this.#running.set(id, run);
    return run;
  }

  async #make(id: string): Promise<ApprovalRow> {
    const { system, nowMs } = this.#ready();
    const row = system.approvals.row(id)!;
    if (row.state === 'done') return row;
    const { status, body } = await this.#answer(row);
    this.#o.reach?.('executed');
    const answer = typeof body === 'string' ? body : JSON.stringify(body ?? null);
    const record: ApprovalDone = { type: 'approval_done', id, status, answer, atMs: nowMs() };
    system.write([record]);
    return system.approvals.row(id) ?? { ...row, state: 'done', done: record };
  }

  /** The answer of the call, or the problem that it is refused with. @throws ApiError of what stood in its way */
  async #answer(row: ApprovalRow): Promise<Answer> {
    const route = this.#routeOf(row);
    const { id, path, params, body } = row.proposal;
    try {
      const input = {
        params: route.params === undefined ? {} : validate(route.params, params, 'path'),
        query: {},
        body: route.body === undefined ? undefined : validate(route.body, JSON.parse(body) as unknown, 'body'),
      };
      return await this.#once(row, route, (key) =>
        route.handle({
          ...input,
          idempotency: key,
          idempotencyKey: undefined,
          stream: undefined as never,
          tokenId: row.decision?.token,
          token: undefined,
          path,
          header: () => undefined,
          onGone: () => () => undefined,
        }),
      );
    } catch (error) {
      if (!(error instanceof ApiError) || error.status >= 500) throw error;
      return { status: error.status, body: problemDocument(error, path, id) };
    }
  }

  /**
   * Under the key of the proposal's request, when it had one: if the same request was made before there was dual control, its effect is
   * found. Only in the system journal that key has an outcome already, the proposal.
   */
  async #once(
    { proposal }: ApprovalRow,
    route: Route,
    handle: (key: ClaimedKey) => Promise<Answer> | Answer,
  ): Promise<Answer> {
    const context = this.#ready();
    const own = context.idempotency.ofApproval(proposal.id);
    if (route.idempotency === 'system')
      return once(context, { route, idempotency: own, path: proposal.path, requestId: proposal.id }, handle);
    const idempotency = proposal.key === '' ? own : context.idempotency.ofKept(proposal.key, proposal.keyBody);
    const { key, answer } = await claimKey(context.shards, idempotency);
    return answer ?? handle(key);
  }
}

function closed({ state }: ApprovalRow): ApiError {
  return new ApiError('approval_closed', `It is ${state === 'open' ? 'expired' : state}; propose it anew.`);
}

function actorOf(token: TokenRow | undefined): { token: string; name: string; role: string } {
  if (token === undefined) return { token: '', name: '', role: '' };
  return { token: publicTokenId(token.id), name: token.name, role: rightsOf(token) };
}

function sameName(a: string, b: string): boolean {
  const plain = (name: string): string => name.trim().toLowerCase();
  return plain(a) === plain(b);
}

/** The approval as the API shows it. */
export function approvalObject({ proposal, state, decision, done }: ApprovalRow, nowMs: number): object {
  const by = ({ token, name, role }: { token: string; name: string; role: string }): object => ({ token, name, role });
  return {
    object: 'approval',
    id: proposal.id,
    status: state === 'open' && nowMs >= proposal.untilMs ? 'expired' : state,
    operation: proposal.operation,
    path: proposal.path,
    body: proposal.body === '' ? null : (JSON.parse(proposal.body) as unknown),
    proposed_by: by(proposal),
    proposed_at: time(proposal.atMs),
    reason: proposal.reason,
    expires_at: time(proposal.untilMs),
    decided_by: decision === undefined ? null : by(decision),
    decided_at: decision === undefined ? null : time(decision.atMs),
    decision_reason: decision === undefined ? null : decision.reason,
    answer: done === undefined ? null : { status: done.status, body: JSON.parse(done.answer) as unknown },
  };
}
