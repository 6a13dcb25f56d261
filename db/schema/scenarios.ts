import { sql } from 'drizzle-orm'
import { index, integer, jsonb, pgTable, text, uniqueIndex } from 'drizzle-orm/pg-core'
import { at, createdAt, enumChecks, id, updatedAt } from './columns.ts'
import { businessId } from './tenant.ts'

export const SCENARIO_RUN_STATES = ['queued', 'running', 'passed', 'failed', 'broken'] as const

/** Conversations that a business's receptionist has to pass, as YAML. */
export const scenarios = pgTable(
  'scenarios',
  {
    id: id(),
    businessId: businessId(),
    name: text().notNull(),
    source: text().notNull(),
    createdAt: createdAt(),
    updatedAt: updatedAt(),
  },
  (t) => [uniqueIndex('scenarios_name').on(t.businessId, t.name)],
)

export type ScenarioResult = {
  scenario: string
  outcome: 'passed' | 'failed' | 'skipped'
  /** Why it was skipped. */
  reason: string | null
  failures: string[]
  /** What a judge model decided, or why it did not. */
  verdicts: { criterion: string; step: number | null; verdict: 'passed' | 'failed' | 'not_judged'; reason: string }[]
  transcript: { who: 'customer' | 'agent' | 'person'; text: string; tools?: string[] }[]
  turns: number
  ms: number
  /** Null when the price is not known. */
  costUsd: number | null
}

/** A play of all scenarios of a business, with its draft or the version in force. */
export const scenarioRuns = pgTable(
  'scenario_runs',
  {
    id: id(),
    businessId: businessId(),
    /** Of the draft that was played; null: the version in force. */
    draftRevision: integer('draft_revision'),
    /** Of the scenarios, as they were. */
    fingerprint: text().notNull(),
    state: text({ enum: SCENARIO_RUN_STATES }).notNull().default('queued'),
    /** Why it is broken. */
    reason: text(),
    results: jsonb().$type<ScenarioResult[]>().notNull().default([]),
    /** How often it was begun: one that kills its worker is given up. */
    attempts: integer().notNull().default(0),
    actorKind: text('actor_kind').notNull(),
    actorId: text('actor_id').notNull(),
    endedAt: at('ended_at'),
    createdAt: createdAt(),
    updatedAt: updatedAt(),
  },
  (t) => [
    index('scenario_runs_business').on(t.businessId, t.id),
    index('scenario_runs_waiting').on(t.updatedAt).where(sql`${t.state} in ('queued', 'running')`),
    ...enumChecks(t),
  ],
)
