/** How the pages are built, and how they are served while one works on them (`npm run dev`). */

import { svelte } from "@sveltejs/vite-plugin-svelte";
import { defineConfig } from "vitest/config";

const GATEWAY = process.env.RUNHISTORY_URL ?? "http://127.0.0.1:8780";

export default defineConfig({
  plugins: [svelte()],
  build: {
    outDir: "dist",
    // What browsers have had for two years; tokens.css needs light-dark().
    target: ["chrome123", "firefox120", "safari17.5"],
    // Everything is a file of its own: the Content-Security-Policy allows nothing inline.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
  },
  server: { proxy: { "/api": GATEWAY } },
  test: { include: ["src/**/*.test.ts"], environment: "node" },
});
