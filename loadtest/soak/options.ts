/** Flags of the soak: `npm run soak -- --hours 8`. */
import { parseArgs } from 'node:util';

export interface SoakOptions {
  readonly hours: number;
  /** Messages per second. */
  readonly rate: number;
  readonly accounts: number;
  /** Seconds that a simulated day takes, and days by which the clock goes on after each. */
  readonly daySeconds: number;
  readonly dayStep: number;
  /** Simulated days between two starts of the server. */
  readonly restartDays: number;
  readonly sampleSeconds: number;
  /** Samples of the first so many seconds of a process are left out of the slopes. */
  readonly settleSeconds: number;
  readonly folderBytes: string;
  readonly shards: number;
  /** Whether the server's collections of garbage are all full ones, or as V8 decides. */
  readonly collections: 'full' | 'usual';
  /** JSON, the page whose table is replaced, and a file to which every sample is added. */
  readonly out: string;
  readonly page: string;
  readonly samples: string;
}

export const help = `npm run soak -- [flags]
  --hours <n>            how long, fractions allowed (1)
  --rate <n>             messages per second (200)
  --accounts <n>         accounts with a card each (1000)
  --day-seconds <n>      a simulated day takes so long (60)
  --day-step <n>         days by which the clock goes on after each (10)
  --restart-days <n>     simulated days between two starts, every second one after kill -9 (a quarter of the run)
  --sample-seconds <n>   between two samples (5)
  --settle-seconds <n>   left out of the slopes after each start (a quarter of a lifetime)
  --folder-bytes <size>  size of a folder of the journal (2MiB)
  --shards <n>           logical shards (2)
  --collections <kind>   full: heaps are what is reachable; usual: as V8 decides (full)
  --out <file>           result as JSON (soak.json)
  --page <file>          Markdown page whose table between markers is replaced
  --samples <file>       every sample is added to it, as a line of JSON
`;

export class SoakFlagError extends Error {}

export function parseSoak(argv: readonly string[]): SoakOptions | 'help' {
  const names = ['hours', 'rate', 'accounts', 'day-seconds', 'day-step', 'restart-days', 'sample-seconds'] as const;
  const more = ['settle-seconds', 'folder-bytes', 'shards', 'collections', 'out', 'page', 'samples'] as const;
  const options = Object.fromEntries([...names, ...more].map((name) => [name, { type: 'string' as const }]));
  let values: Record<string, string | boolean | undefined>;
  try {
    ({ values } = parseArgs({ args: [...argv], options: { ...options, help: { type: 'boolean' } } }));
  } catch (error) {
    throw new SoakFlagError((error as Error).message);
  }
  if (values.help === true) return 'help';
  const number = (name: string, standard: number, least: number): number => {
    const value = values[name] === undefined ? standard : Number(values[name]);
    if (!(value >= least)) throw new SoakFlagError(`--${name} is a number from ${least}: ${values[name]}`);
    return value;
  };
  const text = (name: string, standard: string): string => String(values[name] ?? standard);
  const collections = text('collections', 'full');
  if (collections !== 'full' && collections !== 'usual')
    throw new SoakFlagError(`--collections is full or usual: ${collections}`);
  const daySeconds = number('day-seconds', 60, 5);
  const hours = number('hours', 1, 0.001);
  const restartDays = number('restart-days', Math.max(2, Math.ceil((hours * 900) / daySeconds)), 1);
  return {
    hours,
    rate: number('rate', 200, 1),
    accounts: number('accounts', 1000, 1),
    daySeconds,
    dayStep: number('day-step', 10, 1),
    restartDays,
    sampleSeconds: number('sample-seconds', 5, 0.5),
    settleSeconds: number('settle-seconds', (daySeconds * restartDays) / 4, 0),
    folderBytes: text('folder-bytes', '2MiB'),
    shards: number('shards', 2, 1),
    collections,
    out: text('out', 'soak.json'),
    page: text('page', ''),
    samples: text('samples', ''),
  };
}
