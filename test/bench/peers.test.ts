/**
 * Each peer really does the job that its figure is for: approves, declines, answers a repeat from what it stored, and holds no more than
 * the limit when two connections ask at once. A peer whose server is not installed is skipped, and says what to install.
 */
import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { peerCases } from '../../bench/peers/cases.js';
import { runPeer } from '../../bench/peers/closed-loop.js';
import {
  keyOf,
  type Peer,
  type PeerAnswer,
  type PeerCase,
  type PeerLink,
  type PeerRequest,
  PeerResponse,
  pansOf,
  RequestSource,
  WINDOW_MS,
} from '../../bench/peers/job.js';
import { RespReader, respCommand } from '../../bench/peers/resp.js';
import { endServers, ServerProcess } from '../../bench/peers/server-process.js';

const LIMIT = 1000;
const NOW = 1_790_000_000_000;
const CARDS = 4;
const pans = pansOf(CARDS);

/** Sends requests together and resolves with their answers. */
function ask(link: PeerLink, ...requests: readonly PeerRequest[]): Promise<PeerAnswer[]> {
  return new Promise((resolve, reject) => {
    const all: PeerAnswer[] = [];
    link.onFailure = reject;
    link.onAnswers = (answers) => {
      all.push(...answers);
      if (all.length === requests.length) resolve(all);
    };
    link.submit(requests);
  });
}

let number = 0;
/** A purchase with a key of its own. */
const purchase = (card: number, amount: number): PeerRequest => ({
  ...{ key: keyOf(1, number++), pan: pans[card]!, amount, timeMs: NOW },
});

const responses = (answers: readonly PeerAnswer[]): number[] => answers.map(({ response }) => response);

for (const one of peerCases) {
  const missing = one.missing();
  const title = missing === undefined ? one.name : `${one.name} (not installed: ${missing})`;
  describe.skipIf(missing !== undefined)(title, () => {
    let folder: string;
    let peer: Peer;
    let links: PeerLink[] = [];
    beforeAll(async () => {
      folder = mkdtempSync(join(tmpdir(), 'holdfast-peers-'));
      peer = await one.start(folder);
      await peer.createCards(pans, LIMIT);
      links = [await peer.connect(), await peer.connect()];
    });
    afterAll(async () => {
      for (const link of links) link.close();
      await peer.stop();
      rmSync(folder, { recursive: true });
    });

    it('approves what is available, to the last cent, and declines what is not', async () => {
      const [link] = links as [PeerLink];
      expect(responses(await ask(link, purchase(0, 600)))).toEqual([PeerResponse.approved]);
      expect(responses(await ask(link, purchase(0, 401)))).toEqual([PeerResponse.shortOfFunds]);
      expect(responses(await ask(link, purchase(0, 400)))).toEqual([PeerResponse.approved]);
      expect(responses(await ask(link, purchase(0, 1)))).toEqual([PeerResponse.shortOfFunds]);
      expect(responses(await ask(link, { ...purchase(0, 1), pan: '9999990000000000' }))).toEqual([
        PeerResponse.unknownCard,
      ]);
      expect([...(await peer.held())]).toEqual([1000, 0, 0, 0]);
    });

    it('answers a repeat from what it stored, a decline too, and holds nothing more', async () => {
      const [link, other] = links as [PeerLink, PeerLink];
      const requests = [purchase(1, 900), purchase(1, 200), { ...purchase(1, 1), pan: '9999990000000000' }];
      const first: PeerAnswer[] = [];
      for (const request of requests) first.push(...(await ask(link, request)));
      expect(responses(first)).toEqual([
        ...[PeerResponse.approved, PeerResponse.shortOfFunds, PeerResponse.unknownCard],
      ]);
      // What would be decided now is not what was: the amounts differ.
      for (const [i, request] of requests.entries())
        expect(await ask(other, { ...request, amount: 50, timeMs: NOW + WINDOW_MS - 1 })).toEqual([first[i]]);
      expect((await peer.held())[1]).toBe(900);
    });

    it('takes a key for a new one when its window is over', async () => {
      const [link] = links as [PeerLink];
      const request = purchase(2, 700);
      expect(responses(await ask(link, request))).toEqual([PeerResponse.approved]);
      const late = { ...request, timeMs: NOW + WINDOW_MS };
      expect(responses(await ask(link, late))).toEqual([PeerResponse.shortOfFunds]);
      // That decline is what is stored now.
      expect(responses(await ask(link, { ...late, amount: 1 }))).toEqual([PeerResponse.shortOfFunds]);
      expect((await peer.held())[2]).toBe(700);
    });

    it('never holds more than the limit, and no key twice, when two connections ask at once', async () => {
      const mine = Array.from({ length: 40 }, () => purchase(3, 70));
      const shared = Array.from({ length: 10 }, () => purchase(3, 70));
      const [one, two] = await Promise.all(
        links.map((link, i) => ask(link, ...mine.slice(i * 20, i * 20 + 20), ...shared)),
      );
      expect(one!.slice(20)).toEqual(two!.slice(20));
      // A key that both asked for is one approval.
      const approved = (answers: readonly PeerAnswer[]): number =>
        answers.filter(({ response }) => response === PeerResponse.approved).length;
      const count = approved(one!) + approved(two!.slice(0, 20));
      expect(count).toBe(Math.floor(LIMIT / 70));
      expect((await peer.held())[3]).toBe(count * 70);
    });

    it('is measured with its money verified', async () => {
      const own = join(folder, 'measured');
      mkdirSync(own);
      const run = await runPeer(one, own, { cards: 100, creditLimit: 1e10, warmupMs: 100, measuredMs: 400 });
      expect(run.verified).toBe(true);
      expect(run.perS).toBeGreaterThan(0);
      expect(run.p99Us).toBeGreaterThanOrEqual(run.p50Us);
      expect(run.clientCpuUs).toBeGreaterThan(0);
      expect(run.serverCpuUs === null).toBe(one.name.startsWith('sqlite'));
    });

    it('is void when an account holds other than what was approved', async () => {
      const own = join(folder, 'wrong');
      mkdirSync(own);
      const wrong: PeerCase = {
        ...one,
        start: async (place) => {
          const real = await one.start(place);
          const held = async (): Promise<Float64Array> =>
            (await real.held()).map((amount, card) => amount + (card === 7 ? 1 : 0));
          return { ...bound(real), held };
        },
      };
      const run = await runPeer(wrong, own, { cards: 100, creditLimit: 1e10, warmupMs: 50, measuredMs: 200 });
      expect(run.verified).toBe(false);
    });
  });
}

/** The peer's calls, to replace one of them. */
function bound(peer: Peer): Peer {
  return {
    connect: () => peer.connect(),
    createCards: (...args) => peer.createCards(...args),
    held: () => peer.held(),
    cpuSeconds: () => peer.cpuSeconds(),
    stop: () => peer.stop(),
  };
}

describe('a measured run', () => {
  /** A peer without a server, whose every answer takes this long. */
  function slowPeer(answerMs: number): PeerCase {
    const held = new Float64Array(CARDS);
    const stored = new Map<string, PeerAnswer>();
    const answer = ({ key, pan, amount }: PeerRequest): PeerAnswer => {
      const name = key.toString('hex');
      const card = pans.indexOf(pan);
      if (!stored.has(name)) held[card]! += amount;
      stored.set(name, { response: PeerResponse.approved, approval: 7 });
      return stored.get(name)!;
    };
    const link = (): PeerLink => {
      const one: PeerLink = {
        onAnswers: () => undefined,
        onFailure: () => undefined,
        submit: (requests) => void setTimeout(() => one.onAnswers(requests.map(answer)), answerMs),
        close: () => undefined,
      };
      return one;
    };
    const peer: Peer = {
      connect: async () => link(),
      createCards: async () => undefined,
      held: async () => held.slice(),
      cpuSeconds: () => undefined,
      stop: async () => undefined,
    };
    return {
      ...{ name: 'slow', title: '', connections: 2, inFlight: 2, batch: 1, note: '', missing: () => undefined },
      start: async () => peer,
    };
  }

  it('of a peer that takes longer than the measured time ends with its answers, not without any', async () => {
    const options = { cards: CARDS, creditLimit: 1e10, warmupMs: 1, measuredMs: 1 };
    const run = await runPeer(slowPeer(20), '', options);
    expect(run.verified).toBe(true);
    expect(run.perS).toBeGreaterThan(0);
    expect(run.p50Us).toBeGreaterThan(1000);
  });
});

describe('a server of a peer', () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'holdfast-peers-'));
  });
  afterAll(() => rmSync(folder, { recursive: true }));
  const options = { user: undefined, stopSignal: 'SIGTERM', isReady: async () => false } as const;

  it('that does not start is named with its own words, and leaves nothing', async () => {
    const sockets: string[] = [];
    const start = ServerProcess.start({
      ...{ ...options, folder, program: process.execPath },
      args: (path) => {
        sockets.push(path);
        return ['-e', 'console.error("no room for me"); process.exit(3)'];
      },
    });
    await expect(start).rejects.toThrow(/ended with status 3: no room for me/);
    expect(sockets.map((path) => existsSync(path))).toEqual([false]);
    const none = ServerProcess.start({ ...options, folder, program: join(folder, 'no-such-server'), args: () => [] });
    await expect(none).rejects.toThrow(/ENOENT/);
  });

  it('ends with its folder of sockets, also when it is only told to', async () => {
    const start = (): Promise<ServerProcess> =>
      ServerProcess.start({
        ...{ ...options, folder, program: process.execPath, isReady: async () => true },
        args: () => ['-e', 'setInterval(() => {}, 1000)'],
      });
    const [stopped, told] = [await start(), await start()];
    expect(stopped.cpuSeconds()).toBeGreaterThanOrEqual(0);
    await stopped.stop();
    endServers();
    await told.stop();
    for (const { sockets } of [stopped, told]) expect(existsSync(sockets)).toBe(false);
    expect(stopped.cpuSeconds()).toBeUndefined();
  });
});

describe('the client of Redis', () => {
  it('reads replies of every kind, however they are cut', () => {
    const bytes = Buffer.from(':48151623\r\n:-7\r\n+PONG\r\n$5\r\na\r\nbc\r\n$-1\r\n*2\r\n:1\r\n$1\r\nx\r\n');
    const expected = [48_151_623, -7, 'PONG', 'a\r\nbc', null, [1, 'x']];
    expect(new RespReader().push(bytes)).toEqual(expected);
    for (const size of [1, 2, 3, 7]) {
      const reader = new RespReader();
      const values = [];
      for (let at = 0; at < bytes.length; at += size) values.push(...reader.push(bytes.subarray(at, at + size)));
      expect(values).toEqual(expected);
    }
    expect(() => new RespReader().push(Buffer.from('-ERR no such thing\r\n'))).toThrow('redis: ERR no such thing');
    expect(() => new RespReader().push(Buffer.from('what\r\n'))).toThrow(/begins with byte/);
  });

  it('writes a command with its lengths in bytes', () => {
    expect(respCommand('GET', Buffer.from([0x0d, 0x0a])).toString()).toBe('*2\r\n$3\r\nGET\r\n$2\r\n\r\n\r\n');
  });
});

describe('what peers are asked', () => {
  it('has a key of its own for each message, and cards and amounts of the load test', () => {
    const keys = new Set<string>();
    for (let stream = 0; stream < 4; stream++)
      for (let i = 0; i < 5000; i++) keys.add(keyOf(stream, i).toString('hex'));
    expect(keys.size).toBe(20_000);
    const source = new RequestSource(pans, 0);
    const seen = Array.from({ length: 200 }, () => source.next());
    expect(new Set(seen.map(({ pan }) => pan))).toEqual(new Set(pans));
    for (const { amount } of seen) expect(amount >= 100 && amount <= 10_000).toBe(true);
    const own = new RequestSource(pans, 1, 2);
    const places = Array.from({ length: 200 }, () => pans.indexOf(own.next().pan));
    expect(new Set(places)).toEqual(new Set([1, 3]));
  });
});
