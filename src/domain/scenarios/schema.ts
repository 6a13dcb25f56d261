import { z } from 'zod'
import { WEEKDAYS } from '../../lib/weekdays.ts'

/** The channels on which a scenario can be played. */
export const SCENARIO_CHANNELS = ['chat', 'whatsapp', 'voice'] as const
export type ScenarioChannel = (typeof SCENARIO_CHANNELS)[number]

/** Who answers: the rules and the intake dialogue, models by their keys, or the sandbox's played model. */
export const SCENARIO_ENGINES = ['rules', 'model', 'played'] as const
export type ScenarioEngine = (typeof SCENARIO_ENGINES)[number]

export const PRESETS = ['plumber', 'real-estate', 'clinic', 'garage', 'salon', 'lawyer'] as const

const line = z.string().trim().min(1).max(2_000)
const lines = z.union([line, z.array(line).min(1).max(20)]).transform((given) => [given].flat())
const count = z.int().min(0).max(1_000)
const range = z.union([
  count.transform((exact) => ({ min: exact, max: exact })),
  z.strictObject({ min: count.default(0), max: count.default(1_000) }),
])
/** A text with its case, points and spaces ignored, or a pattern between slashes: `/250|350/`. */
const pattern = z.union([z.string().min(1).max(500), z.number().transform(String)]).refine(isPattern, {
  error: 'This pattern between slashes is no regular expression.',
})
const said = z.union([
  pattern.transform((each) => ({ any: [each] })),
  z.strictObject({ any: z.array(pattern).min(1) }),
  z.strictObject({ all: z.array(pattern).min(1) }),
])
const duration = z
  .string()
  .regex(/^\d+(\.\d+)?(ms|s|m|h)$/, 'a time such as 6s, 20m or 13h')
  .transform(msOf)

/** The pattern of a text between slashes; null when it is a plain text. */
export function patternOf(text: string): RegExp | null {
  const written = /^\/(.+)\/([a-z]*)$/su.exec(text)
  if (!written) return null
  try {
    return new RegExp(written[1] ?? '', [...new Set(`${written[2]}iu`)].join(''))
  } catch (error) {
    if (error instanceof SyntaxError) return null
    throw error
  }
}

function isPattern(text: string): boolean {
  return !(text.length > 2 && text.startsWith('/') && /\/[a-z]*$/.test(text)) || patternOf(text) !== null
}

function msOf(text: string): number {
  const value = Number.parseFloat(text)
  if (text.endsWith('ms')) return value
  return value * (text.endsWith('h') ? 3_600_000 : text.endsWith('m') ? 60_000 : 1_000)
}

const toolName = z.string().regex(/^[a-z_]{2,40}$/, 'the name of a tool')
const value = z.union([pattern, z.boolean(), z.null()])
const never = z.strictObject({
  says: z.array(pattern).optional(),
  tools: z.array(toolName).optional(),
  /** `any`: no telephone number at all. */
  phones: z.literal('any').optional(),
})
const toolCall = z.strictObject({
  name: toolName,
  /** Each is compared with the argument of that name. */
  args: z.record(z.string(), value).default({}),
  times: range.default({ min: 1, max: 1_000 }),
})

/** What is expected of what comes back for a step. */
const expectation = z.strictObject({
  replies: range.optional(),
  says: z.array(said).optional(),
  never: never.optional(),
  tools: z.array(toolCall).optional(),
  /** Amounts, times, telephone numbers and links stand in what is known or in the result of a tool. */
  amounts: z.literal('backed').optional(),
  /** "Booked", "sent", "noted" and the like have a tool that did it. */
  claims: z.literal('backed').optional(),
  language: z.enum(['he', 'en']).optional(),
  /** Whether a person takes over. */
  handover: z.boolean().optional(),
  conversation: z.strictObject({ agent: z.enum(['on', 'paused', 'off']) }).optional(),
  /** For a judge model: what the rules cannot tell. */
  judge: lines.optional(),
})

/** What the sandbox's played model answers: tools with arguments, then words. `today+1` in an argument is a date. */
const modelAnswers = z
  .array(
    z.strictObject({
      say: line.optional(),
      call: z
        .array(
          z.strictObject({
            name: toolName,
            args: z.record(z.string(), z.union([z.string(), z.number(), z.boolean()])).default({}),
          }),
        )
        .max(5)
        .optional(),
    }),
  )
  .min(1)
  .max(6)

const step = z
  .strictObject({
    /** What the customer writes, each a message of its own, or says. */
    send: lines.optional(),
    /** How a synthesizer speaks it, where the spelling of `send` does not tell. */
    say: lines.optional(),
    /** A member of the business writes. */
    human: z.strictObject({ from: z.enum(['console', 'phone']), text: line }).optional(),
    /** What has passed since the step before. */
    after: duration.optional(),
    /** In a call: the caller is silent for so long after the agent spoke. */
    silence: duration.optional(),
    /** In a call: the caller speaks while the agent does. */
    interrupt: z.literal(true).optional(),
    /** In a call: the caller's line breaks, in the middle of what is said where there is something. */
    hangup: z.literal(true).optional(),
    /** The answer comes within this time. */
    within: duration.optional(),
    expect: expectation.optional(),
    model: modelAnswers.optional(),
    /** What it answers when it is asked again, since nothing backed what it said. */
    modelAgain: modelAnswers.optional(),
    /** In place of `expect` where the intake dialogue, which understands no words, answers the call. */
    intake: expectation.optional(),
  })
  .refine(({ send, say, human, silence, hangup }) => Boolean(send ?? say ?? human ?? silence ?? hangup), {
    error: 'A step does something: send, say, human, silence or hangup.',
  })
  .refine(({ send, say, human }) => !(human && (send ?? say)), {
    error: 'A step is of the customer or of a member: send or human.',
  })

const date = z.string().regex(/^(\d{4}-\d{2}-\d{2}|today(\+\d{1,3})?)$/, 'a date such as 2026-12-02, or today+2')
const time = z.string().regex(/^([01]\d|2[0-3]):[0-5]\d$/, 'a time such as 09:30')
const row = z.record(z.string(), value)
/** Rows that there must be; null or an empty list: none. */
const rows = z.union([z.array(row), z.null()])

const database = z.strictObject({
  leads: rows.optional(),
  appointments: rows.optional(),
  gaps: rows.optional(),
  calls: rows.optional(),
  contact: row.optional(),
  messages: z.strictObject({ duplicates: count.optional(), outOfOrder: count.optional() }).optional(),
})

const finalExpectation = z.strictObject({
  db: database.optional(),
  /** In place of `db` where the intake dialogue answers the call. */
  intake: database.optional(),
  never: never.optional(),
  tools: z.array(toolCall).optional(),
  /** The most that a conversation may take. */
  budget: z
    .strictObject({
      replySecondsP95: z.partialRecord(z.enum(SCENARIO_CHANNELS), z.number().positive()).optional(),
      turns: count.optional(),
      modelCalls: count.optional(),
      costUsd: z.number().min(0).optional(),
    })
    .optional(),
  judge: lines.optional(),
})

const span = z.string().regex(/^([01]\d|2[0-3]):[0-5]\d-(([01]\d|2[0-3]):[0-5]\d|24:00)$/, 'hours such as 08:00-18:00')
const dayRange = z
  .string()
  .regex(/^(sun|mon|tue|wed|thu|fri|sat)(-(sun|mon|tue|wed|thu|fri|sat))?$/, 'a day or days, such as fri or sun-thu')

/** `{sun-thu: "08:00-18:00"}`, `always` or `never`; written out as spans by day. */
const hours = z
  .union([z.enum(['always', 'never']), z.record(dayRange, z.union([span, z.array(span).min(1)]))])
  .transform((given): Partial<Record<(typeof WEEKDAYS)[number], [string, string][]>> => {
    if (given === 'never') return {}
    if (given === 'always')
      return Object.fromEntries(WEEKDAYS.map((day): [string, [string, string][]] => [day, [['00:00', '24:00']]]))
    return Object.fromEntries(
      Object.entries(given).flatMap(([days, spans]) =>
        daysOf(days).map((day): [string, [string, string][]] => [
          day,
          [spans].flat().map((each): [string, string] => [each.slice(0, 5), each.slice(6)]),
        ]),
      ),
    )
  })

function daysOf(text: string): string[] {
  const [from = '', to = from] = text.split('-')
  const all: readonly string[] = WEEKDAYS
  const start = all.indexOf(from)
  const length = ((all.indexOf(to) - start + 7) % 7) + 1
  return Array.from({ length }, (_, i) => all[(start + i) % 7] ?? from)
}

const given = z.strictObject({
  /** The time at which the scenario begins; only the chat can be played at another time than now. */
  clock: z.iso.datetime({ offset: true }).optional(),
  /** Left out in a scenario of a business of its own. */
  business: z
    .strictObject({
      preset: z.enum(PRESETS),
      language: z.enum(['he', 'en']).default('he'),
      name: line.optional(),
      hours: hours.optional(),
      handoverTopics: z.array(line).max(20).optional(),
      approveFirst: z.boolean().optional(),
    })
    .optional(),
  contact: z
    .strictObject({
      phone: z
        .string()
        .regex(/^\+\d{8,15}$/, 'a number such as +972501234567')
        .optional(),
      name: line.optional(),
      inquiry: line.optional(),
      notes: z.array(line).max(10).default([]),
      appointments: z
        .array(z.strictObject({ date, time, note: line.optional() }))
        .max(10)
        .default([]),
    })
    .default({ notes: [], appointments: [] }),
  /** Beside that of the preset. */
  knowledge: z
    .array(
      z.strictObject({
        title: line,
        text: z.string().min(1).max(5_000),
        source: z.enum(['text', 'web', 'file']).optional(),
      }),
    )
    .max(50)
    .default([]),
  catalogue: z
    .array(z.record(z.string(), z.union([z.string(), z.number(), z.boolean()])))
    .max(50)
    .default([]),
  /** A tool that fails at its nth call. */
  faults: z
    .array(
      z.strictObject({
        tool: toolName,
        nth: z.int().min(1).max(20).default(1),
        error: z.enum(['unavailable', 'conflict']),
      }),
    )
    .max(10)
    .default([]),
})

/** A scenario: what is there, what a customer does, and what has to come of it. */
export const scenario = z.strictObject({
  name: z
    .string()
    .regex(/^[a-z0-9]+(-[a-z0-9]+)*$/, 'small letters, digits and single hyphens')
    .max(60),
  about: line.optional(),
  /** `model`: only who understands free language passes; the agent by rules need not. */
  needs: z.enum(['rules', 'model']).default('rules'),
  channels: z.array(z.enum(SCENARIO_CHANNELS)).min(1),
  runs: z.int().min(1).max(20).default(1),
  given,
  /** Who a model plays, in place of `script`, where that is asked for. */
  persona: z
    .strictObject({
      who: line,
      wants: line,
      knows: z.record(z.string(), z.union([z.string(), z.number()])).default({}),
      style: z.array(line).default([]),
    })
    .optional(),
  script: z.array(step).min(1).max(30),
  finally: finalExpectation.default({}),
})

export type Scenario = z.output<typeof scenario>
export type ScenarioStep = z.output<typeof step>
export type Expectation = z.output<typeof expectation>
export type FinalExpectation = z.output<typeof finalExpectation>
export type ExpectedRow = z.output<typeof row>
export type Said = z.output<typeof said>
