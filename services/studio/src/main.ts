/** The studio's first line: styles, then the application. */

import "./design/tokens.css";
import "./design/base.css";
import { mount } from "svelte";
import App from "./App.svelte";

// The gateway was updated while this page was open, and a part that it now needs is gone.
window.addEventListener("vite:preloadError", () => {
  window.location.reload();
});

const target = document.getElementById("studio");
if (target) mount(App, { target });
