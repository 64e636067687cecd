import { describe, expect, it } from 'vitest';
import type { PeerRun } from '../../bench/peers/closed-loop.js';
import { renderPeers, spreadOf } from '../../bench/peers/report.js';
import type { PeersFigures, PeersRound } from '../../bench/peers.bench.js';

const run = (perS: number, more: Partial<PeerRun> = {}): PeerRun => ({
  ...{ perS, p50Us: 1500, p99Us: 9000, serverCpuUs: 12.3, clientCpuUs: 4.5, verified: true },
  ...more,
});

/** A round in which ours makes `ours` per second, and Redis and SQLite half and a tenth of 100 000. */
const round = (ours: number): Required<PeersRound> => ({
  ours: { tcp: run(ours), ws: run(ours / 2), one: run(2000, { p50Us: 450 }) },
  limits: {
    ...{ fdatasyncUs: 150, commitOneUs: 300, commitPerS: 500_000, echoTcpPerS: 1_000_000, echoWsPerS: 400_000 },
    ...{ echoOneUs: 45, ringPerS: 2_000_000 },
  },
  peers: { redis: run(50_000), sqlite: run(10_000, { serverCpuUs: null }) },
});

const figures: PeersFigures = {
  ...{ seconds: 10, accounts: 10_000, rounds: [round(90_000), round(120_000), round(100_000)] },
  cases: [
    { name: 'redis', title: 'Redis', note: 'with a log', target: 1.5, connections: 16, inFlight: 128 },
    { name: 'sqlite', title: 'SQLite', note: 'with a log', target: 25, connections: 1, inFlight: 1 },
  ],
  skipped: [{ name: 'postgres', title: 'PostgreSQL', install: 'apt-get install postgresql' }],
};

const rowOf = (text: string, label: string): string[] => {
  const line = text.split('\n').find((one) => one.startsWith(`| ${label}`));
  return (line ?? '').split('|').map((cell) => cell.trim());
};

describe('the report of the peers', () => {
  it('has medians, their spread, the ratio of each round and whether its target was met', () => {
    const text = renderPeers(figures);
    expect(rowOf(text, '**Holdfast**, TCP')[2]).toBe('100,000 (90,000 to 120,000)');
    const redis = rowOf(text, 'Redis');
    expect(redis.slice(1)).toEqual([
      ...['Redis, 16 x 128 in flight', '50,000 (50,000 to 50,000)', '1.5 ms', '9.0 ms', '12.3 us', '4.5 us'],
      ...['2.0 x (1.8 to 2.4), target 1.5: met', 'yes', ''],
    ]);
    const sqlite = rowOf(text, 'SQLite');
    expect([sqlite[5], sqlite[7]]).toEqual(['in its client', '10.0 x (9.0 to 12.0), target 25: NOT met']);
    expect(text).toContain('- redis, sqlite: with a log');
  });

  it('sets ours beside what the machine allows', () => {
    const text = renderPeers(figures);
    expect(rowOf(text, 'bare echo over TCP, the same client').slice(2, 4)).toEqual([
      ...['1,000,000/s', 'TCP: 10 % (9 to 12)'],
    ]);
    expect(rowOf(text, 'bare echo over WebSocket')[3]).toBe('WebSocket: 13 % (11 to 15)');
    expect(rowOf(text, 'write of 4 KiB and fdatasync').slice(2, 4)).toEqual([
      ...['150.0 us', 'p50 of one at a time: 3.0 x (3.0 to 3.0), target at most 2.5: NOT met'],
    ]);
  });

  it('says that a figure is void, and how to install what is missing', () => {
    const wrong = {
      ...figures,
      rounds: [...figures.rounds, { ...round(1), peers: { ...round(1).peers, redis: run(1, { verified: false }) } }],
    };
    expect(rowOf(renderPeers(wrong), 'Redis')[8]).toBe('NO: void');
    expect(rowOf(renderPeers(wrong), 'SQLite')[8]).toBe('yes');
    expect(rowOf(renderPeers(figures), 'PostgreSQL')[2]).toBe('not installed: `apt-get install postgresql`');
  });

  it('leaves out what was not measured', () => {
    const text = renderPeers({ ...figures, rounds: figures.rounds.map(({ peers }) => ({ peers })) });
    expect(text).not.toContain('Holdfast');
    expect(text).not.toContain('what the machine allows');
    expect(rowOf(text, 'Redis')[7]).toBe('');
  });

  it('takes the middle of an even number of values between the two', () => {
    expect(spreadOf([4, 1, 3, 10])).toEqual({ median: 3.5, least: 1, most: 10 });
    expect(() => spreadOf([])).toThrow('a spread of nothing');
  });
});
