/** CPU of other processes, from /proc: Linux only, undefined elsewhere. */
import { readdirSync, readFileSync } from 'node:fs';

/** Clock ticks per second of /proc/<pid>/stat: 100 on every Linux that Node runs on. */
const TICKS = 100;

/** User and system CPU of all threads of a process so far, seconds; undefined without /proc or without the process. */
export function cpuSecondsOf(pid: number): number | undefined {
  const fields = statFields(pid);
  return fields === undefined ? undefined : (Number(fields[11]) + Number(fields[12])) / TICKS;
}

/** The same of the process with its children: those that run, and those that have ended. For servers with a process per connection. */
export function cpuSecondsWithChildrenOf(pid: number): number | undefined {
  const fields = statFields(pid);
  if (fields === undefined) return undefined;
  let ticks = sumOf(fields);
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    const child = statFields(Number(name));
    if (child !== undefined && Number(child[1]) === pid) ticks += sumOf(child);
  }
  return ticks / TICKS;
}

/** CPU of each thread of a process so far, seconds by thread id; the first thread has the id of the process. Undefined without /proc. */
export function cpuSecondsByThreadOf(pid: number): Map<number, number> | undefined {
  try {
    const seconds = new Map<number, number>();
    for (const name of readdirSync(`/proc/${pid}/task`)) {
      const fields = statFields(`${pid}/task/${name}`);
      if (fields !== undefined) seconds.set(Number(name), (Number(fields[11]) + Number(fields[12])) / TICKS);
    }
    return seconds;
  } catch {
    return undefined;
  }
}

/** utime, stime, and both of the children that were waited for. */
function sumOf(fields: readonly string[]): number {
  return [11, 12, 13, 14].reduce((sum, at) => sum + Number(fields[at]), 0);
}

/** The fields behind the name, which may contain blanks: state, ppid, ... */
function statFields(place: number | string): string[] | undefined {
  try {
    const stat = readFileSync(`/proc/${place}/stat`, 'utf8');
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  } catch {
    return undefined; // it has ended, or there is no /proc
  }
}
