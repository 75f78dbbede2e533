/** What the linter holds: types everywhere, and no text from runs that becomes HTML. */

import js from "@eslint/js";
import svelte from "eslint-plugin-svelte";
import globals from "globals";
import ts from "typescript-eslint";

export default ts.config(
  { ignores: ["dist/", "node_modules/", "src/api/schema.ts"] },
  js.configs.recommended,
  ...ts.configs.strictTypeChecked,
  ...ts.configs.stylisticTypeChecked,
  ...svelte.configs.recommended,
  {
    languageOptions: {
      globals: { ...globals.browser },
      parserOptions: { projectService: true, extraFileExtensions: [".svelte"] },
    },
    rules: {
      "svelte/no-at-html-tags": "error",
      "svelte/no-navigation-without-resolve": "off", // that is SvelteKit's router
      "no-restricted-properties": [
        "error",
        { property: "innerHTML", message: "Text from runs never becomes HTML." },
        { property: "outerHTML", message: "Text from runs never becomes HTML." },
        { property: "insertAdjacentHTML", message: "Text from runs never becomes HTML." },
      ],
      "svelte/prefer-svelte-reactivity": "off", // a Date that nobody changes is no state
      "@typescript-eslint/no-unsafe-enum-assignment": "off", // enums of uPlot are types alone
      "@typescript-eslint/consistent-type-definitions": ["error", "type"],
      "@typescript-eslint/no-confusing-void-expression": ["error", { ignoreArrowShorthand: true }],
      "@typescript-eslint/restrict-template-expressions": ["error", { allowNumber: true }],
    },
  },
  {
    files: ["**/*.svelte", "**/*.svelte.ts"],
    languageOptions: { parserOptions: { parser: ts.parser } },
  },
  // The linter does not know the types of what stands in markup; svelte-check does.
  {
    files: ["**/*.svelte"],
    rules: {
      "@typescript-eslint/no-unsafe-argument": "off",
      "@typescript-eslint/no-unsafe-assignment": "off",
      "@typescript-eslint/no-unsafe-return": "off",
    },
  },
  { files: ["*.config.js", "public/*.js"], ...ts.configs.disableTypeChecked },
);
