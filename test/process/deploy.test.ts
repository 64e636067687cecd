/**
 * What `deploy/` names exists: the metrics, labels and label values of alert rules and dashboard in the answer of a started server, the
 * files and settings of image and unit in the repository. Docker, Prometheus and Grafana themselves are not run.
 */
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { parseSample } from '#src/cli/metrics.js';
import { environmentName, settings } from '#src/cli/settings.js';
import { ExitStatus } from '#src/errors.js';
import { Program, Server, temporaryFolder, until } from '../support/server.js';

const root = new URL('../../', import.meta.url).pathname;
const read = (path: string): string => readFileSync(join(root, path), 'utf8');

interface Rule {
  alert: string;
  expr: string;
  for?: string;
  labels: Record<string, string>;
  annotations: Record<string, string>;
}

interface Panel {
  id: number;
  type: string;
  title: string;
  gridPos: { x: number; y: number; w: number; h: number };
  targets?: { expr: string; legendFormat: string; datasource: { uid: string } }[];
}

const rules = (parse(read('deploy/prometheus/holdfast.rules.yml')) as { groups: { rules: Rule[] }[] }).groups.flatMap(
  (group) => group.rules,
);
const dashboard = JSON.parse(read('deploy/grafana/dashboards/holdfast.json')) as { panels: Panel[] };
const targets = dashboard.panels.flatMap(({ title, targets: own }) => (own ?? []).map((one) => ({ title, ...one })));

/** Labels that Prometheus adds to every series it scrapes. */
const scraped = new Set(['instance', 'job']);

/** Labels of each metric with the values that the server shows, by the name without `_bucket`, `_sum`, `_count`. */
type Series = ReadonlyMap<string, ReadonlyMap<string, ReadonlySet<string>>>;

function seriesOf(page: string): Series {
  const series = new Map<string, Map<string, Set<string>>>();
  for (const line of page.split('\n')) {
    const sample = parseSample(line);
    if (sample === undefined) continue;
    const labels = series.get(sample.name) ?? new Map<string, Set<string>>();
    series.set(sample.name, labels);
    for (const [label, value] of Object.entries(sample.labels))
      labels.set(label, (labels.get(label) ?? new Set()).add(value));
  }
  return series;
}

/** What an expression (PromQL, or a legend) names and the server or the page of metrics does not. */
function unknownNames(expression: string, series: Series, documented: string): string[] {
  const wrong: string[] = [];
  const text = expression.replaceAll(/"[^"]*"/g, (quoted) => quoted.replaceAll(/[()]/g, '_'));
  const labels = new Set<string>(scraped);
  for (const [, name, matchers] of text.matchAll(/\b((?:holdfast|process|nodejs|up)(?:_\w+)?)\b(?:\{([^}]*)\})?/g)) {
    if (name === 'up') continue;
    const own = series.get(name!);
    if (own === undefined) {
      wrong.push(name!);
      continue;
    }
    for (const label of own.keys()) labels.add(label);
    for (const [, label, , value] of (matchers ?? '').matchAll(/(\w+)(=~|!~|!=|=)"([^"]*)"/g)) {
      const values = own.get(label!);
      if (values === undefined) {
        if (!scraped.has(label!)) wrong.push(`${name}{${label}}`);
        continue;
      }
      for (const one of value!.split('|'))
        if (one !== 'none' && !values.has(one) && !new RegExp(`[\\s\`]${one}[\\s\`,]`).test(documented))
          wrong.push(`${name}{${label}="${one}"}`);
    }
  }
  for (const [, list] of text.matchAll(/\b(?:by|without|on|ignoring) \(([^)]*)\)/g))
    for (const label of list!.split(',').map((one) => one.trim())) if (!labels.has(label)) wrong.push(`by (${label})`);
  return wrong;
}

let series: Series;
const documented = ['metrics', 'api', 'reconciliation'].map((name) => read(`docs/reference/${name}.md`)).join('\n');

beforeAll(async () => {
  const server = await Server.start();
  series = seriesOf((await server.get('/metrics')).text);
  await server.stop();
});

describe('alert rules', () => {
  test('name metrics, labels and values that a server has', () => {
    expect(rules.length).toBeGreaterThan(20);
    for (const { alert, expr } of rules) expect([alert, unknownNames(expr, series, documented)]).toEqual([alert, []]);
  });

  test('each has a name of its own, a severity, and a sentence that names labels the alert has', () => {
    expect(new Set(rules.map(({ alert }) => alert)).size).toBe(rules.length);
    for (const { alert, expr, labels, annotations } of rules) {
      expect([alert, labels.severity]).toEqual([alert, expect.stringMatching(/^(page|ticket)$/)]);
      expect(annotations.summary).toMatch(/\.$/);
      // An aggregation drops every label that it does not name.
      const kept = /\bby \(([^)]*)\)/.exec(expr)?.[1]?.split(/, ?/);
      for (const [, label] of annotations.summary!.matchAll(/\$labels\.(\w+)/g)) {
        if (kept !== undefined) expect([alert, kept]).toEqual([alert, expect.arrayContaining([label])]);
        else if (!scraped.has(label!)) expect([alert, expr]).toEqual([alert, expect.stringMatching(`${label}|tls_`)]);
      }
    }
  });

  test('leave out the series that stand for nothing to say', () => {
    // A rule on the value of a gauge, without a rate: zero of the label value "none" must not look like a finding.
    const gauges = ['holdfast_background_task_up', 'holdfast_tls_certificate_expiry_seconds', 'holdfast_recon_breaks'];
    for (const { expr } of rules) for (const name of gauges) if (expr.includes(name)) expect(expr).toMatch(/!="none"/);
  });

  test('a wrong metric, label or value is noticed', () => {
    const wrong = (expression: string): string[] => unknownNames(expression, series, documented);
    expect(wrong('rate(holdfast_shed_totals[5m]) > 1')).toEqual(['holdfast_shed_totals']);
    expect(wrong('holdfast_shed_total{reason="disk"}')).toEqual(['holdfast_shed_total{reason}']);
    expect(wrong('holdfast_shed_total{cause=~"disk|flood"}')).toEqual(['holdfast_shed_total{cause="flood"}']);
    expect(wrong('sum by (link) (rate(holdfast_shed_total[5m]))')).toEqual(['by (link)']);
    expect(wrong('sum by (cause) (rate(holdfast_shed_total{cause="disk"}[5m]))')).toEqual([]);
  });
});

describe('dashboard', () => {
  test('names metrics, labels and values that a server has, in queries and legends', () => {
    expect(targets.length).toBeGreaterThan(40);
    for (const { title, expr, legendFormat } of targets) {
      expect([title, unknownNames(expr.replaceAll('=~"$instance"', '!=""'), series, documented)]).toEqual([title, []]);
      for (const [, label] of legendFormat.matchAll(/\{\{(\w+)\}\}/g))
        expect([title, [...series].some(([name, labels]) => expr.includes(name) && labels.has(label!))]).toEqual([
          title,
          true,
        ]);
    }
  });

  test('shows every metric of the engine but those of its build', () => {
    const shown = targets.map(({ expr }) => expr).join('\n');
    const own = [...series.keys()].map((name) => name.replace(/_(bucket|sum|count)$/, ''));
    const missing = new Set(own.filter((name) => name.startsWith('holdfast_') && !shown.includes(name)));
    // Shown elsewhere: as the list of instances, or in an alert, or a state that an operator looks up.
    expect([...missing].sort()).toEqual([
      'holdfast_background_task_restarts_total',
      'holdfast_build_info',
      'holdfast_clearing_files',
      'holdfast_clearing_stalled_files',
      'holdfast_clearing_waiting_seconds',
      'holdfast_clock_difference_seconds',
      'holdfast_clock_paused',
      'holdfast_link_business_date_seconds',
      'holdfast_outcomes_uncounted_total',
      'holdfast_recon_newest_run_seconds',
      'holdfast_recon_runs_failed_total',
      'holdfast_tls_reloads_total',
      'holdfast_webhooks',
    ]);
  });

  test('its panels have ids of their own and do not overlap', () => {
    const { panels } = dashboard;
    expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length);
    const cells = new Set<string>();
    for (const { title, gridPos } of panels)
      for (let x = gridPos.x; x < gridPos.x + gridPos.w; x++)
        for (let y = gridPos.y; y < gridPos.y + gridPos.h; y++) {
          expect([title, x < 24, cells.has(`${x} ${y}`)]).toEqual([title, true, false]);
          cells.add(`${x} ${y}`);
        }
  });

  test('its data source and its folder are those of the provisioning', () => {
    const source = parse(read('deploy/grafana/provisioning/datasources/prometheus.yml')) as {
      datasources: { uid: string; url: string }[];
    };
    for (const { datasource } of targets) expect(datasource.uid).toBe(source.datasources[0]!.uid);
    const provider = parse(read('deploy/grafana/provisioning/dashboards/holdfast.yml')) as {
      providers: { options: { path: string } }[];
    };
    const { services } = parse(read('deploy/compose.yaml')) as {
      services: Record<string, { volumes: string[]; build?: { context: string; dockerfile: string } }>;
    };
    expect(services.grafana!.volumes).toContain(`./grafana/dashboards:${provider.providers[0]!.options.path}:ro`);
    // What Prometheus and Grafana reach are services of the same file.
    const scrape = parse(read('deploy/prometheus/prometheus.yml')) as {
      rule_files: string[];
      scrape_configs: {
        job_name: string;
        static_configs: { targets: string[] }[];
        authorization: { credentials_file: string };
      }[];
    };
    // From another container the API asks for a token.
    const { secrets } = parse(read('deploy/compose.yaml')) as { secrets: Record<string, unknown> };
    const prometheus = services.prometheus as unknown as { secrets: string[] };
    const mounted = prometheus.secrets.map((name) => `/run/secrets/${name}`);
    expect(mounted).toEqual([scrape.scrape_configs[0]!.authorization.credentials_file]);
    expect(Object.keys(secrets)).toEqual(prometheus.secrets);
    const [host, port] = scrape.scrape_configs[0]!.static_configs[0]!.targets[0]!.split(':');
    expect([host! in services, port]).toEqual([true, String(settings['admin-port'].standard)]);
    expect(new URL(source.datasources[0]!.url).hostname in services).toBe(true);
    for (const file of scrape.rule_files) expect(existsSync(join(root, 'deploy/prometheus', file))).toBe(true);
    for (const { expr } of rules)
      for (const [, job] of expr.matchAll(/job="(\w+)"/g)) expect(job).toBe(scrape.scrape_configs[0]!.job_name);
    for (const { volumes } of Object.values(services))
      for (const [, path] of volumes.join('\n').matchAll(/^(\.\/[^:]+):/gm))
        expect([path, existsSync(join(root, 'deploy', path!))]).toEqual([path, true]);
    expect(existsSync(join(root, services.holdfast!.build!.dockerfile))).toBe(true);
  });
});

describe('Dockerfile', () => {
  const text = read('deploy/Dockerfile').replaceAll('\\\n', ' ');
  const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  const of = (word: string): string[] =>
    lines.filter((line) => line.startsWith(`${word} `)).map((line) => line.slice(word.length + 1).trim());

  test('copies what is there, and what the .dockerignore lets through', () => {
    const ignored = read('deploy/Dockerfile.dockerignore').split('\n');
    expect(ignored[0]).toBe('*');
    const allowed = ignored.filter((line) => line.startsWith('!')).map((line) => line.slice(1));
    const copies = of('COPY').map((line) => line.split(/\s+/));
    for (const words of copies.filter(([first]) => !first!.startsWith('--')))
      for (const source of words.slice(0, -1)) {
        expect([source, existsSync(join(root, source))]).toEqual([source, true]);
        const pattern = source.replace(/^tsconfig\.\w+\.json$/, 'tsconfig.*.json');
        expect([source, allowed.includes(pattern)]).toEqual([source, true]);
      }
    // All that the build compiles: see the references of tsconfig.tools.json.
    const built = copies.filter(([first]) => !first!.startsWith('--')).flatMap((words) => words.slice(0, -1));
    expect(built).toEqual(expect.arrayContaining(['src', 'loadtest', 'bench', 'scripts', 'package-lock.json']));
  });

  test('stands on one pinned Node that the package allows, in both stages', () => {
    const bases = of('FROM').map((line) => line.split(' ')[0]!);
    expect(bases).toEqual([bases[0], bases[0]]);
    const [, major, minor] = /^node:(\d+)\.(\d+)\.\d+-[a-z]+-slim$/.exec(bases[0]!) ?? [];
    const { engines } = JSON.parse(read('package.json')) as { engines: { node: string } };
    const [, least, leastMinor] = /^>=(\d+)\.(\d+)$/.exec(engines.node)!;
    expect(Number(major) * 1000 + Number(minor)).toBeGreaterThanOrEqual(Number(least) * 1000 + Number(leastMinor));
  });

  test('sets variables that are settings, and opens the ports that they name', () => {
    const known = Object.keys(settings).map((name) => environmentName(name as keyof typeof settings));
    const named = [
      ...of('ENV')
        .join(' ')
        .matchAll(/\b(HOLDFAST_\w+)=/g),
    ].map((match) => match[1]!);
    expect(named.length).toBeGreaterThan(2);
    for (const name of named) expect(known).toContain(name);
    const ports = ['tcp-port', 'ws-port', 'admin-port'] as const;
    expect(of('EXPOSE')[0]!.split(' ')).toEqual(ports.map((name) => String(settings[name].standard)));
    expect(of('HEALTHCHECK')[0]).toContain(`http://127.0.0.1:${settings['admin-port'].standard}/readyz`);
  });

  test('runs as a user without rights, by the program that the package names', () => {
    expect(of('USER')).toEqual(['1000:1000']);
    const { bin } = JSON.parse(read('package.json')) as { bin: { holdfast: string } };
    expect(JSON.parse(of('ENTRYPOINT')[0]!)).toEqual(['node', bin.holdfast]);
    expect(JSON.parse(of('CMD').at(-1)!)).toEqual(['serve']);
  });

  test('its probe tells a ready engine from none, and the engine starts by the variables alone', async () => {
    const folder = temporaryFolder('image');
    for (const name of ['data', 'keys']) mkdirSync(join(folder, name), { mode: 0o700 });
    const given = Object.fromEntries(
      [...of('ENV')[0]!.matchAll(/(\w+)=(\S+)/g)].map((match) => [match[1]!, match[2]!]),
    );
    const mapped = Object.entries(given).map(([name, value]) => [
      name,
      value.replace('/var/lib/holdfast-keys', join(folder, 'keys')).replace('/var/lib/holdfast', join(folder, 'data')),
    ]);
    const [word, ...args] = JSON.parse(of('CMD').at(-1)!) as string[];
    const ports = ['--tcp-port', '--ws-port', '--admin-port'].flatMap((port) => [port, '0']);
    const program = new Program([word!, ...args, ...ports], Object.fromEntries(mapped) as Record<string, string>);
    await until('the ready line', () => program.stdout.includes('holdfast ready'), 60_000);
    const admin = / admin=\S+?:(\d+) /.exec(program.stdout)![1]!;
    const probe = /HEALTHCHECK .*?CMD (\[.*\])/.exec(text)![1]!;
    const [, ...command] = (JSON.parse(probe) as string[]).map((one) => one.replace(':8580/', `:${admin}/`));
    const status = (): number | null => spawnSync(process.execPath, command).status;
    expect(status()).toBe(0);
    program.child.kill('SIGTERM');
    expect((await program.end()).status).toBe(0);
    expect(status()).toBe(1);
  });
});

describe('systemd unit', () => {
  const unit = read('deploy/systemd/holdfast.service');
  const value = (key: string): string | undefined => new RegExp(`^${key}=(.*)$`, 'm').exec(unit)?.[1];

  test('its command, its settings and its folders fit together', () => {
    expect(value('ExecStart')).toBe('/usr/bin/node dist/cli/main.js serve --config /etc/holdfast/holdfast.yaml');
    const config = parse(read('deploy/systemd/holdfast.yaml')) as Record<string, string>;
    for (const name of Object.keys(config)) expect(Object.keys(settings)).toContain(name);
    const states = value('StateDirectory')!.split(' ');
    expect(config['data-dir']).toBe(`/var/lib/${states[0]}`);
    expect(config['key-file']).toBe(`/var/lib/${states[1]}/keys`);
    expect(Number(value('TimeoutStopSec')) * 1000).toBeGreaterThan(Number(settings['stop-limit-ms'].standard));
  });

  test('does not start again what another start cannot help', () => {
    const statuses = value('RestartPreventExitStatus')!.split(' ').map(Number);
    expect(statuses).toEqual([ExitStatus.usage, ExitStatus.dataDirectory, ExitStatus.invariant]);
  });

  test('the engine has what it needs and nothing else', () => {
    for (const [key, wanted] of [
      ['NoNewPrivileges', 'true'],
      ['ProtectSystem', 'strict'],
      ['CapabilityBoundingSet', ''],
      ['LimitNOFILE', '65536'],
      ['LimitCORE', '0'],
      ['LimitMEMLOCK', '64M'],
      ['Restart', 'on-failure'],
      // V8 makes machine code at run time.
      ['MemoryDenyWriteExecute', undefined],
    ] as const)
      expect([key, value(key)]).toEqual([key, wanted]);
  });

  test.skipIf(spawnSync('systemd-analyze', ['--version']).status !== 0)('systemd-analyze finds nothing', () => {
    const folder = temporaryFolder('unit');
    cpSync(join(root, 'deploy/systemd/holdfast.service'), join(folder, 'holdfast.service'));
    const verify = (): { status: number | null; stderr: string } =>
      spawnSync('systemd-analyze', ['verify', join(folder, 'holdfast.service')], { encoding: 'utf8' });
    // The interpreter is wherever this machine has it: only findings about the unit itself count.
    const own = verify()
      .stderr.split('\n')
      .filter((line) => line.includes('holdfast.service') && !line.includes('is not executable'));
    expect(own).toEqual([]);
  });
});
