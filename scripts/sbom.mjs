/**
 * Bill of materials (CycloneDX 1.5): every package of the lock file that is installed with the program, with its hash. It comes from the
 * lock file alone and is the same each time. `npm sbom` leaves out what a tool for development has as an optional peer.
 */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const lock = JSON.parse(readFileSync(`${root}/package-lock.json`, 'utf8'));
const { '': program, ...packages } = lock.packages;

/** Name of a package: under an alias, or of the last folder of its path. */
const nameOf = (path, { name }) => name ?? path.slice(path.lastIndexOf('node_modules/') + 'node_modules/'.length);
const purlOf = (name, version) => `pkg:npm/${name.replace('@', '%40')}@${version}`;

function component([path, locked]) {
  const name = nameOf(path, locked);
  const [algorithm, hash] = locked.integrity.split('-', 2);
  return {
    type: 'library',
    'bom-ref': path,
    name,
    version: locked.version,
    scope: locked.optional === true ? 'optional' : 'required',
    purl: purlOf(name, locked.version),
    hashes: [{ alg: algorithm.replace('sha', 'SHA-'), content: Buffer.from(hash, 'base64').toString('hex') }],
    ...(locked.license === undefined ? {} : { licenses: [{ license: { name: locked.license } }] }),
    externalReferences: [{ type: 'distribution', url: locked.resolved ?? `https://registry.npmjs.org/${name}` }],
  };
}

/** Path in the lock file of what a package means by a name: the nearest folder upwards. */
function resolved(from, name) {
  for (let at = from; ; at = at.slice(0, Math.max(0, at.lastIndexOf('node_modules/') - 1))) {
    const path = `${at === '' ? '' : `${at}/`}node_modules/${name}`;
    if (packages[path] !== undefined) return path;
    if (at === '') return undefined;
  }
}

function needs(path, { dependencies = {}, optionalDependencies = {} }) {
  const names = Object.keys({ ...dependencies, ...optionalDependencies });
  return names.map((name) => resolved(path, name)).filter((one) => one !== undefined);
}

/** Everything that the program needs, directly and not. */
const needed = new Map();
const open = needs('', program);
while (open.length > 0) {
  const path = open.pop();
  if (needed.has(path)) continue;
  needed.set(path, needs(path, packages[path]));
  open.push(...needed.get(path));
}
const paths = [...needed.keys()].sort();

console.log(
  JSON.stringify(
    {
      bomFormat: 'CycloneDX',
      specVersion: '1.5',
      version: 1,
      metadata: {
        component: {
          type: 'application',
          'bom-ref': 'holdfast',
          name: lock.name,
          version: program.version,
          purl: purlOf(lock.name, program.version),
          licenses: [{ license: { id: program.license } }],
        },
      },
      components: paths.map((path) => component([path, packages[path]])),
      dependencies: [
        { ref: 'holdfast', dependsOn: needs('', program) },
        ...paths.map((path) => ({ ref: path, dependsOn: needed.get(path) })),
      ],
    },
    null,
    2,
  ),
);
