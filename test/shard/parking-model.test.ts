/**
 * Random interleavings of messages, repeats, reversals and answers of a device, against a naive reference: the software adapter, which
 * answers in the turn, given the same messages one by one in the order in which the shard decided them. Codes, balance, tries and
 * counter must be the same, every message is answered once, and one PIN or cryptogram of a card is asked about at a time.
 */
import { expect, it } from 'vitest';
import type { HsmRequest } from '#src/vault/hsm/port.js';
import { deviceOps } from '#src/vault/payshield/commands.js';
import { chipData, cvv2, everyRule, PAN } from '../support/chip-cards.js';
import { newHsm } from '../vault/hsm/support.js';
import { CardBench, RIGHT_PIN, WRONG_PIN } from './card-bench.js';
import { purchase } from './harness.js';

const SEEDS = 40;
const STEPS = 60;

type Fields = Record<number, string>;

function random(seed: number): (below: number) => number {
  let state = seed * 2654435761 + 1;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

const carried = (pick: number): Fields =>
  [
    {},
    { 52: RIGHT_PIN },
    { 52: RIGHT_PIN },
    { 52: WRONG_PIN },
    { 48: cvv2('191') },
    { 48: cvv2('192'), 52: WRONG_PIN },
    { 55: chipData('visa_cvn10') },
    { 52: RIGHT_PIN, 55: chipData('visa_cvn10') },
  ][pick] as unknown as Fields;

function reversalOf(stan: number, own: number): Fields {
  const six = String(stan).padStart(6, '0');
  const original = `0100${six}0615120000${'00000123456'}${'0'.repeat(11)}`;
  const fields = { ...(purchase(own, 100, { 0: '0400', 2: PAN, 37: `0000${six}00`, 90: original }) as Fields) };
  delete fields[63];
  return fields;
}

it.each(Array.from({ length: SEEDS }, (_, seed) => seed))('seed %i', (seed) => {
  const below = random(seed);
  const soft = newHsm();
  const bench = new CardBench({ cryptography: everyRule }, { deviceOps: [...deviceOps] });
  const sent = new Map<number, Fields>();
  const requests: Fields[] = [];
  const asked: { token: number; shard: number; request: HsmRequest }[] = [];
  let stan = 0;
  const send = (fields: Fields): void => {
    sent.set(bench.h.send(bench.card, fields), fields);
  };
  const answerOne = (): void => {
    const [one] = asked.splice(below(asked.length), 1);
    if (one !== undefined) bench.h.answer(one, soft.answer(one.request));
  };
  const turn = (): void => {
    bench.h.turn();
    asked.push(...bench.h.questions());
    const secret = asked.filter(({ request }) => request.op === 'verify_pin' || request.op === 'verify_arqc');
    expect(new Set(secret.map(({ request }) => request.op)).size).toBe(secret.length);
  };
  for (let step = 0; step < STEPS; step++) {
    const action = below(10);
    if (action < 3) {
      const fields = purchase(++stan, 100 + below(900), { 2: PAN, ...carried(below(8)) }) as Fields;
      requests.push(fields);
      send(fields);
    } else if (action === 3 && requests.length > 0) {
      send({ ...requests[below(requests.length)]!, 0: '0101' });
    } else if (action === 4 && requests.length > 0) {
      send(reversalOf(1 + below(stan), 500_000 + ++stan));
    } else answerOne();
    if (below(3) > 0) turn();
  }
  for (let i = 0; i < 500 && bench.h.answers.size < sent.size; i++) {
    answerOne();
    turn();
  }

  expect([...bench.h.answers.keys()].sort((a, b) => a - b)).toEqual([...sent.keys()]);
  const decided = new Map<number, number>();
  for (const [token, { sequence }] of [...bench.h.answers].sort(([a], [b]) => a - b))
    if (sequence > 0 && !decided.has(sequence)) decided.set(sequence, token);
  const reference = new CardBench();
  for (const [sequence, token] of [...decided].sort(([a], [b]) => a - b)) {
    const reply = reference.h.ask(reference.card, sent.get(token)!);
    const { fields } = bench.h.answers.get(token)!;
    expect([sequence, fields[39], fields[38], fields[55]]).toEqual([sequence, reply[39], reply[38], reply[55]]);
  }
  for (const [token, { sequence, fields }] of bench.h.answers) {
    if (sequence === 0) expect(fields[39]).toBe('91');
    else expect(fields[39]).toBe(bench.h.answers.get(decided.get(sequence)!)!.fields[39]);
    expect(sent.has(token)).toBe(true);
  }
  const facts = ({ h, card, tries, counter }: CardBench): unknown => [h.balances(0, card.account), tries, counter];
  expect(facts(bench)).toEqual(facts(reference));
});
