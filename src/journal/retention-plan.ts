/**
 * Which lane folders may be dropped, and where that cuts the shards' journals (decision 0039). A folder goes as a whole or not at all,
 * and a shard may have lived in several lanes, one after the other:
 *
 *              lane-0-000001     lane-0-000002     lane-0-000003 (grows)
 *   shard 3    1 ....... 400     401 ... 900       2001 ...
 *                                   lane-1-000001
 *   shard 3                         901 ... 2000                     901 to 2000 stay: so nothing above 900 may go
 *
 * So a folder stays when it is too young, when something that may not go is in it, or when a shard has an older record in a folder
 * that stays. The cut of a shard is the last sequence of what goes.
 */

/** A lane folder. */
export interface FolderExtent {
  readonly name: string;
  /** Nothing is appended to it any more. */
  readonly closed: boolean;
  /** Wall time of its newest frame, ms since 1970 UTC. */
  readonly toMs: number;
  readonly shards: readonly { readonly shard: number; readonly first: number; readonly last: number }[];
  /** Why it stays whatever its age; absent when nothing speaks against it. */
  readonly stays?: string;
}

/** Something that needs records: by shard the last sequence that it can do without. */
export interface Bound {
  readonly by: string;
  readonly through: readonly number[];
}

export interface DropPlan {
  /** Names of the folders that go. */
  readonly folders: readonly string[];
  /** By shard: last sequence that goes, or went before. */
  readonly cuts: readonly number[];
  /** The folders that stay, and why. */
  readonly kept: readonly { readonly name: string; readonly why: string }[];
}

/**
 * @param floors by shard: last sequence that went before
 * @param beforeMs only folders whose newest frame is older go, ms since 1970 UTC
 */
export function planDrop(
  folders: readonly FolderExtent[],
  floors: readonly number[],
  beforeMs: number,
  bounds: readonly Bound[],
): DropPlan {
  const why = new Map<string, string>();
  for (const folder of folders) {
    const reason = ownReason(folder, beforeMs, bounds);
    if (reason !== undefined) why.set(folder.name, reason);
  }
  for (let changed = true; changed; ) {
    changed = false;
    for (const folder of folders) {
      const older = why.has(folder.name) ? undefined : olderThatStays(folder, folders, why);
      if (older === undefined) continue;
      why.set(folder.name, `older records of its shards are in ${older}, which stays`);
      changed = true;
    }
  }
  const going = folders.filter(({ name }) => !why.has(name));
  const cuts = [...floors];
  for (const { shards } of going) for (const { shard, last } of shards) cuts[shard] = Math.max(cuts[shard] ?? 0, last);
  return {
    folders: going.map(({ name }) => name),
    cuts,
    kept: [...why].map(([name, reason]) => ({ name, why: reason })),
  };
}

function ownReason(
  { closed, toMs, shards, stays }: FolderExtent,
  beforeMs: number,
  bounds: readonly Bound[],
): string | undefined {
  if (!closed) return 'records are appended to it';
  if (toMs >= beforeMs) return 'it has records that are too young';
  if (stays !== undefined) return stays;
  const bound = bounds.find(({ through }) => shards.some(({ shard, last }) => last > (through[shard] ?? 0)));
  return bound === undefined ? undefined : `it is needed: ${bound.by}`;
}

/** Name of a folder that stays and has a record of a shard that is not above the last one of the folder. */
function olderThatStays(
  { name, shards }: FolderExtent,
  folders: readonly FolderExtent[],
  why: ReadonlyMap<string, string>,
): string | undefined {
  for (const other of folders) {
    if (other.name === name || !why.has(other.name)) continue;
    for (const { shard, last } of shards)
      if (other.shards.some((one) => one.shard === shard && one.first <= last)) return other.name;
  }
  return undefined;
}
