/** The part of a WebSocket link that both adapters share, against a socket that the test plays. */
import { describe, expect, it } from 'vitest';
import { monotonicUs } from '#src/clock.js';
import { Link, type MessageSink, SocketBudget } from '#src/ingress/link.js';
import { processRuntime } from '#src/ingress/runtime.js';
import { Counters } from '#src/ingress/stats.js';
import { WsConnection, type WsSocket } from '#src/ingress/ws-connection.js';
import { dialect } from '#src/iso8583/dialects.js';
import { SOCKET_HIGH_WATER_BYTES } from '#src/limits.js';
import { tcpLink } from './support.js';

class PlayedSocket implements WsSocket {
  unsentBytes = 0;
  takenBytes = 0;
  writable = true;
  readonly calls: string[] = [];
  send(bytes: Uint8Array): void {
    this.calls.push(`send ${bytes.length}`);
  }
  close(code: number): void {
    this.calls.push(`close ${code}`);
  }
  terminate(): void {
    this.calls.push('terminate');
  }
  pause(): void {
    this.calls.push('pause');
  }
  resume(): void {
    this.calls.push('resume');
  }
  tick(): void {
    // nothing to do by itself
  }
}

function connected() {
  const counters = new Counters();
  const sink: MessageSink = { message: () => undefined, endOfRead: () => undefined, dirty: () => undefined };
  const silent = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined };
  const profile = tcpLink({ transport: 'ws', idleMs: 3_600_000 });
  const link = new Link(profile, sink, counters, new SocketBudget(10), silent, processRuntime);
  const socket = new PlayedSocket();
  const connection = new WsConnection(link, dialect('iso87-bcd'), '192.0.2.1', socket);
  return { counters, link, socket, connection };
}

const STALL_MS = 10_000;

describe('a WebSocket peer that takes its replies slowly', () => {
  it('is read no further, is kept while it takes some, and ended when it takes none', () => {
    const { counters, link, socket, connection } = connected();
    expect(connection.queue(undefined, new Uint8Array(100), 0, 100)).toBe(true);
    socket.unsentBytes = SOCKET_HIGH_WATER_BYTES + 100;
    connection.flush();
    expect(socket.calls).toEqual(['send 100', 'pause']);
    let now = monotonicUs();
    for (let round = 0; round < 5; round++) {
      now += STALL_MS * 900;
      socket.takenBytes += 1;
      link.tick(now, STALL_MS);
      expect(connection.open).toBe(true);
    }
    now += STALL_MS * 900;
    link.tick(now, STALL_MS);
    expect(connection.open).toBe(true);
    now += STALL_MS * 200;
    link.tick(now, STALL_MS);
    expect(connection.open).toBe(false);
    expect(counters.errors.slow_reader).toBe(1);
    expect(socket.calls.at(-1)).toBe('terminate');
    expect(link.connections.size).toBe(0);
  });

  it('is read again when it has caught up', () => {
    const { link, socket, connection } = connected();
    connection.queue(undefined, new Uint8Array(100), 0, 100);
    socket.unsentBytes = SOCKET_HIGH_WATER_BYTES + 1;
    connection.flush();
    connection.drained();
    expect(socket.calls.at(-1)).toBe('pause');
    socket.unsentBytes = 0;
    connection.drained();
    expect(socket.calls.at(-1)).toBe('resume');
    link.tick(monotonicUs() + 2 * STALL_MS * 1000, STALL_MS);
    expect(connection.open).toBe(true);
  });
});

describe('a WebSocket that throws', () => {
  it('while it is looked at, ends alone', () => {
    const { counters, link, socket, connection } = connected();
    const other = new PlayedSocket();
    const good = new WsConnection(link, dialect('iso87-bcd'), '192.0.2.2', other);
    socket.tick = () => {
      throw new Error('planted');
    };
    link.tick(monotonicUs(), STALL_MS);
    expect([connection.open, good.open]).toEqual([false, true]);
    expect(counters.errors.internal).toBe(1);
  });

  it('ends with its error counted, whatever it was doing', () => {
    const { counters, link, socket, connection } = connected();
    connection.queue(undefined, new Uint8Array(10), 0, 10);
    socket.send = () => {
      throw new Error('planted');
    };
    link.fail(connection, 'idle', 'test');
    expect(counters.errors).toMatchObject({ idle: 1, internal: 1 });
    expect(socket.calls).toEqual(['close 1001']);
    expect(link.connections.size).toBe(0);
  });
});
