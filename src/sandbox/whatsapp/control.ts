import { proto } from '@whiskeysockets/baileys'
import { z } from 'zod'
import { AppError, errorMessage, toAppError } from '../../lib/errors.ts'
import { faultSchema } from './faults.ts'
import { contentSchema, describeMessage } from './message-content.ts'
import type { WhatsAppSandbox } from './sandbox.ts'
import { type Account, toE164 } from './whatsapp-state.ts'

const phone = z.string().regex(/^\+?\d{6,15}$/, 'a phone number in digits, with or without +')
const addressing = z.enum(['pn', 'lid', 'hosted', 'hosted.lid']).optional()
const accountInput = z.object({
  phone,
  name: z.string().optional(),
  onWhatsApp: z.boolean().optional(),
  knownAs: phone.optional(),
  delivers: z.boolean().optional(),
  reads: z.boolean().optional(),
  autoReply: z
    .string()
    .nullable()
    .transform((text) => text ?? undefined)
    .optional(),
})
const scanInput = z.object({ qr: z.string().min(1), phone, businessName: z.string().optional() })
const codeInput = z.object({ phone, code: z.string().min(8).max(9) })
const sendInput = z.object({
  from: phone,
  to: phone,
  id: z.string().min(1).optional(),
  addressing,
  group: z
    .string()
    .regex(/^(\d[\d-]*@(g\.us|broadcast|newsletter)|status@broadcast)$/)
    .optional(),
  timestamp: z.number().int().optional(),
  delayMs: z.number().int().min(0).max(60_000).optional(),
  content: z.unknown(),
})
/** A `Message` in protobuf's JSON form, or bytes in base64 that need not be a message. */
const rawInput = z.intersection(
  sendInput.omit({ content: true }).extend({
    attrs: z.record(z.string(), z.string()).optional(),
    mediaType: z.string().optional(),
    asOwner: z.boolean().default(false),
  }),
  z.union([
    z.object({ message: z.record(z.string(), z.unknown()).transform(messageOf) }),
    z.object({ bytes: z.base64().transform((text) => Uint8Array.from(Buffer.from(text, 'base64'))) }),
  ]),
)
function messageOf(json: Record<string, unknown>, context: z.RefinementCtx): proto.Message {
  try {
    return proto.Message.fromObject(json)
  } catch (error) {
    context.addIssue({ code: 'custom', message: errorMessage(error) })
    return z.NEVER
  }
}
const missedCallInput = z.object({ from: phone, to: phone, video: z.boolean().default(false) })
const withheldInput = z.object({
  from: phone,
  to: phone,
  id: z.string().min(1).optional(),
  type: z.string().optional(),
  timestamp: z.number().int().optional(),
})
const receiptInput = z.object({
  from: phone,
  to: phone,
  ids: z.array(z.string()).min(1),
  type: z.enum(['delivered', 'read', 'played']),
  addressing,
})
const typingInput = z.object({ from: phone, to: phone, composing: z.boolean().default(true) })
const forgetInput = z.object({ contact: phone, account: phone })
const againInput = z.object({ contact: phone, account: phone, id: z.string().min(1) })
const historyInput = z.object({
  account: phone,
  contact: phone,
  text: z.string(),
  fromMe: z.boolean().default(false),
  at: z.number().int(),
})
const connectionInput = z.intersection(
  z.object({ phone }),
  z.discriminatedUnion('action', [
    z.object({ action: z.enum(['cut', 'freeze', 'thaw', 'replace', 'unlink']) }),
    z.object({ action: z.literal('stream_error'), code: z.string().regex(/^\d+$/) }),
  ]),
)

/**
 * The control API, JSON over HTTP under `/_control/`. An invalid body gets 400 with its faults.
 * POST: accounts, scan, code, send `{from,to,content}`, owner (the same, from the account's own phone), receipts, typing,
 * history, faults, connections, raw `{from,to,message|bytes}` (any protobuf, any kind of address), withheld `{from,to,type}`
 * (withheld from linked devices), missed-call `{from,to,video}`, forget `{contact,account}` (a phone loses its session), again
 * `{contact,account,id}` (a phone asks for a message again).
 * GET: accounts, inbox?phone=, media?phone=&id=, notices?phone=, undecryptable?phone=, faults, certificate. DELETE: faults.
 */
export async function answerControl(sandbox: WhatsAppSandbox, request: Request): Promise<Response> {
  const url = new URL(request.url)
  const route = `${request.method} ${url.pathname.slice('/_control/'.length)}`
  try {
    const body = request.method === 'POST' ? await readJson(request) : undefined
    return await runRoute(sandbox, route, url.searchParams, body)
  } catch (error) {
    if (error instanceof z.ZodError)
      return Response.json({ error: { code: 'invalid', message: z.prettifyError(error) } }, { status: 400 })
    const known = toAppError(error)
    return Response.json({ error: known.toBody() }, { status: known.status })
  }
}

async function readJson(request: Request): Promise<unknown> {
  try {
    return await request.json()
  } catch (cause) {
    throw new AppError('invalid', 'bad_json', 'The body is not JSON.', { cause })
  }
}

type Route = (sandbox: WhatsAppSandbox, body: unknown, query: URLSearchParams) => unknown

const phoneOf = (query: URLSearchParams) => phone.parse(query.get('phone'))

/** Each answers with a Response, or with a value that is sent as JSON; without either with `{}`. */
const ROUTES: Readonly<Record<string, Route>> = {
  'POST accounts': (sandbox, body) => describeAccount(sandbox.putAccount(accountInput.parse(body))),
  'GET accounts': (sandbox) => sandbox.accounts().map(describeAccount),
  'POST scan': (sandbox, body) => {
    const input = scanInput.parse(body)
    return sandbox.scan(input.qr, input.phone, input.businessName)
  },
  'POST code': (sandbox, body) => {
    const input = codeInput.parse(body)
    return sandbox.enterCode(input.phone, input.code)
  },
  'POST send': async (sandbox, body) => {
    const { content, ...parties } = sendInput.parse(body)
    return { id: await sandbox.send(parties, contentSchema.parse(content)) }
  },
  'POST owner': async (sandbox, body) => {
    const { content, ...parties } = sendInput.parse(body)
    return { id: await sandbox.sendAsOwner(parties, contentSchema.parse(content)) }
  },
  'POST raw': async (sandbox, body) => {
    const { asOwner, ...input } = rawInput.parse(body)
    const payload = 'bytes' in input ? input.bytes : input.message
    return { id: asOwner ? await sandbox.sendRawAsOwner(input, payload) : await sandbox.sendRaw(input, payload) }
  },
  'POST missed-call': (sandbox, body) => ({ id: sandbox.missedCall(missedCallInput.parse(body)) }),
  'POST withheld': (sandbox, body) => ({ id: sandbox.withhold(withheldInput.parse(body)) }),
  'POST forget': (sandbox, body) => sandbox.forgetSessions(forgetInput.parse(body)),
  'POST again': (sandbox, body) => sandbox.askAgain(againInput.parse(body)),
  'POST receipts': (sandbox, body) => sandbox.confirm(receiptInput.parse(body)),
  'POST typing': (sandbox, body) => sandbox.typing(typingInput.parse(body)),
  'POST history': (sandbox, body) => sandbox.addHistory(historyInput.parse(body)),
  'POST faults': (sandbox, body) => sandbox.addFault(faultSchema.parse(body)),
  'GET faults': (sandbox) => sandbox.faults(),
  'DELETE faults': (sandbox) => sandbox.clearFaults(),
  'POST connections': (sandbox, body) => {
    const input = connectionInput.parse(body)
    return { sockets: sandbox.act(input.phone, input) }
  },
  'GET inbox': (sandbox, _, query) =>
    sandbox.inbox(phoneOf(query), { ownCopies: query.get('copies') === '1' }).map(({ message, ...delivery }) => ({
      ...delivery,
      from: toE164(delivery.from),
      to: toE164(delivery.to),
      ...describeMessage(message),
    })),
  'GET media': async (sandbox, _, query) =>
    new Response(Buffer.from(await sandbox.receivedMedia(phoneOf(query), z.string().parse(query.get('id'))))),
  'GET notices': (sandbox, _, query) => sandbox.notices(phoneOf(query)),
  'GET undecryptable': (sandbox, _, query) => sandbox.undecryptable(phoneOf(query)),
  'GET certificate': (sandbox) => new Response(sandbox.mediaCertificate),
}

async function runRoute(
  sandbox: WhatsAppSandbox,
  route: string,
  query: URLSearchParams,
  body: unknown,
): Promise<Response> {
  const run = ROUTES[route]
  if (!run) throw new AppError('not_found', 'unknown_route', `The sandbox's WhatsApp has no route ${route}.`)
  const answer = await run(sandbox, body, query)
  return answer instanceof Response ? answer : Response.json(answer ?? {})
}

function describeAccount(account: Account) {
  return {
    phone: toE164(account.phone),
    lid: account.lid,
    name: account.name,
    onWhatsApp: account.onWhatsApp,
    behavior: account.behavior,
    devices: [...account.companions.values()].map(({ id, link, pending }) => ({
      id,
      online: link !== undefined,
      pending: pending.length,
    })),
  }
}
