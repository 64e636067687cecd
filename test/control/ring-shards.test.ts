import { pack, unpack } from 'msgpackr';
import { afterEach, describe, expect, it } from 'vitest';
import { ShardError } from '#src/control/ports.js';
import { RingShards, type RingShardsOptions } from '#src/control/ring-shards.js';
import type { Command } from '#src/domain/commands.js';
import type { ImportRows } from '#src/domain/party-commands.js';
import { RingClient } from '#src/ring/client.js';
import { ReplyKind, RequestKind } from '#src/ring/kinds.js';
import { createRing, RingConsumer, RingProducer } from '#src/ring/ring.js';
import { createWake, Waker } from '#src/ring/wake.js';

/** The other end of the rings, moved by hand. */
function pair(ringBytes: number, options: Partial<RingShardsOptions> = {}) {
  const [requests, replies] = [createRing(ringBytes), createRing(1 << 20)];
  const clientWake = createWake();
  const rings = { pairs: [{ requests, replies }], threadWakes: [createWake()], clientWake, threadOfShard: [0, 0] };
  const port = new RingShards(new RingClient(rings), { deadlineMs: 1500, ...options });
  const taken = new RingConsumer(requests);
  const given = new RingProducer(replies);
  return {
    port,
    taken,
    answer(token: number, kind: number, payload: Uint8Array, b = 0): void {
      given.push(kind, 0, 0, token, 0, 0, b, payload);
      new Waker(clientWake).signal();
    },
  };
}

const open: RingShards[] = [];
const made = (...args: Parameters<typeof pair>) => {
  const one = pair(...args);
  open.push(one.port);
  return one;
};
afterEach(() => {
  for (const port of open.splice(0)) port.close();
});

const turn = () => new Promise((resolve) => setImmediate(resolve));
const kindOf = (error: unknown): string => (error instanceof ShardError ? error.kind : String(error));
const update: Command = { op: 'update_account', id: 'a' };

describe('the ring port', () => {
  it('gives each reply to its caller, in any order', async () => {
    const { port, taken, answer } = made(1 << 16);
    const calls = [1, 2, 3].map((n) => port.command(n % 2, { ...update, id: `a${n}` }));
    await turn();
    const tokens: [number, string][] = [];
    while (taken.next()) {
      expect(taken.kind).toBe(RequestKind.command);
      const command = unpack(taken.bytes.slice(taken.payloadAt, taken.payloadAt + taken.payloadLength));
      tokens.push([taken.token, command.id]);
      taken.consume();
    }
    for (const [token, id] of tokens.reverse()) answer(token, ReplyKind.result, pack({ ok: false, code: id }));
    expect(await Promise.all(calls)).toEqual([1, 2, 3].map((n) => ({ ok: false, code: `a${n}` })));
    expect(port.inFlight).toBe(0);
  });

  it('knows who waits before the shard can see the entry: an answer within the push finds its caller', async () => {
    const [requests, replies] = [createRing(1 << 16), createRing(1 << 16)];
    const rings = {
      pairs: [{ requests, replies }],
      threadWakes: [createWake()],
      clientWake: createWake(),
      threadOfShard: [0],
    };
    const client = new RingClient(rings);
    const given = new RingProducer(replies);
    // The pump of the port, called by hand: as if the wake-up came while the entry is still being handed over.
    let pump = (): void => undefined;
    client.arm = (onWake) => {
      pump = onWake;
      return true;
    };
    const producer = client.producer(0);
    const push = producer.push.bind(producer);
    producer.push = (...entry) => {
      const pushed = push(...entry);
      given.push(ReplyKind.result, 0, 0, entry[3], 0, 0, 0, pack({ ok: false, code: 'card_exists' }));
      pump();
      return pushed;
    };
    const port = new RingShards(client, { deadlineMs: 1500, timeoutMs: 50 });
    open.push(port);
    expect(await port.command(0, update).catch(kindOf)).toEqual({ ok: false, code: 'card_exists' });
    expect(port.inFlight).toBe(0);
  });

  it('waits for room in a full ring, and refuses after a while', async () => {
    const { port, taken, answer } = made(4096, { ringWaitMs: 60 });
    const calls = Array.from({ length: 60 }, () => port.command(0, { ...update, id: 'x'.repeat(40) }).catch(kindOf));
    await turn();
    const seen: number[] = [];
    for (let round = 0; round < 3; round++) {
      while (taken.next()) {
        seen.push(taken.token);
        answer(taken.token, ReplyKind.result, pack({ ok: false, code: 'card_exists' }));
        taken.consume();
      }
      taken.release();
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    expect(seen).toHaveLength(60);
    expect(new Set(await Promise.all(calls)).has('busy')).toBe(false);
    const stuck = Array.from({ length: 60 }, () => port.command(0, { ...update, id: 'x'.repeat(40) }).catch(kindOf));
    await new Promise((resolve) => setTimeout(resolve, 150));
    port.close();
    const outcomes = await Promise.all(stuck);
    expect(outcomes.filter((one) => one === 'busy').length).toBeGreaterThan(0);
    expect(outcomes.every((one) => one === 'busy' || one === 'timeout')).toBe(true);
  });

  it('says that the outcome of a write is unknown, and ignores what comes too late', async () => {
    const { port, taken, answer } = made(1 << 16, { timeoutMs: 20 });
    const write = port.command(0, update).catch(kindOf);
    const read = port.read(0, { op: 'totals' }).catch(kindOf);
    expect(await Promise.all([write, read])).toEqual(['timeout', 'busy']);
    taken.next();
    answer(taken.token, ReplyKind.result, pack({ ok: false, code: 'card_exists' }));
    await turn();
    expect(port.inFlight).toBe(0);
  });

  it('splits an import that is larger than an entry may be', async () => {
    const { port, taken, answer } = made(1 << 22);
    const rows: ImportRows['rows'] = Array.from({ length: 40_000 }, (_, i) => ({
      account: { id: `account-${i}`, program: 0, currency: 986, creditLimit: 1, type: 1 },
    }));
    const call = port.command(0, { op: 'import', rows });
    let entries = 0;
    let total = 0;
    const serve = setInterval(() => {
      while (taken.next()) {
        const command = unpack(taken.bytes.slice(taken.payloadAt, taken.payloadAt + taken.payloadLength)) as ImportRows;
        entries++;
        total += command.rows.length;
        const refused = [{ row: 1, code: 'account_exists' }];
        const imported = { accounts: command.rows.length - 1, cards: 0, refused };
        answer(taken.token, ReplyKind.result, pack({ ok: true, sequence: total, imported }));
        taken.consume();
      }
      taken.release();
    }, 1);
    const result = await call;
    clearInterval(serve);
    expect(entries).toBeGreaterThan(1);
    expect(total).toBe(40_000);
    if (!result.ok || !('imported' in result)) throw new Error('no import');
    expect(result.imported.accounts).toBe(40_000 - entries);
    // Row numbers are those of the whole command, ascending and distinct.
    const numbers = result.imported.refused.map(({ row }) => row);
    expect(new Set(numbers).size).toBe(entries);
    expect(numbers).toEqual([...numbers].sort((a, b) => a - b));
  });

  it('tells dropped messages and gives the sequence of a decision', async () => {
    const { port, taken, answer } = made(1 << 16);
    const calls = [1, 2].map(() => port.wire(1, new Uint8Array(20), Uint8Array.of(1, 2, 3)).catch(kindOf));
    await turn();
    taken.next();
    expect([taken.kind, taken.shard, taken.payloadLength]).toEqual([RequestKind.wire, 1, 23]);
    answer(taken.token, ReplyKind.wire, Uint8Array.of(9), 4711);
    taken.consume();
    taken.next();
    answer(taken.token, ReplyKind.dropped, new Uint8Array(0));
    taken.consume();
    expect(await Promise.all(calls)).toEqual([{ message: Uint8Array.of(9), sequence: 4711 }, 'dropped']);
  });
});
