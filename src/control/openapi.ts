/** The OpenAPI 3.1 document, generated from the routes and their schemas: what is validated is what is documented. */
import { z } from 'zod';
import { AUDIT_REASON_LENGTH_MAX } from '../limits.js';
import { type ProblemCode, problems } from './problem.js';
import { rolesOf } from './roles.js';
import { type AnswerDoc, isRecorded, type Route } from './route.js';
import { errorsOf, retried } from './route-errors.js';
import { problem } from './schemas.js';

type Json = Record<string, unknown>;

/** Keeps the default that a schema states in its metadata: of one that transforms its input, it would be left out. */
function override({ zodSchema, jsonSchema }: { zodSchema: z.core.$ZodTypes; jsonSchema: Json }): void {
  const stated = z.globalRegistry.get(zodSchema)?.default;
  if (stated !== undefined) jsonSchema.default = stated;
}

class Components {
  readonly schemas: Json = {};

  /** The schema as JSON Schema; named parts become components. */
  of(schema: z.ZodType, io: 'input' | 'output'): Json {
    const json = z.toJSONSchema(schema, { target: 'draft-2020-12', io, unrepresentable: 'any', override }) as Json;
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
      description: DESCRIPTION,
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    servers: [{ url: '/' }],
    security: [{ bearer: [] }],
    paths,
    components: {
      securitySchemes: { bearer: { type: 'http', scheme: 'bearer' } },
      headers,
      schemas: components.schemas,
    },
  };
}

function operation(route: Route, components: Components, problemRef: Json): Json {
  const parameters = [
    ...parametersOf(route.params, 'path', components),
    ...parametersOf(route.query, 'query', components),
  ];
  for (const [name, description] of Object.entries(route.requestHeaders ?? {}))
    parameters.push({ name, in: 'header', required: false, description, schema: { type: 'string' } });
  if (isRecorded(route))
    parameters.push({
      name: 'X-Reason',
      in: 'header',
      required: route.needsReason === true,
      description: 'Why, for the audit log.',
      schema: { type: 'string', maxLength: AUDIT_REASON_LENGTH_MAX },
    });
  if (route.idempotency !== 'none')
    parameters.push({
      name: 'Idempotency-Key',
      in: 'header',
      required: route.idempotency === 'shard_required',
      description: 'The same request: the first answer again, with Idempotent-Replayed. Another one: 422.',
      schema: { type: 'string', minLength: 1, maxLength: 255 },
    });
  return {
    operationId: route.id,
    tags: [route.tag],
    summary: route.summary,
    description: [route.description ?? '', accessText(route)].filter((text) => text !== '').join('\n\n'),
    security: securityOf(route),
    'x-roles': rolesOf(route),
    ...(parameters.length === 0 ? {} : { parameters }),
    ...(route.body === undefined ? {} : { requestBody: requestBody(route, route.body, components) }),
    responses: responsesOf(route, components, problemRef),
  };
}

function accessText(route: Route): string {
  const { access } = route;
  if (access === 'open') return '';
  const who = `or one of the roles ${rolesOf(route).join(', ')}`;
  if (access === 'loopback')
    return `Needs no token from the same machine; from elsewhere one with the scope \`read\`, ${who}.`;
  return `Needs a token with the scope \`${access}\`, ${who}.`;
}

function securityOf({ access }: Route): Json[] {
  if (access === 'open') return [];
  return access === 'loopback' ? [{}, { bearer: ['read'] }] : [{ bearer: [access] }];
}

/** Answers of the route, and its problems by status. */
function responsesOf(route: Route, components: Components, problemRef: Json): Json {
  const responses: Json = {};
  const repeatable = route.idempotency === 'none' ? [] : ['Idempotent-Replayed'];
  for (const [status, answer] of Object.entries(route.answers)) {
    const own = Object.entries(answer.headers ?? {}).map(([name, description]) => [
      name,
      { description, schema: { type: 'string' } },
    ]);
    const described = { ...headerRefs(['X-Request-Id', ...repeatable]), ...Object.fromEntries(own) };
    responses[status] = { ...response(answer, components), headers: described };
  }
  const byStatus = new Map<number, ProblemCode[]>();
  for (const code of errorsOf(route)) {
    const { status } = problems[code];
    byStatus.set(status, [...(byStatus.get(status) ?? []), code]);
  }
  for (const [status, codes] of byStatus) {
    const known = responses[status] as { description: string; content: Json; headers: Json } | undefined;
    const names = ['X-Request-Id'];
    if (status === 401) names.push('WWW-Authenticate');
    if (status < 500) names.push(...repeatable);
    if (codes.some((code) => retried.has(code))) names.push('Retry-After');
    const schema = { allOf: [problemRef, { type: 'object', properties: { code: { enum: codes } } }] };
    const text = codes.map((code) => `\`${code}\`: ${problems[code].title}`).join('. ');
    responses[status] = {
      description: known === undefined ? text : `${known.description}. ${text}`,
      headers: { ...known?.headers, ...headerRefs(names) },
      content: { ...known?.content, 'application/problem+json': { schema } },
    };
  }
  return responses;
}

function headerRefs(names: readonly string[]): Json {
  return Object.fromEntries(names.map((name) => [name, { $ref: `#/components/headers/${name}` }]));
}

const DESCRIPTION = `Card-issuing authorization engine. Amounts are integers in minor units; times are RFC 3339 in UTC.

Every answer has X-Request-Id, and tells caches and browsers to be careful with it (Cache-Control, X-Content-Type-Options,
Content-Security-Policy). Paths and methods that are not listed here are answered 404 \`route_not_found\`, 405
\`method_not_allowed\` with Allow, or, below /v1 and without a token, 401.`;

const headers: Json = {
  'X-Request-Id': {
    description: 'Id of this request in the log, and `request_id` of a problem.',
    schema: { type: 'string' },
  },
  'Idempotent-Replayed': {
    description: 'Only with the value `true`: this is the first answer to the Idempotency-Key again.',
    schema: { type: 'string', const: 'true' },
  },
  'Retry-After': { description: 'Seconds after which to try again.', schema: { type: 'integer', minimum: 1 } },
  'WWW-Authenticate': { description: 'Bearer.', schema: { type: 'string' } },
};

function requestBody(route: Route, schema: z.ZodType, components: Components): Json {
  const json = components.of(schema, 'input');
  const content: Json = {};
  for (const type of route.streamTypes ?? ['application/json']) content[type] = { schema: json };
  return { required: true, content };
}

function response({ description, schema, contentType, otherTypes }: AnswerDoc, components: Components): Json {
  if (schema === undefined && contentType === undefined) return { description };
  const type = contentType ?? 'application/json';
  const json = schema === undefined ? { type: type === 'application/json' ? 'object' : 'string' } : undefined;
  const others = (otherTypes ?? []).map((other) => [other, { schema: { type: 'string' } }]);
  const own = { schema: json ?? components.of(schema!, 'output') };
  return { description, content: { [type]: own, ...Object.fromEntries(others) } };
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
