import { and, eq, inArray, sql } from 'drizzle-orm'
import { alertIncidents, users } from '../../../db/schema/index.ts'
import type { BusinessContext } from '../context.ts'
import { type Content, contentOf } from './content.ts'
import type { Incident } from './incidents.ts'
import { isAlertKind } from './kinds.ts'
import { type AlertPurpose, conditionText, type Language, TITLES, WORDS } from './texts.ts'

/** An alert in one language, before it is laid out for a way. `words` is what a person wrote or said. */
export type Composed = {
  title: string
  /** Who it is about, times, amounts, what is wrong. */
  lines: string[]
  words: string | null
  /** A place of the console, relative to it. */
  url: string
  phone: string | null
  /** What comes with the same tag takes its place on a device. */
  tag: string
}

type Asked = {
  purpose: AlertPurpose
  incident: Incident | null
  covers: { from: string; to: string; incidentIds?: string[] } | null
  language: Language
  timeZone: string
}

/** Composes what is sent now: it is read when it is sent. @returns `later`, or null when there is nothing to tell any more */
export async function compose(ctx: BusinessContext, asked: Asked, now: Date): Promise<Composed | 'later' | null> {
  const { purpose, incident, language, covers } = asked
  const words = WORDS[language]
  if (purpose === 'test')
    return {
      title: words.test,
      lines: [],
      words: null,
      url: 'settings?part=notifications',
      phone: null,
      tag: 'test',
    }
  if (purpose === 'summary') return covers ? await composeSummary(ctx, asked, covers) : null
  if (!incident || !isAlertKind(incident.kind)) return null
  const kind = incident.kind
  const content = await contentOf(ctx, { kind, subject: incident.subject, facts: incident.facts }, now)
  const title = TITLES[language][kind]
  const tag = `${kind}-${incident.subject.split('#')[0]}`
  if (purpose === 'taken') {
    const who = (await nameOf(ctx, incident.takenBy)) ?? words.someone
    const said = incident.answer === 'call_back' ? words.callBack(who) : words.taken(who)
    const about = content === 'later' || content === null ? null : content
    return {
      title: said,
      lines: [[title, whoOf(about, words.withheld)].filter(Boolean).join(': ')],
      ...rest(about, tag),
    }
  }
  if (purpose === 'all_clear') {
    const about = content === 'later' ? null : content
    return { title: `${words.over}: ${title}`, lines: [], ...rest(about, tag) }
  }
  if (content === 'later' || content === null) return content
  const condition = conditionText(language, kind, incident.facts)
  return {
    title: purpose === 'escalation' ? `${title} – ${words.escalated}` : title,
    lines: [whoOf(content, words.withheld), ...detailsOf(content, asked), condition].filter(isText),
    words: content.text,
    url: content.url,
    phone: content.phone ?? null,
    tag,
  }
}

function rest(content: Content | null, tag: string): Pick<Composed, 'words' | 'url' | 'phone' | 'tag'> {
  return { words: null, url: content?.url ?? 'today', phone: content?.phone ?? null, tag }
}

function whoOf(content: Content | null, withheld: string): string | null {
  if (!content || content.who === undefined) return null
  return content.who?.trim() || withheld
}

function detailsOf({ details = [] }: Content, { language, timeZone }: Asked): string[] {
  const locale = language === 'he' ? 'he-IL' : 'en-GB'
  return details.map((detail) =>
    'at' in detail
      ? new Intl.DateTimeFormat(locale, { dateStyle: 'full', timeStyle: 'short', timeZone }).format(detail.at)
      : new Intl.NumberFormat(locale, { style: 'currency', currency: detail.currency }).format(detail.amount / 100),
  )
}

/** What happened in a time, by kind, with how often; the first is the most frequent. */
async function composeSummary(
  ctx: BusinessContext,
  asked: Asked,
  covers: NonNullable<Asked['covers']>,
): Promise<Composed> {
  const { language } = asked
  const words = WORDS[language]
  const { from, to, incidentIds } = covers
  const rows = await ctx.db
    .select({ kind: alertIncidents.kind, count: sql<number>`count(*)::int` })
    .from(alertIncidents)
    .where(
      and(
        eq(alertIncidents.businessId, ctx.businessId),
        incidentIds
          ? inArray(alertIncidents.id, incidentIds)
          : sql`${alertIncidents.openedAt} >= ${from}::timestamptz and ${alertIncidents.openedAt} < ${to}::timestamptz`,
      ),
    )
    .groupBy(alertIncidents.kind)
    .orderBy(sql`2 desc, 1`)
  const lines = rows.flatMap(({ kind, count }) =>
    isAlertKind(kind) ? [count > 1 ? `${TITLES[language][kind]}: ${words.counts(count)}` : TITLES[language][kind]] : [],
  )
  const days = (Date.parse(to) - Date.parse(from)) / 86_400_000
  return {
    title: incidentIds ? words.summary(incidentIds.length) : days > 2 ? words.weekly : words.daily,
    lines: lines.length > 0 ? lines : [words.nothing],
    words: null,
    url: 'settings?part=notifications',
    phone: null,
    tag: 'summary',
  }
}

async function nameOf(ctx: BusinessContext, userId: string | null): Promise<string | null> {
  if (!userId) return null
  const [user] = await ctx.db.select({ name: users.name }).from(users).where(eq(users.id, userId))
  return user?.name ?? null
}

function isText(line: string | null): line is string {
  return line !== null && line !== ''
}
