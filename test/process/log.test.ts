/** The log of a real process whose stderr nobody reads for a while: the engine goes on, and what was dropped is told. */
import { execFileSync } from 'node:child_process';
import { closeSync, constants, openSync, readSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { purchase } from '../support/iso-client.js';
import { Server, temporaryFolder, until } from '../support/server.js';

const DROPPED = /"lines":(\d+),"msg":"\1 lines were dropped/;

/** Requests until lines were dropped: each makes a line of some 200 bytes, and a buffer of a mebibyte has to be filled. */
async function callUntilDropped(server: Server): Promise<number> {
  for (let round = 0; round < 100; round++) {
    for (let burst = 0; burst < 10; burst++) {
      const answers = await Promise.all(Array.from({ length: 32 }, () => server.get('/livez')));
      expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 200));
    }
    const match = /^holdfast_log_lines_dropped_total (\d+)$/m.exec((await server.get('/metrics')).text);
    if (match !== null && Number(match[1]) > 0) return Number(match[1]);
  }
  throw new Error('no line was dropped');
}

async function isAnswered(server: Server): Promise<void> {
  const link = await server.connect();
  expect((await link.request(purchase({ amount: 10 })))[39]).toBe('00');
}

describe('nobody reads stderr', () => {
  test('a socket, as a Node parent makes it: requests are answered meanwhile, then the log says what is missing', async () => {
    const server = await Server.start({ flags: ['--log-level', 'debug'] });
    server.child.stderr!.pause();
    const dropped = await callUntilDropped(server);
    await isAnswered(server);
    server.child.stderr!.resume();
    await until('the line about dropped lines', () => DROPPED.test(server.stderr));
    expect(Number(DROPPED.exec(server.stderr)![1])).toBeGreaterThanOrEqual(dropped);
    expect(await server.stop()).toEqual({ status: 0, signal: null });
    // Whole lines only, up to the last one.
    const lines = server.stderr.split('\n').filter((line) => line.startsWith('{'));
    expect(lines.map((line) => (JSON.parse(line) as { msg: string }).msg).at(-1)).toBe('stopped');
  });

  test('a pipe, as a shell makes it: the engine serves and ends although nobody ever reads', async () => {
    const fifo = join(temporaryFolder('log'), 'stderr');
    execFileSync('mkfifo', [fifo]);
    const pipe = openSync(fifo, constants.O_RDWR | constants.O_NONBLOCK);
    try {
      // The writing end as another process would hand it over: without the flag that makes writes not wait.
      const stderr = openSync(fifo, constants.O_WRONLY);
      const server = await Server.start({ flags: ['--log-level', 'debug'], stderr });
      closeSync(stderr);
      await callUntilDropped(server);
      await isAnswered(server);
      const text = await readWhile(pipe, (said) => DROPPED.test(said));
      expect(text).toMatch(DROPPED);
      await callUntilDropped(server);
      expect(await server.stop()).toEqual({ status: 0, signal: null });
    } finally {
      closeSync(pipe);
    }
  });
});

/** Reads the pipe until the text is what is waited for. */
async function readWhile(pipe: number, done: (text: string) => boolean): Promise<string> {
  const chunk = Buffer.alloc(1 << 16);
  const end = Date.now() + 20_000;
  let text = '';
  while (!done(text) && Date.now() < end) {
    try {
      text += chunk.toString('utf8', 0, readSync(pipe, chunk));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error;
      await sleep(5);
    }
  }
  return text;
}
