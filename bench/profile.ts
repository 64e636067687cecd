/**
 * `npm run profile`: a server of its own under load, a CPU profile of each of its threads, and one summary.
 *
 * All threads are profiled at the same time, so their shares belong to the same seconds. The profiler samples every 200 us and
 * costs the engine some speed: look at shares, not at rates.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { EngineProcess, runCommand } from './engine-process.js';
import { type CpuProfile, summarize, summaryLines } from './profile-summary.js';
import { inTemporaryFolder } from './temporary-folder.js';

const SECONDS_MAX = 60;
/** Of the load before the profiles begin, and after their end. */
const MARGIN_SECONDS = 2;

const USAGE = `npm run profile -- [flags]: a server of its own under load, and where the time of its threads goes

  --seconds N   of each profile, from 0.1 to ${SECONDS_MAX} (5)
  --rate N      messages per second (5k)
  --threads N   shard threads (1)
  --out FOLDER  for the profiles and the summary (holdfast-profile)`;

const values = flags();
const seconds = Number(values.seconds);

function flags() {
  try {
    const { values } = parseArgs({
      options: {
        seconds: { type: 'string', default: '5' },
        rate: { type: 'string', default: '5k' },
        threads: { type: 'string', default: '1' },
        out: { type: 'string', default: 'holdfast-profile' },
        help: { type: 'boolean', default: false },
      },
    });
    const isLong = !(Number(values.seconds) >= 0.1 && Number(values.seconds) <= SECONDS_MAX);
    if (isLong) throw new RangeError(`--seconds: a number from 0.1 to ${SECONDS_MAX}`);
    if (!values.help) return values;
    console.log(USAGE);
    process.exit(0);
  } catch (error) {
    console.error(`holdfast: ${error instanceof Error ? error.message : String(error)}\n\n${USAGE}`);
    process.exit(64);
  }
}

async function profileOf(engine: EngineProcess, token: string, thread: string): Promise<string> {
  const answer = await fetch(`http://${engine.admin}/v1/profile?thread=${thread}&seconds=${seconds}`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}` },
  });
  const text = await answer.text();
  if (!answer.ok) throw new Error(`no profile of ${thread}: ${answer.status} ${text}`);
  return text;
}

/** Load of some seconds more than the profiles, so that it neither begins nor ends in them. */
async function profileAll(folder: string): Promise<void> {
  const dataDir = join(folder, 'data');
  const engine = await EngineProcess.start(dataDir, '--demo', '--threads', values.threads);
  try {
    const tokenFile = join(dataDir, 'admin.token');
    const token = readFileSync(tokenFile, 'utf8').trim();
    const load = runCommand([
      ...['loadtest', `iso8583+tcp://${engine.tcp}`, '--cards', 'demo', '--rate', values.rate],
      ...['--duration', `${seconds + 2 * MARGIN_SECONDS}s`, '--warmup', '0s', '--json'],
      ...['--admin', `http://${engine.admin}`, '--token-file', tokenFile],
    ]);
    // Its failure is told when it is awaited, not before.
    load.catch(() => undefined);
    await sleep(MARGIN_SECONDS * 1000);
    const threads = ['main', 'control', ...Array.from({ length: Number(values.threads) }, (_, n) => `shard-${n}`)];
    const profiles = await Promise.all(threads.map((thread) => profileOf(engine, token, thread)));
    const { offered, errors } = JSON.parse(await load) as { offered: number; errors: number };
    const summaries = profiles.map((text, at) => summarize(threads[at]!, JSON.parse(text) as CpuProfile));
    const lines = [`load: ${offered} messages offered, ${errors} errors`, '', ...summaryLines(summaries)];
    mkdirSync(values.out, { recursive: true });
    profiles.forEach((text, at) => {
      writeFileSync(join(values.out, `${threads[at]}.cpuprofile`), text);
    });
    const summary = { offered, errors, threads: summaries };
    writeFileSync(join(values.out, 'summary.json'), `${JSON.stringify(summary, null, 2)}\n`);
    writeFileSync(join(values.out, 'summary.txt'), lines.join('\n'));
    console.log(lines.join('\n'));
    console.log(`profiles and summary are in ${values.out}: open a .cpuprofile in Chrome DevTools or speedscope`);
  } finally {
    await engine.stop();
  }
}

await inTemporaryFolder(tmpdir(), profileAll);
