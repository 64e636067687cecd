import { describe, expect, it } from 'vitest';
import { AcceptGuard, openFilesNow } from '#src/ingress/accept-guard.js';
import { type IngressLog, Link, type MessageSink, SocketBudget } from '#src/ingress/link.js';
import { processRuntime } from '#src/ingress/runtime.js';
import { Counters } from '#src/ingress/stats.js';
import { ACCEPT_GUARD_FILES } from '#src/limits.js';
import { tcpLink } from './support.js';

function guarded(max: number) {
  const lines: string[] = [];
  const line = (fields: object, text: string): void => void lines.push(`${text} ${JSON.stringify(fields)}`);
  const log: IngressLog = { debug: line, info: line, warn: line, error: line };
  const counters = new Counters();
  const link = new Link(tcpLink(), {} as MessageSink, counters, new SocketBudget(max), log, processRuntime);
  const state = { files: 0, open: true, fails: false, calls: 0 };
  const port = {
    close: (): void => {
      state.open = false;
      state.calls++;
    },
    open: async (): Promise<void> => {
      state.calls++;
      if (state.fails) throw new Error('in use');
      state.open = true;
    },
  };
  // What the engine has open itself when it begins to listen.
  state.files = 50;
  const guard = new AcceptGuard(link, port, () => state.files);
  guard.stop();
  return { guard, state, lines, counters };
}

const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('accept guard', () => {
  it('closes the port at the limit, once, and opens it when there is room again', async () => {
    const { guard, state, lines, counters } = guarded(150);
    state.files = 199;
    guard.look();
    expect(state).toMatchObject({ open: true, calls: 0 });
    state.files = 200;
    guard.look();
    guard.look();
    expect(state).toMatchObject({ open: false, calls: 1 });
    expect(counters.errors.too_many_connections).toBe(1);
    state.files = 200 - ACCEPT_GUARD_FILES;
    guard.look();
    expect(state.calls).toBe(1);
    state.files--;
    guard.look();
    await settled();
    expect(state).toMatchObject({ open: true, calls: 2 });
    expect(lines).toHaveLength(2);
    expect(lines[0]).toContain('200 files are open: the port is closed until there are fewer');
    expect(lines[1]).toContain('the port is open again');
    state.files = 300;
    guard.look();
    expect(state).toMatchObject({ open: false, calls: 3 });
  });

  it('tries again when the port is taken meanwhile', async () => {
    const { guard, state, lines } = guarded(150);
    state.files = 200;
    guard.look();
    state.files = 10;
    state.fails = true;
    for (let n = 0; n < 3; n++) {
      guard.look();
      await settled();
    }
    expect(state).toMatchObject({ open: false, calls: 4 });
    state.fails = false;
    guard.look();
    await settled();
    expect(state.open).toBe(true);
    expect(lines).toHaveLength(2);
  });

  it('counts the open files of the process', () => {
    const files = openFilesNow();
    if (process.platform === 'linux') expect(files).toBeGreaterThan(2);
    else expect(files).toBeUndefined();
  });
});
