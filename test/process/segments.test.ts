/**
 * Damage to the fingerprint segments of the real server, while it runs and at its start. Segments are derived data: they are
 * built anew, no message is set aside, no process ends, and no repeat is decided a second time.
 */
import { closeSync, openSync, readFileSync, statSync, truncateSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { demoAccount } from '#src/cli/demo-program.js';
import type { Fields } from '#src/iso8583/message.js';
import { shardOfAccount } from '#src/journal/placement.js';
import { blockKey, catalogKey, metaKey, SegmentBlock } from '#src/journal/segment-format.js';
import { openSegmentStore } from '#src/journal/segment-store.js';
import { damage } from '../journal/index-support.js';
import { type IsoClient, purchase, repeat } from '../support/iso-client.js';
import { Server, until } from '../support/server.js';

/** A busy machine must not make the last segments of a stop miss their time. */
const flags = ['--stop-limit-ms', '60000'];
const SHARDS = 16;
const STRUCK = 5;

/** A demo card of the shard that is struck, and one of another. */
const struck = cardOf((shard) => shard === STRUCK);
const spared = cardOf((shard) => shard !== STRUCK);

function cardOf(wanted: (shard: number) => boolean): number {
  for (let card = 1; ; card++) if (wanted(shardOfAccount(demoAccount(card), SHARDS))) return card;
}

const held = async (server: Server, card: number): Promise<number> =>
  (await server.get(`/v1/accounts/${demoAccount(card)}`)).body.balances.held as number;

/** A directory whose segments hold everything, and an approval in it with its answer. */
async function prepared(): Promise<{ dataDir: string; request: Fields; answer: Fields }> {
  const server = await Server.start({ flags });
  const client = await server.connect();
  const request = purchase({ card: struck, amount: 700 });
  const answer = await client.request(request);
  expect(answer[39]).toBe('00');
  for (let n = 0; n < 5; n++) await client.request(purchase({ card: struck, amount: 1 }));
  expect(await server.stop()).toEqual({ status: 0, signal: null });
  return { dataDir: server.dataDir, request, answer };
}

/** Turns one bit in every block of the shard, in the file that a running server has mapped. Returns how many. */
function strike(dataDir: string, shard: number): number {
  const path = join(dataDir, 'segments', 'data.mdb');
  const bytes = readFileSync(path);
  const file = openSync(path, 'r+');
  const block = new SegmentBlock();
  let struckBlocks = 0;
  for (let at = 0; at + 32 < bytes.length; at++) {
    if (bytes.readUInt16LE(at) !== 1 || bytes.readUInt16LE(at + 2) !== shard) continue;
    const [segment, number, count] = [4, 8, 12].map((offset) => bytes.readUInt32LE(at + offset)) as [
      number,
      number,
      number,
    ];
    try {
      block.load(bytes.subarray(at, at + 20 + 12 * count), shard, segment, number);
    } catch {
      continue; // looks like a block and is none
    }
    writeSync(file, Uint8Array.of(bytes[at + 20]! ^ 4), 0, 1, at + 20);
    struckBlocks++;
  }
  closeSync(file);
  return struckBlocks;
}

/** Asks until something else than 91 comes; tells how often it came. */
async function insist(client: IsoClient, message: Fields): Promise<{ answer: Fields; refused: number }> {
  let refused = 0;
  let answer = await client.request(message);
  await until('an answer but 91', async () => {
    if (answer[39] !== '91') return true;
    refused++;
    answer = await client.request(message);
    return false;
  });
  return { answer, refused };
}

describe('a flipped bit in the segments', () => {
  test('of a running server: 91 for that shard until they are built anew, then the first answer', async () => {
    const { dataDir, request, answer } = await prepared();
    const server = await Server.start({ dataDir, flags });
    expect(server.number('recovered')).toBe(0);
    const client = await server.connect();
    expect(strike(dataDir, STRUCK)).toBeGreaterThan(0);
    const again = await insist(client, repeat(request));
    expect(again.refused).toBeGreaterThan(0);
    expect(again.answer).toEqual(answer);
    expect((await client.request(purchase({ card: spared, amount: 3 })))[39]).toBe('00');
    expect((await client.request(purchase({ card: struck, amount: 4 })))[39]).toBe('00');
    expect(await held(server, struck)).toBe(709);
    await until('readiness is green', async () => (await server.get('/readyz')).status === 200);
    const metrics = (await server.get('/metrics')).text;
    expect(metrics).toMatch(/^holdfast_segment_discards_total 1$/m);
    expect(metrics).toMatch(/^holdfast_shed_total\{cause="index_rebuilding"\} [1-9]/m);
    expect(
      server.logged('the fingerprint segments of a shard are damaged; they are built anew from the journal'),
    ).toEqual([
      expect.objectContaining({ shard: STRUCK, detail: expect.stringMatching(/block \d+ fails its checksum/) }),
    ]);
    expect(server.logged('the index of a shard is complete again')).toHaveLength(1);
    expect(server.logged('a shard stopped; it is rebuilt from the journal')).toEqual([]);
    expect(await server.stop()).toEqual({ status: 0, signal: null });
  });

  test.each([
    ['a block', blockKey(STRUCK, 1, 0)],
    ['a meta', metaKey(STRUCK, 1)],
    ['the catalog', catalogKey(STRUCK)],
  ])('at the start, in %s: the server comes up, and the repeat gets its first answer', async (_name, key) => {
    const { dataDir, request, answer } = await prepared();
    const store = openSegmentStore(join(dataDir, 'segments'));
    damage(store, key);
    await store.close();
    const server = await Server.start({ dataDir, flags });
    const again = await insist(await server.connect(), repeat(request));
    expect(again.answer).toEqual(answer);
    expect(await held(server, struck)).toBe(705);
    await until('readiness is green', async () => (await server.get('/readyz')).status === 200);
    expect(await server.stop()).toEqual({ status: 0, signal: null });
    const next = await Server.start({ dataDir, flags });
    expect(next.number('recovered')).toBe(0);
    expect(next.stderr).not.toMatch(/damaged|discarded/);
    expect(await (await next.connect()).request(repeat(request))).toEqual(answer);
    expect(await next.stop()).toEqual({ status: 0, signal: null });
  });

  test('a data file that is cut short: it is removed at the start, and built anew', async () => {
    const { dataDir, request, answer } = await prepared();
    const path = join(dataDir, 'segments', 'data.mdb');
    truncateSync(path, Math.floor(statSync(path).size / 2));
    const server = await Server.start({ dataDir, flags });
    expect(server.logged('the fingerprint segments were removed; they are built anew from the journal')).toHaveLength(
      1,
    );
    expect((await insist(await server.connect(), repeat(request))).answer).toEqual(answer);
    expect(await held(server, struck)).toBe(705);
    expect(await server.stop()).toEqual({ status: 0, signal: null });
  });
});
