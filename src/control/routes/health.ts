/** Health, version, metrics, profiles. */
import { z } from 'zod';
import { PROFILE_SECONDS_MAX } from '../../limits.js';
import type { ControlContext } from '../context.js';
import { claimKey } from '../once.js';
import { ApiError } from '../problem.js';
import { type Answer, type Route, route } from '../route.js';

const live = z.object({ status: z.literal('ok') }).meta({ id: 'Liveness' });
const check = z.object({ check: z.string(), detail: z.string() });
const ready = z
  .object({
    status: z.enum(['ready', 'not_ready']),
    reasons: z.array(check),
    warnings: z.array(check).describe('What does not keep traffic away, but wants an operator.'),
  })
  .meta({ id: 'Readiness' });
const version = z.object({ name: z.string(), version: z.string(), node: z.string() }).meta({ id: 'Version' });

interface ProfileQuery {
  thread: string;
  seconds: number;
}

export function healthRoutes(context: ControlContext): Route[] {
  /** The last profile that was asked for with a key. A profile changes nothing and may be large, so no other is kept. */
  let last: { key: string; answer: Answer } | undefined;

  async function repeatable(header: string, query: ProfileQuery): Promise<Answer> {
    // What is asked for stands in the query, so the query belongs to what the key is bound to.
    const asked = `/v1/profile?thread=${query.thread}&seconds=${query.seconds}`;
    const idempotency = context.idempotency.of(header, 'POST', asked, new Uint8Array(0));
    return context.idempotency.exclusively(idempotency, async () => {
      await claimKey(context.shards, idempotency);
      if (last?.key === idempotency.key) return { ...last.answer, replayed: true };
      const answer = await profile(context, query);
      last = { key: idempotency.key, answer };
      return answer;
    });
  }

  return [
    route({
      id: 'livez',
      method: 'GET',
      path: '/livez',
      tag: 'operations',
      summary: 'Is the control plane alive?',
      access: 'loopback',
      idempotency: 'none',
      answers: { 200: { description: 'Alive', schema: live } },
      handle: () => ({ status: 200, body: { status: 'ok' } }),
    }),
    route({
      id: 'readyz',
      method: 'GET',
      path: '/readyz',
      tag: 'operations',
      summary: 'Can this engine take traffic?',
      description:
        'Ready when the journal is replayed, every shard is up and takes new work, the background tasks run and the disk has its reserve. `warnings` names what is wrong without keeping traffic away: clocks that differ.',
      access: 'loopback',
      idempotency: 'none',
      answers: {
        200: { description: 'Ready', schema: ready },
        503: { description: 'Not ready, with the reasons', schema: ready, contentType: 'application/json' },
      },
      handle() {
        const reasons = context.health.notReady();
        const ok = reasons.length === 0;
        return {
          status: ok ? 200 : 503,
          body: { status: ok ? 'ready' : 'not_ready', reasons, warnings: context.health.warnings() },
        };
      },
    }),
    route({
      id: 'version',
      method: 'GET',
      path: '/version',
      tag: 'operations',
      summary: 'Version of engine and Node',
      access: 'loopback',
      idempotency: 'none',
      answers: { 200: { description: 'Versions', schema: version } },
      handle: () => ({ status: 200, body: { name: 'holdfast', ...context.build } }),
    }),
    route({
      id: 'metrics',
      method: 'GET',
      path: '/metrics',
      tag: 'operations',
      summary: 'Metrics in the Prometheus text format',
      access: 'loopback',
      idempotency: 'none',
      answers: { 200: { description: 'Metrics', contentType: 'text/plain' } },
      async handle() {
        return { status: 200, body: await context.metrics.render(), contentType: context.metrics.contentType };
      },
    }),
    route({
      id: 'profile',
      method: 'POST',
      path: '/v1/profile',
      tag: 'operations',
      summary: 'Record a CPU profile of one thread',
      description:
        'Of requests with an Idempotency-Key, the last profile is kept for its repeats while the server runs.',
      access: 'admin',
      idempotency: 'own',
      query: z.strictObject({
        thread: z.string().max(40).default('control').describe('main, control, shard-0 ...'),
        seconds: z.coerce.number().min(0.01).max(PROFILE_SECONDS_MAX).default(5),
      }),
      errors: ['not_supported'],
      answers: {
        200: {
          description: 'A .cpuprofile for Chrome DevTools or speedscope',
          contentType: 'application/json',
          headers: { 'Content-Disposition': 'A name for the file.' },
        },
      },
      handle: ({ query, idempotencyKey }) => {
        if (!context.profiles.threads.includes(query.thread))
          throw new ApiError('invalid_query', `Threads: ${context.profiles.threads.join(', ')}.`, { param: 'thread' });
        return idempotencyKey === undefined ? profile(context, query) : repeatable(idempotencyKey, query);
      },
    }),
  ];
}

async function profile(context: ControlContext, { thread, seconds }: ProfileQuery): Promise<Answer> {
  const outcome = await context.profiles.profile(thread, seconds);
  if ('unsupported' in outcome) throw new ApiError('not_supported', outcome.unsupported, { param: 'thread' });
  return {
    status: 200,
    body: outcome.profile,
    contentType: 'application/json; charset=utf-8',
    headers: { 'content-disposition': `attachment; filename="${thread}.cpuprofile"` },
  };
}
