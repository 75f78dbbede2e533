/** The studio's first line: styles, then the application. */

import "./design/tokens.css";
import "./design/base.css";
import { mount } from "svelte";
import App from "./App.svelte";

const RELOADED = "runhistory.reloaded";
const A_WHILE_MS = 60_000;

// The gateway was updated while this page was open, and a part that it now needs is gone. Where that
// does not help, the page says what failed instead of loading for ever.
window.addEventListener("vite:preloadError", (event) => {
  const last = Number(sessionStorage.getItem(RELOADED) ?? 0);
  if (Date.now() - last < A_WHILE_MS) return;
  sessionStorage.setItem(RELOADED, String(Date.now()));
  event.preventDefault();
  window.location.reload();
});

const target = document.getElementById("studio");
if (target) mount(App, { target });
