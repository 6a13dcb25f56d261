import { expect, test } from 'bun:test'
import { join } from 'node:path'
import { Glob } from 'bun'

const ROOT = join(import.meta.dir, '../..')

/** Ways to open a connection to an address. */
const WAYS: Record<string, RegExp> = {
  fetch: /(?<![.\w#])fetch\s*\(|\b(globalThis|Bun|window|self)\.fetch\b|[=:,(?]\s*fetch\s*[,;)\n]/,
  'an HTTP client': /from '(node:)?(http|https|http2|undici)'|from '(axios|got|ky|node-fetch|superagent|needle)'/,
  'a socket':
    /\b(Bun\.connect|net\.connect|tls\.connect|net\.createConnection)\b|\bconnect\b[^\n]*from '(node:)?(net|tls)'/,
  'a web socket': /(new |Reflect\.construct\()\w*WebSocket\b|from 'ws'/,
  'an event stream': /new EventSource\s*\(/,
}

/** Who may, and why the address is not one that a user or a sender names. */
const ALLOWED: Record<string, string> = {
  'src/lib/safe-fetch.ts': 'the one client for addresses that users and senders name',
  'src/providers/speech/openai-realtime/connection.ts': 'OpenAI, by the installation’s settings',
  'src/providers/speech/openai-realtime/transcriber.ts': 'OpenAI, by the installation’s settings',
  'src/providers/telephony/twilio-client.ts': 'Twilio; the host of a media address is compared with Twilio’s own',
  'src/providers/whatsapp/baileys/media.ts': 'the media host that WhatsApp names on the authenticated connection',
  'src/providers/payments/call.ts': 'PayPal and Tranzila, by the installation’s settings',
  'src/providers/calendars/call.ts': 'Google and Microsoft, by the installation’s settings',
  'src/console/app/service-worker.ts': 'what a page of this installation opens',
  'src/console/screens/live-audio.ts': 'this installation itself',
  'src/http/api/docs-script.ts': 'this installation itself, from a browser',
  'src/console/app/login.ts': 'this installation itself, from a browser',
  'src/processes/doctor/examine.ts': 'this installation itself',
  'src/cli/commands/message-media.ts': 'this installation itself',
  'src/cli/smoke.ts': 'this installation itself',
  'src/cli/evals/product.ts': 'the sandbox that plays scenarios, on this machine',
  'src/cli/commands/whatsapp.ts': 'the sandbox, by the installation’s settings',
  'src/trpc/client.ts': 'the server that the owner of the client names, with the owner’s rights',
  'src/console/phone/call.ts': 'the server that the browser has the console from',
  'src/whatsapp/sandbox-phone.ts': 'the sandbox, by the installation’s settings',
}

const ELSEWHERE = /^src\/sandbox\//

const sources = async () => {
  const files: string[] = []
  for (const pattern of ['src/**/*.{ts,tsx}', 'workers/**/*.ts', 'db/**/*.ts'])
    for await (const file of new Glob(pattern).scan(ROOT)) if (!ELSEWHERE.test(file)) files.push(file)
  return files.sort()
}

test('only the files on the list open connections to addresses', async () => {
  const found = new Map<string, string[]>()
  for (const file of await sources()) {
    // Without comments, and without methods of servers that have this name.
    const text = (await Bun.file(join(ROOT, file)).text())
      .replace(/\/\*[\s\S]*?\*\/|^\s*\/\/.*$/gm, '')
      .replace(/^ +(async )?fetch\([^)\n]*\).*(\{|undefined)$/gm, '')
    const ways = Object.keys(WAYS).filter((way) => WAYS[way]?.test(text))
    if (ways.length > 0) found.set(file, ways)
  }
  expect([...found].filter(([file]) => !(file in ALLOWED))).toEqual([])
  expect(Object.keys(ALLOWED).filter((file) => !found.has(file))).toEqual([])
})
