/**
 * From .cpuprofile files to one summary: per thread what it was busy with, its hottest functions, and the same by stage of a message's
 * way. Self time: a function has the samples in which it was on top.
 */

/** The part of a .cpuprofile (Chrome DevTools protocol, Profiler.Profile) that is read here. */
export interface CpuProfile {
  readonly nodes: readonly {
    readonly id: number;
    readonly children?: readonly number[];
    readonly callFrame: { readonly functionName: string; readonly url: string; readonly lineNumber: number };
  }[];
  readonly samples: readonly number[];
  /** Microseconds from each sample to the one before it. */
  readonly timeDeltas: readonly number[];
  /** Microseconds of the same clock. */
  readonly startTime: number;
  readonly endTime: number;
}

export interface HotFunction {
  readonly name: string;
  /** Path in the package, and line from 1; empty for what V8 and Node do themselves. */
  readonly place: string;
  readonly self_ms: number;
  /** Of the time in which the thread was not idle. */
  readonly share: number;
}

export interface ThreadSummary {
  readonly thread: string;
  readonly total_ms: number;
  readonly busy_ms: number;
  /** Waiting: in the event loop, or, in a shard thread, in its wait for work. */
  readonly idle_ms: number;
  readonly gc_ms: number;
  /** Outside of any script: V8 and Node themselves. Part of the busy time. */
  readonly program_ms: number;
  readonly hottest: readonly HotFunction[];
  readonly stages: readonly {
    readonly stage: Stage;
    readonly self_ms: number;
    readonly hottest: readonly HotFunction[];
  }[];
}

export const HOTTEST = 10;

/** In the order of a message's way; `other` is what belongs to none, as the HTTP API. */
export const stageNames = ['receive', 'decode', 'ring', 'decide', 'journal', 'reply', 'other'] as const;
export type Stage = (typeof stageNames)[number];

/** The stage of a source file, by the room that it is in: the first that fits. */
const rooms: readonly (readonly [RegExp, Stage])[] = [
  [/\/(ingress\/(local-reply|replies|writes)|iso8583\/encoder|shard\/(held-replies|reply))\./, 'reply'],
  [/\/ingress\//, 'receive'],
  [/\/iso8583\//, 'decode'],
  [/\/ring\//, 'ring'],
  [/\/(journal|store|lmdb|msgpackr)\//, 'journal'],
  [/\/(domain|shard|vault)\//, 'decide'],
];

/** A thread that waits: in its event loop, or a shard thread for work (src/ring/wake.ts). */
const isIdle = (name: string, url: string): boolean =>
  name === '(idle)' || (name === 'block' && /\/ring\/wake\.[jt]s$/.test(url));

/** Stage of the file with this address. */
export function stageOf(url: string): Stage {
  return rooms.find(([pattern]) => pattern.test(url))?.[1] ?? 'other';
}

/** @throws Error when the profile has no samples */
export function summarize(thread: string, profile: CpuProfile): ThreadSummary {
  if (profile.samples.length === 0) throw new Error(`the profile of ${thread} has no samples`);
  const nodes = new Map(profile.nodes.map((node) => [node.id, node.callFrame]));
  const functions = new Map<string, { name: string; place: string; url: string; us: number }>();
  const parents = new Map(profile.nodes.flatMap(({ id, children }) => (children ?? []).map((child) => [child, id])));
  const lastUs = profile.endTime - profile.startTime - profile.timeDeltas.reduce((sum, delta) => sum + delta, 0);
  let idleUs = 0;
  let outsideUs = 0;
  let gcUs = 0;
  let totalUs = 0;
  /** A function of an add-on or of Node itself has no file: it counts for the script that calls it. */
  const ofScript = (id: number): CpuProfile['nodes'][number]['callFrame'] => {
    const own = nodes.get(id)!;
    const parent = parents.get(id);
    const caller = parent === undefined ? undefined : nodes.get(parent);
    if (own.url !== '' || own.functionName.startsWith('(') || caller === undefined || caller.url === '') return own;
    return { ...caller, functionName: `${own.functionName || 'native'} < ${caller.functionName || '(anonymous)'}` };
  };
  profile.samples.forEach((id, at) => {
    // A sample stands for the time until the next one, or the end; clocks of samples may step back by some microseconds.
    const us = Math.max(0, profile.timeDeltas[at + 1] ?? lastUs);
    const { functionName, url, lineNumber } = ofScript(id);
    totalUs += us;
    if (isIdle(functionName, url)) idleUs += us;
    else if (functionName === '(program)') outsideUs += us;
    else if (functionName === '(garbage collector)') gcUs += us;
    else {
      const place = url === '' ? '' : `${placeOf(url)}:${lineNumber + 1}`;
      const key = `${functionName} ${place}`;
      const known = functions.get(key) ?? { name: functionName || '(anonymous)', place, url, us: 0 };
      functions.set(key, known);
      known.us += us;
    }
  });
  const busyUs = totalUs - idleUs;
  const hottest = (list: readonly { name: string; place: string; us: number }[]): HotFunction[] =>
    [...list]
      .sort((one, other) => other.us - one.us)
      .slice(0, HOTTEST)
      .map(({ name, place, us }) => ({ name, place, self_ms: ms(us), share: busyUs === 0 ? 0 : round(us / busyUs) }));
  const all = [...functions.values()];
  const stages = stageNames.flatMap((stage) => {
    const own = all.filter(({ url }) => stageOf(url) === stage);
    if (own.length === 0) return [];
    return [{ stage, self_ms: ms(own.reduce((sum, { us }) => sum + us, 0)), hottest: hottest(own) }];
  });
  return {
    thread,
    total_ms: ms(totalUs),
    busy_ms: ms(busyUs),
    idle_ms: ms(idleUs),
    gc_ms: ms(gcUs),
    program_ms: ms(outsideUs),
    hottest: hottest(all),
    stages,
  };
}

/** The summary as text, in lines. */
export function summaryLines(threads: readonly ThreadSummary[]): string[] {
  return threads.flatMap(({ thread, total_ms, busy_ms, gc_ms, program_ms, hottest, stages }) => [
    `${thread}: busy ${busy_ms} of ${total_ms} ms, GC ${gc_ms} ms, outside of scripts ${program_ms} ms`,
    ...hottest.map(functionLine),
    ...stages.flatMap((stage) => [
      `  ${stage.stage}: ${stage.self_ms} ms`,
      ...stage.hottest.map((one) => `  ${functionLine(one)}`),
    ]),
    '',
  ]);
}

function functionLine({ name, place, self_ms, share }: HotFunction): string {
  return `  ${(share * 100).toFixed(1).padStart(5)} % ${String(self_ms).padStart(9)} ms  ${name}${place === '' ? '' : `  ${place}`}`;
}

const placeOf = (url: string): string => url.replace(/^.*\/(dist|node_modules)\//, '$1/');
const ms = (us: number): number => Math.round(us / 100) / 10;
const round = (value: number): number => Math.round(value * 1000) / 1000;
