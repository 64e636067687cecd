/** Tokens with roles by the command line of a real server, over a kill. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { run, Server } from '../support/server.js';

test('a token with a role is made, used, rotated and revoked by the command line', async () => {
  let server = await Server.start({ demo: false });
  const { dataDir } = server;
  const by = (file: string): string[] => [
    '--admin',
    `http://${server.ready.admin}`,
    '--token-file',
    join(dataDir, file),
  ];
  const keep = (file: string, secret: string): void => writeFileSync(join(dataDir, file), secret, { mode: 0o600 });
  const audit = (file: string) => run(['audit', ...by(file)]);

  const wish = ['--role', 'auditor', '--name', 'Ana', '--ttl', '30d'];
  const made = await run(['token', 'create', ...by('admin.token'), ...wish]);
  expect(made.status).toBe(0);
  expect(made.out).toMatch(/^hf_[0-9a-f]{12}_[A-Za-z0-9_-]{43}\n$/);
  const [id] = /tok_[0-9a-f]{12}/.exec(made.err)!;
  keep('ana.token', made.out);
  expect((await audit('ana.token')).status).toBe(0);
  const refused = await run(['token', 'create', ...by('ana.token'), ...wish]);
  expect(refused.status).not.toBe(0);
  expect(refused.err).toContain('role auditor may not make this call: admin may');
  expect(refused.err).toContain('Next: give --token-file with a token that may');

  const rotated = await run(['token', 'rotate', id, ...by('admin.token'), '--grace', '0s']);
  expect(rotated.status).toBe(0);
  keep('ana-new.token', rotated.out);
  await server.kill();
  server = await Server.start({ dataDir, demo: false });
  expect((await audit('ana.token')).err).toContain('401 unauthorized');
  const entries = await audit('ana-new.token');
  expect(entries.out).toMatch(/ denied POST \/v1\/tokens token=tok_\w+ name="Ana" role=auditor /);
  const listed = await run(['token', 'list', ...by('admin.token')]);
  expect(listed.out).toContain(`${id} role=auditor name="Ana"`);
  expect(listed.out).not.toContain(rotated.out.trim().split('_').slice(2).join('_'));

  expect((await run(['token', 'revoke', id, ...by('admin.token')])).status).toBe(0);
  expect((await audit('ana-new.token')).err).toContain('401 unauthorized');
  await server.stop();
});
