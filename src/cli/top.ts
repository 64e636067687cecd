/**
 * `holdfast top`: a running server, live. Reads /metrics once in each interval and keeps only the last answer; nothing is asked of
 * the shards beyond what a scrape asks.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Command } from 'commander';
import { HoldfastError } from '../errors.js';
import { type ApiClient, addApiOptions, apiClient } from './api-client.js';
import { milliseconds, newCommand, type Run, setAction } from './command.js';
import { Scrape } from './scrape.js';
import type { Terminal } from './terminal.js';
import { type TopView, topLines, topView } from './top-view.js';

/** Alternate screen without a cursor, and back; home and clear below for each picture. */
const ENTER = '\x1b[?1049h\x1b[?25l';
const LEAVE = '\x1b[?25h\x1b[?1049l';
const HOME = '\x1b[H';
const END_OF_LINE = '\x1b[K';
const END_OF_SCREEN = '\x1b[J';

export function addTop(program: Command, run: Run): void {
  const command = newCommand(
    program,
    'top',
    'watch a running server: rates, latency by stage, shards, journal, memory',
    ['top', 'top --once', 'top --json --interval 5s | jq .answers_per_second'],
  )
    .option('--interval <time>', 'time between two looks', milliseconds(100, 60_000), 1000)
    .option('--once', 'one picture of one interval, then end')
    .option('--json', 'one JSON object a line, times in ms');
  addApiOptions(command);
  setAction(command, run, async (options) => {
    const client = apiClient(options, run.terminal);
    const stop = new AbortController();
    const onSignal = (): void => stop.abort();
    process.on('SIGINT', onSignal);
    process.on('SIGTERM', onSignal);
    try {
      await watch(client, run.terminal, {
        intervalMs: options.interval as number,
        once: options.once === true,
        json: options.json === true,
        stop: stop.signal,
      });
    } finally {
      process.off('SIGINT', onSignal);
      process.off('SIGTERM', onSignal);
    }
    return undefined;
  });
}

interface WatchOptions {
  readonly intervalMs: number;
  readonly once: boolean;
  readonly json: boolean;
  readonly stop: AbortSignal;
}

/** Until `stop`, or after one picture. A server that goes away is waited for, but for the first look and with `once`. */
async function watch(client: ApiClient, terminal: Terminal, options: WatchOptions): Promise<void> {
  const { intervalMs, once, json, stop } = options;
  let before = await scrape(client);
  const screen = terminal.outIsTty && !json && !once;
  if (screen) await terminal.write(ENTER);
  try {
    while (await pause(intervalMs, stop)) {
      let lines: string[];
      try {
        const after = await scrape(client);
        lines = pictureOf(topView(before, after, Date.now() / 1000), client.place, json);
        before = after;
      } catch (error) {
        if (once || !(error instanceof HoldfastError)) throw error;
        lines = json ? [] : [error.message];
        if (json) terminal.err(`holdfast: ${error.message}`);
      }
      await terminal.write(
        screen
          ? `${HOME}${lines.map((line) => line + END_OF_LINE).join('\n')}${END_OF_SCREEN}`
          : lines.map((line) => `${line}\n`).join(''),
      );
      if (once) return;
    }
  } finally {
    if (screen) await terminal.write(LEAVE);
  }
}

async function scrape(client: ApiClient): Promise<Scrape> {
  const read = new Scrape(await client.getText('/metrics'), performance.now());
  if (read.has('holdfast_build_info')) return read;
  throw new HoldfastError('server_unreachable', `${client.place} has no metrics of Holdfast`, 'give --admin');
}

function pictureOf(view: TopView, place: string, json: boolean): string[] {
  if (json) return [JSON.stringify(view)];
  return topLines(view, place, new Date().toISOString().slice(11, 19));
}

/** False when it was stopped. */
async function pause(ms: number, stop: AbortSignal): Promise<boolean> {
  try {
    await sleep(ms, undefined, { signal: stop });
    return true;
  } catch (error) {
    if (stop.aborted) return false;
    throw error;
  }
}
