import js from '@eslint/js';
import svelte from 'eslint-plugin-svelte';
import globals from 'globals';
import ts from 'typescript-eslint';
import svelteConfig from './svelte.config.js';

export default ts.config(
  { ignores: ['dist/', 'sdk/dist/', 'node_modules/', 'src/wire/generated.ts'] },
  js.configs.recommended,
  ...ts.configs.strict,
  ...ts.configs.stylistic,
  ...svelte.configs.recommended,
  {
    languageOptions: { globals: { ...globals.browser } },
    rules: {
      // The compiler knows the page's globals and types; this rule does not.
      'no-undef': 'off',
      'no-console': 'error',
      '@typescript-eslint/consistent-type-definitions': ['error', 'interface'],
      // Row arithmetic on typed arrays and checked lookups reads better with an assertion than with a dead branch.
      '@typescript-eslint/no-non-null-assertion': 'off',
    },
  },
  {
    files: ['**/*.svelte', '**/*.svelte.ts'],
    languageOptions: { parserOptions: { parser: ts.parser, extraFileExtensions: ['.svelte'], svelteConfig } },
    rules: {
      // Received bytes must never become markup.
      'svelte/no-at-html-tags': 'error',
      // Runes only: what Svelte 4 called reactive statements and stores is not used here.
      'svelte/no-reactive-functions': 'error',
      'svelte/no-reactive-literals': 'error',
      // Plain maps with a version counter beside them are on purpose (100,000 pushes into deep state cost 2 s).
      'svelte/prefer-svelte-reactivity': 'off',
    },
  },
  { files: ['*.config.{js,ts}'], languageOptions: { globals: { ...globals.node } } },
);
