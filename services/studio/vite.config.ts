/** How the pages are built, and how they are served while one works on them (`npm run dev`). */

import { svelte } from "@sveltejs/vite-plugin-svelte";
import { defineConfig } from "vitest/config";

const GATEWAY = process.env.RUNHISTORY_URL ?? "http://127.0.0.1:8780";

// The shell, the pages and all that they begin with are one file, which the HTML names: of a file for
// each page the browser would learn only from the shell, and of its parts from the page.
const AT_ONCE = /src[\\/](design[\\/]\w+\.css|App\.svelte|\w+[\\/]\w+Page\.svelte)/;

export default defineConfig({
  plugins: [svelte()],
  build: {
    outDir: "dist",
    // What browsers have had for two years; tokens.css needs light-dark().
    target: ["chrome123", "firefox120", "safari17.5"],
    // Everything is a file of its own: the Content-Security-Policy allows nothing inline.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    rolldownOptions: {
      output: { codeSplitting: { groups: [{ name: "studio", test: AT_ONCE }] } },
    },
  },
  server: { proxy: { "/api": GATEWAY } },
  test: { include: ["src/**/*.test.ts"], environment: "node" },
});
