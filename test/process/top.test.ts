/** `holdfast top` beside a real server: its figures are those of the traffic, and Ctrl-C ends it. */
import { expect, test } from 'vitest';
import { Program, run, Server, until } from '../support/server.js';

test('watches a server through its restart, and ends tidily', async () => {
  let server = await Server.start();
  const admin = ['--admin', `http://${server.ready.admin}`];
  const top = new Program(['top', '--json', '--interval', '200ms', ...admin]);
  const views = (): Record<string, unknown>[] =>
    top.stdout
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as Record<string, unknown>);
  await until('the first view', () => views().length > 0);
  expect(views()[0]).toMatchObject({
    alarms: [],
    answers_per_second: 0,
    cards: 1000,
    shards: { all: 16, answering: 16, refusing: 0 },
  });
  await run(['iso', 'send', '--to', server.tcp, '--demo-card', '1', '--amount', '1234', '--quiet']);
  await until('the answer in a view', () => views().some((view) => (view.answers_per_second as number) > 0));
  const seen = views().find((view) => (view.answers_per_second as number) > 0)!;
  expect(Object.keys(seen.codes_per_second as object)).toEqual(['00']);

  const port = server.ready.admin!.split(':')[1]!;
  await server.stop();
  await until('the word of its end', () => top.stderr.includes('no answer from'));
  server = await Server.start({ dataDir: server.dataDir, flags: ['--admin-port', port] });
  const before = views().length;
  await until('a view of the new server', () => views().length > before);
  expect(top.running).toBe(true);

  top.child.kill('SIGINT');
  expect(await top.end()).toEqual({ status: 0, signal: null });
  await server.stop();
});
