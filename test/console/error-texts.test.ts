import { expect, test } from 'bun:test'
import { Glob } from 'bun'
import * as en from '../../src/console/messages/en/errors.ts'
import { FINDINGS as enFindings } from '../../src/console/messages/en/findings.ts'
import * as he from '../../src/console/messages/he/errors.ts'
import { FINDINGS as heFindings } from '../../src/console/messages/he/findings.ts'

const ROOT = new URL('../../src/', import.meta.url).pathname

/** What answers no request of the console: tools of the agent, processes of their own, vendors' webhooks, work that is done without anybody waiting. */
const ELSEWHERE = [
  /^(sandbox|cli|console|composition|audio|whatsapp)\//,
  /^domain\/whatsapp\/auth-store/,
  /^domain\/agent\/(appointment-acts|acts|tools)/,
  /^jobs\/(?!inspect|backend)/,
  /^http\/(webhooks|pay|board|removed-routes|prompts)/,
  /^processes\/(?!web\/)/,
  /^media\/(?!live-control|preview-voice|replay|trace-entries)/,
  /^providers\/(whatsapp\/baileys\/|push|webhooks|storage|images)/,
  /^providers\/speech\/openai-realtime\//,
]

/** Errors whose code is no literal beside them, and where those codes stand. */
const INDIRECT: Record<string, RegExp> = {
  'access/passwords.ts': /refuse\(\s*'(\w+)'/g,
  'domain/imports/csv-reader.ts': /(?!)/g,
  'domain/messages/choose-sender.ts': /cannot\(\s*'\w+',\s*'(\w+)'/g,
  'domain/system/process-messages.ts': /(?!)/g,
  'http/large-json.ts': /(?!)/g,
  'http/request-address.ts': /refusal\(\s*'(\w+)'/g,
  'media/live-control.ts': /^ {2}(?!not_live)(\w+): '[A-Z]/gm,
  'providers/answers.ts': /(?!)/g,
  'providers/whatsapp/media-by-url.ts': /'(media_not_fetchable)'/g,
  'providers/telephony/twilio-client.ts': /(?:code|GARBLED) = '(\w+)'/g,
  'providers/telephony/twilio.ts': /\? '(\w+)' : '\w+',|: '(recording_\w+)',/g,
}
const CONSTANTS = /export const (PERSON_ERASED) = '(\w+)'/

async function sources(): Promise<Map<string, string>> {
  const found = new Map<string, string>()
  for await (const path of new Glob('**/*.{ts,tsx}').scan(ROOT))
    if (!ELSEWHERE.some((pattern) => pattern.test(path))) found.set(path, await Bun.file(ROOT + path).text())
  return found
}

async function codesOf(): Promise<{ codes: Set<string>; unread: string[] }> {
  const codes = new Set<string>()
  const unread: string[] = []
  for (const [path, text] of await sources()) {
    for (const match of text.matchAll(/new AppError\(\s*(?:'\w+'|[\w.]+),\s*(?:'(\w+)'|([\w.]+))/g)) {
      const [, code, name] = match
      if (code) codes.add(code)
      else if (name !== 'PERSON_ERASED' && !INDIRECT[path]) unread.push(`${path}: ${name}`)
    }
    const made = text.match(/new AppError\(/g)?.length ?? 0
    const read = text.match(/new AppError\(\s*(?:'\w+'|[\w.]+),\s*(?:'\w+'|[\w.]+)/g)?.length ?? 0
    if (made > read && !INDIRECT[path]) unread.push(path)
    for (const match of text.matchAll(INDIRECT[path] ?? /(?!)/g))
      for (const code of match.slice(1)) if (code) codes.add(code)
    const constant = CONSTANTS.exec(text)?.[2]
    if (constant) codes.add(constant)
  }
  return { codes, unread }
}

test('every error that the API can answer to the console has words in Hebrew and in English', async () => {
  const { codes, unread } = await codesOf()
  // A new way to make an error must be read above, so that its code is not missed.
  expect(unread).toEqual([])
  expect(codes.size).toBeGreaterThan(180)
  for (const code of [
    'slot_taken',
    'not_configured',
    'bad_path',
    'transfer_failed',
    'carrier_garbled',
    'password_too_short',
    'person_erased',
  ])
    expect(codes).toContain(code)
  const missing = (texts: Record<string, string>) => [...codes].filter((code) => !texts[code]).sort()
  expect(missing(he.errors)).toEqual([])
  expect(missing(en.errors)).toEqual([])
})

test('both languages have the same texts, the Hebrew ones in Hebrew, the English ones in English', () => {
  expect(Object.keys(he.errors)).toEqual(Object.keys(en.errors))
  expect(Object.keys(he.fields)).toEqual(Object.keys(en.fields))
  const letters = (text: string, script: RegExp) => text.match(script)?.length ?? 0
  for (const [code, text] of Object.entries({ ...he.errors, ...he.fields }))
    expect([code, letters(text, /[א-ת]/g) > letters(text, /[a-z]/gi)]).toEqual([code, true])
  for (const [code, text] of Object.entries({ ...en.errors, ...en.fields }))
    expect([code, letters(text, /[א-ת]/g)]).toEqual([code, 0])
})

/** The codes of what is found: literals of rows and deliveries, and the third argument of each of the doctor's reports. */
async function findingCodes(): Promise<string[]> {
  const codes = new Set<string>()
  const rows = ['read-row', 'amounts', 'dates', 'run-import'].map((name) => `domain/imports/${name}.ts`)
  for (const path of [...rows, 'domain/webhooks/endpoints.ts'])
    for (const [, code] of (await Bun.file(ROOT + path).text()).matchAll(
      /(?<!AppError\([^)]*)'((?:import|webhook)_\w+)'/g,
    ))
      if (code && !Object.hasOwn(en.errors, code)) codes.add(code)
  for (const path of ['processes/doctor/examine.ts', 'processes/doctor/safety.ts']) {
    const text = await Bun.file(ROOT + path).text()
    const argument = "(?:'[^']*'|`[^`]*`|[\\w.]+)"
    const state = "(?:'\\w+'|config\\.sandbox \\? '\\w+' : '\\w+')"
    const calls = [...text.matchAll(new RegExp(`\\breport\\(\\s*${argument},\\s*${state},\\s*(${state}),`, 'g'))]
    expect([path, calls.length]).toEqual([path, text.match(/\breport\(/g)?.length ?? 0])
    for (const [, written] of calls)
      for (const [, code] of written?.matchAll(/'(\w+)'/g) ?? []) codes.add(`doctor_${code}`)
  }
  return [...codes].sort()
}

test('what is found in rows, in deliveries and by the doctor has words in both languages, and no word is left over', async () => {
  const codes = await findingCodes()
  expect(codes).toContain('import_phone_cut')
  expect(codes).toContain('webhook_gone')
  expect(codes).toContain('doctor_address_sandbox')
  expect(Object.keys(heFindings).sort()).toEqual(codes)
  expect(Object.keys(enFindings).sort()).toEqual(codes)
  for (const text of Object.values(heFindings)) expect(text).toMatch(/[א-ת]{3}/)
  for (const text of Object.values(enFindings)) expect(text).not.toMatch(/[א-ת]/)
})
