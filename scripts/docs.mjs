// Generates tables of the docs from the program itself and from the files that long runs write, between markers, so that a page
// cannot say something else. `node scripts/docs.mjs` writes the pages, `--check` only compares (status 1 when one differs).
// Reads dist: build first.
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { ctfProfile } from '../dist/clearing/ctf/profile.js';
import { findingSpecs } from '../dist/clearing/findings.js';
import { ipmProfile, ipmV1 } from '../dist/clearing/ipm/profile.js';
import { linkKeys } from '../dist/cli/links.js';
import { buildProgram } from '../dist/cli/program.js';
import { environmentName, settings } from '../dist/cli/settings.js';
import { ExitStatus, errorCodes } from '../dist/errors.js';

const page = (name) => new URL(`../docs/${name}.md`, import.meta.url);
const figures = new URL('../docs/internals/figures/', import.meta.url);
const cell = (text) => String(text).replaceAll('|', '\\|');
const table = (head, rows) =>
  [head, head.map(() => '---'), ...rows].map((row) => `| ${row.map(cell).join(' | ')} |`).join('\n');

function settingsTable() {
  const rows = Object.entries(settings).map(([name, { text, allowed, standard, computed }]) => [
    `\`${name}\``,
    `\`--${name}\``,
    `\`${environmentName(name)}\``,
    computed && !standard.startsWith('<') ? standard : `\`${standard}\``,
    allowed,
    text,
  ]);
  return table(['key', 'flag', 'environment', 'default', 'allowed', 'meaning'], rows);
}

function linksTable() {
  const rows = Object.entries(linkKeys).map(([name, [, allowed, standard, text]]) => [
    `\`${name}\``,
    standard,
    allowed,
    text,
  ]);
  return table(['key', 'default', 'allowed', 'meaning'], rows);
}

const io = { terminal: { outIsTty: false, errIsTty: false, environment: {} }, status: 0 };

function commandSection(command, path) {
  const help = [];
  command.configureOutput({ writeOut: (text) => help.push(text) });
  command.outputHelp();
  const title = path.join(' ');
  const fence = '```';
  const own = `## ${title}\n\n${fence}text\n${help.join('').trimEnd()}\n${fence}`;
  const inner = command.commands
    .filter((one) => one.name() !== 'help')
    .map((one) => (one.name() === 'loadtest' ? loadtestSection() : commandSection(one, [...path, one.name()])));
  return [own, ...inner].join('\n\n');
}

function loadtestSection() {
  return '## holdfast loadtest\n\nThe load generator has flags and exit statuses of its own: `holdfast loadtest --help`.';
}

function errorTable() {
  const statusName = Object.fromEntries(Object.entries(ExitStatus).map(([name, status]) => [status, name]));
  const rows = Object.entries(errorCodes).map(([code, status]) => [`\`${code}\``, status, statusName[status]]);
  return table(['code', 'exit status', 'name of the status'], rows);
}

const words = (name) => name.replaceAll('_', ' ');

function findingsTable() {
  const rows = Object.entries(findingSpecs).map(([code, { rule, severity, text }]) => [
    `\`${code}\``,
    rule,
    severity,
    text,
  ]);
  return table(['code', 'rule', 'severity', 'meaning'], rows);
}

function kindsTable() {
  const must = (kind) => (ipmV1.required[kind] ?? []).map((field) => `DE${field}`).join(' ');
  const rows = Object.entries(ipmV1.kinds).map(([type, kind]) => [type, words(kind), must(kind)]);
  return table(['type/function', 'kind', 'must have'], rows);
}

function elementsTable() {
  return table(
    ['element', 'format', 'name'],
    [...ipmProfile.fields.values()].map(({ field, format, name }) => [`DE${field}`, format, name]),
  );
}

function pdsTable() {
  const rows = [...ipmProfile.pds.values()].map(({ tag, name, form, parts }) => [
    `PDS${String(tag).padStart(4, '0')}`,
    name,
    form,
    parts.map((part) => `${words(part.name)} ${part.length}`).join(', '),
  ]);
  return table(['subelement', 'name', 'form', 'parts'], rows);
}

function ctfCodesTable() {
  const rows = [...ctfProfile.codes].map(([code, { name, kinds, processingCode, reversal }]) => [
    String(code).padStart(2, '0'),
    name,
    words(kinds[0] === kinds[1] ? kinds[0] : `${kinds[0]}, usage 2: ${kinds[1]}`),
    processingCode,
    reversal ? 'yes' : '',
  ]);
  return table(['code', 'name', 'kind', 'processing code', 'reversal'], rows);
}

function ctfFieldsTable() {
  const rows = Object.entries(ctfProfile.layouts).flatMap(([layout, fields]) =>
    Object.entries(fields).map(([name, [component, from, length]]) => [
      layout,
      `TCR${component}`,
      `${from}-${from + length - 1}`,
      words(name),
    ]),
  );
  return table(['layout', 'component', 'positions', 'field'], rows);
}

/** A line per run whose figures are kept; `tell` says what a file holds. */
const runs = {
  'simulation.json': (run) =>
    `${whole(run.seeds)} seeds, ${whole(run.messages)} messages, ${whole(run.crashes)} crashes, ${whole(
      run.simulatedSeconds,
    )} simulated seconds in ${whole(run.seconds)}, ${run.failures.length} failures`,
  'crash.json': (run) => `${whole(run.kills)} kills, ${run.findings.length} findings`,
  'fuzz.json': (run) => `${whole(run.inputs)} inputs over ${run.results.length} runs`,
  'mutation.json': (run) => `${whole(run.mutants)} mutants, ${run.killed} killed, ${run.equivalent} equivalent`,
};
const whole = (number) => Math.round(number).toLocaleString('en').replaceAll(',', ' ');

function figuresTable() {
  const rows = Object.entries(runs).map(([name, tell]) => {
    const file = new URL(name, figures);
    if (!existsSync(file)) return [name.replace('.json', ''), 'no run is kept yet', '', ''];
    const run = JSON.parse(readFileSync(file, 'utf8'));
    return [`[${name.replace('.json', '')}](figures/${name})`, tell(run), run.measured, run.conditions];
  });
  return table(['run', 'what', 'when', 'conditions'], rows);
}

/** Kills of the last long run, by what went on. */
function crashTable() {
  const file = new URL('crash.json', figures);
  if (!existsSync(file)) return 'No run is kept yet.';
  const { kills, by_phase: byPhase, findings, minutes, measured, conditions } = JSON.parse(readFileSync(file, 'utf8'));
  const text = `${whole(kills)} kills in ${whole(minutes)} minutes, ${findings.length} findings (${measured}; ${conditions}).`;
  return `${text}\n\n${table(['phase', 'kills'], Object.entries(byPhase))}`;
}

const parts = {
  'internals/crash-testing': { kills: crashTable },
  'internals/how-it-is-tested': { figures: figuresTable },
  'reference/clearing': {
    findings: findingsTable,
    kinds: kindsTable,
    elements: elementsTable,
    pds: pdsTable,
    'ctf-codes': ctfCodesTable,
    'ctf-fields': ctfFieldsTable,
  },
  'reference/configuration': { settings: settingsTable, links: linksTable },
  'reference/cli': { commands: () => commandSection(buildProgram(io), ['holdfast']) },
  'reference/errors': { codes: errorTable },
};

function render(name, text) {
  let result = text;
  for (const [part, make] of Object.entries(parts[name])) {
    const begin = `<!-- generated: ${part} (node scripts/docs.mjs) -->`;
    const end = `<!-- end: ${part} -->`;
    const from = result.indexOf(begin);
    const to = result.indexOf(end);
    if (from < 0 || to < from) throw new Error(`docs/${name}.md lacks the markers of "${part}"`);
    result = `${result.slice(0, from + begin.length)}\n${make()}\n${result.slice(to)}`;
  }
  return result;
}

const check = process.argv.includes('--check');
let differing = 0;
for (const name of Object.keys(parts)) {
  const text = readFileSync(page(name), 'utf8');
  const wanted = render(name, text);
  if (wanted === text) continue;
  differing++;
  if (check) console.error(`docs/${name}.md differs from the program: run node scripts/docs.mjs`);
  else writeFileSync(page(name), wanted);
}
process.exitCode = check && differing > 0 ? 1 : 0;
