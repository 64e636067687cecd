/** The bill of materials names every package that is installed with the program, with the hash of the lock file. */
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

interface Bill {
  readonly bomFormat: string;
  readonly components: readonly {
    readonly 'bom-ref': string;
    readonly version: string;
    readonly hashes: readonly { readonly alg: string; readonly content: string }[];
  }[];
  readonly dependencies: readonly { readonly ref: string; readonly dependsOn: readonly string[] }[];
}
interface Locked {
  readonly version: string;
  readonly integrity?: string;
  readonly dev?: boolean;
  readonly devOptional?: boolean;
}

interface Lock {
  readonly packages: Record<string, Locked>;
}

const root = fileURLToPath(new URL('..', import.meta.url));

test('every package of the lock file is pinned by its hash, also those of other systems', () => {
  const { packages } = JSON.parse(readFileSync(`${root}/package-lock.json`, 'utf8')) as Lock;
  const loose = Object.keys(packages).filter(
    (path) => path !== '' && !/^sha512-/.test(packages[path]!.integrity ?? ''),
  );
  expect(loose).toEqual([]);
});

test('npm run sbom agrees with the lock file', () => {
  const run = spawnSync('npm', ['run', '--silent', 'sbom'], { cwd: root, encoding: 'utf8' });
  expect([run.status, run.stderr]).toEqual([0, '']);
  const bill = JSON.parse(run.stdout) as Bill;
  expect(bill.bomFormat).toBe('CycloneDX');
  const lock = JSON.parse(readFileSync(`${root}/package-lock.json`, 'utf8')) as Lock;
  const listed = new Map(bill.components.map((one) => [one['bom-ref'], one]));
  // npm marks what only tools for development bring; all else is installed with the program.
  const installed = Object.keys(lock.packages).filter((path) => {
    const { dev, devOptional } = lock.packages[path]!;
    return path !== '' && !dev && !devOptional;
  });
  expect(installed.filter((path) => !listed.has(path))).toEqual([]);
  expect([...listed.keys()].filter((path) => lock.packages[path]!.dev)).toEqual([]);
  expect(installed.length).toBeGreaterThan(50);
  for (const [path, { version, hashes }] of listed) {
    const { integrity, ...locked } = lock.packages[path]!;
    const sha512 = hashes.find(({ alg }) => alg === 'SHA-512')?.content;
    expect([path, version, `sha512-${Buffer.from(sha512 ?? '', 'hex').toString('base64')}`]).toEqual([
      path,
      locked.version,
      integrity,
    ]);
    if (!existsSync(`${root}/${path}/package.json`)) continue;
    const own = JSON.parse(readFileSync(`${root}/${path}/package.json`, 'utf8')) as { version: string };
    expect([path, own.version]).toEqual([path, version]);
  }
  const refs = new Set(['holdfast', ...listed.keys()]);
  expect(bill.dependencies.flatMap(({ dependsOn }) => dependsOn).filter((ref) => !refs.has(ref))).toEqual([]);
}, 60_000);
