import { html, raw } from 'hono/html'

const STYLE = `:root { color-scheme: light dark; font: 1.0625rem/1.5 system-ui, sans-serif; }
* { box-sizing: border-box; }
body { margin: 0; min-height: 100svh; display: grid; place-items: center; background: light-dark(#fff8e6, #201c12); }
main { width: min(24rem, 92vw); padding: 2rem; border-radius: 16px; background: light-dark(#fff, #2a2620); text-align: center;
  border: 2px dashed #c98a00; } h1 { margin: 0; font-size: 1.25rem; } p { margin: .5rem 0; }
.sum { font-size: 2rem; font-weight: 700; } form { display: grid; gap: .75rem; margin-top: 1.25rem; }
button { min-height: 52px; border: 0; border-radius: 10px; font: inherit; font-weight: 600; background: #0a5bd3; color: #fff; }
button.quiet { background: light-dark(#e6e6e6, #444); color: inherit; } small { color: #8a6d1a; }`

/** A page of a simulated provider, which says that no money moves. */
export function sandboxPage(title: string, body: ReturnType<typeof html> | string): Response {
  const page = html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <title>${title}</title>
        <style>${raw(STYLE)}</style>
      </head>
      <body>
        <main>
          <small>Sandbox: no real money moves</small>
          <h1>${title}</h1>
          ${body}
        </main>
      </body>
    </html>`
  return new Response(String(page), { headers: { 'content-type': 'text/html; charset=utf-8' } })
}
