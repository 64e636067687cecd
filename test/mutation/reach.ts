/** What the run that counts and the process that asks for it agree on. */
export const COUNTERS = '__holdfastReached';
/** There were 23 000 when this was written. */
export const MUTANTS_MAX = 1 << 15;

export function reachedFolder(): string {
  const folder = process.env.HOLDFAST_REACHED;
  if (folder === undefined) throw new Error('HOLDFAST_REACHED is not set');
  return folder;
}
