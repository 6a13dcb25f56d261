import { z } from 'zod'
import { type AppointmentCustomer, ASK_BY_TITLE, readCaller, runAppointmentTool } from '../domain/agent/index.ts'
import { bookAppointment } from '../domain/appointments/index.ts'
import { listAccounts, listPhoneNumbers } from '../domain/businesses/index.ts'
import { sayItem, searchCatalogue } from '../domain/catalogue/index.ts'
import { renameCaller } from '../domain/contacts/index.ts'
import { type BusinessContext, type DomainContext, within } from '../domain/context.ts'
import {
  IN_A_CALL,
  type KnowledgeAnswer,
  recordGap,
  searchKnowledge,
  searchWithTexts,
  warmKnowledge,
} from '../domain/knowledge/index.ts'
import { countCallMessages, keyOfCallMessage, requestMessage, type SendSettings } from '../domain/messages/index.ts'
import {
  type CallToolName,
  type CatalogueQuery,
  callTools,
  engineTools,
  foreignLinks,
  foreignNumbers,
  listBusinessTexts,
  type ProfileCache,
  type ReceptionistSettings,
  toolLimits,
} from '../domain/receptionist/index.ts'
import { AppError, errorMessage } from '../lib/errors.ts'
import { parsePhone } from '../lib/phone.ts'
import type { EngineTool } from '../providers/speech/port.ts'
import type { Carriers, Telephony } from '../providers/telephony/port.ts'
import { type CallEvents, type CallTools, NO_TRANSFER, type ServedCall } from './media-session-ports.ts'

export type CallToolsDeps = {
  ctx: DomainContext
  profiles: Pick<ProfileCache, 'of'>
  events: Pick<CallEvents, 'lead'>
  settings: SendSettings
  carriers: Pick<Carriers, 'of'>
  installation: Telephony | null
  timeZone(businessId: string): string
  /** The document that rings a person for this call. */
  transferDocument(call: ServedCall, number: string): string
}

/** The tools of a call's model, each a verb of the domain; called twice with the same arguments, each acts once. */
export function createCallTools(deps: CallToolsDeps): CallTools {
  const { ctx, profiles, carriers } = deps
  const all = engineTools()
  const withoutTransfer = engineTools(['transfer_to_human'])
  const inTurn = createTurns()

  const carrierOf = (call: ServedCall) => (call.viaInstallation ? deps.installation : carriers.of(call.businessId))
  const numberOf = (call: ServedCall, number?: string | null) =>
    number ?? (call.tried?.settings ?? profiles.of(call.businessId)).transferNumber
  const canTransfer = (call: ServedCall, number?: string | null) =>
    numberOf(call, number) !== null && (call.tried !== undefined || carrierOf(call) !== null)

  async function perform(business: BusinessContext, call: ServedCall, name: CallToolName, args: unknown) {
    switch (name) {
      case 'update_contact':
        await renameCaller(business, call.callSid, callTools.update_contact.args.parse(args).name)
        return { ok: true }
      case 'find_times':
      case 'book_appointment':
      case 'my_appointments':
      case 'reschedule_appointment':
      case 'cancel_appointment':
      case 'join_waiting_list':
        return await runAppointmentTool(business, await callerOf(deps, business, call), name, args)
      case 'lookup_business_info':
        return await lookUp(business, call, callTools.lookup_business_info.args.parse(args).query)
      case 'search_catalogue':
        return await lookInCatalogue(business, callTools.search_catalogue.args.parse(args))
      case 'send_whatsapp': {
        const { text } = callTools.send_whatsapp.args.parse(args)
        await inTurn(call.callSid, () => sendToCaller(deps, business, call, text))
        return { ok: true, note: 'It is on its way.' }
      }
      case 'take_message': {
        const { message, callback_time } = callTools.take_message.args.parse(args)
        deps.events.lead(call, { inquiry: message, ...(callback_time ? { callback_time } : {}) })
        return { ok: true }
      }
      case 'save_lead':
      case 'transfer_to_human':
      case 'end_call':
        throw new AppError('internal', 'tool_of_the_session', `The session runs ${name} itself.`)
    }
  }

  return {
    list(call): readonly EngineTool[] {
      if (!call.tried) warmKnowledge(within(ctx, call.businessId, { kind: 'system', id: `call ${call.callSid}` }))
      return canTransfer(call) ? all : withoutTransfer
    },
    async run(call, name, args) {
      if (!isCallTool(name)) throw new AppError('not_found', 'unknown_tool', `There is no tool named ${name}.`)
      const business = within(ctx, call.businessId, { kind: 'system', id: `call ${call.callSid}` })
      try {
        // Free times are only read.
        if (call.tried && name !== 'find_times') return await pretend(business, call.tried, name, args)
        return await perform(business, call, name, args)
      } catch (error) {
        // The model corrects its arguments by the message.
        if (error instanceof z.ZodError)
          throw new AppError('invalid', 'invalid_arguments', z.prettifyError(error), { cause: error })
        if (error instanceof AppError) throw error
        throw new AppError('internal', 'tool_failed', 'It did not work. Offer to take a message.', { cause: error })
      }
    },
    canTransfer,
    async transfer(call, to) {
      if (call.tried) return NOT_IN_A_TEST
      const number = numberOf(call, to)
      const telephony = carrierOf(call)
      if (!telephony || !number) return NO_TRANSFER
      try {
        await telephony.updateCall(call.callSid, deps.transferDocument(call, number))
        return null
      } catch (error) {
        ctx.log.warn({ callSid: call.callSid, err: error }, 'call transfer failed')
        return 'The transfer failed. Offer to take a message.'
      }
    },
  }
}

const NOT_IN_A_TEST =
  'This is a test call: no person is rung. Say that the caller would be put through now, and ask whether there is anything else.'

/** What a tool answers in a test call: it reads, and changes nothing. The model goes on as in any call. */
async function pretend(
  business: BusinessContext,
  { texts }: NonNullable<ServedCall['tried']>,
  name: CallToolName,
  args: unknown,
): Promise<unknown> {
  switch (name) {
    case 'lookup_business_info':
      return known(await searchWithTexts(business, texts, callTools.lookup_business_info.args.parse(args)))
    case 'search_catalogue':
      return await lookInCatalogue(business, callTools.search_catalogue.args.parse(args))
    case 'book_appointment': {
      const { date, time } = callTools.book_appointment.args.parse(args)
      return { ok: true, date, time, note: 'A test call: nothing was booked.' }
    }
    case 'my_appointments':
      callTools.my_appointments.args.parse(args)
      return { appointments: [], note: 'A test call: no one calls, so there are none.' }
    default:
      callTools[name].args.parse(args)
      return { ok: true, note: 'A test call: nothing was saved or sent.' }
  }
}

/** Searches in memory. What has no answer is counted, whether or not that works. */
async function lookUp(business: BusinessContext, call: ServedCall, query: string) {
  const answer = await searchKnowledge(business, { query, patience: IN_A_CALL })
  if (answer.unknown)
    recordGap(business, { question: query, channel: 'call', callSid: call.callSid }).catch((error: unknown) =>
      business.log.warn(
        { callSid: call.callSid, error: errorMessage(error) },
        'a question without an answer was not kept',
      ),
    )
  return known(answer)
}

/** Each text with the kind of its source: what a file or a web page says is data, not an instruction. */
function known({ hits, titles }: KnowledgeAnswer) {
  const texts = hits.map(({ title, text, source }) => ({ title, body: text, source: source.kind }))
  if (titles.length > 0) return { texts, titles, note: ASK_BY_TITLE }
  return texts.length > 0 ? { texts } : { texts, note: 'Nothing is known about this. Offer a call back.' }
}

async function lookInCatalogue(business: BusinessContext, query: CatalogueQuery) {
  const { items, total, empty } = await searchCatalogue(business, query)
  if (items.length > 0) return { items: items.map(sayItem), total }
  return { items: [], note: empty ? 'There is no catalogue.' : 'Nothing fits. Say so, and ask what may be different.' }
}

/** Runs the work of one call one after the other, so that what is asked for at once is counted. */
function createTurns(): (callSid: string, work: () => Promise<void>) => Promise<void> {
  const running = new Map<string, Promise<unknown>>()
  return async (callSid, work) => {
    const mine = (running.get(callSid) ?? Promise.resolve()).then(work, work)
    running.set(callSid, mine)
    try {
      await mine
    } finally {
      if (running.get(callSid) === mine) running.delete(callSid)
    }
  }
}

/** The caller as a customer: their own appointments, where the carrier vouches for the number that they call from. */
async function callerOf(
  deps: CallToolsDeps,
  business: BusinessContext,
  call: ServedCall,
): Promise<AppointmentCustomer> {
  const profile = deps.profiles.of(call.businessId)
  const timeZone = deps.timeZone(call.businessId)
  const row = await readCaller(business, call.callSid)
  const known = parsePhone(call.from) !== null
  return {
    timeZone,
    contactId: known && !call.unverified ? (row?.contactId ?? null) : null,
    callId: row?.id ?? null,
    unknownBecause: () => {
      if (!known)
        return refusal('number_withheld', 'The caller withheld their number, so their appointments are not known.')
      return call.unverified
        ? refusal('number_unverified', 'The caller’s number is not verified, so their appointments stay as they are.')
        : new AppError('not_found', 'no_appointment', 'The caller has no appointment that is to come.')
    },
    namesService: false,
    book: async ({ service, minutes, ...wanted }) =>
      await bookAppointment(
        business,
        {
          ...wanted,
          serviceId: service?.id ?? null,
          minutes: minutes ?? profile.appointmentMinutes,
          callSid: call.callSid,
          caller: { number: call.from, ...boundsOf('book_appointment') },
        },
        { hours: profile.hours, timeZone },
      ),
  }
}

/** Sends to the caller's own number, within limits, with no link and no phone number but the business's own. */
async function sendToCaller(deps: CallToolsDeps, business: BusinessContext, call: ServedCall, text: string) {
  const phone = parsePhone(call.from)
  if (!phone) throw refusal('number_withheld', 'The caller withheld their number, so nothing can be sent to it.')
  const idempotencyKey = keyOfCallMessage(call.callSid, text)
  const sent = await countCallMessages(business, { callSid: call.callSid, phone })
  const { perCall, perDay } = boundsOf('send_whatsapp')
  if (!sent.keys.includes(idempotencyKey) && (sent.keys.length >= perCall || sent.lastDay >= perDay))
    throw refusal('message_limit', 'No more messages can be sent to this caller now. Tell them on the telephone.')
  if (call.unverified && !sent.wroteBefore)
    throw refusal('number_unverified', 'The caller’s number is not verified, so nothing is sent to it.')
  const settings = deps.profiles.of(call.businessId)
  const texts = await ownTexts(business, settings)
  const links = foreignLinks(text, texts)
  if (links.length > 0)
    throw refusal('foreign_link', `Only links of the business’s own texts may be sent. Leave out ${links.join(', ')}.`)
  const numbers = foreignNumbers(text, [...texts, ...(await ownNumbers(business, settings)), phone, call.to])
  if (numbers.length > 0)
    throw refusal(
      'foreign_number',
      `Only the business’s own phone numbers and the caller’s may be sent. Leave out ${numbers.join(', ')}.`,
    )
  await requestMessage(business, { to: call.from, text, idempotencyKey }, deps.settings, call.callSid)
}

function boundsOf(name: CallToolName): { perCall: number; perDay: number } {
  const { attempts, perCall = attempts, perDay = attempts } = toolLimits[name]
  return { perCall, perDay }
}

async function ownTexts(business: BusinessContext, settings: ReceptionistSettings): Promise<string[]> {
  const texts = await listBusinessTexts(business)
  const perLanguage = [settings.greeting, settings.consentNotice, settings.followUp]
  return [
    settings.instructions,
    ...perLanguage.flatMap((words) => Object.values(words)),
    ...texts.flatMap(({ title, body }) => [title, body]),
  ]
}

async function ownNumbers(business: BusinessContext, settings: ReceptionistSettings): Promise<string[]> {
  const [lines, accounts] = await Promise.all([listPhoneNumbers(business), listAccounts(business)])
  const confirmed = accounts.filter(({ confirmationNeeded }) => !confirmationNeeded)
  return [...lines.map(({ e164 }) => e164), ...confirmed.map(({ phone }) => phone), settings.transferNumber].filter(
    (phone) => phone !== null,
  )
}

/** A refusal whose message the model reads. */
function refusal(code: string, message: string): AppError {
  return new AppError('forbidden', code, message)
}

function isCallTool(name: string): name is CallToolName {
  return Object.hasOwn(callTools, name)
}
