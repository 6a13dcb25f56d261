import { Hono } from 'hono'
import { html, raw } from 'hono/html'
import { secureHeaders } from 'hono/secure-headers'
import type { JsonSchema } from '../../trpc/json-schema.ts'

/** The API reference page, made from the OpenAPI document. It loads nothing from other hosts. */
export function createDocsPage(describe: () => JsonSchema): Hono {
  const app = new Hono()
  app.use(
    secureHeaders({
      contentSecurityPolicy: {
        defaultSrc: ["'none'"],
        styleSrc: ["'unsafe-inline'"],
        scriptSrc: ["'self'"],
        formAction: ["'none'"],
        baseUri: ["'none'"],
        frameAncestors: ["'none'"],
      },
    }),
  )
  app.get('/', (c) => c.html(page(describe())))
  app.get('/filter.js', (c) => c.body(FILTER, 200, { 'Content-Type': 'text/javascript' }))
  return app
}

const FILTER = `const box = document.getElementById('filter')
box.addEventListener('input', () => {
  const wanted = box.value.trim().toLowerCase()
  for (const item of document.querySelectorAll('details')) item.hidden = !item.dataset.text.includes(wanted)
  for (const group of document.querySelectorAll('section'))
    group.hidden = group.querySelectorAll('details:not([hidden])').length === 0
})
`

type Operation = {
  operationId: string
  summary: string
  tags: string[]
  description: string
  parameters: { name: string; in: string; required: boolean; schema: JsonSchema }[]
  requestBody?: { content: Record<string, { schema: JsonSchema }> }
  responses: Record<string, { content?: Record<string, { schema: JsonSchema }> }>
}

function page(document: JsonSchema) {
  const paths = document.paths as Record<string, Record<string, Operation>>
  const operations = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ path, method: method.toUpperCase(), operation })),
  )
  const groups = Map.groupBy(operations, ({ operation }) => operation.tags[0] ?? '')
  return html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <title>AgentLocator: API</title>
        <style>${raw(STYLE)}</style>
        <script src="/api/docs/filter.js" defer></script>
      </head>
      <body>
        <header>
          <h1>AgentLocator API</h1>
          <p>
            Below <code>/api/v1</code>, with <code>Authorization: Bearer &lt;key&gt;</code>. The same procedures are served by
            tRPC at <code>/trpc</code>. <a href="/api/openapi.json">OpenAPI 3.1 document</a>
          </p>
          <input id="filter" type="search" placeholder="Filter" aria-label="Filter the operations" />
        </header>
        <main>
          ${[...groups].map(
            ([name, members]) =>
              html`<section>
                <h2>${name}</h2>
                ${members.map(({ path, method, operation }) => entry(path, method, operation))}
              </section>`,
          )}
        </main>
      </body>
    </html>`
}

function entry(path: string, method: string, operation: Operation) {
  const body = operation.requestBody?.content['application/json']?.schema
  return html`<details data-text="${`${method} ${path} ${operation.operationId}`.toLowerCase()}">
    <summary><b data-method="${method}">${method}</b> <code>${path}</code> ${operation.summary} <small>${operation.operationId}</small></summary>
    <p>${operation.description}</p>
    ${
      operation.parameters.length > 0
        ? html`<table>
            <thead><tr><th>Parameter</th><th>In</th><th>Type</th></tr></thead>
            <tbody>
              ${operation.parameters.map(
                (parameter) =>
                  html`<tr>
                    <td><code>${parameter.name}</code>${parameter.required ? ' *' : ''}</td>
                    <td>${parameter.in}</td>
                    <td><code>${JSON.stringify(parameter.schema)}</code></td>
                  </tr>`,
              )}
            </tbody>
          </table>`
        : ''
    }
    ${body ? html`<h3>Body</h3><pre>${JSON.stringify(body, null, 2)}</pre>` : ''}
    <h3>Answer</h3>
    <pre>${JSON.stringify(resultOf(operation), null, 2)}</pre>
  </details>`
}

/** The schema of the successful response; null for a file. */
function resultOf({ responses }: Operation): JsonSchema | null {
  const [, success] = Object.entries(responses).find(([status]) => status.startsWith('2')) ?? []
  return success?.content?.['application/json']?.schema ?? null
}

const STYLE = `
:root { color-scheme: light dark; font-family: system-ui, sans-serif; line-height: 1.5; }
body { max-width: 60rem; margin: 0 auto; padding: 1.5rem; }
h2 { margin: 2rem 0 0.5rem; text-transform: capitalize; }
h3 { margin: 0.75rem 0 0.25rem; font-size: 0.9rem; }
input { width: 100%; box-sizing: border-box; padding: 0.6rem; font: inherit; }
details { border: 1px solid light-dark(#d5d8dd, #3b4046); border-radius: 8px; margin: 0.4rem 0; padding: 0.5rem 0.75rem; }
summary { cursor: pointer; overflow-wrap: anywhere; }
summary b { display: inline-block; min-width: 4.5rem; color: #1a6b4a; }
summary b[data-method='POST'], summary b[data-method='PATCH'] { color: light-dark(#8a4b00, #ffb35c); }
summary b[data-method='DELETE'] { color: light-dark(#b42318, #ff8a80); }
small { opacity: 0.7; }
pre { overflow: auto; max-height: 24rem; padding: 0.75rem; border-radius: 6px; background: light-dark(#f4f5f7, #1f2226); }
table { border-collapse: collapse; width: 100%; font-size: 0.9rem; }
th, td { text-align: left; padding: 0.25rem 0.5rem; border-top: 1px solid light-dark(#e4e6ea, #33383d); overflow-wrap: anywhere; }
`
