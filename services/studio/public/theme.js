// Before the first paint: the theme that was chosen here, if one was (src/shell/theme.svelte.ts).
try {
  const theme = localStorage.getItem("runhistory.theme");
  if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
} catch {
  // Storage is forbidden here: the system's theme, then.
}
