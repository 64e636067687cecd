/** Webhooks: where events are delivered to. */

import { randomBytes } from 'node:crypto';
import { z } from 'zod';
import { WEBHOOK_URL_LENGTH_MAX } from '../../limits.js';
import type { SecretBox } from '../../vault/secret-box.js';
import type { ControlContext } from '../context.js';
import type { EventFeed } from '../events/event-feed.js';
import { eventAt } from '../events/feed-reader.js';
import { base32of, derive, type Idempotency } from '../idempotency.js';
import { listAnswer, listQuery, pageOf } from '../list.js';
import { outcomeRecord } from '../once.js';
import { ApiError } from '../problem.js';
import { type Route, route } from '../route.js';
import { journalRead, shardRead } from '../route-errors.js';
import * as schemas from '../schemas.js';
import * as shapes from '../schemas-events.js';
import type { SystemRecord, WebhookDefinition } from '../system-log.js';
import type { WebhookRow } from '../system-state.js';
import { time } from '../views.js';
import { AddressRefused, type AddressRule } from '../webhooks/address.js';
import type { DeadRow } from '../webhooks/delivery-store.js';
import { newSecret, secretText } from '../webhooks/signature.js';
import type { WebhookChange, Webhooks } from '../webhooks/webhooks.js';
import { readAccount } from './accounts.js';

const HOUR_MS = 3_600_000;
const idParams = z.object({ id: z.string().max(64) });

export interface WebhookServices {
  readonly feed: EventFeed;
  readonly webhooks: Webhooks;
  readonly box: SecretBox;
  readonly rule: AddressRule;
}

export function webhookRoutes(context: ControlContext, services: WebhookServices): Route[] {
  const { feed, webhooks, box, rule } = services;

  function required(id: string, row = context.system.webhook(id)): WebhookRow {
    if (row === undefined) throw new ApiError('not_found', 'There is no webhook with this id.');
    return row;
  }

  const shown = (row: WebhookRow): object => webhookObject(row, webhooks, context.nowMs());

  /** The record of a change, with the outcome of its key; and the webhook as it is then. */
  function changed(
    row: WebhookRow,
    change: Partial<WebhookDefinition>,
    status: number,
    idempotency: Idempotency | undefined,
  ): WebhookChange {
    const atMs = context.nowMs();
    const webhook = { ...row.webhook, ...change };
    const object = shown({ ...row, webhook, updatedMs: atMs });
    const record: SystemRecord = { type: 'webhook', createdMs: row.createdMs, atMs, webhook };
    return { records: [record, ...outcomeRecord(idempotency, status, object, atMs)], object };
  }

  return [
    route({
      id: 'createWebhook',
      method: 'POST',
      path: '/v1/webhooks',
      tag: 'webhooks',
      summary: 'Have events delivered to a URL',
      description:
        'Deliveries follow Standard Webhooks. The signing secret is shown once, in this answer; a repeat with the same Idempotency-Key does not show it.',
      access: 'admin',
      idempotency: 'system',
      body: shapes.webhookCreate,
      errors: [...shardRead, 'account_not_found', 'capacity_exceeded'],
      answers: { 201: { description: 'The webhook', schema: shapes.webhook } },
      async handle({ body, idempotency }) {
        const url = checkedUrl(rule, body.url);
        const accountSlot = await slotOf(context, body.account);
        const atMs = context.nowMs();
        const id = newWebhookId(context, idempotency);
        const secret = newSecret();
        const row: WebhookRow = {
          createdMs: atMs,
          updatedMs: atMs,
          webhook: {
            ...{ id, url, events: body.events, description: body.description ?? '' },
            ...{ account: body.account ?? '', accountSlot },
            enabled: body.enabled,
            disabled: body.enabled ? '' : 'request',
            secrets: [{ sealed: box.seal(id, secret), untilMs: 0 }],
            start: feed.place(body.after, '/after'),
          },
        };
        const object = await webhooks.change(id, () => {
          context.system.assertWebhookRoom();
          return changed(row, {}, 201, idempotency);
        });
        return { status: 201, body: { ...object, secret: secretText(secret) } };
      },
    }),
    route({
      id: 'listWebhooks',
      method: 'GET',
      path: '/v1/webhooks',
      tag: 'webhooks',
      summary: 'List webhooks, newest first',
      access: 'admin',
      idempotency: 'none',
      query: listQuery({}),
      answers: { 200: { description: 'A page of webhooks', schema: schemas.listOf(shapes.webhook, 'WebhookList') } },
      handle({ query }) {
        const rows = context.system.webhooks.map((row) => ({ id: row.webhook.id, row }));
        const page = pageOf(rows, query);
        return listAnswer(
          page.items.map(({ row }) => shown(row)),
          page.hasMore,
        );
      },
    }),
    route({
      id: 'getWebhook',
      method: 'GET',
      path: '/v1/webhooks/{id}',
      tag: 'webhooks',
      summary: 'Read a webhook, and how its deliveries stand',
      access: 'admin',
      idempotency: 'none',
      params: idParams,
      answers: { 200: { description: 'The webhook', schema: shapes.webhook } },
      handle: ({ params }) => ({ status: 200, body: shown(required(params.id)) }),
    }),
    route({
      id: 'updateWebhook',
      method: 'PATCH',
      path: '/v1/webhooks/{id}',
      tag: 'webhooks',
      summary: 'Change, disable or enable a webhook',
      description:
        'A disabled webhook keeps its place: enabled again, it is delivered everything that happened meanwhile. Deliveries under way are sent again.',
      access: 'admin',
      idempotency: 'system',
      params: idParams,
      body: shapes.webhookUpdate,
      answers: { 200: { description: 'The webhook after the change', schema: shapes.webhook } },
      async handle({ params, body, idempotency }) {
        const { url, enabled, events, description } = body;
        const change: Partial<WebhookDefinition> = {
          ...(url === undefined ? {} : { url: checkedUrl(rule, url) }),
          ...(events === undefined ? {} : { events }),
          ...(description === undefined ? {} : { description }),
          ...(enabled === undefined ? {} : { enabled, disabled: enabled ? '' : 'request' }),
        };
        const object = await webhooks.change(params.id, (row) =>
          changed(required(params.id, row), change, 200, idempotency),
        );
        return { status: 200, body: object };
      },
    }),
    route({
      id: 'removeWebhook',
      method: 'DELETE',
      path: '/v1/webhooks/{id}',
      tag: 'webhooks',
      summary: 'Remove a webhook, with its dead letters and what it had to deliver',
      access: 'admin',
      idempotency: 'none',
      params: idParams,
      answers: { 204: { description: 'Removed' } },
      async handle({ params }) {
        await webhooks.remove(required(params.id).webhook.id);
        return { status: 204 };
      },
    }),
    route({
      id: 'rotateWebhookSecret',
      method: 'POST',
      path: '/v1/webhooks/{id}/rotate-secret',
      tag: 'webhooks',
      summary: 'Make a new signing secret; the present one stays valid for a while',
      description: 'Deliveries are signed with both meanwhile. The secret is shown once, in this answer.',
      access: 'admin',
      idempotency: 'system',
      params: idParams,
      body: shapes.secretRotation,
      answers: { 200: { description: 'The webhook', schema: shapes.webhook } },
      async handle({ params, body, idempotency }) {
        const secret = newSecret();
        const fresh = { sealed: box.seal(params.id, secret), untilMs: 0 };
        const untilMs = context.nowMs() + body.overlap_hours * HOUR_MS;
        const object = await webhooks.change(params.id, (row) => {
          const { secrets } = required(params.id, row).webhook;
          const old = body.overlap_hours === 0 ? [] : [{ ...secrets[0]!, untilMs }];
          return changed(row!, { secrets: [fresh, ...old] }, 200, idempotency);
        });
        return { status: 200, body: { ...object, secret: secretText(secret) } };
      },
    }),
    route({
      id: 'listDeadLetters',
      method: 'GET',
      path: '/v1/webhooks/{id}/dead-letters',
      tag: 'webhooks',
      summary: 'List the events that were given up, newest first',
      access: 'admin',
      idempotency: 'none',
      params: idParams,
      query: listQuery({}),
      errors: [...journalRead],
      answers: {
        200: { description: 'A page of dead letters', schema: schemas.listOf(shapes.deadLetter, 'DeadLetterList') },
      },
      async handle({ params, query }) {
        required(params.id);
        const rows = webhooks.deadLetters(params.id).map((row) => ({ id: eventIdOf(context, row), row }));
        const page = pageOf(rows, query);
        const data: object[] = [];
        for (const { id, row } of page.items) data.push(await deadLetterObject(context, id, row));
        return listAnswer(data, page.hasMore);
      },
    }),
    route({
      id: 'replayWebhook',
      method: 'POST',
      path: '/v1/webhooks/{id}/replay',
      tag: 'webhooks',
      summary: 'Deliver again: everything behind a place, or dead letters',
      access: 'admin',
      idempotency: 'system',
      params: idParams,
      body: shapes.replay,
      answers: { 202: { description: 'They are on their way', schema: shapes.replayed } },
      async handle({ params, body, idempotency }) {
        const { id } = required(params.id).webhook;
        let deadLetters: number | null = null;
        if (body.after !== undefined) await webhooks.replayFrom(id, feed.place(body.after, '/after'));
        else {
          const wanted = body.dead_letters === 'all' ? undefined : new Set(body.dead_letters);
          deadLetters = await webhooks.replayDead(id, (row) => wanted?.has(eventIdOf(context, row)) !== false);
        }
        const object = { object: 'replay', webhook: id, dead_letters: deadLetters };
        context.system.write(outcomeRecord(idempotency, 202, object, context.nowMs()));
        return { status: 202, body: object };
      },
    }),
  ];
}

function newWebhookId(context: ControlContext, idempotency: Idempotency | undefined): string {
  const bytes =
    idempotency === undefined ? randomBytes(17) : derive(context.keys.id, 'webhook', idempotency.tag.keyHash);
  return `hook_${base32of(bytes)}`;
}

/** @throws ApiError `validation_failed` for what is no URL, or none that may be called. */
function checkedUrl(rule: AddressRule, text: string): string {
  const refused = (why: string): ApiError =>
    new ApiError('validation_failed', `/url: ${why}`, { param: '/url', errors: [{ detail: why, pointer: '/url' }] });
  let url: URL;
  try {
    url = new URL(text);
  } catch {
    throw refused('It is no URL: write all of it, such as https://example.com/events.');
  }
  url.hash = '';
  try {
    rule.assertUrl(url);
  } catch (error) {
    if (error instanceof AddressRefused) throw refused(error.message);
    throw error;
  }
  const { length } = url.href;
  if (length <= WEBHOOK_URL_LENGTH_MAX) return url.href;
  throw refused(`It has ${length} characters with what must be escaped, at most ${WEBHOOK_URL_LENGTH_MAX}.`);
}

/** Slot of the account; -1 for none. @throws ApiError `account_not_found`. */
async function slotOf(context: ControlContext, account: string | undefined): Promise<number> {
  if (account === undefined) return -1;
  const view = await readAccount(context, account);
  if (view !== undefined) return view.slot;
  throw new ApiError('account_not_found', 'There is no account with this id.', { param: '/account' });
}

function webhookObject({ webhook, createdMs, updatedMs }: WebhookRow, webhooks: Webhooks, nowMs: number): object {
  const { id, url, events, account, description, enabled, disabled, secrets } = webhook;
  const { lag, waiting, deadLetters, failingSinceMs, pausedUntilMs, lastStatus, lastError } = webhooks.health(id);
  const old = secrets.slice(1).filter(({ untilMs }) => untilMs > nowMs);
  return {
    object: 'webhook',
    id,
    url,
    events,
    account: account === '' ? null : account,
    description,
    enabled,
    disabled_reason: disabled === '' ? null : disabled,
    old_secret_valid_until: old.length === 0 ? null : time(old[0]!.untilMs),
    deliveries: {
      lag_records: lag,
      waiting,
      dead_letters: deadLetters,
      failing_since: failingSinceMs === 0 ? null : time(failingSinceMs),
      paused_until: pausedUntilMs <= nowMs ? null : time(pausedUntilMs),
      last_status: lastStatus === 0 ? null : lastStatus,
      last_error: lastError === '' ? null : lastError,
    },
    created_at: time(createdMs),
    updated_at: time(updatedMs),
  };
}

function eventIdOf(context: ControlContext, { shard, sequence }: DeadRow): string {
  return context.ids.encode('evt', shard, sequence);
}

async function deadLetterObject(context: ControlContext, id: string, row: DeadRow): Promise<object> {
  return {
    object: 'dead_letter',
    id,
    attempts: row.attempts,
    last_status: row.lastStatus === 0 ? null : row.lastStatus,
    last_error: row.lastError === '' ? null : row.lastError,
    given_up_at: time(row.atMs),
    event: (await eventAt(context, row.shard, row.sequence)) ?? null,
  };
}
