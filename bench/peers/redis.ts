/** Redis at the job: one Lua script per authorization, its effects in the append-only file. */
import { join } from 'node:path';
import {
  KEY_BYTES,
  type Peer,
  type PeerAnswer,
  type PeerCase,
  type PeerLink,
  type PeerRequest,
  PeerResponse,
  WINDOW_MS,
} from './job.js';
import { answerOf, PACKED } from './packed-answer.js';
import { RespConnection, respCommand } from './resp.js';
import { folderWith, handOver, ServerProcess, unprivileged } from './server-process.js';

const SERVER = 'redis-server';
/** Accounts are created so many commands at a time. */
const CHUNK = 1000;

/**
 * KEYS[1] the message's key; ARGV pan, amount, time in ms. Account and card are named by what the script reads, which one server
 * allows. The approval code is the microsecond: `math.random` begins anew with every call.
 */
const SCRIPT = `
local stored = redis.call('GET', KEYS[1])
if stored then
  local answer, at = string.match(stored, '^(%d+) (%d+)')
  if tonumber(at) > tonumber(ARGV[3]) - ${WINDOW_MS} then return tonumber(answer) end
end
local answer = ${PeerResponse.unknownCard * PACKED}
local account = redis.call('GET', 'c:' .. ARGV[1])
if account then
  local row = redis.call('HMGET', account, 'limit', 'posted', 'held')
  if row[1] - row[2] - row[3] >= tonumber(ARGV[2]) then
    redis.call('HINCRBY', account, 'held', ARGV[2])
    answer = ${PeerResponse.approved * PACKED} + redis.call('TIME')[2]
  else
    answer = ${PeerResponse.shortOfFunds * PACKED}
  end
end
redis.call('SET', KEYS[1], string.format('%d %s %s %s', answer, ARGV[3], ARGV[2], account or '-'))
return answer`;

/** @param fsync value of appendfsync: \`always\` is durable before the answer, \`everysec\` is not */
export function redisCase(name: string, fsync: 'always' | 'everysec'): PeerCase {
  return {
    name,
    title: fsync === 'always' ? 'Redis, Lua, appendfsync always' : 'Redis, Lua, appendfsync everysec (not durable)',
    ...{ connections: 16, inFlight: 128, batch: 1 },
    ...(fsync === 'always' ? { target: 1.5 } : {}),
    note: 'one script per authorization, pipelined as our links are, Unix socket, no snapshots, no rewrite of the file',
    missing: () => (folderWith([SERVER], []) === undefined ? 'apt-get install redis-server' : undefined),
    start: (folder) => startRedis(folder, fsync),
  };
}

async function startRedis(folder: string, fsync: string): Promise<Peer> {
  const user = unprivileged('redis');
  handOver(folder, user);
  const server = await ServerProcess.start({
    program: join(folderWith([SERVER], [])!, SERVER),
    args: (sockets) => [
      ...['--port', '0', '--unixsocket', socketOf(sockets), '--dir', folder, '--save', ''],
      ...['--appendonly', 'yes', '--appendfsync', fsync, '--auto-aof-rewrite-percentage', '0'],
    ],
    ...{ folder, user, stopSignal: 'SIGTERM' },
    isReady: async (sockets) => {
      try {
        const connection = await RespConnection.open(socketOf(sockets));
        const [pong] = await connection.ask([respCommand('PING')]);
        connection.close();
        return pong === 'PONG';
      } catch {
        return false; // not yet: the caller asks again, and gives up in time
      }
    },
  });
  return RedisPeer.of(server);
}

const socketOf = (sockets: string): string => join(sockets, 'redis.sock');

class RedisPeer implements Peer {
  readonly #server: ServerProcess;
  readonly #admin: RespConnection;
  readonly #script: string;
  #cards = 0;

  private constructor(server: ServerProcess, admin: RespConnection, script: string) {
    this.#server = server;
    this.#admin = admin;
    this.#script = script;
  }

  static async of(server: ServerProcess): Promise<RedisPeer> {
    const admin = await RespConnection.open(socketOf(server.sockets));
    const [script] = await admin.ask([respCommand('SCRIPT', 'LOAD', SCRIPT)]);
    return new RedisPeer(server, admin, String(script));
  }

  async connect(): Promise<PeerLink> {
    return new RedisLink(await RespConnection.open(socketOf(this.#server.sockets)), this.#script);
  }

  async createCards(pans: readonly string[], creditLimit: number): Promise<void> {
    for (let from = 0; from < pans.length; from += CHUNK) {
      const commands = pans.slice(from, from + CHUNK).flatMap((pan, i) => {
        const account = `a:${from + i}`;
        const row = ['limit', String(creditLimit), 'posted', '0', 'held', '0'];
        return [respCommand('SET', `c:${pan}`, account), respCommand('HSET', account, ...row)];
      });
      await this.#admin.ask(commands);
    }
    this.#cards = pans.length;
  }

  async held(): Promise<Float64Array> {
    const commands = Array.from({ length: this.#cards }, (_, card) => respCommand('HGET', `a:${card}`, 'held'));
    return Float64Array.from(await this.#admin.ask(commands), Number);
  }

  cpuSeconds(): number | undefined {
    return this.#server.cpuSeconds();
  }

  async stop(): Promise<void> {
    this.#admin.close();
    await this.#server.stop();
  }
}

class RedisLink implements PeerLink {
  readonly #connection: RespConnection;
  /** The command up to the bytes of the key. */
  readonly #head: Buffer;
  onAnswers: (answers: readonly PeerAnswer[]) => void = () => undefined;
  onFailure: (error: Error) => void = () => undefined;

  constructor(connection: RespConnection, script: string) {
    this.#connection = connection;
    this.#head = Buffer.from(`*7\r\n$7\r\nEVALSHA\r\n$${script.length}\r\n${script}\r\n$1\r\n1\r\n$${KEY_BYTES}\r\n`);
    connection.onReplies = (values) => this.onAnswers(values.map((value) => answerOf(Number(value))));
    connection.onFailure = (error) => this.onFailure(error);
  }

  submit(requests: readonly PeerRequest[]): void {
    const parts: Buffer[] = [];
    for (const { key, pan, amount, timeMs } of requests) {
      const [money, time] = [String(amount), String(timeMs)];
      const words = `\r\n$${pan.length}\r\n${pan}\r\n$${money.length}\r\n${money}\r\n$${time.length}\r\n${time}\r\n`;
      parts.push(this.#head, key, Buffer.from(words, 'latin1'));
    }
    this.#connection.write(Buffer.concat(parts));
  }

  close(): void {
    this.#connection.close();
  }
}
