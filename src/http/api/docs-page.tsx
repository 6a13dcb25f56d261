/** @jsxImportSource hono/jsx */
import { randomBytes } from 'node:crypto'
import { Hono } from 'hono'
import { raw } from 'hono/html'
import type { JsonSchema } from '../../trpc/json-schema.ts'
import { FONTS, LOOK } from '../page-look.ts'
import { DOCS_SCRIPT } from './docs-script.ts'

/** The API reference from the OpenAPI document, with nothing from other hosts. `base`: the public address's path. */
export function createDocsPage(describe: () => JsonSchema, base: string): Hono {
  const app = new Hono()
  app.get('/', (c) => {
    const nonce = randomBytes(16).toString('base64')
    c.header('Content-Security-Policy', policy(nonce))
    return c.html(page(describe(), base, nonce))
  })
  app.get('/docs.js', (c) => c.body(DOCS_SCRIPT, 200, { 'Content-Type': 'text/javascript' }))
  return app
}

function policy(nonce: string): string {
  return [
    "default-src 'none'",
    `style-src 'self' 'nonce-${nonce}'`,
    "font-src 'self'",
    "script-src 'self'",
    "connect-src 'self'",
    "form-action 'none'",
    "base-uri 'none'",
    "frame-ancestors 'none'",
  ].join('; ')
}

type Parameter = { name: string; in: string; required: boolean; schema: JsonSchema; example?: unknown }
type Operation = {
  operationId: string
  summary: string
  tags: string[]
  description: string
  parameters: Parameter[]
  requestBody?: { content: Record<string, { schema: JsonSchema; example?: unknown }> }
  responses: Record<string, { content?: Record<string, { schema: JsonSchema }> }>
}

function page(document: JsonSchema, base: string, nonce: string) {
  const paths = document.paths as Record<string, Record<string, Operation>>
  const operations = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ path, method: method.toUpperCase(), operation })),
  )
  const groups = Map.groupBy(operations, ({ operation }) => operation.tags[0] ?? '')
  return (
    <>
      {raw('<!doctype html>')}
      <html lang="en">
        <head>
          <meta charset="utf-8" />
          <meta name="viewport" content="width=device-width, initial-scale=1" />
          <title>AgentLocator: API</title>
          <link rel="stylesheet" href={FONTS} />
          <style nonce={nonce}>{raw(LOOK + STYLE)}</style>
          <script src="/api/docs/docs.js" defer />
        </head>
        <body data-base={base}>
          <header>
            <h1>AgentLocator API</h1>
            <p>
              Below <code>/api/v1</code>, with <code>Authorization: Bearer &lt;key&gt;</code>. The same procedures are
              served by tRPC at <code>/trpc</code>. <a href="/api/openapi.json">OpenAPI 3.1 document</a> ·{' '}
              <a href="/console/settings?part=keys">Make a key</a>
            </p>
            <label>
              Filter
              <input id="filter" type="search" placeholder="leads, POST, calls.list …" />
            </label>
            <label>
              API key for the requests below
              <input id="key" type="password" autocomplete="off" placeholder="Empty: your own login" />
            </label>
          </header>
          <main>
            {[...groups].map(([name, members]) => (
              <section key={name}>
                <h2>{name}</h2>
                {members.map((member) => (
                  <Entry key={`${member.method} ${member.path}`} {...member} />
                ))}
              </section>
            ))}
          </main>
        </body>
      </html>
    </>
  )
}

type EntryProps = { path: string; method: string; operation: Operation }

function Entry({ path, method, operation }: EntryProps) {
  const body = operation.requestBody?.content['application/json']
  return (
    <details data-text={`${method} ${path} ${operation.operationId}`.toLowerCase()}>
      <summary>
        <b data-method={method}>{method}</b> <code>{path}</code> <span>{operation.summary}</span>{' '}
        <small>{operation.operationId}</small>
      </summary>
      <p>{operation.description}</p>
      {operation.parameters.length > 0 && <Parameters parameters={operation.parameters} />}
      {body && (
        <details>
          <summary>Schema of the body</summary>
          <pre tabindex={0}>{JSON.stringify(body.schema, null, 2)}</pre>
        </details>
      )}
      <details>
        <summary>Schema of the answer</summary>
        <pre tabindex={0}>{JSON.stringify(resultOf(operation), null, 2)}</pre>
      </details>
      <TryOut path={path} method={method} operation={operation} />
    </details>
  )
}

function Parameters({ parameters }: { parameters: Parameter[] }) {
  return (
    <table>
      <thead>
        <tr>
          <th scope="col">Parameter</th>
          <th scope="col">In</th>
          <th scope="col">Type</th>
        </tr>
      </thead>
      <tbody>
        {parameters.map((parameter) => (
          <tr key={parameter.name}>
            <td>
              <code>{parameter.name}</code>
              {parameter.required && ' *'}
            </td>
            <td>{parameter.in}</td>
            <td>
              <code>{JSON.stringify(parameter.schema)}</code>
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  )
}

function TryOut({ path, method, operation }: EntryProps) {
  const body = operation.requestBody?.content['application/json']
  return (
    <form data-path={path.replace(/^\/api\/v1/, '')} data-method={method}>
      <h3>Try it</h3>
      {operation.parameters.map((parameter) => (
        <label key={parameter.name}>
          {parameter.name}
          {parameter.required && ' *'}
          <input
            name={parameter.name}
            data-in={parameter.in}
            required={parameter.required}
            value={parameter.required ? String(parameter.example ?? '') : ''}
          />
        </label>
      ))}
      {body && (
        <label>
          Body
          <textarea name="body" rows={6} spellcheck={false}>
            {JSON.stringify(body.example ?? {}, null, 2)}
          </textarea>
        </label>
      )}
      {operation.requestBody && !body && (
        <label>
          File
          <input name="body" type="file" required />
        </label>
      )}
      <button type="submit">Send {method}</button>
      <output tabindex={0} hidden />
    </form>
  )
}

/** The schema of the successful response; null for a file. */
function resultOf({ responses }: Operation): JsonSchema | null {
  const [, success] = Object.entries(responses).find(([status]) => status.startsWith('2')) ?? []
  return success?.content?.['application/json']?.schema ?? null
}

const STYLE = `
body { max-width: 62rem; margin: 0 auto; padding: 1.5rem; line-height: 1.5; }
header { display: grid; gap: 0.75rem; }
h1, p { margin: 0; }
h2 { margin: 2rem 0 0.5rem; font-size: 1.15rem; }
h3 { margin: 0; font-size: 0.95rem; }
label { display: grid; gap: 0.25rem; font-weight: 500; }
input, textarea { width: 100%; }
textarea, code, pre, output { font-family: ui-monospace, monospace; font-size: 0.85rem; }
section > details { border: 1px solid var(--line); border-radius: 12px; margin: 0.4rem 0; padding: 0.5rem 0.75rem; background: var(--surface); }
details details { margin: 0.5rem 0; }
summary { cursor: pointer; overflow-wrap: anywhere; }
summary b { display: inline-block; min-width: 4.5rem; color: var(--accent); }
summary b[data-method='POST'], summary b[data-method='PUT'], summary b[data-method='PATCH'] { color: var(--warn); }
summary b[data-method='DELETE'] { color: var(--danger); }
small { color: var(--muted); }
pre, output { display: block; overflow: auto; max-height: 24rem; margin: 0.25rem 0; padding: 0.75rem; border-radius: 8px;
  background: var(--raised); white-space: pre-wrap; overflow-wrap: anywhere; }
output[hidden] { display: none; }
form { display: grid; gap: 0.5rem; margin-top: 0.75rem; padding-top: 0.75rem; border-top: 1px solid var(--line); }
button { justify-self: start; padding: 0.5rem 1rem; font: inherit; font-weight: 600; border: 0; border-radius: 8px; background: var(--accent);
  color: var(--accent-ink); }
button:disabled { opacity: 0.5; }
table { border-collapse: collapse; width: 100%; margin: 0.5rem 0; font-size: 0.9rem; table-layout: fixed; }
th, td { text-align: start; padding: 0.25rem 0.5rem; border-top: 1px solid var(--line); overflow-wrap: anywhere; }
`
