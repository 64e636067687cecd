/** `holdfast verify` on the directory of a real server: beside it, after it, and after someone has been at the files. */
import { cpSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { demoAccount } from '#src/cli/demo-program.js';
import { EventKind } from '#src/domain/codes.js';
import { MessageEvent } from '#src/domain/events.js';
import { FrameHeader, parseFrame, shardOfKey } from '#src/journal/frame.js';
import { FrameCursor } from '#src/journal/frame-cursor.js';
import { shardOfAccount } from '#src/journal/placement.js';
import { emptyHead } from '#src/journal/reader.js';
import { ShardJournal } from '#src/journal/shard-journal.js';
import { directoryPaths } from '#src/store/data-directory.js';
import { openLmdbStore } from '#src/store/lmdb-store.js';
import type { Store } from '#src/store/port.js';
import { keyOfFrame, removeFrame } from '../journal/frames.js';
import { type IsoClient, purchase, reversal } from '../support/iso-client.js';
import { type Ran, run, Server, temporaryFolder } from '../support/server.js';

const SHARDS = 4;
/** The card that is used most, and the shard of its account: the one that is tampered with. */
const CARD = 7;
const SHARD = shardOfAccount(demoAccount(CARD), SHARDS);
const OK = /^verify ok records=(\d+) head=([0-9a-f]{64}) debits=(\d+) credits=(\d+)\n$/;

const verify = (dataDir: string): Promise<Ran> => run(['verify', '--data-dir', dataDir]);

interface Turnovers {
  currencies: { currency: string; debits: number; credits: number; difference: number }[];
}

let server: Server;
let stopped = '';
let lastLine = '';

/** Purchases, a partial and a full reversal: a frame each. */
async function someTraffic(client: IsoClient, rounds: number): Promise<void> {
  for (let round = 0; round < rounds; round++) {
    const first = purchase({ card: CARD, amount: 1000 + round });
    expect((await client.request(first))[39]).toBe('00');
    expect((await client.request(reversal(first, round % 2 === 0 ? 400 : undefined)))[39]).toBe('00');
    await client.batch([1, 2, 3, 4].map((card) => purchase({ card, amount: 10 })));
  }
}

beforeAll(async () => {
  server = await Server.start({ flags: ['--shards', String(SHARDS), '--threads', '1'] });
  await someTraffic(await server.connect(), 5);
  for (const [amount, currency] of [[700, 'BRL'] as const, [55, 'BRL'] as const]) {
    const body = { account: demoAccount(CARD), amount, currency, reference: `pay-${amount}` };
    const { status } = await server.api('POST', '/v1/payments', body, { 'idempotency-key': `pay-${amount}` });
    expect(status).toBe(201);
  }
});

describe('beside a running server', () => {
  test('one line, whose debits and credits are those of the trial balance', async () => {
    const { body } = await server.get('/v1/ledger/trial-balance');
    const { currencies } = body as unknown as Turnovers;
    const { status, out, err } = await verify(server.dataDir);
    expect([status, err]).toEqual([0, '']);
    const [, records, , debits, credits] = OK.exec(out)!;
    const sum = (side: 'debits' | 'credits'): number => currencies.reduce((total, one) => total + one[side], 0);
    expect(Number(debits)).toBe(sum('debits'));
    expect(Number(credits)).toBe(sum('credits'));
    // Holds placed (5 x 1000..1004 and 5 x 4 x 10), released (3 down to 400, 2 wholly), and the two payments: the bank to
    // payments in transit, from there to the account.
    const placed = 5 * 1000 + (0 + 1 + 2 + 3 + 4) + 5 * 4 * 10;
    const released = 600 + 602 + 604 + 1001 + 1003;
    expect(Number(debits)).toBe(placed + released + 2 * (700 + 55));
    // 1 000 demo accounts and cards, 5 rounds of 6 messages, 2 payments with their idempotency keys.
    expect(Number(records)).toBeGreaterThanOrEqual(2000 + 30 + 2);
    // And per currency in the report.
    const report = JSON.parse((await run(['verify', '--data-dir', server.dataDir, '--json'])).out);
    expect(report.currencies).toEqual([{ currency: 986, debits, credits }]);
    expect(report).toMatchObject({ accounts: 1000, cards: 1000 });
    expect(report.system.sequence).toBeGreaterThan(0);
  });

  test('while it is writing', async () => {
    const client = await server.connect();
    let go = true;
    const traffic = (async () => {
      while (go) await someTraffic(client, 1);
    })();
    try {
      let before = 0;
      for (let n = 0; n < 2; n++) {
        const { status, out, err } = await verify(server.dataDir);
        expect([status, err]).toEqual([0, '']);
        const records = Number(OK.exec(out)![1]);
        expect(records).toBeGreaterThan(before);
        before = records;
      }
    } finally {
      go = false;
      await traffic;
    }
  });

  test('the same after a stop, and after a start and a kill', async () => {
    lastLine = (await verify(server.dataDir)).out;
    expect(lastLine).toMatch(OK);
    expect(await server.stop()).toEqual({ status: 0, signal: null });
    expect((await verify(server.dataDir)).out).toBe(lastLine);
    const again = await Server.start({ dataDir: server.dataDir });
    await again.kill();
    expect((await verify(server.dataDir)).out).toBe(lastLine);
    stopped = server.dataDir;
  });
});

interface Frame {
  header: FrameHeader;
  bytes: Uint8Array;
}

/** Frames of the shard in one lane, oldest first. */
function framesOf(store: Store): Frame[] {
  const frames: Frame[] = [];
  store.scan({}, (key, value) => {
    if (shardOfKey(key) !== SHARD) return true;
    const header = new FrameHeader();
    const bytes = value.slice();
    expect(parseFrame(bytes, header)).toBeUndefined();
    frames.push({ header, bytes });
    return true;
  });
  store.refresh();
  return frames;
}

/** A copy of the stopped server's directory, and the folder of its only lane. */
function copy(name: string): { dataDir: string; lane: string } {
  const dataDir = join(temporaryFolder(name), 'data');
  cpSync(stopped, dataDir, { recursive: true, filter: (path) => basename(path) !== 'lock' });
  const { journal } = directoryPaths(dataDir);
  const [lane, ...more] = readdirSync(journal);
  expect(more).toEqual([]);
  return { dataDir, lane: join(journal, lane!) };
}

async function withLane<Result>(lane: string, work: (store: Store) => Result): Promise<Result> {
  const store = openLmdbStore(lane);
  try {
    return work(store);
  } finally {
    await store.close();
  }
}

async function expectDefect(dataDir: string, line: RegExp): Promise<void> {
  const { status, signal, out, err } = await verify(dataDir);
  expect([status, signal, out]).toEqual([76, null, '']);
  expect(err.trimEnd().split('\n')).toHaveLength(1);
  expect(err).toMatch(line);
}

describe('someone has been at the files', () => {
  test('one byte flipped in the middle of a frame', async () => {
    const { dataDir, lane } = copy('flip');
    const frames = await withLane(lane, framesOf);
    const { header, bytes } = frames[Math.floor(frames.length / 2)]!;
    const path = join(lane, 'data.mdb');
    const file = readFileSync(path);
    // LMDB copies pages as it goes: every copy, so that the one in use is among them.
    let places = 0;
    for (let at = file.indexOf(bytes); at >= 0; at = file.indexOf(bytes, at + 1)) {
      const middle = at + Math.floor(bytes.length / 2);
      file[middle] = file[middle]! ^ 0x10;
      places++;
    }
    expect(places).toBeGreaterThan(0);
    writeFileSync(path, file);
    await expectDefect(
      dataDir,
      new RegExp(
        `^holdfast: the frame at shard ${SHARD} sequence ${header.firstSequence} in .* is damaged: the checksum does not match\\. Next: `,
      ),
    );
  });

  test('a frame dropped', async () => {
    const { dataDir, lane } = copy('drop');
    const sequence = await withLane(lane, (store) => {
      const frames = framesOf(store);
      const { firstSequence } = frames[Math.floor(frames.length / 2)]!.header;
      removeFrame(store, SHARD, firstSequence);
      return firstSequence;
    });
    await expectDefect(
      dataDir,
      new RegExp(
        `^holdfast: the chain of shard ${SHARD} breaks at sequence ${sequence} in .*: that sequence is missing`,
      ),
    );
  });

  test('the credit limit of an account raised by someone who mended checksums and chain', async () => {
    const { dataDir, lane } = copy('forge');
    const forged = await withLane(lane, (store) => {
      const frames = framesOf(store);
      const journal = new ShardJournal(SHARD, emptyHead(SHARD));
      const cursor = new FrameCursor();
      let at = 0;
      for (const { header, bytes } of frames) {
        cursor.open(bytes, SHARD, header.firstSequence, lane);
        while (cursor.more) {
          const raw = cursor.raw().slice();
          const message = cursor.next(new MessageEvent());
          const event = message ? undefined : cursor.plain;
          if (event?.kind === EventKind.accountCreated && event.id === demoAccount(CARD)) {
            journal.appendEvent({ ...event, creditLimit: event.creditLimit + 1 });
            at = header.lastSequence;
          } else {
            journal.appendRaw(raw);
          }
        }
        const sealed = journal.seal(header.wallMs, { high: header.digestHigh, low: header.digestLow });
        const value = sealed.bytes.slice();
        const key = keyOfFrame(store, SHARD, header.firstSequence);
        store.commit((writer) => writer.put(key, value));
      }
      return at;
    });
    expect(forged).toBeGreaterThan(0);
    await expectDefect(
      dataDir,
      new RegExp(
        `^holdfast: shard ${SHARD}: the state after the frame of sequences \\d+ to ${forged} has another digest`,
      ),
    );
  });

  test('a row of the vault removed', async () => {
    const { dataDir } = copy('vault');
    const vault = openLmdbStore(directoryPaths(dataDir).vault);
    const keys: Uint8Array[] = [];
    vault.scan({ start: Uint8Array.of(0x70) }, (key) => void keys.push(key.slice()));
    expect(keys).toHaveLength(1000);
    vault.commit((writer) => writer.remove(keys[500]!));
    await vault.close();
    await expectDefect(
      dataDir,
      /^holdfast: shard \d, after sequence \d+: the vault row of card slot \d+ .* is missing/,
    );
  });
});
