import { svelte } from '@sveltejs/vite-plugin-svelte';
import { defineConfig } from 'vitest/config';

const server = process.env.SOCKSCOPE_DEV_SERVER ?? 'http://127.0.0.1:7625';

export default defineConfig({
  plugins: [svelte()],
  // Vitest would otherwise resolve Svelte's server build, which cannot mount.
  resolve: process.env.VITEST ? { conditions: ['browser'] } : {},
  build: {
    target: 'es2023',
    // The page's policy allows neither inline scripts nor data: URLs for them.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
  },
  worker: { format: 'es' },
  server: {
    // The server checks that Origin is its own Host, so the proxied request must carry the page's host unchanged.
    proxy: { '/api': { target: server, ws: true, changeOrigin: false } },
  },
  test: {
    // Most tests need no page; those that do say so in their first line.
    environment: 'node',
    include: ['src/**/*.test.ts', 'sdk/**/*.test.ts'],
    // The test of contrast reads the tokens; Vitest would hand it an empty file.
    css: true,
  },
});
