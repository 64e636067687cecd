/**
 * Defects for the stress to find: each is one wrong line in a file of the ring. `found` says what this kind of machine can show:
 * `soon` within seconds, most with the window of the defect held open; `in time` in long runs; `rare` possible by the rules of x86 but not
 * seen; `never` because x86 keeps stores in order (an ARM server may show those).
 */
import { askScenario, type Defect, directoryScenario, floodScenario, type RoleSpec } from './stress.js';

export interface KnownDefect {
  readonly name: string;
  readonly found: 'soon' | 'in time' | 'rare' | 'never';
  readonly scenario: () => RoleSpec[];
  readonly defect: Defect;
}

const store = 'Atomics.store(this.#words, TAIL, this.#tail | 0);';
/** Keeps the window of a defect open for some microseconds, so that a busy machine shows it in seconds as well. */
const wait = (array: string, rounds = 3000): string => `for (let i = ${rounds}; i > 0; i--) Atomics.load(${array}, 0);`;
const open = wait('this.#words');

export const defects: readonly KnownDefect[] = [
  {
    name: 'the tail is published before the entry is written',
    found: 'soon',
    scenario: () => floodScenario(false),
    defect: {
      module: 'ring',
      replace: 'this.#payloadAt = at + ENTRY_HEADER_BYTES;',
      by: `this.#payloadAt = at + ENTRY_HEADER_BYTES; Atomics.store(this.#words, TAIL, (this.#tail + need) | 0); ${open}`,
    },
  },
  {
    name: 'the tail is published before the header of the entry',
    found: 'in time',
    scenario: () => floodScenario(false),
    defect: {
      module: 'ring',
      replace: 'const length = entryBytes(payload);',
      by: 'const length = entryBytes(payload); Atomics.store(this.#words, TAIL, (this.#tail + length) | 0);',
    },
  },
  {
    name: 'an entry is given back before it is read',
    found: 'soon',
    scenario: () => floodScenario(false),
    defect: {
      module: 'ring',
      replace: 'if (this.bytes[this.#at + 4] !== 0)',
      by: `Atomics.store(this.#words, HEAD, (this.#head + this.#view.getUint32(this.#at, true)) | 0); ${open} if (this.bytes[this.#at + 4] !== 0)`,
    },
  },
  {
    name: 'the wiping comes after the giving back',
    found: 'soon',
    scenario: () => floodScenario(true),
    defect: {
      module: 'ring',
      replace: 'const from = this.#released & (this.#capacity - 1);',
      by: `const from = this.#released & (this.#capacity - 1); Atomics.store(this.#words, HEAD, this.#head | 0); ${open}`,
    },
  },
  {
    name: 'the ring takes eight bytes more than there are',
    found: 'soon',
    scenario: () => floodScenario(false),
    defect: {
      module: 'ring',
      replace:
        'this.#cachedHead = Atomics.load(this.#words, HEAD) >>> 0;\n        return this.capacity - ((this.#tail - this.#cachedHead) >>> 0) >= total;',
      by: 'this.#cachedHead = Atomics.load(this.#words, HEAD) >>> 0;\n        return this.capacity + 8 - ((this.#tail - this.#cachedHead) >>> 0) >= total;',
    },
  },
  {
    name: 'nobody looks once more before the sleep',
    found: 'soon',
    scenario: () => askScenario(1),
    defect: { module: 'wake', replace: 'if (!hasWork())\n            Atomics.wait(', by: `${open} Atomics.wait(` },
  },
  {
    name: 'the counter is read after the last look',
    found: 'soon',
    scenario: () => askScenario(1),
    defect: {
      module: 'wake',
      replace: 'Atomics.wait(this.#words, COUNTER, seen, timeoutMs);',
      by: `{ ${open} Atomics.wait(this.#words, COUNTER, Atomics.load(this.#words, COUNTER), timeoutMs); }`,
    },
  },
  {
    name: 'the flag is raised after the last look',
    found: 'soon',
    scenario: () => askScenario(1),
    defect: {
      module: 'wake',
      replace: 'if (!hasWork())\n            Atomics.wait(',
      by: `Atomics.store(this.#words, SLEEPING, 0); const work = hasWork(); ${open} Atomics.store(this.#words, SLEEPING, 1); if (!work) Atomics.wait(`,
    },
  },
  {
    name: 'a signal takes the flag and wakes nobody when another has come before',
    found: 'soon',
    scenario: () => askScenario(3),
    defect: {
      module: 'wake',
      replace: 'Atomics.add(this.#words, COUNTER, 1);',
      by: '',
      window: {
        replace: 'Atomics.wait(this.#words, COUNTER, seen, timeoutMs);',
        by: `{ ${open} Atomics.wait(this.#words, COUNTER, seen, timeoutMs); }`,
      },
    },
  },
  {
    name: 'the tail is a plain store, which a later load overtakes',
    found: 'rare',
    scenario: () => askScenario(1),
    defect: { module: 'ring', replace: store, by: 'this.#words[TAIL] = this.#tail | 0;' },
  },
  {
    name: 'a card is in the directory before its fingerprint',
    found: 'soon',
    scenario: () => directoryScenario(4_000_000),
    defect: {
      module: 'directory',
      replace: 'words[at + 1] = f0 | 0;',
      by: `words[at + 1] = f0 | 0; Atomics.store(words, at, (((shard << 24) | cardSlot) + 1) | 0); ${wait('words', 300)}`,
    },
  },
  {
    name: 'a card is published by a plain store',
    found: 'never',
    scenario: () => directoryScenario(400_000),
    defect: {
      module: 'directory',
      replace: 'Atomics.store(words, at, (((shard << 24) | cardSlot) + 1) | 0);',
      by: 'words[at] = (((shard << 24) | cardSlot) + 1) | 0;',
    },
  },
  {
    name: 'what was consumed is given back by a plain store',
    found: 'never',
    scenario: () => floodScenario(false),
    defect: {
      module: 'ring',
      replace: 'Atomics.store(this.#words, HEAD, this.#head | 0);',
      by: 'this.#words[HEAD] = this.#head | 0;',
    },
  },
];
