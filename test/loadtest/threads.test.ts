/**
 * The load test as users run it: a process of its own with generator threads, built by `npm run build`. Everything that
 * is started here is ended here, by its process id.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, it } from 'vitest';
import type { LoadtestResult } from '../../loadtest/result.js';
import { FakeIssuer } from './fake-issuer.js';

const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..');
const built = join(root, 'dist', 'tools', 'loadtest', 'main.js');
const echoServer = join(root, 'dist', 'tools', 'bench', 'echo-server.js');
const children: ChildProcess[] = [];
const fakes: FakeIssuer[] = [];

afterEach(async () => {
  for (const child of children.splice(0)) {
    if (child.exitCode !== null || child.signalCode !== null) continue;
    child.kill('SIGKILL');
    await new Promise((resolve) => child.once('exit', resolve));
  }
  for (const fake of fakes.splice(0)) await fake.close();
});

interface Running {
  readonly child: ChildProcess;
  readonly ended: Promise<{ status: number | null; out: string }>;
  /** Settles when stderr or stdout has shown this. */
  seen(text: string): Promise<string>;
}

function start(...argv: string[]): Running {
  const child = spawn(process.execPath, argv, { stdio: ['ignore', 'pipe', 'pipe'] });
  children.push(child);
  let out = '';
  let all = '';
  const waiting: (() => void)[] = [];
  const took = (text: string) => {
    all += text;
    for (const check of waiting) check();
  };
  child.stdout!.on('data', (chunk: Buffer) => {
    out += chunk.toString();
    took(chunk.toString());
  });
  child.stderr!.on('data', (chunk: Buffer) => took(chunk.toString()));
  const ended = new Promise<{ status: number | null; out: string }>((resolve) => {
    child.on('close', (status) => resolve({ status, out }));
  });
  const seen = (text: string) =>
    new Promise<string>((resolve, reject) => {
      const check = () => all.includes(text) && resolve(all);
      waiting.push(check);
      check();
      void ended.then(() => reject(new Error(`ended without '${text}': ${all}`)));
    });
  return { child, ended, seen };
}

const command = `
  const { runLoadtest } = await import(process.argv[1]);
  process.exitCode = await runLoadtest(process.argv.slice(2));
`;
const loadtest = (...argv: string[]) => start('--input-type=module', '-e', command, built, ...argv);

describe.skipIf(!existsSync(built) || !existsSync(echoServer))('as a process of its own (needs npm run build)', () => {
  it('runs generators in threads, together at the rate that was asked for', async () => {
    const fake = new FakeIssuer();
    fakes.push(fake);
    const run = loadtest(
      await fake.listen(),
      '--cards',
      'demo',
      '-R',
      '600',
      '-n',
      '300',
      '-w',
      '2',
      '-c',
      '4',
      '--mix',
      'auth:8,reversal:1,repeat:1',
      '--json',
    );
    const { status, out } = await run.ended;
    const result = JSON.parse(out) as LoadtestResult;
    expect(status).toBe(0);
    expect(result).toMatchObject({ offered: 300, answered: 300, workers: 2, errors: 0 });
    expect(fake.heard).toHaveLength(300);
    expect(new Set(fake.heard.map((one) => one.fields[41])).size).toBe(4);
  });

  it('prints its summary and ends with 105 when it is interrupted', async () => {
    const fake = new FakeIssuer();
    fakes.push(fake);
    const run = loadtest(await fake.listen(), '--cards', 'demo', '-R', '200', '-d', '10m', '--json');
    await run.seen(' offered ');
    run.child.kill('SIGINT');
    const { status, out } = await run.ended;
    expect(status).toBe(105);
    const result = JSON.parse(out) as LoadtestResult;
    expect(result).toMatchObject({ interrupted: true, passed: false, exit_status: 105, errors: 0, timeouts: 0 });
    expect(result.answered).toBeGreaterThan(0);
    expect(result.answered).toBe(result.offered);
    expect(fake.heard).toHaveLength(result.offered);
  });

  it('ends with 2 when a thread cannot connect', async () => {
    const run = loadtest('iso8583+tcp://127.0.0.1:1', '--cards', 'demo', '-w', '2');
    await run.seen('cannot connect to');
    expect((await run.ended).status).toBe(2);
  });

  it('ends by its count, not when the time is over that it might have taken', async () => {
    const loop = ['--cards', 'demo', '--closed', '-p', '64', '-d', '1h', '--json', '--quiet'];
    // As many as are sent at once, and more.
    for (const requests of [10, 1000]) {
      const fake = new FakeIssuer();
      fakes.push(fake);
      const run = loadtest(await fake.listen(), ...loop, '-n', String(requests));
      expect((await run.ended).status).toBe(0);
    }
  });

  it('measures the echo server, the bare peer of a ratio', async () => {
    const echo = start(echoServer);
    const port = /tcp=127\.0\.0\.1:(\d+)/.exec(await echo.seen('echo ready tcp='))![1]!;
    const run = loadtest(
      `iso8583+tcp://127.0.0.1:${port}`,
      '--echo',
      '--closed',
      '-p',
      '16',
      '-n',
      '20k',
      '--json',
      '--quiet',
    );
    const { status, out } = await run.ended;
    expect(status).toBe(0);
    expect(JSON.parse(out)).toMatchObject({ answered: 20_000, errors: 0, mode: 'closed' });
    echo.child.kill('SIGTERM');
    expect((await echo.ended).status).toBe(0);
  });
});
