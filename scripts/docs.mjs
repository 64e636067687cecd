// Generates the tables of docs/reference from the program itself, between markers, so that a page cannot say something
// else than the code. `node scripts/docs.mjs` writes the pages, `--check` only compares (status 1 when one differs).
// Reads dist: build first.
import { readFileSync, writeFileSync } from 'node:fs';
import { ctfProfile } from '../dist/clearing/ctf/profile.js';
import { findingSpecs } from '../dist/clearing/findings.js';
import { ipmProfile, ipmV1 } from '../dist/clearing/ipm/profile.js';
import { linkKeys } from '../dist/cli/links.js';
import { buildProgram } from '../dist/cli/program.js';
import { environmentName, settings } from '../dist/cli/settings.js';
import { ExitStatus, errorCodes } from '../dist/errors.js';

const page = (name) => new URL(`../docs/reference/${name}.md`, import.meta.url);
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

const parts = {
  clearing: {
    findings: findingsTable,
    kinds: kindsTable,
    elements: elementsTable,
    pds: pdsTable,
    'ctf-codes': ctfCodesTable,
    'ctf-fields': ctfFieldsTable,
  },
  configuration: { settings: settingsTable, links: linksTable },
  cli: { commands: () => commandSection(buildProgram(io), ['holdfast']) },
  errors: { codes: errorTable },
};

function render(name, text) {
  let result = text;
  for (const [part, make] of Object.entries(parts[name])) {
    const begin = `<!-- generated: ${part} (node scripts/docs.mjs) -->`;
    const end = `<!-- end: ${part} -->`;
    const from = result.indexOf(begin);
    const to = result.indexOf(end);
    if (from < 0 || to < from) throw new Error(`docs/reference/${name}.md lacks the markers of "${part}"`);
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
  if (check) console.error(`docs/reference/${name}.md differs from the program: run node scripts/docs.mjs`);
  else writeFileSync(page(name), wanted);
}
process.exitCode = check && differing > 0 ? 1 : 0;
