export const LOOK = `
:root { color-scheme: light dark; --page: light-dark(#f7f7f5, #111413); --surface: light-dark(#fff, #1a1f1e);
  --raised: light-dark(#f0f1ee, #242b29); --line: light-dark(#dcdfda, #333b39); --ink: light-dark(#16201d, #edf2f0);
  --muted: light-dark(#56625d, #a3b0ab); --accent: light-dark(#0f766e, #2dd4bf); --accent-ink: light-dark(#fff, #06201c);
  --accent-soft: light-dark(#d9f2ee, #12332f); --danger: light-dark(#b42318, #fda29b); --warn: light-dark(#8a5300, #fdc56b); }
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--ink); font-family: Heebo, system-ui, 'Noto Sans Hebrew', sans-serif;
  -webkit-font-smoothing: antialiased; }
a { color: var(--accent); text-underline-offset: 0.2em; }
input, textarea, select { padding: 0.5rem 0.75rem; font: inherit; border: 1px solid var(--line); border-radius: 8px; background: var(--page);
  color: inherit; }
button { cursor: pointer; }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
@media (prefers-reduced-motion: reduce) { *, ::before, ::after { animation-duration: 0.01ms !important; transition-duration: 0.01ms !important; } }
`

export const FONTS = '/console/assets/fonts.css'
