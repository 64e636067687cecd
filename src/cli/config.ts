/**
 * The configuration of `serve`: flag > environment > file > default, every value with its source. All problems are found
 * before any is reported, one line each: what, where, what is allowed.
 */
import { availableParallelism } from 'node:os';
import { join, normalize, resolve } from 'node:path';
import type { OidcSettings } from '../control/oidc.js';
import type { ProgramDefinition } from '../control/system-log.js';
import { HoldfastError } from '../errors.js';
import { faultVariables } from '../faults.js';
import { checkLinks, type LinkProfile } from '../ingress/links.js';
import { maskDigits } from '../pan-mask.js';
import { ServerTls, type TlsFiles } from '../server-tls.js';
import { hint } from '../suggest.js';
import { locate, type Problem, readDocument } from './config-file.js';
import type { EngineConfig } from './engine-types.js';
import { type HsmDevices, parseHsmAddresses } from './hsm-addresses.js';
import { KEK_VARIABLE } from './kek-source.js';
import { readLinks, standardLinks } from './links.js';
import { readPrograms } from './programs.js';
import {
  approvalKindsOf,
  canonicalKey,
  environmentName,
  parseBytes,
  type SettingName,
  settingNames,
  settingOf,
} from './settings.js';

export type Source = 'flag' | 'environment' | 'file' | 'default';

export interface Inputs {
  /** Values of given flags by setting name, plus `config`; texts, or booleans for switches. */
  flags: Readonly<Record<string, string | boolean>>;
  environment: Readonly<Record<string, string | undefined>>;
  /** Whether stderr is a terminal: decides the default of log-format. */
  terminal: boolean;
}

export interface ConfigEntry {
  name: SettingName;
  value: unknown;
  source: Source;
  /** `--tcp-port`, `HOLDFAST_TCP_PORT`, `holdfast.yaml:3`, or `default`. */
  where: string;
}

export interface LoadedConfig {
  config: EngineConfig;
  entries: ConfigEntry[];
}

/** Names of the environment that are no settings of `serve`: other commands and the tests read them. */
const otherEnvironment = [
  KEK_VARIABLE,
  'HOLDFAST_CONFIG',
  'HOLDFAST_ADMIN',
  'HOLDFAST_TOKEN',
  'HOLDFAST_DEBUG',
  ...['HOLDFAST_ADMIN_CA', 'HOLDFAST_ADMIN_CERT', 'HOLDFAST_ADMIN_KEY'],
  ...faultVariables,
];

/** What Kubernetes and Docker links add to every container beside a service named holdfast; no setting of ours. */
function isInjected(variable: string, text: string): boolean {
  if (/^HOLDFAST_(\w+_)?(SERVICE_(HOST|PORT)(_\w+)?|PORT_\d+_(TCP|UDP)(_(PROTO|PORT|ADDR))?)$/.test(variable))
    return true;
  return variable.endsWith('_PORT') && /^(tcp|udp):\/\//.test(text);
}

/**
 * @throws HoldfastError `config_invalid` with one line per problem.
 */
export function loadConfig(inputs: Inputs): LoadedConfig {
  const problems: Problem[] = [];
  const given = new Map<SettingName, ConfigEntry>();
  readFile(inputs, given, problems);
  readEnvironment(inputs, given, problems);
  readFlags(inputs, given, problems);
  const entries = settingNames.map((name) => given.get(name) ?? defaultEntry(name, given, inputs));
  const values = Object.fromEntries(entries.map((entry) => [entry.name, entry.value])) as Record<SettingName, unknown>;
  checkPlaces(entries, problems);
  const links = allLinks(values, entries, problems);
  const adminTls = adminTlsOf(values, entries, problems);
  const hsmDevices = hsmDevicesOf(values, entries, links, problems);
  const programs = typeof values.programs === 'string' ? readPrograms(values.programs, problems) : [];
  if (problems.length > 0) throw configError(problems);
  return { config: engineConfig(values, given.has('shards'), links, programs, adminTls, hsmDevices), entries };
}

export function configError(problems: readonly Problem[]): HoldfastError {
  const lines = problems.map(({ what, where, allowed }) => {
    const tail = allowed === '' ? '' : `; allowed: ${allowed}`;
    // What is quoted of a file may be anything, a card number too.
    return `${maskDigits(what)} [${where}]${tail}`;
  });
  return new HoldfastError('config_invalid', lines.join('\n'), 'holdfast serve --help');
}

function readFile(inputs: Inputs, given: Map<SettingName, ConfigEntry>, problems: Problem[]): void {
  const path = inputs.flags.config ?? inputs.environment.HOLDFAST_CONFIG;
  if (typeof path !== 'string' || path === '') return;
  const source = readDocument(path, problems);
  if (source === undefined || source.value === null) return;
  if (typeof source.value !== 'object' || Array.isArray(source.value)) {
    problems.push({ what: 'not a mapping of settings', where: path, allowed: 'lines of `key: value`' });
    return;
  }
  for (const [rawKey, value] of Object.entries(source.value)) {
    const key = canonicalKey(rawKey);
    const where = locate(source, [rawKey]);
    if (!isSetting(key))
      problems.push({ what: `unknown key "${rawKey}"${hint(key, settingNames)}`, where, allowed: '' });
    else if (given.has(key)) problems.push({ what: `${key}: written twice`, where, allowed: 'one spelling' });
    else accept({ name: key, value, source: 'file', where }, given, problems);
  }
}

function readEnvironment(inputs: Inputs, given: Map<SettingName, ConfigEntry>, problems: Problem[]): void {
  const names = new Map(settingNames.map((name) => [environmentName(name), name]));
  for (const [variable, text] of Object.entries(inputs.environment)) {
    if (!variable.startsWith('HOLDFAST_') || text === undefined || text === '') continue;
    const name = names.get(variable);
    if (name !== undefined) {
      accept({ name, value: fromText(name, text), source: 'environment', where: variable }, given, problems);
    } else if (
      !otherEnvironment.includes(variable) &&
      !variable.startsWith('HOLDFAST_TEST_') &&
      !isInjected(variable, text)
    ) {
      const what = `unknown environment variable${hint(variable, [...names.keys(), ...otherEnvironment])}`;
      problems.push({ what, where: variable, allowed: '' });
    }
  }
}

function readFlags(inputs: Inputs, given: Map<SettingName, ConfigEntry>, problems: Problem[]): void {
  for (const name of settingNames) {
    const value = inputs.flags[name];
    if (value === undefined) continue;
    const typed = typeof value === 'string' ? fromText(name, value) : value;
    accept(
      { name, value: typed, source: 'flag', where: value === false ? `--no-${name}` : `--${name}` },
      given,
      problems,
    );
  }
}

function isSetting(key: string): key is SettingName {
  return (settingNames as string[]).includes(key);
}

/** Text of a flag or the environment in the type of the setting; what is not of the type stays text and fails the schema. */
function fromText(name: SettingName, text: string): unknown {
  switch (settingOf(name).kind) {
    case 'integer':
      return /^\d{1,15}$/.test(text) ? Number(text) : text;
    case 'bytes':
      return parseBytes(text) ?? text;
    case 'boolean':
      return text === 'true' || text === '1' ? true : text === 'false' || text === '0' ? false : text;
    case 'text':
      return text;
  }
}

/** Checks an entry and lets it replace one of lower precedence; the order of the calls is the precedence. */
function accept(entry: ConfigEntry, given: Map<SettingName, ConfigEntry>, problems: Problem[]): void {
  const setting = settingOf(entry.name);
  const result = setting.schema.safeParse(entry.value);
  if (result.success) given.set(entry.name, { ...entry, value: result.data });
  else
    problems.push({
      what: `${entry.name}: got ${JSON.stringify(entry.value)}`,
      where: entry.where,
      allowed: setting.allowed,
    });
}

function defaultEntry(name: SettingName, given: ReadonlyMap<SettingName, ConfigEntry>, inputs: Inputs): ConfigEntry {
  return { name, value: defaultValue(name, given, inputs), source: 'default', where: 'default' };
}

function defaultValue(name: SettingName, given: ReadonlyMap<SettingName, ConfigEntry>, inputs: Inputs): unknown {
  switch (name) {
    case 'threads':
      return Math.max(1, availableParallelism() - 1);
    case 'key-file':
      return `${trimSlashes(String(given.get('data-dir')?.value ?? settingOf('data-dir').standard))}.keys`;
    case 'links':
    case 'programs':
    case 'backup-dir':
    case 'hsm':
    case 'hsm-keys':
    case 'hsm-ca-file':
    case 'hsm-cert-file':
    case 'hsm-key-file':
    case 'kek-file':
    case 'oidc-issuer':
    case 'admin-tls-cert-file':
    case 'admin-tls-key-file':
    case 'admin-tls-client-ca-file':
      return undefined;
    case 'log-format':
      return inputs.terminal ? 'pretty' : 'json';
    default:
      return settingOf(name).standard;
  }
}

function trimSlashes(path: string): string {
  return path.length > 1 ? path.replace(/\/+$/, '') : path;
}

/** The keys must not lie in the directory whose copies (backups, volumes) they protect. */
function checkPlaces(entries: readonly ConfigEntry[], problems: Problem[]): void {
  const dataDir = entries.find(({ name }) => name === 'data-dir')!;
  const keyFile = entries.find(({ name }) => name === 'key-file')!;
  const folder = join(resolve(String(dataDir.value)), '/');
  const hsmKeys = entries.find(({ name }) => name === 'hsm-keys');
  const kekFile = entries.find(({ name }) => name === 'kek-file');
  for (const file of [keyFile, kekFile, hsmKeys]) {
    if (typeof file?.value !== 'string' || !normalize(resolve(file.value)).startsWith(folder)) continue;
    const what = `${file.name}: inside the data directory, so a copy of the directory would carry its keys`;
    problems.push({ what, where: file.where, allowed: 'a path outside data-dir' });
  }
  const backups = entries.find(({ name }) => name === 'backup-dir');
  if (typeof backups?.value === 'string' && normalize(join(resolve(backups.value), '/')).startsWith(folder)) {
    const what = 'backup-dir: inside the data directory, whose loss its backups are for';
    problems.push({ what, where: backups.where, allowed: 'a path outside data-dir' });
  }
}

/** What a setting says wrongly has its default here, which no link is held against. */
function allLinks(
  values: Record<SettingName, unknown>,
  entries: readonly ConfigEntry[],
  problems: Problem[],
): LinkProfile[] {
  const defaults = {
    host: values.host as string,
    tcpPort: values['tcp-port'] as number,
    wsPort: values['ws-port'] as number,
    framing: values.framing as LinkProfile['framing'],
    headerBytes: values['header-bytes'] as number,
    dialect: values.dialect as LinkProfile['dialect'],
    inFlightMax: values['link-in-flight-max'] as number,
    deadlineMs: values['deadline-ms'] as number,
  };
  const isSettled = problems.length === 0;
  const path = values.links as string | undefined;
  const fromFile = path === undefined ? [] : readLinks(path, defaults, problems);
  const standard = standardLinks(defaults).map((link) => fromFile.find(({ name }) => name === link.name) ?? link);
  const links = [...standard, ...fromFile.filter(({ name }) => name !== 'tcp' && name !== 'ws')];
  const admin = { name: 'admin-port', host: defaults.host, port: values['admin-port'] as number };
  const bound: (Address & { name: string })[] = isSettled ? [admin] : [];
  for (const link of isSettled ? links : fromFile) {
    const other = bound.find((one) => clash(one, link));
    if (other !== undefined) {
      const where = fromFile.includes(link) ? path! : placeOf(`${link.name}-port`, entries);
      problems.push({
        what: `link ${link.name}: port ${link.port} is that of ${other.name}`,
        where,
        allowed: 'a port of its own',
      });
    }
    bound.push(link);
  }
  for (const link of links) tryLink(link, path ?? 'link', problems);
  return links;
}

/** The ingress's own check, which also opens the files of TLS. */
function tryLink(link: LinkProfile, where: string, problems: Problem[]): void {
  try {
    checkLinks([link]);
    if (link.tls !== undefined) new ServerTls(link.name, link.tls);
  } catch (error) {
    if (!(error instanceof HoldfastError)) throw error;
    problems.push({ what: error.message, where, allowed: error.next });
  }
}

/** The files of the HTTP API's certificate, opened once. */
function adminTlsOf(
  values: Record<SettingName, unknown>,
  entries: readonly ConfigEntry[],
  problems: Problem[],
): TlsFiles | undefined {
  const certFile = values['admin-tls-cert-file'] as string | undefined;
  const keyFile = values['admin-tls-key-file'] as string | undefined;
  const clientCaFile = values['admin-tls-client-ca-file'] as string | undefined;
  if (certFile === undefined && keyFile === undefined && clientCaFile === undefined) return undefined;
  const where = entries.find(({ name, source }) => name.startsWith('admin-tls-') && source !== 'default')!.where;
  if (certFile === undefined || keyFile === undefined) {
    const allowed = 'admin-tls-cert-file and admin-tls-key-file together';
    problems.push({ what: 'admin-tls: a certificate needs its key, and authorities need both', where, allowed });
    return undefined;
  }
  if (values.demo === true) {
    const what = 'demo: its cards are created over the API, which asks for TLS here';
    problems.push({ what, where, allowed: 'admin-tls without demo' });
  }
  const files = { certFile, keyFile, ...(clientCaFile === undefined ? {} : { clientCaFile }) };
  try {
    new ServerTls('admin', files);
  } catch (error) {
    if (!(error instanceof HoldfastError)) throw error;
    problems.push({ what: error.message, where, allowed: error.next });
  }
  return files;
}

/** The devices and their files. */
function hsmDevicesOf(
  values: Record<SettingName, unknown>,
  entries: readonly ConfigEntry[],
  links: readonly LinkProfile[],
  problems: Problem[],
): HsmDevices | undefined {
  const [hsm, keyFile, caFile, certFile, tlsKeyFile] = (
    ['hsm', 'hsm-keys', 'hsm-ca-file', 'hsm-cert-file', 'hsm-key-file'] as const
  ).map((name) => values[name] as string | undefined);
  const problem = (name: string, what: string, allowed: string): void => {
    problems.push({ what, where: placeOf(name, entries), allowed });
  };
  if (hsm === undefined) {
    for (const name of ['hsm-ca-file', 'hsm-cert-file', 'hsm-key-file'] as const)
      if (values[name] !== undefined) problem(name, `${name}: there are no devices`, `${name} with hsm`);
    return undefined;
  }
  if (keyFile === undefined) problem('hsm', 'hsm: devices are sent their keys', 'hsm with hsm-keys');
  if (values['allow-software-pin'] === true)
    problem('allow-software-pin', 'allow-software-pin: PINs are checked by the devices', 'either of the two');
  if (links.some(({ mac }) => mac !== undefined))
    problem('hsm', 'hsm: MACs of links are made in software', 'hsm without links that have a mac');
  if ((certFile === undefined) !== (tlsKeyFile === undefined) || (certFile !== undefined && caFile === undefined))
    problem('hsm', 'hsm: a certificate needs its key and hsm-ca-file', 'hsm-cert-file, hsm-key-file and hsm-ca-file');
  const own = certFile === undefined || tlsKeyFile === undefined ? {} : { certFile, keyFile: tlsKeyFile };
  const tls = caFile === undefined ? {} : { tls: { caFile, ...own } };
  return { addresses: parseHsmAddresses(hsm) ?? [], keyFile: keyFile ?? '', ...tls };
}

function oidcOf(values: Record<SettingName, unknown>): OidcSettings | undefined {
  const issuer = values['oidc-issuer'] as string | undefined;
  const [audience, roleClaim] = [values['oidc-audience'] as string, values['oidc-role-claim'] as string];
  return issuer === undefined ? undefined : { issuer, audience, roleClaim };
}

interface Address {
  host: string;
  port: number;
}

/** Port 0 never clashes; a wildcard address takes the port on every host. */
function clash(a: Address, b: Address): boolean {
  if (a.port !== b.port || a.port === 0) return false;
  return a.host === b.host || [a.host, b.host].some((host) => host === '0.0.0.0' || host === '::');
}

function placeOf(name: string, entries: readonly ConfigEntry[]): string {
  return entries.find((entry) => entry.name === name)?.where ?? 'default';
}

/** The values passed the schemas of `settings`, so the casts only name what they checked. */
function engineConfig(
  v: Record<SettingName, unknown>,
  shardsGiven: boolean,
  links: LinkProfile[],
  programs: ProgramDefinition[],
  adminTls: TlsFiles | undefined,
  hsmDevices: HsmDevices | undefined,
): EngineConfig {
  return {
    dataDir: v['data-dir'] as string,
    keyFile: v['key-file'] as string,
    kekFile: v['kek-file'] as string | undefined,
    hsmKeys: v['hsm-keys'] as string | undefined,
    hsmDevices,
    allowSoftwarePin: v['allow-software-pin'] as boolean,
    threads: v.threads as number,
    shards: v.shards as number,
    shardsGiven,
    cardsMax: v['cards-max'] as number,
    host: v.host as string,
    adminPort: v['admin-port'] as number,
    adminTls,
    oidc: oidcOf(v),
    approvals: { kinds: approvalKindsOf(v.approvals as string)!, fromAmount: v['approvals-from'] as number },
    links,
    programs,
    wsAdapter: v['ws-adapter'] as EngineConfig['wsAdapter'],
    deadlineMs: v['deadline-ms'] as number,
    admissionRateMax: v['admission-rate-max'] as number,
    duplicateWindowMs: (v['duplicate-window-hours'] as number) * 3_600_000,
    diskReserveBytes: v['disk-reserve-bytes'] as number,
    journalFolderBytes: v['journal-folder-bytes'] as number,
    stopLimitMs: v['stop-limit-ms'] as number,
    webhooksAllowPrivate: v['webhooks-allow-private'] as boolean,
    clearingFileBytesMax: v['clearing-file-bytes-max'] as number,
    clearingMode: v['clearing-mode'] as EngineConfig['clearingMode'],
    backupDir: v['backup-dir'] as string | undefined,
    demo: v.demo as boolean,
    logLevel: v['log-level'] as EngineConfig['logLevel'],
    logFormat: v['log-format'] as EngineConfig['logFormat'],
  };
}
