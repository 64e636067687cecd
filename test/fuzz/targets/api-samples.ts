/** Requests made from the OpenAPI document: for each route one that fits its schemas as far as a schema can say it. */
import type { Route } from '#src/control/route.js';
import type { Asked } from './api.js';

type Json = Record<string, unknown>;

/** What members are that a pattern alone does not give. */
const byName: Readonly<Record<string, unknown>> = {
  account: '@account',
  card: '@card',
  authorization: '@authorization',
  currency: 'BRL',
  expiry: '2912',
  bins: ['999999'],
  reference: 'ref-1',
  date: '2026-11-23',
  day: '2026-11-23',
  since: '2026-11-23T00:00:00Z',
  until: '2026-11-24T00:00:00Z',
  url: 'https://127.0.0.1:1/hook',
  rule: 'when amount > 1_00 then decline 59 reason "x"',
  text: 'when amount > 1_00 then decline 59 reason "x"',
  amount: 1000,
  mcc: '5411',
  network_id: 'NET1',
  raw: '{"account":{"currency":"BRL"},"card":{"expiry":"2912"}}\n{"account":{"id":"acc"}}\nx\n',
};

export function sampleOf(document: Json, routes: readonly Route[]): { schemas: string[]; samples: Asked[] } {
  const names: string[] = [];
  const components = (document.components as { schemas: Record<string, Json> }).schemas;

  const valueFor = (schema: Json | undefined, name: string, depth: number): unknown => {
    if (schema === undefined || depth > 6) return null;
    const reference = schema.$ref;
    if (typeof reference === 'string')
      return valueFor(components[reference.replace('#/components/schemas/', '')], name, depth + 1);
    if (name in byName) return byName[name];
    const choices = (schema.anyOf ?? schema.oneOf ?? schema.allOf) as Json[] | undefined;
    if (choices !== undefined) return valueFor(choices[0], name, depth + 1);
    if (schema.const !== undefined) return schema.const;
    if (Array.isArray(schema.enum)) {
      names.push(...schema.enum.map(String));
      return schema.enum[0];
    }
    switch (schema.type) {
      case 'object': {
        const out: Json = {};
        for (const [key, inner] of Object.entries((schema.properties ?? {}) as Record<string, Json>)) {
          names.push(key);
          out[key] = valueFor(inner, key, depth + 1);
        }
        return out;
      }
      case 'array':
        return [valueFor(schema.items as Json, name, depth + 1)];
      case 'integer':
      case 'number':
        return Math.max(Number(schema.minimum ?? schema.exclusiveMinimum ?? 1), 1);
      case 'boolean':
        return true;
      default:
        return 'x';
    }
  };

  const samples = routes.map((route, number) => {
    const operation = (document.paths as Record<string, Record<string, Json>>)[route.path]![
      route.method.toLowerCase()
    ]!;
    const asked: Asked = { route: number, params: {}, query: {}, headers: {} };
    for (const parameter of (operation.parameters ?? []) as { name: string; in: string; schema: Json }[]) {
      if (parameter.in === 'path')
        asked.params[parameter.name] = ownId(route.path) ?? valueFor(parameter.schema, parameter.name, 0);
      if (parameter.in === 'query') asked.query[parameter.name] = valueFor(parameter.schema, parameter.name, 0);
    }
    const content = (operation.requestBody as { content?: Record<string, { schema: Json }> } | undefined)?.content;
    if (content !== undefined)
      asked.body =
        route.streamTypes === undefined ? valueFor(Object.values(content)[0]!.schema, '', 0) : { raw: byName.raw };
    return asked;
  });
  return { schemas: [...names, ...Object.values(byName).filter((value) => typeof value === 'string')], samples };
}

/** The id of the object that the path is about, of those that the harness has. */
function ownId(path: string): string | undefined {
  if (path.startsWith('/v1/accounts/')) return '@account';
  if (path.startsWith('/v1/cards/')) return '@card';
  if (path.startsWith('/v1/authorizations/')) return '@authorization';
  return undefined;
}
