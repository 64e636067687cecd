// The one entry of every npm script. With `ignore-scripts` npm skips prestart and pretest, so each command does its own
// set-up here: install what the lock file names when node_modules does not hold it yet, build when a source is newer.
import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const bin = (name) => join(root, 'node_modules', '.bin', name);

function run(command, args, options = {}) {
  const result = spawnSync(command, args, { cwd: root, stdio: 'inherit', ...options });
  if (result.error) throw result.error;
  return result.status ?? 70;
}

function mustRun(command, args, options) {
  const status = run(command, args, options);
  if (status !== 0) process.exit(status);
}

/** Installs from the lock file when it differs from what the last set-up installed. */
function install() {
  const stamp = join(root, 'node_modules', '.holdfast-setup');
  const wanted = createHash('sha256')
    .update(readFileSync(join(root, 'package-lock.json')))
    .digest('hex');
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted) return;
  console.error('holdfast: installing the packages of package-lock.json');
  mustRun('npm', ['ci', '--no-progress'], { stdio: ['ignore', 2, 2] });
  writeFileSync(stamp, wanted);
}

function newest(folder) {
  let time = 0;
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) time = Math.max(time, newest(path));
    else if (entry.name.endsWith('.ts')) time = Math.max(time, statSync(path).mtimeMs);
  }
  return time;
}

/** Compiles src to dist and the tools to dist/tools, when a source is newer than the last build. */
function build({ force = false } = {}) {
  const stamp = join(root, 'dist', '.built');
  const sources = Math.max(...['src', 'loadtest', 'bench'].map((folder) => newest(join(root, folder))));
  if (!force && existsSync(stamp) && statSync(stamp).mtimeMs > sources) return;
  mustRun(bin('tsc'), ['-b', 'tsconfig.tools.json'], { stdio: ['ignore', 2, 2] });
  writeFileSync(stamp, '');
}

/** Compiles the simulator; the compiler itself knows what has changed. */
function buildSim() {
  mustRun(bin('tsc'), ['-p', 'tsconfig.sim.json'], { stdio: ['ignore', 2, 2] });
}

/** Flags of node for programs of the tests, which are not compiled beforehand. */
const loader = ['--import', new URL('../test/fuzz/loader.mjs', import.meta.url).href];
const mutate = join(root, 'test/mutation/main.ts');

function foreground(args) {
  const child = spawn(process.execPath, args, { cwd: process.env.INIT_CWD ?? root, stdio: 'inherit' });
  for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => child.kill(signal));
  child.on('exit', (code, signal) => process.exit(code ?? (signal === 'SIGKILL' ? 137 : 70)));
}

/** Of a run with more files, so many are told that took longest. */
const FILES_TOLD = 15;

/** Runs tests, ends with the line that sums them up, and returns the exit status. */
function test(args) {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-test-'));
  const report = join(folder, 'report.json');
  const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${report}`];
  const status = run(bin('vitest'), ['run', ...reporters, ...args]);
  if (!existsSync(report)) {
    console.log('0 passed, 1 failed, 0 skipped');
    return status || 1;
  }
  const result = JSON.parse(readFileSync(report, 'utf8'));
  rmSync(folder, { recursive: true });
  const failedFiles = result.testResults.filter(
    (file) => file.status === 'failed' && file.assertionResults.length === 0,
  ).length;
  for (const file of result.testResults) {
    for (const one of file.assertionResults) {
      if (one.status === 'skipped' || one.status === 'pending' || one.status === 'todo')
        console.log(`skipped: ${one.fullName}`);
    }
  }
  const took = ({ startTime, endTime }) => (endTime - startTime) / 1000;
  const longest = result.testResults.sort((one, other) => took(other) - took(one)).slice(0, FILES_TOLD);
  if (result.testResults.length > FILES_TOLD)
    for (const file of longest) console.log(`${took(file).toFixed(1).padStart(6)} s  ${relative(root, file.name)}`);
  // What fails outside a test, or ends the process of one, is in no result: the status tells it.
  const failed = Math.max(result.numFailedTests + failedFiles, status === 0 ? 0 : 1);
  const skipped = result.numPendingTests + result.numTodoTests;
  console.log(`${result.numPassedTests} passed, ${failed} failed, ${skipped} skipped`);
  return status !== 0 ? status : failed > 0 || result.numPassedTests === 0 ? 1 : 0;
}

/** Tests that have a long version. */
const longTests = [
  'domain/model',
  'domain/whole-stream',
  'recon/whole-day',
  'process/whole-day',
  'process/overload',
  'process/hostile',
  'process/retention',
  'process/scale',
  'loadtest/soak',
  'crash',
  'sim',
  'stress',
];

/**
 * The long versions, one file after the other, so that none takes the machine from another; before them the mutation check, so that
 * the line that sums up the tests stays the last.
 */
function long(args) {
  process.env.HOLDFAST_LONG ??= '10';
  process.env.HOLDFAST_CRASH_ROUNDS ??= '1000';
  process.env.HOLDFAST_CRASH_REPORT ??= join(root, 'docs/internals/figures/crash.json');
  process.env.HOLDFAST_STRESS_SECONDS ??= '600';
  process.env.HOLDFAST_SIM_SECONDS ??= '1800';
  if (args.length > 0) return test(['--no-file-parallelism', ...args]);
  const mutation = run(process.execPath, [...loader, mutate]);
  return test(['--no-file-parallelism', ...longTests.map((name) => `test/${name}`)]) || mutation;
}

/** One of the checks: its output is shown when it is done, then its name. True when it passed. */
function checkStep([name, command, args]) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] });
    const output = [];
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => output.push(chunk));
    child.on('error', reject);
    child.on('close', (code) => {
      process.stdout.write(Buffer.concat(output));
      console.log(`${code === 0 ? 'ok  ' : 'FAIL'} ${name}`);
      resolve(code === 0);
    });
  });
}

/** The type-aware lint takes as long as all others together: it runs beside them. */
async function check() {
  const lint = checkStep(['type-aware lint', bin('eslint'), ['.', '--max-warnings', '0']]);
  let passed = true;
  for (const step of [
    ['format and lint', bin('biome'), ['check', '--error-on-warnings', '.']],
    ['types', bin('tsc'), ['-p', 'tsconfig.json']],
    ['rooms', bin('depcruise'), ['src', 'loadtest', 'bench', '--output-type', 'err']],
    ['dead code', bin('knip'), []],
  ])
    passed = (await checkStep(step)) && passed;
  process.exit((await lint) && passed ? 0 : 1);
}

const [command, ...args] = process.argv.slice(2);
switch (command) {
  case 'start':
    install();
    build();
    foreground([join(root, 'dist/cli/main.js'), 'serve', '--demo', ...args]);
    break;
  case 'test':
    install();
    build();
    process.exit(test(args));
    break;
  case 'long':
    install();
    build();
    process.exit(long(args));
    break;
  case 'build':
    install();
    build({ force: true });
    break;
  case 'check':
    install();
    build();
    await check();
    break;
  case 'bench':
    install();
    build();
    foreground(['--expose-gc', join(root, 'dist/tools/bench/main.js'), ...args]);
    break;
  case 'profile':
    install();
    build();
    foreground([join(root, 'dist/tools/bench/profile.js'), ...args]);
    break;
  case 'soak':
    install();
    build();
    foreground([join(root, 'dist/tools/loadtest/soak/main.js'), ...args]);
    break;
  case 'loadtest':
    install();
    build();
    foreground([join(root, 'dist/cli/main.js'), 'loadtest', ...args]);
    break;
  case 'fuzz':
    install();
    build();
    foreground([...loader, join(root, 'test/fuzz/main.ts'), ...args]);
    break;
  case 'mutate':
    install();
    foreground([...loader, mutate, ...args]);
    break;
  case 'sim':
    install();
    build();
    buildSim();
    foreground([join(root, 'dist/sim/test/sim/main.js'), ...args]);
    break;
  case 'sbom':
    foreground([join(root, 'scripts/sbom.mjs'), ...args]);
    break;
  default:
    console.error(
      `holdfast: unknown script ${command}; one of start, test, long, build, check, bench, profile, loadtest, fuzz, mutate, sim, soak, sbom`,
    );
    process.exit(64);
}
