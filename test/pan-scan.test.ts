/** The scanner for card numbers: encodings, what stands alone, ranges, pieces of files, and this repository itself. */
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { afterAll, describe, expect, it, test } from 'vitest';
import { findPans } from '#src/pan-scan.js';
import { luhnCheckDigit } from '#src/vault/pan.js';
import { built } from './support/built.js';

/** Complete numbers are made here, so that this file has none in it. */
const pan = (body: string): string => body + String(luhnCheckDigit(body));
const VISA = pan('411111000022223');
const OWN = pan('999999123456789');

const folder = mkdtempSync(join(tmpdir(), 'holdfast-pans-'));
afterAll(() => rmSync(folder, { recursive: true }));

const text = (value: string): Uint8Array => Buffer.from(value, 'latin1');
const ebcdic = (value: string): Uint8Array =>
  Uint8Array.from(value, (c) => (c >= '0' && c <= '9' ? 0xf0 + Number(c) : c === ' ' ? 0x40 : 0xc1));
const groups = (value: string, by: string): string => value.replace(/(\d{4})(?=\d)/g, `$1${by}`);
const found = (bytes: Uint8Array, options = {}): string[] =>
  findPans(bytes, options).map(({ offset, encoding, pan: number }) => `${offset} ${encoding} ${number}`);

describe('what is found', () => {
  it.each<[string, Uint8Array, object, string[]]>([
    ['a number in a text', text(`paid with ${VISA}.`), {}, [`10 ascii ${VISA}`]],
    ['in groups with blanks', text(`x ${groups(VISA, ' ')} y`), {}, [`2 ascii ${VISA}`]],
    ['in groups with hyphens', text(groups(VISA, '-')), {}, [`0 ascii ${VISA}`]],
    ['as the first part of a track', text(`${VISA}=29121010000`), {}, [`0 ascii ${VISA}`]],
    ['behind other groups', text(`12 ${VISA} 34`), {}, [`3 ascii ${VISA}`]],
    ['in EBCDIC', ebcdic(`AB${VISA}C`), {}, [`2 ebcdic ${VISA}`]],
    ['in UTF-16', Buffer.from(`a${VISA}b`, 'utf16le'), {}, [`2 utf16 ${VISA}`]],
    ['in UTF-16 at an odd place', Buffer.concat([text('x'), Buffer.from(VISA, 'utf16le')]), {}, [`1 utf16 ${VISA}`]],
    ['of a network, with a wrong check digit', text(`${VISA.slice(0, -1)}${(Number(VISA.at(-1)) + 1) % 10}`), {}, []],
    ['of a network, inside longer digits', text(`7${VISA}`), {}, []],
    ['of no network', text(OWN), {}, []],
    ['in other groups', text(groups(VISA, ' ').replace(/^(\d{4}) /, '$1')), {}, []],
    ['in numbers of fields', text('DE 4 1 11 1 1 00 002222 3'), {}, []],
    ['behind a decimal point', text(`17.${VISA}`), {}, []],
    ['behind a sentence', text(`See 17. ${VISA}`), {}, [`8 ascii ${VISA}`]],
    ['one digit again and again', text('4'.repeat(16)), {}, []],
    ['of a length that the network does not have', text(pan('41111100002222')), {}, []],
    ['the own one', text(OWN), { bins: ['999999'] }, [`0 ascii ${OWN}`]],
    ['the own one inside longer digits', text(`0016${OWN}000000`), { bins: ['999999'] }, [`4 ascii ${OWN}`]],
    ['the own one packed', Buffer.from(`ab${OWN}cd`, 'hex'), { bins: ['999999'] }, [`1 bcd ${OWN}`]],
    [
      'the own one packed, from the middle of a byte',
      Buffer.from(`a${OWN}d`, 'hex').subarray(0),
      { bins: ['999999'] },
      [`0 bcd ${OWN}`],
    ],
    ['another one packed', Buffer.from(`ab${VISA}cd`, 'hex'), { bins: ['999999'] }, []],
    ['of an allowed range', text(VISA), { allowed: ['411111'] }, []],
  ])('%s', (_, bytes, options, expected) => {
    expect(found(bytes, options)).toEqual(expected);
  });

  it('is every number of a network, wherever it stands', () => {
    const body = fc.tuple(fc.constantFrom('4', '51', '55', '2221', '2720'), fc.stringMatching(/^\d{14}$/));
    const filling = fc.stringMatching(/^[a-z=;]{0,40}$/);
    fc.assert(
      fc.property(body, filling, filling, ([prefix, rest], before, after) => {
        const number = pan((prefix + rest).slice(0, 15));
        fc.pre(!/^(\d)\1*$/.test(number));
        expect(found(text(before + number + after))).toEqual([`${before.length} ascii ${number}`]);
      }),
    );
  });
});

describe('holdfast pan-scan', () => {
  const run = (...args: string[]): { status: number | null; stdout: string; stderr: string } =>
    spawnSync(process.execPath, [fileURLToPath(built('cli/main.js')), 'pan-scan', ...args], { encoding: 'utf8' });

  test('names file, line and byte, shows the number masked, and ends with 1', () => {
    const path = join(folder, 'a');
    mkdirSync(path);
    writeFileSync(join(path, 'log'), `one\ntwo ${VISA}\n`);
    symlinkSync(join(path, 'log'), join(path, 'link'));
    const { status, stdout } = run(path);
    expect(stdout).toBe(
      `${join(path, 'log')}:2 (byte 8, ascii): 411111******${VISA.slice(-4)}\n1 files, 25 bytes, 1 card numbers, 0 not read\n`,
    );
    expect(status).toBe(1);
  });

  test('finds a number at every place around the ends of its pieces, once', () => {
    const path = join(folder, 'large');
    const piece = 4 * 2 ** 20;
    const places = Array.from({ length: 12 }, (_, i) => piece - 340 + i * 31);
    for (const place of places) {
      const bytes = Buffer.alloc(piece + 2000, 0x78);
      bytes.write(VISA, place, 'latin1');
      writeFileSync(`${path}-${place}`, bytes);
    }
    const { status, stdout } = run(...places.map((place) => `${path}-${place}`), '--json');
    const { findings } = JSON.parse(stdout) as { findings: { path: string; offset: number }[] };
    expect(findings.map(({ offset }) => offset)).toEqual(places);
    expect(status).toBe(1);
  }, 60_000);

  test('ends with 0 without one, with 65 when a file could not be read, with 64 for a prefix that is none', () => {
    const path = join(folder, 'clean');
    writeFileSync(path, OWN);
    expect(run(path)).toMatchObject({ status: 0, stdout: '1 files, 16 bytes, 0 card numbers, 0 not read\n' });
    expect(run(path, '--bin', '999999')).toMatchObject({ status: 1 });
    expect(run(join(folder, 'none'), path)).toMatchObject({ status: 65, stderr: expect.stringContaining('none') });
    expect(run(path, '--bin', 'x')).toMatchObject({ status: 64, stderr: expect.stringContaining('--bin x') });
  });
});

const root = fileURLToPath(new URL('..', import.meta.url));
const isCheckout = existsSync(join(root, '.git'));
test.skipIf(!isCheckout)(
  `no file of this repository has a card number${isCheckout ? '' : ' (skipped: no checkout)'}`,
  () => {
    const paths = execFileSync('git', ['ls-files', '-z'], { cwd: root, encoding: 'utf8' }).split('\0').filter(Boolean);
    expect(paths.length).toBeGreaterThan(500);
    // Numbers that networks publish for tests, and those that nobody can have.
    const allowed = ['400000', '41111111', '555555555', '37828224'];
    const findings = paths
      .filter((path) => existsSync(join(root, path)))
      .flatMap((path) =>
        findPans(readFileSync(join(root, path)), { allowed }).map(
          ({ offset, pan: number }) => `${path} ${offset} ${number.slice(0, 6)}`,
        ),
      );
    expect(findings).toEqual([]);
  },
  60_000,
);
