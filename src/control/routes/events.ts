/** The event feed: a list, a long poll, or a stream of server-sent events. */
import { z } from 'zod';
import { EVENT_WAIT_SECONDS_MAX } from '../../limits.js';
import type { EventFeed } from '../events/event-feed.js';
import { EventStream } from '../events/event-stream.js';
import { eventTypes } from '../events/event-types.js';
import type { FeedFilter, FeedReader } from '../events/feed-reader.js';
import { type Answer, type Route, type RouteInput, route } from '../route.js';
import { journalRead } from '../route-errors.js';
import * as schemas from '../schemas.js';
import { eventList } from '../schemas-events.js';

const STREAM_TYPE = 'text/event-stream';
const whole = (text: string | undefined): number => (text === undefined ? 0 : Number(text));

const query = z.strictObject({
  limit: schemas.limit,
  after: z
    .string()
    .max(4000)
    .optional()
    .describe('Events behind this place: next_cursor of an earlier answer, `now`, or `beginning` (the default).'),
  account: schemas.chosenId.optional().describe('Events of one account.'),
  types: z
    .string()
    .max(2000)
    .transform((text) => text.split(','))
    .pipe(z.array(z.enum(eventTypes)))
    .optional()
    .describe('Events of these types, separated by commas.')
    .meta({ type: 'string' }),
  wait: z
    .string()
    .regex(/^\d{1,2}$/, `a whole number from 0 to ${EVENT_WAIT_SECONDS_MAX}`)
    .optional()
    .transform(whole)
    .refine((value) => value <= EVENT_WAIT_SECONDS_MAX, `a whole number from 0 to ${EVENT_WAIT_SECONDS_MAX}`)
    .describe('Seconds to wait for the first event when there is none.')
    .meta({ type: 'integer', minimum: 0, maximum: EVENT_WAIT_SECONDS_MAX, default: 0, pattern: undefined }),
});
type Query = z.output<typeof query>;

export function eventRoutes(feed: EventFeed): Route[] {
  return [
    route({
      id: 'readEvents',
      method: 'GET',
      path: '/v1/events',
      tag: 'events',
      summary: 'Read what happened, oldest first: a page, a long poll, or a stream',
      description:
        'Every durable record of an account, in its order. Go on with `after=<next_cursor>`. With `Accept: text/event-stream` events are sent as they happen; the id of each is a cursor, and a client that comes back with it as Last-Event-ID goes on behind it.',
      access: 'read',
      idempotency: 'none',
      query,
      requestHeaders: {
        Accept: '`text/event-stream` for a stream.',
        'Last-Event-ID': 'Of a stream: the last id that was received. Goes before `after`.',
      },
      errors: [...journalRead, 'not_found', 'too_many_listeners'],
      answers: {
        200: { description: 'Events, or a stream of them', schema: eventList, otherTypes: [STREAM_TYPE] },
      },
      async handle(input) {
        const streams = (input.header('accept') ?? '').includes(STREAM_TYPE);
        const last = streams ? input.header('last-event-id') : undefined;
        const from = feed.place(
          last ?? input.query.after ?? 'beginning',
          last === undefined ? 'after' : 'Last-Event-ID',
        );
        const reader = feed.reader(from, await filterOf(feed, input.query));
        return streams ? stream(feed, reader) : list(feed, reader, input);
      },
    }),
  ];
}

/** @throws ApiError `not_found` for an account that does not exist. */
async function filterOf(feed: EventFeed, { account, types }: Query): Promise<FeedFilter> {
  return {
    ...(types === undefined ? {} : { types: new Set(types) }),
    ...(account === undefined ? {} : { account: await feed.accountPlace(account) }),
  };
}

function stream(feed: EventFeed, reader: FeedReader): Answer {
  return {
    status: 200,
    body: new EventStream(feed, reader),
    contentType: STREAM_TYPE,
    // Proxies that collect answers would hold events back.
    headers: { 'x-accel-buffering': 'no' },
  };
}

async function list(feed: EventFeed, reader: FeedReader, input: RouteInput<unknown, Query, unknown>): Promise<Answer> {
  const { limit, wait } = input.query;
  const until = performance.now() + wait * 1000;
  const release = wait > 0 ? feed.admit() : () => undefined;
  try {
    const data: object[] = [];
    let more: boolean;
    for (;;) {
      more = await reader.read(({ event }) => data.push(event) < limit);
      const left = until - performance.now();
      if (data.length > 0 || left <= 0) break;
      // A filter may pass nothing of very many records: then there is more to look at, and no need to wait.
      if (!more && !(await newsOr(feed, reader, left, input))) break;
    }
    const next = feed.cursor(reader.positions);
    return { status: 200, body: { object: 'list', data, has_more: more, next_cursor: next } };
  } finally {
    release();
  }
}

/** True when something new has come; false when the time is over, the client has gone or the engine stops. */
async function newsOr(
  feed: EventFeed,
  reader: FeedReader,
  ms: number,
  input: Pick<RouteInput<unknown, unknown, unknown>, 'onGone'>,
): Promise<boolean> {
  const { arrived, giveUp } = feed.news(reader, ms);
  const stay = input.onGone(giveUp);
  try {
    return await arrived;
  } finally {
    stay();
  }
}
