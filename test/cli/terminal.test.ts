import { afterAll, beforeAll, expect, test } from 'bun:test'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import postgres from 'postgres'
import { z } from 'zod'
import { addNumber } from '../../src/sandbox/carrier/numbers-api.ts'
import { startOpenAi } from '../../src/sandbox/openai/server.ts'
import type { WhatsAppSandbox } from '../../src/sandbox/whatsapp/sandbox.ts'
import { startWhatsAppSandbox } from '../../src/sandbox/whatsapp/server.ts'
import { temporaryDirectory } from '../support/cleanup.ts'
import { createTestDatabase } from '../support/postgres.ts'
import { eventually, NUMBER, type Product, startProduct } from '../support/product.ts'
import { machineEnvironment } from '../support/product-process.ts'
import { CTRL_C, openTerminal, TAB, type TestTerminal } from '../support/terminal.ts'

const CLI = join(import.meta.dir, '../../src/cli.ts')
const LONG = 180_000
const STRANGER = '01234567-0123-7000-8000-000000000000'
/** What a bar is drawn with. */
const BAR = /\[█*·*\]/

let whatsapp: WhatsAppSandbox
let product: Product
let directory: string

beforeAll(async () => {
  whatsapp = await startWhatsAppSandbox({ port: 0 })
  // Not as a sandbox: there a key is needed, and an account waits for a person to scan.
  product = await startProduct({
    queue: 'postgres',
    env: { SANDBOX: '0', BAILEYS_WEBSOCKET_URL: whatsapp.wsUrl },
  })
  directory = temporaryDirectory('cli')
}, LONG)

afterAll(async () => {
  await product?.stop()
  await whatsapp?.close()
}, LONG)

const environment = (extra: Record<string, string> = {}) => ({
  ...product.env,
  PORT: String(product.server().port),
  ...extra,
})

/** The command line in a terminal. */
function sit(args: string[], extra: Record<string, string> = {}): TestTerminal {
  return openTerminal([process.execPath, CLI, '--url', product.url(), ...args], {
    env: environment(extra),
    cwd: directory,
  })
}

async function look(args: string[], extra: Record<string, string> = {}): Promise<{ text: string; code: number }> {
  const terminal = sit(args, extra)
  const code = await terminal.ended()
  return { text: terminal.shown(), code }
}

/** The command line in a script: no terminal, its output read by a program. */
async function pipe(args: string[], extra: Record<string, string> = {}) {
  const child = Bun.spawn([process.execPath, CLI, '--url', product.url(), ...args], {
    cwd: directory,
    env: { ...machineEnvironment(), ...environment(extra) },
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: 60_000,
  })
  const [out, err, code] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ])
  return { out, err, code }
}

async function json<T extends z.ZodType>(args: string[], schema: T): Promise<z.output<T>> {
  const { out, err, code } = await pipe([...args, '--json'])
  if (code !== 0) throw new Error(`${args.join(' ')} ended with ${code}: ${err}`)
  return schema.parse(JSON.parse(out))
}

const withId = z.looseObject({ id: z.string() })
const rows = z.array(withId)

test(
  'help names every command and the exit codes; wrong use has its own exit code and does nothing',
  async () => {
    const help = await look(['--help'])
    expect(help.code).toBe(0)
    for (const command of [
      'doctor',
      'migrate',
      'business',
      'member',
      'key',
      'number',
      'calls',
      'messages',
      'leads',
      'whatsapp',
      'queue',
      'backup',
      'restore',
      'completion',
    ])
      expect(help.text).toMatch(new RegExp(`^  ${command} `, 'm'))
    expect(help.text).toContain('Exit codes: 0 done')
    for (const [args, words] of [
      [['busines'], 'Did you mean business?'],
      [['calls', 'list', '--limit', 'many'], 'It must be a number from 1'],
      [['key', 'create', 'x', '--scope', 'all'], 'Allowed choices are read, write, admin'],
      [['queue', 'failed', 'post'], 'Allowed choices are crm, whatsapp, recordings'],
      [['key', 'revoke', 'mine'], 'It must be an id'],
      [['number', 'add', '12'], 'number: This is no phone number'],
    ] as const) {
      const { text, code } = await look([...args])
      expect([code, text]).toEqual([2, expect.stringContaining(words)])
    }
  },
  LONG,
)

test(
  'without a key, with a wrong one, and where nothing answers',
  async () => {
    const none = await look(['calls', 'list'], { API_KEY: '' })
    expect(none.code).toBe(3)
    expect(none.text).toMatch(/error: .*API_KEY or add --key.*--local/s)
    const wrong = await look(['calls', 'list', '--key', 'a-key-that-is-not-valid'])
    expect([wrong.code, wrong.text]).toEqual([3, 'error: The API key is unknown or was revoked. Create a new one.\n'])
    const viewer = await json(['key', 'create', 'reader', '--scope', 'read'], z.looseObject({ key: z.string() }))
    const refused = await look(['queue', 'list', '--key', viewer.key])
    expect(refused.code).toBe(3)
    expect((await look(['calls', 'list', '--key', viewer.key])).code).toBe(0)
    const away = await look(['calls', 'list', '--url', 'http://127.0.0.1:1'])
    expect(away.code).toBe(6)
    expect(away.text).toContain('No installation answers at http://127.0.0.1:1')
    // Who sits at the machine itself needs none.
    expect((await look(['calls', 'list', '--local'], { API_KEY: '' })).code).toBe(0)
    expect((await look(['calls', 'show', STRANGER])).code).toBe(4)
    expect((await look(['calls', 'show', STRANGER, '--local'])).code).toBe(4)
  },
  LONG,
)

test(
  'a business, its members, keys and numbers',
  async () => {
    const [first] = await json(['business', 'list'], rows)
    expect(first?.id).toBe(product.businessId)
    const shop = await json(['business', 'create', 'חנות הפרחים', '--lang', 'he'], withId)
    const table = await look(['business', 'list'])
    expect(table.text).toMatch(/^NAME +LANGUAGE +BLOCKED +SINCE +ID\n/)
    expect(table.text).toMatch(new RegExp(`^חנות הפרחים +he +\\d{4}-.* ${shop.id}$`, 'm'))
    // Columns stand under each other, also below Hebrew.
    const columns = table.text
      .trimEnd()
      .split('\n')
      .map((line) => line.search(/\b(he|LANGUAGE)\b/))
    expect(new Set(columns).size).toBe(1)

    expect((await look(['business', 'block', shop.id, 'unpaid'])).text).toBe('blocked\n')
    expect((await look(['business', 'list'])).text).toMatch(/^חנות הפרחים +he +yes/m)
    expect((await look(['business', 'unblock', shop.id])).text).toBe('unblocked\n')

    const set = await look([
      'business',
      'set',
      '--hours',
      'sun=09:00-13:00,16:00-19:00',
      'fri=closed',
      '--whatsapp',
      'baileys',
    ])
    expect(set.code).toBe(0)
    expect(set.text).toContain('sun 09:00-13:00,16:00-19:00')
    expect((await look(['business', 'show'])).text).toMatch(/^whatsapp +baileys$/m)
    expect((await look(['business', 'set'])).code).toBe(2)
    expect((await look(['business', 'set', '--hours', 'sun=9'])).code).toBe(2)
    expect((await look(['business', 'set', '--whatsapp', 'twilio', '--payments', 'paypal'])).text).toMatch(
      /^payments +paypal$/m,
    )
  },
  LONG,
)

test(
  'members, keys and numbers come and go',
  async () => {
    const invited = await json(
      ['member', 'invite', 'Dana@Example.com', '--role', 'agent'],
      withId.extend({ email: z.string(), link: z.string() }),
    )
    expect(invited.email).toBe('dana@example.com')
    expect((await look(['member', 'invitations'])).text).toMatch(/^dana@example\.com +agent +handed over/m)
    const asked = new URLSearchParams({ name: 'דנה', password: 'a long first password' })
    const link = `${new URL(invited.link).pathname}`
    expect((await fetch(product.url() + link, { method: 'POST', body: asked, redirect: 'manual' })).status).toBe(303)
    expect((await look(['member', 'invitations'])).text).not.toContain('dana@example.com')
    const dana = (await json(['member', 'list'], z.array(withId.extend({ email: z.string() })))).find(
      (row) => row.email === 'dana@example.com',
    )
    if (!dana) throw new Error('no member')
    expect((await look(['member', 'role', dana.id, 'manager'])).text).toBe('dana@example.com  manager\n')
    expect((await look(['member', 'list'])).text).toMatch(/^dana@example\.com +דנה +manager/m)
    expect((await look(['member', 'remove', dana.id])).text).toBe('removed\n')
    expect((await look(['member', 'remove', dana.id])).code).toBe(4)
    const withdrawn = await json(['member', 'invite', 'noa@example.com'], withId)
    expect((await look(['member', 'revoke', withdrawn.id])).text).toBe('revoked\n')
    expect((await look(['member', 'revoke', withdrawn.id])).code).toBe(4)

    const reset = await look(['user', 'reset-password', 'dana@example.com'])
    expect(reset.text).toMatch(/\/admin\/reset\/[\w-]{43}/)
    expect((await look(['user', 'reset-password', 'unknown@example.com'])).code).toBe(4)

    const made = await look(['key', 'create', 'shop', '--scope', 'write'])
    const secret = made.text.trim()
    expect((await look(['contacts', 'list', '--key', secret])).code).toBe(0)
    const key = (await json(['key', 'list'], z.array(withId.extend({ name: z.string() })))).find(
      (row) => row.name === 'shop',
    )
    expect((await look(['key', 'list'])).text).not.toContain(secret)
    expect((await look(['key', 'revoke', key?.id ?? ''])).text).toBe('revoked\n')
    expect((await look(['contacts', 'list', '--key', secret])).code).toBe(3)

    const line = await json(['number', 'add', '03-555-1234', '--label', 'shop', '--lang', 'en'], withId)
    expect((await look(['number', 'list'])).text).toMatch(/^03-555-1234 +shop +en /m)
    expect((await look(['number', 'remove', line.id])).code).toBe(0)
    expect((await look(['number', 'list'])).text).not.toContain('03-555-1234')
  },
  LONG,
)

test(
  'a business gets keys of its own: asked for without showing a secret, or read from a pipe; never from the arguments',
  async () => {
    const secret = 'the-secret-of-the-terminal'
    const terminal = sit(['business', 'keys', 'set', 'tranzila'])
    await terminal.until(/terminal: $/)
    terminal.type('dana-shpp\u007f\u007fop\r')
    await terminal.until(/appKey: $/)
    // Pasted ahead: the second line is the answer to a question that was not asked yet.
    terminal.type(`app-${secret}\r${secret}\r`)
    expect(await terminal.ended()).toBe(0)
    expect(terminal.shown()).toContain('tranzila  dana-shop')
    expect(terminal.raw()).not.toContain(secret)

    const interrupted = sit(['business', 'keys', 'set', 'tranzila'])
    await interrupted.until(/terminal: $/)
    interrupted.type(CTRL_C)
    expect(await interrupted.ended()).toBe(130)
    const left = sit(['business', 'keys', 'set', 'tranzila'])
    await left.until(/terminal: $/)
    left.type('\r')
    expect([await left.ended(), left.shown()]).toEqual([2, expect.stringContaining('Nothing was set')])

    const piped = async (provider: string, text: string) => {
      const child = Bun.spawn([process.execPath, CLI, '--url', product.url(), 'business', 'keys', 'set', provider], {
        cwd: directory,
        env: { ...machineEnvironment(), ...environment() },
        stdin: new Blob([text]),
        stdout: 'pipe',
        stderr: 'pipe',
        timeout: 60_000,
      })
      const said = (await new Response(child.stdout).text()) + (await new Response(child.stderr).text())
      return { said, code: await child.exited }
    }
    expect(await piped('openai', `apiKey=sk=${secret}\n`)).toEqual({ said: 'openai  …inal\n', code: 0 })
    for (const [text, words] of [
      [secret, 'Write name=value with one of these names: apiKey, model'],
      [`apiKey=${secret} x`, 'printable characters without spaces'],
    ] as const) {
      const { said, code } = await piped('openai', text)
      expect([code, said]).toEqual([2, expect.stringContaining(words)])
      expect(said).not.toContain(secret)
    }
    expect((await look(['business', 'keys', 'set', 'openai', secret])).code).toBe(2)

    const listed = await look(['business', 'keys', 'list'])
    expect(listed.text).toMatch(/^openai +…inal /m)
    expect(listed.text).toMatch(/^tranzila +dana-shop /m)
    for (const provider of ['openai', 'tranzila'])
      expect((await look(['business', 'keys', 'remove', provider])).code).toBe(0)
    expect((await look(['business', 'keys', 'list'])).text).toContain('(none)')
    expect((await look(['business', 'keys', 'remove', 'openai'])).code).toBe(4)
    expect(JSON.stringify(product.webLog())).not.toContain(secret)
  },
  LONG,
)

test(
  'doctor sees a wrong webhook, says what to do, and mends it',
  async () => {
    expect((await json(['number', 'list'], rows)).length).toBe(0)
    await json(['number', 'add', NUMBER], withId)
    const ours = addNumber(product.carrier, NUMBER, { voiceUrl: 'https://demo.twilio.com/welcome/voice/' })
    const theirs = addNumber(product.carrier, '+97231112222', { voiceUrl: 'https://another.example/voice' })
    // On this machine there is no https; as a sandbox that is no problem.
    const extra = { SANDBOX: '1' }

    const before = await look(['doctor'], extra)
    expect(before.code).toBe(1)
    expect(before.text).toContain(`PROBLEM  twilio ${NUMBER}  calls go to POST https://demo.twilio.com/welcome/voice/`)
    expect(before.text).toMatch(
      /doctor --fix.*“A call comes in”: Webhook, http:\/\/127\.9\.9\.9\/webhook\/incoming_call, HTTP POST and “Call status changes”/,
    )
    expect(before.text).toMatch(/warning +twilio \+97231112222 +it is assigned to no business/)
    for (const check of ['settings', 'database', 'queue', 'storage', 'process web', 'process crm', 'web server'])
      expect(before.text).toMatch(new RegExp(`^ok +${check} `, 'm'))

    product.carrier.faults.add({
      operation: 'numbers.update',
      times: 1,
      effect: { kind: 'http_error', status: 400, code: 21402 },
    })
    const refused = await look(['doctor', '--fix'], extra)
    expect([refused.code, refused.text]).toEqual([1, expect.stringContaining('The carrier answered 400 (21402')])

    const fixed = await look(['doctor', '--fix'], extra)
    expect([fixed.code, fixed.text]).toEqual([0, expect.stringContaining('its webhooks were set')])
    expect(product.carrier.numbers.get(ours.sid)).toMatchObject({
      voiceUrl: 'http://127.9.9.9/webhook/incoming_call',
      voiceMethod: 'POST',
      statusCallback: 'http://127.9.9.9/webhook/call_status',
      smsUrl: 'http://127.9.9.9/webhook/sms',
    })
    expect(product.carrier.numbers.get(theirs.sid)?.voiceUrl).toBe('https://another.example/voice')

    // A trunk answers before any address does.
    product.carrier.numbers.set(ours.sid, {
      ...ours,
      ...product.carrier.numbers.get(ours.sid),
      trunkSid: `TK${'1'.repeat(32)}`,
    })
    const { out, code } = await pipe(['doctor', '--json'], extra)
    const report = z
      .object({ healthy: z.boolean(), findings: z.array(z.looseObject({ check: z.string(), found: z.string() })) })
      .parse(JSON.parse(out))
    expect([code, report.healthy]).toEqual([1, false])
    expect(report.findings.find((finding) => finding.check === `twilio ${NUMBER}`)?.found).toBe(
      'calls go to a SIP trunk',
    )
    expect((await pipe(['doctor', '--fix', '--json'], extra)).code).toBe(0)
    expect(product.carrier.numbers.get(ours.sid)?.trunkSid).toBeNull()

    product.carrier.faults.add({
      operation: 'numbers',
      times: 1,
      effect: { kind: 'http_error', status: 401, code: 20003 },
    })
    expect((await look(['doctor'], extra)).text).toContain('Check TWILIO_ACCOUNT_SID and TWILIO_AUTH_TOKEN.')
  },
  LONG,
)

test(
  'doctor says of a business’s own keys whether they are answered',
  async () => {
    const { credentials, businesses } = product.trpc()
    const { id, name } = await businesses.get.query()
    const own = { accountSid: `AC${'c'.repeat(32)}`, authToken: 'the-token-of-the-business' }
    const account = product.carrier.addAccount(own)
    // Nothing listens at the address of PayPal.
    const openai = startOpenAi({ port: 0, apiKey: 'sk-of-the-business' })
    const extra = { SANDBOX: '1', PAYPAL_API_BASE_URL: 'http://127.0.0.1:9', OPENAI_REALTIME_URL: openai.realtimeUrl }
    addNumber(account, NUMBER, { voiceUrl: 'https://demo.twilio.com/welcome/voice/' })
    await credentials.set.mutate({ provider: 'twilio', keys: own })
    await credentials.set.mutate({ provider: 'openai', keys: { apiKey: 'sk-of-the-business' } })
    const first = await look(['doctor'], extra)
    expect(first.text).toContain(`ok       openai of ${name}`)
    // Its number is looked for in its own account, not in the installation's.
    expect(first.text).toContain(`PROBLEM  twilio ${NUMBER}  calls go to POST https://demo.twilio.com/welcome/voice/`)
    const fixed = await look(['doctor', '--fix'], extra)
    expect([fixed.code, fixed.text]).toEqual([0, expect.stringContaining(`ok       twilio of ${name}`)])

    const keys = { clientId: 'client', clientSecret: 'not-to-be-shown', webhookId: 'WH-1' }
    await credentials.set.mutate({ provider: 'paypal', keys })
    await credentials.set.mutate({ provider: 'twilio', keys: { ...own, authToken: 'not-to-be-shown' } })
    await credentials.set.mutate({ provider: 'openai', keys: { apiKey: 'sk-not-to-be-shown' } })
    const wrong = await look(['doctor'], extra)
    expect(wrong.code).toBe(1)
    expect(wrong.text).toMatch(new RegExp(`PROBLEM +twilio of ${name} +The carrier answered 401`))
    expect(wrong.text).toMatch(new RegExp(`PROBLEM +paypal of ${name} +PayPal could not be reached`))
    expect(wrong.text).toMatch(
      new RegExp(`PROBLEM +openai of ${name} +openai:\\S+ does not answer. The key is not accepted`),
    )
    expect(wrong.text).toContain(`--business ${id} business keys set paypal`)
    expect(wrong.text).not.toContain('not-to-be-shown')

    const rotated = await look(['doctor'], { ...extra, SESSION_SECRET: 'another-session-secret' })
    expect(rotated.text).toMatch(new RegExp(`PROBLEM +openai of ${name} +its keys cannot be decrypted`))
    for (const provider of ['twilio', 'openai', 'paypal'] as const) await credentials.remove.mutate({ provider })
    await openai.close()
  },
  LONG,
)

test(
  'a long import draws a bar for a person alone, goes on after Ctrl-C, and is followed to its end',
  async () => {
    const file = join(directory, 'leads.csv')
    const lines = Array.from({ length: 400 }, (_, index) => `050-${String(2_000_000 + index)},אורח ${index},תיקון מזגן`)
    writeFileSync(file, ['phone,name,inquiry', ...lines, 'no number,x,y'].join('\n'))

    const dry = await look(['leads', 'import', file, '--dry-run'])
    expect(dry.code).toBe(7)
    expect(dry.text).toStartWith(
      '400 of 401 rows can be imported: 400 would be created, 0 updated, 0 exist, 1 would be rejected',
    )
    expect(dry.text).toMatch(/^2 +created +\+972502000000 +אורח 0$/m)
    expect(dry.text).toEndWith('line 402, phone: no phone number; write it as +972… or 05x-…\n')
    expect((await look(['leads', 'import', 'no-such.csv'])).code).toBe(4)

    // The worker stands still: the bar does too.
    const [worker] = product.workersOf('crm')
    worker?.kill('SIGSTOP')
    const waiting = sit(['leads', 'import', file])
    await waiting.until(BAR)
    waiting.type(CTRL_C)
    expect(await waiting.ended()).toBe(130)
    const id = /`imports follow ([0-9a-f-]{36})`/.exec(waiting.shown())?.[1] ?? ''
    expect(id).not.toBe('')
    const following = sit(['imports', 'follow', id])
    await following.until(BAR)
    worker?.kill('SIGCONT')
    expect(await following.ended()).toBe(7)
    expect(following.shown()).toContain('400 created, 0 updated, 0 existing, 1 rejected')
    expect(following.shown()).toContain('line 402, phone')
    // Wiped away at the end: the cursor went back and cleared the line.
    expect(following.raw()).toContain('\r\u001b[K400 created')

    const piped = await pipe(['leads', 'import', file])
    expect([piped.code, piped.err]).toEqual([7, ''])
    expect(piped.out).toContain('0 created, 0 updated, 400 existing, 1 rejected')
    const refused = join(directory, 'refused.csv')
    const again = await pipe(['leads', 'import', file, '--rejected', refused])
    expect([again.code, again.out]).toEqual([7, expect.stringContaining(`the rejected rows are in ${refused}`)])
    expect(readFileSync(refused, 'utf8')).toBe(
      '\ufeffphone,name,inquiry,why it was refused\r\nno number,x,y,"phone: no phone number; write it as +972… or 05x-…"\r\n',
    )
    expect((await pipe(['imports', 'rejected', id])).out).toContain('no number,x,y,')

    // In an old encoding, with unknown headings.
    const hebrew = 'מספרון;כינוי;שווי\r\n0503000001;דנה כהן;1,234\r\n'
    writeFileSync(
      file,
      Uint8Array.from(hebrew, (c) => (c >= 'א' && c <= 'ת' ? c.charCodeAt(0) - 0x4f0 : c.charCodeAt(0))),
    )
    const mapped = ['leads', 'import', file, '--map', 'מספרון=phone', 'כינוי=name', 'שווי=value']
    expect((await look(['leads', 'import', file])).text).toContain('The columns are: “מספרון”, “כינוי”, “שווי”.')
    expect((await look([...mapped, '--dry-run'])).text).toMatch(
      /read as windows-1255.*QUESTION {2}שווי: 1 amounts such as 1,234/s,
    )
    expect((await look([...mapped, '--amounts', '1,234.50'])).text).toContain('1 created, 0 updated')

    // Larger than any other request may be.
    const notes = 'a long note '.repeat(300)
    const big = Array.from({ length: 400 }, (_, index) => `050-${String(2_000_000 + index)},${notes}`)
    writeFileSync(file, ['phone,note', ...big].join('\n'))
    expect((await look(['contacts', 'import', file])).text).toContain('0 created, 400 updated')
    writeFileSync(file, ['phone,name,inquiry', ...lines.map((line) => `${line} שוב`)].join('\n'))
    expect((await look(['leads', 'import', file])).text).toContain('400 created')
    expect((await look(['imports', 'list'])).text).toMatch(/ 401\/401 /)
  },
  LONG,
)

test(
  'lists are as long as asked for, and an export loses nothing in a slow pipe',
  async () => {
    const leads = await json(['leads', 'list', '--limit', '300'], rows)
    expect(leads.length).toBe(300)
    expect(new Set(leads.map((lead) => lead.id)).size).toBe(300)
    expect((await look(['leads', 'list'])).text.trimEnd().split('\n').length).toBe(21)

    const file = join(directory, 'out.csv')
    expect((await look(['leads', 'export', file])).text).toBe('801 rows\n')
    expect(readFileSync(file, 'utf8')).toStartWith('\ufeffid,phone,name')
    expect((await look(['leads', 'export', file])).code).toBe(5)
    const slow = Bun.spawn(
      ['bash', '-c', `"$0" "$@" | (sleep 2; cat)`, process.execPath, CLI, '--url', product.url(), 'leads', 'export'],
      { env: { ...machineEnvironment(), ...environment() }, stdout: 'pipe', stderr: 'inherit', timeout: 60_000 },
    )
    expect(`\ufeff${await new Response(slow.stdout).text()}`).toBe(readFileSync(file, 'utf8'))
    const head = Bun.spawn(
      [
        'bash',
        '-c',
        `set -o pipefail; "$0" "$@" | head -n 1`,
        process.execPath,
        CLI,
        '--url',
        product.url(),
        'leads',
        'export',
      ],
      { env: { ...machineEnvironment(), ...environment() }, stdout: 'pipe', stderr: 'pipe', timeout: 60_000 },
    )
    expect(await new Response(head.stdout).text()).toStartWith('id,phone,name')
    expect(await new Response(head.stderr).text()).toBe('')
  },
  LONG,
)

test(
  'a call and a message stand in their lists',
  async () => {
    await product.call({ script: [{ hangup: true, when: { afterMs: 1_500 } }] })
    const call = await eventually(
      async () =>
        (await json(['calls', 'list'], z.array(withId.extend({ state: z.string() })))).find(
          (row) => row.state === 'ended',
        ),
      'the call in the list',
      30_000,
    )
    expect((await look(['calls', 'list'])).text).toMatch(
      /^STARTED +FROM +NAME +STATE +REASON +SECONDS +ID\n.* 050-123-4567 .* ended /,
    )
    const shown = await look(['calls', 'show', call.id])
    expect(shown.text).toMatch(/^# +ROLE +AT +HEARD +TEXT$/m)

    const sent = await json(['whatsapp', 'send', '050-123-4567', 'שלום לך'], withId)
    const again = ['whatsapp', 'send', '050-123-4567', 'פעם אחת', '--idempotency-key', 'once']
    expect((await json(again, withId)).id).toBe((await json(again, withId)).id)
    await eventually(
      async () => /delivered|read/.test((await look(['messages', 'show', sent.id])).text),
      'its delivery',
      30_000,
    )
    expect((await look(['messages', 'list'])).text).toMatch(/^.* out +twilio +\w+ +050-123-4567 +שלום לך /m)
    expect((await look(['messages', 'show', STRANGER])).code).toBe(4)
  },
  LONG,
)

test(
  'an account is linked from the terminal, shown, and logged out',
  async () => {
    expect((await look(['whatsapp', 'status'])).text).toMatch(/^STATE .*\n\(none\)\n$/)
    expect((await look(['whatsapp', 'logout'])).code).toBe(4)
    const given = sit(['whatsapp', 'link', '--timeout', '60'])
    await given.until(/scan this code\./)
    given.type(CTRL_C)
    expect(await given.ended()).toBe(130)

    const phone = '+972501110077'
    whatsapp.putAccount({ phone, name: 'חנות' })
    const link = sit(['whatsapp', 'link'])
    await link.until(/scan this code\./)
    expect(link.shown()).toMatch(/[▀▄█]{20}/)
    // The phone scans what is on the screen: the code that the status answers too.
    for (const deadline = Date.now() + 60_000; !/^STATE/m.test(link.shown()); await Bun.sleep(300)) {
      if (Date.now() > deadline) throw new Error(`It was not linked:\n${link.shown().slice(-2_000)}`)
      const { items: accounts } = await product.trpc().whatsapp.list.query()
      const qr = accounts.find((account) => account.state === 'scan_qr')?.qr
      if (qr)
        await fetch(`${whatsapp.controlUrl}/scan`, {
          method: 'POST',
          headers: { 'Content-Type': 'application/json' },
          body: JSON.stringify({ phone, qr }),
        })
    }
    expect(await link.ended()).toBe(0)
    expect(link.shown()).toMatch(/^working +050-111-0077 /m)
    expect((await json(['whatsapp', 'status'], rows)).length).toBe(1)
    expect((await look(['whatsapp', 'link', '--local'])).text).toStartWith('The account is already linked.')
    const out = await look(['whatsapp', 'logout'])
    expect([out.code, out.text]).toEqual([0, expect.stringMatching(/^logged out /)])
    expect((await look(['whatsapp', 'status'])).text).toMatch(/^logged_out /m)
  },
  LONG,
)

test(
  'queues and failed jobs are listed, failed jobs are retried, and nothing is deleted without a question',
  async () => {
    const health = await json(['queue', 'list'], z.array(z.looseObject({ name: z.string(), waiting: z.number() })))
    expect(health.map((queue) => queue.name).sort()).toEqual([
      'agent',
      'crm',
      'knowledge',
      'payments',
      'recordings',
      'whatsapp',
    ])
    expect((await look(['queue', 'list'])).text).toMatch(/^QUEUE +WAITING +ACTIVE +DELAYED +FAILED +OLDEST$/m)
    expect((await look(['queue', 'failed', 'crm'])).code).toBe(0)
    expect((await look(['queue', 'retry', 'crm'])).text).toMatch(/^\d+ jobs queued again\n$/)
    expect((await look(['queue', 'retry', 'crm', 'no-such-job'])).code).toBe(4)

    expect((await pipe(['queue', 'drain', 'recordings'])).code).toBe(2)
    const no = sit(['queue', 'drain', 'recordings'])
    await no.until(/\[y\/N\]/)
    no.type('n\n')
    expect(await no.ended()).toBe(2)
    const interrupted = sit(['queue', 'drain', 'recordings'])
    await interrupted.until(/\[y\/N\]/)
    interrupted.type(CTRL_C)
    expect(await interrupted.ended()).toBe(130)
    const yes = sit(['queue', 'drain', 'recordings'])
    await yes.until(/\[y\/N\]/)
    yes.type('y\n')
    expect(await yes.ended()).toBe(0)
    expect(yes.shown()).toContain('0 jobs deleted')
    expect((await pipe(['queue', 'drain', 'recordings', '--yes'])).code).toBe(0)
  },
  LONG,
)

test(
  'migrate, backup and restore; Ctrl-C in the middle leaves nothing half',
  async () => {
    expect((await look(['migrate'])).text).toBe('The database is up to date.\n')
    const file = join(directory, 'all.tar')

    // A table that is locked holds the backup up.
    const hold = postgres(product.env.DATABASE_URL ?? '', { max: 1, onnotice: () => {} })
    try {
      await hold.begin(async (tx) => {
        await tx`lock table leads in access exclusive mode`
        const waiting = sit(['backup', file])
        await waiting.until(BAR)
        await waiting.until(/leads/)
        expect(existsSync(`${file}.partial`)).toBe(true)
        waiting.type(CTRL_C)
        expect(await waiting.ended()).toBe(130)
        expect(waiting.shown()).toContain('The backup was interrupted. No archive was written.')
      })
    } finally {
      await hold.end({ timeout: 2 })
    }
    expect([existsSync(file), existsSync(`${file}.partial`)]).toEqual([false, false])

    const whole = sit(['backup', file])
    expect(await whole.ended()).toBe(0)
    expect(whole.raw()).toMatch(BAR)
    expect(whole.shown()).toMatch(/all\.tar: \d+ rows, \d+ files/)
    const noted = await product.trpc().system.backup.query()
    expect(whole.shown()).toContain(`all.tar: ${noted?.rows} rows, ${noted?.files} files`)
    expect((await look(['backup', file])).code).toBe(5)
    const piped = await pipe(['backup', join(directory, 'piped.tar'), '--json'])
    expect([piped.code, piped.err]).toEqual([0, ''])
    const { rows: saved } = z.looseObject({ rows: z.number() }).parse(JSON.parse(piped.out))

    expect((await look(['restore', file])).code).toBe(5)
    const empty = await createTestDatabase()
    const elsewhere = { DATABASE_URL: empty.url, DATA_DIR: temporaryDirectory('restored') }
    const other = postgres(empty.url, { max: 2, onnotice: () => {} })
    try {
      await other.begin(async (tx) => {
        await tx`lock table leads in share mode`
        const waiting = sit(['restore', file], elsewhere)
        await waiting.until(BAR)
        waiting.type(CTRL_C)
        expect(await waiting.ended()).toBe(130)
        expect(waiting.shown()).toContain('The restore was interrupted. The database is still empty.')
      })
      await eventually(
        async () => {
          const [left] = await other<{ busy: number }[]>`select count(*)::int as busy from pg_stat_activity
        where application_name = 'agentlocator restore' and datname = current_database()`
          return left?.busy === 0
        },
        'the end of the interrupted restore',
        30_000,
      )
      expect((await other`select 1 from businesses`).length).toBe(0)
      writeFileSync(join(directory, 'damaged.tar'), readFileSync(file).subarray(0, 20_000))
      expect((await look(['restore', join(directory, 'damaged.tar')], elsewhere)).code).toBe(2)
      const restored = await pipe(['restore', file, '--json'], elsewhere)
      expect([restored.code, restored.err]).toEqual([0, ''])
      expect((await other`select 1 from leads`).length).toBe(801)
      expect(z.looseObject({ rows: z.number() }).parse(JSON.parse(restored.out)).rows).toBeLessThanOrEqual(saved)
    } finally {
      await other.end({ timeout: 2 })
      await empty.drop()
    }
  },
  LONG,
)

test(
  'the completion really completes in an interactive bash',
  async () => {
    const script = join(directory, 'completion.bash')
    const { out } = await pipe(['completion', 'bash'])
    writeFileSync(script, out)
    const terminal = openTerminal(['bash', '--norc', '--noprofile', '-i'], { env: { PS1: '> ' }, cwd: directory })
    await terminal.until(/> $/)
    terminal.type(`bind 'set bell-style none'; agentlocator() { echo "ran: $*"; }; source ${script}; echo rea''dy\n`)
    await terminal.until(/^ready$/m)
    /** What a line becomes by one TAB, run. */
    let count = 0
    const complete = async (typed: string) => {
      count += 1
      terminal.type(`${typed}${TAB}`)
      await Bun.sleep(300)
      terminal.type(` :${count}\n`)
      await terminal.until(new RegExp(`^ran: .*:${count}$`, 'm'))
      return new RegExp(`^ran: (.*?) *:${count}$`, 'm').exec(terminal.shown())?.[1]
    }
    expect(await complete('agentlocator doc')).toBe('doctor')
    expect(await complete('agentlocator whatsapp lo')).toBe('whatsapp logout')
    expect(await complete('agentlocator leads im')).toBe('leads import')
    expect(await complete('agentlocator leads import --dr')).toBe('leads import --dry-run')
    expect(await complete('agentlocator calls list --js')).toBe('calls list --json')
    expect(await complete('agentlocator --url http://127.0.0.1:5000 queue fa')).toBe(
      '--url http://127.0.0.1:5000 queue failed',
    )
    expect(await complete('agentlocator member invite x@example.com --role man')).toBe(
      'member invite x@example.com --role manager',
    )
    expect(await complete('agentlocator queue drain rec')).toBe('queue drain recordings')
    expect(await complete('agentlocator --business calls key cr')).toBe('--business calls key create')
    // A file name where a file is wanted.
    writeFileSync(join(directory, 'my-contacts.csv'), '')
    expect(await complete('agentlocator contacts import my-c')).toBe('contacts import my-contacts.csv')
    terminal.type('exit\n')
    expect(await terminal.ended()).toBe(0)
    expect((await pipe(['completion', 'fish'])).code).toBe(2)
  },
  LONG,
)
