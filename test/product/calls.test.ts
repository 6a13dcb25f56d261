import { afterAll, beforeAll, expect, test } from 'bun:test'
import { createHash } from 'node:crypto'
import { rmsOfMulaw } from '../../src/audio/energy.ts'
import { durationOfWav } from '../../src/audio/wav.ts'
import { addPhoneNumber, createBusiness } from '../../src/domain/businesses/index.ts'
import { within } from '../../src/domain/context.ts'
import type { CallReport } from '../../src/sandbox/carrier/call-report.ts'
import { eventually, type Product, startProduct } from '../support/product.ts'
import { endSpeech, speak } from '../support/speech.ts'
import { quietFor } from '../support/wait.ts'

const ENGLISH = '+97233760002'
const LONG_MS = 80_000

let product: Product
let english = ''

beforeAll(async () => {
  product = await startProduct({
    workers: ['crm', 'recordings'],
    queue: 'redis',
    prepare: async (ctx) => {
      english = await createBusiness(ctx, { name: 'Acme', language: 'en' })
      await addPhoneNumber(within(ctx, english), { number: ENGLISH })
    },
  })
})
afterAll(async () => {
  await product.stop()
  await endSpeech()
})

type CallRow = { id: string; business_id: string; contact_id: string; end_reason: string } & Record<string, unknown>
type TurnRow = {
  id: string
  index: number
  role: 'agent' | 'caller'
  text: string | null
  question: string | null
  heard_ms: number | null
  start_ms: number
  end_ms: number
  interrupted: boolean
  audio_key: string | null
}

/**
 * The call's row once both sides, the agent's end and the carrier's, are written; the carrier's may be first, and what is
 * concluded from that alone is corrected.
 */
const ended = (report: CallReport) =>
  eventually(
    async () =>
      (
        await product.sql<CallRow[]>`select * from calls where call_sid = ${report.callSid}
          and end_reason not in ('server_lost', 'abandoned') and carrier_status is not null and contact_id is not null`
      )[0],
    `the end of the call; ${JSON.stringify(report.timeline.slice(-5))}`,
  )

const turnsOf = async (callId: string, atLeast: number) => {
  await eventually(
    async () => (await product.sql`select 1 from call_turns where call_id = ${callId}`).length >= atLeast,
    `${atLeast} turns`,
  )
  return await product.sql<TurnRow[]>`select * from call_turns where call_id = ${callId} order by index`
}

const errorsOf = (report: CallReport) => report.codes.filter((code) => code.level !== 'notice')

test.concurrent.each([
  ['he', '+972501111101', ['שְׁמִי דָּוִד לֵוִי', 'אֲנִי רוֹצֶה לִקְבּוֹעַ תּוֹר לְיוֹם שְׁלִישִׁי', 'מָחָר בַּבּוֹקֶר, בְּבַקָּשָׁה']],
  ['en', '+972501111102', ['My name is David Levy', 'I would like to book an appointment', 'Tomorrow morning please']],
] as const)(
  'a whole intake (%s) is held, heard, and stands in the CRM',
  async (language, from, answers) => {
    const script = []
    for (const text of answers) script.push({ say: await speak(text, language) })
    const report = await product.call({ from, script, ...(language === 'en' ? { to: ENGLISH } : {}) })
    expect(errorsOf(report)).toEqual([])
    expect(report.ended.by).toBe('agent')
    expect(report.stepsLeft).toBe(0)
    const [stream] = report.streams
    expect(stream).toMatchObject({ endedBy: 'server', closeCode: 1000, closeReason: 'completed' })
    expect(stream?.greetingLatencyMs).toBeLessThan(1_000)
    // Each answer was answered, within what a conversation bears.
    for (const turn of report.turns) expect(turn.responseLatencyMs ?? Number.NaN).toBeLessThan(4_000)
    expect(report.unheardMs).toBe(0)
    expect(report.documents.map((document) => document.verbs)).toEqual([['Connect'], ['Hangup']])
    expect(rmsOfMulaw(report.audio.heard)).toBeGreaterThan(300)

    const call = await ended(report)
    expect(call).toMatchObject({
      business_id: language === 'en' ? english : product.businessId,
      end_reason: 'completed',
      state: 'ended',
      answered_by: 'agent',
      fallback: null,
      from_number: from,
      carrier_status: 'completed',
    })
    expect(call.duration_ms).toBeGreaterThan(5_000)
    const contact = await product.sql`select phone from contacts where id = ${call.contact_id}`
    expect(contact).toMatchObject([{ phone: from }])
    const lead = await eventually(
      async () => (await product.sql`select * from leads where call_id = ${call.id}`)[0],
      'the lead',
    )
    expect(lead).toMatchObject({ source: 'call', contact_id: call.contact_id, business_id: call.business_id })

    const turns = await turnsOf(call.id, 8)
    expect(turns.map((turn) => turn.index)).toEqual(turns.map((_, index) => index))
    // The thanks and the goodbye are two things said.
    expect(turns.map((turn) => turn.role).join(' ')).toBe('agent caller agent caller agent caller agent agent')
    const caller = turns.filter((turn) => turn.role === 'caller')
    expect(caller.map((turn) => turn.question)).toEqual(['name', 'inquiry', 'callback_time'])
    for (const turn of turns.filter((each) => each.role === 'agent')) {
      expect(turn.text ?? '').not.toBe('')
      expect(turn.interrupted).toBe(false)
      // Heard to its end.
      expect(Math.abs((turn.heard_ms ?? 0) - (turn.end_ms - turn.start_ms))).toBeLessThan(5)
    }

    // What the caller said is kept and can be played from any point.
    for (const [index, turn] of caller.entries()) {
      expect(turn.audio_key).not.toBeNull()
      if (language === 'en') continue
      const whole = await product.api(`/api/v1/turns/${turn.id}/audio`)
      expect([whole.status, whole.headers.get('content-type')]).toEqual([200, 'audio/wav'])
      const wav = new Uint8Array(await whole.arrayBuffer())
      const spokenMs = (script[index]?.say.length ?? 0) / 8
      expect(Math.abs((durationOfWav(wav) ?? 0) - spokenMs)).toBeLessThan(1_200)
      const part = await product.api(`/api/v1/turns/${turn.id}/audio`, { headers: { Range: 'bytes=44-143' } })
      expect([part.status, part.headers.get('content-range')]).toEqual([206, `bytes 44-143/${wav.length}`])
      expect(new Uint8Array(await part.arrayBuffer())).toEqual(wav.slice(44, 144))
      const beyond = await product.api(`/api/v1/turns/${turn.id}/audio`, { headers: { Range: `bytes=${wav.length}-` } })
      expect(beyond.status).toBe(416)
    }
  },
  LONG_MS,
)

test.concurrent(
  'a caller who interrupts silences the agent at once, and the record knows what was heard',
  async () => {
    const report = await product.call({
      from: '+972501111103',
      to: ENGLISH,
      script: [
        { say: await speak('My name is David Levy, hello', 'en'), when: 'barge_in', bargeInMs: 1_500 },
        { hangup: true, when: 'agent_done' },
      ],
    })
    expect(report.clears).toHaveLength(1)
    expect(report.turns[0]?.clearLatencyMs).toBeLessThan(1_500)
    expect(report.unheardMs).toBeGreaterThan(500)
    const call = await ended(report)
    expect(call.metrics).toMatchObject({ bargeIns: 1 })
    const [greeting, answer] = await turnsOf(call.id, 3)
    expect(greeting).toMatchObject({ role: 'agent', interrupted: true })
    // What the caller's ear had heard when it was emptied, to the tenth of a second.
    const heardMs = report.heardSpans[0] ? report.heardSpans[0].endMs - report.heardSpans[0].startMs : Number.NaN
    expect(Math.abs((greeting?.heard_ms ?? 0) - heardMs)).toBeLessThan(250)
    expect(answer).toMatchObject({ role: 'caller', question: 'name' })
  },
  LONG_MS,
)

test.concurrent(
  'a caller who presses 0 leaves a message: fetched, stored, checked, playable, a lead',
  async () => {
    const words = await speak('Please call me back about the garden.', 'en')
    const report = await product.call({
      from: '+972501111104',
      to: ENGLISH,
      script: [
        { wait: 2_000 },
        { dtmf: '0', when: 'barge_in' },
        { say: words, quietMs: 1_500 },
        { dtmf: '#', when: 'now' },
      ],
    })
    expect(errorsOf(report)).toEqual([])
    expect(report.streams[0]).toMatchObject({ closeReason: 'voicemail_requested' })
    expect(report.documents.map((document) => document.verbs)).toEqual([
      ['Connect'],
      ['Play', 'Record'],
      ['Play', 'Hangup'],
    ])
    const [left] = report.recordings
    const call = await ended(report)
    expect(call).toMatchObject({ end_reason: 'voicemail_requested', fallback: 'voicemail' })
    const recording = await eventually(
      async () => (await product.sql`select * from recordings where call_id = ${call.id} and state = 'stored'`)[0],
      'the recording',
    )
    expect(recording.recording_sid).toBe(left?.sid ?? '')
    const key = await englishKey()
    const answer = await product.api(`/api/v1/recordings/${recording.id}/audio`, { key })
    expect(answer.status).toBe(200)
    const wav = new Uint8Array(await answer.arrayBuffer())
    expect(wav.length).toBe(Number(recording.bytes))
    expect(createHash('sha256').update(wav).digest('hex')).toBe(String(recording.sha256))
    expect(answer.headers.get('etag')).toBe(`"${recording.sha256}"`)
    expect(Math.abs((durationOfWav(wav) ?? 0) - Number(recording.duration_ms))).toBeLessThan(5)
    expect(Math.abs((durationOfWav(wav) ?? 0) - words.length / 8)).toBeLessThan(2_500)
    const middle = await product.api(`/api/v1/recordings/${recording.id}/audio`, {
      key,
      headers: { Range: 'bytes=-100' },
    })
    expect([middle.status, (await middle.arrayBuffer()).byteLength]).toEqual([206, 100])
    expect(await product.sql`select source, contact_id from leads where call_id = ${call.id}`).toMatchObject([
      { source: 'voicemail', contact_id: call.contact_id },
    ])
    // The carrier keeps its copy: the business has not said otherwise.
    expect(product.carrier.recordings.has(left?.sid ?? '')).toBe(true)

    // The carrier tells of a recording more than once: it stays one.
    const reported = {
      CallSid: report.callSid,
      RecordingSid: left?.sid ?? '',
      RecordingStatus: 'completed',
      To: ENGLISH,
    }
    for (let time = 0; time < 3; time += 1)
      expect((await product.post(`/webhook/recording_status?business=${english}`, reported)).status).toBe(204)
    await quietFor(300, 'the recording would have been stored twice')
    expect(await product.sql`select 1 from recordings where call_id = ${call.id}`).toHaveLength(1)
    expect(await product.sql`select 1 from leads where call_id = ${call.id}`).toHaveLength(1)
  },
  LONG_MS,
)

test.concurrent(
  'a caller who hangs up in the middle: what was said until then is kept',
  async () => {
    const report = await product.call({
      from: '+972501111105',
      to: ENGLISH,
      script: [{ say: await speak('My name is David Levy', 'en') }, { hangup: true, when: 'barge_in', bargeInMs: 600 }],
    })
    expect(report.ended.by).toBe('caller')
    const call = await ended(report)
    expect(call).toMatchObject({ end_reason: 'caller_hung_up', fallback: null })
    const turns = await turnsOf(call.id, 3)
    expect(turns.map((turn) => turn.role)).toEqual(['agent', 'caller', 'agent'])
    expect(turns[2]).toMatchObject({ interrupted: true })
    expect(turns[2]?.heard_ms).toBeGreaterThan(300)
    expect(report.documents.at(-1)?.body).toContain('<Hangup/>')
    expect(await product.sql`select 1 from recordings where call_id = ${call.id}`).toHaveLength(0)
    // Someone who gave a name and went is someone to call back.
    const lead = await eventually(
      async () => (await product.sql`select source, contact_id from leads where call_id = ${call.id}`)[0],
      'the lead',
    )
    expect(lead).toEqual({ source: 'call', contact_id: call.contact_id })
  },
  LONG_MS,
)

test.concurrent(
  'a caller who hangs up in mid-sentence: the half sentence is kept',
  async () => {
    const words = await speak('My name is David Levy and I would like to', 'en')
    const report = await product.call({
      from: '+972501111107',
      to: ENGLISH,
      script: [{ say: words }, { hangup: true, when: 'now' }],
    })
    const call = await ended(report)
    expect(call.end_reason).toBe('caller_hung_up')
    const turns = await turnsOf(call.id, 2)
    const said = turns.find((turn) => turn.role === 'caller')
    expect(said).toMatchObject({ question: 'name' })
    expect(said?.end_ms ?? 0).toBeGreaterThan((said?.start_ms ?? 0) + words.length / 8 - 800)
    expect(said?.audio_key).not.toBeNull()
    await eventually(async () => (await product.sql`select 1 from leads where call_id = ${call.id}`)[0], 'the lead')
  },
  LONG_MS,
)

test.concurrent(
  'a caller who hangs up without a word leaves no lead',
  async () => {
    const report = await product.call({
      from: '+972501111108',
      to: ENGLISH,
      script: [{ hangup: true, when: { afterMs: 2_000 } }],
    })
    const call = await ended(report)
    expect(call.end_reason).toBe('caller_hung_up')
    await turnsOf(call.id, 1)
    await quietFor(300, 'a lead would have been written')
    expect(await product.sql`select 1 from leads where call_id = ${call.id}`).toHaveLength(0)
  },
  LONG_MS,
)

test.concurrent(
  'a caller who never says a word is asked again, hears a goodbye, and hung up on',
  async () => {
    const report = await product.call({ from: '+972501111106', to: ENGLISH, maxSeconds: 75 })
    expect(errorsOf(report)).toEqual([])
    expect(report.ended.by).toBe('agent')
    const call = await ended(report)
    expect(call.end_reason).toBe('silence')
    const turns = await turnsOf(call.id, 2)
    expect(turns.every((turn) => turn.role === 'agent')).toBe(true)
    expect(report.documents.at(-1)?.body).toContain('<Hangup/>')
  },
  LONG_MS,
)

let key: Promise<string> | undefined
/** A key of the English business. */
function englishKey(): Promise<string> {
  key ??= (async () => {
    const text = 'key-of-the-english-business'
    const hash = createHash('sha256').update(text).digest('hex')
    await product.sql`insert into api_keys (id, business_id, name, prefix, hash)
      values (${Bun.randomUUIDv7()}, ${english}, 'test', 'key', ${hash})`
    return text
  })()
  return key
}
