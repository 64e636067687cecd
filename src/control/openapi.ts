/** The OpenAPI 3.1 document, generated from the routes and their schemas: what is validated is what is documented. */
import { z } from 'zod';
import type { AnswerDoc, Route } from './route.js';
import { problem } from './schemas.js';

type Json = Record<string, unknown>;

class Components {
  readonly schemas: Json = {};

  /** The schema as JSON Schema; named parts become components. */
  of(schema: z.ZodType, io: 'input' | 'output'): Json {
    const json = z.toJSONSchema(schema, { target: 'draft-2020-12', io, unrepresentable: 'any' }) as Json;
    const { $schema: _schema, $defs, ...rest } = json;
    for (const [name, definition] of Object.entries(($defs ?? {}) as Json))
      this.schemas[name] = refs(withoutId(definition));
    const id = rest.id as string | undefined;
    if (id === undefined) return refs(rest) as Json;
    this.schemas[id] = refs(withoutId(rest));
    return { $ref: `#/components/schemas/${id}` };
  }
}

function withoutId(value: unknown): unknown {
  const { id: _id, $schema: _schema, $defs: _defs, ...rest } = value as Json;
  return rest;
}

/** Moves local references to the components. */
function refs(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(refs);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, inner]) => [
      key,
      key === '$ref' && typeof inner === 'string' ? inner.replace('#/$defs/', '#/components/schemas/') : refs(inner),
    ]),
  );
}

export function openApi(routes: readonly Route[], version: string): Json {
  const components = new Components();
  const problemRef = components.of(problem, 'output');
  const paths: Record<string, Json> = {};
  for (const route of routes) {
    const path = paths[route.path] ?? {};
    paths[route.path] = path;
    path[route.method.toLowerCase()] = operation(route, components, problemRef);
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'Holdfast',
      version,
      description: 'Card-issuing authorization engine. Amounts are integers in minor units; times are RFC 3339 in UTC.',
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    servers: [{ url: '/' }],
    security: [{ bearer: [] }],
    paths,
    components: {
      securitySchemes: { bearer: { type: 'http', scheme: 'bearer' } },
      schemas: components.schemas,
    },
  };
}

function operation(route: Route, components: Components, problemRef: Json): Json {
  const parameters = [
    ...parametersOf(route.params, 'path', components),
    ...parametersOf(route.query, 'query', components),
  ];
  if (route.idempotency !== 'none')
    parameters.push({
      name: 'Idempotency-Key',
      in: 'header',
      required: route.idempotency === 'shard_required',
      description: 'The same key and body: the first answer again. Another body: 422.',
      schema: { type: 'string', minLength: 1, maxLength: 255 },
    });
  const responses: Json = {};
  for (const [status, answer] of Object.entries(route.answers)) responses[status] = response(answer, components);
  responses.default = {
    description: 'A problem',
    content: { 'application/problem+json': { schema: problemRef } },
  };
  const scope = { admin: 'admin', read: 'read', write: 'write', simulate: 'simulate' }[route.access as string];
  const access = scope === undefined ? '' : `Needs a token with the scope \`${scope}\`.`;
  return {
    operationId: route.id,
    tags: [route.tag],
    summary: route.summary,
    description: [route.description ?? '', access].filter((text) => text !== '').join('\n\n'),
    ...(scope === undefined ? { security: [] } : {}),
    ...(parameters.length === 0 ? {} : { parameters }),
    ...(route.body === undefined ? {} : { requestBody: requestBody(route, route.body, components) }),
    responses,
  };
}

function requestBody(route: Route, schema: z.ZodType, components: Components): Json {
  const json = components.of(schema, 'input');
  const content: Json = {};
  for (const type of route.streamTypes ?? ['application/json']) content[type] = { schema: json };
  return { required: true, content };
}

function response({ description, schema, contentType }: AnswerDoc, components: Components): Json {
  if (schema === undefined && contentType === undefined) return { description };
  const json = schema === undefined ? {} : components.of(schema, 'output');
  return { description, content: { [contentType ?? 'application/json']: { schema: json } } };
}

function parametersOf(schema: z.ZodType | undefined, where: 'path' | 'query', components: Components): Json[] {
  if (schema === undefined) return [];
  const json = components.of(schema, 'input') as { properties?: Record<string, Json>; required?: string[] };
  return Object.entries(json.properties ?? {}).map(([name, { description, ...property }]) => ({
    name,
    in: where,
    required: where === 'path' || (json.required ?? []).includes(name),
    ...(description === undefined ? {} : { description }),
    schema: property,
  }));
}
