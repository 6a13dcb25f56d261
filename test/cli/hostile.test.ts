import { afterAll, beforeAll, expect, test } from 'bun:test'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Command } from 'commander'
import { buildProgram } from '../../src/cli.ts'
import { newId } from '../../src/lib/ids.ts'
import { cutText } from '../../src/lib/text.ts'
import { temporaryDirectory } from '../support/cleanup.ts'
import { HOSTILE_STRINGS } from '../support/hostile-strings.ts'
import { type Product, startProduct } from '../support/product.ts'
import { machineEnvironment } from '../support/product-process.ts'
import { withSeed } from '../support/seed.ts'
import { openTerminal } from '../support/terminal.ts'

const CLI = join(import.meta.dir, '../../src/cli.ts')
const LONG = 400_000
/** Longer than servers go on with the name that they read before. */
const DIRECTORY_REFRESH_MS = 6_000
const TEXTS = Object.values(HOSTILE_STRINGS)
/** All of them at once, for what there is only one of. */
const ALL = TEXTS.map((text) => text.slice(0, 100)).join(' ')
/** What a person must never get raw: controls, separators, turns of direction, tags, characters without width. */
const RAW = /[^\P{Cc}\n\t]|[\p{Zl}\p{Zp}\u202a-\u202e\u2066-\u2069\u200b\u200e\u200f\u2060\ufeff\u{e0000}-\u{e007f}]/u

let product: Product
let directory: string
let ids: { call: string; message: string; conversation: string; import: string; quarantined: string }

beforeAll(async () => {
  product = await startProduct({ queue: 'postgres', env: { SANDBOX: '0' } })
  directory = temporaryDirectory('hostile')
  ids = await fill()
  writeFileSync(join(directory, 'hostile.csv'), csvOf('email'))
  writeFileSync(join(directory, 'record.jsonl'), TEXTS.join('\n'))
  writeFileSync(join(directory, 'scenario.yaml'), JSON.stringify({ name: ALL, [ALL]: ALL }))
}, LONG)

afterAll(async () => {
  await product?.stop()
}, LONG)

/** A file whose every row holds such a text in a column that is refused for it. */
function csvOf(column: string): string {
  const lines = TEXTS.map((text) => [text, 'x', text].map((cell) => `"${cell.replaceAll('"', '""')}"`).join(','))
  return `name,${column},${`"${ALL.replaceAll('"', '""').slice(0, 300)}"`}\n${lines.join('\n')}\n`
}

/** Rows as they came to be before anything was checked: every text of a person is hostile. */
async function fill() {
  const { sql, businessId } = product
  await sql`update businesses set name = ${ALL}, greeting = ${ALL}, blocked_reason = ${ALL}, blocked_at = now()`
  await sql`update api_keys set name = ${ALL}`
  await sql`insert into phone_numbers (id, business_id, e164, label) values (${newId()}, ${businessId}, '+97235559999', ${ALL})`
  const [user] =
    await sql`insert into auth_users (id, name, email) values (${newId()}, ${ALL}, ${`${ALL.slice(0, 200)}@example.com`}) returning id`
  await sql`insert into memberships (id, business_id, user_id, role) values (${newId()}, ${businessId}, ${user?.id}, 'viewer')`
  const quarantined = newId()
  await sql`insert into quarantine (id, business_id, job, key, content, reason, attempts)
    values (${quarantined}, ${businessId}, ${ALL}, ${ALL}, ${Buffer.from(JSON.stringify({ text: ALL }))}, ${ALL}, 3)`
  const found = { call: '', message: '', conversation: '', import: '', quarantined }
  for (const [index, text] of TEXTS.entries()) {
    const [contact, conversation, call, message] = [newId(), newId(), newId(), newId()]
    const phone = `+97250444${1_000 + index}`
    await sql`insert into contacts (id, business_id, phone, name, email, custom)
      values (${contact}, ${businessId}, ${index % 2 ? null : phone}, ${text}, ${text}, ${sql.json({ [`c${cutText(text, 60)}`]: cutText(text, 2_000) })})`
    await sql`insert into contact_tags (business_id, contact_id, tag) values (${businessId}, ${contact}, ${`t${cutText(text.trim(), 60)}`})`
    await sql`insert into conversations (id, business_id, contact_id) values (${conversation}, ${businessId}, ${contact})`
    await sql`insert into messages (id, business_id, conversation_id, contact_id, direction, provider, kind, status, body, reply_to, error_code, error_message, data)
      values (${message}, ${businessId}, ${conversation}, ${contact}, ${index % 2 ? 'in' : 'out'}, 'baileys', ${text}, ${index % 2 ? 'received' : 'failed'}, ${text}, ${text}, ${text}, ${text}, ${sql.json({ text })})`
    await sql`insert into calls (id, business_id, contact_id, call_sid, from_number, to_number, state, end_reason, end_detail, started_at)
      values (${call}, ${businessId}, ${contact}, ${`CA${index}`}, ${text}, ${text}, 'ended', ${text}, ${text}, now())`
    for (const [turn, hostile] of TEXTS.entries())
      if (index === 0)
        await sql`insert into call_turns (id, business_id, call_id, index, role, text, question, start_ms, end_ms)
          values (${newId()}, ${businessId}, ${call}, ${turn}, 'caller', ${turn % 2 ? hostile : null}, ${hostile}, 0, 1)`
    await sql`insert into leads (id, business_id, contact_id, stage, source, name, wish, callback_time)
      values (${newId()}, ${businessId}, ${contact}, ${text}, 'manual', ${text}, ${text}, ${text})`
    await sql`insert into payments (id, business_id, contact_id, amount, currency, description, provider, reason, request_hash, expires_at)
      values (${newId()}, ${businessId}, ${contact}, 100, 'ILS', ${text}, 'paypal', ${text}, 'x', now())`
    found.call ||= call
    found.message ||= message
    found.conversation ||= conversation
  }
  const { imports } = product.trpc()
  const started = await imports.create.mutate({ kind: 'contacts', csv: csvOf('email') })
  for (
    const deadline = Date.now() + 30_000;
    (await imports.get.query({ id: started.id })).state !== 'done';
    await Bun.sleep(50)
  )
    if (Date.now() > deadline) throw new Error('the import did not end')
  return { ...found, import: started.id }
}

/** For every command: how it is run here, or why it shows nothing that others wrote. */
const COMMANDS: Record<string, { run: () => string[][] } | { quiet: string }> = {
  doctor: { run: () => [['doctor']] },
  migrate: { quiet: 'names of our migrations' },
  backup: { quiet: 'the name that was typed, and counts' },
  restore: { quiet: 'counts' },
  'quarantine list': { run: () => [['quarantine', 'list']] },
  'quarantine show': { run: () => [['quarantine', 'show', ids.quarantined]] },
  'quarantine retry': { quiet: 'a count' },
  'quarantine drop': { quiet: 'a word' },
  'queue list': { run: () => [['queue', 'list']] },
  'queue failed': { run: () => [['queue', 'failed', 'crm']] },
  'queue retry': { quiet: 'a count' },
  'queue drain': { quiet: 'a count' },
  'business list': { run: () => [['business', 'list']] },
  'business create': { quiet: 'an id' },
  'business block': { quiet: 'a word' },
  'business unblock': { quiet: 'a word' },
  'business show': { run: () => [['business', 'show']] },
  'business set': { run: () => [['business', 'set', '--lang', 'en']] },
  'business keys list': { run: () => [['business', 'keys', 'list']] },
  'business keys set': { quiet: 'what was typed' },
  'business keys remove': { quiet: 'a word' },
  'member list': { run: () => [['member', 'list']] },
  'member invite': { quiet: 'what was typed, and a link of ours' },
  'member invitations': { run: () => [['member', 'invitations']] },
  'member resend': { quiet: 'an address that was checked, and a link of ours' },
  'member revoke': { quiet: 'a word' },
  'member second-factor': { quiet: 'a word' },
  'user reset-password': { quiet: 'what was typed, and a link of ours' },
  'member role': { run: () => [['member', 'role', newId(), 'viewer']] },
  'member remove': { quiet: 'a word' },
  'key list': { run: () => [['key', 'list']] },
  'key create': { quiet: 'the key' },
  'key revoke': { quiet: 'a word' },
  'number list': { run: () => [['number', 'list']] },
  'number add': { quiet: 'what was typed' },
  'number remove': { quiet: 'a word' },
  'calls list': { run: () => [['calls', 'list', '--limit', '200']] },
  'calls show': {
    run: () => [['calls', 'show', ids.call], ...TEXTS.slice(0, 4).map((text) => ['calls', 'show', text])],
  },
  'messages list': { run: () => [['messages', 'list', '--limit', '200']] },
  'messages media': { quiet: 'the file itself, which its reader chose to have, or the name that was typed' },
  'messages show': { run: () => [['messages', 'show', ids.message]] },
  'leads list': { run: () => [['leads', 'list', '--limit', '200']] },
  'leads import': {
    run: () => [
      ['leads', 'import', 'hostile.csv', '--dry-run'],
      ['leads', 'import', 'hostile.csv', '--map', `${ALL.slice(0, 50)}=x`],
    ],
  },
  'leads export': { run: () => [['leads', 'export']] },
  'contacts list': { run: () => [['contacts', 'list', '--limit', '200']] },
  'contacts import': {
    run: () => [
      ['contacts', 'import', 'hostile.csv', '--dry-run'],
      ['contacts', 'import', 'hostile.csv'],
    ],
  },
  'contacts repair': { quiet: 'counts' },
  'contacts export': { run: () => [['contacts', 'export']] },
  'whatsapp send': { run: () => [['whatsapp', 'send', '+972501112233', ALL]] },
  'whatsapp status': { run: () => [['whatsapp', 'status']] },
  'whatsapp link': { quiet: 'a code of WhatsApp' },
  'whatsapp confirm': { quiet: 'a number' },
  'whatsapp refuse': { quiet: 'a number' },
  'whatsapp logout': { quiet: 'an id' },
  'whatsapp restart': { quiet: 'an id' },
  'payments request': { quiet: 'a state and our own address' },
  'payments list': { run: () => [['payments', 'list', '--limit', '200']] },
  'payments refund': { quiet: 'a state and a sum' },
  'imports list': { run: () => [['imports', 'list']] },
  'imports follow': { run: () => [['imports', 'follow', ids.import]] },
  'imports rejected': { run: () => [['imports', 'rejected', ids.import]] },
  'call replay': { run: () => [['call', 'replay', 'record.jsonl']] },
  'call simulate': { run: () => [['call', 'simulate', '--to', ALL.slice(0, 200)]] },
  smoke: { run: () => [['smoke', ALL.slice(0, 200)]] },
  'eval run': { run: () => [['eval', 'run', 'scenario.yaml']] },
  'eval from call': { run: () => [['eval', 'from', 'call', ids.call]] },
  'eval from conversation': { run: () => [['eval', 'from', 'conversation', ids.conversation]] },
  chat: { run: () => [['chat', '--say', ALL.slice(0, 200)]] },
  completion: { quiet: 'names of our commands' },
}

function leaves(command: Command, path: string[] = []): string[] {
  return command.commands.length === 0
    ? [path.join(' ')]
    : command.commands.flatMap((child) => leaves(child, [...path, child.name()]))
}

const environment = () => ({ ...product.env, PORT: String(product.server().port), NO_COLOR: '1' })
const commandLine = (args: string[]) => [process.execPath, CLI, '--url', product.url(), ...args]

/** What a terminal got, without the line ends that it makes itself and the wiping of our own bar. */
async function shown(args: string[]): Promise<string> {
  const terminal = openTerminal(commandLine(args), { env: environment(), cwd: directory, columns: 400 })
  await terminal.ended()
  return terminal
    .raw()
    .replaceAll('\r\n', '\n')
    .replaceAll('\r\u001b[K', '')
    .replace(/import \[[█·]+\] +\d+% /g, '')
}

async function piped(args: string[]): Promise<string> {
  const child = Bun.spawn(commandLine(args), {
    cwd: directory,
    env: { ...machineEnvironment(), ...environment() },
    stdout: 'pipe',
    stderr: 'pipe',
    timeout: 60_000,
  })
  const [out, err] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text()])
  if (err !== '') throw new Error(`${args.join(' ')}: ${err}`)
  return out
}

const isSimulated = ({ name }: { name: string }) => name === 'call simulate'

test('every command of the tree is tried here, or shows nothing that others wrote', async () => {
  expect(leaves((await buildProgram()).program).sort()).toEqual(Object.keys(COMMANDS).sort())
})

test(
  'no command gives a terminal what would steer it, in its table, its errors or its JSON',
  withSeed(async (seed) => {
    // Of each command the table or its JSON, the other with a seed that is odd.
    const tries = Object.entries(COMMANDS).flatMap(([name, how], index) =>
      'run' in how
        ? how.run().map((args) => ({ name, line: (index + seed) % 2 === 0 ? args : [...args, '--json'] }))
        : [],
    )
    const check = async ({ name, line }: (typeof tries)[number]) => {
      const text = await shown(line)
      const at = text.search(RAW)
      expect([line, RAW.exec(text)?.[0], text.slice(Math.max(0, at - 60), at + 60)]).toEqual([
        line,
        undefined,
        expect.anything(),
      ])
      if (!line.includes('--json')) expect([name, text.trim()]).not.toEqual([name, ''])
    }
    const [calls, others] = [tries.filter(isSimulated), tries.filter((each) => !isSimulated(each))]
    for (let from = 0; from < others.length; from += 6) await Promise.all(others.slice(from, from + 6).map(check))
    // The voicemail's prompt speaks the business's name: all of the texts would take minutes.
    await product.sql`update businesses set name = ${ALL.slice(0, 60)}`
    await Bun.sleep(DIRECTORY_REFRESH_MS)
    await Promise.all(calls.map(check))
  }),
  LONG,
)

test(
  'a row stays a row, whatever stands in it, and JSON has every text as it was',
  async () => {
    for (const [args, field] of [
      [['contacts', 'list', '--limit', '200'], 'name'],
      [['messages', 'list', '--limit', '200'], 'body'],
      [['calls', 'list', '--limit', '200'], 'contactName'],
      [['payments', 'list', '--limit', '200'], 'description'],
      [['leads', 'list', '--limit', '200'], 'inquiry'],
    ] as const) {
      const rows: Record<string, unknown>[] = JSON.parse(await piped([...args, '--json']))
      const shownTexts = new Set(rows.map((row) => row[field]))
      expect({ args, missing: TEXTS.filter((text) => !shownTexts.has(text)) }).toEqual({ args, missing: [] })
      expect((await shown([...args])).trimEnd().split('\n')).toHaveLength(rows.length + 1)
    }
    const wrong = await shown(['calls', 'list', '--limit', `\u001b]0;owned\u0007\u202e`])
    expect(wrong).toContain('\\x1b]0;owned\\x07\\u{202e}')
  },
  LONG,
)
