/**
 * Authorizations beside those who read the events and do not keep up: webhook targets that take a delivery and never answer, and
 * readers of the feed that take a few bytes at a time. An open loop alone and beside them, in turns; each figure is the median of
 * the rounds. None of it may reach the path: the events are journal records, read behind it. What is read for a target that takes
 * nothing is bounded (4 096 events), so the last figure, CPU, should hardly differ once these are read.
 */
import { readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { EngineProcess, runCommand } from './engine-process.js';
import type { BenchRow } from './row.js';
import { inTemporaryFolder } from './temporary-folder.js';

const RATE = 10_000;
const SECONDS = 6;
const ROUNDS = 3;
const WEBHOOKS = 16;
const READERS = 8;
/** A reader takes so many bytes, and then nothing for so long: 5 KB/s of the 10 MB/s or so that the events make. */
const READ_BYTES = 512;
const READ_PAUSE_MS = 100;

const figures = [
  ['p50', 'p50'],
  ['p99', 'p99'],
  ['p99.9', 'p999'],
  ["CPU of the engine's process", 'cpu'],
] as const;

export function benchEventReaders(folder: string): Promise<BenchRow[]> {
  return inTemporaryFolder(folder, async (temporary) => {
    const dataDir = join(temporary, 'data');
    const engine = await EngineProcess.start(dataDir, '--webhooks-allow-private');
    const target = await HangingTarget.listen();
    try {
      const token = readFileSync(join(dataDir, 'admin.token'), 'utf8').trim();
      await latencyOf(engine, dataDir); // creates the accounts, and lets both sides be compiled
      const alone: Latency[] = [];
      const beside: Latency[] = [];
      for (let round = 0; round < ROUNDS; round++) {
        alone.push(await latencyOf(engine, dataDir));
        const webhooks = await addWebhooks(engine, token, target.port);
        const readers = Array.from({ length: READERS }, () => new SlowReader(engine.admin, token));
        const hungBefore = target.deliveries;
        try {
          // More events than are read for a target that does not take them: what that costs is over before it is measured.
          await latencyOf(engine, dataDir, 1);
          beside.push(await latencyOf(engine, dataDir));
        } finally {
          for (const reader of readers) reader.end();
          for (const id of webhooks) await call(engine, token, 'DELETE', `/v1/webhooks/${id}`);
        }
        // Else nobody hung, and the figures would say nothing.
        if (target.deliveries === hungBefore) throw new Error('no delivery reached the target that hangs');
        if (readers.some((reader) => reader.bytes === 0 || reader.ended !== ''))
          throw new Error(`a reader of the feed did not stay: ${readers.map(({ ended }) => ended).join(' ')}`);
      }
      return figures.flatMap(([label, key]) => {
        const name = `authorizations at ${RATE / 1000} k/s, open loop, ${label}`;
        return [
          row(`${name}, alone`, medianOf(alone, key)),
          row(`${name}, beside ${WEBHOOKS} webhooks that hang and ${READERS} slow readers`, medianOf(beside, key)),
        ];
      });
    } finally {
      target.close();
      await engine.stop();
    }
  });
}

/** Microseconds: by percentile, and `cpu` of the engine's process per authorization. */
type Latency = Readonly<Record<string, number>>;

/** Of one run. @throws Error when something failed */
async function latencyOf(engine: EngineProcess, dataDir: string, seconds = SECONDS): Promise<Latency> {
  const loop = ['-R', String(RATE), '-c', '4', '-d', `${seconds}s`, '--warmup', '2s', '--mix', 'auth:100'];
  const own = ['--admin', `http://${engine.admin}`, '--token-file', join(dataDir, 'admin.token')];
  const target = `iso8583+tcp://${engine.tcp}`;
  const text = await runCommand(['loadtest', target, ...loop, '--accounts', '10000', ...own, '--json', '--quiet']);
  const result = JSON.parse(text) as { latency_us: Latency; server_cpu_us: number; errors: number };
  if (result.errors > 0) throw new Error(`${result.errors} errors in the load`);
  return { ...result.latency_us, cpu: result.server_cpu_us };
}

async function addWebhooks(engine: EngineProcess, token: string, port: number): Promise<string[]> {
  const ids: string[] = [];
  for (let n = 0; n < WEBHOOKS; n++) {
    const body = JSON.stringify({ url: `http://127.0.0.1:${port}/hang/${n}` });
    ids.push(((await call(engine, token, 'POST', '/v1/webhooks', body)) as { id: string }).id);
  }
  return ids;
}

async function call(engine: EngineProcess, token: string, method: string, path: string, body?: string) {
  const answer = await fetch(`http://${engine.admin}${path}`, {
    method,
    headers: {
      authorization: `Bearer ${token}`,
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    },
    ...(body === undefined ? {} : { body }),
  });
  const text = await answer.text();
  if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${text}`);
  return text === '' ? undefined : (JSON.parse(text) as unknown);
}

/** Takes every delivery and answers none. */
class HangingTarget {
  deliveries = 0;
  readonly #server: Server;

  private constructor() {
    this.#server = createServer((request) => {
      this.deliveries++;
      request.resume();
    });
  }

  static async listen(): Promise<HangingTarget> {
    const target = new HangingTarget();
    await new Promise<void>((resolve) => target.#server.listen(0, '127.0.0.1', resolve));
    return target;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  close(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }
}

/** A stream of all events from the beginning, of which a few bytes are taken at a time. */
class SlowReader {
  bytes = 0;
  /** Why it ended before it was asked to. */
  ended = '';
  readonly #socket: Socket;
  readonly #timer: NodeJS.Timeout;

  constructor(admin: string, token: string) {
    const { hostname, port } = new URL(`http://${admin}`);
    this.#socket = connect(Number(port), hostname);
    this.#socket.on('error', (error) => (this.ended = error.message));
    this.#socket.on('close', () => (this.ended ||= 'closed'));
    this.#socket.write(
      `GET /v1/events?after=beginning HTTP/1.1\r\nhost: ${admin}\r\nauthorization: Bearer ${token}\r\naccept: text/event-stream\r\n\r\n`,
    );
    // Not read but on demand: what is not taken fills the buffers of both sides.
    this.#socket.on('readable', () => undefined);
    this.#timer = setInterval(() => {
      this.bytes += (this.#socket.read(READ_BYTES) as Buffer | null)?.length ?? 0;
    }, READ_PAUSE_MS);
  }

  end(): void {
    clearInterval(this.#timer);
    this.#socket.removeAllListeners('close');
    this.#socket.destroy();
  }
}

/** Of an odd number of rounds. */
function medianOf(rounds: readonly Latency[], key: string): number {
  return rounds.map((round) => round[key]!).sort((a, b) => a - b)[rounds.length >> 1]!;
}

function row(name: string, us: number): BenchRow {
  return { room: 'events', name, opsPerSec: Math.round(1e6 / us), nsPerOp: Math.round(us * 1000) };
}
