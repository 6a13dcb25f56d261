import { z } from 'zod'
import type { ProcedureMeta } from './rest-meta.ts'
import { appRouter } from './router.ts'

const zodType = z.custom<z.ZodType>((value) => value instanceof z.ZodType)

/** What tRPC holds of a procedure in `_def`, which it does not type for callers. */
const definition = z.object({
  type: z.enum(['query', 'mutation', 'subscription']),
  inputs: z.array(zodType),
  output: zodType.optional(),
  meta: z.custom<ProcedureMeta>((value) => typeof value === 'object' && value !== null),
})
export type ProcedureDefinition = z.output<typeof definition>

/** Every procedure of the router with its path, such as `contacts.get`. */
export function listProcedures(): [path: string, definition: ProcedureDefinition][] {
  return Object.entries(appRouter._def.procedures).map(([path, procedure]) => [
    path,
    definition.parse(Reflect.get(procedure, '_def')),
  ])
}

const SUBSCRIPTIONS: ReadonlySet<string> = new Set(
  listProcedures().flatMap(([path, { type }]) => (type === 'subscription' ? [path] : [])),
)

export function isSubscription(path: string): boolean {
  return SUBSCRIPTIONS.has(path)
}
