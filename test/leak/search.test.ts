/** The search of the leak test finds what it looks for: leaks of every kind, encoding and place, and nothing where there is none. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { cp500 } from '../support/ebcdic.js';
import { FORM_BYTES_MAX, forms, type Marks, marksOf, search } from './marks.js';
import { eachUsed, readMemory } from './memory.js';

/** Bytes that look like anything; the same in every run. */
function noise(length: number): Buffer {
  let state = 0x2545f491;
  return Buffer.from(
    Array.from({ length }, () => {
      state = Math.imul(state ^ (state >>> 15), 0x2c1b3c6d) + 1;
      return state >>> 24;
    }),
  );
}

const hexOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
/** Digits as packed by a dialect: from the left, or behind a zero nibble. */
const packed = (digits: string, shift: 0 | 1): Buffer => {
  const padded = `${'0'.repeat(shift)}${digits}`;
  return Buffer.from(padded.length % 2 === 0 ? padded : `${padded}0`, 'hex');
};

/** What somebody could write by mistake, made without the table of the search. */
const texts: readonly [string, (text: string) => Buffer][] = [
  ['ASCII', (text) => Buffer.from(text)],
  ['JSON', (text) => Buffer.from(JSON.stringify({ request: { field: text } }))],
  ['UTF-16', (text) => Buffer.from(text, 'utf16le')],
  ['EBCDIC', cp500],
  ['hex', (text) => Buffer.from(hexOf(Buffer.from(text)))],
  ['upper-case hex', (text) => Buffer.from(hexOf(Buffer.from(text)).toUpperCase())],
  ['hex of EBCDIC', (text) => Buffer.from(hexOf(cp500(text)))],
  ['JSON of a buffer', (text) => Buffer.from(JSON.stringify(Buffer.from(text)))],
  ...[0, 1, 2].map((offset): [string, (text: string) => Buffer] => [
    `base64 of a message, ${offset} bytes before`,
    (text) => Buffer.from(Buffer.from(`${'x'.repeat(offset)}${text}yz`).toString('base64')),
  ]),
  ...[0, 1, 2].map((offset): [string, (text: string) => Buffer] => [
    `base64 of EBCDIC, ${offset} bytes before`,
    (text) => Buffer.from(Buffer.concat([noise(offset), cp500(text), noise(2)]).toString('base64')),
  ]),
];

const packings: readonly [string, (digits: string) => Buffer][] = ([0, 1] as const).flatMap((shift) => [
  named(`BCD shifted by ${shift}`, (digits) => packed(digits, shift)),
  named(`hex of BCD shifted by ${shift}`, (digits) => Buffer.from(hexOf(packed(digits, shift)))),
  ...[0, 1, 2].map((offset) =>
    named(`base64 of BCD shifted by ${shift}, ${offset} bytes before`, (digits) =>
      Buffer.from(Buffer.concat([noise(offset), packed(digits, shift), noise(2)]).toString('base64')),
    ),
  ),
]);

function named(how: string, encode: (text: string) => Buffer): [string, (text: string) => Buffer] {
  return [how, encode];
}

const binaries: readonly [string, (hex: string) => Buffer][] = [
  ['raw', (hex) => Buffer.from(hex, 'hex')],
  ['hex', (hex) => Buffer.from(hex.toLowerCase())],
  ['upper-case hex', (hex) => Buffer.from(hex)],
  ['JSON of a buffer', (hex) => Buffer.from(JSON.stringify(Buffer.from(hex, 'hex')))],
  ...[0, 1, 2].map((offset): [string, (hex: string) => Buffer] => [
    `base64, ${offset} bytes before`,
    (hex) => Buffer.from(Buffer.concat([noise(offset), Buffer.from(hex, 'hex'), noise(2)]).toString('base64')),
  ]),
];

/** Every kind with all that can become of it. */
type Planted = [mark: keyof Marks, kind: string, how: string, encode: (text: string) => Buffer];
const planted: readonly Planted[] = [
  ...(['pan', 'track2', 'track1', 'cvv2'] as const).flatMap((mark) =>
    texts.map((one): Planted => [mark, kindOf(mark), ...one]),
  ),
  ...(['pan', 'cvv2'] as const).flatMap((mark) => packings.map((one): Planted => [mark, mark, ...one])),
  ...packings.map(([how, encode]): Planted => ['track2', 'pan', how, (text) => encode(text.slice(0, 16))]),
  ...(['pinBlock', 'cryptogram', 'linkKey'] as const).flatMap((mark) =>
    binaries.map((one): Planted => [mark, mark, ...one]),
  ),
];

/** A track has the number in it. */
function kindOf(mark: keyof Marks): string {
  return mark === 'track2' ? 'pan' : mark === 'track1' ? 'name' : mark;
}

describe('the search', () => {
  test.each(planted)('finds %s (as %s) in %s, of every message, at any place', (mark, kind, _how, encode) => {
    for (const n of [0, 1, 77, 4999, 9999]) {
      for (const before of [0, 1, 1000]) {
        const bytes = Buffer.concat([noise(before), encode(marksOf(n)[mark]), noise(500)]);
        expect(search('here', bytes).map((hit) => hit.kind)).toContain(kind);
      }
    }
  });

  test('finds the digits of the issuer in a track without its number', () => {
    const digits = marksOf(42).track2.split('=')[1]!;
    for (const [, encode] of [...texts, ...packings]) {
      const hits = search('here', Buffer.concat([encode(digits), noise(9)]));
      expect(hits.map((hit) => hit.kind)).toContain('stripe');
    }
  });

  test('finds no mark where there is none: noise, masked numbers, other numbers', () => {
    expect(search('noise', noise(4_000_000))).toEqual([]);
    const { pan } = marksOf(7);
    expect(search('masked', Buffer.from(`999999******${pan.slice(-4)} ${pan.slice(0, 6)} ${pan.slice(-4)}`))).toEqual(
      [],
    );
    expect(search('other', Buffer.from('9999990000000014 4111111111111111'))).toEqual([]);
  });

  test('each form is found where a piece ends, by the overlap of the pieces', () => {
    for (const { bytes } of forms) {
      expect(bytes.length).toBeGreaterThanOrEqual(5);
      expect(bytes.length).toBeLessThanOrEqual(FORM_BYTES_MAX);
    }
  });

  test('what lies between zeros is visited whole, at any place', () => {
    for (const { bytes: form } of [forms[0]!, forms.find(({ encoding }) => encoding === 'UTF-16')!]) {
      for (const at of [0, 65_536 - form.length + 1, 65_536 - 1, 65_536, 200_000, 300_000 - form.length]) {
        const bytes = Buffer.alloc(300_000);
        form.copy(bytes, at);
        let hits = 0;
        let visited = 0;
        eachUsed(bytes, FORM_BYTES_MAX, (part) => {
          visited += part.length;
          if (part.indexOf(form) >= 0) hits++;
        });
        expect([at, hits]).toEqual([at, 1]);
        expect(visited).toBeLessThan(140_000);
      }
    }
    eachUsed(Buffer.alloc(300_000), FORM_BYTES_MAX, () => expect.unreachable());
  });

  test('marks are of their message alone, and the numbers are card numbers', () => {
    const all = Array.from({ length: 1000 }, (_, n) => marksOf(n));
    for (const mark of ['pan', 'track1', 'cvv2', 'pinBlock', 'cryptogram', 'linkKey'] as const)
      expect(new Set(all.map((one) => one[mark])).size).toBe(1000);
    expect(marksOf(12).track2.length).toBeLessThanOrEqual(37);
    expect(marksOf(12).track1.length).toBeLessThanOrEqual(76);
    expect(marksOf(9999).pan).toMatch(/^9{6}\d{10}$/);
  });
});

test.skipIf(!existsSync('/proc/self/pagemap'))(
  'finds what another process has in its memory: strings, buffers, shared memory, of a thread',
  async () => {
    // Joined in the process, so that nothing but the place has the whole.
    const held: readonly [kind: string, text: string, keep: string][] = [
      ['pan', marksOf(1).pan, 'text'],
      ['cvv2', marksOf(2).cvv2, 'Buffer.from(text)'],
      ['name', marksOf(3).track1, 'Buffer.alloc(3_000_000).fill(0), kept[0].write(text, 2_999_900)'],
      [
        'pinBlock',
        marksOf(4).pinBlock,
        "new Uint8Array(new SharedArrayBuffer(99_999)).fill(0), kept[0].set(Buffer.from(text, 'hex'), 77_777)",
      ],
      [
        'cryptogram',
        marksOf(5).cryptogram,
        "new Worker('const kept = Buffer.from(require(`node:worker_threads`).workerData, `hex`); setInterval(() => kept[0], 1000)', { eval: true, workerData: text })",
      ],
    ];
    for (const [kind, text, keep] of held) {
      const program = `
      const { Worker } = require('node:worker_threads');
      process.stdin.once('data', (letters) => {
        const text = letters.toString().trim().split(',').join('');
        letters.fill(0);
        const kept = [];
        kept[0] = ${keep};
        globalThis.kept = kept;
        setTimeout(() => console.log('there'), 200);
      });
      setInterval(() => undefined, 1000);`;
      const child = spawn(process.execPath, ['-e', program], { stdio: ['pipe', 'pipe', 'inherit'] });
      try {
        child.stdin.write(`${Array.from(text).join(',')}\n`);
        await once(child.stdout, 'data');
        const kinds = new Set<string>();
        const bytes = readMemory(child.pid!, FORM_BYTES_MAX, (piece, where) => {
          for (const hit of search(where, piece)) kinds.add(hit.kind);
        });
        expect(bytes).toBeGreaterThan(5_000_000);
        expect(kinds, keep).toContain(kind);
      } finally {
        child.kill('SIGKILL');
      }
    }
  },
);
