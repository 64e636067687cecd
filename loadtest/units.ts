/**
 * What people type: durations (`500ms`, `30s`, `5m`, `1h`), counts (`50k`, `1m`, `2.5k`) and ranges (`100-5000`). Each
 * parser throws a FlagError that names the flag, the text and an example, so that the command can end with 104.
 */

/** A flag that cannot be used: what, where, and an example of what would work. Exit status 104. */
export class FlagError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'FlagError';
  }
}

const durationFactors: Readonly<Record<string, number>> = { us: 0.001, ms: 1, s: 1000, m: 60_000, h: 3_600_000 };

/** Milliseconds of a duration text. A bare number counts seconds, as in wrk and hey. */
export function parseDuration(flag: string, text: string): number {
  const match = /^(\d+(?:\.\d+)?)(us|ms|s|m|h)?$/.exec(text.trim());
  if (!match) throw new FlagError(`${flag}: '${text}' is not a duration; write for example 500ms, 30s or 5m`);
  return Number(match[1]) * durationFactors[match[2] ?? 's']!;
}

/** A number with an optional suffix k (thousand) or m (million). */
export function parseScaled(flag: string, text: string): number {
  const match = /^(\d+(?:\.\d+)?)([kKmM])?$/.exec(text.trim());
  if (!match) throw new FlagError(`${flag}: '${text}' is not a number; write for example 500, 50k or 1m`);
  const suffix = match[2]?.toLowerCase();
  return Number(match[1]) * (suffix === 'k' ? 1000 : suffix === 'm' ? 1_000_000 : 1);
}

/** A whole number with an optional suffix, within [min, max]. */
export function parseCount(flag: string, text: string, min: number, max: number): number {
  const value = parseScaled(flag, text);
  if (!Number.isInteger(value) || value < min || value > max) {
    throw new FlagError(`${flag}: '${text}' must be a whole number from ${min} to ${max}`);
  }
  return value;
}

/** `low-high` or one number, whole minor units. */
export function parseRange(flag: string, text: string, max: number): { low: number; high: number } {
  const match = /^(\d+)(?:-(\d+))?$/.exec(text.trim());
  const low = Number(match?.[1]);
  const high = Number(match?.[2] ?? match?.[1]);
  if (!match || low < 1 || high < low || high > max) {
    throw new FlagError(
      `${flag}: '${text}' is not a range of minor units from 1 to ${max}; write for example 100-5000`,
    );
  }
  return { low, high };
}

/** `1.2k`-style rendering of rates for people; JSON has the exact figure. */
export function showRate(perSecond: number): string {
  if (perSecond >= 100_000) return `${(perSecond / 1000).toFixed(0)}k`;
  if (perSecond >= 10_000) return `${(perSecond / 1000).toFixed(1)}k`;
  return perSecond.toFixed(perSecond >= 100 ? 0 : 1);
}

/** Microseconds for people: three significant figures with a unit. */
export function showUs(us: number): string {
  if (!Number.isFinite(us)) return 'n/a';
  if (us < 1000) return `${Math.round(us)}us`;
  if (us < 1_000_000) return `${(us / 1000).toFixed(us < 10_000 ? 2 : us < 100_000 ? 1 : 0)}ms`;
  return `${(us / 1_000_000).toFixed(2)}s`;
}
