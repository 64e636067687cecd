/**
 * Scenario files: what a run is, as JSON, so that it can be kept, reviewed and repeated. A member is what the flag of the same name
 * says (`in_flight` is `--in-flight`), stages and mix are written out, and a flag of the command line goes before the file. Where the
 * server is and where output goes is no part of a scenario. The guide (docs/guides/load-test.md) lists the members.
 *
 * What is wrong is named by file and RFC 6901 pointer, as in `peak.json#/stages/1/rate`.
 */
import { readFileSync } from 'node:fs';
import { type Kind, kinds, type Mix } from './kinds.js';
import type { Stage } from './schedule.js';
import { FlagError, parseDuration, parseScaled } from './units.js';

/** JSON that a member takes. A number may have a suffix and then is a text: 5000 or "5k". */
type Form = 'text' | 'number' | 'boolean' | 'texts';

/** Members that are flags, by the name of the flag. */
const flagMembers = {
  rate: 'number',
  arrival: 'text',
  closed: 'boolean',
  'in-flight': 'number',
  connections: 'number',
  workers: 'number',
  duration: 'text',
  requests: 'number',
  warmup: 'text',
  timeout: 'text',
  'find-max': 'boolean',
  pace: 'text',
  accounts: 'number',
  distribution: 'text',
  amount: 'text',
  chip: 'number',
  seed: 'number',
  cards: 'text',
  threshold: 'texts',
  verify: 'boolean',
} as const satisfies Record<string, Form>;
export type ScenarioFlag = keyof typeof flagMembers;

/** Members of the file in the order in which the guide has them. */
export const scenarioMembers: readonly string[] = [
  'description',
  'stages',
  'mix',
  ...Object.keys(flagMembers).map((flag) => memberOf(flag)),
];

/** Longest file: a scenario is written by hand. */
const SCENARIO_BYTES_MAX = 64 * 1024;
const STAGES_MAX = 1000;

export interface Scenario {
  /** Values of flags as they would be typed. */
  readonly flags: Readonly<Partial<Record<ScenarioFlag, string | boolean | readonly string[]>>>;
  readonly stages: readonly Stage[] | undefined;
  readonly mix: Mix | undefined;
  /** Where a member stands, for messages: file and pointer. */
  readonly place: (member: string) => string;
}

/** No file: every value comes from a flag. */
export const noScenario: Scenario = { flags: {}, stages: undefined, mix: undefined, place: (member) => member };

/** Name of a flag's member. */
function memberOf(flag: string): string {
  return flag === 'threshold' ? 'thresholds' : flag.replaceAll('-', '_');
}

/** Where the value of a flag stands in the file. */
export const placeOfFlag = (scenario: Scenario, flag: ScenarioFlag): string => scenario.place(`/${memberOf(flag)}`);

/** @throws FlagError that names the file, and the pointer of what is wrong in it */
export function readScenario(file: string): Scenario {
  const place = (pointer: string): string => `${file}#${pointer}`;
  const root = objectOf(parseFile(file), place(''));
  for (const name of Object.keys(root)) {
    if (scenarioMembers.includes(name)) continue;
    throw new FlagError(`${place(`/${pointerToken(name)}`)}: unknown; members are ${scenarioMembers.join(', ')}`);
  }
  if (root.description !== undefined && typeof root.description !== 'string')
    throw new FlagError(`${place('/description')}: must be a text`);
  const flags: Partial<Record<ScenarioFlag, string | boolean | readonly string[]>> = {};
  for (const flag of Object.keys(flagMembers) as ScenarioFlag[]) {
    const value = root[memberOf(flag)];
    if (value !== undefined) flags[flag] = typed(value, flagMembers[flag], place(`/${memberOf(flag)}`));
  }
  return {
    flags,
    stages: root.stages === undefined ? undefined : readStages(root.stages, place),
    mix: root.mix === undefined ? undefined : readMix(root.mix, place('/mix'), true),
    place,
  };
}

function parseFile(file: string): unknown {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    throw new FlagError(`--scenario: ${error instanceof Error ? error.message : String(error)}`);
  }
  if (text.length > SCENARIO_BYTES_MAX) throw new FlagError(`--scenario: ${file} is longer than 64 KiB`);
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new FlagError(`--scenario: ${file} is not JSON: ${error instanceof Error ? error.message : String(error)}`);
  }
}

const pointerToken = (name: string): string => name.replaceAll('~', '~0').replaceAll('/', '~1');

function objectOf(value: unknown, place: string): Readonly<Record<string, unknown>> {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  throw new FlagError(`${place}: must be an object`);
}

function typed(value: unknown, form: Form, place: string): string | boolean | readonly string[] {
  if (form === 'boolean') {
    if (typeof value === 'boolean') return value;
    throw new FlagError(`${place}: must be true or false`);
  }
  if (form === 'texts') {
    if (!Array.isArray(value)) throw new FlagError(`${place}: must be a list of texts`);
    return value.map((one, i) => textOf(one, `${place}/${i}`));
  }
  return form === 'number' ? numberOf(value, place) : textOf(value, place);
}

function textOf(value: unknown, place: string): string {
  if (typeof value === 'string') return value;
  throw new FlagError(`${place}: must be a text`);
}

/** As it would be typed. */
function numberOf(value: unknown, place: string): string {
  if (typeof value === 'string' || (typeof value === 'number' && value >= 0)) return String(value);
  throw new FlagError(`${place}: must be a number, as 5000 or "5k"`);
}

function readStages(value: unknown, place: (pointer: string) => string): Stage[] {
  if (!Array.isArray(value) || value.length === 0) throw new FlagError(`${place('/stages')}: must be a list of stages`);
  if (value.length > STAGES_MAX) throw new FlagError(`${place('/stages')}: has more than ${STAGES_MAX} stages`);
  return value.map((one: unknown, i): Stage => {
    const at = `/stages/${i}`;
    const { duration, rate, mix, ...rest } = objectOf(one, place(at));
    const [unknown] = Object.keys(rest);
    if (unknown !== undefined)
      throw new FlagError(`${place(`${at}/${pointerToken(unknown)}`)}: unknown; a stage has duration, rate and mix`);
    const durationMs = parseDuration(place(`${at}/duration`), textOf(duration, place(`${at}/duration`)));
    const perSecond = parseScaled(place(`${at}/rate`), numberOf(rate, place(`${at}/rate`)));
    if (durationMs <= 0) throw new FlagError(`${place(`${at}/duration`)}: must be above 0`);
    if (perSecond <= 0) throw new FlagError(`${place(`${at}/rate`)}: must be above 0`);
    const own = mix === undefined ? {} : { mix: readMix(mix, place(`${at}/mix`), i === 0) };
    return { durationUs: durationMs * 1000, rate: perSecond, ...own };
  });
}

/** @param isFirst false for a later stage, which may refer to what the stages before it sent */
function readMix(value: unknown, place: string, isFirst: boolean): Mix {
  const weights = kinds.map(() => 0);
  for (const [name, weight] of Object.entries(objectOf(value, place))) {
    const kind = kinds.indexOf(name as Kind);
    const at = `${place}/${pointerToken(name)}`;
    if (kind < 0) throw new FlagError(`${at}: unknown; kinds are ${kinds.join(', ')}`);
    if (typeof weight !== 'number' || !(weight >= 0)) throw new FlagError(`${at}: must be a weight of 0 or more`);
    weights[kind] = weight;
  }
  return checkedMix(weights, place, isFirst);
}

/**
 * A mix that can be sent: something has a weight, and what refers to an earlier message finds one.
 * @param place flag or pointer, for the message @param isFirst of a run: nothing was sent before it @throws FlagError
 */
export function checkedMix(weights: readonly number[], place: string, isFirst = true): Mix {
  const [auth = 0, increment = 0, reversal = 0, , repeat = 0] = weights;
  if (weights.reduce((a, b) => a + b, 0) <= 0) throw new FlagError(`${place}: has no weight above 0`);
  if (isFirst && auth === 0 && increment + reversal + repeat > 0) {
    throw new FlagError(`${place}: has reversals, repeats or increments but no auth they could refer to`);
  }
  return weights;
}
