/**
 * One change after the other, for changes that read what they change. The control thread is the only one that changes
 * anything through commands, and a ring is read in order, so a change that waits here for the one before sees its effect.
 */
import type { ControlContext } from './context.js';

/** The last change of each object that has one under way; it never rejects. */
const underWay = new WeakMap<ControlContext, Map<string, Promise<void>>>();

/** Runs the change when those of the same object that came before have ended. */
export async function inTurn<T>(context: ControlContext, object: string, change: () => Promise<T>): Promise<T> {
  let last = underWay.get(context);
  if (last === undefined) {
    last = new Map();
    underWay.set(context, last);
  }
  const mine = (last.get(object) ?? Promise.resolve()).then(change);
  const ended = mine.then(
    () => undefined,
    () => undefined,
  );
  last.set(object, ended);
  try {
    return await mine;
  } finally {
    if (last.get(object) === ended) last.delete(object);
  }
}
