/** The arithmetic of the disk reserve, and what the guard does at its edges: on a disk whose free space the test says. */
import { existsSync, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { DiskGuard, Growth, marginOf, reserveOf } from '#src/cli/disk-guard.js';
import { laneBytes } from '#src/journal/lane-directory.js';
import { BALLAST_BYTES, DISK_RESERVE_BYTES, DISK_RESERVE_RATE_BYTES_MAX } from '#src/limits.js';
import type { Log } from '#src/log.js';
import { ControlBlock, createControlBlock } from '#src/ring/control-block.js';

const MIB = 2 ** 20;
const GIB = 2 ** 30;

describe('the reserve', () => {
  it.each([
    // setting, grown in the last minute -> reserve
    [256 * MIB, 0, 256 * MIB],
    [256 * MIB, 255 * MIB, 256 * MIB],
    [256 * MIB, 257 * MIB, 257 * MIB],
    [256 * MIB, 3 * GIB, 3 * GIB],
    [256 * MIB, 8 * GIB, 8 * GIB],
    [256 * MIB, 50 * GIB, 8 * GIB],
    [20 * GIB, 50 * GIB, 20 * GIB],
    [16 * MIB, 20 * MIB, 20 * MIB],
  ])('of a setting of %i and a growth of %i is %i', (least, grown, reserve) => {
    expect(reserveOf(least, grown)).toBe(reserve);
  });

  it('has a margin of a tenth, at most 64 MiB', () => {
    expect([100 * MIB, 640 * MIB, 8 * GIB].map(marginOf)).toEqual([10 * MIB, 64 * MIB, 64 * MIB]);
    expect(DISK_RESERVE_BYTES).toBeLessThan(DISK_RESERVE_RATE_BYTES_MAX);
  });
});

describe('the growth of the last minute', () => {
  it('is counted from the oldest look that is at most a minute old', () => {
    const growth = new Growth();
    const table: [number, number, number][] = [
      // at (s), size -> growth
      [0, 1000, 0],
      [1, 1100, 100],
      [30, 2000, 1000],
      [60, 2600, 1600],
      [61, 2700, 1600], // since second 1
      [91, 2700, 100], // since second 60: those of 1 and 30 are too old
      [152, 2700, 0], // nothing for a minute
      [153, 2500, 0], // a folder was dropped
      [154, 2600, 0],
      [215, 3600, 0], // a pause longer than a minute leaves only the present look
      [216, 4600, 1000],
    ];
    for (const [at, bytes, grown] of table) expect([at, growth.note(bytes, at * 1000)]).toEqual([at, grown]);
  });
});

describe('the guard', () => {
  let root = '';
  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'holdfast-guard-'));
  });
  afterEach(() => rmSync(root, { recursive: true }));

  function guarded(reserveBytes = 256 * MIB) {
    const disk = { free: 10 * GIB, journal: 0, ms: 0 };
    const lines: [string, object][] = [];
    const line = (fields: object, message: string): void => void lines.push([message, fields]);
    const control = new ControlBlock(createControlBlock());
    const guard = new DiskGuard({
      ...{ root, journalDir: root, reserveBytes, control },
      log: { error: line, warn: line, info: line } as unknown as Log,
      measure: { freeBytes: () => disk.free, journalBytes: () => disk.journal, nowMs: () => disk.ms },
    });
    /** A second passes in which the journal grows by `grown`. */
    const second = (grown = 0, free = disk.free): boolean => {
      disk.ms += 1000;
      disk.journal += grown;
      disk.free = free;
      guard.look();
      return control.refuse;
    };
    return { guard, disk, lines, control, second };
  }

  it('raises the reserve with the pace of the journal, and lowers it a minute after the pace has gone', () => {
    const { guard, second } = guarded();
    second();
    for (let n = 0; n < 60; n++) second(20 * MIB);
    expect(guard.state.reserveBytes).toBe(1200 * MIB);
    for (let n = 0; n < 30; n++) second();
    expect(guard.state.reserveBytes).toBe(600 * MIB);
    for (let n = 0; n < 30; n++) second();
    expect(guard.state.reserveBytes).toBe(256 * MIB);
  });

  it('refuses below the reserve and keeps it while it refuses, until there is a margin more', () => {
    const { guard, second, lines } = guarded();
    second();
    for (let n = 0; n < 60; n++) expect(second(20 * MIB)).toBe(false);
    expect(second(0, 1179 * MIB)).toBe(true);
    expect(guard.state).toEqual({ freeBytes: 1179 * MIB, reserveBytes: 1180 * MIB });
    // Nothing is written now, and the last minute grows empty: the reserve stays, or service would come back for a moment.
    for (let n = 0; n < 100; n++) expect(second()).toBe(true);
    expect(guard.state.reserveBytes).toBe(1180 * MIB);
    expect(second(0, 1180 * MIB + 64 * MIB - 1)).toBe(true);
    expect(second(0, 1180 * MIB + 64 * MIB)).toBe(false);
    second();
    expect(guard.state.reserveBytes).toBe(256 * MIB);
    expect(lines.map(([message]) => message.split(':')[0])).toEqual([
      'disk space below the reserve',
      'disk space is back',
    ]);
  });

  it('raises the reserve further while it refuses when the journal still grows', () => {
    const { guard, second } = guarded();
    second();
    expect(second(0, 200 * MIB)).toBe(true);
    second(300 * MIB);
    expect(guard.state.reserveBytes).toBe(300 * MIB);
  });

  it('writes the ballast where the reserve is there without it, and drops it when the disk is full', () => {
    const { guard, disk, second } = guarded();
    const ballast = join(root, 'ballast');
    disk.free = 256 * MIB + BALLAST_BYTES - 1;
    guard.start();
    guard.stop();
    expect(existsSync(ballast)).toBe(false);
    disk.free = 10 * GIB;
    // The rest of a ballast whose writing failed is not taken for one.
    writeFileSync(ballast, 'half');
    guard.start();
    guard.stop();
    expect(statSync(ballast).size).toBe(BALLAST_BYTES);
    expect(second(0, BALLAST_BYTES - 1)).toBe(true);
    expect(existsSync(ballast)).toBe(false);
    expect(second(0, 10 * GIB)).toBe(false);
    expect(statSync(ballast).size).toBe(BALLAST_BYTES);
  });

  it('says so when the disk cannot be asked, and goes on', () => {
    const { guard, disk, lines, second } = guarded();
    Object.defineProperty(disk, 'journal', {
      get: () => {
        throw new Error('EIO: i/o error, stat');
      },
      configurable: true,
    });
    guard.look();
    expect(lines).toEqual([[expect.stringMatching(/cannot be watched/), { error: 'EIO: i/o error, stat' }]]);
    Object.defineProperty(disk, 'journal', { value: 0, writable: true });
    expect(second(0, 1)).toBe(true);
  });

  it('counts the data files of all lanes', () => {
    for (const [lane, bytes] of [
      ['lane-0-000001', 1000],
      ['lane-0-000002', 200],
      ['lane-1-000001', 30],
    ] as const) {
      mkdirSync(join(root, lane));
      writeFileSync(join(root, lane, 'data.mdb'), new Uint8Array(bytes));
      writeFileSync(join(root, lane, 'lock.mdb'), new Uint8Array(7));
    }
    mkdirSync(join(root, 'lane-2-000001'));
    expect(laneBytes(root)).toBe(1230);
  });
});
