/** What a start does not load: packages that few starts need, while loading them takes part of the time of every one. */
import { execFileSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { expect, test } from 'vitest';
import { makeHarness } from '../control/harness.js';
import { built } from '../support/built.js';

/** Packages of files of node_modules. */
const packagesOf = (files: readonly string[]): string[] =>
  files.flatMap((file) => /.*\/node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(file)?.[1] ?? []);

test('of any command: no parser of YAML, no WebSocket, nothing that makes lines pretty', () => {
  const script = `
    import { createRequire } from 'node:module';
    await import(${JSON.stringify(built('cli/program.js'))});
    console.log(JSON.stringify(Object.keys(createRequire(import.meta.url).cache)));
  `;
  const args = ['--input-type=module', '--eval', script];
  const loaded = packagesOf(JSON.parse(execFileSync(process.execPath, args, { encoding: 'utf8' })) as string[]);
  expect(loaded).toContain('commander');
  for (const name of ['yaml', 'ws', 'pino-pretty']) expect(loaded).not.toContain(name);
});

test('of the control plane: no compilers of schemas that no route has', async () => {
  expect((await makeHarness().call('GET', '/livez')).status).toBe(200);
  const loaded = packagesOf(Object.keys(createRequire(import.meta.url).cache));
  expect(loaded).toContain('fastify');
  for (const name of ['@fastify/ajv-compiler', 'ajv', 'ajv-formats', '@fastify/fast-json-stringify-compiler'])
    expect(loaded).not.toContain(name);
});
