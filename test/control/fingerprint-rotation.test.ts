/** The rotation of the fingerprint key over real shards, a real vault and a key file, in one process and step by step. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { claim, release, settleCreations } from '#src/control/card-numbers.js';
import { FingerprintRotation, type FingerprintRotationOptions } from '#src/control/keys/fingerprint-rotation.js';
import { ShardError } from '#src/control/ports.js';
import { HoldfastError } from '#src/errors.js';
import { KEY_ROTATION_ROWS } from '#src/limits.js';
import { type Fingerprint, PanFingerprinter } from '#src/vault/fingerprint.js';
import { loadKeys, rotateKey } from '#src/vault/keys.js';
import { findNamed } from '#src/vault/live-fingerprints.js';
import { panOfNumber } from '#src/vault/pan.js';
import { PanVault } from '#src/vault/pan-vault.js';
import { fileOf, presentment } from '../support/clearing-day.js';
import { MapStore, temporaryFolder } from '../vault/support.js';
import { type Harness, MemoryVault, makeHarness, restart } from './harness.js';
import { posted } from './upload.js';

/** The vault of the control plane over the store of the test. */
class StoredVault extends MemoryVault {
  readonly #vault: PanVault;

  constructor(vault: PanVault) {
    super();
    this.#vault = vault;
  }

  override has(fingerprint: Fingerprint): boolean {
    return this.#vault.has(fingerprint);
  }

  override put(batch: readonly { fingerprint: Fingerprint; pan: string }[]): void {
    this.#vault.put(batch);
  }

  override reveal(fingerprint: Fingerprint): string | undefined {
    return this.#vault.reveal(fingerprint);
  }
}

interface Process {
  readonly h: Harness;
  readonly vault: PanVault;
  readonly rotation: FingerprintRotation;
  readonly said: string[];
  readonly fatal: HoldfastError[];
  /** Keys that the ingress was given, one entry each time. */
  readonly told: string[][];
}

const CARDS = 40;
const pans = Array.from({ length: CARDS }, (_, n) => panOfNumber('999999', n + 1));

let keyFile: string;
let store: MapStore;

beforeEach(() => {
  keyFile = join(temporaryFolder(), 'keys');
  loadKeys(keyFile);
  store = new MapStore();
});
afterEach(() => void vi.useRealTimers());

/** A process on store and key file as a start finds them; with `before` on the journal of an earlier one. */
async function start(before?: Process, more: Partial<FingerprintRotationOptions> = {}): Promise<Process> {
  const keys = loadKeys(keyFile, { create: false });
  const vault = new PanVault(store, keys);
  const stored = { vault: new StoredVault(vault) };
  const h = before === undefined ? makeHarness(stored) : restart(before.h, stored);
  const said: string[] = [];
  const fatal: HoldfastError[] = [];
  const told: string[][] = [];
  const say = (_data: object, text: string): void => void said.push(text);
  const rotation = new FingerprintRotation({
    ...{ keyFile, kek: undefined, keys: keys.fingerprintKeys, vault, nowMs: () => 1000 },
    ...{ live: h.context.fingerprinter, shards: h.engine, directory: h.engine },
    tellIngress: async (live) => void told.push(live.map((key) => Buffer.from(key).toString('hex'))),
    isSettled: () => settleCreations(h.context),
    log: { info: say, error: say },
    onFatal: (error) => void fatal.push(error),
    ...more,
  });
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  await rotation.begin();
  return { h, vault, rotation, said, fatal, told };
}

async function step(): Promise<void> {
  await vi.advanceTimersByTimeAsync(1000);
  // The shards answer in turns of the event loop.
  for (let i = 0; i < 20; i++) await new Promise((resolve) => setImmediate(resolve));
}

async function finish({ rotation }: Process): Promise<void> {
  for (let i = 0; i < 100 && rotation.running; i++) await step();
}

async function createCards({ h }: Process, some = pans): Promise<void> {
  vi.useRealTimers();
  for (const pan of some) {
    expect((await h.call('POST', '/v1/accounts', { id: `a${pan.slice(-8)}`, credit_limit: 1000 })).status).toBe(201);
    expect((await card(h, pan)).status).toBe(201);
  }
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
}

const card = (h: Harness, pan: string) =>
  h.call('POST', '/v1/cards', { account: `a${pan.slice(-8)}`, pan, expiry: '3012', pin: { pvv: '4232' } });

const print = (key: { bytes: Uint8Array }, pan: string): Fingerprint => new PanFingerprinter(key.bytes).of(pan);

/** Every card by its number, and its row by the fingerprint that the card has. */
async function findsAll({ h, vault }: Process): Promise<boolean> {
  const all = await Promise.all(
    pans.map(async (pan) => {
      const place = findNamed(h.engine, h.context.fingerprinter.namesOf(pan));
      if (place < 0) return false;
      const read = await h.engine.read(place >>> 24, { op: 'card', slot: place & 0xffffff });
      if (!read.ok || !('card' in read)) return false;
      const [f0, f1, f2] = read.card.fingerprint;
      return vault.reveal({ f0, f1, f2 }) === pan;
    }),
  );
  return all.every((one) => one);
}

/** Nothing but the active key is left, in the vault and in a directory that is built from the shards. */
function assertOnlyNew({ h, vault }: Process): void {
  const keys = loadKeys(keyFile, { create: false });
  expect(vault.fingerprintKey).toBe(keys.fingerprintKey.id);
  const named = vault.rowsAfter('', 1000).rows;
  expect(named.map(({ pan }) => pan).sort()).toEqual([...pans].sort());
  for (const { fingerprint, pan } of named) expect(fingerprint).toEqual(print(keys.fingerprintKey, pan));
  for (const pan of pans)
    for (const [n, key] of keys.fingerprintKeys.entries()) {
      const { f0, f1, f2 } = print(key, pan);
      expect(h.engine.find(f0, f1, f2) >= 0).toBe(n === 0);
    }
}

describe('a rotation of the fingerprint key', () => {
  it('gives every card another fingerprint, and both keys are known to the ingress as long as it goes on', async () => {
    const first = await start();
    await createCards(first);
    const [before] = loadKeys(keyFile).fingerprintKeys;
    const { key } = first.rotation.start();
    expect(() => first.rotation.start()).toThrow(expect.objectContaining({ code: 'rotation_running' }));
    await step();
    expect(first.rotation.newest).toMatchObject({ key, finishedMs: 0 });
    expect(await findsAll(first)).toBe(true);
    // Known by the former fingerprint or by the new one, a number has its card.
    for (const pan of pans.slice(0, 10)) expect((await card(first.h, pan)).body.code).toBe('card_exists');
    await finish(first);
    expect(first.rotation.newest).toEqual({
      key,
      startedMs: 1000,
      finishedMs: 1000,
      rows: CARDS,
      at: expect.any(String),
    });
    const { fingerprintKeys } = loadKeys(keyFile);
    const [now] = fingerprintKeys;
    expect(now!.id).toBe(key);
    const hex = (...keys: (typeof now)[]): string[] => keys.map((one) => Buffer.from(one!.bytes).toString('hex'));
    expect(first.told).toEqual([hex(before), hex(now, before), hex(now)]);
    expect(await findsAll(first)).toBe(true);
    for (const pan of pans.slice(0, 10)) expect((await card(first.h, pan)).body.code).toBe('card_exists');
    const second = await start(first);
    expect(await findsAll(second)).toBe(true);
    assertOnlyNew(second);
    expect([second.rotation.running, second.told]).toEqual([false, [hex(now)]]);
  });

  it('cut off before any commit of the vault it goes on, and ends the same', async () => {
    const first = await start();
    await createCards(first);
    first.rotation.start();
    let last = first;
    for (let cut = 1; cut < 60; cut++) {
      const commits = store.commits;
      // The process dies after its first commit, and then after the second one: some of what follows it happened, some did not.
      for (let i = 0; i < 100 && last.rotation.running && store.commits < commits + (cut % 3); i++) await step();
      if (!last.rotation.running) break;
      last.rotation.stop();
      last = await start(last);
      expect(await findsAll(last)).toBe(true);
    }
    await finish(last);
    expect(last.rotation.newest).toMatchObject({ finishedMs: 1000 });
    assertOnlyNew(await start(last));
  });

  it('a new key of which nobody noted anything yet is gone to at the next start', async () => {
    const first = await start();
    await createCards(first);
    rotateKey(keyFile, 'fingerprint');
    const second = await start(first);
    expect(second.rotation.running).toBe(true);
    await finish(second);
    expect(second.said).toEqual([
      'a rotation of the fingerprint key goes on',
      'a rotation of the fingerprint key is done',
    ]);
    assertOnlyNew(await start(second));
  });

  it('of a directory that was restored from the middle of an earlier one both are done, one after the other', async () => {
    const first = await start();
    await createCards(first);
    const { key } = first.rotation.start();
    await step();
    await step();
    first.rotation.stop();
    rotateKey(keyFile, 'fingerprint');
    const second = await start(first);
    expect(second.rotation.newest).toMatchObject({ key, finishedMs: 0 });
    expect(await findsAll(second)).toBe(true);
    await finish(second);
    expect(second.rotation.newest).toMatchObject({ key: loadKeys(keyFile).fingerprintKey.id, finishedMs: 1000 });
    assertOnlyNew(await start(second));
  });

  it('the second of them waits for the next start when the directory has no room for it', async () => {
    const first = await start();
    await createCards(first);
    first.rotation.start();
    await step();
    first.rotation.stop();
    rotateKey(keyFile, 'fingerprint');
    const { engine } = first.h;
    const directory = { full: false, hasSecondRoom: false, find: engine.find.bind(engine) };
    const second = await start(first, { directory });
    await finish(second);
    expect(second.rotation.failure).toContain('start the server again');
    expect(second.rotation.newest).toMatchObject({ finishedMs: 1000, rows: CARDS });
    expect(await findsAll(second)).toBe(true);
    const third = await start(second);
    await finish(third);
    expect(third.rotation.newest).toMatchObject({ key: loadKeys(keyFile).fingerprintKey.id, finishedMs: 1000 });
    assertOnlyNew(await start(third));
  });

  it('waits for what is being created under the former key, also when nobody knows how that ended', async () => {
    const first = await start();
    await createCards(first);
    const names = first.h.context.fingerprinter.namesOf(panOfNumber('999999', 777));
    const other = first.h.context.fingerprinter.namesOf(panOfNumber('999999', 778));
    expect([claim(first.h.context, names, 0), claim(first.h.context, other, 1)]).toEqual([true, true]);
    release(first.h.context, other.fingerprint, false);
    first.rotation.start();
    for (let i = 0; i < 5; i++) await step();
    expect(first.rotation.newest).toMatchObject({ rows: 0, at: '' });
    // The number is taken under its new name as well.
    expect(claim(first.h.context, first.h.context.fingerprinter.namesOf(panOfNumber('999999', 777)), 0)).toBe(false);
    release(first.h.context, names.fingerprint, true);
    await finish(first);
    expect(first.rotation.newest).toMatchObject({ rows: CARDS, finishedMs: 1000 });
  });

  it('tries again what a shard or the ingress does not do now', async () => {
    let refusals = 0;
    let silences = 2;
    const first = await start(undefined, {
      tellIngress: async (keys) => {
        if (keys.length > 1 && silences-- > 0) throw new Error('no answer');
      },
    });
    await createCards(first);
    first.h.engine.before = (command) => {
      if (command.op === 'change_fingerprints' && refusals++ < 3) throw new ShardError('timeout', 0);
    };
    first.rotation.start();
    await finish(first);
    expect([refusals > 3, silences]).toEqual([true, -1]);
    // Told once, however often it tries.
    expect(first.said.filter((text) => text.includes('waits, and tries again'))).toHaveLength(1);
    expect(first.rotation.newest).toMatchObject({ rows: CARDS, finishedMs: 1000 });
    assertOnlyNew(await start(first));
  });

  it('a row that cannot be read stops it, and cards are found by both keys', async () => {
    const first = await start();
    await createCards(first);
    const [name, row] = [...store.rows].sort().find(([key]) => key.startsWith('70'))!;
    store.rows.set(
      name,
      Uint8Array.from(row, (byte, i) => (i === 30 ? byte ^ 1 : byte)),
    );
    first.rotation.start();
    await finish(first);
    expect(first.rotation.running).toBe(false);
    expect(first.rotation.failure).toContain('fails its authentication');
    expect(first.rotation.newest).toMatchObject({ rows: 0, finishedMs: 0 });
    expect(() => first.rotation.start()).toThrow(expect.objectContaining({ code: 'rotation_running' }));
    for (const pan of pans)
      expect(findNamed(first.h.engine, first.h.context.fingerprinter.namesOf(pan)) >= 0).toBe(true);
  });

  it('a card that has neither fingerprint stops it', async () => {
    const first = await start();
    await createCards(first);
    first.h.engine.before = (command) => {
      if (command.op !== 'change_fingerprints') return;
      Object.assign(command, { cards: command.cards.map((one) => ({ ...one, before: [1, 2, 3] })) });
    };
    first.rotation.start();
    await finish(first);
    expect(first.rotation.failure).toMatch(/cards have neither the fingerprint before nor the new one/);
    expect(await findsAll(first)).toBe(true);
  });

  it('a commit that fails ends the process', async () => {
    const first = await start();
    await createCards(first);
    first.rotation.start();
    store.commit = () => {
      throw new HoldfastError('commit_failed', 'no');
    };
    await finish(first);
    expect(first.fatal.map(({ code }) => code)).toEqual(['commit_failed']);
    expect(first.rotation.running).toBe(false);
  });

  it('is refused when the key file cannot be changed, or the directory has no room; then nothing has begun', async () => {
    const full = await start(undefined, {
      directory: { full: false, hasSecondRoom: false, find: () => -1 },
    });
    expect(() => full.rotation.start()).toThrow(expect.objectContaining({ code: 'rotation_refused' }));
    const first = await start();
    writeFileSync(keyFile, readFileSync(keyFile, 'utf8').slice(1));
    expect(() => first.rotation.start()).toThrow(expect.objectContaining({ code: 'rotation_refused' }));
    expect([first.rotation.newest, first.rotation.running]).toEqual([undefined, false]);
  });

  it('a vault whose keys are not in the file is refused, that of a rotation which goes on as well', async () => {
    const first = await start();
    const old = loadKeys(keyFile);
    first.rotation.start();
    first.rotation.stop();
    const now = loadKeys(keyFile);
    const open = (keep: readonly (typeof now.fingerprintKey)[]) => () => {
      new PanVault(store, { ...now, fingerprintKey: keep[0]!, fingerprintKeys: keep });
    };
    expect(open(now.fingerprintKeys)).not.toThrow();
    expect(open([now.fingerprintKey])).toThrow(expect.objectContaining({ code: 'key_file_mismatch' }));
    expect(open([old.fingerprintKey])).toThrow(expect.objectContaining({ code: 'key_file_mismatch' }));
  });

  it('more rows than one step has', async () => {
    const first = await start();
    const rows = Array.from({ length: 2 * KEY_ROTATION_ROWS + 5 }, (_, n) => panOfNumber('999999', 5000 + n));
    // Numbers without cards, as a crash between the vault and the shard leaves them.
    first.vault.put(rows.map((pan) => ({ fingerprint: first.h.context.fingerprinter.of(pan), pan })));
    first.rotation.start();
    await finish(first);
    expect(first.rotation.newest).toMatchObject({ rows: rows.length, finishedMs: 1000 });
    for (const pan of rows) expect(first.vault.reveal(first.h.context.fingerprinter.of(pan))).toBe(pan);
  });

  it('a record that a file has put into suspense for an unknown number is found by another file', async () => {
    const first = await start();
    await createCards(first);
    vi.useRealTimers();
    const record = presentment(1, undefined, 100, { pan: panOfNumber('999999', 4711) });
    const all = (h: Harness) => posted(h, fileOf([record]));
    first.h.context.fingerprinter.use(first.rotation.allKeys);
    expect(await all(first.h)).toMatchObject({ suspense: 1 });
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    first.rotation.start();
    await finish(first);
    const second = await start(first);
    vi.useRealTimers();
    second.h.context.fingerprinter.use(second.rotation.allKeys);
    const other = presentment(2, undefined, 100, { pan: panOfNumber('999999', 4711) });
    expect(await posted(second.h, fileOf([record, other], { sequence: 2 }))).toMatchObject({
      duplicates: 1,
      suspense: 1,
    });
    // The number becomes a card: what takes the first record back belongs to where that is.
    await second.h.call('POST', '/v1/accounts', { id: 'late', credit_limit: 1000 });
    const late = { account: 'late', pan: panOfNumber('999999', 4711), expiry: '3012' };
    expect((await second.h.call('POST', '/v1/cards', late)).status).toBe(201);
    const taken = { ...record, reversal: true, originalDay: record.localDay! };
    expect(await posted(second.h, fileOf([record, taken], { sequence: 3 }))).toMatchObject({
      ...{ duplicates: 1, suspense: 1, matched_by: { arn: 1 } },
    });
    expect((await second.h.call('GET', '/v1/accounts/late')).body.balances.posted).toBe(0);
  });
});
