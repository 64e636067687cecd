/** The rotation beside a real vault and key file, step by step; over the API with a server that has one. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { KeyRotation, rotationStats } from '#src/control/keys/rotation.js';
import { HoldfastError } from '#src/errors.js';
import { KEY_ROTATION_ROWS } from '#src/limits.js';
import { PanFingerprinter } from '#src/vault/fingerprint.js';
import { loadKeys, rotateKey } from '#src/vault/keys.js';
import { panOfNumber } from '#src/vault/pan.js';
import { PanKeyRing } from '#src/vault/pan-key-ring.js';
import { PanVault } from '#src/vault/pan-vault.js';
import { MapStore, temporaryFolder } from '../vault/support.js';
import { makeHarness } from './harness.js';

const CARDS = KEY_ROTATION_ROWS * 2 + 10;
const pans = Array.from({ length: CARDS }, (_, n) => panOfNumber('999999', n));

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** A process on the store and the key file, as a start finds them. */
function processOn(store: MapStore, keyFile: string) {
  const keys = loadKeys(keyFile, { create: false });
  const ring = new PanKeyRing(keys.panKeys);
  const vault = new PanVault(store, keys, ring);
  const said: string[] = [];
  const fatal: HoldfastError[] = [];
  const say = (_data: object, text: string): void => void said.push(text);
  const rotation = new KeyRotation({
    ...{ keyFile, kek: undefined, ring, vault, nowMs: () => 1000 },
    log: { info: say, error: say },
    onFatal: (error) => void fatal.push(error),
  });
  const print = new PanFingerprinter(keys.fingerprintKey.bytes);
  const row = (pan: string) => ({ fingerprint: print.of(pan), pan });
  const readsAll = (): boolean => pans.every((pan) => vault.reveal(print.of(pan)) === pan);
  return { rotation, vault, ring, said, fatal, row, readsAll };
}

function filled() {
  const keyFile = join(temporaryFolder(), 'keys');
  loadKeys(keyFile);
  const store = new MapStore();
  const first = processOn(store, keyFile);
  first.vault.put(pans.map(first.row));
  return { keyFile, store, first };
}

test('goes on at the next start at the place reached, and ends', async () => {
  const { keyFile, store, first } = filled();
  first.rotation.begin();
  expect([first.rotation.running, first.rotation.newest]).toEqual([false, undefined]);
  const { key } = first.rotation.start();
  expect(key).toBe(first.ring.active.id);
  expect(() => first.rotation.start()).toThrow(expect.objectContaining({ code: 'rotation_running' }));
  await vi.advanceTimersToNextTimerAsync();
  expect(first.rotation.newest).toMatchObject({ key, rows: KEY_ROTATION_ROWS, finishedMs: 0 });
  expect(first.readsAll()).toBe(true);
  first.rotation.stop();

  const second = processOn(store, keyFile);
  second.rotation.begin();
  await vi.runAllTimersAsync();
  expect(second.rotation.newest).toMatchObject({ key, rows: CARDS, finishedMs: 1000 });
  expect(second.readsAll()).toBe(true);

  const third = processOn(store, keyFile);
  third.rotation.begin();
  expect(third.rotation.running).toBe(false);
});

test('a new key of which nobody noted anything yet is rotated to at the next start', async () => {
  const { keyFile, store } = filled();
  rotateKey(keyFile, 'pan');
  const next = processOn(store, keyFile);
  next.rotation.begin();
  await vi.runAllTimersAsync();
  expect(next.rotation.newest).toMatchObject({ key: next.ring.active.id, rows: CARDS, finishedMs: 1000 });
  expect(next.said).toEqual(['a rotation of the PAN key goes on', 'a rotation of the PAN key is done']);
});

test('a row that cannot be read stops the rotation, which says so; nothing of its step is lost', async () => {
  const { store, first } = filled();
  const [name, row] = [...store.rows].sort().find(([key]) => key.startsWith('70'))!;
  store.rows.set(
    name,
    Uint8Array.from(row, (byte, i) => (i === 30 ? byte ^ 1 : byte)),
  );
  first.rotation.start();
  await vi.runAllTimersAsync();
  expect(first.rotation.running).toBe(false);
  expect(first.rotation.failure).toContain('fails its authentication');
  expect(first.rotation.newest).toMatchObject({ rows: 0, finishedMs: 0, at: '' });
  expect(first.fatal).toEqual([]);
});

test('a commit that fails ends the process', async () => {
  const { store, first } = filled();
  first.rotation.start();
  store.commit = () => {
    throw new HoldfastError('commit_failed', 'no');
  };
  await vi.runAllTimersAsync();
  expect(first.fatal.map(({ code }) => code)).toEqual(['commit_failed']);
  expect(first.rotation.running).toBe(false);
});

test('a key file that cannot be changed is told, and the keys stay', () => {
  const { keyFile, first } = filled();
  const before = first.ring.active.id;
  writeFileSync(keyFile, readFileSync(keyFile, 'utf8').slice(1));
  expect(() => first.rotation.start()).toThrow(expect.objectContaining({ code: 'rotation_refused' }));
  expect(first.ring.active.id).toBe(before);
  expect(first.rotation.newest).toBeUndefined();
});

test('a key before that was taken out of the file too early is told, and a file of the time before is refused', async () => {
  const { keyFile, store, first } = filled();
  const before = readFileSync(keyFile);
  first.rotation.start();
  await vi.advanceTimersToNextTimerAsync();
  first.rotation.stop();
  const { keys, ...document } = JSON.parse(readFileSync(keyFile, 'utf8')) as { keys: { state: string }[] };
  writeFileSync(keyFile, JSON.stringify({ ...document, keys: keys.filter(({ state }) => state === 'active') }));
  const alone = processOn(store, keyFile);
  alone.rotation.begin();
  await vi.runAllTimersAsync();
  expect(alone.rotation.failure).toMatch(/needs PAN key [0-9a-f]{16}, which is not in the key file/);
  // Rows are in the order of their fingerprints, and the place reached is that of the last row done.
  const first32 = pans.map((pan) => first.row(pan).fingerprint.f0).sort((a, b) => a - b);
  const reached = Math.floor((first32[KEY_ROTATION_ROWS - 1]! / 2 ** 32) * 1000) / 1000;
  expect(rotationStats({ pan: alone.rotation, fingerprint: { newest: undefined, failure: '' } })).toEqual([
    { usage: 'pan', progress: reached, isStalled: true },
    { usage: 'fingerprint', progress: 1, isStalled: false },
  ]);
  writeFileSync(keyFile, before);
  expect(() => processOn(store, keyFile)).toThrow(expect.objectContaining({ code: 'key_file_mismatch' }));
});

test('a server without a key file says so', async () => {
  vi.useRealTimers();
  const h = makeHarness();
  for (const [method, path] of [
    ['GET', '/v1/keys'],
    ['POST', '/v1/keys/rotations'],
  ] as const) {
    const { status, body } = await h.call(method, path, method === 'POST' ? {} : undefined);
    expect([status, body.code]).toEqual([501, 'not_supported']);
  }
});
