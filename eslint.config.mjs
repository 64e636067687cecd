// Biome lints style; ESLint runs only the rules that need types: a dropped promise loses money.
import tseslint from 'typescript-eslint';

export default tseslint.config({
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
});
