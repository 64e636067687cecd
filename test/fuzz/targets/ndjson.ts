/**
 * Bulk imports. The first byte of an input chooses the size of the chunks. Held against every input: the lines do not depend on the cuts,
 * and are those of a naive splitter; every line is counted once, as created or as refused with its number and a reason that repeats no
 * number as long as a card number; a line that is refused leaves no card number behind.
 */
import { BulkImport } from '#src/control/bulk-import.js';
import { LineSplitter } from '#src/control/lines.js';
import { BULK_LINE_BYTES_MAX } from '#src/limits.js';
import { type Harness, makeHarness } from '../../control/harness.js';
import type { Random } from '../../crash/random.js';
import { mutateJson } from '../json-mutator.js';
import { joined } from '../mutators.js';
import { type FuzzTarget, must, type OpenTarget, utf8, type Verdict } from '../target.js';
import { repeats } from './issuer-json.js';

const INPUTS_PER_HARNESS = 200;

function* chunks(bytes: Uint8Array, size: number): Generator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) {
    // A copy: what was pushed may be overwritten afterwards.
    const chunk = bytes.slice(at, at + size);
    yield chunk;
    chunk.fill(0x7b);
  }
}

async function* stream(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  yield* chunks(bytes, size);
}

function linesOf(bytes: Uint8Array, size: number): string[] {
  const out: string[] = [];
  const splitter = new LineSplitter(
    (line, number) => out.push(`${number} ${Buffer.from(line).toString('latin1')}`),
    (number) => out.push(`${number} too long`),
  );
  for (const chunk of chunks(bytes, size)) splitter.push(chunk);
  splitter.end();
  return out;
}

function naiveLines(bytes: Uint8Array): string[] {
  const lines = Buffer.from(bytes).toString('latin1').split('\n');
  // What stands behind the last end of a line is a line only when it is something.
  if (lines.at(-1) === '') lines.pop();
  return lines.map((line, i) => `${i + 1} ${line.length > BULK_LINE_BYTES_MAX ? 'too long' : line}`);
}

class NdjsonTarget implements OpenTarget {
  #h: Harness | undefined;
  #inputs = 0;

  async run(input: Uint8Array): Promise<Verdict> {
    const size = 1 + (input[0] ?? 0) * 3;
    const bytes = input.subarray(1);
    const wanted = naiveLines(bytes).join('\n');
    for (const cut of [size, 1 << 16]) {
      const lines = linesOf(bytes, cut).join('\n');
      must(lines === wanted, () => `lines in chunks of ${cut}: ${lines}`);
    }
    if (this.#h === undefined || this.#inputs++ % INPUTS_PER_HARNESS === 0) await this.#renew();
    const h = this.#h!;
    const numbers = h.vault.pans.size;
    const { rows, accounts, cards, rejected, rejects } = await new BulkImport(h.context, new Uint8Array(32)).run(
      stream(bytes, size),
    );
    const nonEmpty = naiveLines(bytes).filter((line) => utf8(line).length > 0 && this.#counts(line)).length;
    must(rows === nonEmpty, () => `${rows} rows of ${nonEmpty} lines`);
    must(rejected <= rows && rejects.length === Math.min(rejected, 1000), () => `${rejected} of ${rows} refused`);
    // A row may be refused with its account made: then its card was refused.
    must(
      accounts <= rows && cards <= accounts && rows - rejected <= accounts,
      () => `${rows} rows, ${accounts} accounts, ${cards} cards`,
    );
    const lines = wanted.split('\n').length;
    const text = Buffer.from(bytes).toString('latin1');
    for (const { line, detail, code } of rejects) {
      must(line >= 1 && line <= lines && /^[a-z_]+$/.test(code), () => `refused ${code} in line ${line} of ${lines}`);
      must(!repeats(detail, text), () => `a refusal repeats a number: ${detail}`);
    }
    must(h.vault.pans.size - numbers <= rows, () => 'more numbers are kept than there are rows');
    must(!repeats(h.logged().slice(-2000), text), () => 'the log repeats a number');
    return rows > 0 && rejected < rows ? 'accepted' : 'refused';
  }

  /** Lines of nothing but blanks are not counted. */
  #counts(line: string): boolean {
    const text = Buffer.from(line.replace(/^\d+ /, ''), 'latin1').toString('utf8');
    return line.endsWith(' too long') || text.trim() !== '';
  }

  async #renew(): Promise<void> {
    await this.close();
    this.#h = makeHarness({ shards: 2 });
  }

  async close(): Promise<void> {
    if (this.#h === undefined) return;
    await this.#h.app.close();
    await this.#h.webhooks.stop();
    this.#h.engine.close();
  }
}

const rows = [
  { account: { currency: 'BRL', credit_limit: 1000 } },
  { account: { id: 'acc-1', currency: 'BRL' }, card: { expiry: '2912', status: 'active' } },
  {
    account: { type: 'credit' },
    card: { pan: '9999990000000014', expiry: '2912', sequence: 1, controls: { per_transaction: 5 } },
  },
];

function mutate(random: Random, input: Uint8Array, other: Uint8Array): Uint8Array {
  const lines = Buffer.from(input.subarray(1)).toString('utf8').split('\n');
  const at = random.int(0, lines.length - 1);
  const others = Buffer.from(other.subarray(1)).toString('utf8').split('\n');
  switch (random.int(0, 5)) {
    case 0:
      lines.splice(at, 0, random.pick(others));
      break;
    case 1:
      lines.splice(at, 1);
      break;
    case 2:
      lines.splice(
        at,
        0,
        random.pick(['', ' ', '\r', '{', '[]', 'null', 'x'.repeat(random.pick([8191, 8192, 8193, 9000]))]),
      );
      break;
    default: {
      const changed = mutateJson(random, utf8(lines[at]!), utf8(random.pick(others)), [
        'account',
        'card',
        'pan',
        'expiry',
        'controls',
        'BRL',
        'acc-1',
        '9999990000000014',
      ]);
      lines[at] = Buffer.from(changed).toString('utf8');
    }
  }
  return joined(Uint8Array.of(random.int(0, 255)), utf8(lines.join('\n')));
}

export const targets: readonly FuzzTarget[] = [
  {
    name: 'ndjson',
    reads: 'streams of a bulk import, to real shards in memory',
    focus: ['control/lines', 'control/bulk-import', 'control/schemas', 'control/card-numbers', 'domain/controls/parse'],
    inputsInCi: 300,
    bytesMax: 20_000,
    work: { base: 100_000, perByte: 200 },
    seeds: () => [
      joined(Uint8Array.of(9), utf8(`${rows.map((row) => JSON.stringify(row)).join('\n')}\n`)),
      ...rows.map((row) => joined(Uint8Array.of(80), utf8(JSON.stringify(row)))),
    ],
    words: () => ['\n', '\r\n', '{"account":{}}\n', '\ufeff'].map(utf8),
    mutate,
    open: () => new NdjsonTarget(),
  },
];
