/**
 * Reads plain JSON values and collects what is wrong with them: each problem with an RFC 6901 pointer and a reason. A reason
 * never repeats the value it refuses, which may be a card number.
 */

export interface ControlProblem {
  /** Of the place in the controls object; '' is the object itself. */
  readonly pointer: string;
  readonly detail: string;
}

/** More problems than a person reads at once are not collected. */
const PROBLEMS_MAX = 20;

export class JsonReader {
  readonly problems: ControlProblem[] = [];

  fail(pointer: string, detail: string): undefined {
    if (this.problems.length < PROBLEMS_MAX) this.problems.push({ pointer, detail });
    return undefined;
  }

  /** The members of an object; other members than the known ones are a problem. */
  members(value: unknown, pointer: string, known: readonly string[]): Readonly<Record<string, unknown>> | undefined {
    if (!isObject(value)) return this.fail(pointer, 'must be an object');
    for (const name of Object.keys(value)) {
      if (known.includes(name)) continue;
      this.fail(memberPointer(pointer, name), `unknown property; known are ${known.join(', ')}`);
    }
    return value;
  }

  /** The entries of an array; undefined when it is none or too long. */
  entries(value: unknown, pointer: string, most: number): readonly unknown[] | undefined {
    if (!Array.isArray(value)) return this.fail(pointer, 'must be a list');
    if (value.length > most) return this.fail(pointer, `has more than ${most} entries`);
    return value as unknown[];
  }

  integer(value: unknown, pointer: string, least: number, most: number): number | undefined {
    if (typeof value === 'number' && Number.isSafeInteger(value) && value >= least && value <= most) return value;
    return this.fail(pointer, `must be an integer from ${least} to ${most}`);
  }

  oneOf<T extends string>(value: unknown, pointer: string, words: readonly T[]): T | undefined {
    const found = words.find((word) => word === value);
    return found ?? this.fail(pointer, `must be one of ${words.join(', ')}`);
  }
}

/** Where a member of this name stands; of a name that may be a card number the object that has it. */
export function memberPointer(pointer: string, name: string): string {
  return /^[A-Za-z_]{1,40}$/.test(name) ? `${pointer}/${name}` : pointer;
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
