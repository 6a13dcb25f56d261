import { z } from 'zod'
import { CONTACT_NAME_MAX } from '../../../lib/contact-name.ts'
import { AppError } from '../../../lib/errors.ts'
import { addDates, instantOf, wallClock } from '../../../lib/local-time.ts'
import { cutText } from '../../../lib/text.ts'
import { listServices, sayWhen } from '../../appointments/index.ts'
import { sayPrice, searchCatalogue } from '../../catalogue/index.ts'
import type { BusinessContext } from '../../context.ts'
import { type CatalogueQuery, getProfile } from '../../receptionist/index.ts'
import { ownAppointments } from '../acts.ts'
import { type Heard, hearMessage, readable } from '../heard.ts'
import { excerptOf, type Known, lookUp, sayHours } from '../knowledge.ts'
import { languageOf } from '../language.ts'
import { picturesOf } from '../pictures.ts'
import type { AgentReply } from '../record.ts'
import type { Situation } from '../situation.ts'
import { createToolBox, type ToolBox } from '../tools.ts'
import { inTrial } from '../trial.ts'
import { readCatalogueQuery } from './catalogue.ts'
import { type Dialogue, readDialogue, type Wanted } from './dialogue.ts'
import { type Intent, intentsOf, isOnly, isQuestion, questionsOf, saysNo, saysYes } from './intents.ts'
import { SENTENCES } from './sentences.ts'
import { readDate, readTime } from './times.ts'

/** After this time without a word of ours the agent says again who it is. */
const GREETED_MS = 24 * 3_600_000
const MOST_OFFERS = 3
const DAYS_OFFERED = 14
/** Unanswered questions in a row after which a person takes over. */
const MOST_UNSURE = 2
/** More in one message are for a person to read. */
const MOST_QUESTIONS = 5

type Turn = {
  ctx: BusinessContext
  situation: Situation
  box: ToolBox
  dialogue: Dialogue
  language: 'he' | 'en'
  say: (typeof SENTENCES)['he']
  /** What the person wrote, without notes. */
  text: string
  heard: Heard[]
  intents: Intent[]
  now: Date
  parts: string[]
  notify: string | null
}

/**
 * Answers without a model: every sentence is one of ours around what a tool answered, so that nothing else can be claimed. What
 * it does not understand it says, takes a message, and hands over the second time.
 */
export function respondByRules(ctx: BusinessContext, situation: Situation, now: Date): Promise<AgentReply> {
  return inTrial(ctx, situation, (inner, there) => respond(inner, there, now))
}

async function respond(ctx: BusinessContext, situation: Situation, now: Date): Promise<AgentReply> {
  const heard = situation.burst.map(hearMessage)
  const text = heard
    .map(({ words }) => words)
    .filter(Boolean)
    .join('\n')
  const language = languageOf([...earlierTexts(situation), ...heard.map(({ words }) => words)], situation)
  const turn: Turn = {
    ...{ ctx, situation, language, text, heard, now },
    box: createToolBox(ctx, situation, now),
    dialogue: readDialogue(situation.state?.dialogue),
    say: SENTENCES[language],
    intents: intentsOf(text),
    parts: [],
    notify: null,
  }
  if (!greetedLately(situation, now)) turn.parts.push(turn.say.hello(situation.business.name, shownName(situation)))
  if (text.includes('[card number removed]')) turn.parts.push(turn.say.card)
  await takeTurn(turn)
  const { box } = turn
  return {
    text: turn.parts.join('\n'),
    engine: 'rules',
    language,
    handover: box.handover,
    notify: turn.notify,
    tools: box.runs,
    sources: box.sources,
    guard: [],
    gaps: box.gaps,
    pictures: box.handover ? [] : await picturesOf(ctx, situation, turn.parts.join('\n'), box.items, now),
    dialogue: box.handover ? null : turn.dialogue,
  }
}

function earlierTexts({ recent }: Situation): string[] {
  return recent.filter(({ direction }) => direction === 'in').map(({ body }) => body)
}

export function greetedLately({ recent }: Situation, now: Date): boolean {
  return recent.some(
    ({ direction, writtenBy, createdAt }) =>
      direction === 'out' && writtenBy === 'agent' && now.getTime() - createdAt.getTime() < GREETED_MS,
  )
}

/** A name of a profile may be anything: only one of plain words is said. */
export function shownName({ contact }: Situation): string | null {
  const name = readable(contact.name ?? '')
  return /^[\p{L}'’ -]{2,30}$/u.test(name) ? name : null
}

async function takeTurn(turn: Turn): Promise<void> {
  const { text, intents, say } = turn
  if (text === '') {
    await answerWithoutWords(turn)
    return
  }
  if (turn.heard.some(({ unread }) => unread === 'file')) receiveFile(turn)
  const topic = topicOf(turn)
  const why = topic ?? (intents.includes('person') ? 'asked' : intents.includes('angry') ? 'angry' : null)
  if (why && !intents.includes('robot')) {
    await handOver(turn, why)
    return
  }
  if (intents.includes('robot')) {
    turn.parts.push(say.robot(turn.situation.business.name))
    return
  }
  if (intents.includes('wrong')) {
    turn.parts.push(say.wrongNumber)
    return
  }
  if (turn.dialogue.asking && (await answerAsked(turn))) return
  await answerIntent(turn)
}

/** A matter that the business leaves to people; words in all their forms. */
function topicOf({ text, situation }: Turn): string | null {
  const written = readable(text).toLowerCase()
  return situation.settings.handoverTopics.find((topic) => written.includes(topic.toLowerCase())) ?? null
}

async function handOver(turn: Turn, reason: string): Promise<void> {
  await turn.box.run('take_message', { message: cutText(turn.text, 1_500) })
  await turn.box.run('handover', { reason: cutText(reason, 200) })
  turn.parts.push(turn.say.handover)
}

async function answerWithoutWords(turn: Turn): Promise<void> {
  const { heard, say } = turn
  if (heard.some(({ unread }) => unread === 'voice')) {
    turn.parts.push(say.unheard)
    return
  }
  if (heard.some(({ unread }) => unread === 'file')) {
    receiveFile(turn)
    return
  }
  const notes = heard.flatMap(({ note }) => note ?? [])
  if (notes.every((note) => note === '[sent a sticker]')) turn.parts.push(say.help)
  else {
    await turn.box.run('take_message', { message: cutText(notes.join('\n'), 1_500) })
    turn.parts.push(say.passedOn)
  }
}

function receiveFile(turn: Turn): void {
  turn.notify = 'file'
  turn.parts.push(turn.say.seenByPerson)
}

async function answerIntent(turn: Turn): Promise<void> {
  const { intents, text, say } = turn
  const has = (intent: Intent) => intents.includes(intent)
  if (has('cancel') || has('move')) await changeAppointment(turn, has('move') ? 'move' : 'cancel')
  else if (has('mine')) await listOwn(turn)
  else if (has('others')) turn.parts.push(say.notOthers)
  else if (has('wantsBooking')) await beginBooking(turn)
  else if (has('book') && !(isQuestion(text) && (await quote(turn)))) await beginBooking(turn)
  else if (has('book')) return
  else if (isOnly(text, 'greeting')) turn.parts.push(say.help)
  else if (isOnly(text, 'thanks')) turn.parts.push(say.thanks)
  else if (isOnly(text, 'goodbye')) turn.parts.push(say.goodbye)
  else if (has('hours')) await answerHours(turn)
  else if (has('message') && !isQuestion(text)) askInquiry(turn)
  else if (isQuestion(text)) await answerQuestion(turn)
  else {
    await quote(turn)
    await takeInquiry(turn, text)
  }
}

async function answerQuestion(turn: Turn): Promise<void> {
  const questions = questionsOf(turn.text)
  const open = questions.length > 1 ? await quoteEach(turn, questions) : questions
  if (open.length < questions.length) await passOn(turn, open)
  else if (!(await quote(turn))) return await beUnsure(turn)
  turn.dialogue.unsure = 0
}

/** @returns the questions that nothing was quoted for */
async function quoteEach(turn: Turn, questions: readonly string[]): Promise<string[]> {
  const open: string[] = []
  for (const [index, question] of questions.entries())
    if (index >= MOST_QUESTIONS || !(await quote(turn, question))) open.push(question)
  return open
}

/** What is left of a message whose other questions were answered: it is for the team. */
async function passOn(turn: Turn, open: readonly string[]): Promise<void> {
  if (open.length === 0) return
  const left = open.join('\n')
  await turn.box.run('no_answer', { question: cutText(left, 200) })
  await turn.box.run('take_message', { message: cutText(left, 1_500) })
  turn.parts.push(turn.say.restPassedOn)
}

/** Quotes what the business knows, where it proves enough of the question. @returns whether it did */
async function quote(turn: Turn, asked = turn.text, fitting: (text: Known) => boolean = () => true): Promise<boolean> {
  const question = cutText(asked, 200)
  const wanted = readCatalogueQuery(question)
  if (wanted.isNamed && (await offerItems(turn, wanted.query))) return true
  if (await quoteText(turn, question, fitting)) return true
  return !wanted.isNamed && (await offerItems(turn, wanted.query))
}

/** Names what the catalogue has of it. @returns whether it has something */
async function offerItems(turn: Turn, query: CatalogueQuery): Promise<boolean> {
  const { items } = await searchCatalogue(turn.ctx, query)
  if (items.length === 0) return false
  await turn.box.run('search_catalogue', query)
  const lines = items.map(({ name, priceAgorot, currency }) =>
    priceAgorot === null ? name : `${name}: ${sayPrice(priceAgorot, currency)}`,
  )
  turn.parts.push(turn.say.items(lines.join('\n')))
  return true
}

async function quoteText(turn: Turn, question: string, fitting: (text: Known) => boolean): Promise<boolean> {
  const {
    found: [best],
    sure,
  } = await lookUp(turn.ctx, question, turn.situation)
  if (!best || !sure || !fitting(best)) return false
  await turn.box.run('lookup_business_info', { query: question })
  const quoted = turn.say.quote(best.title, excerptOf(best, question))
  if (!turn.parts.includes(quoted)) turn.parts.push(quoted)
  return true
}

async function answerHours(turn: Turn): Promise<void> {
  const questions = questionsOf(turn.text)
  const others = questions.filter((question) => !intentsOf(question).includes('hours'))
  const about = questions.filter((question) => !others.includes(question)).join('\n') || turn.text
  // The business's own words about its hours know more than the week: holidays, Friday, by telephone.
  if (!(await quote(turn, about, isAboutHours))) {
    const { settings } = await getProfile(turn.ctx)
    const hours = sayHours(settings, turn.language)
    turn.box.sources.push({ title: 'hours', kind: 'hours' })
    turn.parts.push(hours === '' ? turn.say.noHours : turn.say.hours(hours))
  }
  turn.dialogue.unsure = 0
  await passOn(turn, await quoteEach(turn, others))
}

/** Not of what takes so many hours. */
function isAboutHours({ title, body }: Known): boolean {
  return intentsOf(`${title}\n${body}`.replace(/\d+\s*(?:שעות|hours)/gu, '')).includes('hours')
}

async function beUnsure(turn: Turn): Promise<void> {
  const { dialogue, text } = turn
  await turn.box.run('no_answer', { question: cutText(text, 200) })
  dialogue.unsure += 1
  if (dialogue.unsure >= MOST_UNSURE) {
    await handOver(turn, 'unsure')
    return
  }
  turn.parts.push(turn.say.unsure)
  await takeInquiry(turn, text)
}

function askInquiry({ dialogue, parts, say }: Turn): void {
  dialogue.asking = 'inquiry'
  parts.push(say.askInquiry)
}

/** Inquiry, name and when to call back, one at a time; what is learnt is kept at once. */
async function takeInquiry(turn: Turn, inquiry: string): Promise<void> {
  const { dialogue, say, situation } = turn
  dialogue.inquiry = cutText(inquiry, 1_500)
  await turn.box.run('save_lead', { inquiry: dialogue.inquiry })
  const named = situation.contact.name !== null || dialogue.name !== null
  dialogue.asking = named ? 'callback' : 'name'
  turn.parts.push(say.message, named ? say.askCallback : say.askName)
}

/** The answer to what was asked. @returns false when it is something else */
async function answerAsked(turn: Turn): Promise<boolean> {
  const { dialogue, text, say, intents } = turn
  switch (dialogue.asking) {
    case 'inquiry':
      if (isQuestion(text) && (await quote(turn))) return true
      await takeInquiry(turn, text)
      return true
    case 'name':
      if (isQuestion(text) && (await quote(turn))) return askAgain(turn, say.askName)
      return await takeName(turn)
    case 'callback':
      if (isQuestion(text) && !readTime(text)) return false
      await turn.box.run('save_lead', { callback_time: cutText(text, 200) })
      turn.parts.push(say.saved)
      clear(dialogue)
      return true
    case 'service':
      dialogue.service = cutText(text, 200)
      await beginBooking(turn)
      return true
    case 'time':
      return intents.includes('cancel') || saysNo(text) ? leaveBooking(turn) : await takeTime(turn)
    case 'which':
      return await takeWhich(turn)
    case 'confirm_cancel':
      return await confirmCancel(turn)
    case 'move_time':
      return saysNo(text) ? keepAppointment(turn) : await takeMove(turn)
    case null:
      return false
  }
}

function askAgain({ parts }: Turn, question: string): true {
  parts.push(question)
  return true
}

function clear(dialogue: Dialogue): void {
  Object.assign(dialogue, readDialogue({ name: dialogue.name }))
}

async function takeName(turn: Turn): Promise<boolean> {
  const { text, dialogue, say } = turn
  const name = readName(text)
  if (!name) return false
  dialogue.name = name
  await turn.box.run('save_lead', { name })
  dialogue.asking = 'callback'
  turn.parts.push(say.askCallback)
  return true
}

/** The name in a short answer; null for a sentence about something else. */
function readName(text: string): string | null {
  const stripped = text
    .replace(/^\s*(my name is|i am|i'm|this is|it'?s|שמי|קוראים לי|השם שלי( הוא)?|אני|כאן|מדבר(ת)?)\s+/iu, '')
    .replace(/[.!,]+$/, '')
    .trim()
  return /^\p{L}[\p{L}'’"׳״ .-]{0,60}$/u.test(stripped) && stripped.split(/\s+/).length <= 4
    ? stripped.slice(0, CONTACT_NAME_MAX)
    : null
}

function leaveBooking(turn: Turn): true {
  clear(turn.dialogue)
  turn.parts.push(turn.say.help)
  return true
}

const today = ({ now, situation }: Turn) => wallClock(now, situation.business.timezone).date

function whenOf({ situation, language }: Turn, { date, time }: Wanted): string {
  return sayWhen(language, instantOf(date, time, situation.business.timezone), situation.business.timezone)
}

const listOf = (turn: Turn, offers: readonly Wanted[]) =>
  offers.map((offer, i) => `${i + 1}. ${whenOf(turn, offer)}`).join('\n')

const timesAnswer = z.object({ times: z.array(z.object({ date: z.string(), time: z.string() })) })
const bookedAnswer = z.object({ date: z.string(), time: z.string(), note: z.string().optional() })

/** Free times from a day on, spread over days, nearest to a time when one is given. */
async function offersFrom(turn: Turn, from: string, near: string | null): Promise<Wanted[]> {
  const days = near ? 1 : DAYS_OFFERED
  const { times } = timesAnswer.parse(
    await turn.box.run('find_times', {
      date: from,
      days,
      ...(turn.dialogue.service ? { service: turn.dialogue.service } : {}),
    }),
  )
  const sorted = near ? times.toSorted((a, b) => distance(a.time, near) - distance(b.time, near)) : times
  return sorted.slice(0, MOST_OFFERS).sort((a, b) => (a.date + a.time < b.date + b.time ? -1 : 1))
}

const minutesOf = (time: string) => Number(time.slice(0, 2)) * 60 + Number(time.slice(3))
const distance = (a: string, b: string) => Math.abs(minutesOf(a) - minutesOf(b))

async function beginBooking(turn: Turn): Promise<void> {
  const { dialogue, text, say, language } = turn
  const services = (await listServices(turn.ctx)).filter(({ online }) => online)
  if (services.length > 1 && !dialogue.service) {
    const names = services.slice(0, 8).map(({ nameHe, nameEn }) => (language === 'he' ? nameHe : nameEn))
    const named = names.find((name) => text.toLowerCase().includes(name.toLowerCase()))
    if (!named) {
      dialogue.asking = 'service'
      turn.parts.push(say.askService(names.join(', ')))
      return
    }
    dialogue.service = named
  }
  const date = readDate(text, today(turn))
  const time = readTime(text)
  if (date && time && (await tryBooking(turn, { date, time }))) return
  await offerTimes(turn, 'time', date ?? today(turn), date ? time : null)
}

/** Names free times and asks which; a day without any is followed by the next days. */
async function offerTimes(turn: Turn, asking: 'time' | 'move_time', date: string, near: string | null): Promise<void> {
  const { dialogue, say } = turn
  try {
    let offers = await offersFrom(turn, date, near)
    if (offers.length === 0 && near) offers = await offersFrom(turn, date, null)
    if (offers.length === 0) offers = await offersFrom(turn, addDates(date, DAYS_OFFERED), null)
    if (offers.length === 0) {
      turn.parts.push(say.noTimes)
      clear(dialogue)
      return
    }
    dialogue.offers = offers
    dialogue.asking = asking
    turn.parts.push(near ? say.notFree(listOf(turn, offers)) : say.askTime(listOf(turn, offers)))
  } catch (error) {
    if (!(error instanceof AppError) || error.code !== 'service_not_found') throw error
    const services = (await listServices(turn.ctx)).filter(({ online }) => online)
    dialogue.service = null
    dialogue.asking = 'service'
    turn.parts.push(
      say.askService(services.map(({ nameHe, nameEn }) => (turn.language === 'he' ? nameHe : nameEn)).join(', ')),
    )
  }
}

const NOT_FREE: ReadonlySet<string> = new Set(['slot_taken', 'closed', 'too_soon', 'too_far', 'not_agreed'])

/** @returns whether it is booked, or surely never will be */
async function tryBooking(turn: Turn, wanted: Wanted): Promise<boolean> {
  const { dialogue, say, box } = turn
  try {
    const booked = bookedAnswer.parse(
      await box.run('book_appointment', {
        ...wanted,
        ...(dialogue.service ? { service: dialogue.service } : {}),
        ...(dialogue.name ? { name: dialogue.name } : {}),
      }),
    )
    turn.parts.push(
      booked.note?.startsWith('It is held') ? say.held(whenOf(turn, booked)) : say.booked(whenOf(turn, booked)),
    )
    clear(dialogue)
    return true
  } catch (error) {
    if (!(error instanceof AppError)) throw error
    if (NOT_FREE.has(error.code)) return false
    if (error.code === 'invalid_arguments' || error.code === 'tool_failed') throw error
    await handOver(turn, error.code)
    return true
  }
}

/** Which of the offers a text means: its number, its time, or a day and a time of its own. */
function chosenOf(turn: Turn): Wanted | null {
  const { text, dialogue } = turn
  const { offers } = dialogue
  const number = /^\s*([1-9])[\s.)]*$/.exec(text)?.[1]
  const ordinal = ORDINALS.findIndex((pattern) => pattern.test(text))
  const byPlace = offers[number ? Number(number) - 1 : ordinal]
  if ((number || ordinal !== -1) && byPlace) return byPlace
  const date = readDate(text, today(turn))
  const time = readTime(text) ?? bareHour(text)
  const same = offers.filter((offer) => (!date || offer.date === date) && (!time || offer.time === time))
  if ((date || time) && same.length === 1 && same[0]) return same[0]
  if (time) {
    const day = date ?? offers[0]?.date
    return day ? { date: day, time } : null
  }
  return saysYes(text) && offers.length === 1 ? (offers[0] ?? null) : null
}

const ORDINALS = [
  /(?<!\p{L})(first|ה?ראשו[ןנ]ה?)(?!\p{L})/iu,
  /(?<!\p{L})(second|ה?שניי?ה?)(?!\p{L})/iu,
  /(?<!\p{L})(third|ה?שלישית?)(?!\p{L})/iu,
]

function bareHour(text: string): string | null {
  const hour = /^\s*(\d{1,2})\s*$/.exec(text)?.[1]
  return hour && Number(hour) >= 7 && Number(hour) <= 23 ? `${hour.padStart(2, '0')}:00` : null
}

async function takeTime(turn: Turn): Promise<boolean> {
  const { text, dialogue } = turn
  const chosen = chosenOf(turn)
  const date = readDate(text, today(turn))
  if (chosen && (await tryBooking(turn, chosen))) return true
  if (!chosen && !date)
    return isQuestion(text) || turn.intents.length > 0
      ? false
      : askAgain(turn, turn.say.askTime(listOf(turn, dialogue.offers)))
  await offerTimes(turn, 'time', chosen?.date ?? date ?? today(turn), chosen?.time ?? null)
  return true
}

async function listOwn(turn: Turn): Promise<void> {
  await turn.box.run('my_appointments', {})
  const own = await ownAppointments(turn.ctx, turn.situation, turn.now)
  turn.parts.push(own.length > 0 ? turn.say.appointments(listOf(turn, own)) : turn.say.noAppointment)
}

async function changeAppointment(turn: Turn, doing: 'cancel' | 'move'): Promise<void> {
  const { dialogue, say, text } = turn
  await turn.box.run('my_appointments', {})
  const own = await ownAppointments(turn.ctx, turn.situation, turn.now)
  dialogue.doing = doing
  const [only] = own
  if (!only) {
    turn.parts.push(say.noAppointment)
    clear(dialogue)
    return
  }
  const date = doing === 'cancel' ? readDate(text, today(turn)) : null
  const meant = date ? own.filter((each) => each.date === date) : own
  if (meant.length === 1 && meant[0]) {
    await goOn(turn, meant[0])
    return
  }
  dialogue.asking = 'which'
  dialogue.offers = own.slice(0, 5).map((each) => ({ date: each.date, time: each.time }))
  turn.parts.push(say.askWhich(listOf(turn, dialogue.offers)))
}

async function takeWhich(turn: Turn): Promise<boolean> {
  if (saysNo(turn.text)) return keepAppointment(turn)
  const chosen = chosenOf(turn)
  const meant = turn.dialogue.offers.find(({ date, time }) => date === chosen?.date && time === chosen.time)
  if (!meant) return false
  await goOn(turn, meant)
  return true
}

async function goOn(turn: Turn, { date, time }: Wanted): Promise<void> {
  const { dialogue, say } = turn
  dialogue.appointment = { date, time }
  if (dialogue.doing === 'move') {
    await offerTimes(turn, 'move_time', today(turn), null)
    return
  }
  dialogue.asking = 'confirm_cancel'
  turn.parts.push(say.askCancel(whenOf(turn, { date, time })))
}

function keepAppointment(turn: Turn): true {
  clear(turn.dialogue)
  turn.parts.push(turn.say.keptAppointment)
  return true
}

async function confirmCancel(turn: Turn): Promise<boolean> {
  const { text, dialogue, say } = turn
  const { appointment } = dialogue
  if (saysNo(text)) return keepAppointment(turn)
  if (!appointment || !(saysYes(text) || turn.intents.includes('cancel'))) return false
  await changing(turn, async () => {
    await turn.box.run('cancel_appointment', appointment)
    turn.parts.push(say.cancelled(whenOf(turn, appointment)))
  })
  return true
}

async function takeMove(turn: Turn): Promise<boolean> {
  const { dialogue, say, text } = turn
  const { appointment } = dialogue
  const chosen = chosenOf(turn)
  const date = readDate(text, today(turn))
  if (!appointment || (!chosen && !date)) return false
  if (!chosen) {
    await offerTimes(turn, 'move_time', date ?? today(turn), null)
    return true
  }
  await changing(turn, async () => {
    const moved = bookedAnswer.parse(
      await turn.box.run('reschedule_appointment', {
        ...chosen,
        from_date: appointment.date,
        from_time: appointment.time,
      }),
    )
    turn.parts.push(say.moved(whenOf(turn, moved)))
  })
  return true
}

/** A change that is not possible any more is for a person. */
async function changing(turn: Turn, change: () => Promise<void>): Promise<void> {
  try {
    await change()
    clear(turn.dialogue)
  } catch (error) {
    if (!(error instanceof AppError)) throw error
    if (error.code === 'slot_taken') {
      await offerTimes(turn, 'move_time', today(turn), null)
      return
    }
    await turn.box.run('handover', { reason: error.code })
    turn.parts.push(turn.say.notChangeable)
  }
}
