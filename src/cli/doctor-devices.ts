/**
 * What `holdfast doctor` asks each device of card cryptography: whether it can be reached, whether it answers a host command, and
 * whether it takes the keys of the file. A device that is not there, or is set up otherwise, is told apart from one whose master key is another.
 */
import { monotonicUs } from '../clock.js';
import type { ProgramRecord } from '../control/system-log.js';
import { HoldfastError } from '../errors.js';
import { HSM_CONNECT_MS, HSM_TIMEOUT_MS } from '../limits.js';
import type { HsmRequest, HsmVerdict } from '../vault/hsm/port.js';
import { CommandMaker, echoCommand } from '../vault/payshield/commands.js';
import { type ConnectionTarget, DeviceConnection } from '../vault/payshield/connection.js';
import type { DeviceKeys } from '../vault/payshield/device-keys.js';
import { loadDeviceKeys } from '../vault/payshield/key-file.js';
import { HEADER_CHARS } from '../vault/payshield/payshield-hsm.js';
import type { Finding } from './doctor.js';
import { missingIn, type Question, questionsOf, tookKeys } from './doctor-questions.js';
import type { HsmDevices } from './hsm-addresses.js';
import { tlsOf } from './hsm-devices.js';

/** What to do about a connection that does not come about, by the code of the system or of TLS. */
const advice: readonly (readonly [RegExp, string])[] = [
  [/^ECONNREFUSED$/, 'nothing listens there: look at the host port of the device'],
  [/^(ENOTFOUND|EAI_AGAIN)$/, 'the name is not known: look at --hsm and the name server'],
  [/^(EHOSTUNREACH|ENETUNREACH|ETIMEDOUT|no connection in time)$/, 'look at the address, the network and firewalls'],
  [/CERT|SIGNED|UNABLE|ALTNAME/, 'its certificate is not one of --hsm-ca-file, or names another host'],
  [/SSL|TLS|EPROTO/, 'it speaks no TLS, or another version: take --hsm-ca-file away, or set TLS up on the device'],
  [/^(ECONNRESET|closed)/, 'it hung up: it may want TLS (--hsm-ca-file), our certificate, or our address on its list'],
];

/**
 * One finding for the file of keys, when it cannot be read, one for each device, and one for each key that a program names in vain.
 * @param programs of the data directory, the newest revisions
 */
export async function devices(
  { addresses, keyFile, tls }: HsmDevices,
  programs: readonly ProgramRecord[] = [],
): Promise<Finding[]> {
  let keys: DeviceKeys;
  let secured: ReturnType<typeof tlsOf> | undefined;
  try {
    keys = loadDeviceKeys(keyFile);
    secured = tls && tlsOf(tls);
  } catch (error) {
    if (!(error instanceof HoldfastError)) throw error;
    return [{ check: 'hsm', verdict: 'fail', text: `${error.message}. ${error.next}`, values: { device: null } }];
  }
  const questions = questionsOf(keys.infos, programs);
  const examined = await Promise.all(
    addresses.map(async ({ host, port }): Promise<Finding> => {
      const target = { host, port, headerChars: HEADER_CHARS, ...(secured === undefined ? {} : { tls: secured }) };
      const device = `${host}:${port}`;
      const { verdict, text, echoUs } = await examine(target, keys, questions);
      return { check: 'hsm', verdict, text: `${device} ${text}`, values: { device, echo_us: echoUs ?? null } };
    }),
  );
  return [...examined, ...missingIn(keys.infos, programs)];
}

type Examined = Pick<Finding, 'verdict' | 'text'> & { readonly echoUs?: number };

async function examine(target: ConnectionTarget, keys: DeviceKeys, questions: readonly Question[]): Promise<Examined> {
  let ended = '';
  let connection: DeviceConnection | undefined;
  const reason = await new Promise<string>((resolve) => {
    const timer = setTimeout(() => resolve('no connection in time'), HSM_CONNECT_MS);
    const say = (why: string): void => {
      clearTimeout(timer);
      ended = why;
      resolve(why);
    };
    connection = new DeviceConnection(target, { up: () => say(''), down: say, late: () => undefined });
  });
  try {
    if (reason !== '') return { verdict: 'fail', text: `cannot be reached (${reason}): ${adviceFor(reason)}` };
    const beganUs = monotonicUs();
    const echo = await connection!.send(echoCommand(), HSM_TIMEOUT_MS);
    const echoUs = Math.round(monotonicUs() - beganUs);
    if (echo.outcome !== 'ok') return { verdict: 'fail', text: noHost(echo, ended) };
    return { ...(await askKeys(connection!, keys, questions, echoUs)), echoUs };
  } finally {
    connection?.close();
  }
}

function adviceFor(reason: string): string {
  return advice.find(([pattern]) => pattern.test(reason))?.[1] ?? 'look at the device and the way to it';
}

function noHost(verdict: HsmVerdict, ended: string): string {
  const why = ended !== '' ? ended : verdict.outcome === 'failed' ? verdict.detail : 'it says no';
  return `does not answer a host command (${why}): is this its host port, is the length of its message header ${HEADER_CHARS}, does it want TLS, is command B2 allowed?`;
}

async function askKeys(
  connection: DeviceConnection,
  keys: DeviceKeys,
  questions: readonly Question[],
  echoUs: number,
): Promise<Examined> {
  const maker = new CommandMaker(keys);
  const refused: string[] = [];
  const taken = new Set<string>();
  const asked = new Set(questions.flatMap((question) => question.keys));
  for (const question of questions) {
    const verdict = await ask(connection, maker, question.request);
    if (tookKeys(verdict)) for (const key of question.keys) taken.add(key);
    else if (verdict.outcome === 'failed') refused.push(`${question.keys.join(' with ')}: ${verdict.detail}`);
  }
  const ms = (echoUs / 1000).toFixed(1);
  if (refused.length === 0)
    return {
      verdict: 'ok',
      text: `answers in ${ms} ms, and takes ${taken.size} of ${asked.size} keys for CVVs, PINs and chips`,
    };
  const next = 'keys of the file are under another master key (LMK), or the device has the command disabled';
  return { verdict: 'fail', text: `answers in ${ms} ms, and takes not every key: ${refused.join('; ')}. ${next}` };
}

async function ask(connection: DeviceConnection, maker: CommandMaker, request: HsmRequest): Promise<HsmVerdict> {
  const command = maker.make(request);
  return 'outcome' in command ? command : connection.send(command, HSM_TIMEOUT_MS);
}
