/** Listeners and their business dates. */
import { z } from 'zod';
import type { ControlContext } from '../context.js';
import { listAnswer, listQuery, pageOf } from '../list.js';
import { type Route, route } from '../route.js';
import * as schemas from '../schemas.js';
import { time } from '../views.js';

const DAY_MS = 86_400_000;

const link = z
  .object({
    object: z.literal('link'),
    id: z.string().describe('The name.'),
    name: z.string(),
    number: z.int(),
    transport: z.string(),
    dialect: z.string(),
    business_date: z.iso.date().nullable().describe('Null before the first cutover: the UTC date counts.'),
    cutover_at: schemas.timestamp.nullable(),
  })
  .meta({ id: 'Link' });

export function linkRoutes(context: ControlContext): Route[] {
  return [
    route({
      id: 'listLinks',
      method: 'GET',
      path: '/v1/links',
      tag: 'operations',
      summary: 'The listeners and their business dates',
      description: 'In the order of the configuration. A cutover (0800, DE70 201) moves the date of a link.',
      access: 'read',
      idempotency: 'none',
      query: listQuery({}),
      answers: { 200: { description: 'The links', schema: schemas.listOf(link, 'LinkList') } },
      handle({ query }) {
        const links = context.links.map((one) => ({ id: one.name, ...one }));
        const { items, hasMore } = pageOf(links.reverse(), query);
        const data = items.map(({ id, name, number, transport, dialect }) => {
          const cutover = context.system.cutover(number);
          return {
            object: 'link',
            ...{ id, name, number, transport, dialect },
            business_date: cutover === undefined ? null : time(cutover.day * DAY_MS).slice(0, 10),
            cutover_at: cutover === undefined ? null : time(cutover.atMs),
          };
        });
        return listAnswer(data, hasMore);
      },
    }),
  ];
}
