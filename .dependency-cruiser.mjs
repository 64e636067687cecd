// The rooms of src/ and who may import whom (docs/internals/rooms.md). Change a rule by a decision record, not by an exception.
const rooms = {
  domain: [],
  iso8583: ['domain'],
  ring: [],
  store: [],
  journal: ['store', 'domain'],
  vault: ['store'],
  clearing: ['domain', 'iso8583', 'ring', 'journal', 'vault'],
  recon: ['domain'],
  backup: ['store', 'journal', 'vault'],
  shard: ['domain', 'iso8583', 'ring', 'journal', 'vault'],
  ingress: ['iso8583', 'ring', 'vault'],
  control: ['domain', 'ring', 'journal', 'vault', 'iso8583', 'store', 'clearing', 'recon', 'backup'],
};

const roomRules = Object.entries(rooms).map(([room, allowed]) => ({
  name: `room-${room}`,
  severity: 'error',
  comment: `src/${room} may import only: ${[room, ...allowed].join(', ')} and the shared files of src/`,
  from: { path: `^src/${room}/` },
  to: { path: '^src/[^/]+/', pathNot: `^src/(${[room, ...allowed].join('|')})/` },
}));

export default {
  forbidden: [
    ...roomRules,
    {
      name: 'domain-is-pure',
      severity: 'error',
      comment: 'The domain imports no Node module and no package: no I/O, clock or randomness.',
      from: { path: '^src/domain/' },
      to: { dependencyTypes: ['core', 'npm', 'npm-dev'] },
    },
    {
      name: 'only-store-imports-lmdb',
      severity: 'error',
      from: { path: '^(src|loadtest|bench)/', pathNot: '^src/store/' },
      to: { path: 'node_modules/lmdb/' },
    },
    {
      name: 'no-circular',
      severity: 'error',
      from: { path: '^(src|loadtest|bench)/' },
      to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } },
    },
    {
      name: 'src-does-not-import-tools',
      severity: 'error',
      from: { path: '^src/' },
      to: { path: '^(loadtest|bench|test)/' },
    },
    {
      name: 'no-dev-dependency-in-src',
      severity: 'error',
      from: { path: '^src/' },
      to: { dependencyTypes: ['npm-dev'] },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.build.json' },
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['import', 'node', 'default'] },
  },
};
