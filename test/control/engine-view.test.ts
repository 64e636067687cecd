import { describe, expect, it } from 'vitest';
import { clockPort, healthPort, metricsSources } from '#src/control/engine-view.js';
import type { ShardPort } from '#src/control/ports.js';
import { WrongTokens } from '#src/control/wrong-tokens.js';
import { createSegmentBoard, IndexState, SegmentBoard } from '#src/journal/segment-board.js';
import { BackgroundTask, ControlBlock, createControlBlock, ShardState } from '#src/ring/control-block.js';
import { createThreadVitals } from '#src/thread-vitals.js';

const SHARDS = 4;

function engine() {
  const control = new ControlBlock(createControlBlock());
  const board = new SegmentBoard(createSegmentBoard());
  for (let shard = 0; shard < SHARDS; shard++) control.setShardState(shard, ShardState.up);
  const audit = { failed: false };
  return { control, board, audit, health: healthPort(control, board, SHARDS, () => audit.failed) };
}

describe('readiness', () => {
  it('is green when everything runs', () => {
    expect(engine().health.notReady()).toEqual([]);
  });

  it('names the background task that has ended', () => {
    const { control, health } = engine();
    control.countTaskRestart(BackgroundTask.checkpoint);
    expect(health.notReady()).toEqual([]);
    control.setTaskEnded(BackgroundTask.segments);
    expect(health.notReady()).toEqual([{ check: 'task-segments', detail: expect.stringMatching(/has ended/) }]);
    control.setTaskEnded(BackgroundTask.checkpoint);
    expect(health.notReady().map(({ check }) => check)).toEqual(['task-segments', 'task-checkpoint']);
  });

  it('names the shards whose index makes them refuse new work, and why', () => {
    const { board, health } = engine();
    board.setIndexState(1, IndexState.full);
    board.setIndexState(3, IndexState.incomplete);
    expect(health.notReady()).toEqual([
      { check: 'index-1', detail: expect.stringMatching(/^full: .*91/) },
      { check: 'index-3', detail: expect.stringMatching(/built anew.*91/) },
    ]);
    board.setIndexState(1, IndexState.usable);
    board.setIndexState(3, IndexState.usable);
    expect(health.notReady()).toEqual([]);
  });

  it('warns of an audit log that cannot be written, and stays green', () => {
    const { audit, health } = engine();
    expect(health.warnings()).toEqual([]);
    audit.failed = true;
    expect(health.warnings()).toEqual([{ check: 'audit', detail: expect.stringMatching(/cannot be written/) }]);
    expect(health.notReady()).toEqual([]);
  });

  it('names shards, disk and a stop as before', () => {
    const { control, health } = engine();
    control.setShardState(2, ShardState.rebuilding);
    control.refuse = true;
    control.requestStop(74);
    expect(health.notReady()).toEqual([
      { check: 'process', detail: 'stopping with status 74' },
      { check: 'disk', detail: 'free space is below the reserve' },
      { check: 'shard-2', detail: 'rebuilding' },
    ]);
  });
});

const events = {
  ...{ listeners: 1, enabled: 2, disabled: 3, delivered: 4, failed: 5, dead: 6 },
  ...{ lag: 7, waiting: 8, deadLetters: 9 },
};

const vitals = () => ({ main: createThreadVitals(), control: createThreadVitals(), shards: [createThreadVitals()] });

describe('clocks that differ', () => {
  it('are a warning, not a reason to send no traffic, and a metric', () => {
    const { control, board, health } = engine();
    expect(health.warnings()).toEqual([]);
    control.setClockDifference(1, -12);
    control.setClockDifference(2, 7);
    expect(health.notReady()).toEqual([]);
    expect(health.warnings()).toEqual([
      {
        check: 'clock',
        detail: expect.stringMatching(/^the wall clock is 12 s behind .* paused; .*holdfast clock accept/),
      },
    ]);
    const sources = metricsSources(
      { threadInstruments: [], requestRings: [], vitals: vitals(), build: { version: '1', node: '20' } },
      {
        shards: { shards: SHARDS } as ShardPort,
        control,
        board,
        wrongTokens: new WrongTokens(),
        clearing: () => ({ records: {}, files: {}, stalled: 0, waitingSeconds: 0 }),
        recon: () => ({ breaks: [], newestMs: 0, failed: 0 }),
        rotations: () => [],
        tls: () => [],
        events: () => events,
        ingressSnapshot: async () => undefined,
      },
    );
    expect(sources.clockDifference()).toBe(-12);
    control.setClockDifference(2, 2 ** 40);
    expect(clockPort(control, SHARDS).difference()).toBe(2 ** 31 - 1);
  });

  it('are accepted by a word that every thread can see', () => {
    const { control } = engine();
    clockPort(control, SHARDS).accept();
    expect(control.clockAcceptances).toBe(1);
  });
});

describe('the sources of the metrics', () => {
  it('tell indexes and tasks from the shared words', () => {
    const { control, board } = engine();
    const wrongTokens = new WrongTokens();
    const sources = metricsSources(
      { threadInstruments: [], requestRings: [], vitals: vitals(), build: { version: '1', node: '20' } },
      {
        ...{ shards: { shards: SHARDS } as ShardPort, control, board, wrongTokens },
        ingressSnapshot: async () => undefined,
        clearing: () => ({ records: {}, files: {}, stalled: 0, waitingSeconds: 0 }),
        recon: () => ({ breaks: [], newestMs: 0, failed: 0 }),
        rotations: () => [],
        tls: () => [],
        events: () => events,
      },
    );
    board.setIndexState(0, IndexState.full);
    board.setIndexState(1, IndexState.incomplete);
    board.setIndexState(2, IndexState.incomplete);
    board.countDiscarded();
    control.setTaskEnded(BackgroundTask.checkpoint);
    control.countTaskRestart(BackgroundTask.checkpoint);
    expect(sources.events()).toBe(events);
    expect(sources.indexes()).toEqual({ full: 1, rebuilding: 2, discarded: 1 });
    expect(sources.tasks()).toEqual([
      { name: 'segments', runs: true, restarts: 0 },
      { name: 'checkpoint', runs: false, restarts: 1 },
    ]);
    wrongTokens.count('10.0.0.9', 0);
    expect(sources.wrongTokens()).toEqual({ denied: 1, limited: 0 });
  });
});
