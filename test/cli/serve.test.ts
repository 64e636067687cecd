import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test, vi } from 'vitest';
import { loadConfig } from '#src/cli/config.js';
import type { EngineConfig, RunningEngine, StartEngine } from '#src/cli/engine-types.js';
import { nextCommand, readyLine, serve } from '#src/cli/serve.js';
import { ExitStatus, HoldfastError } from '#src/errors.js';
import { fakeTerminal } from './fake-terminal.js';

function config(flags: Record<string, string | boolean> = {}): EngineConfig {
  return loadConfig({ flags: { 'log-level': 'silent', ...flags }, environment: {}, terminal: false }).config;
}

const folders: string[] = [];

function temporary(): string {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-serve-'));
  folders.push(folder);
  return folder;
}

afterAll(() => {
  for (const folder of folders) rmSync(folder, { recursive: true });
});

interface FakeEngine {
  start: StartEngine;
  engine: RunningEngine;
  end(status: ExitStatus): void;
  stops: number;
}

function fakeEngine(stop: (fake: FakeEngine) => Promise<void> = async (fake) => fake.end(ExitStatus.ok)): FakeEngine {
  let end: (status: ExitStatus) => void = () => undefined;
  const closed = new Promise<ExitStatus>((resolve) => {
    end = resolve;
  });
  const fake: FakeEngine = {
    stops: 0,
    end: (status) => end(status),
    start: async () => fake.engine,
    engine: {
      addresses: {
        tcp: '127.0.0.1:8583',
        ws: '127.0.0.1:8582',
        admin: '127.0.0.1:8580',
        links: { tcp: '127.0.0.1:8583', ws: '127.0.0.1:8582' },
      },
      threads: 1,
      shards: 16,
      recovered: 4711,
      inMs: 81.6,
      closed,
      reloadTls: () => Promise.resolve(),
      stop: () => {
        fake.stops++;
        return stop(fake);
      },
    },
  };
  return fake;
}

const turn = () => new Promise((resolve) => setImmediate(resolve));

/** A signal as the process would deliver it, without one being sent. */
function signal(name: 'SIGTERM' | 'SIGINT'): void {
  process.emit(name, name);
}

describe('serve', () => {
  test('prints the ready line alone on stdout and ends with the status of the engine', async () => {
    const terminal = fakeTerminal();
    const fake = fakeEngine();
    const served = serve(config(), fake.start, terminal, false);
    await turn();
    expect(terminal.said).toEqual({
      out: 'holdfast ready tcp=127.0.0.1:8583 ws=127.0.0.1:8582 admin=127.0.0.1:8580 threads=1 shards=16 data=./data recovered=4711 in_ms=82\n',
      err: '',
    });
    fake.end(ExitStatus.journal);
    expect(await served).toBe(ExitStatus.journal);
    expect(process.listenerCount('SIGTERM')).toBe(0);
  });

  test('--json gives the same facts as an object', async () => {
    const terminal = fakeTerminal();
    const fake = fakeEngine();
    const served = serve(config({ 'data-dir': '/srv/a b' }), fake.start, terminal, true);
    await turn();
    expect(JSON.parse(terminal.said.out)).toEqual({
      tcp: '127.0.0.1:8583',
      ws: '127.0.0.1:8582',
      admin: '127.0.0.1:8580',
      threads: 1,
      shards: 16,
      data: '/srv/a b',
      recovered: 4711,
      in_ms: 82,
    });
    fake.end(ExitStatus.ok);
    await served;
  });

  test('a path with blanks stays one value of the ready line', () => {
    expect(readyLine(config({ 'data-dir': '/srv/a b' }), fakeEngine().engine)).toContain(' data="/srv/a b" ');
  });

  test('with a link file every listener is on the line, behind what was always there', async () => {
    const file = join(temporary(), 'links.yaml');
    writeFileSync(
      file,
      '- { name: acquirer-a, port: 9001 }\n- { name: partner, transport: ws, host: "::1", port: 0 }\n',
    );
    const settings = config({ links: file });
    const fake = fakeEngine();
    const links = {
      tcp: '127.0.0.1:8583',
      ws: '127.0.0.1:8582',
      'acquirer-a': '127.0.0.1:9001',
      partner: '::1:40002',
    };
    const addresses = { ...fake.engine.addresses, links };
    expect(readyLine(settings, { ...fake.engine, addresses })).toBe(
      `${readyLine(config(), fake.engine)} links=tcp:127.0.0.1:8583,ws:127.0.0.1:8582,acquirer-a:127.0.0.1:9001,partner:::1:40002`,
    );
    const terminal = fakeTerminal();
    const start: StartEngine = async () => ({ ...fake.engine, addresses });
    const served = serve(settings, start, terminal, true);
    await turn();
    expect(JSON.parse(terminal.said.out)).toMatchObject({ tcp: '127.0.0.1:8583', in_ms: 82, links });
    fake.end(ExitStatus.ok);
    await served;
  });

  test('--demo tells the next command on stderr, with the flags that reach this server', async () => {
    const terminal = fakeTerminal();
    const fake = fakeEngine();
    const served = serve(config({ demo: true }), fake.start, terminal, false);
    await turn();
    expect(terminal.said.err).toMatch(/^next: .* iso send --demo-card 1 --amount 1234\n$/);
    fake.end(ExitStatus.ok);
    await served;

    const elsewhere = { ...fake.engine, addresses: { ...fake.engine.addresses, tcp: '127.0.0.1:40001' } };
    const other = config({ framing: 'ascii4', 'header-bytes': '5', dialect: 'iso87-ascii' });
    expect(nextCommand(other, elsewhere)).toMatch(
      /iso send --demo-card 1 --amount 1234 --to 127\.0\.0\.1:40001 --framing ascii4 --header-bytes 5 --dialect iso87-ascii$/,
    );
  });

  test.each(['SIGTERM', 'SIGINT'] as const)('%s stops gracefully, once', async (name) => {
    const fake = fakeEngine();
    const force = vi.fn();
    const served = serve(config(), fake.start, fakeTerminal(), false, force);
    await turn();
    signal(name);
    expect(await served).toBe(ExitStatus.ok);
    expect(fake.stops).toBe(1);
    expect(force).not.toHaveBeenCalled();
  });

  test('a second signal forces the end', async () => {
    const fake = fakeEngine(() => new Promise(() => undefined));
    const force = vi.fn(() => fake.end(ExitStatus.forced));
    const served = serve(config(), fake.start, fakeTerminal(), false, force);
    await turn();
    signal('SIGTERM');
    // The same key press, delivered twice.
    signal('SIGINT');
    expect(force).not.toHaveBeenCalled();
    await new Promise((resolve) => setTimeout(resolve, 350));
    signal('SIGINT');
    expect(force).toHaveBeenCalledTimes(1);
    await served;
    expect(fake.stops).toBe(1);
  });

  test('a stop that takes too long, or fails, is forced', async () => {
    for (const stop of [() => new Promise<void>(() => undefined), () => Promise.reject(new Error('no'))]) {
      const fake = fakeEngine(stop);
      const force = vi.fn(() => fake.end(ExitStatus.forced));
      const served = serve(config({ 'stop-limit-ms': '100' }), fake.start, fakeTerminal(), false, force);
      await turn();
      signal('SIGTERM');
      expect(await served).toBe(ExitStatus.forced);
      expect(force).toHaveBeenCalledTimes(1);
    }
  });

  test('a signal during the start stops as soon as it has started, without a ready line', async () => {
    const fake = fakeEngine();
    let started: (engine: RunningEngine) => void = () => undefined;
    const start: StartEngine = () =>
      new Promise((resolve) => {
        started = resolve;
      });
    const terminal = fakeTerminal();
    const served = serve(config(), start, terminal, false);
    signal('SIGTERM');
    expect(fake.stops).toBe(0);
    started(fake.engine);
    expect(await served).toBe(ExitStatus.ok);
    expect(fake.stops).toBe(1);
    expect(terminal.said.out).toBe('');
  });

  test('a start that fails passes its error on and lets go of the signals', async () => {
    const error = new HoldfastError('data_dir_locked', 'locked', 'stop the other one');
    await expect(serve(config(), () => Promise.reject(error), fakeTerminal(), false)).rejects.toBe(error);
    expect(process.listenerCount('SIGTERM')).toBe(0);
    expect(process.listenerCount('SIGINT')).toBe(0);
  });
});
