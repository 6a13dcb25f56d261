import { z } from 'zod'
import { errorMessage } from '../../lib/errors.ts'
import { readTelephoneWav, writeTelephoneWav } from './audio.ts'
import { reportToJson } from './call-report.ts'
import { placeCall } from './caller.ts'
import type { CallerStep } from './caller-step.ts'
import { callToJson } from './calls-api.ts'
import { faultSchema } from './faults.ts'
import { sendInboundWhatsApp } from './inbound-whatsapp.ts'
import { messageToJson } from './messages-api.ts'
import { recordingToJson } from './recordings-api.ts'
import type { CarrierState } from './state.ts'

const audioSchema = z
  .base64()
  .min(1)
  .transform((text) => {
    const bytes = new Uint8Array(Buffer.from(text, 'base64'))
    return readTelephoneWav(bytes) ?? bytes
  })
const ms = z.number().min(0).max(600_000)
const whenSchema = z.union([z.enum(['now', 'agent_done', 'barge_in']), z.strictObject({ afterMs: ms })])
const timing = { when: whenSchema.optional(), quietMs: ms.optional(), bargeInMs: ms.optional() }
const stepSchema = z.union([
  z.strictObject({ say: audioSchema, label: z.string().optional(), ...timing }),
  z.strictObject({ dtmf: z.string().regex(/^[0-9*#A-Dw]+$/), ...timing }),
  z.strictObject({ hangup: z.literal(true), ...timing }),
  z.strictObject({ wait: ms, ...timing }),
  z.strictObject({ silence: ms, ...timing }),
  z.strictObject({ networkGap: ms, ...timing }),
])
const httpUrl = z.url({ protocol: /^https?$/ })

const callSchema = z.strictObject({
  webhookUrl: httpUrl,
  fallbackUrl: httpUrl.optional(),
  connectBaseUrl: httpUrl.optional(),
  from: z.string().min(1),
  to: z.string().min(1),
  script: z.array(stepSchema).max(200).default([]),
  maxSeconds: z.number().min(1).max(3600).optional(),
  statusCallbackUrl: httpUrl.optional(),
  statusCallbackEvents: z.array(z.enum(['ringing', 'answered', 'completed'])).optional(),
  signature: z.enum(['right', 'trailing_slash', 'wrong', 'none']).optional(),
  extraParams: z.record(z.string(), z.string()).optional(),
  dial: z
    .strictObject({
      outcome: z.enum(['answered', 'no-answer', 'busy', 'failed']).optional(),
      afterMs: ms.optional(),
      talkMs: ms.optional(),
    })
    .optional(),
  background: audioSchema.optional(),
  /** Answer with the report after the call, instead of at once with its sid. */
  wait: z.boolean().default(false),
})

/** How a person reacts whom the product rings up. */
const answerSchema = z.strictObject({
  number: z.string().min(1),
  outcome: z.enum(['answered', 'no-answer', 'busy', 'failed']).default('answered'),
  script: z.array(stepSchema).max(200).default([]),
})

const inboundSchema = z.strictObject({
  webhookUrl: httpUrl,
  from: z.string().min(1),
  to: z.string().min(1),
  body: z.string().optional(),
  media: z
    .array(z.strictObject({ base64: z.base64(), contentType: z.string().min(3) }))
    .max(10)
    .optional(),
  profileName: z.string().optional(),
  externalUserId: z.string().optional(),
  buttonText: z.string().optional(),
  buttonPayload: z.string().optional(),
  buttonKind: z.enum(['button', 'interactive']).optional(),
  list: z.strictObject({ id: z.string(), title: z.string(), description: z.string().exactOptional() }).optional(),
  flow: z.record(z.string(), z.unknown()).optional(),
  reaction: z.strictObject({ messageSid: z.string(), emoji: z.string() }).optional(),
  contacts: z.array(z.strictObject({ name: z.string(), phone: z.string() })).optional(),
  order: z
    .strictObject({
      catalogId: z.string(),
      items: z.array(
        z.strictObject({ id: z.string(), quantity: z.number(), price: z.number(), currency: z.string().length(3) }),
      ),
    })
    .optional(),
  referral: z
    .strictObject({
      sourceType: z.string().exactOptional(),
      sourceId: z.string().exactOptional(),
      sourceUrl: z.string().exactOptional(),
      headline: z.string().exactOptional(),
      body: z.string().exactOptional(),
      ctwaClid: z.string().exactOptional(),
    })
    .optional(),
  messageType: z.string().optional(),
  repliedTo: z.string().optional(),
  forwarded: z.boolean().optional(),
  frequentlyForwarded: z.boolean().optional(),
  location: z
    .strictObject({
      latitude: z.number(),
      longitude: z.number(),
      label: z.string().optional(),
      address: z.string().optional(),
    })
    .optional(),
  messageSid: z.string().optional(),
  deliveries: z.int().min(1).max(50).optional(),
  parallel: z.boolean().optional(),
  signature: z.string().nullable().optional(),
  extraParams: z.record(z.string(), z.string()).optional(),
})

const delay = z.int().min(0).max(600_000)
const settingsSchema = z.strictObject({
  statusDelaysMs: z.strictObject({ queued: delay, sent: delay, delivered: delay, read: delay }).optional(),
  enforceWindow: z.boolean().optional(),
  windowMs: z.int().min(0).optional(),
  recordingDelayMs: delay.optional(),
  sendReadReceipts: z.boolean().optional(),
  connectRules: z.array(z.strictObject({ publicBaseUrl: httpUrl, connectBaseUrl: httpUrl })).optional(),
})

type Route = (context: { state: CarrierState; url: URL; sid: string; body: unknown }) => Promise<Response> | Response

const ROUTES: Readonly<Record<string, Route>> = {
  'GET /': ({ state }) =>
    Response.json({
      accountSid: state.accountSid,
      url: state.url,
      messages: state.messages.size,
      calls: state.calls.size,
      liveCalls: [...state.calls.values()].filter((call) => call.control !== null).length,
      recordings: state.recordings.size,
      faults: state.faults.list().length,
      settings: state.settings,
    }),
  'PATCH /settings': ({ state, body }) => {
    Object.assign(state.settings, settingsSchema.parse(body))
    return Response.json(state.settings)
  },
  'POST /calls': ({ state, body }) => startCall(state, callSchema.parse(body)),
  'GET /calls': ({ state }) =>
    Response.json({
      calls: [...state.calls.values()].reverse().map((call) => ({
        ...callToJson(state, call),
        live: call.control !== null,
        ended: call.report?.ended ?? null,
      })),
    }),
  'GET /calls/:sid': ({ state, sid }) => {
    const call = state.calls.get(sid)
    if (!call) return refuse(404, 'unknown_call', 'no such call')
    return Response.json({
      call: callToJson(state, call),
      live: call.control !== null,
      report: call.report === null ? null : reportToJson(call.report),
    })
  },
  'GET /calls/:sid/heard.wav': ({ state, sid }) => {
    const report = state.calls.get(sid)?.report
    if (!report) return refuse(404, 'no_report', 'no such call, or it is not over')
    return new Response(writeTelephoneWav(report.audio.heard), { headers: { 'Content-Type': 'audio/x-wav' } })
  },
  'POST /calls/:sid/hangup': ({ state, sid }) => {
    const control = state.calls.get(sid)?.control
    if (!control) return refuse(409, 'not_live', 'no such live call')
    control.hangUp()
    return new Response(null, { status: 204 })
  },
  'POST /calls/:sid/keys': ({ state, sid, body }) => {
    const { digits } = z.strictObject({ digits: z.string().regex(/^[0-9*#A-D]+$/) }).parse(body)
    const control = state.calls.get(sid)?.control
    if (!control) return refuse(409, 'not_live', 'no such live call')
    control.pressKeys(digits)
    return new Response(null, { status: 204 })
  },
  'PUT /answers': ({ state, body }) => {
    const { number, ...answer } = answerSchema.parse(body)
    state.answers.set(number, { ...answer, script: answer.script.map((step) => dropUndefined(step)) })
    return new Response(null, { status: 204 })
  },
  'GET /messages': ({ state, url }) => {
    const to = url.searchParams.get('to')
    const from = url.searchParams.get('from')
    const messages = [...state.messages.values()]
      .filter((message) => (to === null || message.to === to) && (from === null || message.from === from))
      .reverse()
    return Response.json({ messages: messages.map((message) => messageToJson(state, message)) })
  },
  'POST /whatsapp/inbound': async ({ state, body }) => {
    const { media, ...rest } = inboundSchema.parse(body)
    const files = (media ?? []).map((file) => ({
      bytes: new Uint8Array(Buffer.from(file.base64, 'base64')),
      contentType: file.contentType,
    }))
    return Response.json(await sendInboundWhatsApp({ carrier: state, ...dropUndefined(rest), media: files }))
  },
  'GET /faults': ({ state }) => Response.json({ faults: state.faults.list() }),
  'POST /faults': ({ state, body }) =>
    Response.json({ id: state.faults.add(faultSchema.parse(body)) }, { status: 201 }),
  'DELETE /faults': ({ state }) => {
    state.faults.clear()
    return new Response(null, { status: 204 })
  },
  'DELETE /faults/:sid': ({ state, sid }) => {
    state.faults.clear(sid)
    return new Response(null, { status: 204 })
  },
  'GET /recordings': ({ state }) =>
    Response.json({ recordings: [...state.recordings.values()].reverse().map((each) => recordingToJson(state, each)) }),
  'GET /callbacks': ({ state, url }) => {
    const kind = url.searchParams.get('kind')
    return Response.json({ callbacks: state.callbacks.filter((each) => kind === null || each.kind === kind) })
  },
}

/** Drives the carrier by JSON. The JSON content type is required, so that no page of another site can post here. */
export async function handleControl(state: CarrierState, request: Request, url: URL): Promise<Response> {
  const [first = '', sid = '', last] = url.pathname.replace(/^\/_control\/?/, '').split('/')
  const path = sid === '' ? `/${first}` : `/${first}/:sid${last === undefined ? '' : `/${last}`}`
  const route =
    ROUTES[`${request.method} /${first}${sid === '' ? '' : `/${sid}`}`] ?? ROUTES[`${request.method} ${path}`]
  if (!route) return refuse(404, 'unknown_route', `no ${request.method} ${url.pathname}`)
  let body: unknown
  try {
    const text = request.method === 'GET' ? '' : await request.text()
    if (text !== '' && !(request.headers.get('content-type') ?? '').startsWith('application/json')) {
      return refuse(415, 'not_json', 'send Content-Type: application/json')
    }
    body = text === '' ? undefined : JSON.parse(text)
  } catch (error) {
    return refuse(400, 'malformed_json', errorMessage(error))
  }
  try {
    return await route({ state, url, sid, body })
  } catch (error) {
    if (error instanceof z.ZodError) return refuse(400, 'invalid', z.prettifyError(error))
    throw error
  }
}

function refuse(status: number, code: string, message: string): Response {
  return Response.json({ error: { code, message } }, { status })
}

async function startCall(state: CarrierState, input: z.output<typeof callSchema>): Promise<Response> {
  const { wait, script, dial, ...rest } = input
  const steps: CallerStep[] = script.map((step) => dropUndefined(step))
  const placed = Promise.withResolvers<string>()
  const finished = placeCall({
    carrier: state,
    ...dropUndefined(rest),
    ...(dial === undefined ? {} : { dial: dropUndefined(dial) }),
    script: steps,
    onPlaced: placed.resolve,
  })
  finished.catch((error: unknown) => {
    state.logger.error({ err: error }, 'simulated call failed')
    placed.reject(error)
  })
  const callSid = await placed.promise
  if (!wait) return Response.json({ callSid }, { status: 202 })
  return Response.json(reportToJson(await finished))
}

function dropUndefined<T extends object>(value: T): T {
  return Object.fromEntries(Object.entries(value).filter(([, each]) => each !== undefined)) as T
}
