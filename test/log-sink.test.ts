import { describe, expect, test } from 'vitest';
import { LOG_BUFFER_BYTES, LOG_FATAL_BYTES, LOG_FLUSH_MS } from '#src/limits.js';
import { createLog } from '#src/log.js';
import { LogSink } from '#src/log-sink.js';
import { until } from './support/server.js';

/** A pipe with room for so many bytes. */
function pipe(room: number) {
  const state = { room, text: '', gone: false };
  const sink = new LogSink((bytes) => {
    if (state.gone) throw Object.assign(new Error('no reader'), { code: 'EPIPE' });
    if (state.room === 0) throw Object.assign(new Error('full'), { code: 'EAGAIN' });
    const count = Math.min(state.room, bytes.length);
    state.room -= count;
    state.text += Buffer.from(bytes.subarray(0, count)).toString();
    return count;
  });
  return { state, sink };
}

const KIB = `${'x'.repeat(1023)}\n`;

describe('the sink of the log', () => {
  test('writes at once while there is room, and the rest of a line later, in order', async () => {
    const { state, sink } = pipe(9);
    sink.write('first\n');
    expect(state.text).toBe('first\n');
    sink.write('second\n');
    sink.write('third\n');
    expect(state.text).toBe('first\nsec');
    state.room = 100;
    await until('the rest', () => state.text === 'first\nsecond\nthird\n');
    expect(sink.dropped).toBe(0);
  });

  test('drops what does not fit into its buffer, counts it, and says so once when there is room again', async () => {
    const { state, sink } = pipe(0);
    const told: number[] = [];
    sink.onDropped = (lines) => told.push(lines);
    const fit = LOG_BUFFER_BYTES / 1024;
    for (let i = 0; i < fit + 3; i++) sink.write(KIB);
    expect([sink.dropped, told]).toEqual([3, []]);
    state.room = Number.MAX_SAFE_INTEGER;
    await until('told', () => told.length > 0);
    expect(state.text).toBe(KIB.repeat(fit));
    sink.write('next\n');
    expect([sink.dropped, told]).toEqual([3, [3]]);
  });

  test('keeps room for fatal lines, and waits for them no longer than its limit', () => {
    const { state, sink } = pipe(0);
    for (let i = 0; i <= LOG_BUFFER_BYTES / 1024; i++) sink.write(KIB);
    expect(sink.dropped).toBe(1);
    const began = performance.now();
    sink.write('the end\n', true);
    expect(performance.now() - began).toBeGreaterThanOrEqual(LOG_FLUSH_MS);
    for (let i = 0; i < LOG_FATAL_BYTES / 1024; i++) sink.write(KIB);
    expect(sink.dropped).toBe(1 + LOG_FATAL_BYTES / 1024);
    state.room = Number.MAX_SAFE_INTEGER;
    sink.flush();
    expect(state.text.endsWith('the end\n')).toBe(true);
  });

  test('a reader that is gone costs the lines and nothing else', () => {
    const { state, sink } = pipe(0);
    sink.write('kept\n');
    state.gone = true;
    sink.flush();
    sink.write('lost\n');
    expect(sink.dropped).toBe(2);
    state.gone = false;
    state.room = 100;
    sink.write('seen\n');
    expect(state.text).toBe('seen\n');
  });

  test('a log tells of dropped lines with a line of its own, and writes fatal lines at once', () => {
    const { state, sink } = pipe(0);
    const log = createLog({ level: 'info', format: 'json', sink });
    for (let i = 0; i < 2000; i++) log.info({ fill: KIB }, 'fill');
    const { dropped } = sink;
    expect(dropped).toBeGreaterThan(0);
    state.room = Number.MAX_SAFE_INTEGER;
    log.fatal('the end');
    const lines = state.text
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as { msg: string; lines?: number });
    expect(lines.slice(-2).map(({ msg, lines: count }) => [msg, count])).toEqual([
      ['the end', undefined],
      [`${dropped} lines were dropped: whoever reads the log did not keep up`, dropped],
    ]);
  });
});
