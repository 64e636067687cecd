// Biome lints style; ESLint runs only the rules that need types (a dropped promise loses money), and those that keep known ways of
// being broken into out of the program.
import tseslint from 'typescript-eslint';

const never = (selector, message) => ({ selector, message });

const security = [
  never(
    'CallExpression[callee.name=/^exec(Sync)?$/]',
    'A shell takes what is in its text for commands: spawn or fork with a list.',
  ),
  never("Property[key.name='shell'][value.value!=false]", 'A shell takes what is in its text for commands.'),
  never("Property[key.name='rejectUnauthorized'][value.value=false]", 'TLS without verification protects from nobody.'),
  never(
    "Property[key.name='checkServerIdentity']",
    'Node compares the names of a certificate; another comparison is none.',
  ),
  never(
    'Property[key.name=/^(secureProtocol|ciphers)$/]',
    'The versions and ciphers of TLS are those of server-tls.ts.',
  ),
  never('Property[key.name=/^m(in|ax)Version$/][value.value=/^(SSL|TLSv1(\\.[01])?$)/]', 'TLS 1.2 is the least.'),
  never(
    "MemberExpression[property.name='NODE_TLS_REJECT_UNAUTHORIZED']",
    'TLS without verification protects from nobody.',
  ),
  never(
    "MemberExpression[object.name='Math'][property.name='random']",
    'Secrets, ids and nonces are of randomBytes; what is drawn for anything else says so here.',
  ),
  never(
    'CallExpression[callee.name=/^set(Timeout|Interval|Immediate)$/][arguments.0.type=/Literal/]',
    'Nothing that comes in is run.',
  ),
  never("ImportDeclaration[source.value='node:vm']", 'Nothing that comes in is run.'),
  never("CallExpression[callee.name='createHash'][arguments.0.value!='sha256']", 'SHA-256, or a keyed one.'),
];
const ciphers = never('CallExpression[callee.name=/^create(C|Dec)ipheriv$/]', 'Ciphers are in src/vault alone.');
// Every number of an issuer can be tried out in minutes: what is looked up by a card number is a keyed hash of all of it.
const hashes = never(
  "CallExpression[callee.name='createHash']",
  'Where card numbers are, a hash has a key (createHmac): a plain one is undone by trying.',
);
const restricted = (...more) => ({ 'no-restricted-syntax': ['error', ...security, ...more] });

export default tseslint.config(
  { ignores: ['dist/**'] },
  {
    files: ['src/**/*.ts', 'loadtest/**/*.ts', 'bench/**/*.ts', 'test/**/*.ts'],
    linterOptions: { reportUnusedDisableDirectives: true },
    languageOptions: {
      parser: tseslint.parser,
      parserOptions: {
        project: ['./tsconfig.build.json', './tsconfig.tools.json', './tsconfig.json'],
        tsconfigRootDir: import.meta.dirname,
      },
    },
    plugins: { '@typescript-eslint': tseslint.plugin },
    rules: {
      '@typescript-eslint/no-floating-promises': 'error',
      '@typescript-eslint/no-misused-promises': 'error',
      '@typescript-eslint/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: true }],
      '@typescript-eslint/await-thenable': 'error',
    },
  },
  {
    files: ['src/**/*.ts'],
    rules: { 'no-eval': 'error', 'no-new-func': 'error', ...restricted(ciphers) },
  },
  { files: ['src/{ingress,iso8583,ring,shard,domain}/**/*.ts'], rules: restricted(ciphers, hashes) },
  { files: ['src/vault/**/*.ts'], rules: restricted(hashes) },
);
